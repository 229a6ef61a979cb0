"""A step as the ancestors take it, at the same shapes and with the same weights as ours.

VQGAN-CLIP (arXiv:2204.08583) and pixray: latents straight through the codebook, the decoder, their
looks, CLIP over all of them at once, the spherical distance, Adam, latents kept in the codebook's
range. Eager and in float32, but on CUDA with CLIP in float16, which OpenAI's `clip.load` gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import open_clip
import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.loop.configs import PROMPT, Config
from benchmarks.loop.looks import ByKornia, by_kornia
from benchmarks.loop.networks import F16, TINY_F16, clip_net, random_vqgan, tiny_changes
from benchmarks.loop.plain import PlainVqgan, plain_tower
from benchmarks.loop.split import Split
from text2art.models import parse_references

_RATE = 0.1


class _ClampedKeepingGradient(torch.autograd.Function):
    """Forward: clamped to [0, 1]. Backward: the gradient where it leads back inside."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        inside: Tensor = x.clamp(0, 1)
        return inside

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        pull = gradients[0]
        kept: Tensor = pull * (pull * (x - x.clamp(0, 1)) >= 0)
        return kept


def spherical(seen: Tensor, wanted: Tensor) -> Tensor:
    """Return VQGAN-CLIP's distance of embeddings (N, D) to (E, D), averaged."""
    a, b = F.normalize(seen[:, None], dim=2), F.normalize(wanted[None], dim=2)
    distance: Tensor = a.sub(b).norm(dim=2).div(2).arcsin().pow(2).mul(2).mean()
    return distance


@dataclass(frozen=True)
class Eye:
    """One CLIP: `tower` maps normalized (N, 3, size, size); `wanted` (1, D) is the prompt."""

    tower: nn.Module
    size: int
    wanted: Tensor

    def distance(self, crops: Tensor) -> Tensor:
        """Return how far crops (N, 3, size, size) in [0, 1] are from the prompt."""
        mean, std = (
            crops.new_tensor(numbers)[None, :, None, None]
            for numbers in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD)
        )
        dtype = next(self.tower.parameters()).dtype
        return spherical(self.tower(((crops - mean) / std).to(dtype)).float(), self.wanted)


class Ancestor:
    """Steps of an ancestor.

    Args:
        config: what is drawn; `recipe` says whose looks are taken.
        device: where.
        tiny: with tiny networks, for tests.
        split: is told which part is at work.

    Attributes:
        vqgan, eyes: the networks.
        latents: what is optimized, (1, D, h, w).
    """

    def __init__(
        self,
        config: Config,
        device: torch.device,
        *,
        tiny: bool = False,
        split: Split | None = None,
    ) -> None:
        settings = config.made(**(tiny_changes(config.settings) if tiny else {}))
        assert settings.size is not None
        assert settings.cuts is not None
        width, height = settings.size
        shape = TINY_F16 if tiny else F16
        net = random_vqgan(shape).to(device)
        self.vqgan = PlainVqgan(net.state_dict(), shape)
        self.eyes = [_eye(r, device, tiny=tiny) for r, _ in parse_references(settings.perceptor)]
        self._passes = config.passes
        count = max(1, settings.cuts // config.passes)
        self._looks: dict[int, ByKornia] = {
            size: by_kornia(config.recipe, count, size) for size in {e.size for e in self.eyes}
        }
        grid = (1, -(-height // shape.factor), -(-width // shape.factor))
        codes = torch.arange(grid[1] * grid[2], device=device).view(grid) % shape.n_embed
        start = F.embedding(codes, self.vqgan.codebook).permute(0, 3, 1, 2)
        self.latents = start.clone().requires_grad_()
        self._low, self._high = (
            bound[None, :, None, None] for bound in torch.aminmax(self.vqgan.codebook, dim=0)
        )
        self._adam = torch.optim.Adam([self.latents], lr=_RATE)
        self._split = Split() if split is None else split

    def picture(self) -> Tensor:
        """Return the picture of the latents, (1, 3, H, W) in [0, 1]."""
        decoded = self.vqgan.decode(self.vqgan.quantize(self.latents))
        picture: Tensor = _ClampedKeepingGradient.apply(decoded.add(1).div(2))
        return picture

    def step(self) -> None:
        """Follow the gradient once."""
        enter = self._split.enter
        self._adam.zero_grad(set_to_none=True)
        for _ in range(self._passes):
            enter("drawer")
            picture = self.picture()
            enter("cutouts")
            crops = {size: look(picture) for size, look in self._looks.items()}
            enter("perceptor")  # with the distance, which costs next to nothing
            total = self._sum([eye.distance(crops[eye.size]) for eye in self.eyes])
            enter("backward")
            total.backward()  # type: ignore[no-untyped-call]
            del picture, crops, total
        enter("optimizer")
        self._adam.step()
        with torch.no_grad():
            self.latents.copy_(self.latents.maximum(self._low).minimum(self._high))
        enter("")

    def clocked_(self, split: Split) -> None:
        """Tell another which part is at work."""
        self._split = split

    @staticmethod
    def _sum(terms: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(terms)).sum()


@torch.no_grad()
def _eye(reference: str, device: torch.device, *, tiny: bool) -> Eye:
    net = clip_net(reference, tiny=tiny)
    whole: nn.Module = net
    words = open_clip.SimpleTokenizer(context_length=77)([PROMPT])
    wanted = whole.encode_text(words)  # type: ignore[operator]
    tower = plain_tower(whole.visual).to(device)
    size = whole.visual.image_size  # type: ignore[union-attr]
    if device.type == "cuda":
        tower = tower.half()
    side = size if isinstance(size, int) else size[0]  # type: ignore[index]
    return Eye(tower, int(side), F.normalize(wanted.to(device), dim=-1))
