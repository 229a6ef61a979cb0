"""The tables of docs/migration.md, rendered from the rows of `ancestors`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scripts.marked import replaced
from text2art.ancestors.core_rows import CORE
from text2art.ancestors.part_rows import DRAWERS, FILTERS, LOSSES
from text2art.ancestors.row import Row

_GROUPS = {
    "Core settings": CORE,
    "Settings of drawers": DRAWERS,
    "Settings of losses": LOSSES,
    "Settings of filters": FILTERS,
}


def replace_table(text: str) -> str:
    """Return the document with fresh tables between its two markers.

    Raises:
        ValueError: the markers are not there.
    """
    parts = ["\n".join(_table(title, rows)) for title, rows in _GROUPS.items()]
    return replaced(text, "migration", "\n\n".join(parts) + "\n")


def _table(title: str, rows: Sequence[Row]) -> Iterator[str]:
    yield f"### {title}"
    yield ""
    yield "| Theirs | Default there | Here | What is different |"
    yield "| --- | --- | --- | --- |"
    for row in rows:
        flags = "".join(f" `{flag}`" for flag in row.flags)
        whose = "" if "," in row.whose else f" ({row.whose})"
        here = f"`{row.ours}`" if row.ours else "gone"
        cells = (f"`{row.name}`{flags}{whose}", row.default, here, row.change)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
