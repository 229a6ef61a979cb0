"""The runner on this machine: one process per device, replaced when it dies or falls silent."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from text2art.studio.config import StudioConfig
from text2art.studio.model import Json, Progress, State
from text2art.studio.worker.link import Child
from text2art.studio.worker.runner import (
    Ended,
    Ending,
    Frame,
    JobFailed,
    Order,
    RunnerDied,
    Sink,
    Task,
    Wish,
)

log = logging.getLogger(__name__)

_POLL = 0.1  # seconds
_START_SECONDS = 300.0  # in which a process has to be ready
_ENDS = {Wish.CANCEL: "cancel", Wish.STOP: "stop", Wish.LOST: "abort"}
_STATES = {"done": State.DONE, "canceled": State.CANCELED}


class LocalRunner:
    """A `runner.Runner` in a process of its own, which keeps the models loaded."""

    name = "local"

    def __init__(self, config: StudioConfig, device: str = "", threads: int = 0) -> None:
        """Prepare; the process is started by `ready`.

        Args:
            config: of the studio.
            device: see `devices.share`.
            threads: see `devices.share`.
        """
        self._config, self._wanted, self._threads = config, device, threads
        self.device, self.together = device or "auto", config.together
        self._child: Child | None = None
        self._stopping = threading.Event()

    @property
    def pid(self) -> int | None:
        """The number of the process that draws, None when there is none."""
        return self._child.pid if self._child is not None else None

    def ready(self) -> bool:
        """See `runner.Runner`: starts the process if there is none."""
        if self._child is not None and self._child.alive:
            return True
        self.close()
        child = self._child = Child(self._wanted, self._threads)
        until = time.monotonic() + _START_SECONDS
        try:
            while not self._stopping.is_set() and time.monotonic() < until:
                message = child.hear(_POLL)
                if message is not None and message.get("say") == "ready":
                    self.device = str(message["device"])
                    return True
        except EOFError as error:
            log.error("%s: %s", self.device, error)  # noqa: TRY400 - no bug of this process
        self.close()
        return False

    def draw(self, orders: Sequence[Order]) -> Iterator[tuple[int, Ending]]:
        """See `runner.Runner`."""
        going = dict(enumerate(orders))
        try:
            for number, ending in self._follow(going):
                del going[number]
                yield number, ending
        except RunnerDied as error:
            if len(orders) > 1:  # it may have been any of them: each is drawn alone after that
                error.blame = False
            for number in going:
                yield number, error

    def _follow(self, going: Mapping[int, Order]) -> Iterator[tuple[int, Ended | JobFailed]]:
        """Pass on what the process tells, and to it what is wanted, until no job is left.

        Raises:
            RunnerDied: for all that are left.
        """
        child = self._child
        if child is None:
            raise RunnerDied("there is no drawing process", blame=False)
        child.tell({"do": "draw", "jobs": [self._job(task) for task, _ in going.values()]})
        told, heard = dict.fromkeys(going, Wish.GO), time.monotonic()
        while going:
            for number, (_, sink) in going.items():
                wish = sink.wish
                if wish is not told[number]:
                    child.tell({"do": _ENDS[wish], "job": number})
                    told[number] = wish
            try:
                message = child.hear(_POLL)
            except EOFError as error:
                self.close()
                raise RunnerDied(str(error), blame=not self._stopping.is_set()) from None
            if message is not None:
                heard = time.monotonic()
                number = int(message["job"])
                task, sink = going[number]
                ended = self._take(message, task.folder, sink)
                if ended is not None:
                    yield number, ended
            elif time.monotonic() - heard > self._config.hang_seconds:
                self.close()
                patience = self._config.hang_seconds
                raise RunnerDied(f"the drawing process did nothing for {patience:g} s")

    def stop(self) -> None:
        """See `runner.Runner`."""
        self._stopping.set()

    def close(self) -> None:
        """See `runner.Runner`."""
        child, self._child = self._child, None
        if child is not None:
            child.end()

    def _job(self, task: Task) -> Json:
        config = self._config
        return {
            "settings": task.settings,
            "folder": str(task.folder),
            "checkpoint": None if task.checkpoint is None else str(task.checkpoint),
            "parent": task.parent,
            "frames": {str(step): str(path) for step, path in task.frames.items()},
            "pixels": config.caps.pixels,
            "checkpoint_seconds": config.checkpoint_seconds,
            "frames_per_second": config.frames_per_second,
        }

    def _take(self, message: Json, folder: Path, sink: Sink) -> Ended | JobFailed | None:
        """Pass on what the process said; return the end if that was it.

        Raises:
            RunnerDied: it cannot go on.
        """
        kind = message.get("say")
        if kind == "progress":
            names = ("step", "steps", "score", "loss", "eta_seconds")
            sink.progress(Progress(**{name: message[name] for name in names}))
        elif kind == "score":
            sink.score(message["step"], message["score"], message["loss"])
        elif kind == "frame":
            sink.frame(_frame(message, folder))
        elif kind == "checkpoint":
            file = folder / message["file"]
            sink.checkpoint(file, message["step"])
            with contextlib.suppress(OSError):
                file.unlink()
        elif kind == "log":
            sink.log(message["text"])
        elif kind == "notice":
            sink.notice(message["text"])
        elif kind == "stopped":
            return Ended(None)
        elif kind == "done":
            files = {ending: folder / name for ending, name in message["files"].items()}
            return Ended(_STATES[message["state"]], files, message["facts"])
        elif kind == "failed":
            return self._failed(str(message["kind"]), str(message["text"]))
        return None

    def _failed(self, kind: str, text: str) -> JobFailed:
        if kind == "job":
            return JobFailed(text)
        self.close()  # for memory's sake, or since a bug may have left anything behind
        if kind == "bug":
            text = f"an error in text2art: {text}"
        raise RunnerDied(text, blame=kind != "machine", delay=5.0 if kind == "machine" else 0.0)


def _frame(message: Json, folder: Path) -> Frame:
    path = folder / message["file"]
    data = path.read_bytes()
    path.unlink()
    return Frame(
        step=message["step"],
        data=data,
        ending="webp",
        width=message["width"],
        height=message["height"],
        tryout=message["tryout"],
    )
