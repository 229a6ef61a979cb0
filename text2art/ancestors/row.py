"""One old setting: its names, what became of it, and how its values are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from text2art.aliases import truth
from text2art.errors import SettingsError


@dataclass
class Reading:
    """Old settings on their way to today's.

    Attributes:
        old: all that was given, by old name.
        settings: today's settings so far, options nested.
        notices: what the user should know.
    """

    old: Mapping[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def put(self, target: str, value: Any) -> None:
        """Set a setting, or a component's option ("vqgan.model")."""
        name, _, option = target.partition(".")
        if not option:
            self.settings[name] = value
            return
        options = self.settings.setdefault(name, {})
        if not isinstance(options, dict):
            raise SettingsError(f"{name} {options!r}: options are name: value pairs")
        options[option] = value


Reader = Callable[[Reading, str, Any], None]


@dataclass(frozen=True)
class Row:
    """An old setting.

    Attributes:
        name: its name.
        ours: the setting here, "" when there is none.
        default: what it was when not given, as text.
        change: what is different here; "" when nothing is.
        flags: its short spellings on pixray's command line.
        sample: a value that the tests draw with; {picture}, {mask}, {folder}, {vector} and {file}
            stand for files that they make.
        beside: further old settings that the sample needs.
        read: puts a value where it belongs.
        switch: whether it is yes or no.
        many: whether pixray's command line takes several words for it.
        whose: who had it.
    """

    name: str
    ours: str
    default: str = ""
    change: str = ""
    flags: tuple[str, ...] = ()
    sample: Any = None
    beside: Mapping[str, Any] = field(default_factory=dict)
    read: Reader | None = None
    switch: bool = False
    many: bool = False
    whose: str = "pixray, clipit"

    def reader(self) -> Reader:
        """Return what reads its values; by default they go to `ours` as they are."""
        return self.read or same(self.ours)


def same(target: str) -> Reader:
    """Read values that mean today what they meant."""

    def read(reading: Reading, name: str, value: Any) -> None:
        if value is not None:
            reading.put(target, value)

    return read


def yes_or_no(target: str) -> Reader:
    """Read pixray's spellings of yes and no."""

    def read(reading: Reading, name: str, value: Any) -> None:
        reading.put(target, told(name, value))

    return read


def level(target: str) -> Reader:
    """Read 0 to 255 as 0 to 1."""

    def read(reading: Reading, name: str, value: Any) -> None:
        if value is not None:
            number = number_of(name, value)
            if not 0 <= number <= 255:
                raise SettingsError(f"{name} {value!r} is out of range: 0 to 255")
            reading.put(target, number / 255)

    return read


def times(target: str, factor: float) -> Reader:
    """Read numbers in another unit."""

    def read(reading: Reading, name: str, value: Any) -> None:
        if value is not None:
            reading.put(target, number_of(name, value) * factor)

    return read


def gone(why: str) -> Reader:
    """Accept a setting that does nothing here, and say why."""

    def read(reading: Reading, name: str, value: Any) -> None:
        reading.notices.append(f"{name} does nothing here: {why}")

    return read


def told(name: str, value: Any) -> bool:
    """Read yes or no.

    Raises:
        SettingsError: neither.
    """
    try:
        return truth(value)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}: write true or false") from None


def number_of(name: str, value: Any) -> float:
    """Read a number.

    Raises:
        SettingsError: it is none.
    """
    try:
        return float(value)
    except (TypeError, ValueError):
        raise SettingsError(f"{name} {value!r} is not a number") from None


def pair(target: str) -> Reader:
    """Read a size, also from two words of a command line."""

    def read(reading: Reading, name: str, value: Any) -> None:
        if value is not None:
            words = value if isinstance(value, str | int) else "x".join(str(v) for v in value)
            reading.put(target, words)

    return read


def listed(value: Any, separator: str = "|") -> list[str]:
    """Read a list of texts, or one text with separators."""
    if value is None:
        return []
    parts = value.split(separator) if isinstance(value, str) else list(value)
    return [str(part).strip() for part in parts if str(part).strip()]
