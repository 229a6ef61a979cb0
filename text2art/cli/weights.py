"""`text2art weights`: models by name: list, fetch, verify."""

from __future__ import annotations

import json
from typing import Annotated

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
app.command("verify")(boundary(verify))
