"""Where the command line meets its user: errors become one line and an exit code."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

import typer
from typing_extensions import Self

from text2art.errors import PointedError, Text2ArtError

FAILED, INTERRUPTED = 1, 130


def boundary(command: Callable[..., None]) -> Callable[..., None]:
    """Turn what a command raises on purpose into `Error: ...` and exit code 1 or 130.

    With `as_json` among the command's arguments the error is an event on stdout too. Anything else
    is a bug and keeps its traceback.
    """

    @functools.wraps(command)
    def wrapper(**values: Any) -> None:
        try:
            command(**values)
        except Text2ArtError as error:
            message = " ".join(str(error).split())
            if values.get("as_json"):
                emit({"event": "error", "error": message})
            say(f"Error: {message}")
            if isinstance(error, PointedError) and error.pointer:
                say(error.pointer)
            raise typer.Exit(FAILED) from error
        except KeyboardInterrupt:
            say("Interrupted.")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # The reader went away (`| head`): nothing is left to say, at exit neither.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(FAILED) from None

    return wrapper


def say(line: str) -> None:
    """Tell the user something that is not the result."""
    print(line, file=sys.stderr, flush=True)


def emit(event: dict[str, Any]) -> None:
    """Print one JSON object on one line of stdout; numbers that JSON lacks become null."""
    finite = {
        key: None if isinstance(value, float) and value - value != 0 else value
        for key, value in event.items()
    }
    print(json.dumps(finite, ensure_ascii=False, allow_nan=False), flush=True)


class Interrupt:
    """Turns the first Ctrl-C (or SIGTERM) into a wish to stop, the second into a hard stop.

    Attributes:
        wished: whether the user wants to stop.
    """

    def __init__(self) -> None:
        self.wished = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._wish)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _wish(self, number: int, frame: FrameType | None) -> None:
        if self.wished:
            raise KeyboardInterrupt
        self.wished = True
