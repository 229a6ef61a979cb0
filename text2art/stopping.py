"""When to stop, and which picture to keep: judged on smoothed numbers, since views are random."""

from __future__ import annotations

import math


class Smoothed:
    """An exponential moving average without the bias of its start."""

    def __init__(self, horizon: int = 10) -> None:
        self._keep = 1 - 1 / horizon
        self._sum = 0.0
        self._mass = 0.0

    def add(self, value: float) -> float:
        """Take a value in and return the average."""
        self._sum = self._keep * self._sum + (1 - self._keep) * value
        self._mass = self._keep * self._mass + (1 - self._keep)
        return self.value

    @property
    def value(self) -> float:
        """The average, NaN before the first value."""
        return self._sum / self._mass if self._mass else math.nan


class Plateau:
    """Notices when a loss no longer falls."""

    def __init__(self, patience: int, tolerance: float = 1e-3) -> None:
        self._patience = patience
        self._tolerance = tolerance
        self._average = Smoothed()
        self._best = math.inf
        self._waited = 0

    def reached(self, loss: float) -> bool:
        """Take a loss in; true once no better average came for `patience` steps (then start anew).

        Better means by `tolerance` of the best's magnitude: noise of the views is no progress.
        """
        value = self._average.add(loss)
        if value < self._best - self._tolerance * abs(self._best if self._best < math.inf else 0):
            self._best = value
            self._waited = 0
            return False
        self._waited += 1
        if self._waited < self._patience:
            return False
        self._waited = 0
        return True
