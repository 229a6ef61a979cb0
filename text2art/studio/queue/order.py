"""Whose turn it is: the one rule of order, as queries that both engines use.

Owners take turns. The next owner is the one who was served least recently, of those never served
the one who has waited longest; "recently" is counted in claims, so no clock can disturb it. Within
an owner's jobs the greater priority comes first, then the older job. So priority never jumps
another owner's queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select, update

from text2art.studio.db.tables import jobs, owners
from text2art.studio.model import State

_WITHIN_OWNER = (jobs.c.priority.desc(), jobs.c.created, jobs.c.id)


def next_job(
    connection: Connection, lanes: Sequence[str], when: float, running_per_owner: int = 0
) -> Row[Any] | None:
    """Return the row that is served next, or None when none may start now.

    Args:
        connection: of the claim.
        lanes: that the worker serves.
        when: now; jobs whose `not_before` is later are passed over.
        running_per_owner: owners with so many running jobs are passed over; 0 = none are.
    """
    turn = _turns(lanes).where(jobs.c.not_before <= when).limit(1)
    if running_per_owner:
        other = jobs.alias()
        running = (
            select(func.count())
            .select_from(other)
            .where(other.c.owner_id == owners.c.id, other.c.state == State.RUNNING.value)
            .correlate(owners)
            .scalar_subquery()
        )
        turn = turn.where(running < running_per_owner)
    owner = connection.execute(turn).first()
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
    return connection.execute(asked).first()


def note_turn(connection: Connection, owner_id: str) -> None:
    """Put an owner at the end of the round."""
    latest = select(func.max(owners.c.served)).scalar_subquery()
    connection.execute(update(owners).where(owners.c.id == owner_id).values(served=latest + 1))


def give_turn_back(connection: Connection, owner_id: str) -> None:
    """Let an owner be served next, since the last turn came to nothing."""
    connection.execute(update(owners).where(owners.c.id == owner_id).values(served=0))


def positions(connection: Connection, job_ids: Sequence[str]) -> dict[str, int]:
    """Return how many claims from now each of the waiting jobs is served (1 = next).

    The k-th job of an owner is served in the k-th round. Before it come its owner's k - 1, and of
    any other owner as many as it has, but at most k if that owner's turn is earlier in a round,
    else k - 1. Delays, caps and jobs that are still to come are not foreseen.
    """
    if not job_ids:
        return {}
    asked = select(jobs.c.lane).where(jobs.c.id.in_(job_ids), jobs.c.state == State.QUEUED.value)
    found: dict[str, int] = {}
    for lane in connection.scalars(asked.distinct()).all():
        turns = connection.execute(_turns([lane])).all()
        turn = {row.owner_id: index for index, row in enumerate(turns)}
        for row in connection.execute(_ranked(lane, job_ids)):
            mine = turn[row.owner_id]
            found[row.id] = 1 + sum(
                min(other.waiting, row.rank if index < mine else row.rank - 1)
                for index, other in enumerate(turns)
            )
    return found


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
