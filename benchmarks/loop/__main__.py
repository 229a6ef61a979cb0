"""Measure the loop: seconds per step, where they go, their floor, memory, beside the ancestors'.

`python -m benchmarks.loop [--config NAME ...] [--device cuda] [--one-core] [--write]`. Nothing in
the loop is changed: clocks and counters are put around the scene's own parts from outside, and each
side runs in a process of its own. docs/performance.md says what the figures mean.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.loop import table
from benchmarks.loop.configs import GROUPS, VIEWS, chosen
from benchmarks.loop.measure import Plan, Row, drawing, looks
from benchmarks.loop.split import PARTS
from benchmarks.loop.worker import PEAKS
from text2art.errors import Text2ArtError

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    words = list(sys.argv[1:] if arguments is None else arguments)
    if given.one_core:
        on_one_core()
    if given.tables:
        _write(given, table.load(given.kept))
        return 0
    plan = Plan(
        given.device or os.environ.get("TEXT2ART_DEVICE") or "auto",
        steps=given.steps,
        warm_up=given.warm_up,
        ancestors=not given.without_ancestors,
        tiny=given.tiny,
    )
    try:
        run = _about(plan, " ".join(["python -m benchmarks.loop", *words]))
    except Text2ArtError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    _print_head(run)
    rows = _measured(chosen(given.config), plan, run)
    if given.write and rows:
        _write(given, table.merged(table.load(given.kept), run["device"], rows, run))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.loop")
    parser.add_argument(
        "--config", nargs="+", default=["all"], metavar="NAME",
        choices=[*GROUPS, *GROUPS["all"]], help=f"of {', '.join([*GROUPS, *GROUPS['all']])}",
    )  # fmt: skip
    parser.add_argument("--steps", type=int, help="default: 3, more of quick ones")
    parser.add_argument("--warm-up", type=int, default=1, help="steps before those; default: 1")
    parser.add_argument("--device", help="default: TEXT2ART_DEVICE, else what is there")
    parser.add_argument("--one-core", action="store_true", help="one core, one thread")
    parser.add_argument("--without-ancestors", action="store_true", help="measure ours alone")
    parser.add_argument("--write", action="store_true", help="keep the rows, write the document")
    parser.add_argument(
        "--tables", action="store_true", help="measure nothing, write the document of what is kept"
    )
    parser.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)  # for tests
    parser.add_argument("--kept", type=Path, default=table.KEPT, help=argparse.SUPPRESS)
    parser.add_argument("--document", type=Path, default=table.DOCUMENT, help=argparse.SUPPRESS)
    return parser


def on_one_core() -> None:
    """Keep this process and those that it starts to one core and one thread."""
    for name in _THREADS:
        os.environ[name] = "1"
    if hasattr(os, "sched_setaffinity"):  # Linux alone has it
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def _about(plan: Plan, command: str) -> dict[str, Any]:
    with plan.worker(PEAKS, "") as worker:
        about, peaks = worker.ask("about"), worker.ask("peaks")
    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return {**about, "peaks": peaks, "date": date, "command": command}


def _measured(names: Sequence[str], plan: Plan, run: dict[str, Any]) -> list[Row]:
    rows: list[Row] = []
    cuda = run["device"] == "cuda"
    for name in names:
        try:
            if name == VIEWS:
                rows.append(looks(plan, cuda=cuda))
            else:
                rows.append(drawing(name, plan, run["peaks"], cuda=cuda))
        except Text2ArtError as error:
            print(f"{name:<26}skipped: {error}", flush=True)
            continue
        _print_row(rows[-1])
    return rows


def _write(given: argparse.Namespace, kept: table.Kept) -> None:
    text = given.document.read_text(encoding="utf-8")
    fresh = table.replace_tables(text, kept)  # before anything is written: it may refuse
    table.save(kept, given.kept)
    given.document.write_text(fresh, encoding="utf-8")


# ---- what is printed ---------------------------------------------------------------------------


def _print_head(run: dict[str, Any]) -> None:
    rates = ", ".join(f"{k} {v / 1e9:.1f} GFLOP/s" for k, v in run["peaks"]["flops"].items())
    print(
        f"text2art {run['text2art']}, torch {run['torch']}, {run['machine']}, "
        f"threads: {run['threads']}\n"
        f"peaks: {rates}, memory {run['peaks']['bandwidth'] / 1e9:.1f} GB/s; "
        "medians in milliseconds, floors in parentheses"
    )
    parts = "".join(f"{part:>11}" for part in PARTS)
    print(f"{'config':<26}{'step':>11}{'floor':>11}{'reached':>9}{parts}{'GFLOP':>9}{'MiB':>8}")


def _print_row(row: Row) -> None:
    if row["config"] == VIEWS:
        for look in row["looks"]:
            ours, theirs = look["ours"], look["theirs"]
            print(
                f"looks ({look['what']}): {ours * 1e3:.1f} by kornia's {theirs * 1e3:.1f}, "
                f"{theirs / ours:.1f} times as long",
                flush=True,
            )
        return
    share = f"{row['floor'] / row['step']:.0%}"
    numbers = f"{row['step'] * 1e3:>11.2f}{row['floor'] * 1e3:>11.2f}{share:>9}"
    own = f"{row['flops'] / 1e9:>9.1f}{row['memory']:>8.0f}"
    print(f"{row['config']:<26}{numbers}{_parts(row['parts'])}{own}")
    print(f"{'  floor':<26}{'':>31}{_parts(row['floors'])}")
    other = row["ancestor"]
    if other:
        factor = f"{other['step'] / row['step']:.2f} x"
        numbers = f"{other['step'] * 1e3:>11.2f}{factor:>20}"
        print(f"{'  ancestor':<26}{numbers}{_parts(other['parts'])}{'':>9}{other['memory']:>8.0f}")
    if row["chunk"]:
        print(f"  looks went through {row['chunk']} at a time")
    if row["strange"]:
        print(f"  not counted: {', '.join(row['strange'])}")
    sys.stdout.flush()


def _parts(parts: dict[str, float]) -> str:
    return "".join(f"{parts[p] * 1e3:>11.2f}" if p in parts else f"{'':>11}" for p in PARTS)


if __name__ == "__main__":
    sys.exit(main())
