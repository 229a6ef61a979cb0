"""Smoothness: how uneven the picture is, in several measures."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from text2art.core import View
from text2art.losses.pixels import VIEW, blur, length, steps
from text2art.options.losses import SmoothnessOptions

_GENTLE = 0.003  # a slope well below this, for a 64th of the short side, counts by its square
_LIKE_OTHER = 4 / math.pi  # |cos a| + |sin a|, the mean over all directions of an edge
_CLIP = 0.5  # of a gradient's length; beyond it an edge is an edge


class SmoothnessLoss:
    """Mean difference of neighboring pixels, scaled so that it does not depend on size.

    "isotropic" is the total variation of Rudin, Osher and Fatemi (1992): the mean length of the
    gradient, by differences to the right and down, of each channel. It is alike in all directions,
    so that things are round; a root of a small square is added to the squares, whose gradient is
    finite on flat pictures. "anisotropic" is without the square root: edges along rows and columns
    cost least, and things become blocks. Times 4 / pi the former is as much as the latter, in the
    mean over all directions. Both are multiplied by the short side in units of 64 pixels: the same
    picture at another size has about the same value.

    The others are pixray's three types: with s the length of the gradient of all channels at a
    pixel, the mean of s ("vectorial", its "default"), of min(s, 0.5) ("clipped") or of log(1 + s)
    ("log"). pixray measures s on the cutouts; here it is that of the picture, times its short side
    in units of 224 pixels, the side of those cutouts. Its blur has an exponent of ((x - m) / 2s)^2;
    here it is a Gaussian.
    """

    name = "smoothness"

    def __init__(self, weight: float = 1.0, options: SmoothnessOptions | None = None) -> None:
        self.weight = weight
        self._options = options or SmoothnessOptions()

    def __call__(self, view: View) -> Tensor:
        """Return the mean unevenness of all channels."""
        o = self._options
        image = view.image
        if o.kernel:
            image = blur(image, o.kernel, o.std)
        short = min(image.shape[-2:])
        if o.kind == "isotropic":
            return _LIKE_OTHER * _lengths(image * (short / 64)).mean()
        if o.kind == "anisotropic":
            across, down = (steps(image, dim).abs().mean() for dim in (-1, -2))
            return (across + down) * (short / 64)
        squares = self._slope(image, -1).square() + self._slope(image, -2).square()
        s = length(squares.sum(dim=1)) * (short / VIEW)
        if o.kind == "clipped":
            s = s.clamp(max=_CLIP)
        return (s.log1p() if o.kind == "log" else s).mean()

    def _slope(self, image: Tensor, dim: int) -> Tensor:
        """Return the central differences along a dimension, of the shape of the picture."""
        order = min(self._options.edge_order, image.shape[dim] - 1)
        if order < 1:
            return image - image
        spacing = self._options.spacing
        (slope,) = torch.gradient(image, spacing=spacing, dim=dim, edge_order=order)
        return slope


def _lengths(image: Tensor) -> Tensor:
    """Return the length of each channel's gradient, of the shape of the picture.

    Beyond the last row and column the picture goes on as it is there.
    """
    across, down = (steps(image, dim).square() for dim in (-1, -2))
    height, width = image.shape[-2:]
    across = F.pad(across, (0, width - across.shape[-1]))
    down = F.pad(down, (0, 0, 0, height - down.shape[-2]))
    return (across + down + _GENTLE**2).sqrt() - _GENTLE
