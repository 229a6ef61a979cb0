"""Calling the command line in tests: in this process, from an empty folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple, Protocol

PROGRAM = [sys.executable, "-m", "text2art.cli"]
TINY = ["--perceptor=toy", "--drawer=pixel", "--size=32x32", "--iterations=3", "--cuts=4",
        "--starts=1"]  # fmt: skip


class Answer(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line of its output."""
        return self.out.splitlines()[-1]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its output, read as one JSON object per line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Cli(Protocol):
    """The fixture `cli`."""

    def __call__(self, *arguments: str) -> Answer:
        """Run `text2art` with these arguments."""
        ...


def draw(cli: Cli, *arguments: str, seed: int = 7) -> Answer:
    """Draw something small."""
    return cli("draw", "a red apple", *TINY, f"--seed={seed}", *arguments)


def left() -> list[str]:
    """Return what lies in the folder."""
    return sorted(path.name for path in Path().iterdir())
