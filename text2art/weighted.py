r"""Lists of components in one line: `name[:weight][->argument...]`, separated by commas.

    smoothness:0.5, symmetry->vertical, edge:2->color=navy->thickness=8

pixray's way to write `losses` and `filters`. Arguments are options of the component, in the order
of its options table or as `option=value`. A comma in an argument is written `\,`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from text2art import registry
from text2art.errors import ListError, SettingsError, UnknownInList

MOST_ITEMS = 32
MOST_CHARACTERS = 4000
_ARROW = "->"
_NAMED = re.compile(r"\s*([a-z_][a-z0-9_]{0,63})\s*=(.*)\Z", re.DOTALL)
_NUMBER = re.compile(r"[+-]?([0-9]{1,9}\.?[0-9]{0,17}|\.[0-9]{1,17})([eE][+-]?[0-9]{1,3})?\Z")


@dataclass(frozen=True)
class Item:
    """One component of a list.

    Attributes:
        name: of the component.
        weight: how much it counts.
        options: values by option name, as they were written.
    """

    name: str
    weight: float = 1.0
    options: Mapping[str, str] | None = None


def read_items(value: object, kind: str) -> list[Item]:
    """Read a list of components of a kind, in order.

    Args:
        value: text, a list of such texts, or a mapping of names to weights.
        kind: "losses" or "filters"; also the setting's name in messages.

    Raises:
        ListError: it cannot be read, and where; or names what is not registered.
        SettingsError: it is no text, names something twice, or is too long.
    """
    if isinstance(value, Mapping):
        items = [_weighed(str(name), weight, kind) for name, weight in value.items()]
    elif isinstance(value, str):
        items = _Line(value, kind).items()
    elif isinstance(value, Sequence) and all(isinstance(part, str) for part in value):
        items = [item for part in value for item in _Line(part, kind).items()]
    else:
        raise SettingsError(f"{kind} {value!r}: write name:weight, comma-separated")
    if len(items) > MOST_ITEMS:
        raise SettingsError(f"{kind}: {len(items)} are listed, at most {MOST_ITEMS} are accepted")
    names = [item.name for item in items]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SettingsError(f"{kind}: {twice!r} is listed twice, give it once")
    return items


def spread(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings whose lists hold no arguments: those became options of the components.

    Args:
        values: settings under today's names; `losses` and `filters` as anybody writes them.

    Raises:
        SettingsError: a list cannot be read, or gives an option that is also given by name.
    """
    result = dict(values)
    for kind in ("losses", "filters"):
        if kind not in result or not _has_arguments(result[kind]):
            continue
        items = read_items(result[kind], kind)
        for item in items:
            if not item.options:
                continue
            there = result.get(item.name, {})
            if not isinstance(there, Mapping):
                continue  # refused where options are read
            for option, text in item.options.items():
                if option in there:
                    raise SettingsError(
                        f"{kind} gives {item.name}.{option} as {text!r}, and so does the setting "
                        f"{item.name}.{option}: give one"
                    )
            result[item.name] = {**there, **item.options}
        result[kind] = write_items(items)
    return result


def write_items(items: Iterable[Item]) -> str:
    """Write components and weights as a list; options are written under their own names."""
    return ",".join(i.name if i.weight == 1 else f"{i.name}:{i.weight!r}" for i in items)


def _has_arguments(value: object) -> bool:
    texts = [value] if isinstance(value, str) else value
    return isinstance(texts, Sequence) and any(_ARROW in str(text) for text in texts)


def _weighed(name: str, weight: object, kind: str) -> Item:
    registry.find(kind, name)
    try:
        number = math.nan if isinstance(weight, bool) else float(weight)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise SettingsError(f"{kind}: weight {weight!r} of {name!r} is not a number")
    return Item(name, number)


class _Line:
    """A text and where in it the reader is, so that faults are shown in place."""

    def __init__(self, text: str, kind: str) -> None:
        if len(text) > MOST_CHARACTERS:
            raise SettingsError(
                f"{kind} has {len(text)} characters, at most {MOST_CHARACTERS} are accepted"
            )
        self._text, self._kind = text, kind

    def items(self) -> list[Item]:
        """Read all; a trailing comma means nothing, nor does an empty text."""
        parts = _pieces(self._text, 0, len(self._text), ",")
        if len(parts) > 1 and not self._plain(*parts[-1]):
            parts.pop()
        if len(parts) == 1 and not self._plain(*parts[0]):
            return []
        return [self._item(start, end) for start, end in parts]

    def _item(self, start: int, end: int) -> Item:
        (head_start, head_end), *arguments = _pieces(self._text, start, end, _ARROW)
        colon = self._text.find(":", head_start, head_end)
        name_end = head_end if colon < 0 else colon
        name = self._plain(head_start, name_end)
        if not name:
            raise self._fault(start, f"the name of a {self._noun} is missing")
        if name not in registry.components(self._kind):
            unknown = registry.unknown(self._kind, name, registry.components(self._kind))
            message, at = f"{self._kind}: {unknown}", self._begin(head_start)
            raise UnknownInList(message, self._text, at)
        weight = 1.0
        if colon >= 0:
            text = self._plain(colon + 1, head_end)
            if not _NUMBER.match(text) or not math.isfinite(float(text)):
                at = self._begin(colon + 1) if text else colon + 1
                raise self._fault(at, f"weight {text!r} of {name!r} is not a number")
            weight = float(text)
        return Item(name, weight, self._options(name, arguments))

    def _options(self, name: str, arguments: list[tuple[int, int]]) -> dict[str, str]:
        model = registry.find(self._kind, name).load_options()
        known = list(model.model_fields) if model is not None else []
        result: dict[str, str] = {}
        by_name = False
        for place, (start, end) in enumerate(arguments):
            text = self._plain(start, end)
            if not text:
                raise self._fault(start, f"an argument of {name!r} is missing after '->'")
            named = _NAMED.match(text)
            option = named.group(1) if named else (known[place] if place < len(known) else "")
            at = self._begin(start)
            if by_name and not named:
                raise self._fault(at, "after an option=value, every argument needs its option")
            by_name = named is not None
            if option not in known:
                takes = f"it takes {', '.join(known)}" if known else "it takes none"
                raise self._fault(at, f"{name!r} has no such argument: {takes}")
            if option in result:
                raise self._fault(at, f"{name}.{option} is given twice")
            result[option] = named.group(2).strip() if named else text
        return result

    @property
    def _noun(self) -> str:
        return registry.SINGULAR[self._kind]

    def _plain(self, start: int, end: int) -> str:
        return self._text[start:end].replace("\\,", ",").strip()

    def _begin(self, start: int) -> int:
        """Return where a part begins that may have spaces before it."""
        rest = self._text[start:]
        return start + len(rest) - len(rest.lstrip())

    def _fault(self, at: int, message: str) -> ListError:
        return ListError(f"{self._kind}: {message}", self._text, at)


def _pieces(text: str, start: int, end: int, separator: str) -> list[tuple[int, int]]:
    r"""Split text[start:end] at a separator that no backslash escapes, into (start, end)."""
    pieces, begin, at = [], start, start
    while (at := text.find(separator, at, end)) >= 0:
        if at > start and text[at - 1] == "\\":
            at += len(separator)
            continue
        pieces.append((begin, at))
        at += len(separator)
        begin = at
    return [*pieces, (begin, end)]
