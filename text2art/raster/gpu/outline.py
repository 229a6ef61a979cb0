"""Polylines of paths and what is to be known of them, and gradients back to control points."""

from __future__ import annotations

import triton
import triton.language as tl

from text2art.raster.gpu.numbers import (
    FAR,
    FARTHEST,
    MOST_LINES,
    is_finite,
    limited,
)

PER_TOLERANCE = tl.constexpr(0.75 / 0.05)  # see curves.count_lines
AT_ONCE = tl.constexpr(64)  # points


@triton.jit
def _is_broken(points, begin, end, width, color):
    """Return how many numbers of a path are not finite."""
    broken = tl.where(is_finite(width), 0, 1) + tl.sum(tl.where(is_finite(color), 0, 1), 0)
    for start in range(2 * begin, 2 * end, AT_ONCE):
        at = start + tl.arange(0, AT_ONCE)
        values = tl.load(points + at, at < 2 * end, other=0.0)
        broken += tl.sum(tl.where(is_finite(values), 0, 1), 0)
    return broken


@triton.jit
def _controls(index, begin, closed, is_last):
    """Return where the four points of a segment lie, given where the first does."""
    returns = (closed != 0) & is_last
    return index, index + 1, index + 2, tl.where(returns, begin, index + 3)


@triton.jit
def _how_many(
    x0, x1, x2, x3, y0, y1, y2, y3, margin,
    canvas_width, canvas_height,
):  # fmt: skip
    """Return how many lines a segment is cut into: see `curves.count_lines`."""
    ax, ay = x0 - 2 * x1 + x2, y0 - 2 * y1 + y2
    bx, by = x1 - 2 * x2 + x3, y1 - 2 * y2 + y3
    bend = tl.sqrt_rn(tl.maximum(ax * ax + ay * ay, bx * bx + by * by))
    lines = tl.minimum(tl.maximum(tl.ceil(tl.sqrt_rn(bend * PER_TOLERANCE)), 1.0), MOST_LINES)
    low_x = tl.minimum(tl.minimum(x0, x1), tl.minimum(x2, x3))
    low_y = tl.minimum(tl.minimum(y0, y1), tl.minimum(y2, y3))
    high_x = tl.maximum(tl.maximum(x0, x1), tl.maximum(x2, x3))
    high_y = tl.maximum(tl.maximum(y0, y1), tl.maximum(y2, y3))
    unseen = (high_x < -margin) | (low_x > canvas_width + margin)
    unseen = unseen | (high_y < -margin) | (low_y > canvas_height + margin)
    return tl.where(unseen, 1, lines.to(tl.int32))


@triton.jit
def _bernstein(t, p0, p1, p2, p3):
    """Return a cubic's coordinate at parameters `t`."""
    s = 1 - t
    return s * s * s * p0 + (3 * s * s * t * p1 + 3 * s * t * t * p2) + t * t * t * p3


@triton.jit(do_not_specialize=["canvas_width", "canvas_height"])
def outline(
    points, width, color, corner, piece, slot, closed,
    clean, radius, ink, lines, vertices, count, box,
    around, canvas_width, canvas_height, softness,
):  # fmt: skip
    """Write what a path is for the other kernels; `clean` (P, 2) are its points, safe to draw."""
    path = tl.program_id(0)
    begin, end = tl.load(corner + path), tl.load(corner + path + 1)
    is_closed = tl.load(closed + path)
    channel = tl.arange(0, 4)
    given_width, given_color = tl.load(width + path), tl.load(color + 4 * path + channel)
    whole = _is_broken(points, begin, end, given_width, given_color) == 0
    r = tl.where(whole, limited(given_width, 0.0, FAR), 0.0) * 0.5
    tl.store(radius + path, r)
    tl.store(ink + 4 * path + channel, tl.where(whole, limited(given_color, 0.0, 1.0), 0.0))
    for start in range(2 * begin, 2 * end, AT_ONCE):
        at = start + tl.arange(0, AT_ONCE)
        value = limited(tl.load(points + at, at < 2 * end, other=0.0), -FAR, FAR)
        tl.store(clean + at, tl.where(whole, value, 0.0), at < 2 * end)
    tl.debug_barrier()  # what one thread has written is read by others

    first = tl.load(slot + path)
    at = first
    left, top, right, bottom = FARTHEST + 0.0, FARTHEST + 0.0, 0.0 - FARTHEST, 0.0 - FARTHEST
    area = 0.0
    start_x, start_y = tl.load(clean + 2 * begin), tl.load(clean + 2 * begin + 1)
    last = tl.load(piece + path + 1)
    index = begin
    step = tl.arange(0, MOST_LINES)
    for s in range(tl.load(piece + path), last):
        i0, i1, i2, i3 = _controls(index, begin, is_closed, s + 1 == last)
        x0, y0 = tl.load(clean + 2 * i0), tl.load(clean + 2 * i0 + 1)
        x1, y1 = tl.load(clean + 2 * i1), tl.load(clean + 2 * i1 + 1)
        x2, y2 = tl.load(clean + 2 * i2), tl.load(clean + 2 * i2 + 1)
        x3, y3 = tl.load(clean + 2 * i3), tl.load(clean + 2 * i3 + 1)
        margin = softness + r
        many = _how_many(
            x0, x1, x2, x3, y0, y1, y2, y3, margin, canvas_width, canvas_height
        )  # fmt: skip
        tl.store(lines + s, many)
        there, t = step < many, step.to(tl.float32) / many
        x, y = _bernstein(t, x0, x1, x2, x3), _bernstein(t, y0, y1, y2, y3)
        place = vertices + 2 * (at + step).to(tl.int64)
        tl.store(place, x, there)
        tl.store(place + 1, y, there)
        # The sense of rotation, from twice the area, measured from the path's start.
        t = (step + 1).to(tl.float32) / many
        next_x, next_y = _bernstein(t, x0, x1, x2, x3), _bernstein(t, y0, y1, y2, y3)
        turn = (x - start_x) * (next_y - start_y) - (y - start_y) * (next_x - start_x)
        area -= tl.sum(tl.where(there, turn, 0.0), 0)
        left = tl.minimum(left, tl.minimum(tl.min(tl.where(there, x, FARTHEST), 0), x3))
        top = tl.minimum(top, tl.minimum(tl.min(tl.where(there, y, FARTHEST), 0), y3))
        right = tl.maximum(right, tl.maximum(tl.max(tl.where(there, x, -FARTHEST), 0), x3))
        bottom = tl.maximum(bottom, tl.maximum(tl.max(tl.where(there, y, -FARTHEST), 0), y3))
        at += many
        index += 3
    final = tl.where(is_closed != 0, begin, end - 1)
    place = vertices + 2 * at.to(tl.int64)
    tl.store(place, tl.load(clean + 2 * final))
    tl.store(place + 1, tl.load(clean + 2 * final + 1))
    tl.store(count + path, at - first)
    tl.store(around + path, tl.where(area > 0, 1, -1))
    reach = tl.where(is_closed != 0, 0.0, r) + softness
    tl.store(box + 4 * path, tl.where(whole, left - reach, FARTHEST))
    tl.store(box + 4 * path + 1, tl.where(whole, top - reach, FARTHEST))
    tl.store(box + 4 * path + 2, tl.where(whole, right + reach, -FARTHEST))
    tl.store(box + 4 * path + 3, tl.where(whole, bottom + reach, -FARTHEST))


@triton.jit
def _to_controls(vertex_sums, at, many, last, per_step):
    """Return one coordinate's gradients at a segment's controls, given those of its vertices."""
    step = tl.arange(0, MOST_LINES)
    t = step.to(tl.float32) / many
    s = 1 - t
    sums = tl.load(vertex_sums + 2 * (at + step).to(tl.int64), step < many, other=0)
    g = sums.to(tl.float32) * per_step
    g0, g1 = tl.sum(g * (s * s * s), 0), tl.sum(g * (3 * s * s * t), 0)
    g2, g3 = tl.sum(g * (3 * s * t * t), 0), tl.sum(g * (t * t * t), 0)
    # A vertex that two segments share is counted with the one that begins there.
    end = tl.load(vertex_sums + 2 * (at + many).to(tl.int64)).to(tl.float32) * per_step
    return g0, g1, g2, g3 + tl.where(last, end, 0.0)


@triton.jit
def _passed(points, at, grad):
    """Return a gradient where `outline` has left the coordinate as it was, else 0."""
    value = tl.load(points + at)
    return tl.where((value >= -FAR) & (value <= FAR), grad, 0.0)


@triton.jit
def inward(
    points, width, color, corner, piece, slot, closed,
    lines, vertex_sums, path_sums, scale, grad_points, grad_width,
    grad_color,
):  # fmt: skip
    """Write a path's gradients, given those of its vertices, its color and its radius.

    What `outline` has changed has none.
    """
    path, axis = tl.program_id(0), tl.program_id(1)
    begin, end = tl.load(corner + path), tl.load(corner + path + 1)
    is_closed = tl.load(closed + path)
    per_step = tl.load(scale + 1)
    at = tl.load(slot + path)
    first, last = tl.load(piece + path), tl.load(piece + path + 1)
    index = begin
    carried = 0.0
    first_grad = 0.0
    for s in range(first, last):
        many = tl.load(lines + s)
        g0, g1, g2, g3 = _to_controls(vertex_sums + axis, at, many, s + 1 == last, per_step)
        first_grad = tl.where(s == first, g0, first_grad)
        place = 2 * index + axis
        tl.store(grad_points + place, _passed(points, place, carried + g0), mask=s > first)
        tl.store(grad_points + place + 2, _passed(points, place + 2, g1))
        tl.store(grad_points + place + 4, _passed(points, place + 4, g2))
        carried = g3
        at += many
        index += 3
    place = 2 * begin + axis
    first_grad += tl.where(is_closed != 0, carried, 0.0)
    tl.store(grad_points + place, _passed(points, place, first_grad))
    place = tl.where(is_closed != 0, 2 * begin, 2 * end - 2) + axis
    tl.store(grad_points + place, _passed(points, place, carried), mask=is_closed == 0)
    if axis == 0:
        channel = tl.arange(0, 4)
        given = tl.load(color + 4 * path + channel)
        sums = tl.load(path_sums + 5 * path + channel).to(tl.float32) * per_step
        kept = (given >= 0) & (given <= 1)
        tl.store(grad_color + 4 * path + channel, tl.where(kept, sums, 0.0))
        given = tl.load(width + path)
        by_radius = tl.load(path_sums + 5 * path + 4).to(tl.float32) * per_step
        kept_width = (given >= 0) & (given <= FAR)
        tl.store(grad_width + path, tl.where(kept_width, by_radius * 0.5, 0.0))
