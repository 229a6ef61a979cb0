"""Ranks that never flatter, and the intervals they come with."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

Z = 1.959963984540054  # of a 95 % interval


@dataclass(frozen=True)
class Share:
    """So many right of so many."""

    right: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval."""
        return wilson(self.right, self.of)

    def __str__(self) -> str:
        """Write "0.50 [0.31, 0.69]"."""
        if not self.of:
            return "-"
        low, high = self.interval
        return f"{self.right / self.of:.2f} [{low:.2f}, {high:.2f}]"


@dataclass(frozen=True)
class Median:
    """A median rank with bounds that hold whatever the distribution of the ranks."""

    value: float
    low: int
    high: int

    def __str__(self) -> str:
        """Write "3 [1, 7]"."""
        return f"{self.value:g} [{self.low}, {self.high}]"


def rank_of(scores: Tensor, truth: int) -> int:
    """Return the place of the true choice, 1 is best.

    Ties count against it, and so does whatever cannot be compared: a judge that gives everything
    the same score, or NaN, must not call the truth first.
    """
    others = scores.tolist()
    own = others.pop(truth)
    return 1 + sum(not other < own for other in others)


def wilson(right: int, of: int, z: float = Z) -> tuple[float, float]:
    """Return the score interval of a binomial share (Wilson 1927).

    The textbook's share +- z * error claims certainty at 0 and 1, where small tests often end.
    """
    if not of:
        return 0.0, 1.0
    share, spread = right / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def median_rank(ranks: Sequence[int], choices: int) -> Median:
    """Return the median with its binomial 95 % interval: two of the ranks in order.

    Of `n` ranks, those below the true median number as heads in `n` tosses. Fewer than six ranks
    cannot bound a median at 95 %; its interval is then all places there are.
    """
    ordered, n = sorted(ranks), len(ranks)
    tail, drop = 0.0, 0
    while drop < n:
        tail += math.comb(n, drop) / 2**n
        if tail > 0.025:
            break
        drop += 1
    value = statistics.median(ordered)
    if not drop:
        return Median(value, 1, choices)
    return Median(value, ordered[drop - 1], ordered[n - drop])
