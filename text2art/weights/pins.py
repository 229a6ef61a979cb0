"""Checksums that a first fetch fixed, of files whose publisher tells none.

`pins.json` in the weights folder holds them by path: sha256, length, source and day. What comes
later under the same path must be the same.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from text2art import environment
from text2art.errors import WeightsCorrupt, WeightsError

_MOST_BYTES = 10_000_000


@dataclasses.dataclass(frozen=True)
class Pin:
    """What a file was found to be.

    Attributes:
        sha256: its checksum, hex.
        bytes: its length.
        url: where it came from, "" when it lay there already.
        date: the day, as 2026-01-31.
    """

    sha256: str
    bytes: int
    url: str
    date: str

    def __post_init__(self) -> None:
        if type(self.bytes) is not int or not is_sha256(self.sha256):
            raise ValueError(f"{self} is no pin")


def is_sha256(text: object) -> bool:
    """Whether this is a sha256 in lower-case hex."""
    return isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef")


def location() -> Path:
    """Return where the pins are kept; it need not exist."""
    return environment.home() / "weights" / "pins.json"


def read() -> dict[str, Pin]:
    """Return all pins by the path of their file below the weights folder.

    Raises:
        WeightsCorrupt: the pins cannot be read.
    """
    path = location()
    try:
        table = json.loads(path.read_bytes()[:_MOST_BYTES])
        return {str(name): Pin(**row) for name, row in table.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsCorrupt(
            f"{path}, the checksums of first fetches, cannot be read ({error}): repair it, or "
            "delete it, and what is fetched next is trusted anew"
        ) from error


def add(relative: str, pin: Pin) -> None:
    """Keep a pin, in place of one under the same path.

    Raises:
        WeightsCorrupt: the pins cannot be read.
        WeightsError: they cannot be written.
    """
    rows = {**read(), relative: pin}
    write_json(location(), {name: dataclasses.asdict(row) for name, row in sorted(rows.items())})


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file whole or not at all.

    Raises:
        WeightsError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be written: {error.strerror or error}") from error
