"""The plain way to draw a scene, in torch alone: slow, readable, and the truth for the others.

Runs on every device and in every floating type; gradients are autograd's.

Coverage is the share of a pixel's box (`softness` pixels wide) that lies within the path.
- Fills: exact for the polygon, as a sum over its edges of the area between edge and the box's right
  side (signed area accumulation), folded by the fill rule. Where edges of one path cross within a
  box, it is an approximation.
- Strokes: exact for a straight edge at the distance of the nearest line, which makes round caps and
  joins, and no seam where a stroke crosses itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from text2art.raster import curves as _curves
from text2art.raster.scene import FillRule, Scene

# How many pairs of a pixel and a line are looked at at a time.
AT_ONCE = 2**22
# Lines shorter than this have no direction, in pixels.
SHORTEST = 1e-6
# A line is taken for nearer only if it is by this much (relative, and in square pixels), so that
# one of two that share their nearest point, a corner, is chosen alike by every way of computing.
NEARER = 1e-4
# As much of a pixel as tiles can cover side by side; a little is for rounding.
FULL = 1.001
# Edges narrower than this within a row, in boxes, are taken for vertical.
NARROW = 1e-5


def draw(scene: Scene, softness: float) -> Tensor:
    """Return a scene's picture on nothing, `(4, H, W)`, color multiplied by alpha.

    Args:
        scene: what to draw.
        softness: side of the box that coverage is averaged over, in pixels.
    """
    curves = _curves.clean(scene)
    lines = _curves.count_lines(curves, scene, reach=softness)
    tiled = _curves.tiled(curves, scene)
    # Everything is part of the graph, also where nothing of it is seen.
    nothing = 0 * (curves.points.sum() + curves.radius.sum() + curves.color.sum())
    picture = nothing.expand(4, scene.height, scene.width)
    ground = picture
    covered = picture.detach()[0].clone()
    for path, closed in enumerate(scene.layout.closed):
        vertices = _curves.flatten(curves.points, scene.layout, lines, path)
        radius = vertices.new_zeros(()) if closed else curves.radius[path]
        window = _window(scene, vertices, radius, softness)
        if window is None:
            continue
        left, top, right, bottom = window
        x = torch.arange(left, right, dtype=vertices.dtype, device=vertices.device) + 0.5
        y = torch.arange(top, bottom, dtype=vertices.dtype, device=vertices.device) + 0.5
        rows_at_once = max(1, AT_ONCE // (len(x) * len(vertices)))
        parts = [y[i : i + rows_at_once] for i in range(0, len(y), rows_at_once)]
        if closed:
            covers = [_again(fill, vertices, x, part, softness, scene.fill_rule) for part in parts]
        else:
            covers = [_again(stroke, vertices, radius, x, part, softness) for part in parts]
        cover = torch.cat(covers)
        paint = torch.cat([curves.color[path, :3], curves.color.new_ones(1)])[:, None, None]
        rows, columns = slice(top, bottom), slice(left, right)
        # Tiles replace what lay there before the first of them: see `kernels.tiles`.
        under = picture[:, rows, columns]
        if tiled[path]:
            first = covered[rows, columns] + cover.detach() > FULL
            under = torch.where(first, under, ground[:, rows, columns])
            ground = ground.clone()
            ground[:, rows, columns] = under
            covered[rows, columns] = torch.where(first, 0, covered[rows, columns]) + cover.detach()
        else:  # nothing lies beside what is no tile
            covered[rows, columns] = torch.where(cover > 0, FULL, covered[rows, columns])
        picture = picture.clone()
        picture[:, rows, columns] += cover * curves.color[path, 3] * (paint - under)
    return picture


def stroke(vertices: Tensor, radius: Tensor, x: Tensor, y: Tensor, softness: float) -> Tensor:
    """Return the coverage of pixels by a stroke, `(len(y), len(x))`.

    Args:
        vertices: `(M + 1, 2)`, its middle line.
        radius: half its width.
        x: centers of the columns.
        y: centers of the rows.
        softness: side of the pixels' box.
    """
    at = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)  # (H, W, 2)
    a, b = vertices[:-1], vertices[1:]
    with torch.no_grad():  # which line is nearest has no derivative
        squares = _offset(at[:, :, None], a, b).square().sum(dim=-1)
        least = squares.amin(dim=-1, keepdim=True)
        nearest = (squares <= least * (1 + NEARER) + NEARER).int().argmax(dim=-1)  # the first one
    a, b = a[nearest], b[nearest]
    square = _offset(at, a, b).square().sum(dim=-1)
    distance = torch.where(square > 0, square, 1).sqrt() * (square > 0)
    along = (b - a).abs()
    length = along.square().sum(dim=-1)
    directed = length > SHORTEST**2
    length = torch.where(directed, length, 1).sqrt()
    steep = torch.where(directed, along.amax(dim=-1) / length, 1.0)
    flat = torch.where(directed, along.amin(dim=-1) / length, 0.0)
    inner = edge((radius - distance) / softness, steep, flat)
    return inner - edge((-radius - distance) / softness, steep, flat)


def _offset(at: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return the vector to points from the nearest point of lines from `a` to `b`."""
    along = b - a
    square = along.square().sum(dim=-1)
    share = ((at - a) * along).sum(dim=-1) / torch.where(square > SHORTEST**2, square, 1)
    share = torch.where(square > SHORTEST**2, share, 0).clamp(0, 1)
    return at - a - share[..., None] * along


def edge(inside: Tensor, steep: Tensor, flat: Tensor) -> Tensor:
    """Return the area of a unit box on one side of a straight edge, in [0, 1].

    Args:
        inside: how far the box's center lies on that side.
        steep: the larger component of the edge's direction, of unit length, without its sign.
        flat: the smaller one.
    """
    outer, core = (steep + flat) / 2, (steep - flat) / 2
    size = inside.abs()
    slanted = size > core
    rest = (outer - size).clamp(min=0)
    corner = rest.square() / (2 * steep * torch.where(slanted & (flat > 0), flat, 1))
    return 0.5 + torch.where(slanted, inside.sign() * (0.5 - corner), inside / steep)


def fill(vertices: Tensor, x: Tensor, y: Tensor, softness: float, rule: FillRule) -> Tensor:
    """Return the coverage of pixels by a closed shape, `(len(y), len(x))`.

    Args:
        vertices: `(M + 1, 2)`, its outline, the last equal to the first.
        x: centers of the columns.
        y: centers of the rows.
        softness: side of the pixels' box.
        rule: which windings are inside.
    """
    (x0, y0), (x1, y1) = vertices[:-1].T, vertices[1:].T
    top, bottom = (y - softness / 2)[:, None], (y + softness / 2)[:, None]
    rise = torch.where(y1 != y0, y1 - y0, 1)
    # The part of each edge within each row, (H, M): by height, and between which x.
    enter, leave = _clamp(y0, top, bottom), _clamp(y1, top, bottom)
    first = x0 + (enter - y0) / rise * (x1 - x0)
    last = x1 + (leave - y1) / rise * (x1 - x0)
    right = (x + softness / 2)[None, :, None]
    mean = _mean_clamped((right - first[:, None]) / softness, (right - last[:, None]) / softness)
    winding = ((leave - enter)[:, None] / softness * mean).sum(dim=-1)
    # Next to an edge on a pixel's border the winding is 0, and yet about to change: its sign there
    # is that of the whole shape.
    around = (vertices[1:, 0] * vertices[:-1, 1] - vertices[:-1, 0] * vertices[1:, 1]).sum()
    turns = torch.where(winding == 0, around.detach().sign() * winding, winding.abs())
    if rule == "evenodd":
        turns = turns % 2
        return torch.where(turns > 1, 2 - turns, turns)
    return torch.where(turns > 1, 1, turns)


def _clamp(values: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Clamp; the slope at the limits is the mean of both sides."""
    return torch.maximum(torch.minimum(values, high), low)


def _mean_clamped(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean of clamp(u, 0, 1) over u between `a` and `b`."""
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    zero, one = a.new_zeros(()), a.new_ones(())
    below, above = _clamp(low, zero, one), _clamp(high, zero, one)
    span = high - low
    wide = span > NARROW
    area = torch.maximum(high, one) - torch.maximum(low, one)
    area = area + (above - below) * (above + below) / 2
    return torch.where(wide, area / torch.where(wide, span, 1), (below + above) / 2)


def _window(
    scene: Scene, vertices: Tensor, radius: Tensor, softness: float
) -> tuple[int, int, int, int] | None:
    """Return the pixels a path can touch: left, top, right, bottom; None when there are none."""
    reach = float(radius.detach()) + softness
    low = np.floor(vertices.detach().amin(dim=0).cpu().double().numpy() - reach)
    high = np.ceil(vertices.detach().amax(dim=0).cpu().double().numpy() + reach)
    size: NDArray[np.float64] = np.array([scene.width, scene.height], dtype=np.float64)
    (left, top), (right, bottom) = np.clip(low, 0, size), np.clip(high, 0, size)
    if left >= right or top >= bottom:
        return None
    return int(left), int(top), int(right), int(bottom)


def _again(function: Callable[..., Tensor], *arguments: object) -> Tensor:
    """Call a function whose inner results are not kept but computed again for gradients."""
    return checkpoint(function, *arguments, use_reentrant=False, preserve_rng_state=False)
