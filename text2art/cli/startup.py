"""The way to the first picture: how long it takes, and what keeps it short."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

_began = time.perf_counter()


def begin() -> None:
    """Begin to count: a command was called."""
    global _began
    _began = time.perf_counter()


def seconds() -> float:
    """Return the seconds since the command was called, without those that Python took to start."""
    return time.perf_counter() - _began


@contextmanager
def importing() -> Iterator[None]:
    """Import without looking for garbage.

    Imports make hundreds of thousands of objects that stay; going through them again and again
    takes a fifth of the time that torch takes to be imported.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
