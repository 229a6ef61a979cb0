"""The outbox's rows: taking what is due, noting what became of it, showing what was given up.

A row that is taken belongs to its taker until `lease_until`; then others may take it, so a process
that dies loses nothing. The number of tries is the fence: only the latest taker may note an end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    and_,
    case,
    func,
    or_,
    select,
    true,
    update,
)

from text2art.studio import events
from text2art.studio.db.engine import now, reading, retrying
from text2art.studio.db.tables import outbox
from text2art.studio.db.wake import OUTBOX, notify
from text2art.studio.model import EventType, Json, NewEvent

LEASE_SECONDS = 300.0  # longer than any delivery may take
_PATIENCE_SECONDS = 60.0  # with a database that is away
_LONGEST_ERROR = 500  # characters


@dataclass(frozen=True)
class Due:
    """A row that was taken.

    Attributes:
        attempts: tries so far, this one included.
    """

    id: str
    kind: str
    job_id: str | None
    target: str
    payload: Json
    attempts: int
    created: float


@dataclass(frozen=True)
class DeadLetter:
    """A message that was given up, as the studio's owner may see it: without address or URL.

    Attributes:
        place: host of a webhook, "" of a mail.
    """

    id: str
    kind: str
    job_id: str | None
    place: str
    attempts: int
    reason: str
    created: float


def take(engine: Engine, kind: str, most: int, lease: float = LEASE_SECONDS) -> list[Due]:
    """Take rows of a kind that are due, the longest waiting first."""
    if most < 1:
        return []
    with reading(engine) as connection:  # holds up no writer, and mostly there is nothing
        asked = select(outbox.c.id).where(outbox.c.kind == kind, _is_due(now(connection)))
        if connection.execute(asked.limit(1)).first() is None:
            return []
    with engine.begin() as connection:
        when = now(connection)
        asked_rows = (
            select(outbox)
            .where(outbox.c.kind == kind, _is_due(when))
            .order_by(outbox.c.not_before, outbox.c.id)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        rows = connection.execute(asked_rows).all()
        connection.execute(
            update(outbox)
            .where(outbox.c.id.in_([row.id for row in rows]))
            .values(state="sending", attempts=outbox.c.attempts + 1, lease_until=when + lease)
        )
    return [
        Due(
            row.id,
            row.kind,
            row.job_id,
            row.target,
            dict(row.payload),
            row.attempts + 1,
            row.created,
        )
        for row in rows
    ]


def seconds_until_due(engine: Engine, kinds: Sequence[str]) -> float:
    """Return after how many seconds a row of some kinds is due: 0 = now, infinite = none waits."""
    when_due = case((outbox.c.state == "waiting", outbox.c.not_before), else_=outbox.c.lease_until)
    asked = select(func.min(when_due)).where(
        outbox.c.kind.in_(kinds), outbox.c.state.in_(("waiting", "sending"))
    )
    with reading(engine) as connection:
        due = connection.execute(asked).scalar_one()
        return float("inf") if due is None else max(0.0, float(due) - now(connection))


def delivered(engine: Engine, due: Due) -> bool:
    """Note that a message got there. False: somebody else has taken the row meanwhile."""

    def work(connection: Connection) -> bool:
        # What was said is no longer needed, and may be private.
        values = {"state": "sent", "sent": now(connection), "payload": {}, "last_error": ""}
        return _set(connection, due, values)

    return retrying(engine, work, _PATIENCE_SECONDS)


def postponed(
    engine: Engine,
    due: Due,
    delay: float,
    reason: str,
    payload: Json | None = None,
    *,
    counts: bool = True,
) -> bool:
    """Note that a message is to be tried again.

    Args:
        engine: of the database.
        due: the row.
        delay: seconds from now.
        reason: why it did not get there.
        payload: what to try with, where that changed.
        counts: whether this was a try.
    """

    def work(connection: Connection) -> bool:
        values: dict[str, Any] = {
            "state": "waiting",
            "not_before": now(connection) + delay,
            "attempts": due.attempts if counts else due.attempts - 1,
            "last_error": reason[:_LONGEST_ERROR],
        }
        if payload is not None:
            values["payload"] = payload
        return _set(connection, due, values)

    return retrying(engine, work, _PATIENCE_SECONDS)


def given_up(engine: Engine, due: Due, reason: str, notice: str) -> bool:
    """Note that a message will not get there, and say so to the job's owner.

    Args:
        engine: of the database.
        due: the row.
        reason: for the studio's owner.
        notice: for the job's owner, "" = nothing.
    """

    def work(connection: Connection) -> bool:
        if not _set(connection, due, {"state": "dead", "last_error": reason[:_LONGEST_ERROR]}):
            return False
        if notice and due.job_id is not None:
            events.append(connection, due.job_id, [NewEvent(EventType.NOTICE, {"text": notice})])
        return True

    return retrying(engine, work, _PATIENCE_SECONDS)


# ---- for the studio's owner ------------------------------------------------------------------


def dead_letters(connection: Connection, limit: int = 100) -> list[DeadLetter]:
    """Return what was given up, the latest first."""
    asked = (
        select(outbox)
        .where(outbox.c.state == "dead")
        .order_by(outbox.c.created.desc(), outbox.c.id.desc())
        .limit(limit)
    )
    return [
        DeadLetter(
            row.id,
            row.kind,
            row.job_id,
            (urlsplit(row.target).hostname or "") if row.kind == "webhook" else "",
            row.attempts,
            row.last_error,
            row.created,
        )
        for row in connection.execute(asked)
    ]


def send_again(connection: Connection, letter_id: str) -> bool:
    """Try a message that was given up once more, with fresh tries; return whether there is one."""
    return _again(connection, outbox.c.id == letter_id) > 0


def send_all_again(connection: Connection) -> int:
    """Try all messages that were given up once more; return how many."""
    return _again(connection, true())


def counts(connection: Connection) -> Mapping[tuple[str, str], int]:
    """Return how many messages there are by kind and state, for metrics."""
    asked = select(outbox.c.kind, outbox.c.state, func.count()).group_by(
        outbox.c.kind, outbox.c.state
    )
    return {(kind, state): count for kind, state, count in connection.execute(asked)}


def _again(connection: Connection, which: ColumnElement[bool]) -> int:
    again = (
        update(outbox)
        .where(outbox.c.state == "dead", which)
        .values(state="waiting", attempts=0, not_before=now(connection), lease_until=None)
    )
    count = connection.execute(again).rowcount
    notify(connection, OUTBOX)
    return count


def _is_due(when: float) -> ColumnElement[bool]:
    return or_(
        and_(outbox.c.state == "waiting", outbox.c.not_before <= when),
        and_(outbox.c.state == "sending", outbox.c.lease_until < when),
    )


def _set(connection: Connection, due: Due, values: Mapping[str, Any]) -> bool:
    mine = (
        outbox.c.id == due.id,
        outbox.c.state == "sending",
        outbox.c.attempts == due.attempts,
    )
    changed = update(outbox).where(*mine).values(lease_until=None, **values)
    return connection.execute(changed).rowcount > 0
