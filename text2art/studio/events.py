"""What happened to jobs, as rows: the source of every progress bar, reloaded page and webhook.

| type | data |
|---|---|
| state | state, attempt; reason where there is one ("lost", "stopped", "failed", "retry") |
| progress | step, steps, progress, score, loss, eta_seconds |
| frame | step, key, width, height |
| score | step, score, loss: a point of the curve |
| log | text |
| notice | text, meant for the job's owner |

Each job's events are numbered 1, 2, 3, ... in the order in which they were committed: a number is
given out with the job's row locked. After the end of a job only states, frames, scores and notices
are kept, so numbers may be missing then, but never change.

The stream of all jobs is ordered by `place`. On SQLite this is the row's number, as only one
transaction writes at a time. On PostgreSQL, transactions commit in another order than they number
rows; so rows carry their transaction's number, too, and only transactions older than any that is
still open are read: whoever goes on after a place misses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Text,
    and_,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from text2art.studio.db.engine import is_postgresql, now
from text2art.studio.db.tables import job_events, jobs
from text2art.studio.db.wake import EVENTS
from text2art.studio.model import Event, EventType, Json, NewEvent

MAX_EVENTS = 100  # of one report
MAX_TEXT = 4000  # characters of a log line
KEPT = (EventType.STATE, EventType.FRAME, EventType.SCORE, EventType.NOTICE)
_PLACE = re.compile(r"([0-9]{1,19})\.([0-9]{1,19})\Z")


def append(
    connection: Connection, job_id: str, new: Sequence[NewEvent], ts: float | None = None
) -> int:
    """Write events of a job, as of `ts` (default: now); return the number of the last one."""
    if not new:
        return 0
    new = new[:MAX_EVENTS]
    counted = (
        update(jobs)
        .where(jobs.c.id == job_id)
        .values(last_seq=jobs.c.last_seq + len(new))
        .returning(jobs.c.last_seq)
    )
    last = int(connection.execute(counted).scalar_one())
    when = now(connection) if ts is None else ts
    postgresql = is_postgresql(connection)
    tx: Any = cast(cast(func.pg_current_xact_id(), Text), BigInteger) if postgresql else literal(0)
    rows = [
        {
            "job_id": job_id,
            "seq": last - len(new) + 1 + index,
            "tx": tx,
            "ts": when,
            "type": event.type.value,
            "data": _bounded(dict(event.data)),
        }
        for index, event in enumerate(new)
    ]
    connection.execute(insert(job_events).values(rows))
    if postgresql:
        connection.execute(select(func.pg_notify(EVENTS, job_id)))
    return last


def since(connection: Connection, job_id: str, seq: int = 0, limit: int = 500) -> list[Event]:
    """Return a job's events after a number, oldest first."""
    asked = (
        select(job_events)
        .where(job_events.c.job_id == job_id, job_events.c.seq > seq)
        .order_by(job_events.c.seq)
        .limit(limit)
    )
    return [_event(row) for row in connection.execute(asked)]


def all_since(
    connection: Connection, owner_id: str, place: str = "", limit: int = 500
) -> list[Event]:
    """Return the events of an owner's jobs after a place, in the order of the stream of all.

    Args:
        connection: to read by.
        owner_id: whose.
        place: `Event.place`, or what `here` returned; "" (or what is none) = from the beginning.
        limit: events at most.
    """
    tx, number = parse_place(place)
    asked = (
        select(job_events)
        .join(jobs, jobs.c.id == job_events.c.job_id)
        .where(
            jobs.c.owner_id == owner_id,
            or_(job_events.c.tx > tx, and_(job_events.c.tx == tx, job_events.c.id > number)),
        )
        .order_by(job_events.c.tx, job_events.c.id)
        .limit(limit)
    )
    if is_postgresql(connection):
        asked = asked.where(job_events.c.tx < _oldest_open())
    return [_event(row) for row in connection.execute(asked)]


def here(connection: Connection) -> str:
    """Return the place after which only what is still to come stands."""
    if is_postgresql(connection):
        oldest = connection.execute(select(_oldest_open())).scalar_one()
        return f"{int(oldest) - 1}.{2**63 - 1}"
    last = connection.execute(select(func.max(job_events.c.id))).scalar_one()
    return f"0.{last or 0}"


def frames(connection: Connection, job_id: str) -> dict[int, str]:
    """Return the keys of a job's pictures by their step; a later attempt's replace an earlier's."""
    asked = (
        select(job_events.c.data)
        .where(job_events.c.job_id == job_id, job_events.c.type == EventType.FRAME.value)
        .order_by(job_events.c.seq)
    )
    found = {int(data["step"]): str(data["key"]) for data in connection.scalars(asked)}
    return dict(sorted(found.items()))


def pictured(connection: Connection, job_ids: Sequence[str]) -> set[str]:
    """Return which of some jobs have pictures of their making."""
    asked = (
        select(job_events.c.job_id)
        .where(job_events.c.job_id.in_(job_ids), job_events.c.type == EventType.FRAME.value)
        .distinct()
    )
    return set(connection.scalars(asked)) if job_ids else set()


def last_frame(connection: Connection, job_id: str) -> Json | None:
    """Return the data of a job's latest picture, or None when there is none."""
    asked = (
        select(job_events.c.data)
        .where(job_events.c.job_id == job_id, job_events.c.type == EventType.FRAME.value)
        .order_by(job_events.c.seq.desc())
        .limit(1)
    )
    data = connection.execute(asked).scalar_one_or_none()
    return None if data is None else dict(data)


def trim(connection: Connection, job_id: str) -> None:
    """Drop what is of no use once the job is over."""
    connection.execute(
        delete(job_events).where(
            job_events.c.job_id == job_id,
            job_events.c.type.not_in([kind.value for kind in KEPT]),
        )
    )


def forget_transactions(connection: Connection) -> None:
    """Make events readable that came from another server, whose transactions had other numbers.

    To be called at start: after a restore, rows may claim to be of transactions yet to come.
    """
    if is_postgresql(connection):
        soon = cast(cast(func.pg_current_xact_id(), Text), BigInteger) + 1_000_000
        connection.execute(update(job_events).where(job_events.c.tx > soon).values(tx=0))


def parse_place(place: str) -> tuple[int, int]:
    """Return the transaction and the row of a place; (-1, 0), before all, where it is none."""
    match = _PLACE.match(place)
    if match is None:
        return -1, 0
    return min(int(match[1]), 2**63 - 1), min(int(match[2]), 2**63 - 1)


def _oldest_open() -> ColumnElement[int]:
    oldest = func.pg_snapshot_xmin(func.pg_current_snapshot())
    return cast(cast(oldest, Text), BigInteger)


def _bounded(data: dict[str, Any]) -> dict[str, Any]:
    return {k: v[:MAX_TEXT] if isinstance(v, str) else v for k, v in data.items()}


def _event(row: Any) -> Event:
    return Event(
        row.job_id, row.seq, f"{row.tx}.{row.id}", row.ts, EventType(row.type), dict(row.data)
    )
