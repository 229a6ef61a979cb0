"""Framing: subjects inside the picture rather than cut off by its edge."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from text2art.core import View

_FADED = 0.5  # of the run is over when it counts nothing
_CELLS = 32  # along the short side: finer changes at the edge do not matter
_GENTLE = 0.03  # changes from cell to cell up to this count less: they are no edge of a thing


class FramingLoss:
    """How much the colors change along one edge of the picture and not along the other.

    Whatever an edge cuts through changes its colors along it, and not along the opposite one; a
    subject inside the picture changes neither, and a horizon both at the same place. So it is the
    total variation of the differences between opposite edges. (That of the edges themselves bent
    horizons and framed them.) The sum, not the mean, so that a cut counts the same at every size.
    It fades over the first half of the run: faded more slowly, it leaves a visible frame, since
    learning rates are low by then. Gentle changes count by their squares (Huber's function): by
    total variation itself, a ground of two colors got a frame of one.
    """

    name = "framing"

    def __init__(self, weight: float = 1.0, options: None = None) -> None:
        self.weight = weight

    def __call__(self, view: View) -> Tensor:
        """Return the sum of changes between opposite sides, mean of the channels, faded."""
        height, width = view.image.shape[-2:]
        short = min(height, width)
        rows, columns = (max(2, round(_CELLS * n / short)) for n in (height, width))
        small = F.interpolate(view.image, size=(rows, columns), mode="area")
        down = small[..., 0, :] - small[..., -1, :]
        across = small[..., :, 0] - small[..., :, -1]
        return max(0.0, 1 - view.progress / _FADED) * (_changes(down) + _changes(across))


def _changes(difference: Tensor) -> Tensor:
    """Return the sum of the changes along a difference of two sides, `(1, C, cells)`."""
    after, before = difference[..., 1:], difference[..., :-1]
    changes = F.smooth_l1_loss(after, before, reduction="none", beta=_GENTLE)
    return changes.mean((0, 1)).sum()
