"""Measure the loop: seconds per step, where they go, and peak memory, for named settings.

`python -m benchmarks.loop [--config NAME ...] [--steps N]`. Nothing in the loop is changed: the
split comes from clocks put around the scene's own parts from outside, and a step's total from a
run without them.
"""

from __future__ import annotations

import argparse
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from text2art import __version__, loop
from text2art.errors import Text2ArtError
from text2art.models import Models
from text2art.runtime import Runtime, pick
from text2art.session import Session
from text2art.settings import Settings

PROMPT = "a red apple on a blue background"
WARM_UP = 3
CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "starter-draft-pyramid": {"perceptor": "starter", "quality": "draft", "drawer": "pyramid"},
    "starter-normal-pyramid": {"perceptor": "starter", "quality": "normal", "drawer": "pyramid"},
    "starter-pixel-48": {"perceptor": "starter", "quality": "normal", "drawer": "pixel"},
    "starter-pixel-hex": {
        "perceptor": "starter",
        "quality": "normal",
        "drawer": "pixel",
        "pixel": {"cell": "hex"},
    },
    "starter-pixel-palette": {
        "perceptor": "starter",
        "quality": "normal",
        "drawer": "pixel",
        "palette": "PICO-8",
    },
    "starter-fft": {"perceptor": "starter", "quality": "normal", "drawer": "fft"},
    "starter-normal-1024": {
        "perceptor": "starter",
        "quality": "normal",
        "drawer": "pyramid",
        "size": "1024x1024",
    },
    "toy-normal-pyramid": {"perceptor": "toy", "quality": "normal", "drawer": "pyramid"},
    "clip-b32-random-pyramid": {
        "perceptor": "ViT-B-32@random",
        "quality": "normal",
        "drawer": "pyramid",
        "cuts": 8,
    },
}
PARTS = ("drawer", "cutouts", "perceptor", "losses", "backward", "optimizer")


class Clock:
    """Adds up the seconds spent in named parts; on CUDA it waits for the device at each reading."""

    def __init__(self, runtime: Runtime) -> None:
        self._cuda = runtime.device.type == "cuda"
        self.spent = dict.fromkeys(PARTS, 0.0)

    def now(self) -> float:
        if self._cuda:
            torch.cuda.synchronize()
        return time.perf_counter()

    def around(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            started = self.now()
            result = function(*arguments, **named)
            self.spent[part] += self.now() - started
            return result

        return timed


def measure(name: str, steps: int, models: Models) -> dict[str, float]:
    """Return medians in seconds: "step", and each part; and "memory" in MiB."""
    settings = Settings.of(prompts=PROMPT, seed=1, **CONFIGS[name])
    clock = Clock(models.runtime)
    if models.runtime.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with Session(settings, models=models) as session:
        totals = _steps(session, steps, clock)
    with Session(settings, models=models) as session:
        split = _split(session, steps, clock)
    return {"step": statistics.median(totals), **split, "memory": _memory(models.runtime)}


def _steps(session: Session, steps: int, clock: Clock) -> list[float]:
    """Time whole steps of the untouched loop."""
    seconds, last = [], clock.now()
    for _ in loop.run(session.scene, WARM_UP + steps):
        now = clock.now()
        seconds.append(now - last)
        last = now
    return seconds[WARM_UP:]


def _split(session: Session, steps: int, clock: Clock) -> dict[str, float]:
    """Time the parts of each step; what the losses take is without what they ask others for."""
    scene = session.scene
    scene.drawer.forward = clock.around("drawer", scene.drawer.forward)  # type: ignore[method-assign]
    scene.cutouts.choose = clock.around("cutouts", scene.cutouts.choose)  # type: ignore[method-assign]
    scene.cutouts.cut = clock.around("cutouts", scene.cutouts.cut)  # type: ignore[method-assign]
    scene.terms = clock.around("losses", scene.terms)  # type: ignore[method-assign]
    # Backward is what happens between the reset of the gradients and the optimizer's step.
    reset, update, since = scene.optimizer.zero_grad, scene.optimizer.step, [0.0]

    def timed_reset(*arguments: Any, **named: Any) -> None:
        reset(*arguments, **named)
        since[0] = clock.now()

    def timed_step(*arguments: Any, **named: Any) -> Any:
        clock.spent["backward"] += clock.now() - since[0]
        return clock.around("optimizer", update)(*arguments, **named)

    scene.optimizer.zero_grad = timed_reset  # type: ignore[method-assign]
    scene.optimizer.step = timed_step  # type: ignore[method-assign]
    seen = [(p, p.see) for p, _ in session.ensemble]
    try:
        for perceptor, see in seen:
            perceptor.see = clock.around("perceptor", see)  # type: ignore[method-assign]
        rows: list[dict[str, float]] = []
        before = dict(clock.spent)
        for _ in loop.run(scene, WARM_UP + steps):
            rows.append({part: clock.spent[part] - before[part] for part in PARTS})
            before = dict(clock.spent)
    finally:
        for perceptor, see in seen:
            perceptor.see = see  # type: ignore[method-assign]
    for row in rows:  # the losses ask for views, and views for cuts
        row["losses"] -= row["perceptor"] + row["cutouts"]
    return {part: statistics.median(row[part] for row in rows[WARM_UP:]) for part in PARTS}


def _memory(runtime: Runtime) -> float:
    """Return the peak in MiB: allocated by torch on CUDA, else of the whole process so far."""
    if runtime.device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.loop")
    parser.add_argument("--config", nargs="+", choices=list(CONFIGS), default=list(CONFIGS))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--device", help="default: TEXT2ART_DEVICE, else what is there")
    given = parser.parse_args(arguments)
    models = Models(pick(given.device))
    print(
        f"text2art {__version__}, torch {torch.__version__}, {models.runtime.description}, "
        f"{platform.machine()} {platform.system()}; medians of {given.steps} steps, milliseconds"
    )
    print(f"{'config':<26}{'step':>9}" + "".join(f"{p:>11}" for p in PARTS) + f"{'MiB':>9}")
    for name in given.config:
        try:
            found = measure(name, given.steps, models)
        except Text2ArtError as error:
            print(f"{name:<26}skipped: {error}")
            continue
        times = "".join(f"{found[part] * 1e3:>11.2f}" for part in PARTS)
        print(f"{name:<26}{found['step'] * 1e3:>9.2f}{times}{found['memory']:>9.0f}", flush=True)


if __name__ == "__main__":
    main()
