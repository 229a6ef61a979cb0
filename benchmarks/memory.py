"""Measure what chunks of looks save and cost: peak memory and seconds per step.

`python -m benchmarks.memory [--perceptor NAME] [--cuts N] [--chunks all,16,8,4] [--steps N]`.
Each row is a process of its own, so that none starts with what another has left behind. On CUDA
the peak is what torch allocated, on the CPU by how much the process grew; both beyond the models.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from text2art import __version__, loop, memory
from text2art.errors import Text2ArtError
from text2art.models import Models
from text2art.runtime import Runtime, pick, release_memory
from text2art.session import Session
from text2art.settings import MAX_CUTS, Settings

PROMPT = "a red apple on a blue background"
ALL = "all"


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Draw a few steps; return "mib" (peak), "expected" (as plans expect it) and "seconds"."""
    models = Models(pick(given.device))
    chunk = MAX_CUTS if given.chunks == ALL else int(given.chunks)
    settings = Settings.of(
        prompts=PROMPT, seed=1, perceptor=given.perceptor, drawer=given.drawer, size=given.size,
        cuts=given.cuts, chunk=chunk, iterations=given.steps, starts=1,
    )  # fmt: skip
    with Session(settings, models=models) as session:
        perceptors = [perceptor for perceptor, _ in session.ensemble]
        cost = sum(models.crop_bytes(perceptor) for perceptor in perceptors)
        rest = memory.picture_bytes(session.scene, sorted({p.size for p in perceptors}))
        peak = Peak(models.runtime)
        seconds, last = [], time.perf_counter()
        for _ in loop.run(session.scene, given.steps):
            peak.wait()
            now = time.perf_counter()
            seconds.append(now - last)
            last = now
        expected = rest + cost * min(chunk, given.cuts)
        # The first step also pays for what is made at first use.
        typical = statistics.median(seconds[1:] or seconds)
        return {"mib": peak.grown / 2**20, "expected": expected / 2**20, "seconds": typical}


class Peak:
    """The most memory in use since it was made, beyond what was in use then."""

    def __init__(self, runtime: Runtime) -> None:
        self._cuda = runtime.device.type == "cuda"
        release_memory()
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated()
        else:
            Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak is the present again
            self._before = _status("VmRSS")

    def wait(self) -> None:
        if self._cuda:
            torch.cuda.synchronize()

    @property
    def grown(self) -> int:
        now = torch.cuda.max_memory_allocated() if self._cuda else _status("VmHWM")
        return now - self._before


def _status(name: str) -> int:
    """Return one of the kernel's numbers about this process, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.memory")
    parser.add_argument("--perceptor", default="ViT-B-32@random")
    parser.add_argument("--drawer", default="pyramid")
    parser.add_argument("--size", default="256x256")
    parser.add_argument("--cuts", type=int, default=32)
    parser.add_argument("--chunks", default="all,16,8,4", help="sizes, comma-separated")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--device", help="default: TEXT2ART_DEVICE, else what is there")
    parser.add_argument("--row", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.row:
        print(json.dumps(measure(given)))
        return
    print(
        f"text2art {__version__}, torch {torch.__version__}, {pick(given.device).description}; "
        f"{given.perceptor}, {given.cuts} looks, {given.steps} steps"
    )
    print(f"{'chunk':>6}{'peak MiB':>10}{'expected':>10}{'s/step':>9}")
    own = list(sys.argv[1:] if arguments is None else arguments)
    for chunk in given.chunks.split(","):
        found = _row([*own, "--row", "--chunks", chunk])
        numbers = f"{found['mib']:>10.0f}{found['expected']:>10.0f}{found['seconds']:>9.2f}"
        print(f"{chunk:>6}{numbers}", flush=True)


def _row(arguments: Sequence[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.memory", *arguments]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        raise Text2ArtError(f"{' '.join(command)} ended with {run.returncode}")
    found: dict[str, Any] = json.loads(run.stdout)
    return found


if __name__ == "__main__":
    main()
