"""Contact sheets: many pictures with captions, as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from text2art.media.png import on_white

INK, PAPER, GAP = (40, 40, 40), (250, 250, 248), 8


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet and the words beneath it."""

    image: Image.Image
    caption: str = ""


def contact_sheet(tiles: Sequence[Tile], columns: int, *, side: int = 144) -> Image.Image:
    """Lay pictures out in rows, each with its caption beneath.

    Args:
        tiles: pictures and captions, row by row.
        columns: tiles per row.
        side: longest side of a picture on the sheet, in pixels. Enlarged pictures keep hard edges.

    Raises:
        ValueError: no tiles, or no columns.
    """
    if not tiles or columns < 1:
        raise ValueError(f"a sheet needs tiles and columns, given {len(tiles)} and {columns}")
    letters = max(9.0, side / 12)
    font = ImageFont.load_default(size=letters)
    captions = [wrap(tile.caption, font, side) for tile in tiles]
    line = round(letters * 1.2)
    cell_width = side + GAP
    rows = [range(i, min(i + columns, len(tiles))) for i in range(0, len(tiles), columns)]
    heights = [side + GAP + line * max(len(captions[i]) for i in row) + GAP // 2 for row in rows]
    size = (cell_width * min(columns, len(tiles)) + GAP, sum(heights) + GAP)
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    top = GAP
    for row, height in zip(rows, heights, strict=True):
        for place, i in enumerate(row):
            left = GAP + place * cell_width
            small = fit(tiles[i].image, side)
            sheet.paste(small, (left + (side - small.width) // 2, top + (side - small.height) // 2))
            for n, words in enumerate(captions[i]):
                at = (left + side / 2, top + side + GAP // 4 + n * line)
                pen.text(at, words, fill=INK, font=font, anchor="ma")
        top += height
    return sheet


def save_sheet(sheet: Image.Image, path: Path, *, largest: int = 1_500_000) -> int:
    """Write a sheet as PNG, in full color if it stays below `largest` bytes, else in fewer colors.

    Returns:
        the bytes written.
    """
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(part, format="PNG", optimize=True)
    colors = 256
    while part.stat().st_size > largest and colors >= 32:
        few = sheet.quantize(colors, dither=Image.Dither.NONE)
        few.save(part, format="PNG", optimize=True)
        colors //= 2
    part.replace(path)
    return path.stat().st_size


def fit(image: Image.Image, side: int) -> Image.Image:
    """Scale a picture so that its longest side is `side`; what is transparent becomes white."""
    factor = side / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    kind = Image.Resampling.NEAREST if factor > 1 else Image.Resampling.LANCZOS
    return on_white(image).resize(size, kind)


def wrap(caption: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Break a caption into lines of at most `width` pixels; explicit breaks are kept.

    Lines break between words, and in a word that is longer than a line.
    """
    lines: list[str] = []
    for paragraph in caption.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if font.getlength(longer) <= width:
                line = longer
                continue
            lines += [line] if line else []
            *full, line = _pieces(word, font, width)
            lines += full
        lines += [line] if line else []
    return lines


def _pieces(word: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Cut a word into pieces of at most `width` pixels, each of one character or more."""
    pieces, piece = [], ""
    for letter in word:
        if piece and font.getlength(piece + letter) > width:
            pieces.append(piece)
            piece = ""
        piece += letter
    return [*pieces, piece]
