"""The tables of docs/performance.md, from what was measured and kept. No torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.loop.configs import CONFIGS, VIEWS
from benchmarks.loop.measure import Row
from benchmarks.loop.split import PARTS
from scripts.marked import replaced
from text2art.errors import InputFileError

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(__file__).with_name("measured.json")
DOCUMENT = ROOT / "docs" / "performance.md"
TOPIC = "performance"
DEVICES = ("cpu", "cuda")
NOT_YET = "not measured yet"
# By device, by configuration: a row and the run that it is of.
Kept = dict[str, dict[str, Row]]

_STEPS = (
    "configuration", "device", "step, s", "floor, s", "reached", "ancestor's step, s",
    "ancestor's by ours", "ancestor's published, s", "memory, MiB", "ancestor's, MiB", "run",
)  # fmt: skip
_SPLIT = ("configuration", "device", "whose", *PARTS)
_LOOKS = ("looks", "device", "ours, s", "kornia's, s", "kornia's by ours", "run")


def load(path: Path = KEPT) -> Kept:
    """Return what was kept; nothing where there is no file.

    Raises:
        InputFileError: it is no such file.
    """
    try:
        kept: Kept = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise InputFileError(f"{path} does not hold measured rows: {error}") from error
    return kept


def save(kept: Kept, path: Path = KEPT) -> None:
    """Keep rows."""
    path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def merged(kept: Kept, device: str, rows: Sequence[Row], run: Mapping[str, Any]) -> Kept:
    """Return what is kept with a run's rows in the places of that device's.

    Configurations that were not measured now stay as they are, and all of the other device.
    """
    own = {row["config"]: {**row, "run": dict(run)} for row in rows}
    return {**kept, device: {**kept.get(device, {}), **own}}


def replace_tables(text: str, kept: Kept) -> str:
    """Return the document with fresh tables between its two markers.

    Raises:
        ValueError: the markers are not there.
    """
    return replaced(text, TOPIC, tables(kept))


def tables(kept: Kept) -> str:
    """Return all tables."""
    runs = _runs(kept)
    parts = [
        _table(_STEPS, _step_rows(kept, runs)),
        "Seconds of each part, in parentheses its floor:",
        _table(_SPLIT, _split_rows(kept)),
        "Looks alone, 32 of 224x224 from a picture of 256x256, forward and backward:",
        _table(_LOOKS, _look_rows(kept, runs)),
        "\n".join(f"{number}. {_told(run)}" for number, run in enumerate(runs, start=1)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


# ---- rows --------------------------------------------------------------------------------------


def _step_rows(kept: Kept, runs: list[Any]) -> Iterator[list[str]]:
    for name in CONFIGS:
        for device in DEVICES:
            row = kept.get(device, {}).get(name)
            if row is None:
                yield [f"`{name}`", device, NOT_YET, *[""] * (len(_STEPS) - 3)]
                continue
            other = row["ancestor"]
            published = row["published"] if device == "cpu" else None
            yield [
                f"`{name}`",
                device,
                figure(row["step"]),
                figure(row["floor"]),
                f"{row['floor'] / row['step']:.0%}",
                figure(other["step"]) if other else "",
                f"{other['step'] / row['step']:.2f}" if other else "",
                figure(published) if published else "",
                f"{row['memory']:.0f}",
                f"{other['memory']:.0f}" if other else "",
                str(runs.index(row["run"]) + 1),
            ]


def _split_rows(kept: Kept) -> Iterator[list[str]]:
    for name in CONFIGS:
        for device in DEVICES:
            row = kept.get(device, {}).get(name)
            if row is None:
                continue
            floors = row["floors"]
            own = [f"{figure(row['parts'][p])} ({figure(floors[p])})" for p in PARTS]
            yield [f"`{name}`", device, "ours", *own]
            if row["ancestor"] and row["ancestor"]["parts"]:
                theirs = row["ancestor"]["parts"]
                # The ancestor's distances are taken with its perceptors.
                cells = ["" if p == "losses" else figure(theirs[p]) for p in PARTS]
                yield [f"`{name}`", device, "ancestor's", *cells]


def _look_rows(kept: Kept, runs: list[Any]) -> Iterator[list[str]]:
    for device in DEVICES:
        row = kept.get(device, {}).get(VIEWS)
        if row is None:
            yield ["", device, NOT_YET, "", "", ""]
            continue
        for look in row["looks"]:
            factor = f"{look['theirs'] / look['ours']:.1f}"
            run = str(runs.index(row["run"]) + 1)
            yield [
                look["what"], device, figure(look["ours"]), figure(look["theirs"]), factor, run,
            ]  # fmt: skip


def _runs(kept: Kept) -> list[Any]:
    """Return the runs that rows are of, each once, in the order of the table."""
    runs: list[Any] = []
    for name in (*CONFIGS, VIEWS):
        for device in DEVICES:
            row = kept.get(device, {}).get(name)
            if row is not None and row["run"] not in runs:
                runs.append(row["run"])
    return runs


def _told(run: Mapping[str, Any]) -> str:
    rates = ", ".join(
        f"{dtype} {rate / 1e9:.0f} GFLOP/s" for dtype, rate in sorted(run["peaks"]["flops"].items())
    )
    threads = f", threads: {run['threads']}" if run["device"] == "cpu" else ""
    return (
        f"{run['date']}, {run['machine']}{threads}, torch {run['torch']}, "
        f"text2art {run['text2art']}; "
        f"measured peaks: {rates}, memory {run['peaks']['bandwidth'] / 1e9:.1f} GB/s; "
        f"`{run['command']}`"
    )


# ---- text --------------------------------------------------------------------------------------


def figure(seconds: float) -> str:
    """Return seconds with three significant digits; below a tenth of a millisecond, 0."""
    if seconds < 1e-4:
        return "0"
    digits = 0
    while seconds * 10**digits < 100 and digits < 4:
        digits += 1
    return f"{seconds:.{min(digits, 4)}f}"


def _table(head: Sequence[str], rows: Iterator[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("  ", " ") for line in lines)
