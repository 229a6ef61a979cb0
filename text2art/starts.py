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
from text2art.core import Frame
from text2art.looks import Cutouts
from text2art.loop import Pull
from text2art.scene import Scene

_SHARE = 0.1  # of all steps, for the first round of each tryout
_MOST = 0.5  # of all steps, for all of them
_LOOKS = 32  # at so many at a time small perceptors are as quick as they get
_BYTES = 2**29  # for the pictures of a step; networks' own memory is planned by `memory`


@dataclass(frozen=True)
class Round:
    """A round of tryouts.

    Attributes:
        starts: how many are in it.
        steps: updates of each.
        before: updates that each has made in earlier rounds.
    """

    starts: int
    steps: int
    before: int

    @property
    def end(self) -> int:
        """Updates that each of its starts has made when it is over."""
        return self.before + self.steps


def looks_of(cuts: int) -> int:
    """Return how many looks a step of a tryout takes, of the looks that later steps take.

    Half as many do: all starts are looked at in the same ways, and tryouts are half of a short run.
    """
    return (cuts + 1) // 2


def together(starts: int, cuts: int, size: int, company: int = 1) -> int:
    """Return how many starts are drawn side by side: what they keep is in memory at once.

    Args:
        starts: how many there are.
        cuts: looks that later steps take: tryouts take no more, or `_LOOKS` if that is more.
        size: bytes that a picture keeps for its gradient.
        company: how many pictures try their starts at the same time.
    """
    fitting = min(max(_LOOKS, cuts) // looks_of(cuts), _BYTES // max(size, 1)) // company
    return max(1, min(starts, fitting))


def rounds_of(starts: int, steps: int) -> tuple[Round, ...]:
    """Return the rounds in which starts are tried; none where there is no choice or no time.

    After each round the better half goes on, until one is left ("successive halving",
    arXiv:1502.07943): what is hopeless shows early, which of two is better does not. Departure:
    rounds are as long as all before them together, where there each takes the same time in all.
    """
    counts = [starts]
    while counts[-1] > 2:
        counts.append((counts[-1] + 1) // 2)
    lengths = [1, *(2**k for k in range(len(counts) - 1))]
    units = sum(count * length for count, length in zip(counts, lengths, strict=True))
    unit = int(min(_SHARE, _MOST / units) * steps)
    if starts < 2 or not unit:
        return ()
    before = [0, *itertools.accumulate(lengths)]
    return tuple(
        Round(count, length * unit, done * unit)
        for count, length, done in zip(counts, lengths, before, strict=False)
    )


def steps_of(rounds: Sequence[Round]) -> int:
    """Return the updates of all tryouts."""
    return sum(one.starts * one.steps for one in rounds)


@dataclass
class Trial:
    """How far the tryouts of a run have got.

    Attributes:
        turn: number of the round.
        left: the starts that are in it.
        first: place among them of the first of those that are drawn side by side.
        step: updates that each of these has made in this round.
        place: which of these is next to make one more.
        late: their losses so far that count, by turns.
        losses: the mean losses of those before `first` in this round.
        start: the one that was drawn last.
        most: how many are drawn side by side.
    """

    turn: int = 0
    left: list[int] = field(default_factory=list)
    first: int = 0
    step: int = 0
    place: int = 0
    late: list[Tensor] = field(default_factory=list)
    losses: list[Tensor] = field(default_factory=list)
    start: int = 0
    most: int = 1

    def memory(self) -> dict[str, Any]:
        """Return it as plain values and tensors, for a checkpoint."""
        return dict(vars(self))

    @classmethod
    def recalled(cls, memory: Mapping[str, Any], starts: int, rounds: Sequence[Round]) -> Trial:
        """Return what `memory` gave, of so many starts that are tried in these rounds.

        Raises:
            CheckpointError: it is out of range.
        """
        turn = whole(memory["turn"], 0, max(len(rounds) - 1, 0))
        left = [whole(number, 0, max(starts - 1, 0)) for number in memory["left"]]
        now = rounds[turn] if rounds else Round(0, 0, 0)
        if left:  # those of this round, each once
            for length in (len(left), len(set(left))):
                whole(length, now.starts, now.starts)
        most = whole(memory["most"], 1, max(starts, 1))
        first = whole(memory["first"], 0, max(len(left) - 1, 0))
        whole(first % most, 0, 0)
        beside = min(most, len(left) - first)
        step, place = (
            whole(memory["step"], 0, now.steps),
            whole(memory["place"], 0, max(beside - 1, 0)),
        )
        trial = cls(turn, left, first, step, place, start=start_in(memory, starts), most=most)
        trial.late = [loss.reshape(()) for loss in memory["late"]]
        trial.losses = [loss.reshape(()) for loss in memory["losses"]]
        whole(len(trial.losses), first, first)
        counted = step - now.steps // 2
        late = max(0, counted * beside + (place if counted >= 0 else 0))
        whole(len(trial.late), late, late)
        return trial


def start_in(memory: Mapping[str, Any], starts: int) -> int:
    """Return which of so many starts was drawn last, by what `Trial.memory` gave.

    Raises:
        CheckpointError: it is out of range.
    """
    return whole(memory["start"], 0, max(starts - 1, 0))


def try_starts(
    scenes: Sequence[Scene],
    steps: int,
    trial: Trial | None = None,
    cutouts: Cutouts | None = None,
) -> Generator[tuple[int, Frame] | Pull, None, int]:
    """Draw each scene a little; yield its frames as tryouts, return which has the least loss.

    Yields what is to be pulled, too: see `loop.course`.

    All starts are looked at in the same ways, so that the looks favor none. The tryouts are part of
    the `steps` there are: what is left after them is one run, of which the best start has already
    made the first ones.

    Args:
        scenes: alike but for their random starts.
        steps: updates in all.
        trial: how far tryouts have got that go on; kept up to date.
        cutouts: how they are looked at meanwhile; None = as later.
    """
    trial = Trial() if trial is None else trial
    rounds = rounds_of(len(scenes), steps)
    if not rounds:
        return 0
    trial.left = trial.left or list(range(len(scenes)))
    length = steps - steps_of(rounds) + rounds[-1].end
    tried = [one if cutouts is None else replace(one, cutouts=cutouts) for one in scenes]
    for turn in range(trial.turn, len(rounds)):
        trial.turn = turn
        while trial.first < len(trial.left):
            beside = trial.left[trial.first : trial.first + trial.most]
            yield from _try_beside(tried, beside, rounds, length, trial)
            trial.losses.extend(_together(trial.late).reshape(-1, len(beside)).mean(0))
            trial.first, trial.step, trial.late = trial.first + len(beside), 0, []
        order = _together(trial.losses).argsort(stable=True).tolist()
        kept = order[: 1 if turn == len(rounds) - 1 else rounds[turn + 1].starts]
        trial.left = [trial.left[place] for place in sorted(kept)]
        trial.first, trial.losses = 0, []
    return trial.left[0]


def _try_beside(
    scenes: Sequence[Scene],
    beside: Sequence[int],
    rounds: Sequence[Round],
    length: int,
    trial: Trial,
) -> Generator[tuple[int, Frame] | Pull]:
    """Draw some of the starts that are left side by side for a round; note their losses."""
    now, count = rounds[trial.turn], len(beside)
    before = steps_of(rounds[: trial.turn]) + trial.first * now.steps
    made = trial.step * count + trial.place
    running = loop.course(
        [scenes[number] for number in beside], length, now.before + trial.step, trial.place
    )
    while made < now.steps * count:
        frame = next(running)
        if isinstance(frame, Pull):
            yield frame
            continue
        if trial.step >= now.steps // 2:  # the first ones say where it was, not where it goes
            trial.late.append(torch.stack(list(frame.terms.values())).sum())
        trial.start, shown = beside[trial.place], 0 if trial.place else count
        made += 1
        trial.step, trial.place = divmod(made, count)
        yield trial.start, replace(frame, step=before + made - 1, tryout=True, beside=shown)


def _together(losses: Sequence[Tensor]) -> Tensor:
    """Return losses as one tensor; those of a checkpoint come from the CPU."""
    return torch.stack([loss.to(losses[-1]) for loss in losses])
