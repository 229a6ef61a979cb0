"""What all acts of the studio work with, and whose jobs they may touch."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, func, select

from text2art.errors import QueueFull
from text2art.studio import gallery, hooks
from text2art.studio.config import StudioConfig
from text2art.studio.db.rows import job_of, row_of
from text2art.studio.db.tables import jobs
from text2art.studio.ids import is_id
from text2art.studio.model import Job, NotFound, State
from text2art.studio.queue.base import JobQueue
from text2art.studio.store import Store


class Base:
    """The open studio. Others' jobs that are not published do not exist for an owner."""

    def __init__(self, config: StudioConfig, engine: Engine, queue: JobQueue, store: Store) -> None:
        self.config, self.engine, self.queue, self.store = config, engine, queue, store
        self._checks = hooks.load(config.prompt_filter)

    def _mine(
        self, connection: Connection, job_id: str, owner_id: str, *, deleted: bool = False
    ) -> Job:
        """Return a job of the owner's, its row locked."""
        job = job_of(row_of(connection, job_id, lock=True)) if is_id(job_id) else None
        if job is None or job.owner_id != owner_id or (job.deleted_at is not None) > deleted:
            raise _no_job(job_id)
        return job

    def _visible(self, connection: Connection, job_id: str, viewer_id: str | None) -> Job:
        job = job_of(row_of(connection, job_id)) if is_id(job_id) else None
        if job is None or not gallery.is_visible(job, viewer_id):
            raise _no_job(job_id)
        return job

    def _require_room(self, connection: Connection, owner_id: str, count: int) -> None:
        """Make sure that some more jobs of an owner may wait."""
        waiting = select(func.count()).where(jobs.c.state == State.QUEUED.value)
        caps = self.config.caps
        mine = connection.execute(waiting.where(jobs.c.owner_id == owner_id)).scalar_one()
        if mine + count > caps.queued_per_owner:
            raise QueueFull(
                f"you have {mine} jobs waiting, and at most {caps.queued_per_owner} may wait: "
                "let some finish or cancel them"
            )
        if connection.execute(waiting).scalar_one() + count > caps.queued:
            raise QueueFull("the queue is full: try again later")


def _no_job(job_id: str) -> NotFound:
    return NotFound(f"there is no job {job_id[:40]}")
