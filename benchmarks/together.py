"""Measure what drawing several pictures together saves.

`python -m benchmarks.together [--config NAMES] [--pictures 1 2 4 8] [--one-core]` prints a table in
Markdown: seconds of one picture's step, medians over turns in which all numbers of pictures are
measured one after the other, so that whatever else the machine does hits all of them.

`--queue N` hands N draft pictures to a studio instead, whose one worker draws as many of them at a
time (`together`), and prints how long all took, and how long one waited for its own in the mean.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch

from benchmarks.loop.__main__ import on_one_core
from benchmarks.loop.configs import CONFIGS, chosen
from benchmarks.loop.networks import RandomModels
from text2art.core import Frame
from text2art.models import Models
from text2art.runtime import pick
from text2art.studio.config import StudioConfig
from text2art.studio.model import Job, State
from text2art.studio.service import LOCAL, Studio
from text2art.studio.worker.supervisor import Supervisor
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


def queued(jobs: int, together: int) -> tuple[float, float]:
    """Return how long a studio's worker takes for so many pictures, and one to be there.

    Both in seconds from when the first is begun: the last one's, and the mean.
    """
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio.open(StudioConfig(data=Path(folder), together=together))
        asked = {"prompts": ["a red apple on a white background"], "quality": "draft", "seed": 1}
        found = [studio.submit(asked, LOCAL)[0].id]  # before they count: it loads the models
        with Supervisor(studio):
            _ended(studio, found)
            studio.pause()
            found = [studio.submit({**asked, "seed": n}, LOCAL)[0].id for n in range(jobs)]
            studio.resume()
            ended = _ended(studio, found)
        studio.close()
    begun = min(job.started or 0.0 for job in ended)
    took = [(job.finished or 0.0) - begun for job in ended]
    return max(took), statistics.mean(took)


def _ended(studio: Studio, ids: Sequence[str]) -> list[Job]:
    while True:
        jobs = [studio.get(one, LOCAL).job for one in ids]
        if all(job.state.ended for job in jobs):
            assert all(job.state is State.DONE for job in jobs), [job.error for job in jobs]
            return jobs
        time.sleep(0.2)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.together", description=__doc__)
    parser.add_argument("--config", nargs="+", default=list(NAMES), metavar="NAME")
    parser.add_argument("--pictures", nargs="+", type=int, default=[1, 2, 4, 8], metavar="N")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5, help="of each picture in a turn")
    parser.add_argument("--device", default=None)
    parser.add_argument("--one-core", action="store_true")
    parser.add_argument("--queue", type=int, metavar="N", help="pictures through a studio")
    given = parser.parse_args(arguments)
    if given.queue:
        print("| together | all, s | one, mean s |\n|---|---|---|")
        for count in given.pictures:
            whole, mean = queued(given.queue, count)
            print(f"| {count} | {whole:.1f} | {mean:.1f} |", flush=True)
        return
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
