"""What faces ask of the studio: one method per act, one transaction each.

Who asks is an owner's id, which the face has made sure of. Others' jobs that are not published do
not exist for an owner: asking for them is `NotFound`, never "not allowed".

`service_submit` hands in, `service_acts` acts on jobs, `service_questions` answers.
"""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, insert, select

from text2art.studio import events, outbox
from text2art.studio.config import StudioConfig
from text2art.studio.db.engine import now, open_engine, reading
from text2art.studio.db.tables import owners
from text2art.studio.db.upgrade import upgrade
from text2art.studio.ids import new_id
from text2art.studio.model import Owner, OwnerKind
from text2art.studio.queue.opening import open_queue
from text2art.studio.service_acts import Acting
from text2art.studio.service_ask import MAX_KEY, Ask
from text2art.studio.service_questions import Asking
from text2art.studio.service_submit import Submitting
from text2art.studio.store import Store

__all__ = ["LOCAL", "MAX_KEY", "Ask", "Studio"]

LOCAL = "local"  # the owner of what the machine's own user asks for


class Studio(Submitting, Acting, Asking):
    """All acts of the studio. Safe for threads; make one per process."""

    @classmethod
    def open(cls, config: StudioConfig) -> Studio:
        """Open database, queue and files; bring the database up to date.

        Raises:
            SettingsError: the configuration cannot be used.
            MissingExtra: a driver is not installed.
            OutputError: files cannot be written where they are to be.
        """
        files = Store(config.files_url)
        files.try_out()
        upgrade(config.database_url)
        engine = open_engine(config.database_url)
        queue = open_queue(
            engine,
            lease_seconds=config.lease_seconds,
            max_attempts=config.max_attempts,
            running_per_owner=config.caps.running_per_owner,
            on_end=outbox.enqueue,
        )
        studio = cls(config, engine, queue, files)
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


def _owner(connection: Connection, owner_id: str) -> Owner | None:
    row = connection.execute(select(owners).where(owners.c.id == owner_id)).first()
    return None if row is None else Owner(row.id, OwnerKind(row.kind), row.created, row.label)
