"""Opacity: what it costs in transparent pictures, so that subjects stand free."""

from __future__ import annotations

from torch import Tensor

from text2art.core import View

_DECIDED = 3.0  # alpha goes down below 2/3, and up to opaque above


class OpacityLoss:
    """Mean of 4 a - 3 a^2 over alpha a, more and more as the run goes on.

    It is 0 where nothing is and 1 where all is opaque, as pixray's mean alpha, but bent, with its
    top at 2/3: mean alpha alone leaves subjects half transparent. At full weight from the start
    it would leave nothing before anything is there to be recognized.
    """

    name = "opacity"

    def __init__(self, weight: float = 1.0, options: None = None) -> None:
        self.weight = weight

    def __call__(self, view: View) -> Tensor:
        """Return the cost of alpha times the progress; of pictures without, a constant."""
        if view.image.shape[1] == 3:
            return view.image.new_ones(()) * view.progress
        alpha = view.image[:, 3]
        return view.progress * ((1 + _DECIDED) * alpha - _DECIDED * alpha.square()).mean()
