"""A job's row and its states: what both engines have in common.

    queued --claim--> running --finish--> done | failed | canceled
      ^  |               |  |
      |  +--cancel-------|--+--cancel (asked), finish--> canceled
      |                  |
      +--give_back, sweep+ (after max_attempts: failed)
      +--retry-- failed | canceled

An engine decides how it is known that a claim is alive (`_silent`), and keeps its own books, always
in the transaction that changes the row. Locks are taken in one order: the order of claims, then a
job's row, then its owner's.
"""

from __future__ import annotations

import abc
import functools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, delete, insert, select, update

from text2art.studio import events as events_
from text2art.studio.db.engine import now, retrying
from text2art.studio.db.rows import job_of, row_of
from text2art.studio.db.tables import jobs, settings_kv
from text2art.studio.db.wake import JOBS, Wake
from text2art.studio.model import (
    Claim,
    Conflict,
    EventType,
    Job,
    Json,
    NewEvent,
    NewJob,
    Outcome,
    Progress,
    State,
    Verdict,
    WorkerInfo,
)
from text2art.studio.queue import order, roster
from text2art.studio.queue.base import Publish

PAUSED = "paused"
MAX_ERROR = 2000  # characters
GIVEN_UP = (
    "The worker stopped {attempts} times while it drew this, so it was given up. Smaller settings "
    "may help; retrying starts it again."
)
OnEnd = Callable[[Connection, Job], None]
T = TypeVar("T")


class RowQueue(abc.ABC):
    """The queue as states of rows. Safe for threads; make one per process."""

    def __init__(
        self,
        engine: Engine,
        *,
        lease_seconds: float = 30.0,
        max_attempts: int = 3,
        running_per_owner: int = 0,
        on_end: OnEnd | None = None,
    ) -> None:
        """Serve a database that `upgrade` has been run on.

        Args:
            engine: of that database.
            lease_seconds: silence after which a claim is taken for dead.
            max_attempts: starts that a retried job gets.
            running_per_owner: jobs of one owner that run at once; 0 = any number.
            on_end: further writes of every transaction that ends a job, whoever ended it.
        """
        self.engine = engine
        self.lease_seconds, self.max_attempts = lease_seconds, max_attempts
        self.running_per_owner, self._on_end = running_per_owner, on_end
        self._patience = max(10.0, lease_seconds)  # with a database that is away
        self._sweep_due = 0.0
        self._mine = threading.local()  # each thread that waits has an ear of its own
        self._wakes: list[Wake] = []

    # ---- asked by faces ------------------------------------------------------------------------

    def submit(self, connection: Connection, job: NewJob) -> Job:
        """Hand in a job."""
        created = now(connection)
        values = {f.name: getattr(job, f.name) for f in fields(NewJob) if f.name != "delay"}
        values |= {
            "state": State.QUEUED.value,
            "created": created,
            "not_before": _at(created, job.delay),
            "search": job.search or job.prompt.lower(),
        }
        connection.execute(insert(jobs).values(values))
        self._enqueued(connection, job.id, job.lane)
        self._say(connection, job.id, State.QUEUED, created, attempt=0)
        return job_of(row_of(connection, job.id))

    def cancel(self, connection: Connection, job_id: str) -> State:
        """Cancel a job: at once when it waits, at its next heartbeat when it runs."""
        row = row_of(connection, job_id, lock=True)
        state = State(row.state)
        if state is State.QUEUED:
            self._end(connection, row, Outcome(State.CANCELED, last_picture(connection, job_id)))
            return State.CANCELED
        if state is State.RUNNING and not row.cancel_requested:
            self._set(connection, job_id, cancel_requested=True)
            self._asked_to_stop(connection, row)
        return state

    def retry(self, connection: Connection, job_id: str) -> None:
        """Put a failed or canceled job back into the queue with fresh attempts."""
        row = row_of(connection, job_id, lock=True)
        if State(row.state) not in (State.FAILED, State.CANCELED):
            raise Conflict(f"only failed and canceled jobs can be retried; this one is {row.state}")
        when = now(connection)
        self._set(
            connection,
            job_id,
            state=State.QUEUED.value,
            not_before=0.0,
            started=None,
            finished=None,
            max_attempts=row.attempt + self.max_attempts,
            cancel_requested=False,
            worker=None,
            error="",
            result=None,
        )
        self._enqueued(connection, job_id, row.lane)
        self._say(connection, job_id, State.QUEUED, when, attempt=row.attempt, reason="retry")

    def position(self, connection: Connection, job_id: str) -> int | None:
        """Return how many claims from now it will be served (1 = next), None unless it waits."""
        return order.positions(connection, [job_id]).get(job_id)

    def positions(self, connection: Connection, job_ids: Sequence[str]) -> dict[str, int]:
        """Return the positions of those that wait."""
        return order.positions(connection, job_ids)

    def pause(self, connection: Connection) -> None:
        """Give out no further jobs."""
        self.resume(connection)
        connection.execute(insert(settings_kv).values(key=PAUSED, value=True))

    def resume(self, connection: Connection) -> None:
        """Give out jobs again."""
        connection.execute(delete(settings_kv).where(settings_kv.c.key == PAUSED))

    def paused(self, connection: Connection) -> bool:
        """Whether no jobs are given out."""
        asked = select(settings_kv.c.value).where(settings_kv.c.key == PAUSED)
        return bool(connection.execute(asked).scalar_one_or_none())

    # ---- asked by workers ----------------------------------------------------------------------

    def claim(self, worker: str, lanes: Sequence[str] = ("gpu",)) -> Claim | None:
        """Take the next job, or None when there is none for now."""
        if time.monotonic() >= self._sweep_due:
            self._sweep_due = time.monotonic() + self.lease_seconds / 10
            self.sweep()
        return self._run(lambda connection: self._claim(connection, worker, lanes))

    def _claim(self, connection: Connection, worker: str, lanes: Sequence[str]) -> Claim | None:
        self._one_at_a_time(connection)
        when = now(connection)
        roster.note(connection, worker, None, when)
        if self.paused(connection):
            return None
        while True:
            row = order.next_job(connection, lanes, when, self.running_per_owner)
            if row is None:
                return None
            taken = connection.execute(
                update(jobs)
                .where(jobs.c.id == row.id, jobs.c.state == State.QUEUED.value)
                .values(
                    state=State.RUNNING.value,
                    attempt=jobs.c.attempt + 1,
                    worker=worker,
                    lease_until=when + self.lease_seconds,
                    started=when if row.started is None else row.started,
                )
                .returning(jobs)
            ).first()
            if taken is not None:  # else it was canceled in between
                break
        order.note_turn(connection, taken.owner_id)
        roster.note(connection, worker, taken.id, when)
        ticket = self._taken(connection, taken)
        self._say(connection, taken.id, State.RUNNING, when, attempt=taken.attempt)
        return Claim(
            job_id=taken.id,
            attempt=taken.attempt,
            worker=worker,
            lease_seconds=self.lease_seconds,
            owner_id=taken.owner_id,
            lane=taken.lane,
            settings=dict(taken.settings),
            checkpoint=taken.checkpoint,
            parent_id=taken.parent_id,
            ticket=ticket,
        )

    def heartbeat(
        self,
        claim: Claim,
        progress: Progress | None = None,
        events: Sequence[NewEvent] = (),
        checkpoint: Json | None = None,
    ) -> Verdict:
        """Say that the claim lives, and what happened since. LOST: nothing was written."""

        def work(connection: Connection) -> Verdict:
            when = now(connection)
            values: dict[str, Any] = {"lease_until": when + self.lease_seconds}
            said = list(events)
            if checkpoint is not None:
                values["checkpoint"] = checkpoint
            if progress is not None:
                values |= _columns(progress)
                said.append(NewEvent(EventType.PROGRESS, _columns(progress)))
            asked = update(jobs).where(_held(claim)).values(values)
            asked_to_stop = connection.execute(
                asked.returning(jobs.c.cancel_requested)
            ).scalar_one_or_none()
            if asked_to_stop is not None:
                self._alive(connection, claim)
                roster.note(connection, claim.worker, claim.job_id, when)
                events_.append(connection, claim.job_id, said, when)
            return _verdict(asked_to_stop)

        return self._run(work)

    def look(self, claim: Claim) -> Verdict:
        """Read the verdict without a heartbeat."""
        asked = select(jobs.c.cancel_requested).where(_held(claim))
        return self._read(lambda c: _verdict(c.execute(asked).scalar_one_or_none()))

    def finish(self, claim: Claim, outcome: Outcome, publish: Publish | None = None) -> bool:
        """End the job and publish, in one transaction. False: the claim was lost, nothing is."""
        if not outcome.state.ended:
            raise ValueError(f"a claim cannot end as {outcome.state.value}")

        def work(connection: Connection) -> bool:
            row = row_of(connection, claim.job_id, lock=True)
            if not _holds(row, claim):
                # The answer to our own commit may have got lost, and we ask again.
                mine = (row.attempt, row.worker) == (claim.attempt, claim.worker)
                return mine and State(row.state).ended
            self._end(connection, row, outcome)
            roster.note(connection, claim.worker, None, now(connection))
            if publish is not None:
                publish(connection)
            return True

        return self._run(work)

    def give_back(
        self, claim: Claim, *, delay: float = 0.0, blame: bool = False, error: str = ""
    ) -> bool:
        """Return a job unfinished. False: the claim was lost."""

        def work(connection: Connection) -> bool:
            row = row_of(connection, claim.job_id, lock=True)
            if not _holds(row, claim):
                return False
            reason = "failed" if blame else "stopped"
            self._put_back(connection, row, reason, delay=delay, error=error)
            roster.note(connection, claim.worker, None, now(connection))
            return True

        return self._run(work)

    def sweep(self) -> list[str]:
        """Requeue (or fail) jobs whose claims have gone silent; return their ids."""

        def put_back(connection: Connection, job_id: str) -> bool:
            row = row_of(connection, job_id, lock=True)
            if job_id not in self._silent(connection):
                return False  # another was quicker, or it lives after all
            self._put_back(connection, row, "lost")
            return True

        # One transaction each: none waits for a row while it holds another.
        silent = self._read(self._silent)
        return [name for name in silent if self._run(functools.partial(put_back, job_id=name))]

    def wait(self, seconds: float) -> None:
        """Wait until a job may have come in, or the time is over."""
        wake: Wake | None = getattr(self._mine, "wake", None)
        if wake is None:
            wake = self._mine.wake = Wake(self.engine, (JOBS,))
            self._wakes.append(wake)
        wake.wait(seconds)

    def close(self) -> None:
        """End all waiting and let go of its connections; the engine is its opener's to close."""
        while self._wakes:
            self._wakes.pop().close()

    # ---- who is there --------------------------------------------------------------------------

    def enlist(self, worker: str, *, runner: str, device: str, lanes: Sequence[str]) -> None:
        """Say that a worker is there; its claims and heartbeats say so from then on."""
        self._run(lambda c: roster.enlist(c, worker, runner=runner, device=device, lanes=lanes))

    def dismiss(self, worker: str) -> None:
        """Say that a worker is gone."""
        self._run(lambda connection: roster.dismiss(connection, worker))

    def workers(self, connection: Connection) -> list[WorkerInfo]:
        """Return the workers heard of lately."""
        return roster.present(connection, max(60.0, 2 * self.lease_seconds))

    # ---- what engines add ----------------------------------------------------------------------

    @abc.abstractmethod
    def _one_at_a_time(self, connection: Connection) -> None:
        """Make sure that no other claim is being decided until this transaction ends."""

    @abc.abstractmethod
    def _silent(self, connection: Connection) -> list[str]:
        """Return the running jobs whose claims have not been heard of for `lease_seconds`."""

    @abc.abstractmethod
    def _enqueued(self, connection: Connection, job_id: str, lane: str) -> None:
        """A job waits that the engine has no record of."""

    @abc.abstractmethod
    def _taken(self, connection: Connection, row: Row[Any]) -> tuple[int, int] | None:
        """A waiting job was claimed; return the engine's mark of the claim."""

    @abc.abstractmethod
    def _alive(self, connection: Connection, claim: Claim) -> None:
        """A claim lives."""

    @abc.abstractmethod
    def _requeued(self, connection: Connection, row: Row[Any]) -> None:
        """A running job waits again."""

    @abc.abstractmethod
    def _asked_to_stop(self, connection: Connection, row: Row[Any]) -> None:
        """A running job is to be canceled."""

    @abc.abstractmethod
    def _ended(self, connection: Connection, row: Row[Any], state: State) -> None:
        """A job, waiting or running until now, is over."""

    # ---- states --------------------------------------------------------------------------------

    def _put_back(
        self,
        connection: Connection,
        row: Row[Any],
        reason: str,
        *,
        delay: float = 0.0,
        error: str = "",
    ) -> None:
        """Let a running job wait again: it was "lost", "stopped" or "failed"."""
        counts = reason != "stopped"
        if row.cancel_requested:
            self._end(connection, row, Outcome(State.CANCELED, last_picture(connection, row.id)))
            return
        if counts and row.attempt >= row.max_attempts:
            error = error or GIVEN_UP.format(attempts=row.attempt)
            self._set(connection, row.id, worker=None)
            self._end(connection, row, Outcome(State.FAILED, error=error))
            return
        when = now(connection)
        self._set(
            connection,
            row.id,
            state=State.QUEUED.value,
            worker=None,
            lease_until=None,
            eta_seconds=None,
            not_before=_at(when, delay),
            max_attempts=row.max_attempts + (not counts),
        )
        self._requeued(connection, row)
        self._say(connection, row.id, State.QUEUED, when, attempt=row.attempt, reason=reason)
        if reason != "failed":
            order.give_turn_back(connection, row.owner_id)

    def _end(self, connection: Connection, row: Row[Any], outcome: Outcome) -> None:
        when = now(connection)
        values: dict[str, Any] = {"progress": 1.0} if outcome.state is State.DONE else {}
        self._set(
            connection,
            row.id,
            state=outcome.state.value,
            finished=when,
            lease_until=None,
            eta_seconds=None,
            error=outcome.error[:MAX_ERROR],
            result=outcome.result,
            **values,
        )
        self._ended(connection, row, outcome.state)
        events_.trim(connection, row.id)
        self._say(connection, row.id, outcome.state, when, attempt=row.attempt)
        if self._on_end is not None:
            self._on_end(connection, job_of(row_of(connection, row.id)))

    def _say(
        self,
        connection: Connection,
        job_id: str,
        state: State,
        when: float,
        *,
        attempt: int,
        reason: str = "",
    ) -> None:
        data: Json = {"state": state.value, "attempt": attempt}
        if reason:
            data["reason"] = reason
        events_.append(connection, job_id, [NewEvent(EventType.STATE, data)], when)

    def _set(self, connection: Connection, job_id: str, **values: Any) -> None:
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(**values))

    def _run(self, work: Callable[[Connection], T]) -> T:
        return retrying(self.engine, work, self._patience)

    def _read(self, work: Callable[[Connection], T]) -> T:
        return retrying(self.engine, work, self._patience, only_reads=True)


# ---- rows ----------------------------------------------------------------------------------


def last_picture(connection: Connection, job_id: str) -> Json | None:
    """Return a result that consists of the latest frame, or None when there is none."""
    frame = events_.last_frame(connection, job_id)
    if frame is None:
        return None
    extension = str(frame["key"]).rpartition(".")[2]
    facts: Json = {name: frame[name] for name in ("step", "width", "height") if name in frame}
    return {"files": {extension: frame["key"]}, **facts}


def _at(when: float, delay: float) -> float:
    """Return when a job may start; 0 without a delay, so that a clock set back delays none."""
    return when + delay if delay > 0 else 0.0


def _held(claim: Claim) -> ColumnElement[bool]:
    """The fence: true of the job's row as long as the claim holds it."""
    return and_(
        jobs.c.id == claim.job_id,
        jobs.c.state == State.RUNNING.value,
        jobs.c.attempt == claim.attempt,
        jobs.c.worker == claim.worker,
    )


def _holds(row: Row[Any], claim: Claim) -> bool:
    """The fence, of a row at hand."""
    held = (State.RUNNING.value, claim.attempt, claim.worker)
    return (row.state, row.attempt, row.worker) == held


def _verdict(asked_to_stop: bool | None) -> Verdict:
    if asked_to_stop is None:
        return Verdict.LOST
    return Verdict.CANCEL if asked_to_stop else Verdict.GO


def _columns(progress: Progress) -> Json:
    return {
        "step": progress.step,
        "steps": progress.steps,
        "progress": progress.fraction,
        "score": progress.score,
        "loss": progress.loss,
        "eta_seconds": progress.eta_seconds,
    }
