"""The loss that tiles bring along: pixels that meet at their edges are alike."""

from __future__ import annotations

import torch
from torch import Tensor

from text2art.core import View
from text2art.options.filters import Repeat
from text2art.tiling import bands, meetings


class SeamLoss:
    """Mean absolute difference of the bands of pixels that meet at the seams.

    What is seen does not close a seam of its own accord: perceptors hardly mind a thin line, and
    losses on neighbors see the picture alone. pixray's edge_match compares bands in squares; here
    they are 1, 2, 4, ... pixels wide, since single lines are soon alike with a jump beside them.
    The mean of the widths, the sum of the two seams.
    """

    name = "seam"

    def __init__(self, weight: float, repeat: Repeat) -> None:
        self.weight = weight
        self._repeat: Repeat = repeat

    def __call__(self, view: View) -> Tensor:
        """Return the sum over the seams of all channels."""
        image = view.image
        losses = [image.sum() * 0]
        for place, dim in enumerate((-1, -2)):
            widths = bands(image, dim)
            for width in widths:
                seam = meetings(image, self._repeat, width)[place]
                if seam is not None:
                    losses.append(seam.abs().mean() / len(widths))
        return torch.stack(losses).sum()
