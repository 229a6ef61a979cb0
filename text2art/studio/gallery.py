"""Lists of jobs: whose they are, who may see them, in pages that nothing shifts.

Pages go on after the last job of the page before (its time and id), not after a number of jobs:
what comes in meanwhile neither repeats nor hides any.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Connection, Select, and_, func, or_, select

from text2art.errors import SettingsError
from text2art.studio import events
from text2art.studio.db.rows import job_of
from text2art.studio.db.tables import jobs, likes
from text2art.studio.model import Job, State
from text2art.studio.queue.base import JobQueue

MAX_PAGE = 200
MAX_WORDS = 10
MAX_QUERY = 200  # characters
_RECENT = 20  # ended jobs that estimates are made from
_CURSOR = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)_([0-9a-z]{26})\Z")


@dataclass(frozen=True)
class JobView:
    """A job as one viewer sees it.

    Attributes:
        position: claims until it is served (1 = next), while it waits.
        eta_seconds: until it ends, as far as can be said.
        liked: whether the viewer likes it.
        likes: how many do.
        mine: whether it is the viewer's.
        pictured: whether there is a picture of the making; not looked up where there is a result.
        frames: keys of its pictures by step, oldest first; only of a job asked for by name.
    """

    job: Job
    position: int | None
    eta_seconds: float | None
    liked: bool
    likes: int
    mine: bool
    pictured: bool = False
    frames: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """Part of a list; `next` is the cursor of what follows, None at the end."""

    jobs: Sequence[JobView]
    next: str | None


def is_visible(job: Job, viewer_id: str | None) -> bool:
    """Whether a viewer may see a job: their own, or a published picture."""
    if job.deleted_at is not None:
        return False
    if viewer_id is not None and job.owner_id == viewer_id:
        return True
    return job.public and not job.hidden and job.state is State.DONE


def shows(job: Job, key: str, connection: Connection) -> bool:
    """Whether a file is one that a visible job shows: of its result, or a frame."""
    files = (job.result or {}).get("files", {})
    return key in files.values() or key in events.frames(connection, job.id).values()


def mine(
    connection: Connection,
    owner_id: str,
    state: State | None,
    batch_id: str | None,
    cursor: str | None,
    limit: int,
) -> list[Job]:
    """Return an owner's jobs, newest first, one more than fits the page if there are more."""
    asked = select(jobs).where(jobs.c.owner_id == owner_id, jobs.c.deleted_at.is_(None))
    if state is not None:
        asked = asked.where(jobs.c.state == state.value)
    if batch_id is not None:
        asked = asked.where(jobs.c.batch_id == batch_id)
    return _newest(connection, asked, jobs.c.created, cursor, limit)


def public(
    connection: Connection,
    words: str,
    drawer: str,
    liked_by: str | None,
    cursor: str | None,
    limit: int,
) -> list[Job]:
    """Return published pictures, newest first, one more than fits the page if there are more."""
    asked = select(jobs).where(
        jobs.c.state == State.DONE.value,
        jobs.c.public,
        ~jobs.c.hidden,
        jobs.c.deleted_at.is_(None),
    )
    for word in words[:MAX_QUERY].lower().split()[:MAX_WORDS]:
        asked = asked.where(jobs.c.search.contains(word, autoescape=True))
    if drawer:
        asked = asked.where(jobs.c.drawer == drawer)
    if liked_by is not None:
        asked = asked.join(likes, and_(likes.c.job_id == jobs.c.id, likes.c.owner_id == liked_by))
    return _newest(connection, asked, jobs.c.finished, cursor, limit)


def page(
    connection: Connection,
    queue: JobQueue,
    found: Sequence[Job],
    viewer_id: str | None,
    limit: int,
    by: str,
) -> Page:
    """Return jobs as a page: as many as fit, and where the next begins."""
    limit = _bounded(limit)
    shown = found[:limit]
    more = f"{getattr(shown[-1], by)!r}_{shown[-1].id}" if len(found) > limit else None
    return Page(views(connection, queue, shown, viewer_id), more)


def views(
    connection: Connection,
    queue: JobQueue,
    shown: Sequence[Job],
    viewer_id: str | None,
    *,
    frames: bool = False,
) -> list[JobView]:
    """Return jobs as a viewer sees them, with their frames if asked for."""
    ids = [job.id for job in shown]
    counted = select(likes.c.job_id, func.count()).where(likes.c.job_id.in_(ids))
    found = connection.execute(counted.group_by(likes.c.job_id))
    number = {str(job_id): int(count) for job_id, count in found}
    my_likes = select(likes.c.job_id).where(likes.c.job_id.in_(ids), likes.c.owner_id == viewer_id)
    liked = set(connection.scalars(my_likes))
    waiting = [job.id for job in shown if job.state is State.QUEUED]
    positions = queue.positions(connection, waiting)
    per_turn = _seconds_per_turn(connection, queue) if waiting else None
    pictured = events.pictured(connection, [job.id for job in shown if job.result is None])
    return [
        JobView(
            job=job,
            position=positions.get(job.id),
            eta_seconds=_eta(job, positions.get(job.id), per_turn),
            liked=job.id in liked,
            likes=number.get(job.id, 0),
            mine=viewer_id is not None and job.owner_id == viewer_id,
            pictured=job.id in pictured,
            frames=events.frames(connection, job.id) if frames else {},
        )
        for job in shown
    ]


def _eta(job: Job, position: int | None, per_turn: float | None) -> float | None:
    if position is None or per_turn is None:
        return job.eta_seconds
    return position * per_turn


def _seconds_per_turn(connection: Connection, queue: JobQueue) -> float | None:
    """Return how often a job ends at present, by the latest ones; None when there are none."""
    asked = (
        select(jobs.c.worker, jobs.c.started, jobs.c.finished)
        .where(jobs.c.state == State.DONE.value, jobs.c.started.is_not(None))
        .order_by(jobs.c.finished.desc())
        .limit(_RECENT)
    )
    latest = connection.execute(asked).all()
    if not latest:
        return None
    busy, until = 0.0, dict[str | None, float]()
    for job in reversed(latest):  # time in which a worker drew several at once counts once
        busy += max(0.0, job.finished - max(job.started, until.get(job.worker, job.started)))
        until[job.worker] = job.finished
    return busy / len(latest) / max(1, len(queue.workers(connection)))


def _newest(
    connection: Connection,
    asked: Select[Any],
    when: Column[Any],
    cursor: str | None,
    limit: int,
) -> list[Job]:
    if cursor:
        match = _CURSOR.match(cursor)
        if match is None:
            raise SettingsError("the cursor is none: take it from the page before, unchanged")
        time, last = float(match[1]), match[2]
        asked = asked.where(or_(when < time, and_(when == time, jobs.c.id < last)))
    asked = asked.order_by(when.desc(), jobs.c.id.desc()).limit(_bounded(limit) + 1)
    return [job_of(row) for row in connection.execute(asked)]


def _bounded(limit: int) -> int:
    return max(1, min(limit, MAX_PAGE))
