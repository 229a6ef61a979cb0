"""Lattices: how cells of every shape cover a picture."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.test_drawers import SHAPES, canvas
from text2art.abilities import CellSource
from text2art.drawers import lattice
from text2art.drawers.lattice import (
    ROW_SPACING,
    STAGGERED,
    Lattice,
    Rectangles,
    Shape,
    grid_of,
    outlines,
)
from text2art.drawers.pixel import PixelDrawer
from text2art.errors import SettingsError
from text2art.media.convert import to_pil
from text2art.options.drawers import PixelOptions
from text2art.runtime import stream


def painted(shape: Shape, columns: int, rows: int, width: int, height: int, **how: Any) -> Tensor:
    """The share of every cell in every pixel, `(rows * columns, H, W)`, one cell at a time."""
    lattice = (
        Rectangles(columns, rows, width, height, hard=how.get("hard", False))
        if shape == "rect"
        else Lattice(shape, columns, rows, width, height, hard=how.get("hard", False))
    )
    shares = []
    for i in range(rows * columns):
        colors = torch.zeros(1, 3, rows, columns)
        colors[0, :, i // columns, i % columns] = 1
        shares.append(lattice.paint(colors)[0, 0])
    return torch.stack(shares)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_cells_cover_every_pixel_exactly_once(shape: Shape, hard: bool) -> None:
    shares = painted(shape, 6, 7, 41, 38, hard=hard)
    assert torch.allclose(shares.sum(dim=0), torch.ones(38, 41), atol=1e-5)
    assert bool((shares.flatten(1).sum(dim=1) > 0).all())  # no cell is hidden
    if hard:
        assert bool(((shares == 0) | (shares == 1)).all())


@pytest.mark.parametrize("shape", SHAPES)
def test_inner_cells_have_equal_areas(shape: Shape) -> None:
    shares = painted(shape, 6, 8, 96, 96).reshape(8, 6, 96, 96)
    areas = shares.sum(dim=(2, 3))
    wanted = 96 * 96 / 48
    assert torch.allclose(areas[2:-2, 1:-1], torch.full((4, 4), wanted), rtol=0.04)


def test_rectangles_have_exact_areas() -> None:
    """Three cells over ten pixels: the fourth pixel belongs a third to the first cell."""
    shares = painted("rect", 3, 1, 10, 2)
    thirds = torch.tensor([1, 1, 1, 1 / 3, 0, 0, 0, 0, 0, 0])
    assert torch.allclose(shares[0], thirds.expand(2, 10), atol=1e-6)
    assert torch.allclose(shares[2], thirds.flip(0).expand(2, 10), atol=1e-6)


def polygon_area(points: list[tuple[float, float]], width: int, height: int) -> Tensor:
    """Paint a polygon by even-odd crossing counts on a fine grid: the independent reference."""
    fine = 16
    y = ((torch.arange(height * fine) + 0.5) / fine)[:, None]
    x = ((torch.arange(width * fine) + 0.5) / fine)[None]
    inside = torch.zeros(height * fine, width * fine, dtype=torch.bool)
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        if y0 == y1:
            continue
        crosses = (y >= min(y0, y1)) & (y < max(y0, y1))
        inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside.float().reshape(height, fine, width, fine).mean(dim=(1, 3))


# Corners in cells around the center (columns, rows): pixray's polygons.
POLYGONS: dict[Shape, list[tuple[float, float]]] = {
    "rectshift": [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)],
    "hex": [(0, 2 / 3), (-0.5, 1 / 3), (-0.5, -1 / 3), (0, -2 / 3), (0.5, -1 / 3), (0.5, 1 / 3)],
    "diamond": [(0, -1), (-0.5, 0), (0, 1), (0.5, 0)],
    "tri": [(0, -0.5), (-1, 0.5), (1, 0.5)],
    # What the stitches of the next row leave to be seen of a stitch.
    "knit": [(-0.5, -0.95), (-0.4, -0.95), (0, -0.2), (0.4, -0.95), (0.5, -0.95),
             (0.5, 0.05), (0.4, 0.05), (0, 0.8), (-0.4, 0.05), (-0.5, 0.05)],
}  # fmt: skip


@pytest.mark.parametrize("shape", POLYGONS)
def test_cells_have_their_shape(shape: Shape) -> None:
    columns, rows, width, height = 5, 6, 61, 67
    shares = painted(shape, columns, rows, width, height)
    for row, column in ((2, 2), (3, 2)):
        shift = 0.25 + 0.5 * (row % 2) if shape in STAGGERED else 0.5
        flip = -1 if shape == "tri" and (row + column) % 2 else 1
        corners = [
            ((column + shift + x) * width / columns, (row + 0.5 + flip * y) * height / rows)
            for x, y in POLYGONS[shape]
        ]
        error = (shares[row * columns + column] - polygon_area(corners, width, height)).abs()
        assert error.max() < 0.06  # the reference counts 16 x 16 points per pixel
        assert error.sum() < 0.008 * width * height / columns / rows


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("width", "height"), [(288, 288), (384, 216), (256, 320)])
def test_default_cells_are_regular_and_about_48_along_the_short_side(
    shape: Shape, width: int, height: int
) -> None:
    columns, rows = grid_of(shape, 48, width, height)
    assert (height / rows) / (width / columns) == pytest.approx(ROW_SPACING[shape], rel=0.03)
    area = width * height / (columns * rows)
    assert area == pytest.approx((min(width, height) / 48) ** 2, rel=0.03)


def test_never_more_cells_than_pixels() -> None:
    assert grid_of("rect", 48, 20, 30) == (20, 30)
    drawer = PixelDrawer(canvas((16, 20)), PixelOptions())
    assert drawer.cells().size == (16, 20)
    with pytest.raises(
        SettingsError, match=r"pixel\.cells 33x10 is finer than the picture's 32x32"
    ):
        PixelDrawer(canvas((32, 32)), PixelOptions(cells=(33, 10)))


@pytest.mark.parametrize("shape", SHAPES)
def test_cells_are_the_picture_at_native_resolution(shape: Shape) -> None:
    drawer = PixelDrawer(canvas((60, 60)), PixelOptions(cell=shape, cells=(6, 6)))
    assert isinstance(drawer, CellSource)
    drawer.fit_(torch.rand(1, 3, 60, 60, generator=stream(0, "picture")))
    cells = drawer.cells()
    assert cells.size == (6, 6)
    assert cells.mode == "RGB"
    picture = to_pil(drawer())
    x = 25 if shape in ("rect", "tri", "knit") else 22  # within the third cell of an even row
    assert picture.getpixel((x, 25)) == cells.getpixel((2, 2))


@pytest.mark.parametrize("shape", SHAPES)
def test_outlines_are_what_is_painted(shape: Shape) -> None:
    """Outlines, drawn on a fine grid, give the shares of their cells, border gaps included."""
    columns, rows, width, height = 4, 5, 30, 28
    corners, index = outlines(shape, columns, rows, width, height)
    wanted = torch.zeros(rows * columns, height, width)
    for polygon, cell in zip(corners.tolist(), index.tolist(), strict=True):
        wanted[cell] += polygon_area([(x, y) for x, y in polygon], width, height)
    shares = painted(shape, columns, rows, width, height)
    assert (shares - wanted).abs().max() < 0.12
    assert (shares - wanted).abs().mean() < 0.001


def test_stitches_interlock() -> None:
    """The point of each stitch reaches into the notch of the one below it."""
    shares = painted("knit", 3, 4, 90, 120).reshape(4, 3, 120, 90)
    point, notch = shares[1, 1], shares[2, 1]
    assert point[60 + 6, 45] == 1  # in the rows of the next stitch
    assert notch[60 + 6, 45] == 0
    assert notch[60 + 6, 32] == notch[60 + 6, 58] == 1


def test_many_cells_are_measured_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = painted("hex", 6, 5, 40, 37)
    monkeypatch.setattr(lattice, "_AT_A_TIME", 1)
    assert torch.equal(painted("hex", 6, 5, 40, 37), whole)
