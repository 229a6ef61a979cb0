"""Symmetry: the picture equals its mirror image."""

from __future__ import annotations

from torch import Tensor

from text2art.core import View


class SymmetryLoss:
    """Mean squared difference between the picture and its left-right mirror image."""

    name = "symmetry"

    def __init__(self, weight: float = 1.0, options: None = None) -> None:
        self.weight = weight

    def __call__(self, view: View) -> Tensor:
        """Return the mean squared difference."""
        return (view.image - view.image.flip(-1)).square().mean()
