"""The states of a job's row: what leads from one to the next, and what it calls for.

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
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, update

from text2art.studio import events as events_
from text2art.studio.db.engine import now, retrying
from text2art.studio.db.rows import job_of, row_of
from text2art.studio.db.tables import jobs
from text2art.studio.db.wake import Wake
from text2art.studio.model import Claim, EventType, Job, Json, NewEvent, Outcome, State
from text2art.studio.queue import order

MAX_ERROR = 2000  # characters
GIVEN_UP = (
    "The worker stopped {attempts} times while it drew this, so it was given up. Smaller settings "
    "may help; retrying starts it again."
)
OnEnd = Callable[[Connection, Job], None]
T = TypeVar("T")


class States(abc.ABC):
    """A queue's options, its engine's part, and the steps from state to state."""

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
        order.enter(connection, row.owner_id)
        self._set(
            connection,
            row.id,
            state=State.QUEUED.value,
            worker=None,
            lease_until=None,
            eta_seconds=None,
            not_before=start_at(when, delay),
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


def last_picture(connection: Connection, job_id: str) -> Json | None:
    """Return a result that consists of the latest frame, or None when there is none."""
    frame = events_.last_frame(connection, job_id)
    if frame is None:
        return None
    extension = str(frame["key"]).rpartition(".")[2]
    facts: Json = {name: frame[name] for name in ("step", "width", "height") if name in frame}
    return {"files": {extension: frame["key"]}, **facts}


def start_at(when: float, delay: float) -> float:
    """Return when a job may start; 0 without a delay, so that a clock set back delays none."""
    return when + delay if delay > 0 else 0.0
