"""Both sides in turn, and what that makes of a row of the table. No torch: workers have it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks.loop.configs import CONFIGS, VIEWS
from benchmarks.loop.worker import OUR_LOOKS, OURS, THEIR_LOOKS, THEIRS, Worker

Row = dict[str, Any]
_LOOKS = {"vqgan-clip": "our own recipe, VQGAN-CLIP's", "pixray": "pixray's recipe, pixray's"}
# Unless a number of steps is given: three, and more of quick ones.
_LEAST, _MOST, _SECONDS = 3, 30, 3.0
_ON_CUDA = 20  # steps in a turn: the device is waited for at its ends only


@dataclass(frozen=True)
class Plan:
    """How to measure.

    Attributes:
        device: as `runtime.pick` reads it.
        steps: turns of each side; None = three, and more of quick ones.
        warm_up: turns before those.
        ancestors: whether the ancestors' steps are measured, too.
        tiny: with tiny networks, for tests.
    """

    device: str
    steps: int | None = None
    warm_up: int = 1
    ancestors: bool = True
    tiny: bool = False

    def enough(self, turns: int, seconds: float) -> bool:
        """Whether so many turns, which took so long, are enough."""
        if self.steps is not None:
            return turns >= self.steps
        return turns >= _MOST or (turns >= _LEAST and seconds >= _SECONDS)

    def worker(self, side: str, name: str) -> Worker:
        """Return a process for a side."""
        return Worker(side, name, self.device, tiny=self.tiny)


def drawing(name: str, plan: Plan, peaks: Mapping[str, Any], *, cuda: bool) -> Row:
    """Measure one configuration.

    Returns:
        "config"; seconds "step" (median), "least", "floor"; by part "parts" and "floors"; "flops";
        "memory" in MiB; "ancestor": the same of its step, or None; "published"; "strange".
    """
    config = CONFIGS[name]
    sides = [OURS, THEIRS] if config.recipe and plan.ancestors else [OURS]
    with ExitStack() as stack:
        workers = [stack.enter_context(plan.worker(side, name)) for side in sides]
        took = in_turn(workers, plan, cuda=cuda)
        memory = [worker.ask("memory")["mib"] for worker in workers]
        if cuda:
            for worker, parts in zip(workers, took, strict=True):
                parts["parts"] = worker.ask("split", count=3)["parts"]
        floor = workers[0].ask("floor", peaks=dict(peaks))
    rows = [_row(*pair) for pair in zip(took, memory, strict=True)]
    return {
        "config": name,
        **rows[0],
        "floor": sum(floor["floors"].values()),
        **{key: floor[key] for key in ("floors", "flops", "chunk", "strange")},
        "ancestor": rows[1] if len(rows) > 1 else None,
        "published": config.published,
    }


def looks(plan: Plan, *, cuda: bool) -> Row:
    """Measure the looks alone: "looks" holds "what", seconds "ours" and "theirs"."""
    found = []
    for recipe, what in _LOOKS.items():
        with plan.worker(OUR_LOOKS, recipe) as ours, plan.worker(THEIR_LOOKS, recipe) as theirs:
            took = in_turn([ours, theirs], plan, cuda=cuda)
        a, b = (statistics.median(each["seconds"]) for each in took)
        found.append({"what": what, "ours": a, "theirs": b})
    return {"config": VIEWS, "looks": found}


def in_turn(workers: Sequence[Worker], plan: Plan, *, cuda: bool) -> list[Row]:
    """Let workers take steps in turn; return "seconds" and "parts" of each, step by step."""
    count = _ON_CUDA if cuda and not plan.tiny else 1
    for _ in range(plan.warm_up):
        for worker in workers:
            worker.ask("step", count=count)
    took: list[Row] = [{"seconds": [], "parts": []} for _ in workers]
    turns = 0
    while not turns or not plan.enough(turns, min(sum(each["seconds"]) for each in took)):
        turns += 1
        for worker, each in zip(workers, took, strict=True):
            answer = worker.ask("step", count=count)
            each["seconds"] += answer["seconds"]
            each["parts"] += answer.get("parts", [])
    return took


def _row(took: Row, memory: float) -> Row:
    return {
        "step": statistics.median(took["seconds"]),
        "least": min(took["seconds"]),
        "steps": len(took["seconds"]),
        "parts": _medians(took["parts"]),
        "memory": memory,
    }


def _medians(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = parts[0] if parts else ()
    return {name: statistics.median(row[name] for row in parts) for name in names}
