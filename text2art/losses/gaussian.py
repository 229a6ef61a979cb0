"""Gaussian: the picture fades to a color away from its middle."""

from __future__ import annotations

import torch
from torch import Tensor

from text2art.core import View
from text2art.losses.pixels import color_of
from text2art.options.losses import GaussianOptions


class GaussianLoss:
    """Mean absolute difference to a color, times one minus a Gaussian around the middle.

    pixray's loss of that name, which it never registered; the Gaussian is 1 in the middle.
    """

    name = "gaussian"

    def __init__(self, weight: float = 1.0, options: GaussianOptions | None = None) -> None:
        self.weight = weight
        self._options = options or GaussianOptions()

    def __call__(self, view: View) -> Tensor:
        """Return the weighted mean of the color channels."""
        colors = view.image[:, :3]
        height, width = colors.shape[-2:]
        down = _bell(height, self._options.height, colors)[:, None]
        across = _bell(width, self._options.width, colors)
        away = (colors - color_of(self._options.color, colors)).abs()
        return (away * (1 - down * across)).mean()


def _bell(count: int, percent: float, like: Tensor) -> Tensor:
    """Return a Gaussian over the centers of `count` pixels; its deviation in percent of them."""
    at = (torch.arange(count, device=like.device, dtype=like.dtype) + 0.5) / count - 0.5
    return torch.exp(-0.5 * (at / (percent / 100)) ** 2)
