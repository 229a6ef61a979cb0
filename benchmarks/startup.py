"""Measure how long it takes until something is to be seen, in fresh processes.

`python -m benchmarks.startup [--runs N] [--perceptor NAME] [--drawer NAME]` prints a table in
Markdown: the median of wall-clock seconds and of processor seconds, those of all threads and of the
kernel, which other programs on the machine disturb less. The last row's wall clock stops at the
first frame; its processor seconds are those of the whole run of one step.
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
    given = parser.parse_args(arguments)
    print(f"text2art {__version__}, medians of {given.runs} processes, {os.cpu_count()} cores\n")
    print("| what | seconds | of a processor |\n|---|---:|---:|")
    for title, command, first in rows(given):
        measure(command, first=first)  # so that files are in memory, and compiled
        found = [measure(command, first=first) for _ in range(given.runs)]
        wall, used = (statistics.median(values) for values in zip(*found, strict=True))
        print(f"| {title} | {wall:.2f} | {used:.2f} |", flush=True)


if __name__ == "__main__":
    main()
