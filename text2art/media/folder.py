"""Pictures by folder and by pattern, in the order of their names."""

from __future__ import annotations

import glob
import itertools
import re
from collections.abc import Container
from pathlib import Path

from text2art.errors import InputFileError

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
MOST_LISTED = 100_000
MOST_FOUND = 10_000  # files that a pattern may match


def pictures_in(folder: str, most: int) -> list[Path]:
    """Return the pictures of a folder by name, numbers in names by value: `9.png` before `10.png`.

    Args:
        folder: its path.
        most: pictures that are accepted.

    Raises:
        InputFileError: no such folder, no pictures in it, or too many.
    """
    try:
        place = Path(folder).expanduser()
        if not place.is_dir():
            raise InputFileError(f"animation_dir {folder!r} is no folder: name one with pictures")
        found: list[Path] = []
        for listed, path in enumerate(place.iterdir()):
            if listed == MOST_LISTED:
                raise InputFileError(f"animation_dir {folder!r} holds more than {listed} files")
            if is_picture(path):
                found.append(path)
    except (OSError, ValueError, RuntimeError) as error:  # the latter two: NUL, no home folder
        if isinstance(error, InputFileError):
            raise
        raise InputFileError(f"animation_dir {folder!r} cannot be read: {error}") from error
    if not found:
        raise InputFileError(
            f"animation_dir {folder!r} holds no pictures: {', '.join(ENDINGS)} are read"
        )
    if len(found) > most:
        raise InputFileError(
            f"animation_dir {folder!r} holds {len(found)} pictures, at most {most} are accepted: "
            "choose some with animation_frames"
        )
    return sorted(found, key=by_name)


def is_picture(path: Path, endings: Container[str] = ENDINGS) -> bool:
    """Whether a file is a picture by its ending, and not a hidden one."""
    return path.suffix.lower() in endings and not path.name.startswith(".")


def matching(pattern: str, setting: str) -> list[str]:
    """Return the files that a pattern with *, ? or [...] matches, by name; else what was given.

    What is an address, or the name of a file that is there, is no pattern.

    Raises:
        InputFileError: no file matches, or the pattern cannot be looked for.
    """
    try:
        path = Path(pattern).expanduser()
        if "://" in pattern or not glob.has_magic(pattern) or path.exists():
            return [pattern]
        found = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
        files = sorted(str(file) for file in itertools.islice(found, MOST_FOUND) if file.is_file())
    except (OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise InputFileError(f"{setting}: {pattern!r} cannot be looked for: {error}") from error
    if not files:
        raise InputFileError(f"{setting}: no file matches {pattern!r}")
    return files


def by_name(path: Path) -> list[tuple[int, int, str]]:
    """Take a name apart into words and numbers, to sort by; numbers come before words."""
    parts = re.findall(r"\d{1,18}|\D+", path.name)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts]
