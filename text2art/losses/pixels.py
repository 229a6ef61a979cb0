"""What losses on pixels share: roots without infinite slopes, blurs, colors."""

from __future__ import annotations

import math

import torch
from PIL import ImageColor
from torch import Tensor
from torch.nn import functional as F

from text2art.runtime import placed

VIEW = 224  # pixels: the short side at which pixray measured differences, that of CLIP's input
_TINY = 1e-8


def length(squares: Tensor) -> Tensor:
    """Return the root of sums of squares, whose slope is finite at zero and whose value is zero."""
    return (squares + _TINY).sqrt() - math.sqrt(_TINY)


def steps(image: Tensor, dim: int) -> Tensor:
    """Return the differences of neighbors along a dimension; zero where there is but one pixel."""
    count = image.shape[dim]
    if count < 2:
        return image - image
    return image.narrow(dim, 1, count - 1) - image.narrow(dim, 0, count - 1)


def blur(image: Tensor, kernel: int, std: float) -> Tensor:
    """Blur by a Gaussian; beyond the edge its nearest pixel goes on.

    Args:
        image: `(1, C, H, W)`.
        kernel: side of the kernel in pixels, odd.
        std: its standard deviation in pixels.
    """
    at = torch.arange(kernel, device=image.device, dtype=image.dtype) - kernel // 2
    line = torch.exp(-0.5 * (at / std) ** 2)
    line = line / line.sum()
    channels, reach = image.shape[1], kernel // 2
    padded = F.pad(image, (reach, reach, reach, reach), mode="replicate")
    across = F.conv2d(padded, line.expand(channels, 1, 1, kernel), groups=channels)
    return F.conv2d(across, line.view(-1, 1).expand(channels, 1, kernel, 1), groups=channels)


def color_of(text: str, like: Tensor) -> Tensor:
    """Return a color as `(1, 3, 1, 1)` in [0, 1], of the type and device of `like`."""
    levels = ImageColor.getrgb(text)[:3]
    return placed(levels, like).view(1, 3, 1, 1) / 255
