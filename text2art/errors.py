"""The errors text2art raises on purpose.

Every message says what is wrong, what was given and what to do. Each face turns
`Text2ArtError` into its own kind of answer (one line on the command line, 4xx JSON over HTTP,
`InputError:` in the container); anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable


class Text2ArtError(Exception):
    """Base of everything a caller can do something about."""


class SettingsError(Text2ArtError, ValueError):
    """A setting is missing, unknown, out of range or contradicts another.

    Attributes:
        field: the setting or field of a request to blame, as `pixel.cells`; None where nobody noted
            it (the studio does, for forms).
    """

    field: str | None = None


class UnknownComponent(SettingsError):
    """A drawer, perceptor, loss, filter or cutout recipe of this name is not registered."""


class PointedError(SettingsError):
    """A text, or a part of one, cannot be read.

    Attributes:
        source: the text that was read, "" where the fault is in no one place.
        at: index of the fault in it.
    """

    def __init__(self, message: str, source: str = "", at: int = 0) -> None:
        super().__init__(message)
        self.source, self.at = source, at
        if self.pointer and hasattr(self, "add_note"):  # from Python 3.11 on: tracebacks show it
            self.add_note(self.pointer)

    @property
    def pointer(self) -> str:
        """Two lines, the text and a caret under the fault; "" where there is no one place."""
        return pointer(self.source, self.at) if self.source.strip() else ""


class PromptError(PointedError):
    """A prompt cannot be read."""


class PaletteError(PointedError):
    """A palette cannot be read."""


class ListError(PointedError):
    """A list of losses or filters cannot be read."""


class UnknownInList(ListError, UnknownComponent):
    """A list of losses or filters names what is not registered."""


class InputFileError(SettingsError):
    """A file or URL given by the caller cannot be used (missing, broken, too big, not allowed)."""


class CheckpointError(InputFileError):
    """A checkpoint cannot be gone on from: damaged, of another version, model or drawing."""


class WeightsError(Text2ArtError):
    """Model weights cannot be used."""


class WeightsMissing(WeightsError):
    """A weight file is not there."""


class WeightsCorrupt(WeightsError):
    """A weight file is damaged, of another format, or not what its name promises."""


class MissingExtra(Text2ArtError):
    """An optional dependency is not installed."""


class OutputError(Text2ArtError):
    """A result cannot be written (folder not writable, disk full, unsupported format)."""


class OutOfMemory(Text2ArtError):
    """The device has too little memory for these settings."""


class Cancelled(Text2ArtError):
    """The run was cancelled by its caller."""


class QueueFull(Text2ArtError):
    """No more work is accepted at present."""


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest known name, or "" when none is near."""
    names = sorted(known)
    lowered = {name.lower(): name for name in names}
    near = difflib.get_close_matches(given.lower(), lowered, n=1, cutoff=0.6)
    return f" Did you mean {lowered[near[0]]!r}?" if near else ""


_SHOWN = 72  # characters of a text that are shown around a fault


def pointer(source: str, at: int) -> str:
    """Return the part of a text around a fault, and below it a caret under the fault.

    Args:
        source: the text; what cannot be printed is shown as spaces.
        at: index of the fault; beyond the end it is behind the last character.
    """
    at = max(0, min(at, len(source)))
    start = max(0, min(at - _SHOWN // 2, len(source) - _SHOWN))
    end = start + _SHOWN
    line = "".join(c if c.isprintable() else " " for c in source[start:end])
    before = "..." if start else ""
    columns = sum(map(_columns, line[: at - start]))
    return f"{before}{line}{'...' * (end < len(source))}\n{' ' * (len(before) + columns)}^"


def _columns(character: str) -> int:
    """Return how many columns of a terminal a character takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
