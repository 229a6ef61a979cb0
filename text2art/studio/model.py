"""What the studio speaks of: jobs, claims, events, owners. Plain frozen data, no database."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from text2art.errors import Text2ArtError

Json = dict[str, Any]


class NotFound(Text2ArtError):
    """There is no such thing, or it is not the caller's to see."""


class NotAllowed(Text2ArtError):
    """The caller may not do this."""


class Conflict(Text2ArtError):
    """What is there stands in the way (a job already ended, a key already used otherwise)."""


class State(str, enum.Enum):
    """The life of a job. The last three are ends; only `retry` leads out of them."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def ended(self) -> bool:
        """Whether the job is over."""
        return self in (State.DONE, State.FAILED, State.CANCELED)


class OwnerKind(str, enum.Enum):
    """Who asks: a browser's session, an API key, or the machine's own user."""

    SESSION = "session"
    KEY = "key"
    LOCAL = "local"


class EventType(str, enum.Enum):
    """What an event of a job is about; its `data` is given in `events.py`."""

    STATE = "state"
    PROGRESS = "progress"
    FRAME = "frame"
    LOG = "log"
    SCORE = "score"
    NOTICE = "notice"


class Verdict(str, enum.Enum):
    """The queue's answer to a heartbeat."""

    GO = "go"
    CANCEL = "cancel"  # stop within a step, keep the last picture, finish as canceled
    LOST = "lost"  # the job is no longer yours: stop, publish nothing


@dataclass(frozen=True)
class Owner:
    """Who jobs belong to."""

    id: str
    kind: OwnerKind
    created: float
    label: str = ""


@dataclass(frozen=True)
class NewJob:
    """A job as it is handed in.

    Attributes:
        settings: what to draw, as `Settings.given()` writes it, the seed included.
        prompt: the words shown and searched.
        lane: which workers may take it.
        priority: the greater first, within the owner's own jobs.
        delay: seconds from now before which it must not start.
        max_attempts: starts after which a job whose worker died is given up.
        search: what the gallery's search looks through, in lower case; default: the prompt.
        fingerprint: of the request that came with the idempotency key.
        checkpoint: where to go on from, when it continues another job.
    """

    id: str
    owner_id: str
    settings: Json
    prompt: str
    drawer: str
    lane: str = "gpu"
    priority: int = 0
    delay: float = 0.0
    max_attempts: int = 3
    steps: int = 0
    public: bool = False
    search: str = ""
    batch_id: str | None = None
    parent_id: str | None = None
    idempotency_key: str | None = None
    fingerprint: str | None = None
    webhook_url: str | None = None
    email_id: str | None = None
    checkpoint: Json | None = None


@dataclass(frozen=True)
class Job:
    """A job as it stands in the database; times are seconds since 1970 (UTC)."""

    id: str
    owner_id: str
    state: State
    settings: Json
    prompt: str
    drawer: str
    lane: str
    priority: int
    public: bool
    created: float
    not_before: float
    attempt: int
    max_attempts: int
    batch_id: str | None = None
    parent_id: str | None = None
    started: float | None = None
    finished: float | None = None
    worker: str | None = None
    lease_until: float | None = None
    cancel_requested: bool = False
    progress: float = 0.0
    step: int = 0
    steps: int = 0
    score: float | None = None
    loss: float | None = None
    eta_seconds: float | None = None
    error: str = ""
    result: Json | None = None
    checkpoint: Json | None = None
    idempotency_key: str | None = None
    fingerprint: str | None = None
    webhook_url: str | None = None
    email_id: str | None = None
    deleted_at: float | None = None
    hidden: bool = False
    last_seq: int = 0

    @property
    def seed(self) -> int | str | None:
        """The seed, drawn when the job was handed in."""
        seed: int | str | None = self.settings.get("seed")
        return seed


@dataclass(frozen=True)
class Claim:
    """The right of one worker to run one job, for as long as its heartbeats arrive.

    Attributes:
        attempt: the fence: each claim of a job has a greater one, and only the greatest may write.
        lease_seconds: without a heartbeat for so long the job is given to another.
        checkpoint: where an earlier attempt (or the parent) had got to, or None.
        ticket: the engine's own mark of the claim.
    """

    job_id: str
    attempt: int
    worker: str
    lease_seconds: float
    owner_id: str
    lane: str
    settings: Json
    checkpoint: Json | None = None
    parent_id: str | None = None
    ticket: tuple[int, int] | None = None


@dataclass(frozen=True)
class Progress:
    """How far a job has got."""

    step: int
    steps: int
    score: float | None = None
    loss: float | None = None
    eta_seconds: float | None = None

    @property
    def fraction(self) -> float:
        """The share that is done, in [0, 1]."""
        return min(max(self.step / self.steps, 0.0), 1.0) if self.steps > 0 else 0.0


@dataclass(frozen=True)
class NewEvent:
    """An event to be written; see `events.py` for what `data` holds."""

    type: EventType
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """Something that happened to a job.

    Attributes:
        seq: 1, 2, 3, ... within the job: the `Last-Event-ID` of the job's own stream.
        place: where it stands among all jobs' events: the `Last-Event-ID` of the stream of all.
        ts: seconds since 1970 (UTC).
    """

    job_id: str
    seq: int
    place: str
    ts: float
    type: EventType
    data: Json


@dataclass(frozen=True)
class Outcome:
    """How a claim ended.

    Attributes:
        state: DONE, FAILED or CANCELED.
        result: keys of the files to publish and facts about them: see `store.py`; None = nothing.
        error: one line for the job's owner, when it failed.
    """

    state: State
    result: Json | None = None
    error: str = ""


@dataclass(frozen=True)
class WorkerInfo:
    """A worker that says it is there."""

    id: str
    runner: str
    device: str
    lanes: tuple[str, ...]
    started: float
    seen: float
    job_id: str | None = None
