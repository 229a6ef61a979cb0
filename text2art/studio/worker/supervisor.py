"""The supervisor: takes jobs off the queue, lets runners draw them, and publishes what comes of it.

It never imports torch, so that it may live in the web process: whatever a drawing does to its own
process (a crash, no memory, a hang), this one goes on. A slot, a thread per device or container,
has one job at a time; beside it a heartbeat (`report.Report`) keeps the claim. Files are written
under the attempt's own keys, and shown by the transaction that ends the job, if the claim still
holds then.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType, TracebackType

from typing_extensions import Self

from text2art.errors import SettingsError, Text2ArtError
from text2art.studio.config import StudioConfig
from text2art.studio.model import Claim, Json, Outcome, State
from text2art.studio.service import Studio
from text2art.studio.store import result_key
from text2art.studio.worker.devices import share
from text2art.studio.worker.inputs import gather
from text2art.studio.worker.local import LocalRunner
from text2art.studio.worker.report import Report
from text2art.studio.worker.runner import Ended, JobFailed, Runner, RunnerDied, Task, Wish

log = logging.getLogger(__name__)

LANES = ("gpu", "cpu")
GRACE = 10.0  # seconds in which running jobs make their last checkpoints
_WAIT = 1.0  # seconds between looks for a job, when nothing is heard of one
_BACKOFF = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds between looks for a runner that is down
_RETRY = 2.0  # seconds, times the attempts made, before a job that lost its runner starts again
_MOST_RETRY = 60.0


class Slot:
    """A runner and the thread that keeps it busy."""

    def __init__(self, studio: Studio, runner: Runner, name: str) -> None:
        self.name, self.runner = name, runner
        self._studio = studio
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._report: Report | None = None
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def start(self) -> None:
        """Begin to take jobs."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Take no further job; the running one makes a checkpoint and goes back to the queue."""
        self._stopping.set()
        self.runner.stop()
        with self._lock:
            if self._report is not None:
                self._report.ask_to_stop()

    def join(self, seconds: float) -> bool:
        """Wait until it has stopped; return whether it has."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    # ---- the thread ----------------------------------------------------------------------------

    def _serve(self) -> None:
        queue, failures, enlisted = self._studio.queue, 0, ""
        while not self._stopping.is_set():
            try:
                if not self.runner.ready():
                    if enlisted:
                        queue.dismiss(self.name)
                        enlisted = ""
                    self._stopping.wait(_BACKOFF[min(failures, len(_BACKOFF) - 1)])
                    failures += 1
                    continue
                failures = 0
                if enlisted != self.runner.device:
                    enlisted = self.runner.device
                    queue.enlist(self.name, runner=self.runner.name, device=enlisted, lanes=LANES)
                claim = queue.claim(self.name, LANES)
                if claim is None:
                    queue.wait(_WAIT)
                else:
                    self._work(claim)
            except Exception:  # the database is away, or a bug: neither may end the worker
                log.exception("%s: the worker goes on in a while", self.name)
                self._stopping.wait(_RETRY)
        with contextlib.suppress(Exception):
            queue.dismiss(self.name)
        self.runner.close()

    def _work(self, claim: Claim) -> None:
        """Draw a claimed job; whatever happens, it ends, or goes back to the queue."""
        queue = self._studio.queue
        with (
            tempfile.TemporaryDirectory(prefix="text2art-job-") as folder,
            Report(queue, self._studio.store, claim) as report,
        ):
            self._set(report)
            try:
                task = gather(self._studio, claim, Path(folder))
                ended = self.runner.run(task, report)
                self._settle(task, ended, report)
            except JobFailed as error:
                report.flush()
                queue.finish(claim, Outcome(State.FAILED, error=str(error)))
            except RunnerDied as error:
                log.warning("job %s, attempt %d: %s", claim.job_id, claim.attempt, error)
                report.flush()
                delay = error.delay
                if error.blame:
                    delay = max(delay, min(_MOST_RETRY, _RETRY * (claim.attempt - 1)))
                queue.give_back(claim, delay=delay, blame=error.blame, error=str(error))
            except Exception as error:
                log.exception("job %s, attempt %d", claim.job_id, claim.attempt)
                told = f"the worker failed: {type(error).__name__}"
                if isinstance(error, Text2ArtError):
                    told = f"the worker failed: {error}"
                self.runner.close()
                queue.give_back(claim, delay=_RETRY, blame=True, error=told)
            finally:
                self._set(None)

    def _set(self, report: Report | None) -> None:
        with self._lock:
            self._report = report
            if report is not None and self._stopping.is_set():
                report.ask_to_stop()

    def _settle(self, task: Task, ended: Ended, report: Report) -> None:
        """End the job as its drawing has ended, or give it back."""
        claim, queue = task.claim, self._studio.queue
        if report.flush() is Wish.LOST:
            return
        if ended.state is None:
            queue.give_back(claim)
            return
        result = self._store(claim, ended)
        if not queue.finish(claim, Outcome(ended.state, result)):
            log.warning("job %s, attempt %d was lost at its end", claim.job_id, claim.attempt)

    def _store(self, claim: Claim, ended: Ended) -> Json:
        """Write the files of a result; return what there is to publish."""
        keys = {}
        for ending, path in ended.files.items():
            keys[ending] = result_key(claim.job_id, claim.attempt, ending)
            self._studio.store.put_file(keys[ending], path)
        return {"files": keys, **ended.facts}


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
