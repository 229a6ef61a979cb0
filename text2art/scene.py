"""A scene: everything the loop needs, and nothing it knows by name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from text2art.abilities import Annealed
from text2art.chunks import Chunks
from text2art.core import Asking, Drawer, LookFilter, Loss, View
from text2art.looks import Cutouts
from text2art.view import Ask


class Schedule(Protocol):
    """Sets the learning rates before each update."""

    def apply_(self, optimizer: torch.optim.Optimizer, progress: float) -> None:
        """Set the rate of each group; never touches the optimizer's moments."""
        ...

    def drop(self) -> None:
        """Lower all rates from now on: a plateau was reached."""
        ...


_PASS = 10_000_000  # more than any run has steps: what is random by step is other in each pass


@dataclass
class Scene:
    """Everything the loop needs, and nothing it knows by name.

    Attributes:
        filters: change the drawer's picture, in turn, before it is looked at or shown.
        look_filters: change it, in turn, before it is looked at, and only there.
        chunks: how many looks go through a perceptor at a time.
        passes: looks of how many kinds a step takes, one after the other; their gradients add up.
        edits: change the drawer before a step, given the step and the number of steps.
        token_drop: share of each look's patches that vision transformers do not see while drawing.
        since: progress at the first step, for what goes on from a picture that is there.
        begin: number of updates made before the first step, in other scenes of the same run.
    """

    drawer: Drawer
    cutouts: Cutouts
    losses: Sequence[Loss]
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    filters: Sequence[Callable[[Tensor], Tensor]] = ()
    look_filters: Sequence[LookFilter] = ()
    chunks: Chunks = field(default_factory=Chunks)
    passes: int = 1
    token_drop: float = 0.0
    edits: Sequence[Callable[[int, int], None]] = ()
    since: float = 0.0
    begin: int = 0

    def progress(self, step: int, steps: int) -> float:
        """Return what share of the run is over, in [0, 1]."""
        return self.since + (1 - self.since) * step / max(steps, 1)

    def view(self, step: int, steps: int, *, final: bool = False, number: int = 0) -> View:
        """Return the picture of a step, ready to be asked about.

        The result is drawn in evaluation mode: some drawers show an average there, or crisp edges.

        Args:
            step: number of updates made before it in this scene.
            steps: of this scene.
            final: whether it is the result.
            number: of the pass, 0 for the first.
        """
        self.drawer.train(not final)
        progress = self.progress(step, steps)
        if not final and isinstance(self.drawer, Annealed):
            self.drawer.at_(progress)
        image = self.drawer()
        for change in self.filters:
            image = change(image)
        made = self.begin + step
        turn = made + number * _PASS
        look = functools.partial(self._look, turn)
        dropped = 0.0 if final else self.token_drop
        return View(image, made, progress, self.cutouts, self.chunks, look, turn, dropped)

    def _look(self, step: int, image: Tensor) -> Tensor:
        for change in self.look_filters:
            image = change.look(image, step)
        return image

    def asks(self, view: View) -> list[Ask]:
        """Return who is to look at what of a view, as far as losses say so beforehand."""
        return [ask for loss in self.losses if isinstance(loss, Asking) for ask in loss.asks(view)]

    def terms(self, view: View) -> dict[str, Tensor]:
        """Return every weighted loss of a view, by name."""
        return {loss.name: loss.weight * loss(view) for loss in self.losses}
