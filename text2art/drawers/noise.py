"""Pictures to start from: Perlin noise, color gradients, snow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def perlin(height: int, width: int, draw: torch.Generator) -> Tensor:
    """Return clouds: three channels of fractal Perlin noise, `(1, 3, height, width)` in [0, 1].

    Gradient noise with the fade curve of K. Perlin, "Improving Noise" (SIGGRAPH 2002): four cells
    along the short side, then twice as many at half the strength, down to cells of eight pixels.
    As in pixray, each channel fills its range and an S-curve spreads the middle; its lattices are
    counted in pixels instead, so that its clouds shrink as pictures grow.
    """
    short = min(height, width)
    total = torch.zeros(3, height, width)
    for octave in range(max(1, int(math.log2(max(short, 16) / 32)) + 1)):
        cell = short / (4 * 2**octave)
        total += 0.5**octave * _gradient_noise(height, width, cell, draw)
    low, high = total.amin((1, 2), keepdim=True), total.amax((1, 2), keepdim=True)
    level = ((total - low) / (high - low).clamp(min=1e-6)) * 0.9998 + 0.0001
    return (1 / (1 + (level / (1 - level)) ** -2))[None]


def _gradient_noise(height: int, width: int, cell: float, draw: torch.Generator) -> Tensor:
    """Return one octave, `(3, height, width)`, about in [-0.7, 0.7]; `cell` is in pixels."""
    y, x = ((torch.arange(n) + 0.5) / cell for n in (height, width))
    rows, columns = int(y[-1]) + 2, int(x[-1]) + 2
    angle = 2 * math.pi * torch.rand(3, rows, columns, generator=draw)
    top, left = y.long(), x.long()
    dy, dx = (y - top)[:, None], (x - left)[None]

    def corner(down: int, right: int) -> Tensor:
        at = angle[:, (top + down)[:, None], (left + right)[None]]
        return at.sin() * (dy - down) + at.cos() * (dx - right)

    fade_y, fade_x = (t**3 * (t * (6 * t - 15) + 10) for t in (dy, dx))
    upper = torch.lerp(corner(0, 0), corner(0, 1), fade_x.expand(height, width))
    lower = torch.lerp(corner(1, 0), corner(1, 1), fade_x.expand(height, width))
    return torch.lerp(upper, lower, fade_y.expand(height, width))


def gradient(height: int, width: int, draw: torch.Generator) -> Tensor:
    """Return red rising to the right, green downward, blue either way, as pixray's "gradient"."""
    across = torch.linspace(0, 1, width).expand(height, width)
    down = torch.linspace(0, 1, height)[:, None].expand(height, width)
    red, green, left, right = torch.rand(4, generator=draw)
    blue = left + (right - left) * across
    return torch.stack([red * across, green * down, blue])[None]


def snow(height: int, width: int, draw: torch.Generator) -> Tensor:
    """Return independent uniform pixels."""
    return torch.rand(1, 3, height, width, generator=draw)


KINDS: Mapping[str, Callable[[int, int, torch.Generator], Tensor]] = {
    "perlin": perlin,
    "gradient": gradient,
    "snow": snow,
}
