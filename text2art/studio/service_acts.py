"""What an owner does to a job, and the administrator to the queue."""

from __future__ import annotations

from sqlalchemy import delete, func, insert, select, update

from text2art.studio.db.engine import now
from text2art.studio.db.rows import job_of, row_of
from text2art.studio.db.tables import jobs, likes
from text2art.studio.model import Conflict, Job, State
from text2art.studio.service_base import Base


class Acting(Base):
    """Acts on jobs, one transaction each."""

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
