"""The supervisor: takes jobs off the queue, lets runners draw them, and publishes what comes of it.

It never imports torch, so that it may live in the web process: whatever a drawing does to its own
process (a crash, no memory, a hang), this one goes on. A slot (`slot.Slot`), a thread per device or
container, has one job at a time, or some that are drawn together; beside each a heartbeat
(`report.Report`) keeps the claim.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Sequence
from types import FrameType, TracebackType

from typing_extensions import Self

from text2art.errors import SettingsError
from text2art.studio.config import StudioConfig
from text2art.studio.service import Studio
from text2art.studio.worker.devices import share
from text2art.studio.worker.local import LocalRunner
from text2art.studio.worker.runner import Runner
from text2art.studio.worker.slot import Slot

GRACE = 10.0  # seconds in which running jobs make their last checkpoints


class Supervisor:
    """All slots of this process. Use as a context manager, or `start` and `stop`."""

    def __init__(
        self, studio: Studio, runners: Sequence[Runner] | None = None, name: str = ""
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            studio: whose jobs are drawn; it stays open.
            runners: one per slot; default: as the studio's configuration says.
            name: of this worker; default: made of the machine's name.
        """
        self._studio, self._opened = studio, False
        found = runners_of(studio.config) if runners is None else runners
        base = name or f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"
        self.slots = [Slot(studio, one, f"{base}/{n}") for n, one in enumerate(found)]

    def start(self) -> Self:
        """Start all slots; return at once."""
        for slot in self.slots:
            slot.start()
        return self

    def stop(self, timeout: float = GRACE) -> None:
        """Stop: running jobs go back to the queue with a checkpoint, if they make one in time."""
        until = time.monotonic() + timeout
        for slot in self.slots:
            slot.ask_to_stop()
        for slot in self.slots:
            if not slot.join(until - time.monotonic()):
                slot.runner.close()  # its job goes back with the checkpoint before
                slot.join(5.0)
        if self._opened:
            self._studio.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @classmethod
    def of(cls, config: StudioConfig, name: str = "") -> Supervisor:
        """Return a supervisor with a studio of its own."""
        supervisor = cls(Studio.open(config), name=name)
        supervisor._opened = True
        return supervisor


def start(studio: Studio | StudioConfig) -> Supervisor:
    """Start the workers that a configuration asks for; return at once."""
    if isinstance(studio, StudioConfig):
        return Supervisor.of(studio).start()
    return Supervisor(studio).start()


def run(config: StudioConfig, name: str = "") -> int:
    """Work until SIGINT or SIGTERM comes; a second one ends it at once. Return the exit code.

    Raises:
        SettingsError: the configuration asks for no worker, or cannot be used.
    """
    supervisor = Supervisor.of(config, name)
    if not supervisor.slots:
        raise SettingsError("workers 0: there is nothing to run")
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            os._exit(130)
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        supervisor.start()
        while not asked.wait(1.0):
            pass
        supervisor.stop()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


run_forever = run


def runners_of(config: StudioConfig) -> list[Runner]:
    """Return the runners that a configuration asks for.

    Raises:
        SettingsError: the runner is none.
    """
    kind, _, rest = config.runner.strip().partition("=")
    if kind == "local" and not rest:
        shares = share(config.workers) if config.workers else []
        return [LocalRunner(config, device, threads) for device, threads in shares]
    if kind == "cog" and rest:
        from text2art.studio.worker.cog import CogRunner, addresses

        return [CogRunner(config, address) for address in addresses(rest)]
    if kind == "fake":
        from text2art.studio.worker.fake import FakeRunner

        return [FakeRunner() for _ in range(config.workers)]
    raise SettingsError(
        f"runner {config.runner!r}: use local, or cog=http://host:port, several with commas"
    )
