"""Styles as batched picture operations: (n, 3, 64, 64) in [0, 1] -> the same, with a generator."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Style = Callable[[Tensor, torch.Generator], Tensor]


def _uniform(n: int, low: float, high: float, gen: torch.Generator, device: torch.device) -> Tensor:
    return torch.rand(n, 1, 1, 1, generator=gen, device=device) * (high - low) + low


def _gray(x: Tensor) -> Tensor:
    weights = torch.tensor([0.3, 0.59, 0.11], device=x.device).view(1, 3, 1, 1)
    return (x * weights).sum(1, keepdim=True)


def blur(x: Tensor, sigma: float, radius: int = 4) -> Tensor:
    """Blur with a Gaussian, separably, replicating the border."""
    taps = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (taps / sigma) ** 2)
    kernel = kernel / kernel.sum()
    n, c, h, w = x.shape
    y = F.pad(x.reshape(n * c, 1, h, w), (radius,) * 4, mode="replicate")
    y = F.conv2d(y, kernel.view(1, 1, 1, -1))
    return F.conv2d(y, kernel.view(1, 1, -1, 1)).view(n, c, h, w)


def _edges(x: Tensor) -> Tensor:
    """Return the edge strength of gray, (n, 1, 64, 64)."""
    g = F.pad(_gray(x), (1, 1, 1, 1), mode="replicate")
    dx = g[..., 1:-1, 2:] - g[..., 1:-1, :-2]
    dy = g[..., 2:, 1:-1] - g[..., :-2, 1:-1]
    return (dx**2 + dy**2).sqrt()


def cells(x: Tensor, side: int) -> Tensor:
    """Show the picture as side x side flat cells."""
    small = F.interpolate(x, size=(side, side), mode="area")
    return F.interpolate(small, size=x.shape[-2:], mode="nearest")


def pixelart(x: Tensor, gen: torch.Generator) -> Tensor:
    """Show few cells in few levels per channel."""
    sides = (12, 16, 16, 20, 24, 32)
    pick = int(torch.randint(len(sides), (1,), generator=gen, device=x.device))
    small = F.interpolate(x, size=(sides[pick],) * 2, mode="area")
    levels = _uniform(len(x), 3, 8, gen, x.device).round()
    small = (small * levels).round() / levels
    return F.interpolate(small, size=x.shape[-2:], mode="nearest")


def watercolor(x: Tensor, gen: torch.Generator) -> Tensor:
    """Wash out, stain the paper, darken the edges."""
    wash = blur(x, 1.2)
    stain = F.interpolate(
        torch.randn(len(x), 1, 9, 9, generator=gen, device=x.device), x.shape[-2:], mode="bicubic"
    )
    pale = 0.30 + 0.70 * wash + 0.06 * stain
    return (
        pale
        - 0.35 * _edges(wash)
        + 0.03 * torch.randn(x.shape[0], 1, *x.shape[2:], generator=gen, device=x.device)
    )


def sketch(x: Tensor, gen: torch.Generator) -> Tensor:
    """Draw gray edges on paper."""
    lines = _edges(x) * _uniform(len(x), 1.2, 2.2, gen, x.device)
    paper = 0.97 - 0.25 * (1 - blur(_gray(x), 1.5)) - lines
    grain = 0.05 * torch.randn(len(x), 1, *x.shape[2:], generator=gen, device=x.device)
    return (paper + grain).expand(-1, 3, -1, -1)


def neon(x: Tensor, gen: torch.Generator) -> Tensor:
    """Let the edges glow in the dark."""
    vivid = (blur(x, 1.5) - 0.5) * 1.6 + 0.65
    lines = _edges(x).clamp(0, 0.6) * _uniform(len(x), 1.4, 2.4, gen, x.device)
    glow = lines + 1.2 * blur(lines, 2.0)
    return vivid.clamp(0.05, 1) * glow + 0.5 * (glow - 0.8).clamp(0)


def oil(x: Tensor, gen: torch.Generator) -> Tensor:
    """Flatten locally, posterize, add daubs."""
    shifts = [(0, 0), (1, 1), (-1, 1), (2, -1), (-2, 0)]
    stack = torch.stack([torch.roll(x, s, (2, 3)) for s in shifts])
    daubs = F.interpolate(
        torch.randn(len(x), 3, 22, 22, generator=gen, device=x.device), x.shape[-2:], mode="nearest"
    )
    flat = (stack.median(0).values * 7).round() / 7
    return flat + 0.05 * blur(daubs, 0.8)


def black_and_white(x: Tensor, gen: torch.Generator) -> Tensor:
    """Drop the color, vary the contrast."""
    contrast = _uniform(len(x), 0.9, 1.4, gen, x.device)
    return ((_gray(x) - 0.5) * contrast + 0.5).expand(-1, 3, -1, -1)


def low_poly(x: Tensor, gen: torch.Generator) -> Tensor:
    """Flatten the picture over the cells of one random Voronoi diagram for the whole group."""
    n, c, h, w = x.shape
    points = int(torch.randint(50, 160, (1,), generator=gen, device=x.device))
    sites = torch.rand(points, 2, generator=gen, device=x.device) * h
    rows = torch.arange(h, device=x.device, dtype=x.dtype)
    grid = torch.stack(torch.meshgrid(rows, rows, indexing="ij"), -1).view(-1, 2)
    owner = torch.cdist(grid, sites).argmin(1)  # (h * w,)
    sums = torch.zeros(n * c, points, device=x.device).index_add_(1, owner, x.reshape(n * c, -1))
    sizes = torch.bincount(owner, minlength=points).clamp(min=1)
    shade = 0.06 * torch.randn(points, generator=gen, device=x.device)
    return (sums / sizes + shade)[:, owner].view(n, c, h, w)


def vintage(x: Tensor, gen: torch.Generator) -> Tensor:
    """Tone in sepia, with grain."""
    tone = torch.tensor([1.0, 0.86, 0.64], device=x.device).view(1, 3, 1, 1)
    gray = _gray(x) * 0.85 + 0.1
    return gray * tone + 0.04 * torch.randn(len(x), 1, *x.shape[2:], generator=gen, device=x.device)


def blurry(x: Tensor, gen: torch.Generator) -> Tensor:
    """Put out of focus."""
    return blur(x, 1.8 + 1.2 * float(torch.rand(1, generator=gen, device=x.device)), 7)


APPLY: dict[str, Style] = {
    "pixelart": pixelart, "watercolor": watercolor, "sketch": sketch, "neon": neon, "oil": oil,
    "bw": black_and_white, "lowpoly": low_poly, "vintage": vintage, "blurry": blurry,
}  # fmt: skip
COLORLESS = ("sketch", "bw", "vintage", "neon")  # the subject's color cannot be told
