"""Lattices: how cells of several shapes cover a picture, exactly and without holes."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Shape = Literal["rect", "rectshift", "hex", "tri", "diamond"]

# Distance between rows over distance between columns at which cells are regular.
ROW_SPACING: dict[Shape, float] = {
    "rect": 1.0,
    "rectshift": 1.0,
    "hex": 3**0.5 / 2,
    "tri": 3**0.5,
    "diamond": 0.5,
}
STAGGERED: frozenset[Shape] = frozenset({"rectshift", "hex", "diamond"})
_SAMPLES = 4  # per pixel and axis


def grid_of(shape: Shape, cells: int, width: int, height: int) -> tuple[int, int]:
    """Return the (columns, rows) of about square, regular cells, at most one per pixel.

    Args:
        shape: of the cells.
        cells: how many squares of the cells' area fit along the short side.
        width: of the picture.
        height: of the picture.
    """
    side = min(width, height) / cells
    stretch = ROW_SPACING[shape] ** 0.5
    columns, rows = round(width / (side / stretch)), round(height / (side * stretch))
    return min(max(columns, 2), width), min(max(rows, 2), height)


class Rectangles(nn.Module):
    """Rectangular cells, painted with exact area coverage by two small matrices."""

    def __init__(self, columns: int, rows: int, width: int, height: int, *, hard: bool) -> None:
        """Prepare the matrices.

        Args:
            columns: of cells.
            rows: of cells.
            width: of the picture.
            height: of the picture.
            hard: give each pixel to one cell alone, so that no new colors arise at the edges.
        """
        super().__init__()
        overlap = _nearest if hard else _overlap
        self._down: Tensor
        self._across: Tensor
        self.register_buffer("_down", overlap(height, rows), persistent=False)
        self.register_buffer("_across", overlap(width, columns), persistent=False)

    def paint(self, colors: Tensor) -> Tensor:
        """Return the picture `(1, 3, H, W)` of cells colored `(1, 3, rows, columns)`."""
        return self._down @ colors @ self._across.T

    def average(self, picture: Tensor) -> Tensor:
        """Return each cell's mean color, `(1, 3, rows, columns)`."""
        down = self._down / self._down.sum(dim=0)
        across = self._across / self._across.sum(dim=0)
        return down.T @ picture @ across


class Lattice(nn.Module):
    """Cells of any shape, painted by the share that each has of each pixel.

    Shares are counted once, on 4x4 points per pixel. Points beyond all cells, at the borders of
    staggered rows, belong to the cell they are nearest to, so there are no holes.
    """

    def __init__(
        self, shape: Shape, columns: int, rows: int, width: int, height: int, *, hard: bool
    ) -> None:
        """Prepare the shares; arguments as in `Rectangles`."""
        super().__init__()
        self._grid = (rows, columns)
        self._size = (height, width)
        self._cell: Tensor
        self._share: Tensor
        self._start: Tensor
        samples = 1 if hard else _SAMPLES
        owner = _owners(shape, columns, rows, width * samples, height * samples)
        blocks = owner.reshape(height, samples, width, samples).transpose(1, 2)
        blocks = blocks.reshape(height * width, samples**2).sort(dim=-1).values
        # Runs of equal cells within a pixel: where they start, and how long they are.
        first = torch.ones_like(blocks, dtype=torch.bool)
        first[:, 1:] = blocks[:, 1:] != blocks[:, :-1]
        at = first.flatten().nonzero()[:, 0]
        length = torch.diff(at, append=torch.tensor([blocks.numel()]))
        runs = first.sum(dim=-1)
        self.register_buffer("_cell", blocks.flatten()[at], persistent=False)
        self.register_buffer("_share", length / samples**2, persistent=False)
        self.register_buffer("_start", runs.cumsum(0) - runs, persistent=False)

    def paint(self, colors: Tensor) -> Tensor:
        """Return the picture `(1, 3, H, W)` of cells colored `(1, 3, rows, columns)`."""
        table = colors[0].flatten(1).T.contiguous()
        pixels = F.embedding_bag(
            self._cell, table, self._start, mode="sum", per_sample_weights=self._share
        )
        return pixels.T.reshape(1, 3, *self._size)

    def average(self, picture: Tensor) -> Tensor:
        """Return each cell's mean color, `(1, 3, rows, columns)`; gray where it has no pixel."""
        count = self._grid[0] * self._grid[1]
        runs = torch.diff(self._start, append=self._start.new_tensor([len(self._cell)]))
        pixel = torch.repeat_interleave(runs)
        colors = picture[0].flatten(1)[:, pixel] * self._share
        sums = picture.new_zeros(3, count).index_add_(1, self._cell, colors)
        areas = picture.new_zeros(count).index_add_(0, self._cell, self._share)
        mean = torch.where(areas > 0, sums / areas.clamp(min=1e-9), 0.5)
        return mean.reshape(1, 3, *self._grid)


def _overlap(pixels: int, cells: int) -> Tensor:
    """Return the share of each pixel that each of equal intervals has, `(pixels, cells)`."""
    pixel = torch.arange(pixels, dtype=torch.float64)[:, None]
    edge = torch.arange(cells + 1, dtype=torch.float64) * pixels / cells
    covered = torch.minimum(pixel + 1, edge[1:]) - torch.maximum(pixel, edge[:-1])
    return covered.clamp(min=0).float()


def _nearest(pixels: int, cells: int) -> Tensor:
    """Return which of `cells` equal intervals holds each pixel's center, as `(pixels, cells)`."""
    owner = ((torch.arange(pixels) + 0.5) * cells / pixels).long()
    return F.one_hot(owner, cells).float()


def _owners(shape: Shape, columns: int, rows: int, width: int, height: int) -> Tensor:
    """Return the index of the cell that owns each of a grid of points, `(height, width)`.

    Coordinates are in cells: a cell of row r is centered at r + 0.5, and at c + 0.5 from the left,
    in staggered lattices at c + 0.25 in even rows and c + 0.75 in odd ones.
    """
    y = ((torch.arange(height) + 0.5) * rows / height)[:, None]
    x = ((torch.arange(width) + 0.5) * columns / width)[None]
    best = torch.full((height, width), torch.inf)
    owner = torch.zeros(height, width, dtype=torch.long)
    reach = (-1, 0, 1) if shape in ("hex", "diamond") else (0,)
    for above in reach:
        row = (y.floor() + above).long().clamp(0, rows - 1)
        shift = 0.25 + 0.5 * (row % 2) if shape in STAGGERED else 0.5
        for beside in (-1, 0, 1):
            column = ((x - shift).round() + beside).long().clamp(0, columns - 1)
            outside = _outside(shape, x - column - shift, y - row - 0.5, (row + column) % 2 == 0)
            nearer = outside < best
            best = torch.where(nearer, outside, best)
            owner = torch.where(nearer, row * columns + column, owner)
    return owner


def _outside(shape: Shape, dx: Tensor, dy: Tensor, up: Tensor) -> Tensor:
    """Return how far points lie from cells, so that the least one owns the point.

    Args:
        shape: of the cells.
        dx: from the cells' centers, in cells.
        dy: likewise.
        up: triangles only: whether the cell points up.
    """
    if shape == "hex":
        return dx.square() + (ROW_SPACING["hex"] * dy).square()  # cells of nearest centers
    if shape == "diamond":
        return 2 * dx.abs() + dy.abs()
    if shape == "tri":
        return dx.abs() - torch.where(up, 0.5 + dy, 0.5 - dy)
    return dx.abs()
