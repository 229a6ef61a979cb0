"""Pixel art: a grid of colored cells."""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor

from text2art.abilities import PLAIN_SVG, SvgStyle
from text2art.color import mixed, taken
from text2art.core import Canvas, Drawer, ParamGroup
from text2art.drawers.lattice import STAGGERED, Lattice, Rectangles, grid_of, outlines
from text2art.drawers.paints import make_paint
from text2art.errors import SettingsError
from text2art.media.convert import to_indexed, to_pil
from text2art.media.svg import Drawing, Mark, document
from text2art.options.drawers import PixelOptions

_CELLS = 48  # along the short side, unless asked otherwise
_UNDER = 1.5  # pixels that cells in an SVG reach under the next ones: no gaps show between them


class PixelDrawer(Drawer):
    """Cells of one color each, whose colors are layers from coarse to fine.

    The layers let the gradient shape big forms first; a grid of independent cells stays speckled.
    With a palette, every cell has exactly one of its colors, and so has every pixel. How cells come
    to their colors is their paint's (`paints`).
    """

    has_alpha = True

    def __init__(self, canvas: Canvas, options: PixelOptions) -> None:
        super().__init__()
        self._options = options
        width, height = canvas.width, canvas.height
        shape = options.cell
        self._size = (width, height)
        columns, rows = options.cells or grid_of(shape, _CELLS, width, height)
        if columns > width or rows > height:
            raise SettingsError(
                f"pixel.cells {columns}x{rows} is finer than the picture's {width}x{height} "
                "pixels: use fewer cells or a larger size"
            )
        self._channels = 4 if canvas.transparent else 3
        self._paint = make_paint(rows, columns, canvas, options, staggered=shape in STAGGERED)
        hard = canvas.palette is not None or options.palette_mode == "learned"
        self._lattice: Rectangles | Lattice
        if shape == "rect":
            self._lattice = Rectangles(columns, rows, width, height, hard=hard)
        else:
            self._lattice = Lattice(shape, columns, rows, width, height, hard=hard)
        self.to(canvas.device)

    def forward(self) -> Tensor:
        """See `core.Drawer.forward`."""
        return mixed(self._lattice.paint, self._paint())

    def at_(self, progress: float) -> None:
        """See `abilities.Annealed.at_`."""
        self._paint.at_(progress)

    def groups(self) -> list[ParamGroup]:
        """See `core.Drawer.groups`."""
        return self._paint.groups(self._options)

    @torch.no_grad()
    def fit_(self, picture: Tensor) -> None:
        """See `core.Drawer.fit_`: each cell takes the mean color of its pixels."""
        self._paint.fit_(mixed(self._lattice.average, taken(picture, self._channels)))

    @torch.no_grad()
    def cells(self) -> Image.Image:
        """See `abilities.CellSource.cells`: with a palette, indexed in the palette's order.

        On a transparent canvas a palette is followed by an entry for cells of less than half alpha.
        """
        colors = self._paint()
        indexed = self._paint.indexed()
        if indexed is None:
            return to_pil(colors)
        index, palette = indexed
        clear = colors[0, 3] < 0.5 if self._channels == 4 else None
        return to_indexed(index, palette, clear)

    def svg(self, style: SvgStyle = PLAIN_SVG) -> str:
        """See `abilities.SvgSource.svg`: a polygon per cell.

        With layers, cells do not reach under each other: there is no order in which they could, and
        those who cut or plot want them side by side.
        """
        return document(self._drawing(0.0 if style.layers else _UNDER), style)

    def drawing(self) -> Drawing:
        """See `media.svg.DrawingSource.drawing`."""
        return self._drawing(_UNDER)

    @torch.no_grad()
    def _drawing(self, under: float) -> Drawing:
        colors = self._paint()[0]
        rows, columns = colors.shape[-2:]
        corners, index = outlines(self._options.cell, columns, rows, *self._size, under=under)
        colors = colors.flatten(1).T.cpu()[index]
        marks = [
            Mark(polygon, (*color[:3], *(color[3:] or [1.0])), straight=True)
            for polygon, color in zip(corners.numpy(), colors.tolist(), strict=True)
        ]
        return Drawing(marks, *self._size)
