"""Files as pixray named them: by patterns with *, ?, [...] and {a,b}."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from text2art.ancestors.row import Reader, Reading, listed, same
from text2art.errors import InputFileError, SettingsError
from text2art.media.folder import matching

_MOST = 1000  # names that the braces of one setting may make
# What a shell takes for alternatives: braces with a comma in them. Not behind a colon: there a
# curve begins.
_BRACES = re.compile(r"(?<!:)\{([^{}]*,[^{}]*)\}")


def spelled_out(text: str, name: str) -> list[str]:
    """Return the names that the braces of one stand for, as a shell does, in order.

    Raises:
        SettingsError: they are too many.
    """
    names = [text]
    while any(_BRACES.search(one) for one in names):
        names = [more for one in names for more in _first_braces(one)]
        if len(names) > _MOST:
            raise SettingsError(f"{name} {text!r} stands for more than {_MOST} files")
    return names


def _first_braces(text: str) -> Iterator[str]:
    found = _BRACES.search(text)
    if found is None:
        yield text
        return
    for choice in found[1].split(","):
        yield text[: found.start()] + choice + text[found.end() :]


def pictures(target: str) -> Reader:
    """Read pictures, `|`-separated, as prompts: those read patterns with * and ? themselves."""

    def read(reading: Reading, name: str, value: Any) -> None:
        if any(_BRACES.search(str(text)) for text in _texts(value)):
            value = [one for part in listed(value) for one in spelled_out(part, name)]
        same(target)(reading, name, value)

    return read


def picture(target: str) -> Reader:
    """Read one picture; of several that match, the first by name, and say so.

    Raises:
        InputFileError: it is a pattern, and no file matches.
    """

    def read(reading: Reading, name: str, value: Any) -> None:
        if value is None or value == "":
            return
        files = _matching(spelled_out(str(value), name), name)
        if len(files) > 1:
            reading.notices.append(
                f"{name}: {len(files)} files match, and {files[0]!r} is taken; "
                "to draw over each of a folder's pictures, give animation_dir=FOLDER"
            )
        reading.put(target, files[0])

    return read


def _texts(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _matching(names: Sequence[str], setting: str) -> list[str]:
    """Return what was named, patterns replaced by the files that match, by name.

    Raises:
        InputFileError: of none of the names is there a file.
    """
    found: list[str] = []
    missing: list[InputFileError] = []
    for name in names:
        try:
            found += matching(name, setting)
        except InputFileError as error:  # braces: others may match
            missing.append(error)
    if not found:
        raise missing[0]
    return found
