"""Coverage of a tile's pixels by a stroke, and its gradients: see `reference.stroke`."""

from __future__ import annotations

import triton
import triton.language as tl

from text2art.raster.gpu.numbers import (
    FARTHEST,
    LINES,
    NO_LINE,
    TILE,
    UNKNOWN,
    add,
    clamped,
    ends,
    sign,
    total,
)

DIAGONAL = tl.constexpr(0.70711)  # half a unit box's diagonal
SHORTEST2 = tl.constexpr(1e-12)
NEARER = tl.constexpr(1e-4)  # see reference.NEARER


@triton.jit
def edge(inside, steep, flat):
    """Return the area of a unit box on one side of a straight edge: see `reference.edge`."""
    outer, core = (steep + flat) * 0.5, (steep - flat) * 0.5
    size = tl.abs(inside)
    rest = tl.maximum(outer - size, 0.0)
    corner = rest * rest / (2 * steep * tl.where(flat > 0, flat, 1.0))
    slanted = tl.where(inside > 0, 1 - corner, corner)
    return tl.where(size <= core, 0.5 + inside / steep, slanted)


@triton.jit
def edge_slopes(inside, steep, flat):
    """Return the derivatives of `edge` by its three arguments."""
    outer, core = (steep + flat) * 0.5, (steep - flat) * 0.5
    size = tl.abs(inside)
    share = (outer - size) / (steep * tl.where(flat > 0, flat, 1.0))
    turn = tl.where(inside > 0, 0.5, -0.5) * share
    straight, beyond = size <= core, size >= outer
    by_inside = tl.where(straight, 1 / steep, tl.where(beyond, 0.0, share))
    slanted_steep = tl.where(beyond, 0.0, turn * (share * flat - 1))
    by_steep = tl.where(straight, -inside / (steep * steep), slanted_steep)
    by_flat = tl.where(straight | beyond, 0.0, turn * (share * steep - 1))
    return by_inside, by_steep, by_flat


@triton.jit
def _beside(vertices, slot, nearest, x, y):
    """Say how pixels lie beside their nearest lines.

    Returns:
        The offset from the line's nearest point (x, y), the distance, where that point lies on the
        line, and the larger and the smaller part of the line's direction.
    """
    at = vertices + 2 * (slot + tl.maximum(nearest, 0)).to(tl.int64)
    ax, ay = tl.load(at), tl.load(at + 1)
    ex, ey = tl.load(at + 2) - ax, tl.load(at + 3) - ay
    square = ex * ex + ey * ey
    directed = square > SHORTEST2
    square = tl.where(directed, square, 1.0)
    qx, qy = x[None, :] - ax, y[:, None] - ay
    t = tl.where(directed, clamped((qx * ex + qy * ey) / square), 0.0)
    vx, vy = qx - t * ex, qy - t * ey
    per_length = 1 / tl.sqrt(square)
    wide, high = tl.abs(ex) * per_length, tl.abs(ey) * per_length
    steep = tl.where(directed, tl.maximum(wide, high), 1.0)
    flat = tl.where(directed, tl.minimum(wide, high), 0.0)
    return vx, vy, tl.sqrt(vx * vx + vy * vy), t, steep, flat


@triton.jit
def cover_by_stroke(
    vertices,
    slot,
    count,
    radius,
    x,
    y,
    softness,
):
    """Return the coverage of pixels, and which line is the nearest to each, or NO_LINE.

    Args:
        vertices: of all paths.
        slot: where the path begins among them.
        count: how many lines it has.
        radius: half its width.
        x: centers of the tile's columns.
        y: centers of its rows.
        softness: side of the pixels' box.
    """
    reach = radius + softness * DIAGONAL
    left, right = tl.min(x, 0) - reach, tl.max(x, 0) + reach
    top, bottom = tl.min(y, 0) - reach, tl.max(y, 0) + reach
    best = tl.full([TILE, TILE], FARTHEST, tl.float32)
    nearest = tl.full([TILE, TILE], NO_LINE, tl.int32)
    for start in range(0, count, LINES):
        line = start + tl.arange(0, LINES)
        ax, ay, bx, by, there = ends(vertices, slot, line, count)
        there = there & (tl.minimum(ax, bx) <= right) & (tl.maximum(ax, bx) >= left)
        there = there & (tl.minimum(ay, by) <= bottom) & (tl.maximum(ay, by) >= top)
        if tl.max(there.to(tl.int32), 0) > 0:
            ex, ey = bx - ax, by - ay
            square = ex * ex + ey * ey
            scale = tl.where(square > SHORTEST2, 1 / tl.where(square > SHORTEST2, square, 1.0), 0.0)
            qx = x[None, :, None] - ax[None, None, :]
            qy = y[:, None, None] - ay[None, None, :]
            t = clamped((qx * ex[None, None, :] + qy * ey[None, None, :]) * scale[None, None, :])
            vx, vy = qx - t * ex[None, None, :], qy - t * ey[None, None, :]
            away = tl.where(there[None, None, :], vx * vx + vy * vy, FARTHEST)
            # The first of those that are as near as the nearest, and nearer than those before.
            least = tl.min(away, 2)
            as_near = away <= (least * (1 + NEARER) + NEARER)[:, :, None]
            first = tl.min(tl.where(as_near, line[None, None, :], UNKNOWN), 2)
            nearer = least < best * (1 - NEARER) - NEARER
            best = tl.where(nearer, least, best)
            nearest = tl.where(nearer, first, nearest)
    _, _, d, _, steep, flat = _beside(vertices, slot, nearest, x, y)
    cover = edge((radius - d) / softness, steep, flat) - edge((-radius - d) / softness, steep, flat)
    return tl.where(nearest == NO_LINE, 0.0, cover), nearest


@triton.jit
def uncover_stroke(
    grad, nearest, vertices, slot, count, radius, x, y,
    softness, vertex_sums, scale, most,
):  # fmt: skip
    """Add the gradients of a stroke's vertices, given those of its coverage of a tile.

    These are 0 where there is no nearest line.

    Returns:
        That of its radius.
    """
    vx, vy, d, t, steep, flat = _beside(vertices, slot, nearest, x, y)
    slope, by_steep, by_flat = edge_slopes((radius - d) / softness, steep, flat)
    other, less_steep, less_flat = edge_slopes((-radius - d) / softness, steep, flat)
    by_radius = grad * (slope + other) / softness
    by_distance = tl.where(d > 0, grad * (other - slope) / (softness * tl.where(d > 0, d, 1.0)), 0)
    gx, gy = by_distance * vx, by_distance * vy
    turn = grad * (flat * (by_steep - less_steep) - steep * (by_flat - less_flat))
    moved = (gx != 0) | (gy != 0) | (turn != 0)
    low = tl.min(tl.min(tl.where(moved, nearest, UNKNOWN), 1), 0)
    high = tl.max(tl.max(tl.where(moved, nearest, NO_LINE), 1), 0)
    for start in range(low // LINES * LINES, high + 1, LINES):
        line = start + tl.arange(0, LINES)
        mine = (nearest[:, :, None] == line[None, None, :]) & moved[:, :, None]
        ax, ay, bx, by, there = ends(vertices, slot, line, count)
        ex, ey = bx - ax, by - ay
        square = ex * ex + ey * ey
        directed = square > SHORTEST2
        per_length = 1 / tl.sqrt(tl.where(directed, square, 1.0))
        # The direction's parts change only by turning: one number for both.
        turned = total(tl.where(mine, turn[:, :, None], 0.0)) * per_length
        wide, tall = tl.abs(ex) * per_length, tl.abs(ey) * per_length
        level = wide >= tall
        turned = tl.where(directed, tl.where(level, turned, -turned), 0.0)
        turn_x, turn_y = turned * tall * sign(ex), -turned * wide * sign(ey)
        to_ax = -total(tl.where(mine, ((1 - t) * gx)[:, :, None], 0.0)) - turn_x
        to_ay = -total(tl.where(mine, ((1 - t) * gy)[:, :, None], 0.0)) - turn_y
        to_bx = turn_x - total(tl.where(mine, (t * gx)[:, :, None], 0.0))
        to_by = turn_y - total(tl.where(mine, (t * gy)[:, :, None], 0.0))
        place = vertex_sums + 2 * (slot + line).to(tl.int64)
        add(place, to_ax, scale, most, there)
        add(place + 1, to_ay, scale, most, there)
        add(place + 2, to_bx, scale, most, there)
        add(place + 3, to_by, scale, most, there)
    return total(by_radius)
