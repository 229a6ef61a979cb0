"""A slot: a runner and the thread that takes jobs off the queue for it, and publishes what comes.

Files are written under the attempt's own keys, and shown by the transaction that ends the job, if
the claim still holds then.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from text2art.errors import Text2ArtError
from text2art.studio.model import Claim, Json, Outcome, State
from text2art.studio.service import Studio
from text2art.studio.store import result_key
from text2art.studio.worker.company import keeps_company, may_have_company
from text2art.studio.worker.inputs import gather
from text2art.studio.worker.report import Report
from text2art.studio.worker.runner import Ended, Ending, JobFailed, Runner, RunnerDied, Wish

log = logging.getLogger(__name__)

LANES = ("gpu", "cpu")
_WAIT = 1.0  # seconds between looks for a job, when nothing is heard of one
_BACKOFF = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds between looks for a runner that is down
_RETRY = 2.0  # seconds, times the attempts made, before a job that lost its runner starts again
_MOST_RETRY = 60.0


@dataclass(frozen=True)
class _Taken:
    """A claimed job, until it is settled."""

    claim: Claim
    folder: Path
    report: Report


class Slot:
    """A runner and the thread that keeps it busy."""

    def __init__(self, studio: Studio, runner: Runner, name: str) -> None:
        self.name, self.runner = name, runner
        self._studio = studio
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._reports: Sequence[Report] = ()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def start(self) -> None:
        """Begin to take jobs."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Take no further job; the running one makes a checkpoint and goes back to the queue."""
        self._stopping.set()
        self.runner.stop()
        with self._lock:
            for report in self._reports:
                report.ask_to_stop()

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
                claims = self._claim()
                if claims:
                    self._work(claims)
                else:
                    queue.wait(_WAIT)
            except Exception:  # the database is away, or a bug: neither may end the worker
                log.exception("%s: the worker goes on in a while", self.name)
                self._stopping.wait(_RETRY)
        with contextlib.suppress(Exception):
            queue.dismiss(self.name)
        self.runner.close()

    def _claim(self) -> list[Claim]:
        """Take the next job, and with it those after it that may be drawn in its steps."""
        queue = self._studio.queue
        first = queue.claim(self.name, LANES)
        if first is None:
            return []
        claims = [first]
        while len(claims) < self.runner.together and may_have_company(first):
            try:
                other = queue.claim(self.name, LANES, partial(keeps_company, first))
            except Exception:  # those that are claimed are drawn all the same
                log.exception("%s: no further job is drawn together with these", self.name)
                break
            if other is None:
                break
            claims.append(other)
        return claims

    def _work(self, claims: Sequence[Claim]) -> None:
        """Draw claimed jobs; whatever happens, each ends, or goes back to the queue."""
        with ExitStack() as stack:
            going = []
            for claim in claims:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="text2art-job-"))
                report = Report(self._studio.queue, self._studio.store, claim)
                going.append(_Taken(claim, Path(folder), stack.enter_context(report)))
            self._set([taken.report for taken in going])
            try:
                self._draw(going)
            except Exception as error:
                log.exception("jobs %s", [(one.job_id, one.attempt) for one in claims])
                told = f"the worker failed: {type(error).__name__}"
                if isinstance(error, Text2ArtError):
                    told = f"the worker failed: {error}"
                self.runner.close()
                for taken in going:
                    self._studio.queue.give_back(
                        taken.claim, delay=_RETRY, blame=len(claims) == 1, error=told
                    )
            finally:
                self._set([])

    def _draw(self, going: list[_Taken]) -> None:
        """Draw jobs, and settle each as it ends; those that are left in the list are not."""
        drawn, orders = [], []
        for taken in tuple(going):
            try:
                task = gather(self._studio, taken.claim, taken.folder)
            except JobFailed as error:
                self._settle(taken, error)
                going.remove(taken)
            else:
                drawn.append(taken)
                orders.append((task, taken.report))
        if not orders:
            return
        for number, ending in self.runner.draw(orders):
            self._settle(drawn[number], ending)
            going.remove(drawn[number])

    def _settle(self, taken: _Taken, ending: Ending) -> None:
        """End a job as its drawing has ended, or give it back."""
        claim, queue = taken.claim, self._studio.queue
        wish = taken.report.flush()
        if isinstance(ending, JobFailed):
            queue.finish(claim, Outcome(State.FAILED, error=str(ending)))
        elif isinstance(ending, RunnerDied):
            log.warning("job %s, attempt %d: %s", claim.job_id, claim.attempt, ending)
            delay = ending.delay
            if ending.blame:
                delay = max(delay, min(_MOST_RETRY, _RETRY * (claim.attempt - 1)))
            queue.give_back(claim, delay=delay, blame=ending.blame, error=str(ending))
        elif wish is not Wish.LOST:
            self._publish(claim, ending)
        taken.report.close()

    def _publish(self, claim: Claim, ended: Ended) -> None:
        """Show a result, or give back what was stopped."""
        queue = self._studio.queue
        if ended.state is None:
            queue.give_back(claim)
            return
        result = self._store(claim, ended)
        if not queue.finish(claim, Outcome(ended.state, result)):
            log.warning("job %s, attempt %d was lost at its end", claim.job_id, claim.attempt)

    def _set(self, reports: Sequence[Report]) -> None:
        with self._lock:
            self._reports = reports
            if self._stopping.is_set():
                for report in reports:
                    report.ask_to_stop()

    def _store(self, claim: Claim, ended: Ended) -> Json:
        """Write the files of a result; return what there is to publish."""
        keys = {}
        for ending, path in ended.files.items():
            keys[ending] = result_key(claim.job_id, claim.attempt, ending)
            self._studio.store.put_file(keys[ending], path)
        return {"files": keys, **ended.facts}
