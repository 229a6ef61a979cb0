"""Small functions of numbers that the kernels share, and sums that do not depend on their order."""

from __future__ import annotations

import triton
import triton.language as tl

TILE = tl.constexpr(16)
LINES = tl.constexpr(8)  # looked at at a time
MOST_LINES = tl.constexpr(128)  # of a segment: curves.MOST_LINES
FAR = tl.constexpr(1e5)  # scene.FAR
LARGEST = tl.constexpr(3.4028235e38)
FARTHEST = tl.constexpr(3e38)
NO_LINE = tl.constexpr(-1)
UNKNOWN = tl.constexpr(2**30)


@triton.jit
def is_finite(value):
    """Whether a number is none of NaN and the infinities."""
    return tl.abs(value) <= LARGEST


@triton.jit
def limited(value, low, high):
    """Return `value` limited to a range; a NaN becomes `low`."""
    return tl.where(value > high, high, tl.where(value >= low, value, low))


@triton.jit
def clamped(value):
    """Return `value` limited to [0, 1]."""
    return tl.minimum(tl.maximum(value, 0.0), 1.0)


@triton.jit
def within(value, low, high):
    """Return the slope of clamp(value, low, high), at the limits the mean of both sides."""
    inside = tl.where((value == low) | (value == high), 0.5, 1.0)
    return tl.where((value < low) | (value > high), 0.0, inside)


@triton.jit
def sign(value):
    """Return -1, 0 or 1."""
    return tl.where(value > 0, 1.0, tl.where(value < 0, -1.0, 0.0))


@triton.jit
def total(values):
    """Return the sum over rows and columns, for each line where there are lines."""
    return tl.sum(tl.sum(values, 1), 0)


@triton.jit
def add(sums, value, scale, most, mask):
    """Add numbers to sums of whole numbers, which come out the same in every order.

    Args:
        sums: pointers to int64.
        value: what to add.
        scale: steps that 1 has.
        most: the most steps that are added at once, so that no sum overflows.
        mask: which to add.
    """
    steps = tl.floor(limited(value * scale, -most, most) + 0.5).to(tl.int64)
    tl.atomic_add(sums, steps, mask=mask & (steps != 0), sem="relaxed")


@triton.jit
def ends(vertices, slot, line, count):
    """Return the ends of lines of a path, x and y of both, and which of them there are."""
    there = line < count
    at = vertices + 2 * (slot + line).to(tl.int64)
    ax, ay = tl.load(at, there, other=0.0), tl.load(at + 1, there, other=0.0)
    bx, by = tl.load(at + 2, there, other=0.0), tl.load(at + 3, there, other=0.0)
    return ax, ay, bx, by, there
