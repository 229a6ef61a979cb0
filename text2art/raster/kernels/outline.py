"""Polylines of paths, the rows they touch, and gradients back to control points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from text2art.raster.kernels.compiling import compiled

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

ONE, THREE = np.float32(1), np.float32(3)


@compiled
def flatten(
    points: Floats,
    controls: Ints,
    lines: Ints,
    first_line: Ints,
    out: Floats,
    start: int,
    stop: int,
) -> None:
    """Write the vertices of the segments `start` to `stop`."""
    for s in range(start, stop):
        n = lines[s]
        step = ONE / np.float32(n)
        i0, i1, i2, i3 = controls[0, s], controls[1, s], controls[2, s], controls[3, s]
        at = first_line[s]
        for j in range(n):
            t = np.float32(j) * step
            r = ONE - t
            w0, w1, w2, w3 = r * r * r, THREE * r * r * t, THREE * r * t * t, t * t * t
            for c in range(2):
                inner = w1 * points[i1, c] + w2 * points[i2, c]
                out[at + j, c] = w0 * points[i0, c] + inner + w3 * points[i3, c]
        # The end; the next segment of the path writes the same point there.
        out[at + n, 0], out[at + n, 1] = points[i3, 0], points[i3, 1]


@compiled
def unflatten(
    grad_vertices: Floats,
    controls: Ints,
    lines: Ints,
    first_line: Ints,
    out: Floats,
    start: int,
    stop: int,
) -> None:
    """Add up the gradients of vertices at the control points, which are zeros before.

    Segments from `start` to `stop` are those of whole paths. A vertex that two segments share is
    counted with the one that begins there.
    """
    for s in range(start, stop):
        n = lines[s]
        step = ONE / np.float32(n)
        at = first_line[s]
        last = s + 1 == stop or first_line[s + 1] != at + n
        for c in range(2):
            g0 = g1 = g2 = g3 = np.float32(0)
            for j in range(n):
                t = np.float32(j) * step
                r = ONE - t
                g = grad_vertices[at + j, c]
                g0 += g * (r * r * r)
                g1 += g * (THREE * r * r * t)
                g2 += g * (THREE * r * t * t)
                g3 += g * (t * t * t)
            if last:
                g3 += grad_vertices[at + n, c]
            out[controls[0, s], c] += g0
            out[controls[1, s], c] += g1
            out[controls[2, s], c] += g2
            out[controls[3, s], c] += g3
