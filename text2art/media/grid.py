"""Grids: pictures in rows and columns, with labels along the top and the left side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from text2art.media.sheet import GAP, INK, PAPER, fit, wrap

MOST_PIXELS = 100_000_000  # of a grid: about 300 MB while it is put together
_EMPTY = (228, 228, 224)
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Labels:
    """What stands beside a grid.

    Attributes:
        columns, rows: a text for each; none at all for a side without labels.
        across, down: what the columns and the rows are the values of.
        title: above everything.
    """

    columns: Sequence[str] = ()
    rows: Sequence[str] = ()
    across: str = ""
    down: str = ""
    title: str = ""


def labelled_grid(
    cells: Sequence[Sequence[Image.Image | None]], labels: Labels, *, side: int = 256
) -> Image.Image:
    """Lay pictures out by row and column.

    Args:
        cells: rows of pictures, all of one length; None is left empty.
        labels: what stands beside them.
        side: longest side of a picture on the grid, in pixels; less where the grid would be too
            large. Enlarged pictures keep hard edges.

    Raises:
        ValueError: no cells, or rows of different lengths.
    """
    widths = {len(row) for row in cells}
    if len(widths) != 1 or widths == {0}:
        raise ValueError(f"a grid needs rows of one length, given {sorted(widths)}")
    columns = widths.pop()
    side = max(16, min(side, int((MOST_PIXELS / (len(cells) * columns)) ** 0.5) - GAP))
    boxes = [_box([image for row in cells for image in row if image is not None], side)]
    width, height = boxes[0]
    font = ImageFont.load_default(size=_letters(side))
    line = round(_letters(side) * 1.25)
    left = _margin([*labels.rows, labels.down], font, side) if any(labels.rows) else GAP
    above = [wrap(text, font, width) for text in labels.columns]
    full = columns * (width + GAP) + left
    title = wrap(labels.title, font, full - 2 * GAP)
    head = GAP + line * len(title) + (GAP if title else 0)
    head += line if labels.across else 0
    top = head + line * max((len(text) for text in above), default=0) + (GAP // 2 if above else 0)
    sheet = Image.new("RGB", (full, top + len(cells) * (height + GAP)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for n, words in enumerate(title):
        pen.text((GAP, GAP + n * line), words, fill=INK, font=font)
    if labels.across:
        middle = left + (full - left - GAP) / 2
        pen.text((middle, head - line), labels.across, fill=INK, font=font, anchor="ma")
    for column, text in enumerate(above):
        at = left + column * (width + GAP) + width / 2
        for n, words in enumerate(text):
            pen.text((at, head + n * line), words, fill=INK, font=font, anchor="ma")
    if labels.down and any(labels.rows):
        pen.text((left - GAP, top - line - GAP // 2), labels.down, fill=INK, font=font, anchor="ra")
    for row, images in enumerate(cells):
        y = top + row * (height + GAP)
        if row < len(labels.rows):
            _beside(pen, labels.rows[row], font, (left - GAP, y + height / 2), line)
        for column, image in enumerate(images):
            x = left + column * (width + GAP)
            if image is None:
                sheet.paste(_EMPTY, (x, y, x + width, y + height))
            else:
                small = fit(image, side)
                sheet.paste(
                    small, (x + (width - small.width) // 2, y + (height - small.height) // 2)
                )
    return sheet


def _letters(side: int) -> float:
    return min(max(10.0, side / 14), 24.0)


def _box(images: Sequence[Image.Image], side: int) -> tuple[int, int]:
    """Return a size that every picture fits in, once its longest side is `side`."""
    scaled = [
        (round(image.width * side / max(image.size)), round(image.height * side / max(image.size)))
        for image in images
    ]
    if not scaled:
        return side, side
    return max(1, *(w for w, _ in scaled)), max(1, *(h for _, h in scaled))


def _margin(texts: Sequence[str], font: _Font, side: int) -> int:
    """Return the room that labels of rows need: as much as the longest, at most a picture."""
    lines = [words for text in texts for words in wrap(text, font, side)]
    return math.ceil(max(font.getlength(words) for words in lines)) + 2 * GAP if lines else GAP


def _beside(
    pen: ImageDraw.ImageDraw, text: str, font: _Font, at: tuple[float, float], line: int
) -> None:
    """Write a label to the left of a row, in the middle of its height."""
    words = wrap(text, font, round(at[0] - GAP))
    for n, part in enumerate(words):
        y = at[1] + (n - len(words) / 2) * line
        pen.text((at[0], y), part, fill=INK, font=font, anchor="ra")
