"""Layers of color grids from coarse to fine, added up: what several drawers are made of."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from text2art.color import opacity, opacity_logits
from text2art.core import ParamGroup
from text2art.drawers.enlarging import Enlarged

GAIN = 4.0  # logits per unit of a layer: brings Adam's usual rates to colors
# Standard deviations of a start. Coarse layers begin with faint blobs of color: from nearly even
# gray all starts went the same way, "a yellow square on a purple background" never yellow. Fine
# ones begin nearly even: what the gradient does not touch would stay speckled.
_COARSE, _BLOBS, _FINE = 8, 0.06, 0.02
# Alpha begins more even than colors do, and a little below a half: a start that happened to be
# denser than the others was chosen for it, and went on to be opaque everywhere. Much lower ones
# leave nothing in short runs.
_EVEN, _CLEAR = 1 / 3, -0.1


class Layers(nn.Module):
    """A sum of color grids, each about twice as fine as the last.

    "Direct Ascent Synthesis" (arXiv:2502.07753) with layers at powers of two and Adam in place of
    plain gradient descent. Descent moves coarse layers first by itself, since they gather the
    gradient of many pixels; Adam undoes that, so finer layers get smaller rates here.
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        draw: torch.Generator,
        *,
        staggered: bool = False,
        channels: int = 3,
    ) -> None:
        """Make the layers up to a finest one of rows x columns.

        Args:
            rows: of the finest layer.
            columns: of the finest layer.
            draw: random stream of the start.
            staggered: the finest layer's odd rows lie half a cell further right than its even ones.
            channels: 3, or 4 with alpha.
        """
        super().__init__()
        short = min(rows, columns)
        self._scales = [2**i for i in range(math.ceil(math.log2(short)))] + [short]
        shapes = [
            (max(1, round(n * rows / short)), max(1, round(n * columns / short)))
            for n in self._scales
        ]
        self.grids = nn.ParameterList(
            nn.Parameter(_spread(n) * torch.randn(1, channels, h, w, generator=draw))
            for n, (h, w) in zip(self._scales, shapes, strict=True)
        )
        onto = shapes[1:]
        if staggered and onto:  # of twice as many columns: see `_onto`
            onto[-1] = (onto[-1][0], 2 * onto[-1][1])
        self._enlarge = nn.ModuleList(
            Enlarged(*coarse, *fine) for coarse, fine in zip(shapes, onto, strict=False)
        )
        with torch.no_grad():
            for grid in self.grids:
                grid[:, 3:] *= _EVEN
            self.grids[0][:, 3:] += _CLEAR

    def total(self) -> Tensor:
        """Return the sum of all layers at the finest grid, `(1, C, rows, columns)`, unbounded."""
        # Each partial sum is enlarged to the next grid, so that little is done at full size.
        total: Tensor = self.grids[0]
        for number in range(1, len(self.grids)):
            total = self._onto(total, number) + self.grids[number]
        return total

    def groups(self, rate: float, decay: float) -> list[ParamGroup]:
        """Return a group per layer, whose rate falls as (cells / 8)^-decay beyond 8 cells."""
        return [
            ParamGroup(name=f"layer {n}", params=[grid], lr=rate * (max(n, 8) / 8) ** -decay)
            for n, grid in zip(self._scales, self.grids, strict=True)
        ]

    @torch.no_grad()
    def fit_(self, target: Tensor) -> None:
        """Make the sum equal `(1, C, rows, columns)`; each layer takes what coarser ones lack."""
        total = torch.zeros_like(self.grids[0])
        for number, grid in enumerate(self.grids):
            total = self._onto(total, number) if number else total
            grid.copy_(F.interpolate(target, size=grid.shape[-2:], mode="area") - total)
            total = total + grid

    def _onto(self, total: Tensor, number: int) -> Tensor:
        """Enlarge a partial sum to the cells of the next grid, by its number."""
        enlarged: Tensor = self._enlarge[number - 1](total)
        rows, columns = self.grids[number].shape[-2:]
        if enlarged.shape[-1] == columns:
            return enlarged
        # Staggered even rows take the left ones, odd rows the right ones.
        halves = enlarged.reshape(1, -1, rows, columns, 2)
        parity = torch.arange(rows, device=total.device) % 2
        return torch.where(parity[:, None] == 0, halves[..., 0], halves[..., 1])


def _spread(cells: int) -> float:
    """Return the standard deviation of a layer's start, by its cells along the short side."""
    return _BLOBS if cells <= _COARSE else _FINE * _COARSE / cells


def squash(total: Tensor) -> Tensor:
    """Take sums of layers to colors, and alpha if there is one, in [0, 1]."""
    colors = torch.sigmoid(GAIN * total[:, :3])
    if total.shape[1] == 3:
        return colors
    return torch.cat([colors, opacity(GAIN * total[:, 3:])], dim=1)


def unsquash(picture: Tensor) -> Tensor:
    """Take colors in [0, 1] to sums of layers; black and white are moved inside a little."""
    sums = torch.logit(picture[:, :3].clamp(0.01, 0.99))
    if picture.shape[1] == 4:
        sums = torch.cat([sums, opacity_logits(picture[:, 3:])], dim=1)
    return sums / GAIN
