"""pixray's command line: its flags, long and short, abbreviated too, and ours beside them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from text2art.ancestors.dialect import ALSO, ROWS
from text2art.errors import SettingsError, did_you_mean

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)?=")


class _Parser(argparse.ArgumentParser):
    """argparse, whose errors are ours."""

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message}: 'text2art pixray --help' lists what there is")


def parse(arguments: Sequence[str]) -> dict[str, Any]:
    """Read pixray's arguments into old settings; `name=value` sets any setting.

    Raises:
        SettingsError: an argument is unknown or lacks its value.
    """
    flags: list[str] = []
    words: list[str] = []  # taken out first: a flag with several values would swallow them
    for before, argument in zip(["", *arguments], arguments, strict=False):
        is_word = _WORD.match(argument) and not before.startswith("-")
        (words if is_word else flags).append(argument)
    told, unknown = parser().parse_known_args(flags)
    if unknown:
        given_name = unknown[0].lstrip("-").partition("=")[0].replace("-", "_")
        near = did_you_mean(given_name, [*ROWS, *ALSO]) if unknown[0].startswith("-") else ""
        raise SettingsError(
            f"unknown argument {unknown[0]!r}.{near} 'text2art pixray --help' lists pixray's, and "
            "any setting of text2art is set by name=value"
        )
    given = {name: value for name, value in vars(told).items() if value is not None}
    for word in words:
        name, _, value = word.partition("=")
        _put(given, name.replace("-", "_"), value)
    return given


def _put(given: dict[str, Any], name: str, value: str) -> None:
    first, dot, option = name.partition(".")
    if not dot:
        given[name] = value
        return
    options = given.setdefault(first, {})
    if not isinstance(options, dict):
        raise SettingsError(f"{name}: {first} is set already, to {options!r}")
    options[option] = value


def parser() -> argparse.ArgumentParser:
    """Return the parser of pixray's flags."""
    made = _Parser(
        prog="text2art pixray",
        description="Draw as pixray did: its settings, flags, sizes and presets.",
        epilog="Any other setting of text2art as name=value. See docs/migration.md.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    other = {row: [alias for alias, name in ALSO.items() if name == row] for row in ROWS}
    for name, row in ROWS.items():
        flags = [*row.flags, f"--{name}", *(f"--{alias}" for alias in other[name])]
        flags = list(dict.fromkeys(flags))
        spelled = row.change.replace("%", "%%") or (f"Our {row.ours}." if row.ours else "")
        options: dict[str, Any] = {"dest": name, "default": None, "help": spelled}
        if row.switch:
            options.update(nargs="?", const=True, metavar="yes|no")
        elif row.many:
            options.update(nargs="+", metavar="X")
        else:
            options.update(metavar="X")
        made.add_argument(*flags, **options)
    return made
