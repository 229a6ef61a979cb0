"""Secrets of a studio: given by its owner, or made once and kept beside the database."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pydantic import SecretStr

from text2art.errors import OutputError
from text2art.media.files import output_errors
from text2art.studio.ids import new_token


def kept(folder: Path, name: str, given: SecretStr, make: Callable[[], str] = new_token) -> str:
    """Return a secret: the given one, else that of the file `folder/name`, made when missing.

    Several processes of one machine may ask at the same time and get the same. Studios on several
    machines are to be given theirs, as each would make its own.

    Raises:
        OutputError: the file cannot be read or written.
    """
    if given.get_secret_value():
        return given.get_secret_value()
    path = folder / name
    with output_errors(path):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _write_once(path, make())
        secret = path.read_text(encoding="ascii").strip()
    if not secret:
        raise OutputError(f"{str(path)!r} is empty: delete it, and a new secret is made")
    return secret


def _write_once(path: Path, secret: str) -> None:
    """Write a file whole, for its owner's eyes only, unless somebody else was faster."""
    part = path.with_name(f".{new_token()[:16]}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(part)
    finally:
        part.unlink(missing_ok=True)
