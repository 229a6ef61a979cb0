"""What is to be told to somebody outside: written by the transaction that ends a job.

So a message is there if and only if the job has ended, however the process ends after that. `mail`
delivers, at least once, with the row's id as the message's.
"""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, text

from text2art.studio.db.engine import is_postgresql, now
from text2art.studio.db.rows import job_of
from text2art.studio.db.tables import jobs, outbox
from text2art.studio.db.wake import OUTBOX, notify
from text2art.studio.ids import new_id
from text2art.studio.model import Job, Json, State


def enqueue(connection: Connection, job: Job) -> None:
    """Write the messages that the end of a job calls for.

    A webhook is told of every job, as `{"job_id", "state"}`; a mail is written once for a whole
    batch, when the last of its jobs has ended, and not for what its owner canceled or deleted.

    Args:
        connection: the transaction that ends the job, its row locked.
        job: as it stands now, ended.
    """
    if job.webhook_url:
        _write(connection, "webhook", job, job.webhook_url, {})
    if job.email_id is None:
        return
    ended = [job]
    if job.batch_id is not None:
        _one_at_a_time(connection, job.batch_id)
        ended = _batch(connection, job.batch_id)
    told = [j.id for j in ended if j.state in (State.DONE, State.FAILED) and j.deleted_at is None]
    if told and all(j.state.ended for j in ended):
        _write(connection, "mail", job, job.email_id, {"job_ids": told})


def _one_at_a_time(connection: Connection, batch_id: str) -> None:
    """Let one job of a batch end at a time, so that exactly one of them is the last."""
    if is_postgresql(connection):
        asked = text("SELECT pg_advisory_xact_lock(hashtextextended(:id, 0))")
        connection.execute(asked, {"id": batch_id})


def _batch(connection: Connection, batch_id: str) -> list[Job]:
    asked = select(jobs).where(jobs.c.batch_id == batch_id).order_by(jobs.c.id)
    return [job_of(row) for row in connection.execute(asked)]


def _write(connection: Connection, kind: str, job: Job, target: str, more: Json) -> None:
    when = now(connection)
    connection.execute(
        insert(outbox).values(
            id=new_id(when),
            kind=kind,
            job_id=job.id,
            target=target,
            payload={"job_id": job.id, "state": job.state.value, **more},
            created=when,
            not_before=when,
        )
    )
    notify(connection, OUTBOX, job.id)
