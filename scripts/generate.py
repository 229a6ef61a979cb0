"""Bring every generated file up to date: `python -m scripts.generate`.

With `--check` nothing is written; stale files are named and the exit code is 1. With `--pins` the
versions in requirements-cog.txt become those installed here (never checked: they depend on where
the command runs).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.loop import table as performance_table
from scripts import migration_table, pins, settings_table, styles_table
from text2art.media.files import write_bytes
from text2art.serving import render, schema

ROOT = Path(__file__).resolve().parents[1]


def _predictor(text: str, root: Path) -> str:
    return render.replace_block(text)


def _settings(text: str, root: Path) -> str:
    return settings_table.replace_table(text)


def _migration(text: str, root: Path) -> str:
    return migration_table.replace_table(text)


def _styles(text: str, root: Path) -> str:
    return styles_table.replace_table(text)


def _performance(text: str, root: Path) -> str:
    return performance_table.replace_tables(text, performance_table.load())


def _openapi(text: str, root: Path) -> str:
    source = render.replace_block((root / "predict.py").read_text(encoding="utf-8"))
    return json.dumps(schema.openapi(source), indent=1) + "\n"


# What each file should hold, given what it holds and the folder of the project.
FILES: Mapping[str, Callable[[str, Path], str]] = {
    "predict.py": _predictor,
    "docs/settings.md": _settings,
    "docs/migration.md": _migration,
    "docs/styles.md": _styles,
    "docs/performance.md": _performance,
    "docs/openapi.json": _openapi,
}


def stale() -> dict[Path, str]:
    """Return the files that are not up to date and what they should hold."""
    found = {}
    for name, fresh in FILES.items():
        path = ROOT / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        wanted = fresh(text, ROOT)
        if wanted != text:
            found[path] = wanted
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if stale")
    parser.add_argument("--pins", action="store_true", help="pin what is installed here")
    options = parser.parse_args(arguments)
    if options.pins:
        path = ROOT / "requirements-cog.txt"
        write_bytes(path, pins.text(ROOT / "pyproject.toml").encode())
        print(f"pinned {path.relative_to(ROOT)}")
    found = stale()
    for path, text in found.items():
        name = path.relative_to(ROOT)
        if options.check:
            print(f"{name} is stale: run python -m scripts.generate", file=sys.stderr)
        else:
            write_bytes(path, text.encode())
            print(f"wrote {name}")
    return 1 if found and options.check else 0


if __name__ == "__main__":
    raise SystemExit(main())
