"""When to stop, and which picture to keep: judged on smoothed numbers, since views are random."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

from text2art.checkpoint import tensors_like, whole
from text2art.core import Frame
from text2art.scene import Scene
from text2art.settings import Settings


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

    def memory(self) -> list[float]:
        """Return what makes up the average."""
        return [self._sum, self._mass]

    def recall_(self, memory: Sequence[float]) -> None:
        """Take over what `memory` gave."""
        self._sum, self._mass = map(float, memory)


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

    def memory(self) -> dict[str, Any]:
        """Return what it has noticed so far."""
        average = self._average.memory()
        return {"average": average, "best": self._best, "waited": self._waited}

    def recall_(self, memory: Mapping[str, Any]) -> None:
        """Take over what `memory` gave."""
        self._average.recall_(memory["average"])
        self._best, self._waited = float(memory["best"]), int(memory["waited"])


class Watch:
    """Follows a run: stops it when asked to, and remembers the best parameters."""

    def __init__(self, settings: Settings, scene: Scene) -> None:
        self._settings = settings
        self._scene = scene
        self._plateau = Plateau(settings.patience)
        self._drops_left = len(settings.learning_rate_drops)
        self._score = Smoothed()
        self._best = float("-inf")
        self._best_state: dict[str, Any] | None = None

    def over(self, frame: Frame) -> bool:
        """Take a frame in; return whether the run is over. Reads numbers only when needed."""
        s = self._settings
        if s.keep == "best" or s.stop_score is not None:
            score = self._score.add(frame.score)
            made = frame.step - self._scene.begin
            warm = made >= 10  # the average of fewer is mostly noise
            if s.keep == "best" and warm and score > self._best:
                self._best = score
                self._best_state = copy.deepcopy(self._scene.drawer.state_dict())
            if s.stop_score is not None and warm and score >= s.stop_score:
                return True
        if s.auto_stop and self._plateau.reached(frame.loss):
            if self._drops_left == 0:
                return True
            self._drops_left -= 1
            self._scene.schedule.drop()
        return False

    def restore_best(self) -> None:
        """Bring the best parameters back, when they were to be kept."""
        if self._best_state is not None:
            self._scene.drawer.load_state_dict(self._best_state)

    def memory(self) -> dict[str, Any]:
        """Return what it has seen so far, for a checkpoint."""
        return {
            "plateau": self._plateau.memory(),
            "drops_left": self._drops_left,
            "score": self._score.memory(),
            "best": self._best,
            "best_state": self._best_state,
        }

    def recall_(self, memory: Mapping[str, Any]) -> None:
        """Take over what `memory` gave: of a new watch over a new schedule.

        Raises:
            CheckpointError: it is of another drawer.
        """
        self._plateau.recall_(memory["plateau"])
        drops = self._drops_left
        self._drops_left = whole(memory["drops_left"], 0, drops)
        for _ in range(drops - self._drops_left):
            self._scene.schedule.drop()
        self._score.recall_(memory["score"])
        self._best = float(memory["best"])
        self._best_state = memory["best_state"]
        if self._best_state is not None:
            tensors_like(self._best_state, self._scene.drawer.state_dict(), "drawer")
