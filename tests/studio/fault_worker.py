"""A worker that may be killed at any moment: it claims, pretends to draw, and publishes."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, insert

from text2art.studio.db.engine import open_engine
from text2art.studio.model import Claim, EventType, NewEvent, Outcome, Progress, State, Verdict
from text2art.studio.queue.opening import open_queue

books = MetaData()
# No constraint keeps a job from being published twice: only the queue does.
published = Table(
    "published",
    books,
    Column("job_id", Text),
    Column("attempt", Integer),
    Column("worker", Text),
)
STEPS = 4


def main(url: str, name: str, lease_seconds: float, step_seconds: float) -> None:
    """Work until killed."""
    engine = open_engine(url)
    queue = open_queue(engine, lease_seconds=lease_seconds)
    while True:
        claim = queue.claim(name)
        if claim is None:
            time.sleep(0.02)
        else:
            draw(queue, claim, step_seconds)


def draw(queue: Any, claim: Claim, step_seconds: float) -> None:
    """Draw as far as the claim lives."""
    for step in range(1, STEPS + 1):
        time.sleep(step_seconds)
        frame = NewEvent(EventType.FRAME, {"step": step, "key": f"{claim.attempt}/{step}"})
        if queue.heartbeat(claim, Progress(step, STEPS), [frame]) is not Verdict.GO:
            return

    def publish(connection: Connection) -> None:
        row = {"job_id": claim.job_id, "attempt": claim.attempt, "worker": claim.worker}
        connection.execute(insert(published).values(row))

    queue.finish(claim, Outcome(State.DONE, {"files": {}, "attempt": claim.attempt}), publish)
