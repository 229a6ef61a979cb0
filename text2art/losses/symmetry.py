"""Symmetry: the picture equals its mirror image, or itself turned."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from text2art.core import View
from text2art.options.losses import SymmetryOptions

# Which dimensions are reversed, for each of the pictures compared.
_FLIPS: Mapping[str, tuple[tuple[int, ...], ...]] = {
    "horizontal": ((-1,),),
    "vertical": ((-2,),),
    "both": ((-1,), (-2,)),
    "rotational": ((-1, -2),),
}


class SymmetryLoss:
    """Mean squared difference between the picture and its image; the mean of two for "both"."""

    name = "symmetry"

    def __init__(self, weight: float = 1.0, options: SymmetryOptions | None = None) -> None:
        self.weight = weight
        self._flips = _FLIPS[(options or SymmetryOptions()).kind]

    def __call__(self, view: View) -> Tensor:
        """Return the mean squared difference of all channels."""
        image = view.image
        squares = [(image - image.flip(*dims)).square().mean() for dims in self._flips]
        return sum(squares[1:], squares[0]) / len(squares)
