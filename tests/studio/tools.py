"""What tests of the queue do again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, insert, select

from tests.cog_server import until
from text2art.studio import events
from text2art.studio.db.engine import now
from text2art.studio.db.rows import job_of, row_of
from text2art.studio.db.tables import owners
from text2art.studio.gallery import JobView
from text2art.studio.ids import new_id
from text2art.studio.model import Claim, Event, EventType, Job, NewJob, State
from text2art.studio.queue.base import JobQueue
from text2art.studio.queue.opening import open_queue
from text2art.studio.service import LOCAL, Studio

TOY = {"prompts": ["a red apple"], "perceptor": "toy", "drawer": "pixel", "seed": 7}


def view(studio: Studio, job_id: str) -> JobView:
    """Return a job as this machine's user sees it."""
    return studio.get(job_id, LOCAL)


def ended(studio: Studio, job_id: str) -> JobView:
    """Wait for a job's end, and return it."""
    until(lambda: view(studio, job_id).job.state.ended, f"the end of {job_id}")
    return view(studio, job_id)


class Bench:
    """A queue on a database, and short ways to ask it."""

    def __init__(self, engine: Engine, **options: Any) -> None:
        self.engine = engine
        options.setdefault("lease_seconds", 30.0)
        self.queue: JobQueue = open_queue(engine, **options)

    def with_(self, **options: Any) -> Bench:
        """Return the same database under a queue with other options."""
        return Bench(self.engine, **options)

    def owner(self, name: str) -> str:
        """Make an owner unless there is one of that name."""
        with self.engine.begin() as connection:
            if connection.execute(select(owners).where(owners.c.id == name)).first() is None:
                values = {"id": name, "kind": "session", "created": now(connection)}
                connection.execute(insert(owners).values(values))
        return name

    def submit(self, owner: str = "ann", **values: Any) -> str:
        """Hand in a job."""
        self.owner(owner)
        values = {"settings": TOY, "prompt": "a red apple", "drawer": "pixel", **values}
        with self.engine.begin() as connection:
            job = NewJob(id=new_id(), owner_id=owner, **values)
            return self.queue.submit(connection, job).id

    def claim(self, worker: str = "w", lanes: Sequence[str] = ("gpu",)) -> Claim:
        """Claim a job that must be there."""
        claim = self.queue.claim(worker, lanes)
        assert claim is not None
        return claim

    def job(self, job_id: str) -> Job:
        """Read a job."""
        with self.engine.connect() as connection:
            return job_of(row_of(connection, job_id))

    def state(self, job_id: str) -> State:
        """Read a job's state."""
        return self.job(job_id).state

    def cancel(self, job_id: str) -> State:
        """Cancel a job."""
        with self.engine.begin() as connection:
            return self.queue.cancel(connection, job_id)

    def retry(self, job_id: str) -> None:
        """Retry a job."""
        with self.engine.begin() as connection:
            self.queue.retry(connection, job_id)

    def position(self, job_id: str) -> int | None:
        """Ask for a job's position."""
        with self.engine.connect() as connection:
            return self.queue.position(connection, job_id)

    def events(self, job_id: str) -> list[Event]:
        """Read a job's events."""
        with self.engine.connect() as connection:
            return events.since(connection, job_id)

    def states(self, job_id: str) -> list[str]:
        """Read the states that a job has been in."""
        said = self.events(job_id)
        return [event.data["state"] for event in said if event.type is EventType.STATE]
