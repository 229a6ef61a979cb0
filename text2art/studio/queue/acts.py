"""What faces ask of the queue, each in a transaction of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from sqlalchemy import Connection, delete, insert, select

from text2art.studio.db.engine import now
from text2art.studio.db.rows import job_of, row_of
from text2art.studio.db.tables import jobs, settings_kv
from text2art.studio.model import Conflict, Job, NewJob, Outcome, State
from text2art.studio.queue import order
from text2art.studio.queue.states import States, last_picture, start_at

PAUSED = "paused"


class Acts(States):
    """Handing in, canceling, retrying, pausing, and where jobs stand."""

    def submit(self, connection: Connection, job: NewJob) -> Job:
        """Hand in a job."""
        created = now(connection)
        values = {f.name: getattr(job, f.name) for f in fields(NewJob) if f.name != "delay"}
        values |= {
            "state": State.QUEUED.value,
            "created": created,
            "not_before": start_at(created, job.delay),
            "search": job.search or job.prompt.lower(),
        }
        order.enter(connection, job.owner_id)
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
        order.enter(connection, row.owner_id)
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
