"""The embedded engine, for one machine: a claim lives while its lease in SQLite is renewed.

Nothing has to be installed or started. SQLite has one writer at a time, and every transaction of
ours takes that place at its beginning, so claims are decided one at a time by themselves. Leases
are read off this machine's clock. When it is set forward by more than a lease, running jobs may be
given out again, and the fences see to it that only one of the two runs is published. When it is set
back, leases end no later than one lease from then.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, and_, select, update

from text2art.studio.db.engine import now
from text2art.studio.db.tables import jobs
from text2art.studio.model import Claim, State
from text2art.studio.queue.rows import RowQueue


class LeaseQueue(RowQueue):
    """`JobQueue` on SQLite."""

    def _one_at_a_time(self, connection: Connection) -> None:
        """`BEGIN IMMEDIATE` has seen to it."""

    def _silent(self, connection: Connection) -> list[str]:
        asked = select(jobs.c.id).where(
            jobs.c.state == State.RUNNING.value, jobs.c.lease_until < now(connection)
        )
        return list(connection.scalars(asked))

    def sweep(self) -> list[str]:
        """Requeue (or fail) jobs whose claims have gone silent; return their ids."""
        latest = self._read(now) + self.lease_seconds
        too_late = and_(jobs.c.state == State.RUNNING.value, jobs.c.lease_until > latest)
        if self._read(lambda c: c.execute(select(jobs.c.id).where(too_late)).first()) is not None:
            self._run(lambda c: c.execute(update(jobs).where(too_late).values(lease_until=latest)))
        return super().sweep()

    # The row is all there is: no further books to keep.

    def _enqueued(self, connection: Connection, job_id: str, lane: str) -> None: ...

    def _taken(self, connection: Connection, row: Row[Any]) -> tuple[int, int] | None:
        return None

    def _alive(self, connection: Connection, claim: Claim) -> None: ...

    def _requeued(self, connection: Connection, row: Row[Any]) -> None: ...

    def _asked_to_stop(self, connection: Connection, row: Row[Any]) -> None: ...

    def _ended(self, connection: Connection, row: Row[Any], state: State) -> None: ...
