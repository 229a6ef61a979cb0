"""How learning rates change over a run. The optimizer's moments are never lost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch

from text2art.settings import Settings

Factor = Callable[[float], float]


class RateSchedule:
    """Multiplies each group's own rate by a factor of progress and by the drops asked for.

    Unlike pixray, which rebuilds its optimizers at a drop, the moments are kept.
    """

    def __init__(self, factor: Factor, rate: float = 1.0) -> None:
        self._factor = factor
        self._rate = rate
        self.drops = 0

    def drop(self) -> None:
        """Divide all rates by ten from now on (a plateau was reached)."""
        self.drops += 1

    def apply_(self, optimizer: torch.optim.Optimizer, progress: float) -> None:
        """Set the rate of each group for a progress in [0, 1]."""
        factor = self._rate * self._factor(progress) * 0.1**self.drops
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor


def schedule_of(settings: Settings) -> RateSchedule:
    """Return the schedule that settings name."""
    factors: Mapping[str, Factor] = {
        "drops": drops_at(settings.learning_rate_drops),
        "cosine": cosine,
        "constant": constant,
    }
    return RateSchedule(factors[settings.schedule], settings.learning_rate)


def drops_at(percents: Sequence[float]) -> Factor:
    """Return a factor that falls to a tenth at each of the given percents of the run."""
    return lambda progress: 0.1 ** sum(progress * 100 >= percent for percent in percents)


def cosine(progress: float) -> float:
    """Fall from 1 to 0.02 along half a cosine."""
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress))


def constant(progress: float) -> float:
    """Stay at 1."""
    return 1.0
