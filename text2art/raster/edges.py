"""Which fills have edges in common, found on the device: as `curves.tiled` does on the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from text2art.raster import curves as _curves
from text2art.raster.scene import Layout

NUMBER = int(_curves.NUMBER)
SPREAD = int(_curves.SPREAD) - 2**64  # the same bits, signed; products wrap around


@dataclass(frozen=True)
class Edges:
    """The segments of fills: `controls` (4, F), and the path of each, `path` (F,)."""

    controls: Tensor
    path: Tensor


def edges(layout: Layout, device: Any) -> Edges | None:
    """Return the segments of a layout's fills, or None where they are too many to look at."""
    fills = layout.closed[layout.path_of_segment]
    if np.count_nonzero(fills) > NUMBER:
        return None
    controls, path = layout.controls[:, fills], layout.path_of_segment[fills]
    return Edges(
        torch.from_numpy(np.ascontiguousarray(controls)).to(device),
        torch.from_numpy(np.ascontiguousarray(path)).to(device),
    )


def tiled(points: Tensor, edges: Edges, paths: int) -> Tensor:
    """Say which fills are tiles, `(n,)` int32: see `curves.tiled`.

    Args:
        points: `(P, 2)` float32, safe to draw.
        edges: the segments of fills.
        paths: n, their number and that of strokes.
    """
    x, y = ((points[:, axis] + 0.0)[edges.controls] for axis in (0, 1))  # no minus zero
    start, end = _digest(x[0], y[0]), _digest(x[3], y[3])
    number = torch.arange(start.shape[0], device=points.device)
    there = ((start * SPREAD + end) & ~NUMBER | number).sort().values
    back = (end * SPREAD + start) & ~NUMBER
    nearest = there[torch.searchsorted(there[:-1], back)]
    other = nearest & NUMBER
    shared = (nearest & ~NUMBER == back) & (number != other)
    for row in (x, y):
        shared = shared & ((row[1] - row[2, other]).abs() < _curves.TOLERANCE)
        shared = shared & ((row[2] - row[1, other]).abs() < _curves.TOLERANCE)
    found = torch.zeros(paths, dtype=torch.int32, device=points.device)
    return found.scatter_reduce(0, edges.path, shared.int(), "amax")


def _digest(x: Tensor, y: Tensor) -> Tensor:
    """Return a number for each point that is another for another."""
    low = y.contiguous().view(torch.int32).long() & 0xFFFFFFFF
    bits = (x.contiguous().view(torch.int32).long() << 32 | low) * SPREAD
    return bits ^ bits >> 29
