"""The tables of docs/styles.md, rendered from the catalog of styles."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from scripts.marked import replaced
from text2art.styles.catalog import CATEGORIES, Style, styles
from text2art.weights.words import starter_words


def replace_table(text: str) -> str:
    """Return the document with fresh tables between its two markers.

    Raises:
        ValueError: the markers are not there.
    """
    return replaced(text, "styles", tables())


def tables() -> str:
    """Return one table for each category."""
    known = starter_words()
    return "\n".join("\n".join(_table(category, known)) + "\n" for category in CATEGORIES)


def _table(category: str, known: Collection[str]) -> Iterator[str]:
    yield f"## {CATEGORIES[category]}"
    yield ""
    yield "| Name | Style | Words | Goes well with | Starter |"
    yield "| --- | --- | --- | --- | --- |"
    for style in styles().values():
        if style.category == category:
            yield f"| {' | '.join(_cells(style, known))} |"


def _cells(style: Style, known: Collection[str]) -> Iterator[str]:
    yield f"`{style.name}`"
    yield f"{style.title} (died {style.died})" if style.died else style.title
    yield style.words
    yield f"`{style.recommendation}`" if style.recommendation else ""
    yield "yes" if style.is_known(known) else ""
