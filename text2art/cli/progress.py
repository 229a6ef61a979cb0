"""How a run is reported: a bar in a terminal, lines in a log, JSON events, or nothing."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from text2art.cli.boundary import emit, say
from text2art.core import Frame
from text2art.errors import MissingExtra

_REFRESH = 0.2  # seconds between readings of loss and score, each of which waits for the device


class Report(Protocol):
    """Is told every frame of a run."""

    def of(self, steps: int) -> AbstractContextManager[None]:
        """Be ready for a run of some steps."""
        ...

    def step(
        self, frame: Frame, image: Image.Image | None, seconds: float, path: Path | None
    ) -> None:
        """Take a frame in.

        Args:
            frame: the frame.
            image: its picture, when it is one to be shown.
            seconds: since the start.
            path: where it was saved, if it was.
        """
        ...


def report_for(as_json: bool, preview: bool, quiet: bool) -> Report:
    """Choose the report for the way the command was called and where stderr goes.

    Raises:
        MissingExtra: a preview is wanted and its package is not installed.
    """
    picture = _picture_renderer() if preview else None
    if as_json:
        return Events()
    if quiet and picture is None:
        return Silence()
    if sys.stderr.isatty() or picture is not None:
        return Bar(picture)
    return Lines()


class Silence:
    """Says nothing."""

    def of(self, steps: int) -> AbstractContextManager[None]:
        """See `Report.of`."""
        return contextlib.nullcontext()

    def step(
        self, frame: Frame, image: Image.Image | None, seconds: float, path: Path | None
    ) -> None:
        """See `Report.step`."""


class Events(Silence):
    """One JSON object per shown frame, on stdout."""

    def __init__(self) -> None:
        self._steps = 0

    def of(self, steps: int) -> AbstractContextManager[None]:
        """See `Report.of`."""
        self._steps = steps
        return contextlib.nullcontext()

    def step(
        self, frame: Frame, image: Image.Image | None, seconds: float, path: Path | None
    ) -> None:
        """See `Report.step`."""
        if image is None:
            return
        event: dict[str, Any] = {
            "event": "frame",
            "step": frame.step,
            "steps": self._steps,
            "loss": frame.loss,
            "score": frame.score,
            "seconds": round(seconds, 3),
        }
        if path is not None:
            event["path"] = str(path)
        emit(event)


class Lines(Events):
    """One line of text per shown frame, on stderr: for logs."""

    def step(
        self, frame: Frame, image: Image.Image | None, seconds: float, path: Path | None
    ) -> None:
        """See `Report.step`."""
        if image is None:
            return
        line = f"step {frame.step}/{self._steps}  loss {frame.loss:.4f}  score {frame.score:.4f}"
        if frame.step and seconds > 0:
            rate = frame.step / seconds
            left = (self._steps - frame.step) / rate
            line += f"  {rate:.2f} steps/s  {left:.0f} s left"
        say(line)


class Bar:
    """A progress bar on stderr, and the picture under it when asked for."""

    def __init__(self, renderer: Any) -> None:
        from rich.console import Console

        self._renderer = renderer
        self._console = Console(stderr=True)
        self._read = 0.0

    @contextlib.contextmanager
    def of(self, steps: int) -> Iterator[None]:
        """See `Report.of`."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._task = self._progress.add_task("", total=steps, facts="")
        with self._progress:
            yield

    def step(
        self, frame: Frame, image: Image.Image | None, seconds: float, path: Path | None
    ) -> None:
        """See `Report.step`."""
        now = time.monotonic()
        if frame.final or now - self._read >= _REFRESH:
            self._read = now
            facts = f"loss {frame.loss:.3f}  score {frame.score:.3f}"
            if frame.step and seconds > 0:
                facts += f"  {frame.step / seconds:.1f} steps/s"
            self._progress.update(self._task, completed=frame.step, facts=facts)
        if image is not None and self._renderer is not None:
            self._show(image)

    def _show(self, image: Image.Image) -> None:
        try:
            self._console.print(self._renderer(image, width=40))
        except Exception as error:  # an odd terminal must not end the run (0 columns: division)
            self._renderer = None
            self._console.print(f"no preview: this terminal cannot show it ({error})")


def _picture_renderer() -> Any:
    try:
        from textual_image.renderable import Image as Renderable
    except ImportError as error:
        raise MissingExtra(
            "--preview needs the package textual-image: pip install 'text2art[preview]'"
        ) from error
    return Renderable
