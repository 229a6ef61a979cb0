"""Painter's compositing of covered pixels, row by row, and its gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from text2art.raster.kernels.compiling import BLOCK, compiled, compiled_sums

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

ZERO, ONE = np.float32(0), np.float32(1)


@compiled
def by_image_row(top: Ints, rows: Ints, begin: Ints, order: Ints, owner: Ints) -> None:
    """Sort rows of paths by the row of the image they lie in, painter's order within each.

    All is written here; `begin` is zeros before.
    """
    for p in range(len(top)):
        for i in range(rows[p], rows[p + 1]):
            owner[i] = p
            begin[top[p] + i - rows[p] + 1] += 1
    for y in range(1, len(begin)):
        begin[y] += begin[y - 1]
    free = begin[:-1].copy()
    for p in range(len(top)):
        for i in range(rows[p], rows[p + 1]):
            y = top[p] + i - rows[p]
            order[free[y]] = i
            free[y] += 1


@compiled
def forward(
    color: Floats,
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
    rows = np.empty((4, picture.shape[2] + BLOCK), dtype=np.float32)
    for y in range(start, stop):
        rows[:] = ZERO
        for n in range(begin[y], begin[y + 1]):
            i = order[n]
            c, opacity, count = color[owner[i]], color[owner[i], 3], at[i + 1] - at[i]
            cover = coverage[at[i] : at[i + 1]]
            for channel in range(4):  # one at a time: the compiler makes vectors of that
                paint = c[channel] if channel < 3 else ONE
                row = rows[channel, low[i] : low[i] + count]
                for x in range(count):
                    row[x] += cover[x] * opacity * (paint - row[x])
        picture[:, y] = rows[:, : picture.shape[2]]


@compiled_sums
def backward(
    color: Floats,
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
    """Write the gradients of coverage, and of color for each row of a path.

    The rows are painted once more and what lies under each path is kept, so that nothing need be
    divided by what a path lets through, which may be 0.
    """
    width, most = grad.shape[2], 0
    for y in range(start, stop):
        size = 0
        for n in range(begin[y], begin[y + 1]):
            size += at[order[n] + 1] - at[order[n]]
        most = max(most, size)
    under = np.empty((4, most), dtype=np.float32)
    rows = np.empty((4, width + BLOCK), dtype=np.float32)
    for y in range(start, stop):
        rows[:] = ZERO
        size = 0
        for n in range(begin[y], begin[y + 1]):
            i = order[n]
            c, opacity, count = color[owner[i]], color[owner[i], 3], at[i + 1] - at[i]
            cover = coverage[at[i] : at[i + 1]]
            for channel in range(4):
                paint = c[channel] if channel < 3 else ONE
                row = rows[channel, low[i] : low[i] + count]
                kept = under[channel, size : size + count]
                for x in range(count):
                    kept[x] = row[x]
                    row[x] += cover[x] * opacity * (paint - row[x])
            size += count
        rows[:, :width] = grad[:, y]
        rows[:, width:] = ZERO
        for n in range(begin[y + 1] - 1, begin[y] - 1, -1):
            i = order[n]
            c, opacity, count = color[owner[i]], color[owner[i], 3], at[i + 1] - at[i]
            size -= count
            cover, by_alpha = coverage[at[i] : at[i + 1]], grad_coverage[at[i] : at[i + 1]]
            by_alpha[:] = ZERO
            for channel in range(4):
                paint = c[channel] if channel < 3 else ONE
                kept = under[channel, size : size + count]
                row = rows[channel, low[i] : low[i] + count]
                total = ZERO
                for x in range(count):
                    total += cover[x] * row[x]
                    by_alpha[x] += row[x] * (paint - kept[x])
                    row[x] *= ONE - cover[x] * opacity
                grad_rows[i, channel] = total * opacity
            total = ZERO
            for x in range(count):
                total += cover[x] * by_alpha[x]
                by_alpha[x] *= opacity
            grad_rows[i, 3] = total
