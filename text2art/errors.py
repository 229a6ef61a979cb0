"""The errors text2art raises on purpose.

Every message says what is wrong, what was given and what to do. Each face turns
`Text2ArtError` into its own kind of answer (one line on the command line, 4xx JSON over HTTP,
`InputError:` in the container); anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class Text2ArtError(Exception):
    """Base of everything a caller can do something about."""


class SettingsError(Text2ArtError, ValueError):
    """A setting is missing, unknown, out of range or contradicts another."""


class UnknownComponent(SettingsError):
    """A drawer, perceptor, loss, filter or cutout recipe of this name is not registered."""


class PromptError(SettingsError):
    """A prompt cannot be read."""


class InputFileError(SettingsError):
    """A file or URL given by the caller cannot be used (missing, broken, too big, not allowed)."""


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
