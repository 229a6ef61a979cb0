"""Measure how long it takes until something is to be seen, in fresh processes.

`python -m benchmarks.startup [--runs N] [--perceptor NAME] [--drawer NAME]` prints a table in
Markdown: the median of wall-clock seconds and of processor seconds, those of all threads and of the
kernel, which other programs on the machine disturb less. The last row's wall clock stops at the
first frame; its processor seconds are those of the whole run of one step.

`--loading` measures how long the CLIP models of quality `better` take to load instead, one after
the other and side by side, from files with random weights of the published shapes (about 800 MB,
in a temporary folder).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from text2art import __version__

PYTHON = sys.executable
CLIPS = ("RN50", "ViT-B-32", "ViT-B-16")
CLI = [PYTHON, "-m", "text2art.cli"]
FIRST = b'"event": "frame"'  # what `draw --json` prints of a frame


def rows(given: argparse.Namespace) -> list[tuple[str, list[str], bool]]:
    """Return what is measured: a title, a command, and whether only to its first frame."""
    draw = [
        "draw", "a red apple", f"--perceptor={given.perceptor}", f"--drawer={given.drawer}",
        "--iterations=1", "--starts=1", "--seed=1", "--json", "--display-every=1", "--out=a.png",
    ]  # fmt: skip
    return [
        ("`text2art --version`", [*CLI, "--version"], False),
        ("`text2art --help`", [*CLI, "--help"], False),
        ("`text2art list drawers`", [*CLI, "list", "drawers"], False),
        ("`text2art draw --help`", [*CLI, "draw", "--help"], False),
        ("`import text2art`", [PYTHON, "-c", "import text2art"], False),
        ("`import torch`", [PYTHON, "-c", "import torch"], False),
        ("`import text2art.session`", [PYTHON, "-c", "import text2art.session"], False),
        ("`text2art draw`, to the first frame", [*CLI, *draw], True),
    ]


_WRITE = """
import sys, open_clip, torch
from safetensors.torch import save_file
for name in sys.argv[2:]:
    state = open_clip.create_model(name, pretrained=None).state_dict()
    halves = {key: t.half() if t.is_floating_point() else t for key, t in state.items()}
    save_file(halves, f"{sys.argv[1]}/{name}.safetensors")
"""
_LOAD = """
import sys
from text2art.models import Models
from text2art.runtime import pick
import open_clip, text2art.perceptors.open_clip
import time
models, wanted = Models(pick()), sys.argv[2:]
began = time.perf_counter()
if sys.argv[1] == "beside":
    models.perceptors(wanted)
else:
    for reference in wanted:
        models.perceptor(reference)
print(time.perf_counter() - began)
"""


def loading(runs: int) -> None:
    """Print how long CLIP models take to load; what is imported before does not count."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([PYTHON, "-c", _WRITE, folder, *CLIPS], check=True, capture_output=True)
        files = [f"{name}@{folder}/{name}.safetensors" for name in CLIPS]
        print("| what | seconds |\n|---|---:|")
        cases = [(f"`{name}`", "after", [file]) for name, file in zip(CLIPS, files, strict=True)]
        cases += [("the three, one after the other", "after", files)]
        cases += [("the three, side by side", "beside", files)]
        for title, how, wanted in cases:
            found = []
            for _ in range(runs + 1):  # the first time, so that files are in memory
                command = [PYTHON, "-c", _LOAD, how, *wanted]
                answer = subprocess.run(command, check=True, capture_output=True, text=True)
                found.append(float(answer.stdout))
            print(f"| {title} | {statistics.median(found[1:]):.2f} |", flush=True)


def measure(command: Sequence[str], *, first: bool) -> tuple[float, float]:
    """Run a command in an empty folder; return wall-clock and processor seconds.

    Args:
        command: what to run.
        first: whether the wall clock stops at the first frame rather than at the end.

    Raises:
        SystemExit: the command failed, or no frame came.
    """
    with tempfile.TemporaryDirectory() as folder:
        before, began = os.times(), time.perf_counter()
        with subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            wall = None
            for line in process.stdout:
                if first and wall is None and FIRST in line:
                    wall = time.perf_counter() - began
        ended, after = time.perf_counter() - began, os.times()
    if process.returncode or (first and wall is None):
        raise SystemExit(f"exit code {process.returncode} of: {' '.join(command)}")
    used = after.children_user - before.children_user
    used += after.children_system - before.children_system
    return ended if wall is None else wall, used


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.startup")
    parser.add_argument("--runs", type=int, default=5, help="processes per row")
    parser.add_argument("--perceptor", default="auto")
    parser.add_argument("--drawer", default="pyramid")
    parser.add_argument("--loading", action="store_true", help="of CLIP models, nothing else")
    given = parser.parse_args(arguments)
    print(f"text2art {__version__}, medians of {given.runs} processes, {os.cpu_count()} cores\n")
    if given.loading:
        loading(given.runs)
        return
    print("| what | seconds | of a processor |\n|---|---:|---:|")
    for title, command, first in rows(given):
        measure(command, first=first)  # so that files are in memory, and compiled
        found = [measure(command, first=first) for _ in range(given.runs)]
        wall, used = (statistics.median(values) for values in zip(*found, strict=True))
        print(f"| {title} | {wall:.2f} | {used:.2f} |", flush=True)


if __name__ == "__main__":
    main()
