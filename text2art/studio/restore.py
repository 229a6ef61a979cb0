"""Settings out of a picture that somebody drops on the page.

The picture may come from anybody, another version, or an installation with other plug-ins:
what does not fit here is left out and said, the rest is taken.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from text2art import asking
from text2art.errors import InputFileError, SettingsError
from text2art.media.png import record_of
from text2art.serving.references import Rules, refuse_files
from text2art.settings import Settings
from text2art.studio.faults import nested, pairs
from text2art.studio.intake import MAX_SETTINGS, keys_of
from text2art.studio.uploads import shown_name

_LONGEST_REASON = 300  # characters
_ADVICE = "it is not in this studio: drop it here too"


@dataclass(frozen=True)
class LeftOut:
    """A setting that was not taken over, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Restored:
    """What a picture says about how it was drawn.

    Attributes:
        settings: those that are valid here, under today's names.
        left_out: the others.
        version: of the text2art that drew it, "" where it does not say.
    """

    settings: dict[str, Any]
    left_out: tuple[LeftOut, ...] = ()
    version: str = ""


def restore(
    data: bytes,
    name: str = "picture",
    *,
    max_bytes: int = 20_000_000,
    exists: Callable[[str], bool] = lambda key: False,
) -> Restored:
    """Read the settings inside a PNG, WebP, JPEG or SVG of text2art. The pixels are not decoded.

    `${...}` is plain text here: nothing is looked up or computed.

    Args:
        data: the file.
        name: for messages.
        max_bytes: longest file accepted.
        exists: whether a file of the studio that the settings name by its key is there.

    Raises:
        InputFileError: it is no such picture, or too big.
    """
    name = shown_name(name)
    if len(data) > max_bytes:
        raise InputFileError(f"picture {name!r} is larger than {max_bytes / 1e6:g} MB")
    record = record_of(data, name)
    given: Mapping[str, Any] = record["settings"]
    found = pairs(given)
    if len(found) > MAX_SETTINGS:
        raise InputFileError(f"picture {name!r} holds {len(found)} settings, which is too many")
    reader = _Reader(exists)
    version = record.get("version")
    return Restored(
        *reader.read(found), version=shown(version, 40) if isinstance(version, str) else ""
    )


def shown(text: object, longest: int = _LONGEST_REASON) -> str:
    """Return a text on one line, its length bounded."""
    line = "".join(c if c.isprintable() else " " for c in str(text))
    return line if len(line) <= longest else line[: longest - 3] + "..."


class _Reader:
    """Takes settings over one by one where they are not valid all at once."""

    def __init__(self, exists: Callable[[str], bool]) -> None:
        self._exists = exists

    def read(self, given: list[tuple[str, Any]]) -> tuple[dict[str, Any], tuple[LeftOut, ...]]:
        try:
            return self._settings(nested(given)), ()
        except SettingsError:
            pass
        kept: list[tuple[str, Any]] = []
        left_out: list[LeftOut] = []
        for pair in given:
            try:
                self._settings(nested([*kept, pair]))
            except SettingsError as error:
                left_out.append(LeftOut(shown(pair[0], 80), shown(error)))
            else:
                kept.append(pair)
        return self._settings(nested(kept)), tuple(left_out)

    def _settings(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the settings under today's names, if all of them may be used here.

        Raises:
            SettingsError: they may not.
        """
        try:
            json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError):
            raise SettingsError("the value is no proper text or number") from None
        settings = Settings.of(**values)
        keys = keys_of(settings.given())
        rules = Rules(lambda name: name in keys and self._exists(name), _ADVICE)
        whole = settings if _asks(settings) else settings.changed(prompts=["anything"])
        refuse_files(whole.chosen(whole.seed if whole.seed is not None else 0), rules)
        return settings.given()


def _asks(settings: Settings) -> bool:
    """Whether settings ask for anything: a record may lack what others need to be read."""
    return any(getattr(settings, name) for name in asking.KINDS)
