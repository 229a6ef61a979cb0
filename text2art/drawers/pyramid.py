"""The pyramid: layers of color from coarse to fine, added up."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from text2art.color import Snap, mixed, snapped, taken
from text2art.core import Canvas, Drawer, ParamGroup
from text2art.drawers.enlarging import Enlarged
from text2art.drawers.layers import Layers, squash, unsquash
from text2art.options.drawers import PyramidOptions


class PyramidDrawer(Drawer):
    """Color grids from one cell to `finest` cells, added up, enlarged and squashed into [0, 1].

    With a palette, every pixel takes the nearest of its colors.
    """

    has_alpha = True

    def __init__(self, canvas: Canvas, options: PyramidOptions) -> None:
        super().__init__()
        self._options = options
        short = min(canvas.width, canvas.height)
        finest = min(options.finest, short)
        rows = max(1, round(finest * canvas.height / short))
        columns = max(1, round(finest * canvas.width / short))
        self._layers = Layers(
            rows,
            columns,
            canvas.stream("pyramid/start"),
            channels=4 if canvas.transparent else 3,
        ).to(canvas.device)
        self._enlarge = Enlarged(rows, columns, canvas.height, canvas.width).to(canvas.device)
        self._snap = Snap(canvas.palette).to(canvas.device) if canvas.palette is not None else None

    def forward(self) -> Tensor:
        """See `core.Drawer.forward`."""
        image = squash(self._enlarge(self._layers.total()))
        return image if self._snap is None else snapped(self._snap, image)

    def groups(self) -> list[ParamGroup]:
        """See `core.Drawer.groups`."""
        return self._layers.groups(self._options.learning_rate, self._options.decay)

    @torch.no_grad()
    def fit_(self, picture: Tensor) -> None:
        """See `core.Drawer.fit_`; details finer than the finest layer are averaged."""
        channels, *size = self._layers.grids[-1].shape[-3:]
        self._layers.fit_(
            unsquash(
                mixed(
                    lambda colors: F.interpolate(colors, size=size, mode="area"),
                    taken(picture, channels),
                )
            )
        )
