"""Palette: every pixel near one of the colors."""

from __future__ import annotations

import torch
from torch import Tensor

from text2art.core import Context, View
from text2art.errors import SettingsError
from text2art.losses.pixels import length

_LIKE_PIXRAY = 3.0  # the mean distance times its 30 cutouts of quality normal, over 10
_PIXELS = 65_536  # whose distances to all colors are known at a time


class PaletteLoss:
    """Mean distance in RGB to the nearest color of the palette, times 3.

    pixray takes the mean over the pixels of its cutouts, multiplies it by their number and divides
    by 10: with 30 of them that is 3. Here it is the picture's pixels, whatever the cutouts.
    """

    name = "palette"

    def __init__(self, weight: float = 1.0, options: None = None) -> None:
        self.weight = weight
        self._palette: Tensor | None = None

    def prepare_(self, context: Context) -> None:
        """See `core.Prepared`: take the palette of the canvas."""
        if context.canvas.palette is None:
            raise SettingsError(
                "the loss palette needs colors: give a palette, for example palette=PICO-8"
            )
        self._palette = context.canvas.palette.to(context.canvas.device)

    def __call__(self, view: View) -> Tensor:
        """Return the mean distance of the color channels."""
        assert self._palette is not None, "prepare_ comes first"
        palette = self._palette.to(view.image.dtype)
        pixels = view.image[0, :3].flatten(1).T  # (H * W, 3)
        with torch.no_grad():
            nearest = torch.cat([_nearest(part, palette) for part in torch.split(pixels, _PIXELS)])
        return _LIKE_PIXRAY * length((pixels - palette[nearest]).square().sum(dim=1)).mean()


def _nearest(pixels: Tensor, palette: Tensor) -> Tensor:
    # Squared distances but for a term that is the same for the whole palette.
    return (palette.square().sum(dim=1) - 2 * pixels @ palette.T).argmin(dim=1)
