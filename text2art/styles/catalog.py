"""The catalog of styles: names, the words behind them, what goes well with them."""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from text2art.errors import SettingsError, did_you_mean

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = Path(__file__).with_name("catalog.toml")
# Headings of the categories, in the order in which they are listed.
CATEGORIES: Mapping[str, str] = MappingProxyType(
    {
        "medium": "Medium",
        "look": "Look",
        "render": "Rendering",
        "community": "Where such pictures are shown",
        "lighting": "Lighting",
        "mood": "Mood",
        "era": "Era and movement",
        "color": "Color",
        "composition": "Composition",
        "artist": "Artists",
    }
)
_WORD = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True)
class Style:
    """Words that change how a picture looks.

    Attributes:
        name: what settings call it, as "low-poly".
        words: what is put behind a prompt.
        category: a key of `CATEGORIES`.
        title: how it is listed.
        died: of an artist, the year; None for other styles.
        recommended: settings that go well with it.
    """

    name: str
    words: str
    category: str
    title: str
    died: int | None = None
    recommended: Mapping[str, Any] = field(default_factory=dict)

    @property
    def recommendation(self) -> str:
        """The recommended settings as they are written on the command line, "" for none."""
        return " ".join(
            f"'{name}={value}'" if " " in str(value) else f"{name}={value}"
            for name, value in _flat(self.recommended)
        )

    def is_known(self, vocabulary: Collection[str]) -> bool:
        """Whether a perceptor that knows these words, and no others, knows all of the style's."""
        return all(word in vocabulary for word in _WORD.findall(self.words.lower()))

    def matches(self, text: str) -> bool:
        """Whether every word of a search is in the name, the words, the title or the category."""
        heading = CATEGORIES[self.category]
        told = _plain(f"{self.name} {self.words} {self.title} {self.category} {heading}")
        return all(word in told for word in _plain(text).split())


@functools.lru_cache(maxsize=1)
def styles() -> Mapping[str, Style]:
    """Return every style by name, in the order of `CATEGORIES`, then of the file."""
    tables = tomllib.loads(FILE.read_text(encoding="utf-8"))
    found = {}
    for category in CATEGORIES:
        for name, entry in tables[category].items():
            found[name] = _style(name, category, entry)
    return MappingProxyType(found)


def find(name: str) -> Style:
    """Return a style by name, whatever its case, spaces and hyphens; a leading # is ignored.

    Raises:
        SettingsError: there is none; the nearest name is suggested.
    """
    wanted = _key(name)
    known = {_key(style): style for style in styles()}
    if wanted in known:
        return styles()[known[wanted]]
    titles = {_key(style.title): style for style in styles().values()}
    if wanted in titles:
        return titles[wanted]
    shown = name.strip() if len(name) <= 60 else name[:57].strip() + "..."
    begun = [style for key, style in known.items() if wanted and key.startswith(wanted)]
    near = f" Did you mean {begun[0]!r}?" if begun else did_you_mean(name.strip(), styles())
    raise SettingsError(f"unknown style {shown!r}.{near} 'text2art styles' lists them")


def _style(name: str, category: str, entry: str | Mapping[str, Any]) -> Style:
    values: dict[str, Any] = {"words": entry} if isinstance(entry, str) else dict(entry)
    return Style(
        name=name,
        words=values.pop("words"),
        category=category,
        title=values.pop("title", name.replace("-", " ")),
        died=values.pop("died", None),
        recommended=MappingProxyType(values.pop("try", {})),
        **values,  # anything else is a slip in the file, and refused here
    )


def _key(name: str) -> str:
    return "".join(c for c in _plain(name) if c.isalnum())


def _plain(text: str) -> str:
    """Return a text in lower case, without accents."""
    apart = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in apart if not unicodedata.combining(c))


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return nested values under dotted names."""
    pairs: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            pairs += _flat(value, f"{prefix}{name}.")
        else:
            pairs.append((prefix + name, value))
    return pairs
