"""Charts to knit, stitch or bead by: cells with symbols, a legend, counts. Free of torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from text2art.errors import SettingsError
from text2art.media.files import check_target, write_bytes
from text2art.media.page import Box, Item, Line, Page, Words, to_pdf, to_png, to_svg
from text2art.media.png import encode_picture
from text2art.media.yarns import Craft, Gauge, Yarn, gathered, gauge_of, ink_on
from text2art.palettes import Color
from text2art.palettes.colors import to_hex

ENDINGS = (".pdf", ".svg", ".png")
MOST_CELLS = 1000  # along a side
_MARGIN, _RULER, _ROW, _TITLE = 10.0, 7.0, 6.5, 8.0  # millimeters
_A4 = (210.0, 297.0)
_LEAST, _USUAL = 2.6, 4.0  # width of a cell: the least on one sheet of paper, and the usual
_GRAY: Color = (120, 120, 120)
_LINES = {1: (0.1, _GRAY), 5: (0.2, (60, 60, 60)), 10: (0.4, (0, 0, 0))}


class Chart:
    """A picture of one pixel per cell as a chart.

    Attributes:
        index: `(rows, columns)`, which yarn each cell has; -1 where there is none.
        yarns: those used, in the palette's order.
    """

    def __init__(
        self,
        image: Image.Image,
        craft: Craft,
        *,
        gauge: Gauge | None = None,
        title: str = "",
        symbols: bool = True,
        colored: bool = True,
    ) -> None:
        """Prepare a chart.

        Args:
            image: one pixel per cell; an indexed one keeps its palette's order.
            craft: for which it is.
            gauge: measures of the finished piece; None = the usual ones.
            title: above the chart.
            symbols: whether cells show their symbol.
            colored: whether cells show their color; without, it can be printed in black.

        Raises:
            SettingsError: too many cells or colors, or nothing to show.
        """
        if max(image.size) > MOST_CELLS:
            raise SettingsError(
                f"a chart of {image.width}x{image.height} cells is too large, at most {MOST_CELLS} "
                "along a side are drawn: give the number of cells, as 60x60"
            )
        if not symbols and not colored:
            raise SettingsError("a chart without colors and without symbols shows nothing")
        self.craft = craft
        self.title = "".join(c for c in " ".join(title.split()) if c.isprintable())
        self.gauge = gauge or gauge_of(craft)
        self._symbols, self._colored = symbols, colored
        self.index, self.yarns = gathered(image)

    @property
    def columns(self) -> int:
        """Stitches or beads in a row."""
        return int(self.index.shape[1])

    @property
    def rows(self) -> int:
        """Rows."""
        return int(self.index.shape[0])

    @property
    def facts(self) -> str:
        """What the chart is of, in a line: cells, colors, finished size."""
        unit = "beads" if self.craft == "beads" else "stitches"
        width, height = self.columns * self.gauge.width / 10, self.rows * self.gauge.height / 10
        total = sum(yarn.count for yarn in self.yarns)
        return (
            f"{self.craft}: {self.columns} x {self.rows}, {total} {unit}, {len(self.yarns)} "
            f"colors, finished {width:.1f} x {height:.1f} cm"
        )

    # ---- files -----------------------------------------------------------------------------

    def save(self, path: Path) -> Path:
        """Write the chart: PDF (A4 pages), SVG or PNG by the ending.

        Raises:
            OutputError: it cannot be written.
        """
        check_target(path, ENDINGS)
        ending = path.suffix.lower()
        if ending == ".pdf":
            return write_bytes(path, to_pdf(self.pages(), self.title or "chart"))
        if ending == ".svg":
            return write_bytes(path, to_svg(self.page(), self.title or "chart").encode())
        return write_bytes(path, encode_picture(to_png(self.page()), ".png"))

    def page(self, cell: float = _USUAL) -> Page:
        """Return the whole chart with its legend beneath, on a page as large as it takes."""
        high = cell * self.gauge.height / self.gauge.width
        width = max(self.columns * cell + 2 * _RULER, 90.0) + 2 * _MARGIN
        legend, depth = _legend(self.yarns, width - 2 * _MARGIN, self._colored, self._symbols)
        grid = self.rows * high + 2 * _RULER
        page = Page(width, 2 * _MARGIN + _TITLE + grid + 3 + depth)
        self._head(page)
        self._grid(page, (0, 0, self.columns, self.rows), cell, _MARGIN, _MARGIN + _TITLE)
        _put(page, legend, _MARGIN, _MARGIN + _TITLE + grid + 3)
        return page

    def pages(self) -> list[Page]:
        """Return the chart on A4 pages: as few as let its cells be readable, then the legend."""
        ratio = self.gauge.height / self.gauge.width
        width, height = _A4[0] - 2 * (_MARGIN + _RULER), _A4[1] - 2 * (_MARGIN + _RULER) - _TITLE
        cell = min(width / self.columns, height / (self.rows * ratio), 2 * _USUAL)
        if cell < _LEAST:
            cell = _USUAL
        across, down = int(width / cell), max(1, int(height / (cell * ratio)))
        if across < self.columns:  # pages meet at heavy lines
            across = across // self.gauge.block * self.gauge.block or across
        if down < self.rows:
            down = down // self.gauge.block * self.gauge.block or down
        pages: list[Page] = []
        for top in range(0, self.rows, down):
            for left in range(0, self.columns, across):
                page = Page(*_A4)
                self._head(page, f"page {len(pages) + 1}")
                part = left, top, min(left + across, self.columns), min(top + down, self.rows)
                self._grid(page, part, cell, _MARGIN, _MARGIN + _TITLE)
                pages.append(page)
        legend, depth = _legend(self.yarns, _A4[0] - 2 * _MARGIN, self._colored, self._symbols)
        beneath = _MARGIN + _TITLE + 2 * _RULER + self.rows * cell * ratio + 3
        if len(pages) == 1 and beneath + depth <= _A4[1] - _MARGIN:
            _put(pages[0], legend, _MARGIN, beneath)
            return pages
        page = Page(*_A4)
        self._head(page, "legend")
        _put(page, legend, _MARGIN, _MARGIN + _TITLE)
        return [*pages, page]

    # ---- what is drawn ---------------------------------------------------------------------

    def _head(self, page: Page, note: str = "") -> None:
        words = self.title or "chart"
        most = max(8, int(page.width / 2.6))
        words = words if len(words) <= most else words[: most - 3] + "..."
        page.items.append(Words(_MARGIN, _MARGIN, 4, words))
        page.items.append(Words(_MARGIN, _MARGIN + 4.5, 2.6, self.facts, color=_GRAY))
        if note:
            page.items.append(Words(page.width - _MARGIN, _MARGIN, 3, note, "end"))

    def _grid(
        self, page: Page, part: tuple[int, int, int, int], cell: float, x: float, y: float
    ) -> None:
        """Draw the cells of a part: left, top, right and bottom, with numbers on all sides."""
        left, top, right, bottom = part
        high = cell * self.gauge.height / self.gauge.width
        x, y = x + _RULER, y + _RULER
        for row in range(top, bottom):
            for column in range(left, right):
                n = int(self.index[row, column])
                if n >= 0:
                    at = x + (column - left) * cell, y + (row - top) * high
                    page.items += self._cell(self.yarns[n], *at, cell, high)
        end_x, end_y = x + (right - left) * cell, y + (bottom - top) * high
        for column in range(left, right + 1):
            place = x + (column - left) * cell
            width, color = self._weight(column, self.columns)
            page.items.append(Line(place, y, place, end_y, width, color))
        for row in range(top, bottom + 1):
            place = y + (row - top) * high
            width, color = self._weight(row, self.rows)
            page.items.append(Line(x, place, end_x, place, width, color))
        self._numbers(page, part, (x, y, end_x, end_y), (cell, high))

    def _cell(self, yarn: Yarn, x: float, y: float, cell: float, high: float) -> list[Item]:
        items: list[Item] = []
        if self._colored:
            items.append(Box(x, y, cell, high, yarn.color, round=self.craft == "beads"))
        if self._symbols:
            size = 0.62 * min(cell, high)
            ink = ink_on(yarn.color) if self._colored else (0, 0, 0)
            items.append(Words(x + cell / 2, y + high / 2, size, yarn.symbol, "middle", ink))
        return items

    def _weight(self, at: int, count: int) -> tuple[float, Color]:
        place = count - at if self.craft == "knit" else at
        if at in (0, count) or place % self.gauge.block == 0:
            return _LINES[10]
        return _LINES[5] if self.gauge.block == 10 and place % 5 == 0 else _LINES[1]

    def _numbers(
        self,
        page: Page,
        part: tuple[int, int, int, int],
        box: tuple[float, float, float, float],
        cell: tuple[float, float],
    ) -> None:
        """Number rows and columns; knitting starts at the lower right, else at the upper left."""
        left, top, right, bottom = part
        knit = self.craft == "knit"
        size = min(2.4, 0.75 * cell[0] + 0.6)
        for column in range(left, right):
            number = self.columns - column if knit else column + 1
            if number % 5 == 0 or number == 1:
                x = box[0] + (column - left + 0.5) * cell[0]
                for y in (box[1] - 2, box[3] + 2):
                    page.items.append(Words(x, y, size, str(number), "middle", _GRAY))
        for row in range(top, bottom):
            number = self.rows - row if knit else row + 1
            if number % 5 == 0 or number == 1:
                y = box[1] + (row - top + 0.5) * cell[1]
                page.items.append(Words(box[0] - 1.2, y, size, str(number), "end", _GRAY))
                page.items.append(Words(box[2] + 1.2, y, size, str(number), "start", _GRAY))


def _legend(
    yarns: Sequence[Yarn], width: float, colored: bool, symbols: bool
) -> tuple[list[Item], float]:
    """Return the legend at the origin, and its depth: as many columns as have room."""
    columns = max(1, int(width // 85))
    rows = math.ceil(len(yarns) / columns)
    items: list[Item] = []
    total = sum(yarn.count for yarn in yarns)
    for n, yarn in enumerate(yarns):
        x, y = n // rows * (width / columns), n % rows * _ROW
        if colored:
            items.append(Box(x, y, 6, 5, yarn.color))
        for x0, y0, x1, y1 in ((0, 0, 6, 0), (6, 0, 6, 5), (6, 5, 0, 5), (0, 5, 0, 0)):
            items.append(Line(x + x0, y + y0, x + x1, y + y1, 0.2))
        if symbols:
            ink = ink_on(yarn.color) if colored else (0, 0, 0)
            items.append(Words(x + 3, y + 2.5, 3.4, yarn.symbol, "middle", ink))
        share = f"{100 * yarn.count / total:.1f} %"
        items.append(Words(x + 22, y + 2.5, 3, str(yarn.count), "end"))
        items.append(Words(x + 36, y + 2.5, 3, share, "end", _GRAY))
        items.append(Words(x + 39, y + 2.5, 3, f"#{to_hex(yarn.color)}"))
        items.append(Words(x + 53, y + 2.5, 3, yarn.name))
    return items, rows * _ROW


def _put(page: Page, items: Sequence[Item], x: float, y: float) -> None:
    """Lay items on a page, moved."""
    for item in items:
        if isinstance(item, Line):
            moved: Item = Line(
                item.x0 + x, item.y0 + y, item.x1 + x, item.y1 + y, item.width, item.color
            )
        elif isinstance(item, Box):
            moved = Box(item.x + x, item.y + y, item.width, item.height, item.fill, item.round)
        else:
            moved = Words(item.x + x, item.y + y, item.size, item.text, item.anchor, item.color)
        page.items.append(moved)
