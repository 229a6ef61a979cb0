"""`text2art list`: what there is to choose from."""

from __future__ import annotations

import dataclasses
import json
from enum import Enum
from typing import Annotated, Any

import typer

from text2art import fields, registry


class What(str, Enum):
    """What can be listed."""

    drawers = "drawers"
    perceptors = "perceptors"
    losses = "losses"
    filters = "filters"
    cutouts = "cutouts"
    settings = "settings"


def list_(
    what: Annotated[What, typer.Argument(help="What to list.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List drawers, perceptors, losses, cutout recipes or all settings."""
    entries = _settings() if what is What.settings else _components(what.value)
    if as_json:
        print(json.dumps(entries, ensure_ascii=False, indent=2))
        return
    width = max((len(entry["name"]) for entry in entries), default=0)
    for entry in entries:
        print(f"{entry['name']:<{width}}  {_line(entry)}".rstrip())


def _components(kind: str) -> list[dict[str, Any]]:
    return [
        {"name": c.name, "help": c.summary, "owner": c.owner, "options": _options(c)}
        for c in registry.components(kind).values()
    ]


def _options(component: registry.Component) -> list[str]:
    """Return the settings of a component, without the others, whose import takes longer."""
    model = component.load_options()
    rows = fields.rows_of(model, component.name) if model is not None else []
    return [f"{component.name}.{row.name}" for row in rows]


def _settings() -> list[dict[str, Any]]:
    return [
        {**dataclasses.asdict(row), "flag": row.flag, "default": fields.as_text(row.default)}
        for row in fields.rows()
    ]


def _line(entry: dict[str, Any]) -> str:
    notes = []
    if entry.get("choices"):
        notes.append(f"one of {', '.join(entry['choices'])}")
    if entry.get("default"):
        notes.append(f"default {entry['default']}")
    if entry.get("options"):
        notes.append(f"options {', '.join(entry['options'])}")
    if entry.get("owner", "text2art") != "text2art":
        notes.append(f"from {entry['owner']}")
    return str(entry["help"]) + (f" ({'; '.join(notes)})" if notes else "")
