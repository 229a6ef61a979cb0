"""Measure what drawing several pictures together saves.

`python -m benchmarks.together [--config NAMES] [--pictures 1 2 4 8] [--one-core]` prints a table in
Markdown: seconds of one picture's step, medians over turns in which all numbers of pictures are
measured one after the other, so that whatever else the machine does hits all of them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import torch

from benchmarks.loop.__main__ import on_one_core
from benchmarks.loop.configs import CONFIGS, chosen
from benchmarks.loop.networks import RandomModels
from text2art.core import Frame
from text2art.models import Models
from text2art.runtime import pick
from text2art.together import draw_together, sessions_of

NAMES = ("starter-draft-pyramid", "starter-normal-pyramid", "starter-pixel-48", "starter-vqgan")
_LONG = 10_000  # steps: more than are measured
_WARM_UP = 6  # steps; on CUDA graphs are recorded meanwhile


class Company:
    """Pictures of one configuration that are drawn together.

    Attributes:
        count: how many.
        seconds: of one picture's step, a number per turn.
    """

    def __init__(self, name: str, count: int, models: Models, stack: ExitStack) -> None:
        config = CONFIGS[name]
        orders = [config.made(seed=n, iterations=_LONG) for n in range(count)]
        sessions = stack.enter_context(sessions_of(orders, models))
        self.count = count
        self.seconds: list[float] = []
        self._device = models.runtime.device
        self._frames: Iterator[tuple[int, Frame]] = draw_together(sessions)
        self.take(_WARM_UP)

    def take(self, steps: int) -> float:
        """Take steps of all pictures; return the seconds."""
        begun = time.perf_counter()
        for _ in range(steps * self.count):
            next(self._frames)
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter() - begun

    def turn(self, steps: int) -> None:
        """Take steps, and note how long one of one picture took."""
        self.seconds.append(self.take(steps) / steps / self.count)


def measured(
    name: str, counts: Sequence[int], models: Models, turns: int, steps: int
) -> list[float]:
    """Return the median seconds of one picture's step for each number of pictures."""
    with ExitStack() as stack:
        companies = [Company(name, count, models, stack) for count in counts]
        for _ in range(turns):
            for company in companies:
                company.turn(steps)
    return [statistics.median(company.seconds) for company in companies]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.together", description=__doc__)
    parser.add_argument("--config", nargs="+", default=list(NAMES), metavar="NAME")
    parser.add_argument("--pictures", nargs="+", type=int, default=[1, 2, 4, 8], metavar="N")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5, help="of each picture in a turn")
    parser.add_argument("--device", default=None)
    parser.add_argument("--one-core", action="store_true")
    given = parser.parse_args(arguments)
    if given.one_core:  # torch was imported: the number of its threads is set, too
        torch.set_num_threads(1)
        on_one_core()
    models = RandomModels(pick(given.device))
    print(f"| configuration | {' | '.join(f'{n} together' for n in given.pictures)} |")
    print(f"|---|{'---|' * len(given.pictures)}")
    for name in chosen(given.config):
        if name in CONFIGS:
            took = measured(name, given.pictures, models, given.turns, given.steps)
            print(f"| `{name}` | {' | '.join(f'{t:.4f}' for t in took)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
