"""Wallpaper: a picture that one of the 17 groups leaves as it is."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from text2art.core import Canvas
from text2art.errors import SettingsError
from text2art.filters.groups import HEXAGONAL, SQUARE, aspect, motions
from text2art.filters.seam import SeamLoss
from text2art.options.filters import Group, WallpaperOptions
from text2art.runtime import move
from text2art.tiling import window

_FEWEST = 4  # pixels: side of a cell
_MANY = 8  # cells along a side, when nobody says how many
_COST = 0.03  # of a cell more, in units of stretching by a factor of e
_EXACT = 1e-4  # pixels: nearer to a center than this is at it


class WallpaperFilter:
    """Projects the picture on those that a group leaves as they are, and looks as a tiler does.

    Groups with right angles and halves take centers of pixels to centers of pixels: what comes out
    is symmetric to the bit. The five with angles of 60 and 120 degrees cannot on square pixels:
    theirs are interpolated between the four nearest. Where the picture's size is no whole number of
    cells, or cells of the wanted angles do not fit it, cells are stretched to fit, and the picture
    is resampled on the way in and out.
    """

    name = "wallpaper"

    def __init__(self, weight: float, options: WallpaperOptions | None, canvas: Canvas) -> None:
        """Find out which pixels show the same.

        Args:
            weight: how far the picture goes to its symmetric one.
            options: group, cells and method.
            canvas: of the picture.

        Raises:
            SettingsError: the cells are too small.
        """
        o = options or WallpaperOptions()
        self.weight = weight
        self._stream = canvas.stream
        self._mean = o.method == "mean"
        self._seam = o.seam
        self._columns, self._rows = o.cells or cells_for(o.group, canvas.width, canvas.height)
        across, down = canvas.width / self._columns, canvas.height / self._rows
        if min(across, down) < _FEWEST:
            raise SettingsError(
                f"wallpaper.cells {self._columns}x{self._rows}: each would be "
                f"{across:g}x{down:g} pixels, give fewer cells or a larger picture"
            )
        self._cell = cell_size(o.group, across, down)
        positions = orbit(o.group, *self._cell)
        if not self._mean:
            positions = representatives(positions)
        self._positions = positions.to(canvas.device)
        self._exact = bool(((positions - positions.round()).abs() < _EXACT).all())

    def __call__(self, image: Tensor) -> Tensor:
        """See `core.Filter`: alpha is treated as the colors are."""
        height, width = image.shape[-2:]
        w, h = self._cell
        whole = _resized(image, self._rows * h, self._columns * w)
        cells = whole.reshape(1, -1, self._rows, h, self._columns, w)
        cell = cells.mean(dim=(2, 4)) if self._mean else cells[:, :, 0, :, 0]
        cell = self._symmetric(cell).repeat(1, 1, self._rows, self._columns)
        symmetric = _resized(cell, height, width)
        return symmetric if self.weight == 1 else image.lerp(symmetric, self.weight)

    def look(self, image: Tensor, step: int) -> Tensor:
        """See `core.LookFilter.look`."""
        return window(image, "grid", self._stream(f"wallpaper/{step}"))

    def losses(self) -> list[SeamLoss]:
        """See `core.LossSource`."""
        return [SeamLoss(self._seam, "grid")] if self._seam else []

    def _symmetric(self, cell: Tensor) -> Tensor:
        """Return the mean of what a cell shows at each of the positions, `(1, C, h, w)`."""
        w, h = self._cell
        if self._exact:
            at = self._positions.round().long()
            index = (at[..., 1] % h) * w + at[..., 0] % w  # (G, h, w)
            parts = cell.flatten(2)[:, :, index.flatten()]
            return parts.reshape(1, -1, *index.shape).mean(dim=2)
        around = F.pad(cell, (1, 1, 1, 1), mode="circular")
        size = move(torch.tensor([w + 2, h + 2], dtype=cell.dtype), cell)
        total = torch.zeros_like(cell)
        for positions in self._positions:  # one by one: together they would be many pictures
            grid = (2 * (positions.to(cell.dtype) + 1.5) / size - 1)[None]
            total = total + F.grid_sample(around, grid, align_corners=False)
        return total / len(self._positions)


def cells_for(group: Group, width: int, height: int) -> tuple[int, int]:
    """Return how many cells, columns and rows, stretch the group's angles little, and are few."""
    wanted = aspect(group)
    if wanted is None:
        return 1, 1

    def cost(cells: tuple[int, int]) -> float:
        columns, rows = cells
        stretch = abs(math.log((width / columns) / (height / rows) / wanted))
        return stretch + _COST * columns * rows

    sides = range(1, _MANY + 1)
    return min(((columns, rows) for columns in sides for rows in sides), key=cost)


def cell_size(group: Group, across: float, down: float) -> tuple[int, int]:
    """Return width and height in pixels at which a cell's symmetry is exact where it can be.

    Halves of a cell want even sides, quarter turns a square.
    """
    if group in HEXAGONAL:
        return round(across), round(down)
    width, height = (max(_FEWEST, 2 * round(side / 2)) for side in (across, down))
    if group in SQUARE:
        width = height = max(width, height)
    return width, height


def orbit(group: Group, width: int, height: int) -> Tensor:
    """Return where each motion of a group takes each pixel of a cell.

    Returns:
        `(G, height, width, 2)` in double precision: x and y in pixels, whole numbers at centers,
        from -0.5 to the side less 0.5.
    """
    x = (torch.arange(width, dtype=torch.float64) + 0.5) / width
    y = ((torch.arange(height, dtype=torch.float64) + 0.5) / height)[:, None]
    side = torch.tensor([width, height], dtype=torch.float64)
    places = []
    for motion in motions(group):
        (a, b), (c, d) = motion.matrix
        to_x, to_y = a * x + b * y + motion.shift[0], c * x + d * y + motion.shift[1]
        place = torch.stack([to_x.expand(height, width), to_y.expand(height, width)], dim=-1)
        # Rounded, so that what is the same place is the same number on either side of a cell.
        places.append((place * 1e9).round().remainder(1e9) / 1e9 * side - 0.5)
    return torch.stack(places)


def representatives(positions: Tensor) -> Tensor:
    """Return for each pixel the uppermost, then leftmost of its positions, `(1, h, w, 2)`."""
    rounded = (positions * 1e4).round()
    key = rounded[..., 1] * 1e9 + rounded[..., 0]
    first = key.argmin(dim=0)[None, ..., None].expand(1, *positions.shape[1:])
    return positions.gather(0, first)


def _resized(image: Tensor, height: int, width: int) -> Tensor:
    if image.shape[-2:] == (height, width):
        return image
    return F.interpolate(image, size=(height, width), mode="bilinear", align_corners=False)
