"""Framing: subjects inside the picture rather than cut off by its edge."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from text2art.core import View

_FADED = 0.5  # of the run is over when it counts nothing
_CELLS = 32  # along the short side: finer changes at the edge do not matter
_GENTLE = 0.03  # changes from cell to cell up to this count less: they are no edge of a thing


class FramingLoss:
    """How much the colors change along the edge of the picture: total variation of its border.

    Whatever the edge cuts through changes its colors along it twice, as a horizon does; a subject
    inside the picture does not. The sum, not the mean, so that a cut counts the same at every
    size. It fades over the first half of the run: faded more slowly, it leaves a visible frame,
    since learning rates are low by then. Gentle changes count by their squares (Huber's function):
    by total variation itself, a ground of two colors got a frame of one.
    """

    name = "framing"

    def __init__(self, weight: float = 1.0, options: None = None) -> None:
        self.weight = weight

    def __call__(self, view: View) -> Tensor:
        """Return the sum of changes along the four sides, mean of the channels, faded."""
        height, width = view.image.shape[-2:]
        short = min(height, width)
        rows, columns = (max(2, round(_CELLS * n / short)) for n in (height, width))
        small = F.interpolate(view.image, size=(rows, columns), mode="area")
        sides = (small[..., 0, :], small[..., -1, :], small[..., :, 0], small[..., :, -1])
        changes = sum(
            (_change(side) for side in sides),
            view.image.new_zeros(()),
        )
        return max(0.0, 1 - view.progress / _FADED) * changes


def _change(side: Tensor) -> Tensor:
    """Return the sum of the changes along a side, `(1, C, cells)`."""
    after, before = side[..., 1:], side[..., :-1]
    changes = F.smooth_l1_loss(after, before, reduction="none", beta=_GENTLE)
    return changes.mean((0, 1)).sum()
