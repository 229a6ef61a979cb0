"""A job as webhooks tell it: as its owner sees it at /api/v1/jobs/<id>, with whole addresses."""

from __future__ import annotations

from sqlalchemy import Engine, select

from text2art.studio import gallery
from text2art.studio.api import shapes
from text2art.studio.db.engine import reading
from text2art.studio.db.rows import job_of
from text2art.studio.db.tables import jobs
from text2art.studio.mail.links import Links
from text2art.studio.mail.outbox import Describe
from text2art.studio.model import Json
from text2art.studio.queue.base import JobQueue


def describer(engine: Engine, queue: JobQueue, links: Links) -> Describe:
    """Return a function from the id of a job to its JSON, None where the job is gone.

    Args:
        engine: of the database.
        queue: knows where jobs stand.
        links: how others reach the studio.
    """

    def describe(job_id: str) -> Json | None:
        with reading(engine) as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none()
            if row is None:
                return None
            job = job_of(row)
            (view,) = gallery.views(connection, queue, [job], job.owner_id, frames=True)
        return _whole(shapes.job(view), links.base).model_dump(mode="json")

    return describe


def _whole(job: shapes.JobShape, base: str) -> shapes.JobShape:
    """Return a job whose addresses begin with the studio's own."""
    for frame in job.frames:
        frame.url = base + frame.url
    if job.result is not None:
        job.result.files = {ending: base + url for ending, url in job.result.files.items()}
    job.url = base + job.url
    job.preview = base + job.preview if job.preview is not None else None
    job.share = base + job.share if job.share is not None else None
    return job
