"""Coverage of a tile's pixels by a fill, and its gradients: see `reference.fill`."""

from __future__ import annotations

import triton
import triton.language as tl

from text2art.raster.gpu.numbers import LINES, TILE, add, clamped, ends, within

NARROW = tl.constexpr(1e-4)  # edges narrower within a row, in boxes, are taken for vertical


@triton.jit
def _seen(ax, ay, bx, by, x, y, half):
    """Which edges pass the tile's rows, in it or left of it."""
    seen = tl.minimum(ax, bx) - half <= tl.max(x, 0)
    seen = seen & (tl.maximum(ay, by) >= tl.min(y, 0) - half)
    return seen & (tl.minimum(ay, by) <= tl.max(y, 0) + half)


@triton.jit
def _cut(ax, ay, bx, by, y, half):
    """Cut edges to rows, (rows, lines): see `kernels.fills.part`.

    Returns:
        The height within the row with its sign, both x, both shares of the length, and for both
        ends whether they lie within the row (1), on its border (1/2), or beyond (0).
    """
    above, below = (y - half)[:, None], (y + half)[:, None]
    ax, ay, bx, by = ax[None, :], ay[None, :], bx[None, :], by[None, :]
    y0 = tl.minimum(tl.maximum(ay, above), below)
    y1 = tl.minimum(tl.maximum(by, above), below)
    rise = tl.where(by != ay, by - ay, 1.0)
    t0 = tl.where((y0 != ay) & (by != ay), (y0 - ay) / rise, 0.0)
    t1 = tl.where((y1 != by) & (by != ay), (y1 - ay) / rise, 1.0)
    x0, x1 = ax + t0 * (bx - ax), ax + t1 * (bx - ax)
    return y1 - y0, x0, x1, t0, t1, within(ay, above, below), within(by, above, below)


@triton.jit
def _sloped(u0, per_wide):
    """Return from where to where on the way from `u0`, in shares of it, clamp(u, 0, 1) rises.

    `per_wide` is one over the way. No difference of means is as exact: over a short way they are
    all rounding.
    """
    s0, s1 = clamped(-u0 * per_wide), clamped((1 - u0) * per_wide)
    return tl.minimum(s0, s1), tl.maximum(s0, s1)


@triton.jit
def _mean(u0, u1, per_wide):
    """Return the mean of clamp(u, 0, 1) over u from `u0` to `u1`, given one over u1 - u0."""
    c0, c1 = clamped(u0), clamped(u1)
    start, stop = _sloped(u0, per_wide)
    mean = c0 * start + (c0 + c1) * 0.5 * (stop - start) + c1 * (1 - stop)
    return tl.where(per_wide == 0, (c0 + c1) * 0.5, mean)


@triton.jit
def _per_wide(x0, x1, softness):
    """Return one over u1 - u0 of an edge, of all pixels alike; 0 if it is taken for vertical."""
    wide = (x0 - x1) / softness
    return tl.where(tl.abs(wide) > NARROW, 1 / tl.where(tl.abs(wide) > NARROW, wide, 1.0), 0.0)


@triton.jit
def _areas(x0, x1, x, half, softness):
    """Return, (rows, columns, lines), the mean of both ends' shares, and these, unclamped."""
    side = (x + half)[None, :, None]
    u0, u1 = (side - x0[:, None, :]) / softness, (side - x1[:, None, :]) / softness
    return _mean(u0, u1, _per_wide(x0, x1, softness)[:, None, :]), u0, u1


@triton.jit
def cover_by_fill(
    vertices,
    slot,
    count,
    around,
    x,
    y,
    softness,
    even_odd,
):
    """Return the coverage of pixels, and how it follows the winding number.

    The latter is 2 where it rises with it, 0 where it falls, 1 where it does neither.

    Args:
        vertices: of all paths.
        slot: where the path begins among them.
        count: how many lines it has.
        around: its sense of rotation.
        x: centers of the tile's columns.
        y: centers of its rows.
        softness: side of the pixels' box.
        even_odd: whether that is the fill rule.
    """
    half = softness * 0.5
    winding = tl.full([TILE, TILE], 0.0, tl.float32)
    for start in range(0, count, LINES):
        line = start + tl.arange(0, LINES)
        ax, ay, bx, by, there = ends(vertices, slot, line, count)
        there = there & _seen(ax, ay, bx, by, x, y, half)
        if tl.max(there.to(tl.int32), 0) > 0:
            height, x0, x1, _, _, _, _ = _cut(ax, ay, bx, by, y, half)
            height = tl.where(there[None, :], height / softness, 0.0)
            area, _, _ = _areas(x0, x1, x, half, softness)
            winding += tl.sum(height[:, None, :] * area, 2)
    turns = tl.abs(winding)
    # Next to an edge on the pixel's border the winding is 0, and yet about to change.
    sign = tl.where(winding == 0, around, tl.where(winding > 0, 1, -1))
    if even_odd != 0:
        turns -= 2 * tl.floor(turns * 0.5)
        sign = tl.where(turns > 1, -sign, sign)
        turns = tl.where(turns > 1, 2 - turns, turns)
    else:
        sign = tl.where(turns > 1, 0, sign)
        turns = tl.minimum(turns, 1.0)
    return turns, sign + 1


@triton.jit
def uncover_fill(
    grad, vertices, slot, count, x, y, softness,
    vertex_sums, scale, most,
):  # fmt: skip
    """Add the gradients of a fill's vertices, given those of its winding numbers in a tile."""
    half = softness * 0.5
    g = grad[:, :, None]
    for start in range(0, count, LINES):
        line = start + tl.arange(0, LINES)
        ax, ay, bx, by, there = ends(vertices, slot, line, count)
        there = there & _seen(ax, ay, bx, by, x, y, half)
        if tl.max(there.to(tl.int32), 0) > 0:
            height, x0, x1, t0, t1, within0, within1 = _cut(ax, ay, bx, by, y, half)
            area, u0, u1 = _areas(x0, x1, x, half, softness)
            per_wide = _per_wide(x0, x1, softness)
            by_height = tl.sum(g * area, 1) / softness
            rises, levels = _sloped(u0, per_wide[:, None, :])
            inner, later = g * (levels - rises), (rises + levels) * 0.5
            by_x0, by_x1 = -tl.sum(inner * (1 - later), 1), -tl.sum(inner * later, 1)
            upright = -0.5 * tl.sum(g * within((u0 + u1) * 0.5, 0.0, 1.0), 1)
            per_x = height / (softness * softness)
            by_x0 = tl.where(per_wide == 0, upright, by_x0) * per_x
            by_x1 = tl.where(per_wide == 0, upright, by_x1) * per_x
            # Where an end lies within the row, it is the vertex; else it slides along the edge.
            slope = tl.where(by != ay, (bx - ax) / tl.where(by != ay, by - ay, 1.0), 0.0)[None, :]
            slide0, slide1 = (1 - within0) * by_x0 * slope, (1 - within1) * by_x1 * slope
            to_ax = tl.sum(by_x0 * (1 - t0) + by_x1 * (1 - t1), 0)
            to_bx = tl.sum(by_x0 * t0 + by_x1 * t1, 0)
            to_ay = tl.sum(-by_height * within0 - slide0 * (1 - t0) - slide1 * (1 - t1), 0)
            to_by = tl.sum(by_height * within1 - slide0 * t0 - slide1 * t1, 0)
            place = vertex_sums + 2 * (slot + line).to(tl.int64)
            add(place, to_ax, scale, most, there)
            add(place + 1, to_ay, scale, most, there)
            add(place + 2, to_bx, scale, most, there)
            add(place + 3, to_by, scale, most, there)
