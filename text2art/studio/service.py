"""What faces ask of the studio: one method per act, one transaction each.

Who asks is an owner's id, which the face has made sure of. Others' jobs that are not published do
not exist for an owner: asking for them is `NotFound`, never "not allowed".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from text2art.errors import QueueFull, SettingsError
from text2art.studio import events, gallery, hooks, intake, outbox, uploads
from text2art.studio.config import StudioConfig
from text2art.studio.db.engine import now, open_engine, reading
from text2art.studio.db.rows import job_of, row_of
from text2art.studio.db.tables import jobs, likes, owners
from text2art.studio.db.upgrade import upgrade
from text2art.studio.gallery import JobView, Page
from text2art.studio.ids import is_id, new_id
from text2art.studio.model import (
    Conflict,
    Event,
    Job,
    Json,
    NewJob,
    NotFound,
    Owner,
    OwnerKind,
    State,
    WorkerInfo,
)
from text2art.studio.queue.base import JobQueue
from text2art.studio.queue.opening import open_queue
from text2art.studio.store import Store

LOCAL = "local"  # the owner of what the machine's own user asks for
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
class _Origin:
    """What a job goes on from."""

    parent_id: str | None = None
    checkpoint: Json | None = None
    keys: frozenset[str] = field(default_factory=frozenset)
    said: Mapping[str, Any] | None = None


class Studio:
    """All acts of the studio. Safe for threads; make one per process."""

    def __init__(self, config: StudioConfig, engine: Engine, queue: JobQueue, store: Store) -> None:
        self.config, self.engine, self.queue, self.store = config, engine, queue, store
        self._checks = hooks.load(config.prompt_filter)

    @classmethod
    def open(cls, config: StudioConfig) -> Studio:
        """Open database, queue and files; bring the database up to date.

        Raises:
            SettingsError: the configuration cannot be used.
            MissingExtra: a driver is not installed.
        """
        upgrade(config.database_url)
        engine = open_engine(config.database_url)
        queue = open_queue(
            engine,
            lease_seconds=config.lease_seconds,
            max_attempts=config.max_attempts,
            running_per_owner=config.caps.running_per_owner,
            on_end=outbox.enqueue,
        )
        studio = cls(config, engine, queue, Store(config.files_url))
        with engine.begin() as connection:
            events.forget_transactions(connection)
        studio.owner(OwnerKind.LOCAL, owner_id=LOCAL)
        return studio

    def close(self) -> None:
        """Let go of the database."""
        self.queue.close()
        self.engine.dispose()

    # ---- owners --------------------------------------------------------------------------------

    def owner(self, kind: OwnerKind, label: str = "", owner_id: str | None = None) -> Owner:
        """Return an owner, made now when there is none of that id (default: a new one)."""
        with self.engine.begin() as connection:
            found = _owner(connection, owner_id) if owner_id else None
            if found is not None:
                return found
            made = Owner(owner_id or new_id(), kind, now(connection), label[:200])
            values = {**asdict(made), "kind": kind.value, "seen": made.created}
            connection.execute(insert(owners).values(values))
            return made

    def find_owner(self, owner_id: str) -> Owner | None:
        """Return an owner, or None when there is none of that id."""
        with reading(self.engine) as connection:
            return _owner(connection, owner_id)

    # ---- handing in ----------------------------------------------------------------------------

    def submit(
        self,
        values: Mapping[str, Any],
        owner_id: str,
        ask: Ask | None = None,
        *,
        said: Mapping[str, Any] | None = None,
    ) -> list[Job]:
        """Hand in the jobs of a request: all of them, or none.

        Args:
            values: settings under today's or an old name.
            owner_id: who asks.
            ask: how the jobs are treated.
            said: the settings as the request had them, where the face changed them (by fetching
                pictures): the same request again is known by these.

        Raises:
            SettingsError: what is asked for cannot be drawn, or not here.
            QueueFull: too many jobs wait already.
            Conflict: the idempotency key was used for another request.
        """
        return self._submit(values, owner_id, ask or Ask(), _Origin(said=said))

    def continue_from(
        self,
        job_id: str,
        owner_id: str,
        changes: Mapping[str, Any] | None = None,
        *,
        step: int | None = None,
        ask: Ask | None = None,
    ) -> Job:
        """Hand in a job that goes on from another's picture, with other settings where given.

        It goes on from the other's last checkpoint, losslessly, where there is one; else, or from
        the picture of an earlier step, from the picture alone. Its `iterations` are further steps.

        Args:
            job_id: the job to go on from: one's own, or published.
            owner_id: who asks.
            changes: settings that differ.
            step: the step whose picture to start from; default: the last.
            ask: how the job is treated.

        Raises:
            NotFound: there is no such job for this owner, or no picture at that step.
            Conflict: the job has no picture yet.
        """
        with reading(self.engine) as connection:
            parent = self._visible(connection, job_id, owner_id)
            pictures = events.frames(connection, job_id)
        if step is not None and step not in pictures:
            raise NotFound(f"job {job_id} has no picture of step {step}")
        values = {**parent.settings, **(changes or {})}
        checkpoint = None
        if step is None and parent.checkpoint is not None:
            checkpoint = {**parent.checkpoint, "job_id": job_id}
        else:
            values["init_image"] = _picture(parent, pictures, step)
        origin = _Origin(job_id, checkpoint, frozenset(pictures.values()))
        return self._submit(values, owner_id, ask or Ask(), origin)[0]

    def _submit(
        self, values: Mapping[str, Any], owner_id: str, ask: Ask, origin: _Origin
    ) -> list[Job]:
        _check(ask, self.config.caps.batch)
        settings = intake.read(values, self.config.caps)
        batch = intake.seeds(settings, ask.count)
        for one in batch:
            intake.require_affordable(one, self.config.caps)  # each seed chooses for itself
            intake.require_no_files(one)
            intake.require_allowed(one, self._checks)
        fingerprint = _fingerprint(values if origin.said is None else origin.said, ask, origin)
        with self.engine.begin() as connection:
            # One request of an owner at a time: caps and keys are exact.
            owner = select(owners.c.id).where(owners.c.id == owner_id).with_for_update()
            if connection.execute(owner).first() is None:
                raise NotFound("there is no such owner")
            if ask.idempotency_key is not None:
                before = _earlier(connection, owner_id, ask.idempotency_key)
                if before:
                    if before[0].fingerprint != fingerprint:
                        raise Conflict(
                            f"the idempotency key {ask.idempotency_key!r} was used for another "
                            "request: use a new one"
                        )
                    return before
            self._require_room(connection, owner_id, ask.count)
            for key in intake.keys_of(settings.given()):
                self._require_readable(connection, key, owner_id)
            made = _new_jobs(batch, owner_id, ask, origin, self.config, fingerprint)
            return [self.queue.submit(connection, job) for job in made]

    def _require_room(self, connection: Connection, owner_id: str, count: int) -> None:
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

    def _require_readable(self, connection: Connection, key: str, owner_id: str) -> None:
        """Make sure that a file named in settings is there, and the owner's to use.

        An upload is named after the hash of its bytes: who knows it has the bytes.
        """
        kind, name = key.split("/")[:2]
        if kind == "uploads":
            readable = uploads.touch(connection, key)
        else:
            try:
                readable = gallery.shows(self._visible(connection, name, owner_id), key, connection)
            except NotFound:
                readable = False
        if not readable or not self.store.exists(key):
            raise SettingsError(f"there is no picture {key}: upload it (again)")

    # ---- acts on jobs --------------------------------------------------------------------------

    def cancel(self, job_id: str, owner_id: str) -> Job:
        """Cancel a job; what it has drawn so far is kept as its result.

        Raises:
            NotFound: the owner has no such job.
            Conflict: it has ended.
        """
        with self.engine.begin() as connection:
            job = self._mine(connection, job_id, owner_id)
            if job.state.ended and job.state is not State.CANCELED:
                raise Conflict(f"the job is over already: it is {job.state.value}")
            self.queue.cancel(connection, job_id)
            return job_of(row_of(connection, job_id))

    def retry(self, job_id: str, owner_id: str) -> Job:
        """Hand a failed or canceled job in again; it goes on from its last checkpoint.

        Raises:
            NotFound: the owner has no such job.
            Conflict: it is neither.
            QueueFull: too many jobs wait already.
        """
        with self.engine.begin() as connection:
            self._mine(connection, job_id, owner_id)
            self._require_room(connection, owner_id, 1)
            self.queue.retry(connection, job_id)
            return job_of(row_of(connection, job_id))

    def like(self, job_id: str, owner_id: str, liked: bool = True) -> int:
        """Like a job (once), or no longer; return how many like it.

        Raises:
            NotFound: there is no such job for this owner.
        """
        with self.engine.begin() as connection:
            self._visible(connection, job_id, owner_id)
            row_of(connection, job_id, lock=True)  # two clicks at once are one like
            mine = (likes.c.job_id == job_id) & (likes.c.owner_id == owner_id)
            connection.execute(delete(likes).where(mine))
            if liked:
                values = {"job_id": job_id, "owner_id": owner_id, "created": now(connection)}
                connection.execute(insert(likes).values(values))
            counted = select(func.count()).where(likes.c.job_id == job_id)
            return int(connection.execute(counted).scalar_one())

    def publish(self, job_id: str, owner_id: str, public: bool = True) -> Job:
        """Show a job to others, in the gallery and by its link, or no longer.

        Raises:
            NotFound: the owner has no such job.
        """
        with self.engine.begin() as connection:
            self._mine(connection, job_id, owner_id)
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(public=public))
            return job_of(row_of(connection, job_id))

    def delete(self, job_id: str, owner_id: str) -> Job:
        """Delete a job, canceling it first; `undelete` undoes it until retention clears it away.

        Raises:
            NotFound: the owner has no such job.
        """
        with self.engine.begin() as connection:
            self._mine(connection, job_id, owner_id)
            # Marked first: whoever is told of the end sees that it is not wanted.
            values = {"deleted_at": now(connection)}
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(values))
            self.queue.cancel(connection, job_id)
            return job_of(row_of(connection, job_id))

    def undelete(self, job_id: str, owner_id: str) -> Job:
        """Undo a deletion.

        Raises:
            NotFound: the owner had no such job, or it has been cleared away.
        """
        with self.engine.begin() as connection:
            self._mine(connection, job_id, owner_id, deleted=True)
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(deleted_at=None))
            return job_of(row_of(connection, job_id))

    def hide(self, job_id: str, hidden: bool = True) -> Job:
        """Take a job out of others' sight, whatever its owner says: an administrator's act.

        Raises:
            NotFound: there is no such job.
        """
        with self.engine.begin() as connection:
            row_of(connection, job_id, lock=True)
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(hidden=hidden))
            return job_of(row_of(connection, job_id))

    def pause(self) -> None:
        """Start no further jobs."""
        with self.engine.begin() as connection:
            self.queue.pause(connection)

    def resume(self) -> None:
        """Start jobs again."""
        with self.engine.begin() as connection:
            self.queue.resume(connection)

    # ---- questions -----------------------------------------------------------------------------

    def get(self, job_id: str, viewer_id: str | None) -> JobView:
        """Return a job of the viewer's, or a published one.

        Raises:
            NotFound: there is no such job for this viewer.
        """
        with reading(self.engine) as connection:
            job = self._visible(connection, job_id, viewer_id)
            return gallery.views(connection, self.queue, [job], viewer_id, frames=True)[0]

    def list_mine(
        self,
        owner_id: str,
        *,
        state: State | None = None,
        batch_id: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page:
        """Return an owner's jobs, newest first.

        Args:
            owner_id: whose.
            state: only jobs of this state.
            batch_id: only jobs of this batch.
            cursor: `Page.next` of the page before.
            limit: jobs of a page, at most 200.
        """
        with reading(self.engine) as connection:
            found = gallery.mine(connection, owner_id, state, batch_id, cursor, limit)
            return gallery.page(connection, self.queue, found, owner_id, limit, "created")

    def gallery(
        self,
        viewer_id: str | None,
        *,
        words: str = "",
        drawer: str = "",
        liked: bool = False,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page:
        """Return published pictures, newest first.

        Args:
            viewer_id: who looks; None = somebody unknown.
            words: all of these must occur in the prompt, the drawer, the styles or the palette.
            drawer: only of this drawer.
            liked: only what the viewer likes.
            cursor: `Page.next` of the page before.
            limit: pictures of a page, at most 200.
        """
        with reading(self.engine) as connection:
            by = (viewer_id or "") if liked else None
            found = gallery.public(connection, words, drawer, by, cursor, limit)
            return gallery.page(connection, self.queue, found, viewer_id, limit, "finished")

    def events_since(
        self, job_id: str, viewer_id: str | None, seq: int = 0, limit: int = 500
    ) -> list[Event]:
        """Return what happened to a job after event `seq`, oldest first.

        Raises:
            NotFound: there is no such job for this viewer.
        """
        with reading(self.engine) as connection:
            self._visible(connection, job_id, viewer_id)
            return events.since(connection, job_id, seq, limit)

    def all_events_since(self, owner_id: str, place: str = "", limit: int = 500) -> list[Event]:
        """Return what happened to all jobs of an owner after a place, in one order."""
        with reading(self.engine) as connection:
            return events.all_since(connection, owner_id, place, limit)

    def here(self) -> str:
        """Return the place after which `all_events_since` gives only what is still to come."""
        with reading(self.engine) as connection:
            return events.here(connection)

    def workers(self) -> list[WorkerInfo]:
        """Return the workers heard of lately."""
        with reading(self.engine) as connection:
            return self.queue.workers(connection)

    def counts(self) -> dict[State, int]:
        """Return how many jobs there are in each state, the deleted left out."""
        asked = (
            select(jobs.c.state, func.count())
            .where(jobs.c.deleted_at.is_(None))
            .group_by(jobs.c.state)
        )
        with reading(self.engine) as connection:
            found = {State(state): count for state, count in connection.execute(asked)}
        return {state: found.get(state, 0) for state in State}

    def paused(self) -> bool:
        """Whether no further jobs are started."""
        with reading(self.engine) as connection:
            return self.queue.paused(connection)

    # ---- whose is it ---------------------------------------------------------------------------

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


def _no_job(job_id: str) -> NotFound:
    return NotFound(f"there is no job {job_id[:40]}")


def _owner(connection: Connection, owner_id: str) -> Owner | None:
    row = connection.execute(select(owners).where(owners.c.id == owner_id)).first()
    return None if row is None else Owner(row.id, OwnerKind(row.kind), row.created, row.label)


def _check(ask: Ask, most: int) -> None:
    key = ask.idempotency_key
    if not 1 <= ask.count <= most:
        raise SettingsError(f"count {ask.count} is out of range: 1 to {most}")
    if not -100 <= ask.priority <= 100:
        raise SettingsError(f"priority {ask.priority} is out of range: -100 to 100")
    if not 0 <= ask.delay <= 86_400:
        raise SettingsError(f"delay {ask.delay:g} is out of range: 0 to 86400 seconds")
    if ask.lane not in _LANES:
        raise SettingsError(f"there is no lane {ask.lane[:20]!r}: {', '.join(_LANES)}")
    if key is not None and not (1 <= len(key) <= MAX_KEY and key.isprintable()):
        raise SettingsError(f"an idempotency key has 1 to {MAX_KEY} printable characters")


def _fingerprint(values: Mapping[str, Any], ask: Ask, origin: _Origin) -> str:
    asked = [dict(values), asdict(ask), origin.parent_id]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _earlier(connection: Connection, owner_id: str, key: str) -> list[Job]:
    """Return the jobs that were handed in with an idempotency key."""
    first = select(jobs).where(jobs.c.owner_id == owner_id, jobs.c.idempotency_key == key)
    row = connection.execute(first).first()
    if row is None or row.batch_id is None:
        return [] if row is None else [job_of(row)]
    batch = select(jobs).where(jobs.c.owner_id == owner_id, jobs.c.batch_id == row.batch_id)
    return [job_of(row) for row in connection.execute(batch.order_by(jobs.c.created, jobs.c.id))]


def _new_jobs(
    batch: Sequence[Any],
    owner_id: str,
    ask: Ask,
    origin: _Origin,
    config: StudioConfig,
    fingerprint: str,
) -> list[NewJob]:
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


def _picture(job: Job, pictures: Mapping[int, str], step: int | None) -> str:
    """Return the key of a job's picture at a step, by default its result's, else its last."""
    files: Mapping[str, str] = (job.result or {}).get("files", {})
    if step is None:
        for extension in ("png", "webp", "jpg"):
            if extension in files:
                return files[extension]
        step = max(pictures, default=None)
    if step is None:
        raise Conflict(f"job {job.id} has no picture yet")
    return pictures[step]
