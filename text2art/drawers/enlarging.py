"""Enlarging of color grids: cubic convolution, as two small matrices."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_SHARPNESS = -0.5  # Keys's a, the one with which ramps stay ramps (torch's bicubic has -0.75)


class Enlarged(nn.Module):
    """A larger grid that goes smoothly through the cells of a smaller one.

    "Cubic Convolution Interpolation for Digital Image Processing" (Keys 1981, section IV). Bilinear
    interpolation is bent along the rows and columns of a coarse grid, so that things became blocks.
    As products of matrices it is about as quick as torch's bilinear one on a CPU, and its gradient
    has one order of summation on any device.
    """

    def __init__(self, rows: int, columns: int, height: int, width: int) -> None:
        """Prepare the matrices.

        Args:
            rows: of the smaller grid.
            columns: of the smaller grid.
            height: of the larger one.
            width: of the larger one.
        """
        super().__init__()
        self._same = (rows, columns) == (height, width)
        self._down: Tensor
        self._across: Tensor
        self.register_buffer("_down", _weights(rows, height), persistent=False)
        self.register_buffer("_across", _weights(columns, width).T.contiguous(), persistent=False)

    def forward(self, grid: Tensor) -> Tensor:
        """Enlarge `(1, C, rows, columns)` to `(1, C, height, width)`."""
        return grid if self._same else self._down @ grid @ self._across


def _weights(cells: int, pixels: int) -> Tensor:
    """Return how much of each cell each pixel has, `(pixels, cells)`; rows add up to 1.

    Beyond the last cell, the grid goes on with it.
    """
    at = (torch.arange(pixels, dtype=torch.float64) + 0.5) * cells / pixels - 0.5
    taps = at.floor().long()[:, None] + torch.arange(-1, 3)
    weights = torch.zeros(pixels, cells, dtype=torch.float64)
    weights.scatter_add_(1, taps.clamp(0, cells - 1), _kernel(at[:, None] - taps))
    return weights.float()


def _kernel(distance: Tensor) -> Tensor:
    """Return the weight of a cell so many cells away."""
    t, a = distance.abs(), _SHARPNESS
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * (t**3 - 5 * t**2 + 8 * t - 4)
    return torch.where(t <= 1, near, far) * (t < 2)
