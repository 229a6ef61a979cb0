"""What is asked about jobs, the gallery and the queue; nothing here changes anything."""

from __future__ import annotations

from sqlalchemy import func, select

from text2art.studio import events, gallery
from text2art.studio.db.engine import reading
from text2art.studio.db.tables import jobs
from text2art.studio.gallery import JobView, Page
from text2art.studio.model import Event, State, WorkerInfo
from text2art.studio.service_base import Base


class Asking(Base):
    """Questions."""

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
