"""On-policy fakes: pictures on their way to a caption, which the model must tell from real ones.

Guidance travels much farther than an adversarial perturbation. So a buffer of pictures is drawn by
the model being trained, parametrized and optimized as the drawers do it, and the model learns that
they are noise still. What the model mistakes for the caption today is what it learns to tell apart
tomorrow, as the discriminator of a GAN does with its generator's pictures. The backward pass that
teaches the model also moves the pictures: they cost no passes of their own.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.batches import Batch

GAIN = 4.0  # as the drawers' layers: logits per unit
_SCALES = (1, 2, 4, 8, 16, 32, 64)
_BETAS = (0.9, 0.98)
_DECAY = (
    0.003  # of the layers, each move: colors driven to their ends have no gradient to return by
)


@dataclass
class Guided:
    """F pictures taken from the buffer for one training step.

    Attributes:
        places: (F,) where in the buffer they belong.
        layers: their color grids, leaves of the graph, (F, 3, s, s) per scale s.
        kinds: (F, 1, 1, 1) whether flat cells (1) or smooth (0).
        looks: (F, 2, 3) the view of this step.
    """

    places: Tensor
    layers: list[Tensor]
    kinds: Tensor
    looks: Tensor

    def shown(self, size: int, noise: Tensor) -> Tensor:
        """Return what the model sees of them, (F, 3, size, size), differentiable."""
        total = self.layers[0]
        for grid in self.layers[1:-1]:
            total = _grow(total, grid.shape[-1]) + grid
        smooth = _grow(total, _SCALES[-1]) + self.layers[-1]
        flat = F.interpolate(total, size=(_SCALES[-1],) * 2, mode="nearest")
        picture = torch.sigmoid(GAIN * torch.where(self.kinds, flat, smooth))
        where = F.affine_grid(self.looks, [len(picture), 3, size, size], align_corners=False)
        seen = F.grid_sample(picture, where, padding_mode="border", align_corners=False)
        return seen + noise


class Fakes:
    """A buffer of guided pictures with the captions they are guided to.

    Args:
        count: how many join each batch.
        noise_row: rows of the token table of the caption "noise", (CONTEXT,).
        gen: random numbers, on the device of the buffer.
        held: size of the buffer.
        rate: Adam's step for coarse layers.
        renewed: share of the pictures that start anew when they are drawn.
    """

    def __init__(
        self, count: int, noise_row: Tensor, gen: torch.Generator, *, held: int, rate: float = 0.05,
        renewed: float = 0.04,
    ) -> None:  # fmt: skip
        self.count, self.rate, self.renewed, self.gen = count, rate, renewed, gen
        device = noise_row.device
        self.noise_row = noise_row
        self.layers = [torch.zeros(held, 3, s, s, device=device) for s in _SCALES]
        self.first = [torch.zeros_like(layer) for layer in self.layers]
        self.second = [torch.zeros_like(layer) for layer in self.layers]
        self.steps = torch.zeros(held, 1, 1, 1, device=device)
        self.rows = torch.zeros((held, len(noise_row)), dtype=torch.long, device=device)
        self.rows[:] = noise_row
        self.kinds = self._rand(held, 1, 1, 1) < 0.4
        for layer, scale in zip(self.layers, _SCALES, strict=True):
            layer += 0.02 * min(1, 8 / scale) * self._normal(*layer.shape)

    def _rand(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.gen, device=self.gen.device)

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.gen, device=self.gen.device)

    def take(self, batch: Batch) -> Guided:
        """Take some at random; a few of them start anew, guided to captions of the batch."""
        where = torch.randperm(len(self.steps), generator=self.gen, device=self.gen.device)
        where = where[: self.count]
        anew = self._rand(self.count, 1, 1, 1) < self.renewed
        anew |= self.steps[where] == 0
        real = torch.randint(
            len(batch.images), (self.count,), generator=self.gen, device=self.gen.device
        )
        # Some start from a picture of something else, where a figure is already.
        other = _split(batch.images[real].clamp(0.02, 0.98))
        copied = self._rand(self.count, 1, 1, 1) < 0.3
        for k, scale in enumerate(_SCALES):
            faint = 0.02 * min(1, 8 / scale) * self._normal(self.count, 3, scale, scale)
            start = torch.where(copied, other[k], faint)
            self.layers[k][where] = torch.where(anew, start, self.layers[k][where])
            self.first[k][where] = torch.where(anew, 0.0, self.first[k][where])
            self.second[k][where] = torch.where(anew, 0.0, self.second[k][where])
        self.steps[where] = torch.where(anew, 0.0, self.steps[where])
        length = min(batch.rows.shape[1], self.rows.shape[1])
        asked = torch.zeros_like(self.rows[where])
        asked[:, :length] = batch.rows[(real + 1) % len(batch.images), :length]
        self.rows[where] = torch.where(anew.view(-1, 1), asked, self.rows[where])
        return self._guided(where)

    def _guided(self, where: Tensor) -> Guided:
        layers = [layer[where].requires_grad_() for layer in self.layers]
        looks = windows(self._rand(len(where), 4), least=0.55, turn=0.25)
        return Guided(where, layers, self.kinds[where], looks)

    def noise(self, size: int) -> Tensor:
        """Return the noise that views carry, (F, 3, size, size)."""
        return 0.08 * self._rand(self.count, 1, 1, 1) * self._normal(self.count, 3, size, size)

    @torch.no_grad()
    def move(self, guided: Guided) -> Guided:
        """Step the pictures by Adam up the loss that is to tell them apart; look anew.

        Adam does not mind the gradient's length, so it may come from any multiple of the loss.
        """
        where = guided.places
        self.steps[where] += 1
        count = self.steps[where]
        for k, scale in enumerate(_SCALES):
            gradient = guided.layers[k].grad
            assert gradient is not None
            first = torch.lerp(gradient, self.first[k][where], _BETAS[0])
            second = torch.lerp(gradient.square(), self.second[k][where], _BETAS[1])
            self.first[k][where], self.second[k][where] = first, second
            mean = first / (1 - _BETAS[0] ** count)
            spread = (second / (1 - _BETAS[1] ** count)).sqrt() + 1e-12
            rate = self.rate * (max(scale, 8) / 8) ** -0.5
            kept = guided.layers[k].detach() * (1 - _DECAY)
            self.layers[k][where] = kept + rate * mean / spread
        return self._guided(where)

    def pictures(self, n: int) -> Tensor:
        """Return the first n pictures of the buffer whole, (n, 3, 64, 64), for the eye."""
        whole = torch.eye(2, 3, device=self.gen.device).expand(n, 2, 3)
        layers = [layer[:n] for layer in self.layers]
        return Guided(self.steps, layers, self.kinds[:n], whole).shown(
            64, torch.zeros((), device=self.gen.device)
        )


def windows(u: Tensor, *, least: float, turn: float) -> Tensor:
    """Return looks at pictures as affine maps, (N, 2, 3), from (N, 4) numbers in [0, 1).

    Args:
        u: what chooses size, turn and place of each.
        least: smallest side, of the picture's; the largest is a little more than all of it.
        turn: largest rotation, radians.
    """
    scale, angle = least + (1.05 - least) * u[:, 0], (2 * u[:, 1] - 1) * turn
    room = (1 - scale).clamp(min=0.03)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    across = torch.stack([cos, -sin, (2 * u[:, 2] - 1) * room], -1)
    down = torch.stack([sin, cos, (2 * u[:, 3] - 1) * room], -1)
    return torch.stack([across, down], dim=1)


def _grow(grid: Tensor, side: int) -> Tensor:
    return F.interpolate(grid, size=(side, side), mode="bilinear", align_corners=False)


def _split(pictures: Tensor) -> list[Tensor]:
    """Split (F, 3, S, S) pictures into layers that add up to them."""
    target = torch.logit(pictures) / GAIN
    layers: list[Tensor] = []
    total = torch.zeros_like(pictures[:, :, :1, :1])
    for scale in _SCALES:
        total = _grow(total, scale)
        wanted = F.interpolate(target, size=(scale, scale), mode="area")
        layers.append(wanted - total)
        total = wanted
    return layers
