"""Several starts: each is drawn a little, the most promising one to the end."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from text2art import loop
from text2art.core import Frame, Scene

_SHARE = 0.1  # of all steps, for each tryout
_MOST = 0.5  # of all steps, for all of them


@dataclass
class Start:
    """A scene and its run, paused."""

    scene: Scene
    frames: Iterator[Frame]


def length_of(starts: int, steps: int) -> int:
    """Return how many steps each start is tried for; 0 where there is no choice or no time."""
    return int(min(_SHARE, _MOST / starts) * steps) if starts > 1 else 0


def try_starts(scenes: Sequence[Scene], steps: int) -> Generator[tuple[Start, Frame], None, Start]:
    """Draw each scene a little; yield its frames as tryouts, return the start with the least loss.

    All starts are looked at in the same ways, so that the looks favor none. The tryouts are part of
    the `steps` there are: what is left after them is one run, of which the best start has already
    made the first ones.

    Args:
        scenes: alike but for their random starts.
        steps: updates in all.
    """
    tries = length_of(len(scenes), steps)
    length = steps - (len(scenes) - 1) * tries
    runs = [Start(scene, loop.run(scene, length)) for scene in scenes]
    losses = []
    for number, start in enumerate(runs if tries else runs[:1]):
        late = []
        for frame in itertools.islice(start.frames, tries):
            if frame.step >= tries // 2:  # the first ones say where it starts, not where it goes
                late.append(torch.stack(list(frame.terms.values())).sum())
            yield start, replace(frame, step=number * tries + frame.step, tryout=True)
        losses.append(torch.stack(late).mean() if late else torch.zeros(()))
    best = runs[int(torch.stack(losses).argmin())]
    offset = (len(scenes) - 1) * tries
    later = (replace(frame, step=offset + frame.step) for frame in best.frames)
    return Start(best.scene, later)
