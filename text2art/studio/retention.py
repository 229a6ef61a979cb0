"""Clearing away: what the studio no longer keeps, by its configuration. Run it once a day or so.

Rows go first, files after: what a crash in between leaves behind is a file that no row names, and
those are cleared away, too. Nothing that waits or runs is touched, nor a file that it needs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    and_,
    cast,
    delete,
    or_,
    select,
    update,
)

from text2art.studio import events, intake, ratelimit
from text2art.studio.db.engine import now, reading
from text2art.studio.db.rows import job_of
from text2art.studio.db.tables import job_events, jobs, outbox, owners, uploads
from text2art.studio.ids import is_id
from text2art.studio.model import EventType, Job, OwnerKind, State
from text2art.studio.service import Studio
from text2art.studio.store import Stored, job_prefix

DAY = 86_400.0
_ENDED = (State.DONE.value, State.FAILED.value, State.CANCELED.value)
_ACTIVE = (State.QUEUED.value, State.RUNNING.value)
_SETTLED = 3600.0  # seconds after which a file that no row names is not still being published
_SESSION_DAYS = 180  # of an owner without jobs who does not come back
_CHECKPOINT_DAYS = 3  # in which a job that has ended can be gone on from without loss
_SENT_DAYS, _DEAD_DAYS = 7, 90  # of messages that got there, and of those given up
_BUCKET_DAYS = 2  # the slowest limit is full again after one
_STEP = 200  # jobs of one transaction


@dataclass(frozen=True)
class Cleared:
    """What was cleared away."""

    jobs: int = 0
    uploads: int = 0
    files: int = 0
    bytes: int = 0
    owners: int = 0
    checkpoints: int = 0
    messages: int = 0
    buckets: int = 0


def clear(studio: Studio) -> Cleared:
    """Clear away what is due; return how much that was."""
    with reading(studio.engine) as connection:
        when = now(connection)
    gone = list(_expired_jobs(studio, when))
    gone += _over_size(studio)
    _drop_frames(studio, when)
    checkpoints = _drop_checkpoints(studio, when)
    dropped = _drop_uploads(studio, when)
    files, size = _drop_files(studio, when)
    return Cleared(
        jobs=len(gone),
        uploads=dropped,
        files=files,
        bytes=size,
        owners=_drop_owners(studio, when),
        checkpoints=checkpoints,
        messages=_drop_messages(studio, when),
        buckets=_drop_buckets(studio),
    )


# ---- jobs ----------------------------------------------------------------------------------


def _expired_jobs(studio: Studio, when: float) -> Iterator[str]:
    kept = studio.config.retention
    due: list[ColumnElement[bool]] = [jobs.c.deleted_at < when - kept.undo_days * DAY]
    ended: ColumnElement[bool] = jobs.c.state.in_(_ENDED)
    old = jobs.c.finished
    if kept.private_days:
        due.append(and_(ended, ~jobs.c.public, old < when - kept.private_days * DAY))
    if kept.public_days:
        due.append(and_(ended, jobs.c.public, old < when - kept.public_days * DAY))
    if kept.ended_days:
        pictureless = and_(jobs.c.state != State.DONE.value, jobs.c.result.is_(None))
        due.append(and_(ended, pictureless, old < when - kept.ended_days * DAY))
    while found := _purge(studio, and_(ended, or_(*due)), _STEP):
        yield from found


def _over_size(studio: Studio) -> list[str]:
    """Remove the oldest unpublished jobs until the files fit."""
    most = studio.config.retention.gigabytes * 1e9
    if not most:
        return []
    size: dict[str, int] = defaultdict(int)
    for file in studio.store.walk():
        size[_job_of_key(file.key)] += file.bytes
    gone: list[str] = []
    while sum(size.values()) > most:
        private = and_(jobs.c.state.in_(_ENDED), ~jobs.c.public)
        found = _purge(studio, private, 1)
        if not found:
            break
        gone += found
        size.pop(found[0], None)
    return gone


def _purge(studio: Studio, due: ColumnElement[bool], limit: int) -> list[str]:
    """Remove jobs, the oldest first, with their files; not those that others still go on from."""
    child = jobs.alias()
    needed = select(child.c.parent_id).where(
        child.c.state.in_(_ACTIVE), child.c.parent_id.is_not(None)
    )
    with studio.engine.begin() as connection:
        asked = select(jobs.c.id).where(due, jobs.c.id.not_in(needed))
        ids = list(connection.scalars(asked.order_by(jobs.c.finished, jobs.c.id).limit(limit)))
        connection.execute(delete(jobs).where(jobs.c.id.in_(ids)))
    for job_id in ids:
        studio.store.delete_tree(job_prefix(job_id))
    return ids


def _drop_frames(studio: Studio, when: float) -> None:
    """Forget the making of old pictures; their files are then named by no row."""
    days = studio.config.retention.frames_days
    if not days:
        return
    old = select(jobs.c.id).where(jobs.c.state.in_(_ENDED), jobs.c.finished < when - days * DAY)
    with studio.engine.begin() as connection:
        connection.execute(
            delete(job_events).where(
                job_events.c.type == EventType.FRAME.value, job_events.c.job_id.in_(old)
            )
        )


def _drop_checkpoints(studio: Studio, when: float) -> int:
    """Forget where old jobs had got to; the files are then named by no row.

    What goes on from such a job begins with its picture, and so does a job that is retried then.
    """
    old = and_(
        jobs.c.state.in_(_ENDED),
        jobs.c.finished < when - _CHECKPOINT_DAYS * DAY,
        jobs.c.checkpoint.is_not(None),
    )
    with studio.engine.begin() as connection:
        return connection.execute(update(jobs).where(old).values(checkpoint=None)).rowcount


# ---- files ---------------------------------------------------------------------------------


def _drop_uploads(studio: Studio, when: float) -> int:
    days = studio.config.retention.upload_days
    if not days:
        return 0
    count = 0
    with reading(studio.engine) as connection:
        asked = select(uploads.c.key).where(uploads.c.used < when - days * DAY)
        old = list(connection.scalars(asked))
    for key in old:
        with studio.engine.begin() as connection:
            # Settings of any job may be reused, so an upload lives as long as they.
            named = select(jobs.c.id).where(cast(jobs.c.settings, Text).contains(key)).limit(1)
            if connection.execute(named).first() is not None:
                continue
            unused = and_(uploads.c.key == key, uploads.c.used < when - days * DAY)
            count += connection.execute(delete(uploads).where(unused)).rowcount
    return count


def _drop_files(studio: Studio, when: float) -> tuple[int, int]:
    """Remove files that no row names: of lost attempts, of crashes, of forgotten frames."""
    count = studio.store.clear_unfinished(DAY)
    size = 0
    by_job: dict[str, list[Stored]] = defaultdict(list)
    for file in studio.store.walk():
        if not file.modified or file.modified < when - _SETTLED:
            by_job[_job_of_key(file.key)].append(file)
    with reading(studio.engine) as connection:
        # A job that goes on from another names a file of the other's until it has one of its own.
        asked = select(jobs.c.checkpoint).where(jobs.c.checkpoint.is_not(None))
        checkpoints = {str(known.get("key")) for known in connection.scalars(asked)}
    for job_id, files in by_job.items():
        with reading(studio.engine) as connection:
            named = checkpoints | _named(connection, job_id, files, when)
        for file in files:
            if file.key not in named:
                studio.store.delete(file.key)
                count, size = count + 1, size + file.bytes
    return count, size


def _named(connection: Connection, job_id: str, files: Iterable[Stored], when: float) -> set[str]:
    """Return those of some files that are still needed; "" stands for what is of no job."""
    keys = {file.key for file in files}
    if not job_id:
        asked = select(uploads.c.key).where(uploads.c.key.in_(keys))
        foreign = {key for key in keys if not key.startswith("uploads/")}
        return foreign | set(connection.scalars(asked))
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).first()
    if row is None:
        return set()
    job = job_of(row)
    if not job.state.ended or (job.finished or 0) > when - _SETTLED:
        return keys
    return _files_of(connection, job)


def _files_of(connection: Connection, job: Job) -> set[str]:
    result = job.result or {}
    return {
        *result.get("files", {}).values(),
        *events.frames(connection, job.id).values(),
        *intake.keys_of(job.settings),
    }


def _job_of_key(key: str) -> str:
    parts = key.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "jobs" and is_id(parts[1]) else ""


# ---- owners --------------------------------------------------------------------------------


def _drop_owners(studio: Studio, when: float) -> int:
    """Forget sessions that left nothing and do not come back."""
    idle = and_(
        owners.c.kind == OwnerKind.SESSION.value,
        or_(owners.c.seen.is_(None), owners.c.seen < when - _SESSION_DAYS * DAY),
        owners.c.created < when - _SESSION_DAYS * DAY,
        owners.c.id.not_in(select(jobs.c.owner_id)),
    )
    with studio.engine.begin() as connection:
        return connection.execute(delete(owners).where(idle)).rowcount


# ---- messages, limits ----------------------------------------------------------------------


def _drop_messages(studio: Studio, when: float) -> int:
    """Forget mails and webhooks that got there, and after a long while those given up."""
    old = or_(
        and_(outbox.c.state == "sent", outbox.c.sent < when - _SENT_DAYS * DAY),
        and_(outbox.c.state == "dead", outbox.c.created < when - _DEAD_DAYS * DAY),
    )
    with studio.engine.begin() as connection:
        return connection.execute(delete(outbox).where(old)).rowcount


def _drop_buckets(studio: Studio) -> int:
    """Forget limits of those who have not come for so long that theirs are full again."""
    with studio.engine.begin() as connection:
        return ratelimit.clear(connection, _BUCKET_DAYS * DAY)
