"""Choosing the engine of the queue: PostgreSQL has Procrastinate, SQLite its leases."""

from __future__ import annotations

from sqlalchemy import Engine

from text2art.errors import MissingExtra
from text2art.studio.db.engine import is_postgresql
from text2art.studio.queue.base import JobQueue
from text2art.studio.queue.lease import LeaseQueue
from text2art.studio.queue.rows import RowQueue
from text2art.studio.queue.states import OnEnd


def open_queue(
    engine: Engine,
    *,
    lease_seconds: float = 30.0,
    max_attempts: int = 3,
    running_per_owner: int = 0,
    on_end: OnEnd | None = None,
) -> JobQueue:
    """Return the queue of a database that `upgrade` has been run on.

    Raises:
        MissingExtra: PostgreSQL without the extra `postgres`.
    """
    kind: type[RowQueue] = LeaseQueue
    if is_postgresql(engine):
        try:
            from text2art.studio.queue import procrastinate
        except ImportError:
            raise MissingExtra(
                "a studio on PostgreSQL needs the extra 'postgres': pip install "
                "'text2art[postgres]'"
            ) from None
        procrastinate.prepare(engine)
        kind = procrastinate.ProcrastinateQueue
    return kind(
        engine,
        lease_seconds=lease_seconds,
        max_attempts=max_attempts,
        running_per_owner=running_per_owner,
        on_end=on_end,
    )
