"""Settings from files and from `name=value` words, in layers; and back into a file.

YAML is read by the rules of its version 1.2 core schema rather than PyYAML's 1.1, where the aspect
`16:9` is the number 969 and the seed `no` is false. Anchors, tags and repeated names are refused,
and `${...}` is plain text: a settings file holds values, it never computes or looks things up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from text2art import aliases, fields, weighted
from text2art.errors import InputFileError, SettingsError, did_you_mean
from text2art.media.png import READABLE, read_record
from text2art.settings import Settings

TEXT_ENDINGS = (".yaml", ".yml", ".json")
MOST_BYTES = 2**20
_DEEPEST = 8
_WORD = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z0-9_]+)*\Z")


def read_settings(path: Path) -> dict[str, Any]:
    """Read settings from a YAML or JSON file, or from a picture that text2art drew.

    Raises:
        InputFileError: no such file, too large, broken, or of another kind.
    """
    ending = path.suffix.lower()
    if ending in READABLE:
        return dict(read_record(path)["settings"])
    if ending not in TEXT_ENDINGS:
        known = ", ".join((*TEXT_ENDINGS, *READABLE))
        raise InputFileError(f"settings file {str(path)!r}: the ending must be one of {known}")
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise InputFileError(f"there is no settings file {str(path)!r}") from None
    except UnicodeDecodeError as error:
        raise InputFileError(f"settings file {str(path)!r} is not UTF-8 text") from error
    except OSError as error:
        reason = error.strerror or error
        raise InputFileError(f"settings file {str(path)!r} cannot be read: {reason}") from error
    return parse_settings(text, f"settings file {str(path)!r}")


def parse_settings(text: str, origin: str = "settings") -> dict[str, Any]:
    """Read settings from YAML or JSON text.

    Args:
        text: a mapping of setting names to values; empty means no settings.
        origin: names the text in messages.

    Raises:
        InputFileError: too long, broken, or not a mapping.
    """
    if len(text) > MOST_BYTES:
        raise InputFileError(f"{origin}: longer than 1 MB")
    try:
        values = _json_mapping(text)
        if values is None:
            values = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise InputFileError(f"{origin}: {_one_line(error)}") from error
    except RecursionError as error:
        raise InputFileError(f"{origin}: nested too deeply") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        kind = type(values).__name__
        raise InputFileError(
            f"{origin}: must hold names and values, as 'drawer: pixel', not {kind}"
        )
    if isinstance(values.get("settings"), dict) and "version" in values:
        return dict(values["settings"])  # a record, as `text2art show --json` prints it
    return values


def parse_override(word: str) -> dict[str, Any] | None:
    """Read `pixel.cells=48x48` into `{"pixel": {"cells": "48x48"}}`.

    Returns:
        The nested value, or None when the word is a prompt: when nothing like a setting's name
        stands before its `=`. (A misspelled name is left for `Settings` to complain of.)
    """
    name, equals, value = word.partition("=")
    name = name.strip().replace("-", "_")
    if not equals or not _WORD.match(name):
        return None
    known = _known_names()
    group = name.partition(".")[0]
    meant = name in known or any(other.startswith(f"{group}.") for other in known)
    if not meant and not did_you_mean(name, known):
        return None
    return nested(name, value)


def nested(name: str, value: Any) -> dict[str, Any]:
    """Return `{"pixel": {"cells": value}}` for "pixel.cells"."""
    for part in reversed(name.split(".")):
        value = {part: value}
    return dict(value)


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Lay settings over each other; later layers win.

    Old names count as the new ones they stand for, arguments in `losses` and `filters` as options
    of the components. Options of a component are merged one by one; every other value replaces
    what was there. Empty text in a setting that is not text unsets it.
    """
    rows = {row.name: row for row in fields.rows()}
    groups = {name.partition(".")[0] for name in rows if "." in name}
    result: dict[str, Any] = {}
    for layer in layers:
        modern = weighted.spread(aliases.modernize(_unfolded(layer), _clash))
        for name, value in modern.items():
            if name in groups and isinstance(value, Mapping):
                below = result.get(name)
                options = dict(below) if isinstance(below, Mapping) else {}
                for key, option in value.items():
                    options[key] = _unset(rows.get(f"{name}.{key}"), option)
                result[name] = options
            else:
                result[name] = _unset(rows.get(name), value)
    return result


def dump_settings(settings: Settings) -> str:
    """Write what differs from the defaults as YAML that reads back to equal settings."""
    given = settings.given()
    style: dict[str, Any] = {"allow_unicode": True, "default_flow_style": None, "width": 100}
    return str(yaml.dump(given, Dumper=_Dumper, sort_keys=False, **style))


def _known_names() -> frozenset[str]:
    rows = fields.rows()
    old = (*aliases.RENAMED, *aliases.NESTED, *aliases.SWITCHES, *aliases.SCALED)
    return frozenset((*(row.name for row in rows), *old))


def _clash(old: str, new: str) -> SettingsError:
    return SettingsError(f"{old!r} and {new!r} are the same setting: give one")


def _unset(row: fields.Row | None, value: Any) -> Any:
    if value == "" and row is not None and row.default is None:
        return None
    return value


def _unfolded(layer: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted names at the top into nested ones."""
    result: dict[str, Any] = {}
    for name, value in layer.items():
        head, dot, tail = str(name).partition(".")
        inner = result.get(head)
        if dot and (inner is None or isinstance(inner, Mapping)):
            result[head] = {**(inner or {}), tail: value}
        elif isinstance(inner, Mapping) and isinstance(value, Mapping):
            result[head] = {**inner, **value}
        else:
            result[str(name)] = value
    return result


def _json_mapping(text: str) -> dict[str, Any] | None:
    """Read a JSON object; None when the text is not one (YAML may still make sense of it)."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        values = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError:
        return None
    return values if isinstance(values, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise yaml.YAMLError(f"{twice!r} is given twice")
    return values


def _one_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
    return " ".join(str(problem).split()) + place


# ---- YAML -----------------------------------------------------------------------------------

_CORE_SCHEMA: Iterable[tuple[str, str, str]] = (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", "tTfF"),
    ("null", r"(?:~|null|Null|NULL|)\Z", "~nN\0"),
    ("int", r"[-+]?[0-9]+\Z", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z", "-+0123456789."),
)


def _refused(problem: str, where: Any) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=where.start_mark)


class _Loader(yaml.SafeLoader):
    """YAML 1.2 core scalars, bounded depth, no anchors, no tags, no repeated names."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None) is not None:
            raise _refused("anchors and aliases are not accepted", event)
        if getattr(event, "tag", None) is not None:
            raise _refused(f"tags such as {event.tag!r} are not accepted", event)
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _refused("nested too deeply", event)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise _refused(f"{name!r} is given twice", key)
            seen.add(name)
        return super().construct_mapping(node, deep=deep)


def _decimal(loader: _Loader, node: yaml.ScalarNode) -> int:
    """Read digits as a decimal number; PyYAML takes 010 for 8."""
    if len(node.value) > 400:
        raise yaml.YAMLError(f"a number of {len(node.value)} digits is not accepted")
    return int(node.value)


_Loader.add_constructor("tag:yaml.org,2002:int", _decimal)


class _Dumper(yaml.SafeDumper):
    """Quotes whatever YAML 1.1 or 1.2 would take for something other than text."""

    yaml_implicit_resolvers: dict[str, Any] = {  # noqa: RUF012 - PyYAML's own way
        first: list(pairs) for first, pairs in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Quote text with unusual line breaks so that they are escaped; readers would fold them."""
    style = '"' if _BREAKS.intersection(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_BREAKS = frozenset("\r\x85\u2028\u2029\ufeff")
_Dumper.add_representer(str, _text)

for _kind, _pattern, _first in _CORE_SCHEMA:
    _tag, _expression = f"tag:yaml.org,2002:{_kind}", re.compile(_pattern)
    _firsts = ["" if c == "\0" else c for c in _first]
    _Loader.add_implicit_resolver(_tag, _expression, _firsts)
    _Dumper.add_implicit_resolver(_tag, _expression, _firsts)
