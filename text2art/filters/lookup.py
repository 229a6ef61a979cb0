"""Lookup: every pixel in a color of the palette."""

from __future__ import annotations

import torch
from torch import Tensor

from text2art.color import Snap
from text2art.core import Canvas
from text2art.errors import SettingsError
from text2art.options.filters import LookupOptions
from text2art.palettes import parse_palette


class LookupFilter:
    """Takes every pixel to the nearest color in Oklab, and lets the gradient through (`Snap`).

    pixray's filter of that name measures in RGB, and its commitment is a loss of its own.
    """

    name = "lookup"

    def __init__(self, weight: float, options: LookupOptions | None, canvas: Canvas) -> None:
        """Prepare the palette.

        Args:
            weight: how far colors go to those of the palette; only 1 gives the palette's own.
            options: palette and commitment.
            canvas: gives the palette where the options have none.

        Raises:
            SettingsError: there is no palette, or it cannot be read.
        """
        self.weight = weight
        o = options or LookupOptions()
        palette = canvas.palette
        if o.palette:
            palette = torch.tensor(parse_palette(o.palette), dtype=torch.float32) / 255
        if palette is None:
            raise SettingsError(
                "the filter lookup needs colors: give a palette, for example palette=PICO-8"
            )
        self._snap = Snap(palette, o.commitment).to(canvas.device)

    def __call__(self, image: Tensor) -> Tensor:
        """See `core.Filter`; alpha stays as it is."""
        colors = image[:, :3]
        snapped = self._snap(colors.float()).to(image.dtype)
        colors = snapped if self.weight == 1 else colors.lerp(snapped, self.weight)
        return torch.cat([colors, image[:, 3:]], dim=1)
