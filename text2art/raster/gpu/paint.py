"""The picture, tile by tile, in painter's order.

A program draws tile after tile. It lists the paths that can touch the tile, covers its pixels by
one after another, and paints. Fills that are tiles lie side by side: see `kernels.tiles`.
"""

from __future__ import annotations

import triton
import triton.language as tl

from text2art.raster.gpu.fills import cover_by_fill
from text2art.raster.gpu.numbers import TILE
from text2art.raster.gpu.strokes import cover_by_stroke

FULL = tl.constexpr(1.001)  # see reference.FULL
BOXES = tl.constexpr(256)  # looked at at a time


@triton.jit
def centers(tile, across):
    """Return the centers of a tile's columns and of its rows."""
    step = tl.arange(0, TILE)
    left, top = tile % across * TILE, tile // across * TILE
    return (left + step).to(tl.float32) + 0.5, (top + step).to(tl.float32) + 0.5


@triton.jit
def list_paths(box, paths, x, y, listed):
    """Write which paths can touch a tile, in painter's order; return how many."""
    left, right, top, bottom = tl.min(x, 0), tl.max(x, 0), tl.min(y, 0), tl.max(y, 0)
    many = 0
    tl.debug_barrier()  # other threads may still read the last tile's list
    for start in range(0, paths, BOXES):
        path = start + tl.arange(0, BOXES)
        there = path < paths
        touch = there & (tl.load(box + 4 * path, there, other=0.0) < right)
        touch = touch & (tl.load(box + 4 * path + 1, there, other=0.0) < bottom)
        touch = touch & (tl.load(box + 4 * path + 2, there, other=0.0) > left)
        touch = touch & (tl.load(box + 4 * path + 3, there, other=0.0) > top)
        place = many + tl.cumsum(touch.to(tl.int32), 0) - 1
        tl.store(listed + place, path, mask=touch)
        many += tl.sum(touch.to(tl.int32), 0)
    tl.debug_barrier()  # what one thread has written is read by others
    return many


@triton.jit
def cover(
    path, vertices, slot, count, closed, radius, box, around,
    x, y, softness, even_odd, strokes: tl.constexpr, fills: tl.constexpr,
):  # fmt: skip
    """Return a path's coverage of pixels and what its gradients need to know of each.

    strokes and fills say of which kind there are any in the scene.
    """
    first, many = tl.load(slot + path), tl.load(count + path)
    covered = tl.full([TILE, TILE], 0.0, tl.float32)
    hint = tl.full([TILE, TILE], 0, tl.int32)
    if fills:
        if tl.load(closed + path) != 0:
            turn = tl.load(around + path)
            covered, hint = cover_by_fill(
                vertices, first, many, turn, x, y, softness, even_odd
            )  # fmt: skip
            # Beyond the box heights that go up and down should add up to 0, and nearly do.
            within = (x > tl.load(box + 4 * path)) & (x < tl.load(box + 4 * path + 2))
            covered = tl.where(within[None, :], covered, 0.0)
            within = (y > tl.load(box + 4 * path + 1)) & (y < tl.load(box + 4 * path + 3))
            covered = tl.where(within[:, None], covered, 0.0)
    if strokes:
        if tl.load(closed + path) == 0:
            r = tl.load(radius + path)
            covered, hint = cover_by_stroke(vertices, first, many, r, x, y, softness)
    return covered, hint


@triton.jit
def beside(covered, cover, is_tile):
    """Say where a path's ground is the picture so far, and how much tiles then cover.

    Args:
        covered: how much of each pixel tiles cover that lie side by side.
        cover: the path's coverage.
        is_tile: whether it is a tile.
    """
    first = (covered + cover > FULL) | (not is_tile)
    side_by_side = tl.where(first, cover, covered + cover)
    alone = tl.where(cover > 0, FULL, covered)  # nothing lies beside what is no tile
    return first, tl.where(is_tile, side_by_side, alone)


@triton.jit
def _blend(picture, ground, alpha, paint, first, is_tile):
    """Paint one channel; return it and its ground."""
    under = tl.where(first, picture, ground)
    return picture + alpha * (paint - under), tl.where(is_tile, under, ground)


@triton.jit(do_not_specialize=["paths", "width", "height", "across", "tiles", "even_odd"])
def paint(
    vertices, slot, count, closed, radius, ink, box,
    around, tiled, lists, picture, paths, width, height,
    across, tiles, softness, even_odd, strokes: tl.constexpr,
    fills: tl.constexpr,
):  # fmt: skip
    """Draw the picture; `lists` (programs, n) is where programs write which paths they draw."""
    program = tl.program_id(0)
    listed = lists + program.to(tl.int64) * paths
    for tile in range(program, tiles, tl.num_programs(0)):
        x, y = centers(tile, across)
        many = list_paths(box, paths, x, y, listed)
        red = tl.full([TILE, TILE], 0.0, tl.float32)
        green, blue, alpha = red, red, red
        red_ground, green_ground, blue_ground, alpha_ground, covered = red, red, red, red, red
        for k in range(many):
            path = tl.load(listed + k)
            share, _ = cover(
                path, vertices, slot, count, closed, radius, box, around, x, y, softness,
                even_odd, strokes, fills,
            )  # fmt: skip
            color = ink + 4 * path
            if fills:
                is_tile = tl.load(tiled + path) != 0
                first, covered = beside(covered, share, is_tile)
            else:
                is_tile = False
                first = share >= 0
            share *= tl.load(color + 3)
            red, red_ground = _blend(red, red_ground, share, tl.load(color), first, is_tile)
            green, green_ground = _blend(
                green, green_ground, share, tl.load(color + 1), first, is_tile
            )
            blue, blue_ground = _blend(blue, blue_ground, share, tl.load(color + 2), first, is_tile)
            alpha, alpha_ground = _blend(alpha, alpha_ground, share, 1.0, first, is_tile)
        inside = (x < width)[None, :] & (y < height)[:, None]
        row, column = (y - 0.5).to(tl.int64)[:, None], (x - 0.5).to(tl.int64)[None, :]
        at = picture + row * width + column
        plane = height.to(tl.int64) * width
        tl.store(at, red, mask=inside)
        tl.store(at + plane, green, mask=inside)
        tl.store(at + 2 * plane, blue, mask=inside)
        tl.store(at + 3 * plane, alpha, mask=inside)
