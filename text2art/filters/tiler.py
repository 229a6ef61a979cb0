"""Tiler: a picture whose edges meet."""

from __future__ import annotations

import torch
from torch import Tensor

from text2art.core import Canvas
from text2art.filters.seam import SeamLoss
from text2art.options.filters import TilerOptions
from text2art.tiling import window


class TilerFilter:
    """Looks see the picture as a part of its tiling that begins anywhere.

    So a seam lies in the midst of what they see as often as anything else does, and is drawn over
    like anything else. The picture itself stays where it is: frames do not jump, masks fit, and
    cells and shapes are those of the tile.
    """

    name = "tiler"

    def __init__(self, weight: float, options: TilerOptions | None, canvas: Canvas) -> None:
        """Prepare to move the picture.

        Args:
            weight: share of the steps in which it is moved; in the others it is seen as it is.
            options: how tiles lie.
            canvas: gives the random streams.
        """
        self.weight = weight
        self._options = options or TilerOptions()
        self._stream = canvas.stream

    def look(self, image: Tensor, step: int) -> Tensor:
        """See `core.LookFilter.look`."""
        draw = self._stream(f"tiler/{step}")
        if float(torch.rand((), generator=draw)) >= self.weight:
            return image
        return window(image, self._options.repeat, draw)

    def losses(self) -> list[SeamLoss]:
        """See `core.LossSource`."""
        o = self._options
        return [SeamLoss(o.seam, o.repeat)] if o.seam else []
