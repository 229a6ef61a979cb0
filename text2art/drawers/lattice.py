"""Lattices: how cells of several shapes cover a picture, exactly and without holes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Shape = Literal["rect", "rectshift", "hex", "tri", "diamond", "knit"]

# Distance between rows over distance between columns at which cells are regular.
ROW_SPACING: dict[Shape, float] = {
    "rect": 1.0,
    "rectshift": 1.0,
    "hex": 3**0.5 / 2,
    "tri": 3**0.5,
    "diamond": 0.5,
    "knit": 1.0,
}
STAGGERED: frozenset[Shape] = frozenset({"rectshift", "hex", "diamond"})

# The corners of a cell, around its center, in columns and rows; after each, where it moves when the
# cell is drawn a little under those that come after it, to the right and below.
Corner = tuple[float, float, float, float]
_SQUARE: tuple[Corner, ...] = (
    (-0.5, -0.5, 0, 0),
    (0.5, -0.5, 1, 0),
    (0.5, 0.5, 1, 1),
    (-0.5, 0.5, 0, 1),
)
_CORNERS: Mapping[str, tuple[Corner, ...]] = {
    "rect": _SQUARE,
    "rectshift": _SQUARE,
    "hex": (
        (0, -2 / 3, 0, 0),
        (0.5, -1 / 3, 1, 2 / 3),
        (0.5, 1 / 3, 1, 1),
        (0, 2 / 3, 0, 1),
        (-0.5, 1 / 3, 0, 1),
        (-0.5, -1 / 3, 0, 0),
    ),
    "diamond": ((0, -1, 0, 0), (0.5, 0, 0.5, 1), (0, 1, 0, 1), (-0.5, 0, -0.5, 1)),
    "tri": ((0, -0.5, 0, 0), (0, -0.5, 1, 0), (1, 0.5, 1, 1), (-1, 0.5, -1, 1)),
    "tri down": ((-1, -0.5, 0, 0), (1, -0.5, 1, 0), (0, 0.5, 1, 1), (0, 0.5, 1, 1)),
    # pixray's stitch; its lower edge is where the next row's stitches cover it.
    "knit": (
        (-0.5, -0.95, 0, 0),
        (-0.4, -0.95, 0, 0),
        (0, -0.2, 0, 0),
        (0.4, -0.95, 0, 0),
        (0.5, -0.95, 0, 0),
        (0.5, -0.95, 0.5, 1),
        (0.5, 0.05, 1, 1),
        (0.4, 0.05, 0.5, 1),
        (0, 0.8, 0, 1),
        (-0.4, 0.05, 0, 1),
        (-0.5, 0.05, 0, 1),
    ),
}
_AT_A_TIME = 4_000_000  # numbers in one piece of the work
_TINY = 1e-6  # a share of a pixel that is none


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


def outlines(
    shape: Shape, columns: int, rows: int, width: int, height: int, *, under: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Return the polygons of all cells, row by row, and which cell's color each has.

    Where staggered rows leave gaps at the borders, the lattice goes on with further cells, in the
    color of the border cell that they are next to.

    Args:
        shape: of the cells.
        columns: of cells.
        rows: of cells.
        width: of the picture.
        height: of the picture.
        under: how many pixels cells reach under those that come after them, so that no gap shows
            between antialiased edges.

    Returns:
        `(n, k, 2)` corners in pixels, and `(n,)` indices `row * columns + column`.
    """
    row = torch.arange(-1, rows + 1)[:, None].expand(-1, columns + 2).flatten()
    column = torch.arange(-1, columns + 1).repeat(rows + 2)
    shift = 0.25 + 0.5 * (row % 2) if shape in STAGGERED else torch.full(row.shape, 0.5)
    center = torch.stack([column + shift, row + 0.5], dim=-1).double()
    plain = torch.tensor(_CORNERS[shape], dtype=torch.float64)
    turned = torch.tensor(_CORNERS["tri down"], dtype=torch.float64) if shape == "tri" else plain
    down = (row + column) % 2 == 1
    corner = torch.where(down[:, None, None], turned, plain)
    size = torch.tensor([width / columns, height / rows], dtype=torch.float64)
    reach = min(under / float(size.min()), 0.25)
    corners = (center[:, None] + corner[..., :2] + reach * corner[..., 2:]) * size
    low, high = corners.amin(dim=1), corners.amax(dim=1)
    seen = ((high > 0) & (low < torch.tensor([width, height]))).all(dim=-1)
    index = row.clamp(0, rows - 1) * columns + column.clamp(0, columns - 1)
    return corners[seen], index[seen]


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
    """Cells of any shape, painted by the exact share that each has of each pixel."""

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
        corners, index = outlines(shape, columns, rows, width, height)
        pixel, cell, share = _shares(corners, index, width, height)
        if hard:  # the largest share of each pixel comes last among its own
            order = share.sort(stable=True).indices
            order = order[pixel[order].sort(stable=True).indices]
            pixel, cell = pixel[order], cell[order]
            last = torch.cat([pixel[1:] != pixel[:-1], torch.ones(1, dtype=torch.bool)])
            pixel, cell = pixel[last], cell[last]
            share = torch.ones(len(cell))
        runs = torch.bincount(pixel, minlength=height * width)
        self.register_buffer("_cell", cell, persistent=False)
        self.register_buffer("_share", share.float(), persistent=False)
        self.register_buffer("_start", runs.cumsum(0) - runs, persistent=False)

    def paint(self, colors: Tensor) -> Tensor:
        """Return the picture `(1, 3, H, W)` of cells colored `(1, 3, rows, columns)`."""
        table = colors[0].flatten(1).T.contiguous()
        pixels = F.embedding_bag(
            self._cell, table, self._start, mode="sum", per_sample_weights=self._share
        )
        # Shares add up to 1 but for rounding.
        return pixels.clamp(0, 1).T.reshape(1, -1, *self._size)

    def average(self, picture: Tensor) -> Tensor:
        """Return each cell's mean color, `(1, 3, rows, columns)`; gray where it has no pixel."""
        count = self._grid[0] * self._grid[1]
        runs = torch.diff(self._start, append=self._start.new_tensor([len(self._cell)]))
        pixel = torch.repeat_interleave(runs)
        colors = picture[0].flatten(1)[:, pixel] * self._share
        sums = picture.new_zeros(len(colors), count).index_add_(1, self._cell, colors)
        areas = picture.new_zeros(count).index_add_(0, self._cell, self._share)
        mean = torch.where(areas > 0, sums / areas.clamp(min=1e-9), 0.5)
        return mean.reshape(1, -1, *self._grid)


def _shares(
    corners: Tensor, index: Tensor, width: int, height: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return how much of which pixel has which cell, in the order of pixels.

    Args:
        corners: `(n, k, 2)` of the polygons in pixels.
        index: `(n,)`, whose color each has.
        width: of the picture.
        height: of the picture.

    Returns:
        pixels `y * width + x`, cells and shares, each `(m,)`.
    """
    first = corners.amin(dim=1).floor().long()
    across, down = (int(v) + 1 for v in (corners.amax(dim=1).ceil().long() - first).amax(dim=0))
    count = int(index.max()) + 1
    parts = []
    step = max(1, _AT_A_TIME // (corners.shape[1] * across * down))
    for at in range(0, len(corners), step):
        some = slice(at, at + step)
        x = first[some, 0, None] + torch.arange(across)
        y = first[some, 1, None] + torch.arange(down)
        area = _areas(corners[some], x, y)
        inside = (x >= 0) & (x < width)
        inside = inside[:, None] & ((y >= 0) & (y < height))[:, :, None] & (area > _TINY)
        pixel = y[:, :, None] * width + x[:, None]
        key = pixel * count + index[some, None, None]
        parts.append((key[inside], area[inside]))
    found = torch.cat([key for key, _ in parts])
    keys, place = found.unique(return_inverse=True)  # type: ignore[no-untyped-call]
    share = torch.zeros(len(keys), dtype=torch.float64)
    share.index_add_(0, place, torch.cat([area for _, area in parts]))
    pixel = keys // count
    whole = torch.zeros(width * height, dtype=torch.float64).index_add_(0, pixel, share)
    return pixel, keys % count, share / whole[pixel]


def _areas(corners: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return the area of polygons within pixels, exactly.

    A polygon's area within a pixel is the sum over its edges, with their sign, of the area between
    the edge and the pixel's right side.

    Args:
        corners: `(n, k, 2)`.
        x: `(n, w)`, left sides of the pixels.
        y: `(n, h)`, upper sides.

    Returns:
        `(n, h, w)`.
    """
    x0, y0 = (c[:, None, :] for c in corners.unbind(dim=-1))  # (n, 1, k)
    x1, y1 = (c.roll(-1, dims=-1) for c in (x0, y0))
    top = y[:, :, None].double()
    enter, leave = (torch.maximum(torch.minimum(end, top + 1), top) for end in (y0, y1))
    slope = (x1 - x0) / torch.where(y1 == y0, 1.0, y1 - y0)
    right = (x + 1)[:, None, :, None].double()
    a = right - (x0 + (enter - y0) * slope)[:, :, None]  # (n, h, w, k)
    b = right - (x0 + (leave - y0) * slope)[:, :, None]
    level = (b - a).abs() < 1e-9
    mean = (_ramp(b) - _ramp(a)) / torch.where(level, 1.0, b - a)
    mean = torch.where(level, a.clamp(0, 1), mean)
    return ((leave - enter)[:, :, None] * mean).sum(dim=-1).abs()


def _ramp(u: Tensor) -> Tensor:
    """Return the integral of clamp(u, 0, 1)."""
    return u.clamp(0, 1).square() / 2 + (u - 1).clamp(min=0)


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
