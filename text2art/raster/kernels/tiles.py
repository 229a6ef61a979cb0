"""Compositing where fills share edges: what lies beside a tile is not seen through its edge.

Plain compositing takes the parts of a pixel that two shapes cover for independent, and so lets a
quarter of the ground through a common edge that halves the pixel. Tiles (see `curves.tiled`) that
together cover no more than the pixel are taken to lie side by side instead: each replaces what was
there before the first of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from text2art.raster.kernels.compiling import BLOCK, compiled, compiled_sums

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ZERO, ONE, FULL = np.float32(0), np.float32(1), np.float32(1.001)


@compiled
def forward(
    color: Floats,
    tiled: Bools,
    begin: Ints,
    order: Ints,
    owner: Ints,
    low: Ints,
    at: Ints,
    coverage: Floats,
    picture: Floats,
    start: int,
    stop: int,
) -> None:
    """Paint the image rows `start` to `stop`."""
    rows = np.empty((9, picture.shape[2] + BLOCK), dtype=np.float32)
    first = np.empty(rows.shape[1], dtype=np.float32)
    for y in range(start, stop):
        rows[:] = ZERO
        for n in range(begin[y], begin[y + 1]):
            i = order[n]
            c, opacity, count = color[owner[i]], color[owner[i], 3], at[i + 1] - at[i]
            cover = coverage[at[i] : at[i + 1]]
            if not cover.any():  # a row that is but touched: of every ten of a small cell, two
                continue
            _begin(rows[8, low[i] : low[i] + count], cover, tiled[owner[i]], first)
            for channel in range(4):
                paint = c[channel] if channel < 3 else ONE
                row = rows[channel, low[i] : low[i] + count]
                ground = rows[4 + channel, low[i] : low[i] + count]
                for x in range(count):
                    under = row[x] if first[x] > ZERO else ground[x]
                    ground[x] = under if tiled[owner[i]] else ground[x]
                    row[x] += cover[x] * opacity * (paint - under)
        picture[:, y] = rows[:4, : picture.shape[2]]


@compiled
def _begin(covered: Floats, cover: Floats, tiled: bool, first: Floats) -> None:
    """Write where a path's ground is the picture so far, and add to how much tiles cover."""
    if tiled:
        for x in range(len(cover)):
            first[x] = ONE if covered[x] + cover[x] > FULL else ZERO
            covered[x] = cover[x] if first[x] > ZERO else covered[x] + cover[x]
    else:
        for x in range(len(cover)):
            first[x] = ONE
            covered[x] = FULL if cover[x] > ZERO else covered[x]  # nothing lies beside it


@compiled_sums
def backward(
    color: Floats,
    tiled: Bools,
    begin: Ints,
    order: Ints,
    owner: Ints,
    low: Ints,
    at: Ints,
    coverage: Floats,
    grad: Floats,
    grad_coverage: Floats,
    grad_rows: Floats,
    start: int,
    stop: int,
) -> None:
    """Write the gradients of coverage, and of color for each row of a path."""
    width, most = grad.shape[2], 0
    for y in range(start, stop):
        size = 0
        for n in range(begin[y], begin[y + 1]):
            size += at[order[n] + 1] - at[order[n]]
        most = max(most, size)
    under = np.empty((5, most), dtype=np.float32)
    rows = np.empty((9, width + BLOCK), dtype=np.float32)
    for y in range(start, stop):
        rows[:] = ZERO
        size = 0
        for n in range(begin[y], begin[y + 1]):
            i = order[n]
            c, opacity, count = color[owner[i]], color[owner[i], 3], at[i + 1] - at[i]
            cover, first = coverage[at[i] : at[i + 1]], under[4, size : size + count]
            _begin(rows[8, low[i] : low[i] + count], cover, tiled[owner[i]], first)
            for channel in range(4):
                paint = c[channel] if channel < 3 else ONE
                row = rows[channel, low[i] : low[i] + count]
                ground = rows[4 + channel, low[i] : low[i] + count]
                kept = under[channel, size : size + count]
                for x in range(count):
                    kept[x] = row[x] if first[x] > ZERO else ground[x]
                    ground[x] = kept[x] if tiled[owner[i]] else ground[x]
                    row[x] += cover[x] * opacity * (paint - kept[x])
            size += count
        rows[:] = ZERO
        rows[:4, :width] = grad[:, y]
        for n in range(begin[y + 1] - 1, begin[y] - 1, -1):
            i = order[n]
            c, opacity, count = color[owner[i]], color[owner[i], 3], at[i + 1] - at[i]
            size -= count
            cover, by_alpha = coverage[at[i] : at[i + 1]], grad_coverage[at[i] : at[i + 1]]
            by_alpha[:] = ZERO
            first = under[4, size : size + count]
            blank = not cover.any()
            for channel in range(4):
                paint = c[channel] if channel < 3 else ONE
                kept = under[channel, size : size + count]
                row = rows[channel, low[i] : low[i] + count]
                ground = rows[4 + channel, low[i] : low[i] + count]
                total = ZERO
                for x in range(count):
                    by_alpha[x] += row[x] * (paint - kept[x])
                    total += cover[x] * row[x]
                if blank:
                    pass
                elif tiled[owner[i]]:
                    for x in range(count):  # the first one's ground is the picture before it
                        below = ground[x] - cover[x] * opacity * row[x]
                        row[x] += below if first[x] > ZERO else ZERO
                        ground[x] = ZERO if first[x] > ZERO else below
                else:
                    for x in range(count):
                        row[x] *= ONE - cover[x] * opacity
                grad_rows[i, channel] = total * opacity
            total = ZERO
            for x in range(count):
                total += cover[x] * by_alpha[x]
                by_alpha[x] *= opacity
            grad_rows[i, 3] = total
