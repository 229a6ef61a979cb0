"""Which field of a request is at fault, where an error does not say it itself.

Settings are read as a whole, by many hands; what is wrong is told in words. The setting to blame is
the one without which the complaint is gone: so the request is read again without one setting after
the other, those first that the complaint names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import BaseModel

from text2art.errors import SettingsError
from text2art.settings import Settings

_MOST_TRIED = 24  # settings left out in turn: each costs a reading
_MOST_READ = 600  # settings that are read in all of these readings
_DEFAULT = "prompts"  # what is blamed when no setting is too many: the one that is missing
_SEED = "seed"  # choices depend on it, so that without it other things are complained of
Read = TypeVar("Read")
Error = TypeVar("Error", bound=SettingsError)


def fault(field: str, text: str) -> SettingsError:
    """Return an error of a field, to be raised."""
    return blamed(SettingsError(text), field)


def blamed(error: Error, field: str) -> Error:
    """Note the field of an error, unless it has one."""
    if error.field is None:
        error.field = field
    return error


def field_of(error: BaseException) -> str | None:
    """Return the field that an error is about, as `pixel.cells`; None where nobody noted it."""
    return error.field if isinstance(error, SettingsError) else None


@contextmanager
def about(field: str) -> Iterator[None]:
    """Note a field with every error of a block."""
    try:
        yield
    except SettingsError as error:
        blamed(error, field)
        raise


def reading(values: Mapping[str, Any], read: Callable[[Mapping[str, Any]], Read]) -> Read:
    """Read settings; an error has the field that is at fault.

    Args:
        values: settings by their names, options of a part in a mapping of its own.
        read: what reads them, and changes nothing.

    Raises:
        SettingsError: what `read` raises.
    """
    try:
        return read(values)
    except SettingsError as error:
        if field_of(error) is None:
            blamed(error, _guilty(values, str(error), read) or _DEFAULT)
        raise


def naming(values: Mapping[str, Any], text: str) -> str:
    """Return the setting that holds a text, as a URL or a key."""
    found = (name for name, value in pairs(values) if text in _texts(value))
    return next(found, _DEFAULT)


def pairs(given: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return settings one by one: `pixel.cells` for `{"pixel": {"cells": ...}}`."""
    found: list[tuple[str, Any]] = []
    for name, value in given.items():
        if isinstance(value, Mapping) and value and is_group(name):
            found.extend((f"{name}.{option}", inner) for option, inner in value.items())
        else:
            found.append((name, value))
    return found


def nested(flat: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return settings as they are sent; the reverse of `pairs`."""
    values: dict[str, Any] = {}
    for name, value in flat:
        head, dot, option = name.partition(".")
        inner = values.get(head, {})
        if dot and is_group(head) and isinstance(inner, Mapping):
            values[head] = {**inner, option: value}
        else:
            values[name] = value
    return values


def is_group(name: str) -> bool:
    """Whether a setting is a component's options, each a setting of its own."""
    info = Settings.model_fields.get(name)
    kind = info.annotation if info is not None else None
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _guilty(
    values: Mapping[str, Any], told: str, read: Callable[[Mapping[str, Any]], object]
) -> str | None:
    """Return the setting without which nothing is wrong, else something else is wrong."""
    everything = pairs(values)
    given = [pair for pair in everything if pair[0] != _SEED]
    suspects = sorted(given, key=lambda pair: not _is_named(pair[0], told))
    suspects += [(_SEED, values[_SEED])] if _SEED in values else []
    other = None
    tries = min(_MOST_TRIED, 1 + _MOST_READ // max(1, len(everything)))
    for suspect in suspects[:tries]:
        try:
            read(nested([pair for pair in everything if pair[0] != suspect[0]]))
        except SettingsError as error:
            if other is None and str(error) != told:
                other = suspect[0]
        else:
            return other if suspect[0] == _SEED and other else suspect[0]
    return other


def _is_named(name: str, told: str) -> bool:
    return name in told or name.rpartition(".")[2] in told


def _texts(value: Any) -> str:
    """Return all texts within a value, one after the other."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "\n".join([*map(str, value), *map(_texts, value.values())])
    return "\n".join(map(_texts, value)) if isinstance(value, list | tuple) else ""
