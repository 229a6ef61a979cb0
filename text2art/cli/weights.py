"""`text2art weights`: models by name: list, fetch, verify."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from text2art.cli.boundary import FAILED, boundary, say
from text2art.errors import WeightsError
from text2art.weights import catalog

app = typer.Typer(help="Model weights: list, fetch, verify.", no_args_is_help=True)
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Weights by name.", show_default=False),
]


def list_(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False
) -> None:
    """List the weights known by name, and which are here."""
    entries = [
        {
            "name": entry.name,
            "here": catalog.is_here(entry),
            "ships": entry.ships,
            "bytes": entry.size,
            "license": entry.license,
            "origin": entry.origin,
            "help": entry.summary,
        }
        for entry in catalog.entries()
    ]
    if as_json:
        print(json.dumps(entries, ensure_ascii=False, indent=2))
        return
    width = max((len(str(entry["name"])) for entry in entries), default=0)
    for entry in entries:
        size = entry["bytes"]
        megabytes = f"{size / 1e6:6.0f} MB" if isinstance(size, int) else "        ?"
        here = "here" if entry["here"] else "-"
        print(f"{entry['name']:<{width}}  {here:<4}  {megabytes}  {entry['help']}")


def fetch(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Weights by name; see weights list.")
    ],
) -> None:
    """Fetch weights into the weights folder; what broke off is gone on with.

    They are checked while they come. Prints their paths.
    """
    from text2art.weights import fetch as fetching

    for wanted in [catalog.entry(name) for name in names]:
        size = f"{wanted.size / 1e6:.0f} MB, " if wanted.size else ""
        say(f"{wanted.name}: {size}license: {wanted.license or 'unknown'}, from {wanted.origin}")
        with _progress() as progress:
            paths = fetching.fetch(wanted, progress)
        for path in paths:
            print(path, flush=True)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str, int, int | None], None]]:
    """Show how much has come: a bar in a terminal, a line per tenth elsewhere."""
    if not sys.stderr.isatty():
        yield _Tenths()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def tell(path: str, done: int, total: int | None) -> None:
            if path not in tasks:
                tasks[path] = bar.add_task(path)
            bar.update(tasks[path], completed=done, total=total)

        yield tell


class _Tenths:
    def __init__(self) -> None:
        self._said: dict[str, int] = {}

    def __call__(self, path: str, done: int, total: int | None) -> None:
        tenth = 10 * done // total if total else 0
        if tenth > self._said.get(path, 0):
            self._said[path] = tenth
            say(f"{path}: {10 * tenth} %")


def verify(names: Names = None) -> None:
    """Check weights against their checksums: those named, or all that are here."""
    wanted = [catalog.entry(name) for name in names or ()]
    wanted = wanted or [entry for entry in catalog.entries() if catalog.is_here(entry)]
    broken = 0
    for entry in wanted:
        try:
            catalog.verify(entry)
        except WeightsError as error:
            broken += 1
            say(f"Error: {error}")
        else:
            print(f"{entry.name}: ok")
    if broken:
        raise typer.Exit(FAILED)


app.command("list")(boundary(list_))
app.command("fetch")(boundary(fetch))
app.command("verify")(boundary(verify))
