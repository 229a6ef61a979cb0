"""Axes of a grid: `seed=1,2,3` is a setting and its values; `replace=cat,dog` changes a word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from text2art import fields
from text2art.configfile import merge, nested
from text2art.errors import SettingsError, did_you_mean

MOST_VALUES = 100
REPLACE = "replace"
_NUMBER = r"[+-]?(?:\d{1,10}(?:\.\d{0,6})?|\.\d{1,6})"
_RANGE = re.compile(rf"\s*({_NUMBER})\.\.({_NUMBER})(?:\.\.({_NUMBER}))?\s*\Z")
_NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z0-9_]+)*\Z")


@dataclass(frozen=True)
class Axis:
    """One side of a grid.

    Attributes:
        name: of the setting, or `REPLACE`.
        values: as they are written, in order.
        text: as it was given.
    """

    name: str
    values: tuple[str, ...]
    text: str

    def applied(self, values: Mapping[str, Any], value: str) -> dict[str, Any]:
        """Return settings with one value of the axis.

        Raises:
            SettingsError: the word to replace is in no prompt.
        """
        if self.name != REPLACE:
            return merge(values, nested(self.name, value))
        word = self.values[0]
        prompts = values.get("prompts") or ()
        texts = [prompts] if isinstance(prompts, str) else [str(text) for text in prompts]
        if not any(word in text for text in texts):
            raise SettingsError(f"{self.text!r}: no prompt holds {word!r}, which is to be replaced")
        return {**values, "prompts": [text.replace(word, value) for text in texts]}

    def label(self, value: str) -> str:
        """Return how a value is written beside the grid."""
        return value or "(none)"


NO_AXIS = Axis("", ("",), "")


def parse_axis(text: str) -> Axis:
    """Read `seed=1,2,3`, `scale=1..2..0.5`, `palette=PICO-8;#000,#fff` or `replace=cat,dog`.

    Values are separated by semicolons if there are any, else by commas.

    Raises:
        SettingsError: no such setting, no values, one twice, too many.
    """
    name, equals, listed = text.partition("=")
    name = name.strip().replace("-", "_")
    if not equals or not _NAME.match(name):
        raise SettingsError(f"axis {text!r} must be a setting and its values, as seed=1,2,3")
    _check_name(name, text)
    values = _range(listed, text) or tuple(
        value.strip() for value in listed.split(";" if ";" in listed else ",")
    )
    if len(values) > MOST_VALUES:
        raise SettingsError(
            f"axis {text[:40]!r} has {len(values)} values, at most {MOST_VALUES} are accepted"
        )
    twice = [value for i, value in enumerate(values) if value in values[:i]]
    if twice:
        raise SettingsError(f"axis {text!r}: {twice[0]!r} is given twice")
    if name == REPLACE and (len(values) < 2 or not values[0]):
        raise SettingsError(f"axis {text!r} must name a word and what replaces it, as cat,dog")
    return Axis(name, values, text)


def _check_name(name: str, text: str) -> None:
    known = [row.name for row in fields.rows()]
    old = [alias for row in fields.rows() for alias in row.aliases]
    if name != REPLACE and name not in known and name not in old:
        raise SettingsError(
            f"axis {text!r}: unknown setting {name!r}.{did_you_mean(name, [*known, REPLACE])}"
        )


def _range(listed: str, text: str) -> tuple[str, ...]:
    """Read "1..5" and "1..2..0.25", both ends included; nothing when it is no range."""
    match = _RANGE.match(listed)
    if match is None:
        return ()
    first, last = float(match[1]), float(match[2])
    step = abs(float(match[3])) if match[3] else 1.0
    if step == 0 or abs(last - first) / step > MOST_VALUES:
        raise SettingsError(
            f"axis {text!r}: a range has at most {MOST_VALUES} values and a step that is not 0"
        )
    sign = 1 if last >= first else -1
    count = int(abs(last - first) / step + 1e-9) + 1
    return tuple(f"{round(first + sign * step * i, 6):.12g}" for i in range(count))
