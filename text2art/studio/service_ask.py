"""How a request wants its jobs treated, and the jobs that come of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from text2art.settings import Settings
from text2art.studio import intake
from text2art.studio.config import StudioConfig
from text2art.studio.db.rows import job_of
from text2art.studio.db.tables import jobs
from text2art.studio.faults import fault
from text2art.studio.ids import new_id
from text2art.studio.model import Job, Json, NewJob

MAX_KEY = 200  # characters of an idempotency key
_LANES = ("gpu", "cpu")


@dataclass(frozen=True)
class Ask:
    """How a request wants its jobs treated; what is drawn is in the settings.

    Attributes:
        count: jobs of the batch; their seeds follow one another.
        priority: within the owner's own jobs, the greater first: -100 to 100.
        public: whether the results go into the gallery; None = as the studio is configured.
        lane: which workers may take it.
        delay: seconds before it may start, at most a day.
        idempotency_key: the same key and request again gives the same jobs again.
        webhook_url, email_id: who is told of the end; the face has checked that they may be.
    """

    count: int = 1
    priority: int = 0
    public: bool | None = None
    lane: str = "gpu"
    delay: float = 0.0
    idempotency_key: str | None = None
    webhook_url: str | None = None
    email_id: str | None = None


@dataclass(frozen=True)
class Origin:
    """What a job goes on from."""

    parent_id: str | None = None
    checkpoint: Json | None = None
    keys: frozenset[str] = field(default_factory=frozenset)
    said: Mapping[str, Any] | None = None


def check(ask: Ask, most: int) -> None:
    """Make sure that a request asks for what there is.

    Args:
        ask: how its jobs are to be treated.
        most: jobs of a batch.

    Raises:
        SettingsError: it does not.
    """
    key = ask.idempotency_key
    if not 1 <= ask.count <= most:
        raise fault("count", f"count {ask.count} is out of range: 1 to {most}")
    if not -100 <= ask.priority <= 100:
        raise fault("priority", f"priority {ask.priority} is out of range: -100 to 100")
    if not 0 <= ask.delay <= 86_400:
        raise fault("delay", f"delay {ask.delay:g} is out of range: 0 to 86400 seconds")
    if ask.lane not in _LANES:
        raise fault("lane", f"there is no lane {ask.lane[:20]!r}: {', '.join(_LANES)}")
    if key is not None and not (1 <= len(key) <= MAX_KEY and key.isprintable()):
        raise fault(
            "Idempotency-Key", f"an idempotency key has 1 to {MAX_KEY} printable characters"
        )


def fingerprint_of(values: Mapping[str, Any], ask: Ask, origin: Origin) -> str:
    """Return what tells requests under one idempotency key apart."""
    asked = [dict(values), asdict(ask), origin.parent_id]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def earlier(connection: Connection, owner_id: str, key: str) -> list[Job]:
    """Return the jobs that were handed in with an idempotency key."""
    first = select(jobs).where(jobs.c.owner_id == owner_id, jobs.c.idempotency_key == key)
    row = connection.execute(first).first()
    if row is None or row.batch_id is None:
        return [] if row is None else [job_of(row)]
    batch = select(jobs).where(jobs.c.owner_id == owner_id, jobs.c.batch_id == row.batch_id)
    return [job_of(row) for row in connection.execute(batch.order_by(jobs.c.created, jobs.c.id))]


def new_jobs(
    batch: Sequence[Settings],
    owner_id: str,
    ask: Ask,
    origin: Origin,
    config: StudioConfig,
    fingerprint: str,
) -> list[NewJob]:
    """Return the jobs of a batch, one for each of its settings."""
    batch_id = new_id() if len(batch) > 1 else None
    return [
        NewJob(
            id=new_id(),
            owner_id=owner_id,
            settings=settings.given(),
            prompt=intake.words_of(settings),
            drawer=settings.drawer,
            lane=ask.lane,
            priority=ask.priority,
            delay=ask.delay,
            max_attempts=config.max_attempts,
            steps=intake.steps_of(settings),
            public=config.publish_by_default if ask.public is None else ask.public,
            search=intake.search_text(settings),
            batch_id=batch_id,
            parent_id=origin.parent_id,
            idempotency_key=ask.idempotency_key if index == 0 else None,
            fingerprint=fingerprint,
            webhook_url=ask.webhook_url,
            email_id=ask.email_id,
            checkpoint=origin.checkpoint,
        )
        for index, settings in enumerate(batch)
    ]
