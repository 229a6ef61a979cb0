"""Whose turn it is: the one rule of order, as queries that both engines use.

Owners take turns. Next is the owner with the earliest time on the clock of rounds (`turns.py`), of
the same time the one who has waited longest. The clock's time is the latest that any owner has, so
no other clock can disturb it. Within an owner's jobs the greater priority comes first, then the
older job. So priority never jumps another owner's queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, func, select, update

from text2art.studio.db.tables import jobs, owners
from text2art.studio.model import State
from text2art.studio.queue import turns

_WITHIN_OWNER = (jobs.c.priority.desc(), jobs.c.created, jobs.c.id)


@dataclass(frozen=True)
class Turn:
    """A claim's choice.

    Attributes:
        job: the row of the job that is served.
        owners: among whom it was chosen.
    """

    job: Row[Any]
    owners: int


def next_turn(
    connection: Connection, lanes: Sequence[str], when: float, running_per_owner: int = 0
) -> Turn | None:
    """Return what is served next, or None when nothing may start now.

    Args:
        connection: of the claim.
        lanes: that the worker serves.
        when: now; jobs whose `not_before` is later are passed over.
        running_per_owner: owners with so many running jobs are passed over; 0 = none are.
    """
    waiting = _turns(lanes).where(jobs.c.not_before <= when)
    if running_per_owner:
        other = jobs.alias()
        running = (
            select(func.count())
            .select_from(other)
            .where(other.c.owner_id == owners.c.id, other.c.state == State.RUNNING.value)
            .correlate(owners)
            .scalar_subquery()
        )
        waiting = waiting.where(running < running_per_owner)
    counted = waiting.add_columns(func.count().over().label("owners")).limit(1)
    owner = connection.execute(counted).first()
    if owner is None:
        return None
    asked = (
        select(jobs)
        .where(
            jobs.c.state == State.QUEUED.value,
            jobs.c.owner_id == owner.owner_id,
            jobs.c.lane.in_(lanes),
            jobs.c.not_before <= when,
        )
        .order_by(*_WITHIN_OWNER)
        .limit(1)
    )
    job = connection.execute(asked).first()
    return None if job is None else Turn(job, owner.owners)


def enter(connection: Connection, owner_id: str) -> None:
    """Note that an owner is about to wait for a turn, unless it does so already."""
    waits = exists().where(jobs.c.owner_id == owner_id, jobs.c.state == State.QUEUED.value)
    earliest = turns.entry(_clock(connection))
    late = (owners.c.id == owner_id, owners.c.served < earliest, ~waits)
    connection.execute(update(owners).where(*late).values(served=earliest))


def note_turn(connection: Connection, turn: Turn) -> None:
    """Set the clock on, and note that an owner was served."""
    _set(connection, turn.job.owner_id, turns.served(_clock(connection), turn.owners))


def give_turn_back(connection: Connection, owner_id: str) -> None:
    """Let an owner be served next, since the last turn came to nothing."""
    _set(connection, owner_id, turns.NEXT)


def positions(connection: Connection, job_ids: Sequence[str]) -> dict[str, int]:
    """Return how many claims from now each of the waiting jobs is served (1 = next).

    While nobody comes, whoever is served goes to the end of the round. So the k-th job of an owner
    is served in the k-th round. Before it come its owner's k - 1, and of any other owner as many as
    it has, but at most k if that owner's turn is earlier in a round, else k - 1. Delays, caps and
    jobs that are still to come are not foreseen.
    """
    if not job_ids:
        return {}
    asked = select(jobs.c.lane).where(jobs.c.id.in_(job_ids), jobs.c.state == State.QUEUED.value)
    found: dict[str, int] = {}
    for lane in connection.scalars(asked.distinct()).all():
        around = connection.execute(_turns([lane])).all()
        turn = {row.owner_id: index for index, row in enumerate(around)}
        for row in connection.execute(_ranked(lane, job_ids)):
            mine = turn[row.owner_id]
            found[row.id] = 1 + sum(
                min(other.waiting, row.rank if index < mine else row.rank - 1)
                for index, other in enumerate(around)
            )
    return found


def _clock(connection: Connection) -> float:
    """Return the time of the latest claim."""
    return float(connection.execute(select(func.max(owners.c.served))).scalar_one() or 0.0)


def _set(connection: Connection, owner_id: str, time: float) -> None:
    connection.execute(update(owners).where(owners.c.id == owner_id).values(served=time))


def _turns(lanes: Sequence[str]) -> Select[Any]:
    """Select the owners with waiting jobs and how many they have, the next one first."""
    return (
        select(jobs.c.owner_id, func.count().label("waiting"))
        .join(owners, owners.c.id == jobs.c.owner_id)
        .where(jobs.c.state == State.QUEUED.value, jobs.c.lane.in_(lanes))
        .group_by(jobs.c.owner_id, owners.c.id, owners.c.served)
        .order_by(owners.c.served, func.min(jobs.c.created), jobs.c.owner_id)
    )


def _ranked(lane: str, job_ids: Sequence[str]) -> Select[Any]:
    """Select the rank of jobs among those of their owner that wait in a lane, from 1."""
    their_owners = select(jobs.c.owner_id).where(jobs.c.id.in_(job_ids))
    rank = func.row_number().over(partition_by=jobs.c.owner_id, order_by=_WITHIN_OWNER)
    waiting = (
        select(jobs.c.id, jobs.c.owner_id, rank.label("rank"))
        .where(
            jobs.c.state == State.QUEUED.value,
            jobs.c.lane == lane,
            jobs.c.owner_id.in_(their_owners),
        )
        .subquery()
    )
    return select(waiting).where(waiting.c.id.in_(job_ids))
