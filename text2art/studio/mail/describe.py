"""A job as the JSON that webhooks carry: as its owner sees it at /api/v1/jobs/<id>."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine, func, select

from text2art.studio import events
from text2art.studio.db.engine import reading
from text2art.studio.db.rows import job_of
from text2art.studio.db.tables import jobs, likes
from text2art.studio.mail.links import Links
from text2art.studio.model import Job, Json

Describe = Callable[[str], "Json | None"]


def describer(engine: Engine, links: Links) -> Describe:
    """Return a function from the id of a job to its JSON, None where the job is gone."""

    def describe(job_id: str) -> Json | None:
        with reading(engine) as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none()
            if row is None:
                return None
            job = job_of(row)
            steps = list(events.frames(connection, job_id))
            liking = select(likes.c.owner_id).where(likes.c.job_id == job_id)
            own = connection.execute(liking.where(likes.c.owner_id == job.owner_id)).first()
            count = select(func.count()).select_from(liking.subquery())
            liked = int(connection.execute(count).scalar_one())
        return {
            **_facts(job, links),
            "frames": steps,
            "liked": own is not None,
            "likes": liked,
            "mine": True,
        }

    return describe


def _facts(job: Job, links: Links) -> Json:
    result = dict(job.result or {})
    files = result.pop("files", {})
    urls = {kind: links.result(job.id, kind) for kind in files}
    return {
        "id": job.id,
        "state": job.state.value,
        "position": None,
        "eta_seconds": None,
        "progress": job.progress,
        "step": job.step,
        "steps": job.steps,
        "score": job.score,
        "prompt": job.prompt,
        "drawer": job.drawer,
        "settings": job.settings,
        "seed": job.seed,
        "created": job.created,
        "started": job.started,
        "finished": job.finished,
        "attempt": job.attempt,
        "error": job.error,
        "result": {**result, **urls} if job.result is not None else None,
        "parent_id": job.parent_id,
        "batch_id": job.batch_id,
        "public": job.public,
        "url": links.page(job.id),
    }
