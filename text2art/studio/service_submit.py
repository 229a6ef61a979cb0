"""Handing in: what is asked for, checked, becomes jobs in the queue: all of them, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from text2art.errors import SettingsError
from text2art.settings import Settings
from text2art.studio import events, faults, gallery, intake, uploads
from text2art.studio.db.engine import reading
from text2art.studio.db.tables import owners
from text2art.studio.model import Conflict, Job, NotFound
from text2art.studio.service_ask import Ask, Origin, check, earlier, fingerprint_of, new_jobs
from text2art.studio.service_base import Base


class Submitting(Base):
    """Hands in jobs."""

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
        return self._submit(values, owner_id, ask or Ask(), Origin(said=said))

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
        origin = Origin(job_id, checkpoint, frozenset(pictures.values()))
        return self._submit(values, owner_id, ask or Ask(), origin)[0]

    def _submit(
        self, values: Mapping[str, Any], owner_id: str, ask: Ask, origin: Origin
    ) -> list[Job]:
        check(ask, self.config.caps.batch)
        batch = faults.reading(values, lambda given: self._read(given, ask.count))
        fingerprint = fingerprint_of(values if origin.said is None else origin.said, ask, origin)
        with self.engine.begin() as connection:
            # One request of an owner at a time: caps and keys are exact.
            owner = select(owners.c.id).where(owners.c.id == owner_id).with_for_update()
            if connection.execute(owner).first() is None:
                raise NotFound("there is no such owner")
            if ask.idempotency_key is not None:
                before = earlier(connection, owner_id, ask.idempotency_key)
                if before:
                    if before[0].fingerprint != fingerprint:
                        raise Conflict(
                            f"the idempotency key {ask.idempotency_key!r} was used for another "
                            "request: use a new one"
                        )
                    return before
            self._require_room(connection, owner_id, ask.count)
            for key in sorted(intake.keys_of(batch[0].given())):
                with faults.about(faults.naming(values, key)):
                    self._require_readable(connection, key, owner_id)
            made = new_jobs(batch, owner_id, ask, origin, self.config, fingerprint)
            return [self.queue.submit(connection, job) for job in made]

    def _read(self, values: Mapping[str, Any], count: int) -> list[Settings]:
        """Return the settings of a batch, checked in every way that needs no database."""
        caps = self.config.caps
        batch = intake.seeds(intake.read(values, caps), count)
        for one in batch:
            intake.require_affordable(one, caps)  # each seed chooses for itself
            intake.require_no_files(one)
            intake.require_allowed(one, self._checks)
        return batch

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
