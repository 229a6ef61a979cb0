"""On-policy fakes: pictures on their way to a caption, which the model must tell from real ones.

Guidance travels much farther than an adversarial perturbation. So a buffer of pictures is guided by
the model being trained, much as a drawer would, and the model learns that they are noise still. The
gradient that teaches the model also moves the pictures: they cost no passes of their own.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from training.batches import Batch
from training.captions import CONTEXT
from training.styles import blur


@dataclass(frozen=True)
class Guided:
    """F pictures taken from the buffer.

    Attributes:
        places: (F,) where in the buffer they belong.
        pictures: (F, 3, 64, 64) in [0, 1].
        rows: (F, CONTEXT) the captions they are guided to.
    """

    places: Tensor
    pictures: Tensor
    rows: Tensor


class Fakes:
    """A buffer of guided pictures with the captions they are guided to.

    Args:
        count: how many join each batch.
        noise_row: rows of the token table of the caption "noise", (CONTEXT,).
        held: size of the buffer.
        stride: L2 length of a step.
        renewed: share of the pictures that start anew when they are drawn.
    """

    def __init__(
        self, count: int, noise_row: Tensor, gen: torch.Generator, *, held: int = 128,
        stride: float = 2.5, renewed: float = 0.12,
    ) -> None:  # fmt: skip
        self.count, self.stride, self.renewed, self.gen = count, stride, renewed, gen
        device = noise_row.device
        self.noise_row = noise_row
        self.pictures = torch.full((held, 3, 64, 64), 0.5, device=device)
        self.rows = torch.zeros((held, CONTEXT), dtype=torch.long, device=device)
        self.fresh = torch.ones(held, dtype=torch.bool, device=device)

    def take(self, batch: Batch) -> Guided:
        """Take some at random, new ones guided to captions of the batch."""
        device = self.pictures.device
        where = torch.randperm(len(self.pictures), generator=self.gen, device=device)[: self.count]
        anew = torch.rand(self.count, generator=self.gen, device=device) < self.renewed
        anew |= self.fresh[where]
        n = int(anew.sum())
        if n:
            places = where[anew]
            self.pictures[places] = self._start(n, batch)
            pick = torch.randperm(len(batch.images), generator=self.gen, device=device)[:n]
            self.rows[places] = batch.rows[pick]
            self.fresh[places] = False
        return Guided(where, self.pictures[where], self.rows[where])

    def _start(self, n: int, batch: Batch) -> Tensor:
        """Start as drawers do, from faint noise, or from a picture of something else."""
        device = self.pictures.device
        flat = torch.rand(n, 3, 1, 1, generator=self.gen, device=device) * 0.5 + 0.25
        waves = torch.randn(n, 3, 8, 8, generator=self.gen, device=device)
        waves = F.interpolate(waves, size=(64, 64), mode="bicubic")
        start = flat + 0.12 * waves
        pick = torch.randperm(len(batch.images), generator=self.gen, device=device)[:n]
        other = torch.rand(n, 1, 1, 1, generator=self.gen, device=device) < 0.3
        return torch.where(other, batch.images[pick], start).clamp(0, 1)

    def moved(self, guided: Guided, gradient: Tensor) -> Guided:
        """Step up the smoothed gradient of the loss: nearer to the caption, farther from noise."""
        smooth = gradient + 2.0 * blur(gradient, 1.5) + 4.0 * blur(gradient, 3.0, 8)
        length = smooth.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
        return replace(
            guided, pictures=(guided.pictures + self.stride * smooth / length).clamp(0, 1)
        )

    def keep(self, guided: Guided) -> None:
        """Put pictures back into the buffer."""
        self.pictures[guided.places] = guided.pictures
