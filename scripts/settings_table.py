"""The tables of docs/settings.md, rendered from the rows of `fields`."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.marked import replaced
from text2art import fields, registry


def replace_table(text: str) -> str:
    """Return the document with fresh tables between its two markers.

    Raises:
        ValueError: the markers are not there.
    """
    return replaced(text, "settings", tables())


def tables() -> str:
    """Return one table for each group of settings, without those of plug-ins."""
    groups: dict[str, list[fields.Row]] = {}
    for row in fields.rows():
        if "." not in row.name or _is_ours(row.group):
            groups.setdefault(row.group, []).append(row)
    return "\n".join("\n".join(_table(*item)) + "\n" for item in groups.items())


def _is_ours(component: str) -> bool:
    return any(component == c.name for kind in registry.BUILTIN.values() for c in kind)


def _table(group: str, rows: list[fields.Row]) -> Iterator[str]:
    yield f"## {group}"
    yield ""
    yield "| Setting | Default | Values | What it does |"
    yield "| --- | --- | --- | --- |"
    for row in rows:
        cells = (_code(row.name), _code(fields.as_text(row.default)), _values(row), _help(row))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _values(row: fields.Row) -> str:
    if row.choices:
        ours = [c.name for c in registry.BUILTIN.get(f"{row.name}s", ())] or row.choices
        return ", ".join(_code(choice) for choice in ours)
    return f"{row.kind}, {row.bounds}" if row.bounds else row.kind


def _help(row: fields.Row) -> str:
    old = f" Also {', '.join(_code(name) for name in row.aliases)}." if row.aliases else ""
    return row.help + old
