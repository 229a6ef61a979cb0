"""The pyramid: layers of color from coarse to fine, added up."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from text2art.core import Canvas, Drawer, ParamGroup
from text2art.options.drawers import PyramidOptions


class PyramidDrawer(Drawer):
    """A sum of color grids, each twice as fine as the last, squashed into [0, 1].

    "Direct Ascent Synthesis" (arXiv:2502.07753) with layers at powers of two and Adam in place of
    plain gradient descent; Adam undoes the prior of coarse before fine that descent has by itself,
    so finer layers get smaller rates here.
    """

    def __init__(self, canvas: Canvas, options: PyramidOptions) -> None:
        super().__init__()
        self._width, self._height = canvas.width, canvas.height
        self._options = options
        short = min(canvas.width, canvas.height)
        self._cells: list[int] = []
        cells = 1
        while cells <= min(options.finest, short):
            self._cells.append(cells)
            cells *= 2
        draw = canvas.stream("pyramid/start")
        self.layers = nn.ParameterList(
            nn.Parameter(
                (
                    torch.randn(
                        1,
                        3,
                        max(1, round(n * canvas.height / short)),
                        max(1, round(n * canvas.width / short)),
                        generator=draw,
                    )
                    * 0.02
                ).to(canvas.device)
            )
            for n in self._cells
        )

    def forward(self) -> Tensor:
        """See `core.Drawer.forward`."""
        return torch.sigmoid(4 * self._total())

    def _total(self) -> Tensor:
        # From coarse to fine: each partial sum is enlarged to the next layer, so that the picture
        # is enlarged to full size only once.
        total = self.layers[0]
        for layer in list(self.layers)[1:]:
            total = _enlarge(total, layer.shape[-2], layer.shape[-1]) + layer
        return _enlarge(total, self._height, self._width)

    def groups(self) -> list[ParamGroup]:
        """See `core.Drawer.groups`."""
        o = self._options
        return [
            ParamGroup(
                name=f"layer {n}", params=[layer], lr=o.learning_rate * (n / 8) ** -o.decay
                if n > 8 else o.learning_rate,
            )
            for n, layer in zip(self._cells, self.layers, strict=True)
        ]

    @torch.no_grad()
    def fit_(self, picture: Tensor) -> None:
        """See `core.Drawer.fit_`: each layer takes what the coarser ones left over."""
        rest = torch.logit(picture[:, :3].clamp(0.01, 0.99)) / 4
        for layer in self.layers:
            layer.copy_(F.interpolate(rest, size=layer.shape[-2:], mode="area"))
            rest = rest - _enlarge(layer, self._height, self._width)


def _enlarge(layer: Tensor, height: int, width: int) -> Tensor:
    if layer.shape[-2:] == (height, width):
        return layer
    return F.interpolate(layer, size=(height, width), mode="bilinear", align_corners=False)
