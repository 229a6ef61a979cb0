"""Files that appear whole or not at all, and names for them."""

from __future__ import annotations

import errno
import hashlib
import re
import secrets
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from text2art.errors import OutputError

SLUG_LENGTH = 60
_ROOM_FOR_HASH = 20
_REASONS = {
    errno.ENOSPC: "the disk is full: free some space or choose another folder",
    errno.EDQUOT: "your disk quota is used up: free some space or choose another folder",
    errno.EFBIG: "it would be larger than files may be here: choose a smaller size or another disk",
    errno.EACCES: "permission denied: choose a folder you may write to",
    errno.ENOENT: "its folder cannot be made: choose another folder",
    errno.EPERM: "permission denied: choose a folder you may write to",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
    errno.EISDIR: "it is a folder: name a file in it",
    errno.ENOTDIR: "a part of the path is a file, not a folder: choose another path",
    errno.EEXIST: "a part of the path is a file, not a folder: choose another path",
}


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn the system's refusals to write `path` into one line of advice.

    Raises:
        OutputError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise OutputError(f"cannot write {str(path)!r}: {reason}") from error


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a `.part` path beside `path`; rename it to `path` when the block ends well.

    The folder is made when missing. A block that fails leaves nothing behind, and an older file of
    that name as it was.

    Raises:
        OutputError: the system refuses, or the disk is full.
    """
    with output_errors(path):
        check_target(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(path)
        try:
            yield part
            part.replace(path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise


def part_of(path: Path) -> Path:
    """Return a name beside `path` to write to first.

    It is new every time, so that two writers never share it, and short whatever the file's name.
    """
    return path.with_name(f".{secrets.token_hex(8)}.part")


def check_target(path: Path, endings: Sequence[str] = ()) -> None:
    """Make sure, before the work, that `path` can be written. Makes nothing.

    Args:
        path: the file to be.
        endings: accepted endings, as ".png"; any when empty.

    Raises:
        OutputError: it cannot, and why.
    """
    with output_errors(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder")
    if endings and path.suffix.lower() not in endings:
        given = f"ending {path.suffix!r}" if path.suffix else "no ending"
        raise OutputError(f"cannot write {str(path)!r}: it has {given}, use {' or '.join(endings)}")
    check_folder(path.parent)


def check_folder(folder: Path) -> None:
    """Make sure that files can be created in a folder, or the folder itself. Makes nothing.

    Raises:
        OutputError: they cannot, and why.
    """
    with output_errors(folder):
        there = folder.absolute()
        while not there.exists():
            there = there.parent
        # Trying is the only test: access() lies to root, and on network file systems.
        with tempfile.TemporaryFile(dir=there):
            pass


def write_bytes(path: Path, data: bytes) -> Path:
    """Write a small file whole."""
    with whole(path) as part:
        part.write_bytes(data)
    return path


def slug(text: str, *, longest: int = SLUG_LENGTH) -> str:
    """Return a file name made of the words of a text, at most `longest` characters.

    Letters of every script are kept; what is cut off is stood for by a short hash, where there is
    room for one.
    """
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower())
    name = "-".join(word.strip("_") for word in words if word.strip("_")) or "picture"
    if len(name) <= longest and len(name.encode()) <= 3 * longest:
        return name
    if longest < _ROOM_FOR_HASH:
        return name[:longest].rstrip("-")
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{name[: longest - 9].rstrip('-')}-{digest}"


def free_path(folder: Path, stem: str, ending: str) -> Path:
    """Return `folder/stem.ending`, with -2, -3, ... before the ending while that name is taken."""
    path = folder / f"{stem}{ending}"
    number = 2
    while path.exists():
        path = folder / f"{stem}-{number}{ending}"
        number += 1
    return path
