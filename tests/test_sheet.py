"""Contact sheets."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from text2art.media.convert import to_pil
from text2art.media.sheet import Tile, contact_sheet, save_sheet
from text2art.runtime import stream


def tiles(*sizes: tuple[int, int]) -> list[Tile]:
    return [
        Tile(Image.new("RGB", size, "red"), f"picture number {i}\nsecond line")
        for i, size in enumerate(sizes)
    ]


def test_pictures_lie_in_a_grid_and_keep_their_aspect() -> None:
    sheet = contact_sheet(tiles((20, 20), (40, 20), (20, 40)), 2, side=64)
    assert sheet.width == 2 * 72 + 8
    red = [
        (x, y)
        for x in range(sheet.width)
        for y in range(sheet.height)
        if sheet.getpixel((x, y)) == (255, 0, 0)
    ]
    first = [(x, y) for x, y in red if x < 76 and y < 80]
    second = [(x, y) for x, y in red if x >= 76 and y < 80]
    third = [(x, y) for x, y in red if y >= 80]
    assert len(first) == 64 * 64
    assert len(second) == 64 * 32
    assert len(third) == 32 * 64


def test_captions_are_drawn_beneath_and_wrapped() -> None:
    plain = contact_sheet([Tile(Image.new("RGB", (8, 8)))], 1, side=64)
    long = contact_sheet([Tile(Image.new("RGB", (8, 8)), "many words " * 6)], 1, side=64)
    assert long.height > plain.height
    assert long.width == plain.width
    below = long.crop((0, 72, long.width, long.height))
    assert len(below.getcolors() or []) > 1


def test_small_pictures_keep_hard_edges() -> None:
    two = Image.new("RGB", (2, 1), "white")
    two.putpixel((0, 0), (0, 0, 0))
    sheet = contact_sheet([Tile(two)], 1, side=64)
    colors = {sheet.getpixel((x, 8 + 16 + 16)) for x in range(8, 72)}
    assert colors == {(0, 0, 0), (255, 255, 255)}


@pytest.mark.parametrize(("count", "columns"), [(0, 3), (2, 0)])
def test_a_sheet_needs_tiles_and_columns(count: int, columns: int) -> None:
    with pytest.raises(ValueError, match="a sheet needs"):
        contact_sheet(tiles(*[(8, 8)] * count), columns)


def test_large_sheets_are_saved_in_fewer_colors(tmp_path: Path) -> None:
    noise = to_pil(torch.rand(3, 200, 200, generator=stream(0, "noise")))
    sheet = contact_sheet([Tile(noise)], 1, side=200)
    small, large = tmp_path / "a" / "small.png", tmp_path / "large.png"
    assert save_sheet(sheet, large) == large.stat().st_size
    assert save_sheet(sheet, small, largest=35_000) == small.stat().st_size < 36_000
    with Image.open(large) as full, Image.open(small) as few:
        assert full.mode == "RGB"
        assert few.mode == "P"
    assert [p.name for p in small.parent.iterdir()] == ["small.png"]
