"""Who draws: workers as rows, for health checks and estimates. No guarantee depends on them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, or_, select, update

from text2art.studio.db.engine import now
from text2art.studio.db.tables import workers
from text2art.studio.model import WorkerInfo

_REFRESH = 5.0  # seconds after which an unchanged row is written again
_FORGET = 3600.0  # seconds after which a silent worker's row is dropped


def enlist(
    connection: Connection, worker: str, *, runner: str, device: str, lanes: Sequence[str]
) -> None:
    """Write a worker's row, anew if it is there, and drop those of the long gone."""
    when = now(connection)
    dismiss(connection, worker)
    connection.execute(delete(workers).where(workers.c.seen < when - _FORGET))
    connection.execute(
        insert(workers).values(
            id=worker,
            runner=runner,
            device=device,
            lanes=",".join(lanes),
            started=when,
            seen=when,
        )
    )


def dismiss(connection: Connection, worker: str) -> None:
    """Drop a worker's row."""
    connection.execute(delete(workers).where(workers.c.id == worker))


def note(connection: Connection, worker: str, job_id: str | None, when: float) -> None:
    """Note that a worker was heard of, and what it draws; at most so often as is of use."""
    stale = or_(
        workers.c.seen < when - _REFRESH,
        workers.c.job_id.is_distinct_from(job_id),
    )
    connection.execute(
        update(workers).where(workers.c.id == worker, stale).values(seen=when, job_id=job_id)
    )


def present(connection: Connection, seconds: float) -> list[WorkerInfo]:
    """Return the workers heard of in the last so many seconds, oldest first."""
    asked = select(workers).where(workers.c.seen >= now(connection) - seconds)
    return [
        WorkerInfo(
            row.id,
            row.runner,
            row.device,
            tuple(row.lanes.split(",")),
            row.started,
            row.seen,
            row.job_id,
        )
        for row in connection.execute(asked.order_by(workers.c.started, workers.c.id))
    ]
