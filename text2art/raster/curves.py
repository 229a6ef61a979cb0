"""Scenes made safe to draw, and cut into straight lines. Shared by all backends.

Curves are never solved for their roots: a segment is evaluated at constant parameters, by a
constant Bernstein matrix, and what is drawn is the polyline through those points. Gradients to the
control points are exact for that polyline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from text2art.raster.scene import FAR, Layout, Scene

# How far, in pixels, a polyline may be from its curve, and the most lines of a segment.
TOLERANCE = 0.05
MOST_LINES = 128
NUMBER = np.uint64(2**20 - 1)  # more segments than that are not looked at for common edges
SPREAD = np.uint64(0x9E3779B97F4A7C15)  # odd, and its bits look random


@dataclass(frozen=True)
class Curves:
    """The numbers of a scene, finite and in range, with the graph of what was given.

    Attributes:
        points: `(P, 2)` in pixels.
        radius: `(n,)`, half the stroke width.
        color: `(n, 4)`; all zeros for paths that cannot be drawn.
    """

    points: Tensor
    radius: Tensor
    color: Tensor


def clean(scene: Scene) -> Curves:
    """Limit the numbers of a scene to what can be drawn; a path with a NaN or infinity is left out.

    What is changed has no gradient. Nothing here waits for a device.
    """
    points, width, color = scene.points, scene.stroke_width, scene.color
    if len(width) == 0 or (points.device.type == "cpu" and _is_clean(points, width, color)):
        return Curves(points, width / 2, color)
    path = _index(scene.layout.path_of_point, points)
    broken = torch.zeros(len(width), dtype=torch.int32, device=points.device)
    bad_point = (~torch.isfinite(points.detach()).all(dim=-1)).int()
    broken = broken.scatter_reduce(0, path, bad_point, "amax").bool()
    broken = broken | ~torch.isfinite(width) | ~torch.isfinite(color).all(dim=-1)
    points = _limit(torch.where(broken[path][:, None], 0.0, points), -FAR, FAR)
    radius = _limit(torch.where(broken, 0.0, width), 0.0, FAR) / 2
    color = _limit(torch.where(broken[:, None], 0.0, color), 0.0, 1.0)
    return Curves(points, radius, color)


def _is_clean(points: Tensor, width: Tensor, color: Tensor) -> bool:
    """Whether nothing need be changed; NaN fails every comparison."""
    p, w, c = (tensor.detach().float().numpy() for tensor in (points, width, color))
    return bool(
        -FAR <= p.min() <= p.max() <= FAR
        and 0 <= w.min() <= w.max() <= FAR
        and 0 <= c.min() <= c.max() <= 1
    )


def count_lines(curves: Curves, scene: Scene, *, reach: float) -> NDArray[np.int64]:
    """Choose how many lines each segment is cut into, `(S,)`.

    A chord's distance from a cubic is at most 3/4 of its largest second difference over the square
    of the number of lines. A segment that lies all on one side of the canvas needs but one: of a
    stroke nothing is seen, and of a fill only how far its ends reach up and down.

    Args:
        curves: of the scene.
        scene: whose canvas is meant.
        reach: how far beyond a path's edge pixels are touched, in pixels.
    """
    layout = scene.layout
    points, radius = (t.detach().cpu().float().numpy() for t in (curves.points, curves.radius))
    x, y = (np.ascontiguousarray(c)[layout.controls] for c in points.T)  # (4, S) each
    bend = [(c[:-2] - 2 * c[1:-1] + c[2:]) ** 2 for c in (x, y)]
    bend_most = np.sqrt((bend[0] + bend[1]).max(axis=0))
    lines = np.ceil(np.sqrt(bend_most * (0.75 / TOLERANCE))).clip(1, MOST_LINES)
    margin = reach + radius[layout.path_of_segment]
    unseen = (x.max(axis=0) < -margin) | (x.min(axis=0) > scene.width + margin)
    unseen |= (y.max(axis=0) < -margin) | (y.min(axis=0) > scene.height + margin)
    return np.where(unseen, 1, lines).astype(np.int64)


def tiled(curves: Curves, scene: Scene) -> NDArray[np.bool_]:
    """Say which fills are tiles, `(n,)`: they share a segment, run through in opposite directions.

    Shared means that ends are equal to the last bit. Shapes that are moved apart are tiles no more.
    """
    layout = scene.layout
    found = np.zeros(len(layout.closed), dtype=bool)
    fills = layout.closed[layout.path_of_segment]
    if not fills.any() or len(fills) > NUMBER:
        return found
    points = curves.points.detach().cpu().float().numpy() + np.float32(0)  # no minus zero
    coordinates = np.ascontiguousarray(points.T)
    controls = layout.controls[:, fills]
    x, y = (row[controls] for row in coordinates)  # (4, S) each
    start, end = _digest(x[0], y[0]), _digest(x[3], y[3])
    # Sorted with their numbers in the low bits: half the time of sorting numbers by digests.
    number = np.arange(len(start), dtype=np.uint64)
    there = np.sort((start * SPREAD + end) & ~NUMBER | number)
    back = np.sort((end * SPREAD + start) & ~NUMBER | number)
    nearest = there[np.searchsorted(there[:-1], back & ~NUMBER)]
    own, other = (back & NUMBER).astype(np.int64), (nearest & NUMBER).astype(np.int64)
    shared = (nearest & ~NUMBER == back & ~NUMBER) & (own != other)
    # Between their ends curves need not be so exact: a line may have been raised either way.
    for row in (x, y):
        shared &= np.abs(row[1, own] - row[2, other]) < TOLERANCE
        shared &= np.abs(row[2, own] - row[1, other]) < TOLERANCE
    found[layout.path_of_segment[fills][own[shared]]] = True
    return found


def _digest(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return a number for each point that is another for another."""
    bits = x.view(np.uint32).astype(np.uint64) << np.uint64(32) | y.view(np.uint32)
    bits = bits * SPREAD  # it wraps around on purpose
    return np.asarray(bits ^ bits >> np.uint64(29), dtype=np.uint64)


def flatten(points: Tensor, layout: Layout, lines: NDArray[np.int64], path: int) -> Tensor:
    """Return the polyline of a path, `(M + 1, 2)` for M lines, differentiably.

    Args:
        points: `(P, 2)` of the whole scene.
        layout: of the scene.
        lines: `(S,)`, how many lines each segment of the scene is cut into.
        path: which path.
    """
    first, last = layout.first_segment[path], layout.first_segment[path + 1]
    rows = [
        bernstein(int(lines[s]), points)[:-1] @ points[layout.controls[:, s]]
        for s in range(first, last)
    ]
    end = points[int(layout.controls[3, last - 1])]
    return torch.cat([*rows, end[None]])


def bernstein(lines: int, like: Tensor) -> Tensor:
    """Return the weights of a cubic's controls at the ends of equal steps, `(lines + 1, 4)`."""
    t = torch.arange(lines + 1, dtype=like.dtype, device=like.device) / lines
    s = 1 - t
    return torch.stack([s**3, 3 * s**2 * t, 3 * s * t**2, t**3], dim=-1)


def _limit(values: Tensor, low: float, high: float) -> Tensor:
    """Clamp, with a gradient at the limits themselves: opaque is 1, and stays adjustable."""
    return torch.where(values < low, low, torch.where(values > high, high, values))


def _index(index: NDArray[np.int64], like: Tensor) -> Tensor:
    # Not by way of pinned memory, as `runtime.move`: a CUDA graph reads it again at each replay.
    return torch.from_numpy(index).to(like.device, non_blocking=True)
