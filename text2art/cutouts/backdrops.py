"""Backdrops: what stands behind a transparent picture while it is looked at, another in each step.

A picture that is to be recognized before any background must bring its subject along opaque, and
gains nothing from a background of its own: so what is no subject can become transparent.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional as F

from text2art.color import over
from text2art.looks import Cutouts, Looks
from text2art.runtime import move, stream

_SMOOTH = (1, 2, 4, 8)  # colors along each side that a backdrop runs through: 1 is a plain one


@dataclass(frozen=True)
class _Before(Looks):
    """Looks before a backdrop, `(1, 3, h, w)`, to be enlarged to the picture's size."""

    backdrop: Tensor


class Backdrops:
    """Cutouts of a transparent picture laid over random colors, of every step its own."""

    def __init__(self, cutouts: Cutouts, seed: int | str) -> None:
        self._cutouts, self._seed = cutouts, seed

    def choose(self, step: int, progress: float, width: int, height: int) -> Looks:
        """See `looks.Cutouts.choose`."""
        looks = self._cutouts.choose(step, progress, width, height)
        draw = stream(self._seed, f"backdrop/{step}")
        side = _SMOOTH[int(torch.randint(len(_SMOOTH), (), generator=draw))]
        colors = torch.rand(1, 3, side, side, generator=draw)
        chosen = {field.name: getattr(looks, field.name) for field in fields(Looks)}
        return _Before(**chosen, backdrop=colors)

    def cut(self, image: Tensor, looks: Looks, size: int) -> Tensor:
        """See `looks.Cutouts.cut`."""
        if image.shape[1] == 4 and isinstance(looks, _Before):
            behind = F.interpolate(
                move(looks.backdrop, image), size=image.shape[-2:], mode="bilinear"
            )
            image = over(image, behind)
        return self._cutouts.cut(image, looks, size)
