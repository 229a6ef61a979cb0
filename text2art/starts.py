"""Several starts: each is drawn a little, the most promising one to the end."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from text2art import loop
from text2art.checkpoint import whole
from text2art.core import Cutouts, Frame
from text2art.scene import Scene

_SHARE = 0.1  # of all steps, for each tryout
_MOST = 0.5  # of all steps, for all of them


def looks_of(cuts: int) -> int:
    """Return how many looks a step of a tryout takes, of the looks that later steps take.

    Half as many do: all starts are looked at in the same ways, and tryouts are half of a short run.
    """
    return (cuts + 1) // 2


def length_of(starts: int, steps: int) -> int:
    """Return how many steps each start is tried for; 0 where there is no choice or no time."""
    return int(min(_SHARE, _MOST / starts) * steps) if starts > 1 else 0


@dataclass
class Trial:
    """How far the tryouts of a run have got.

    Attributes:
        number: the start that is being tried.
        step: updates made of it.
        late: its losses so far that count.
        losses: the mean losses of those before it.
    """

    number: int = 0
    step: int = 0
    late: list[Tensor] = field(default_factory=list)
    losses: list[Tensor] = field(default_factory=list)

    def memory(self) -> dict[str, Any]:
        """Return it as plain values and tensors, for a checkpoint."""
        return dict(vars(self))

    @classmethod
    def recalled(cls, memory: Mapping[str, Any], starts: int, tries: int) -> Trial:
        """Return what `memory` gave, of so many starts that are tried for so many steps.

        Raises:
            CheckpointError: it is out of range.
        """
        number = whole(memory["number"], 0, max(starts - 1, 0))
        trial = cls(number, whole(memory["step"], 0, tries))
        trial.late = [loss.reshape(()) for loss in memory["late"]]
        trial.losses = [loss.reshape(()) for loss in memory["losses"]]
        whole(len(trial.losses), number, number)
        return trial


def try_starts(
    scenes: Sequence[Scene],
    steps: int,
    trial: Trial | None = None,
    cutouts: Cutouts | None = None,
) -> Generator[tuple[int, Frame], None, int]:
    """Draw each scene a little; yield its frames as tryouts, return which has the least loss.

    All starts are looked at in the same ways, so that the looks favor none. The tryouts are part of
    the `steps` there are: what is left after them is one run, of which the best start has already
    made the first `length_of` steps.

    Args:
        scenes: alike but for their random starts.
        steps: updates in all.
        trial: how far tryouts have got that go on; kept up to date.
        cutouts: how they are looked at meanwhile; None = as later.
    """
    trial = Trial() if trial is None else trial
    tries = length_of(len(scenes), steps)
    if not tries:
        return 0
    length = steps - (len(scenes) - 1) * tries
    for number in range(trial.number, len(scenes)):
        if number > trial.number:
            trial.number, trial.step, trial.late = number, 0, []
        scene = scenes[number]
        tried = scene if cutouts is None else replace(scene, cutouts=cutouts)
        running = loop.run(tried, length, trial.step)
        for frame in itertools.islice(running, tries - trial.step):
            if frame.step >= tries // 2:  # the first ones say where it starts, not where it goes
                trial.late.append(torch.stack(list(frame.terms.values())).sum())
            trial.step = frame.step + 1
            yield number, replace(frame, step=number * tries + frame.step, tryout=True)
        trial.losses.append(_together(trial.late).mean() if trial.late else torch.zeros(()))
    return int(_together(trial.losses).argmin())


def _together(losses: Sequence[Tensor]) -> Tensor:
    """Return losses as one tensor; those of a checkpoint come from the CPU."""
    return torch.stack([loss.to(losses[-1]) for loss in losses])
