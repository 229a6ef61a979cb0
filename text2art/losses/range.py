"""Range: channels between a darkest and a brightest value."""

from __future__ import annotations

from torch import Tensor

from text2art.core import View
from text2art.errors import SettingsError
from text2art.options.losses import RangeOptions


class RangeLoss:
    """Mean squared distance of the color channels to the range that is allowed.

    The range penalty of CLIP-guided diffusion, whose pictures leave [0, 1]. Those of drawers never
    do, so the range here is narrower by default: off pure black and white, where details drown and
    drawers hardly learn.
    """

    name = "range"

    def __init__(self, weight: float = 1.0, options: RangeOptions | None = None) -> None:
        o = options or RangeOptions()
        if o.low > o.high:
            raise SettingsError(
                f"range.low {o.low:g} is above range.high {o.high:g}: exchange them"
            )
        self.weight = weight
        self._low, self._high = o.low, o.high

    def __call__(self, view: View) -> Tensor:
        """Return the mean squared excess."""
        colors = view.image[:, :3]
        return (colors - colors.clamp(self._low, self._high)).square().mean()
