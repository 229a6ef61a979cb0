"""Edge: a border of one color, or like another picture's."""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor

from text2art.core import Context, View
from text2art.losses.pixels import color_of
from text2art.media.convert import to_tensor
from text2art.media.load import load_picture
from text2art.options.losses import EdgeOptions

_WANTED = 0.5  # levels of the mask below it are black


class EdgeLoss:
    """Squared difference of the border to a color or picture, and a little that of all of it.

    pixray's: color_weight * (sum over the four bands of their mean squared difference +
    global_weight * that of the whole picture); with a mask, its black part stands for the bands.
    The bands overlap in the corners, as there.
    """

    name = "edge"

    def __init__(self, weight: float = 1.0, options: EdgeOptions | None = None) -> None:
        self.weight = weight
        self._options = options or EdgeOptions()
        self._picture: Tensor | None = None
        self._mask: Tensor | None = None

    def prepare_(self, context: Context) -> None:
        """See `core.Prepared`: load picture and mask at the size of the canvas."""
        canvas, o = context.canvas, self._options
        size = (canvas.width, canvas.height)
        if o.image:
            picture = to_tensor(load_picture(o.image), *size)[:, :3]
            self._picture = picture.to(canvas.device)
        if o.mask:
            mask = load_picture(o.mask)
            white = Image.new("RGBA", mask.size, "white")  # what is transparent is not wanted
            white.alpha_composite(mask.convert("RGBA"))
            levels = to_tensor(white.convert("RGB"), *size).mean(dim=1, keepdim=True)
            self._mask = (levels < _WANTED).to(canvas.device)

    def __call__(self, view: View) -> Tensor:
        """Return the weighted sum over bands and picture."""
        o = self._options
        colors = view.image[:, :3]
        wanted = color_of(o.color, colors) if self._picture is None else self._picture.to(colors)
        away = (colors - wanted).square()
        if self._mask is not None:
            mask = self._mask.to(colors)
            border = (away * mask).sum() / (mask.sum() * colors.shape[1]).clamp(min=1)
        else:
            bands = [band.mean() for band in self._bands(away)]
            border = torch.stack(bands).sum() if bands else away.sum() * 0
        return o.color_weight * (border + o.global_weight * away.mean())

    def _bands(self, away: Tensor) -> list[Tensor]:
        """Return the four sides, those of no thickness left out."""
        o = self._options
        left, right, top, bottom = o.margins or (o.thickness,) * 4
        height, width = away.shape[-2:]
        bands = []
        for dim, count, percent, at_end in (
            (-1, width, left, False),
            (-1, width, right, True),
            (-2, height, top, False),
            (-2, height, bottom, True),
        ):
            if percent > 0:
                thick = min(count, max(1, round(count * percent / 100)))
                bands.append(away.narrow(dim, count - thick if at_end else 0, thick))
        return bands
