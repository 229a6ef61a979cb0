"""Transparency: as little of the picture as will do."""

from __future__ import annotations

from torch import Tensor

from text2art.core import View


class TransparencyLoss:
    """Mean alpha, as pixray's transparent_weight; 1 for pictures without, which nothing changes."""

    name = "transparency"

    def __init__(self, weight: float = 1.0, options: None = None) -> None:
        self.weight = weight

    def __call__(self, view: View) -> Tensor:
        """Return the mean alpha."""
        if view.image.shape[1] == 3:
            return view.image.new_ones(())
        return view.image[:, 3].mean()
