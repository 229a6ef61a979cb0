"""How a picture is looked at: the random looks of a step, and what is looked at in its place."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor


class Border(enum.IntEnum):
    """What a look sees beyond the picture's border."""

    FILL = 0  # the fill color
    SMEAR = 1  # the nearest color of the picture
    MIRROR = 2  # the picture's mirror image
    FADE = 3  # the picture's coarsest colors, smeared: its ground goes on


Window = tuple[float, float, float, float]  # left, top, right, bottom, in shares of a picture
WHOLE: Window = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Looks:
    """The random choices by which a picture is looked at in one step, on the CPU.

    Attributes:
        matrices: `(N, 3, 3)`, homographies from output to picture coordinates, both in [-1, 1].
        border: `(N,)` of `Border`, what is seen beyond the picture's border.
        color: `(N, 3, 4)`, affine color changes.
        noise: `(N,)`, standard deviation of added noise.
        fill: `(3,)`, color of `Border.FILL` and behind transparency.
        stream: gives an independent random stream of these looks for a purpose and what it is for,
            as "noise" and "64", the size of the crops.
    """

    matrices: Tensor
    border: Tensor
    color: Tensor
    noise: Tensor
    fill: Tensor
    stream: Callable[[str, str], torch.Generator]

    def thinned(self, every: int) -> Looks:
        """Return one of every so many looks, from the first on."""
        if every == 1:
            return self
        return replace(
            self,
            matrices=self.matrices[::every],
            border=self.border[::every],
            color=self.color[::every],
            noise=self.noise[::every],
        )

    def within(self, window: Window) -> Looks:
        """Return the same looks at a picture of which they were chosen for a window."""
        if window == WHOLE:
            return self
        left, top, right, bottom = window
        placed = torch.tensor([
            [right - left, 0, left + right - 1], [0, bottom - top, top + bottom - 1], [0, 0, 1]
        ])  # fmt: skip
        return replace(self, matrices=placed @ self.matrices)


class Cutouts(Protocol):
    """Chooses looks and cuts them from the picture."""

    def choose(self, step: int, progress: float, width: int, height: int) -> Looks:
        """Choose the looks of a step; depends on nothing but the seed and these arguments."""
        ...

    def cut(self, image: Tensor, looks: Looks, size: int) -> Tensor:
        """Cut `(N, 3, size, size)` from `(1, 3 or 4, H, W)`, differentiably."""
        ...


@dataclass(frozen=True, eq=False)
class Sight:
    """What is looked at in place of the whole picture: a part of it, or another picture.

    Attributes:
        show: makes it of the picture `(1, 3 or 4, H, W)`; alpha is laid over the looks' fill color.
        cutouts: chooses and cuts its looks; None = those of the run, so that it is seen in the
            very ways in which the picture is.
        whole: whether it is a picture of its own, which look filters change as they do the run's.
        every: of this many looks that are chosen, only the first is taken: sights that lie beside
            each other need fewer looks each than a picture that is one.
        window: the part of what is shown that looks are chosen for; what is around it is seen where
            they reach beyond.
        still: whether it shows the same whatever is drawn.
    """

    show: Callable[[Tensor], Tensor]
    cutouts: Cutouts | None = None
    whole: bool = False
    every: int = 1
    window: Window = WHOLE
    still: bool = False
