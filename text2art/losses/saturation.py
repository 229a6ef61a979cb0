"""Saturation: colorfulness of the picture, rewarded."""

from __future__ import annotations

import torch
from torch import Tensor

from text2art.core import View

_EPSILON = 1e-6  # keeps the roots' gradients finite on gray pictures


class SaturationLoss:
    """Minus the colorfulness of Hasler and Suesstrunk (SPIE 2003, equation for M^(3)), over 10.

    Channels are in [0, 1] where the paper uses [0, 255].
    """

    name = "saturation"

    def __init__(self, weight: float = 1.0, options: None = None) -> None:
        self.weight = weight

    def __call__(self, view: View) -> Tensor:
        """Return minus a tenth of the colorfulness."""
        r, g, b = view.image[:, :3].unbind(dim=1)
        rg, yb = r - g, (r + g) / 2 - b
        spread = torch.sqrt(_variance(rg) + _variance(yb) + _EPSILON)
        mean = torch.sqrt(rg.mean().square() + yb.mean().square() + _EPSILON)
        return -(spread + 0.3 * mean) / 10


def _variance(values: Tensor) -> Tensor:
    return values.var() if values.numel() > 1 else (values - values).sum()
