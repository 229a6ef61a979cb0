"""Coverage of strokes by the distance to their nearest line, and its gradients.

Gradients follow `reference.stroke`, where they are explained. Where on its line the nearest point
lies needs no derivative (envelope theorem), and neither does which line is nearest.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from text2art.raster.kernels.compiling import BLOCK, Scalar, compiled

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Lines = NDArray[np.int32]

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
DIAGONAL = np.float32(0.70711)  # half a unit box's diagonal
FARTHEST = np.float32(3e38)
SHORTEST2 = np.float32(1e-12)
NEARER, NEARER_BY = np.float32(1 - 1e-4), np.float32(1e-4)
NO_LINE = np.int32(-1)
SLACK = np.float32(0.02)
LEVEL = np.float32(1e-3)


@compiled
def strip(
    vertices: Floats, v: int, begin: int, end: int, reach: Scalar
) -> tuple[Scalar, Scalar, Scalar, Scalar, Scalar, Scalar]:
    """Return the strip beside a line that holds all pixels it may be the nearest to.

    Such a pixel lies beside the line itself, or, where the path turns, in the wedge of a corner,
    which is left to the line before it; or in a cap.

    Args:
        vertices: `(V, 2)`.
        v: where the line begins.
        begin: first vertex of the path.
        end: end of its vertices.
        reach: how far from the line pixels are touched.

    Returns:
        Its direction (x, y), where along that it begins and ends, measured from the line's start,
        and the range of y it covers, measured from there too.
    """
    ex, ey = vertices[v + 1, 0] - vertices[v, 0], vertices[v + 1, 1] - vertices[v, 1]
    square = ex * ex + ey * ey
    ux, uy, length = ONE, ZERO, ZERO
    # A little more than exact, for pixels that are as near to the next line, within NEARER.
    before, after = SLACK, SLACK * (ONE + reach)
    if square > SHORTEST2:
        length = math.sqrt(square)
        ux, uy = ex / length, ey / length
        if v == begin:
            before = reach
        if v + 2 == end:
            after = reach
        else:
            fx, fy = (
                vertices[v + 2, 0] - vertices[v + 1, 0],
                vertices[v + 2, 1] - vertices[v + 1, 1],
            )
            other = fx * fx + fy * fy
            if other <= SHORTEST2 or ux * fx + uy * fy <= ZERO:
                after = reach
            else:
                after += reach * abs(ux * fy - uy * fx) / math.sqrt(other)
    else:
        before, after = reach, reach
    low, high = -before * uy, (length + after) * uy
    beside = reach * abs(ux)
    return ux, uy, -before, length + after, min(low, high) - beside, max(low, high) + beside


@compiled
def sides(
    ux: Scalar, uy: Scalar, begin: Scalar, end: Scalar, reach: Scalar
) -> tuple[Scalar, Scalar, Scalar, Scalar, Scalar]:
    """Return where a strip lies in the row through its line's start, and how that shifts per row.

    Returns:
        The range of x between its ends: from, to, and the shift; and that between its sides: half
        its width, and the shift. Endless where they do not cut the row.
    """
    end0, end1, end_shift = -FARTHEST, FARTHEST, ZERO
    if abs(ux) > LEVEL:
        end0, end1 = min(begin / ux, end / ux), max(begin / ux, end / ux)
        end_shift = -uy / ux
    half, side_shift = FARTHEST, ZERO
    if abs(uy) > LEVEL:
        half, side_shift = reach / abs(uy), ux / uy
    return end0, end1, end_shift, half, side_shift


@compiled
def spans(
    vertices: Floats,
    first: Ints,
    closed: Bools,
    radius: Floats,
    softness: Scalar,
    top: Ints,
    rows: Ints,
    width: int,
    low: Ints,
    high: Ints,
    strips: Floats,
    start: int,
    stop: int,
) -> None:
    """Write the columns that each row of a stroke can touch, and the strips of its lines."""
    for p in range(start, stop):
        if closed[p]:
            continue
        reach = radius[p] + softness * DIAGONAL
        count = rows[p + 1] - rows[p]
        left, right = low[rows[p] : rows[p + 1]], high[rows[p] : rows[p + 1]]
        left[:], right[:] = width, 0
        for v in range(first[p], first[p + 1] - 1):
            ax, ay = vertices[v, 0] - HALF, vertices[v, 1] - HALF - np.float32(top[p])
            ux, uy, begin, end, y0, y1 = strip(vertices, v, first[p], first[p + 1], reach)
            end0, end1, end_shift, half, side_shift = sides(ux, uy, begin, end, reach)
            known = strips[v]
            known[0], known[1], known[2], known[3], known[4] = (
                end0,
                end1,
                end_shift,
                half,
                side_shift,
            )
            known[5], known[6] = y0, y1
            known[7], known[8] = max(abs(ux), abs(uy)), min(abs(ux), abs(uy))
            for j in range(max(math.ceil(ay + y0), 0), min(math.floor(ay + y1) + 1, count)):
                y = np.float32(j) - ay
                x0 = max(end0 + y * end_shift, y * side_shift - half)
                x1 = min(end1 + y * end_shift, y * side_shift + half)
                if x0 <= x1:
                    left[j] = min(left[j], max(math.ceil(ax + x0), 0))
                    right[j] = max(right[j], min(math.floor(ax + x1) + 1, width))


@compiled
def edge(inside: Scalar, steep: Scalar, flat: Scalar) -> Scalar:
    """Return the area of a unit box on one side of a straight edge: see `reference.edge`."""
    outer, core = (steep + flat) * HALF, (steep - flat) * HALF
    size = abs(inside)
    if size <= core:
        return HALF + inside / steep
    if size >= outer:
        return ONE if inside > ZERO else ZERO
    rest = outer - size
    corner = rest * rest / (TWO * steep * flat)
    return ONE - corner if inside > ZERO else corner


@compiled
def edge_slopes(inside: Scalar, steep: Scalar, flat: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """Return the derivatives of `edge` by its three arguments."""
    outer, core = (steep + flat) * HALF, (steep - flat) * HALF
    size = abs(inside)
    if size <= core:
        return ONE / steep, -inside / (steep * steep), ZERO
    if size >= outer:
        return ZERO, ZERO, ZERO
    share = (outer - size) / (steep * flat)
    side = ONE if inside > ZERO else -ONE
    turn = side * HALF * share
    return share, turn * (share * flat - ONE), turn * (share * steep - ONE)


@compiled
def cover(
    vertices: Floats,
    first: Ints,
    closed: Bools,
    radius: Floats,
    softness: Scalar,
    top: Ints,
    rows: Ints,
    low: Ints,
    high: Ints,
    at: Ints,
    strips: Floats,
    coverage: Floats,
    nearest: Lines,
    start: int,
    stop: int,
) -> None:
    """Write the coverage of all pixels in the rows of strokes, and their nearest lines."""
    for p in range(start, stop):
        if closed[p]:
            continue
        r = radius[p]
        reach = r + softness * DIAGONAL
        count = rows[p + 1] - rows[p]
        path_at = at[rows[p] : rows[p + 1] + 1]
        path_low = low[rows[p] : rows[p + 1]]
        coverage[path_at[0] : path_at[count]] = FARTHEST
        nearest[path_at[0] : path_at[count]] = NO_LINE
        for v in range(first[p], first[p + 1] - 1):
            ax, ay = vertices[v, 0] - HALF, vertices[v, 1] - HALF - np.float32(top[p])
            ex, ey = vertices[v + 1, 0] - vertices[v, 0], vertices[v + 1, 1] - vertices[v, 1]
            square = ex * ex + ey * ey
            known = strips[v]
            end0, end1, end_shift, half, side_shift = (
                known[0],
                known[1],
                known[2],
                known[3],
                known[4],
            )
            y0, y1 = known[5], known[6]
            scale = ONE / square if square > SHORTEST2 else ZERO
            line = np.int32(v)
            for j in range(max(math.ceil(ay + y0), 0), min(math.floor(ay + y1) + 1, count)):
                qy = np.float32(j) - ay
                x0 = max(end0 + qy * end_shift, qy * side_shift - half)
                x1 = min(end1 + qy * end_shift, qy * side_shift + half)
                size = path_at[j + 1] - path_at[j]
                left = max(math.ceil(ax + x0) - path_low[j], 0) // BLOCK * BLOCK
                right = min(math.floor(ax + x1) - path_low[j] + BLOCK, size) // BLOCK * BLOCK
                squares = coverage[path_at[j] + left : path_at[j] + right]
                owners = nearest[path_at[j] + left : path_at[j] + right]
                first_x = np.float32(path_low[j] + left) - ax
                qy_ey = qy * ey
                for x in range(right - left):
                    qx = first_x + np.float32(x)
                    t = min(max((qx * ex + qy_ey) * scale, ZERO), ONE)
                    vx, vy = qx - t * ex, qy - t * ey
                    found, best = vx * vx + vy * vy, squares[x]
                    nearer = found < best * NEARER - NEARER_BY
                    squares[x] = found if nearer else best
                    owners[x] = line if nearer else owners[x]
        full, per_softness = max(r - softness * DIAGONAL, ZERO), ONE / softness
        for k in range(at[rows[p]], at[rows[p + 1]]):
            square = coverage[k]
            if square >= reach * reach:
                coverage[k], nearest[k] = ZERO, NO_LINE
            elif square < full * full:
                coverage[k], nearest[k] = ONE, NO_LINE
            else:
                d = math.sqrt(square)
                steep, flat = strips[nearest[k], 7], strips[nearest[k], 8]
                coverage[k] = edge((r - d) * per_softness, steep, flat)
                if r + d < softness * DIAGONAL:  # the far edge is within the box too
                    coverage[k] -= edge((-r - d) * per_softness, steep, flat)


@compiled
def backward(
    vertices: Floats,
    first: Ints,
    closed: Bools,
    radius: Floats,
    softness: Scalar,
    top: Ints,
    rows: Ints,
    low: Ints,
    high: Ints,
    at: Ints,
    strips: Floats,
    nearest: Lines,
    grad: Floats,
    turn: Floats,
    grad_vertices: Floats,
    grad_radius: Floats,
    start: int,
    stop: int,
) -> None:
    """Add up gradients of the coverage at vertices, zeros before, and write those of radii.

    `grad` is that of the coverage; `turn` `(V,)`, zeros, is working space: how much the turning of
    each line changes coverage.
    """
    for p in range(start, stop):
        if closed[p]:
            continue
        r, total, per_softness = radius[p], ZERO, ONE / softness
        for i in range(rows[p], rows[p + 1]):
            y = np.float32(top[p] + i - rows[p]) + HALF
            for x in range(low[i], high[i]):
                k = at[i] + x - low[i]
                v = nearest[k]
                g = grad[k] * per_softness
                if v < 0 or g == ZERO:
                    continue
                ax, ay = vertices[v, 0], vertices[v, 1]
                ex, ey = vertices[v + 1, 0] - ax, vertices[v + 1, 1] - ay
                square = ex * ex + ey * ey
                qx, qy = np.float32(x) + HALF - ax, y - ay
                t = ZERO
                if square > SHORTEST2:
                    t = min(max((qx * ex + qy * ey) / square, ZERO), ONE)
                vx, vy = qx - t * ex, qy - t * ey
                d = math.sqrt(vx * vx + vy * vy)
                steep, flat = strips[v, 7], strips[v, 8]
                slope, by_steep, by_flat = edge_slopes((r - d) * per_softness, steep, flat)
                other = less_steep = less_flat = ZERO
                if r + d < softness * DIAGONAL:
                    other, less_steep, less_flat = edge_slopes((-r - d) * per_softness, steep, flat)
                total += g * (slope + other)
                if d > ZERO:
                    g_d = g * (other - slope) / d
                    gx, gy = g_d * vx, g_d * vy
                    grad_vertices[v, 0] -= (ONE - t) * gx
                    grad_vertices[v, 1] -= (ONE - t) * gy
                    grad_vertices[v + 1, 0] -= t * gx
                    grad_vertices[v + 1, 1] -= t * gy
                turn[v] += grad[k] * (
                    flat * (by_steep - less_steep) - steep * (by_flat - less_flat)
                )
        grad_radius[p] = total
        for v in range(first[p], first[p + 1] - 1):
            ex = vertices[v + 1, 0] - vertices[v, 0]
            ey = vertices[v + 1, 1] - vertices[v, 1]
            square = ex * ex + ey * ey
            if square <= SHORTEST2:
                continue
            # The direction's parts change only by turning: one number for both.
            g = turn[v] / math.sqrt(square)
            larger, smaller = g * strips[v, 8], -g * strips[v, 7]
            gx, gy = (larger, smaller) if abs(ex) >= abs(ey) else (smaller, larger)
            gx, gy = gx * np.sign(ex), gy * np.sign(ey)
            grad_vertices[v, 0] -= gx
            grad_vertices[v, 1] -= gy
            grad_vertices[v + 1, 0] += gx
            grad_vertices[v + 1, 1] += gy
