"""Server-sent events from a container, read with distrust."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from text2art.studio.model import Json

MOST_LINE = 256 * 2**20  # bytes: the last event repeats every picture


class Broken(Exception):
    """What came is no stream of events, or too long."""


def events(blocks: Iterable[bytes], most: int = MOST_LINE) -> Iterator[tuple[str, Json]]:
    """Yield the names and data of events whose data is a JSON object; others are passed over.

    Args:
        blocks: of the stream, cut anywhere.
        most: bytes of a line.

    Raises:
        Broken: a line is too long, or data is no JSON.
    """
    name, data = "", bytearray()
    for line in _lines(blocks, most):
        if not line:
            if data:
                yield from _parsed(name, bytes(data))
            name, data = "", bytearray()
        elif line.startswith(b"event:"):
            name = line[6:].strip().decode(errors="replace")[:40]
        elif line.startswith(b"data:"):
            if len(data) + len(line) > most:
                raise Broken("an event is too long")
            data += (b"\n" if data else b"") + line[5:].removeprefix(b" ")
    # What was broken off in the middle of an event is none.


def _parsed(name: str, data: bytes) -> Iterator[tuple[str, Json]]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise Broken("an event's data is no JSON") from None
    if isinstance(value, dict):
        yield name, value


def _lines(blocks: Iterable[bytes], most: int) -> Iterator[bytes]:
    parts: list[bytes] = []
    waiting = 0
    for block in blocks:
        *whole, rest = block.split(b"\n")
        for line in whole:
            yield b"".join([*parts, line]).removesuffix(b"\r")
            parts, waiting = [], 0
        parts.append(rest)
        waiting += len(rest)
        if waiting > most:
            raise Broken("a line is too long")
