"""Exact coverage of filled shapes by signed areas of their edges, and its gradients.

An edge adds, to every pixel of the rows it passes, the area between itself and the right side of
the pixel's box. Right of the edge that is its height within the row, for all pixels alike, so rows
are kept as differences from pixel to pixel and summed up in the end.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from text2art.raster.kernels.compiling import Scalar, compiled

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Signs = NDArray[np.int32]

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
NARROW = np.float32(1e-4)


@compiled
def part(
    ax: Scalar,
    ay: Scalar,
    bx: Scalar,
    by: Scalar,
    above: Scalar,
    below: Scalar,
) -> tuple[Scalar, Scalar, Scalar, Scalar, Scalar]:
    """Cut an edge to a row: its height there with sign, both x, and both shares of its length.

    A share is 0 or 1 where the edge itself begins or ends within the row.
    """
    y0, y1 = min(max(ay, above), below), min(max(by, above), below)
    t0, t1 = ZERO, ONE
    if y0 != ay:
        t0 = (y0 - ay) / (by - ay) if by != ay else ZERO
    if y1 != by:
        t1 = (y1 - ay) / (by - ay) if by != ay else ONE
    return y1 - y0, ax + t0 * (bx - ax), ax + t1 * (bx - ax), t0, t1


@compiled
def spans(
    vertices: Floats,
    first: Ints,
    closed: Bools,
    softness: Scalar,
    top: Ints,
    rows: Ints,
    width: int,
    low: Ints,
    high: Ints,
    start: int,
    stop: int,
) -> None:
    """Write the columns that each row of a fill can touch."""
    half = softness * HALF
    for p in range(start, stop):
        if not closed[p]:
            continue
        count = rows[p + 1] - rows[p]
        for i in range(rows[p], rows[p + 1]):
            low[i], high[i] = width, 0
        for v in range(first[p], first[p + 1] - 1):
            ax, ay, bx, by = vertices[v, 0], vertices[v, 1], vertices[v + 1, 0], vertices[v + 1, 1]
            begin = max(math.ceil(min(ay, by) - half - HALF) - top[p], 0)
            end = min(math.floor(max(ay, by) + half - HALF) + 1 - top[p], count)
            for j in range(begin, end):
                y = np.float32(top[p] + j) + HALF
                _, x0, x1, _, _ = part(ax, ay, bx, by, y - half, y + half)
                i = rows[p] + j
                left = math.ceil(min(x0, x1) - half - HALF)
                right = math.floor(max(x0, x1) + half - HALF) + 1
                low[i] = min(low[i], min(max(left, 0), width))
                high[i] = max(high[i], max(min(right, width), 0))


@compiled
def cover(
    vertices: Floats,
    first: Ints,
    closed: Bools,
    softness: Scalar,
    even_odd: bool,
    top: Ints,
    rows: Ints,
    low: Ints,
    high: Ints,
    at: Ints,
    coverage: Floats,
    signs: Signs,
    start: int,
    stop: int,
) -> None:
    """Write the coverage of all pixels in the rows of fills, and its signs."""
    half, per_softness = softness * HALF, ONE / softness
    for p in range(start, stop):
        if not closed[p]:
            continue
        count = rows[p + 1] - rows[p]
        for k in range(at[rows[p]], at[rows[p + 1]]):
            coverage[k] = ZERO
        for v in range(first[p], first[p + 1] - 1):
            ax, ay, bx, by = vertices[v, 0], vertices[v, 1], vertices[v + 1, 0], vertices[v + 1, 1]
            begin = max(math.ceil(min(ay, by) - half - HALF) - top[p], 0)
            end = min(math.floor(max(ay, by) + half - HALF) + 1 - top[p], count)
            for j in range(begin, end):
                y = np.float32(top[p] + j) + HALF
                height, x0, x1, _, _ = part(ax, ay, bx, by, y - half, y + half)
                if height == ZERO:
                    continue
                height *= per_softness
                per_wide = inverse_width(x0, x1, per_softness)
                i = rows[p] + j
                base = at[i] - low[i]
                left = max(math.floor(min(x0, x1) - half - HALF) + 1, low[i])
                right = max(math.ceil(max(x0, x1) + half - HALF), low[i])
                for x in range(left, min(right, high[i])):
                    side = np.float32(x) + HALF + half
                    u0, u1 = (side - x0) * per_softness, (side - x1) * per_softness
                    area = height * mean(u0, u1, per_wide)
                    coverage[base + x] += area
                    if x + 1 < high[i]:
                        coverage[base + x + 1] -= area
                if right < high[i]:
                    coverage[base + right] += height
        outside = 1 if orientation(vertices, first[p], first[p + 1]) > ZERO else -1
        for i in range(rows[p], rows[p + 1]):
            winding = ZERO
            for k in range(at[i], at[i] + high[i] - low[i]):
                winding += coverage[k]
                turns = abs(winding)
                # Next to an edge on the pixel's border the winding is 0, and yet about to change.
                sign = outside
                if winding != ZERO:
                    sign = 1 if winding > ZERO else -1
                if even_odd:
                    turns -= TWO * np.float32(math.floor(turns * HALF))
                    if turns > ONE:
                        turns, sign = TWO - turns, -sign
                elif turns > ONE:
                    turns, sign = ONE, 0
                coverage[k], signs[k] = turns, sign
            coverage[at[i] + high[i] - low[i] : at[i + 1]] = ZERO


@compiled
def within(value: Scalar, low: Scalar, high: Scalar) -> Scalar:
    """Return the slope of clamp(value, low, high), at the limits the mean of both sides."""
    if low < value < high:
        return ONE
    return ZERO if value < low or value > high else HALF


@compiled
def orientation(vertices: Floats, begin: int, end: int) -> Scalar:
    """Return twice the area of a closed polyline, with the sign of its sense of rotation."""
    area = ZERO
    ax, ay = vertices[begin, 0], vertices[begin, 1]
    for v in range(begin, end - 1):
        ux, uy = vertices[v, 0] - ax, vertices[v, 1] - ay
        wx, wy = vertices[v + 1, 0] - ax, vertices[v + 1, 1] - ay
        area -= ux * wy - uy * wx
    return area


@compiled
def sloped(u0: Scalar, per_wide: Scalar) -> tuple[Scalar, Scalar]:
    """Return from where to where on the way from `u0`, in shares of it, clamp(u, 0, 1) rises.

    `per_wide` is one over the way. No difference of means is as exact: over a short way they are
    all rounding.
    """
    s0 = min(max(-u0 * per_wide, ZERO), ONE)
    s1 = min(max((ONE - u0) * per_wide, ZERO), ONE)
    return min(s0, s1), max(s0, s1)


@compiled
def mean(u0: Scalar, u1: Scalar, per_wide: Scalar) -> Scalar:
    """Return the mean of clamp(u, 0, 1) over u from `u0` to `u1`.

    `per_wide` is one over u1 - u0, or 0 where that is next to none.
    """
    c0, c1 = min(max(u0, ZERO), ONE), min(max(u1, ZERO), ONE)
    if per_wide == ZERO:
        return (c0 + c1) * HALF
    begin, end = sloped(u0, per_wide)
    return c0 * begin + (c0 + c1) * HALF * (end - begin) + c1 * (ONE - end)


@compiled
def inverse_width(x0: Scalar, x1: Scalar, per_softness: Scalar) -> Scalar:
    """Return one over u1 - u0 of an edge, of all pixels alike; 0 if it is taken for vertical."""
    wide = (x0 - x1) * per_softness
    return ONE / wide if abs(wide) > NARROW else ZERO


@compiled
def backward(
    vertices: Floats,
    first: Ints,
    closed: Bools,
    softness: Scalar,
    top: Ints,
    rows: Ints,
    low: Ints,
    high: Ints,
    at: Ints,
    signs: Signs,
    grad: Floats,
    grad_vertices: Floats,
    start: int,
    stop: int,
) -> None:
    """Add up gradients of the coverage at vertices, which are zeros before.

    What is in `grad`, of the coverage, becomes sums from each pixel to its row's end.
    """
    half, per_softness = softness * HALF, ONE / softness
    for p in range(start, stop):
        if not closed[p]:
            continue
        count = rows[p + 1] - rows[p]
        for i in range(rows[p], rows[p + 1]):
            rest = ZERO
            for k in range(at[i] + high[i] - low[i] - 1, at[i] - 1, -1):
                rest += grad[k] * np.float32(signs[k])
                grad[k] = rest
        for v in range(first[p], first[p + 1] - 1):
            ax, ay, bx, by = vertices[v, 0], vertices[v, 1], vertices[v + 1, 0], vertices[v + 1, 1]
            slope = (bx - ax) / (by - ay) if by != ay else ZERO
            gax = gay = gbx = gby = ZERO
            begin = max(math.ceil(min(ay, by) - half - HALF) - top[p], 0)
            end = min(math.floor(max(ay, by) + half - HALF) + 1 - top[p], count)
            for j in range(begin, end):
                y = np.float32(top[p] + j) + HALF
                height, x0, x1, t0, t1 = part(ax, ay, bx, by, y - half, y + half)
                within0, within1 = within(ay, y - half, y + half), within(by, y - half, y + half)
                if height == ZERO and within0 == ZERO and within1 == ZERO:
                    continue
                i = rows[p] + j
                base = at[i] - low[i]
                # Pixels that are but touched count too: they are about to be covered.
                left = max(math.ceil(min(x0, x1) - half - HALF), low[i])
                right = max(math.floor(max(x0, x1) + half - HALF) + 1, low[i])
                by_height = grad[base + right] if right < high[i] else ZERO
                by_x0 = by_x1 = ZERO
                per_wide = inverse_width(x0, x1, per_softness)
                for x in range(left, min(right, high[i])):
                    k = base + x
                    g = grad[k] - (grad[k + 1] if x + 1 < high[i] else ZERO)
                    side = np.float32(x) + HALF + half
                    u0, u1 = (side - x0) * per_softness, (side - x1) * per_softness
                    area = mean(u0, u1, per_wide)
                    by_height += g * area
                    if per_wide != ZERO:
                        # The slope of the mean is that of clamp, weighed by how far along the edge.
                        rises, levels = sloped(u0, per_wide)
                        inner, later = levels - rises, (rises + levels) * HALF
                        by_x0 -= g * inner * (ONE - later)
                        by_x1 -= g * inner * later
                    else:
                        half_g = g * HALF * within((u0 + u1) * HALF, ZERO, ONE)
                        by_x0 -= half_g
                        by_x1 -= half_g
                by_height *= per_softness
                by_x0 *= height * per_softness * per_softness
                by_x1 *= height * per_softness * per_softness
                # Where an end lies within the row, it is the vertex; else it slides along the edge.
                slide0, slide1 = (ONE - within0) * by_x0 * slope, (ONE - within1) * by_x1 * slope
                gax += by_x0 * (ONE - t0) + by_x1 * (ONE - t1)
                gbx += by_x0 * t0 + by_x1 * t1
                gay -= by_height * within0 + slide0 * (ONE - t0) + slide1 * (ONE - t1)
                gby += by_height * within1 - slide0 * t0 - slide1 * t1
            grad_vertices[v, 0] += gax
            grad_vertices[v, 1] += gay
            grad_vertices[v + 1, 0] += gbx
            grad_vertices[v + 1, 1] += gby
