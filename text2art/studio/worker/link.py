"""A line between a supervisor and the process that draws for it: JSON, one object a line.

The process talks on what was its standard output; what libraries print goes to its standard error
instead. It ends when its standard input does: no process goes on drawing for a supervisor that is
gone. Pictures and checkpoints are files, of which only the names pass here.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from text2art.studio.model import Json

MOST_BYTES = 4_000_000  # of a line


class Child:
    """A process that draws, as its supervisor sees it."""

    def __init__(self, device: str, threads: int) -> None:
        """Start it.

        Args:
            device: as TEXT2ART_DEVICE; "" = as the environment says.
            threads: that torch computes with on a CPU; 0 = as the environment says.
        """
        words = [sys.executable, "-m", "text2art.studio.worker.child"]
        # A session of its own: Ctrl-C reaches the supervisor alone, which ends it in order.
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, and no shell
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(device, threads),
            start_new_session=True,
        )
        self._messages: queue.Queue[Json | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, name="child", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def tell(self, message: Mapping[str, object]) -> None:
        """Send a message. Nothing happens when the process is gone: `hear` will say so."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def hear(self, seconds: float) -> Json | None:
        """Return the next message, None when none comes in time.

        Raises:
            EOFError: the process is gone; the message says how it ended.
        """
        try:
            message = self._messages.get(timeout=seconds)
        except queue.Empty:
            return None
        if message is None:
            self._messages.put(None)  # for whoever asks again
            raise EOFError(self._how_it_ended())
        return message

    def end(self, patience: float = 0.0) -> None:
        """End it: its input ends, and after some patience it is killed."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join(1.0)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            while line := self._process.stdout.readline(MOST_BYTES):
                message = json.loads(line)
                if isinstance(message, dict):
                    self._messages.put(message)
        self._messages.put(None)

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            return "the drawing process broke off its reports"
        if code < 0:
            why = ", perhaps for want of memory" if code == -9 else ""
            return f"the drawing process was killed by signal {-code}{why}"
        return f"the drawing process ended by itself with exit code {code}"


def _environment(device: str, threads: int) -> dict[str, str]:
    values = dict(os.environ)
    if device:
        values["TEXT2ART_DEVICE"] = device
    if threads:
        values.setdefault("OMP_NUM_THREADS", str(threads))
    values.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    values.setdefault("PYTHONUNBUFFERED", "1")
    if "TEXT2ART_HOME" in values:  # it draws in folders of its own
        values["TEXT2ART_HOME"] = str(Path(values["TEXT2ART_HOME"]).expanduser().absolute())
    found = [str(Path(__file__).resolve().parents[3]), *filter(None, [values.get("PYTHONPATH")])]
    values["PYTHONPATH"] = os.pathsep.join(found)
    return values


class Parent:
    """The supervisor, as the process that draws sees it. Make one, first of all."""

    def __init__(self) -> None:
        self._out: IO[bytes] = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # what anybody prints is no message
        self._lock = threading.Lock()

    def tell(self, message: Mapping[str, object]) -> None:
        """Send a message; the process ends when nobody hears it any more."""
        try:
            with self._lock:
                self._out.write(json.dumps(message).encode() + b"\n")
                self._out.flush()
        except OSError:
            os._exit(1)

    def hear(self) -> Json:
        """Return the next message; the process ends when there will be none."""
        while line := sys.stdin.buffer.readline(MOST_BYTES):
            message = json.loads(line)
            if isinstance(message, dict):
                return message
        os._exit(0)
