"""Total variation in squares: calms noise, and leaves no edge quite sharp."""

from __future__ import annotations

from torch import Tensor

from text2art.core import View
from text2art.losses.pixels import steps


class TvLoss:
    """Mean squared difference of neighboring pixels, across plus down.

    The penalty of pytti and of CLIP-guided diffusion, there without the factor that makes it
    independent of size: the short side in units of 64 pixels.
    """

    name = "tv"

    def __init__(self, weight: float = 1.0, options: None = None) -> None:
        self.weight = weight

    def __call__(self, view: View) -> Tensor:
        """Return the mean of the squares of all channels."""
        image = view.image
        across, down = (steps(image, dim).square().mean() for dim in (-1, -2))
        return (across + down) * (min(image.shape[-2:]) / 64)
