"""Gradients of the picture, tile by tile: paint once more, then back in reverse order.

Nothing is divided, so opaque paths do no harm. Going up, each program keeps of a tile's fragments
the coverage, what it needs to know of it, and how bright what lies under it is as the loss sees it
(one number for the four channels: their gradients' weighted sum). It keeps `KEPT` fragments; where
more paths lie on a tile, it keeps the state at every `KEPT`-th and goes up from there once more.
"""

from __future__ import annotations

import triton
import triton.language as tl

from text2art.raster.gpu.fills import uncover_fill
from text2art.raster.gpu.numbers import NO_LINE, TILE, add, total
from text2art.raster.gpu.paint import beside, centers, cover, list_paths
from text2art.raster.gpu.strokes import uncover_stroke

KEPT = tl.constexpr(64)
PIXELS = tl.constexpr(256)
FIRST = tl.constexpr(4)  # added to a fill's hints where its ground is the picture so far


@triton.jit
def _ups(j, blocks):
    """Return which block the j-th way up goes through: all once, then all but the last, back."""
    return tl.where(j < blocks, j, 2 * blocks - 2 - j)


@triton.jit
def _seen_color(red, green, blue, alpha, color):
    """Return how bright a color is as the loss sees it, given the gradients of the channels."""
    r, g, b = tl.load(color), tl.load(color + 1), tl.load(color + 2)
    return red * r + green * g + blue * b + alpha


@triton.jit(do_not_specialize=["paths", "width", "height", "across", "tiles", "even_odd"])
def unpaint(
    vertices, slot, count, closed, radius, ink, box,
    around, tiled, lists, grad, shares, unders, hints,
    marks, vertex_sums, path_sums, scale, paths, width, height,
    across, tiles, softness, most, even_odd, strokes: tl.constexpr,
    fills: tl.constexpr,
):  # fmt: skip
    """Add the gradients of vertices, colors and radii to their sums.

    Args:
        lists: `(programs, n)`, where programs write which paths they draw.
        grad: `(4, H, W)`, of the picture.
        shares: `(programs, KEPT, 256)`, where they keep fragments: coverage,
        unders: what lies under it,
        hints: and what gradients need to know of it.
        marks: `(programs, ceil(n / KEPT), 3, 256)`, where they keep states.
        most: the most steps that are added to a sum at once.
    """
    program = tl.program_id(0).to(tl.int64)
    listed = lists + program * paths
    step = tl.arange(0, TILE)
    pixel = step[:, None] * TILE + step[None, :]
    kept = program * KEPT * PIXELS + pixel
    marks += program * tl.cdiv(paths, KEPT) * 3 * PIXELS
    steps = tl.load(scale)
    plane = height.to(tl.int64) * width
    for tile in range(tl.program_id(0), tiles, tl.num_programs(0)):
        x, y = centers(tile, across)
        many = list_paths(box, paths, x, y, listed)
        inside = (x < width)[None, :] & (y < height)[:, None]
        row, column = (y - 0.5).to(tl.int64)[:, None], (x - 0.5).to(tl.int64)[None, :]
        at = grad + row * width + column
        red, green = tl.load(at, inside, other=0.0), tl.load(at + plane, inside, other=0.0)
        blue = tl.load(at + 2 * plane, inside, other=0.0)
        alpha = tl.load(at + 3 * plane, inside, other=0.0)
        picture = tl.full([TILE, TILE], 0.0, tl.float32)
        ground, covered = picture, picture
        # How much of the gradient is left for what lies below, by way of the picture and of the
        # ground.
        left, left_ground = picture + 1, picture
        blocks = tl.cdiv(many, KEPT)
        for j in range(2 * blocks - 1):
            block = _ups(j, blocks)
            mark = marks + block.to(tl.int64) * 3 * PIXELS + pixel
            if j < blocks:
                tl.store(mark, picture)
                tl.store(mark + PIXELS, ground)
                tl.store(mark + 2 * PIXELS, covered)
            else:
                picture, ground = tl.load(mark), tl.load(mark + PIXELS)
                covered = tl.load(mark + 2 * PIXELS)
            begin, end = block * KEPT, tl.minimum(block * KEPT + KEPT, many)
            tl.debug_barrier()
            for k in range(begin, end):
                path = tl.load(listed + k)
                share, hint = cover(
                    path, vertices, slot, count, closed, radius, box, around, x, y, softness,
                    even_odd, strokes, fills,
                )  # fmt: skip
                place = kept + (k - begin) * PIXELS
                seen = _seen_color(red, green, blue, alpha, ink + 4 * path)
                under = picture
                if fills:
                    is_tile = tl.load(tiled + path) != 0
                    first, covered = beside(covered, share, is_tile)
                    under = tl.where(first, picture, ground)
                    ground = tl.where(is_tile, under, ground)
                    hint += tl.where(first & is_tile, FIRST, 0)
                tl.store(shares + place, share)
                tl.store(unders + place, under)
                tl.store(hints + place, hint)
                picture += share * tl.load(ink + 4 * path + 3) * (seen - under)
            tl.debug_barrier()  # what one thread has kept is read by others
            # Once the last block has been reached, all are gone back through.
            for back in range(tl.where(j < blocks - 1, 0, end - begin)):
                k = end - 1 - back
                path = tl.load(listed + k)
                place = kept + (k - begin) * PIXELS
                share, under = tl.load(shares + place), tl.load(unders + place)
                hint = tl.load(hints + place)
                opacity = tl.load(ink + 4 * path + 3)
                seen = _seen_color(red, green, blue, alpha, ink + 4 * path)
                by_alpha = left * (seen - under)
                shown = share * opacity
                if tl.max(tl.max(share, 1), 0) > 0:
                    _add_colors(
                        path_sums + 5 * path.to(tl.int64), left * shown, red, green, blue,
                        by_alpha * share, steps, most,
                    )  # fmt: skip
                if fills:
                    is_tile = tl.load(tiled + path) != 0
                    first = is_tile & (hint >= FIRST)
                    hint = tl.where(first, hint - FIRST, hint)
                    below = left_ground - shown * left  # of a tile
                    left_ground = tl.where(is_tile, tl.where(first, 0.0, below), left_ground)
                    beneath = tl.where(first, left + below, left)
                    left = tl.where(is_tile, beneath, left * (1 - shown))
                else:
                    left *= 1 - shown
                by_share = tl.where(hint == NO_LINE, 0.0, by_alpha * opacity)
                if tl.max(tl.max(tl.abs(by_share), 1), 0) > 0:
                    _uncover(
                        by_share, hint, path, vertices, slot, count, closed, radius, x, y,
                        softness, vertex_sums, path_sums, steps, most, strokes, fills,
                    )  # fmt: skip
            tl.debug_barrier()


@triton.jit
def _add_colors(sums, shown, red, green, blue, by_opacity, steps, most):
    """Add a fragment's gradients of its color."""
    add(sums, total(shown * red), steps, most, True)
    add(sums + 1, total(shown * green), steps, most, True)
    add(sums + 2, total(shown * blue), steps, most, True)
    add(sums + 3, total(by_opacity), steps, most, True)


@triton.jit
def _uncover(
    grad, hint, path, vertices, slot, count, closed,
    radius, x, y, softness, vertex_sums, path_sums, steps,
    most, strokes: tl.constexpr, fills: tl.constexpr,
):  # fmt: skip
    """Add a fragment's gradients of its vertices and its radius, given those of its coverage."""
    first, many = tl.load(slot + path), tl.load(count + path)
    if fills:
        if tl.load(closed + path) != 0:
            grad *= (hint - 1).to(tl.float32)
            uncover_fill(
                grad, vertices, first, many, x, y, softness, vertex_sums, steps, most
            )  # fmt: skip
    if strokes:
        if tl.load(closed + path) == 0:
            r = tl.load(radius + path)
            by_radius = uncover_stroke(
                grad, hint, vertices, first, many, r, x, y, softness, vertex_sums, steps, most
            )  # fmt: skip
            add(path_sums + 5 * path.to(tl.int64) + 4, by_radius, steps, most, True)
