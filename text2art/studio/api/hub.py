"""Who listens to which jobs, and who is told when something happened to them.

One thread waits for the database to change, looks whose jobs the new events are about, and pokes
those who listen. They read for themselves; a poke that is late or missed costs time, never an
event, since every listener also looks on its own now and then.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError

from text2art.studio.db.engine import is_postgresql, reading
from text2art.studio.db.tables import job_events, jobs
from text2art.studio.db.wake import Wake

_LOOK_SECONDS = 5.0  # between looks when nothing wakes us
_MOST_ROWS = 2000  # of one look; beyond, everybody is poked
# PostgreSQL commits in another order than it numbers: rows before the last seen may still come.
_LATE_SECONDS = 10.0
_log = logging.getLogger(__name__)


class Hub:
    """Tells listeners of changes. Start it within a running event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._wake = Wake(engine)
        self._listeners: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="studio-hub", daemon=True)
        self._closing = threading.Event()
        self.closed = False
        self._last = 0
        self._seen: dict[int, float] = {}

    def start(self) -> None:
        """Begin to wait for changes."""
        self._loop = asyncio.get_running_loop()
        self._wake.listen()
        with reading(self._engine) as connection:
            self._last = connection.execute(select(func.max(job_events.c.id))).scalar() or 0
        self._thread.start()

    def end_streams(self) -> None:
        """Let every listener end: the server is about to stop. From the loop's thread only."""
        self.closed = True
        self._poke(None)

    def close(self) -> None:
        """Stop waiting."""
        self._closing.set()
        self._wake.close()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    @contextmanager
    def listening(self, topic: str) -> Iterator[asyncio.Event]:
        """Give an event that is set when something happens: to a job's or an owner's id."""
        poke = asyncio.Event()
        self._listeners[topic].add(poke)
        try:
            yield poke
        finally:
            self._listeners[topic].discard(poke)
            if not self._listeners[topic]:
                del self._listeners[topic]

    @property
    def listeners(self) -> int:
        """How many listen."""
        return sum(map(len, self._listeners.values()))

    # ---- inside --------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._wake.wait(_LOOK_SECONDS)
                topics = self._changed() if self._listeners else None
            except DBAPIError as error:
                _log.warning("the hub cannot read the database: %s", error)
                self._closing.wait(1.0)
                continue
            except Exception:  # closing takes the connection away under our feet
                if self._closing.is_set():
                    return
                _log.exception("the hub failed")
                self._closing.wait(1.0)
                continue
            if topics != set() and self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._poke, topics)

    def _changed(self) -> set[str] | None:
        """Return the jobs and owners with new events; None when there are too many to tell."""
        postgresql = is_postgresql(self._engine)
        now = time.monotonic()
        after = self._last
        if postgresql:
            self._seen = {n: at for n, at in self._seen.items() if now - at < _LATE_SECONDS}
            after = min(self._seen, default=self._last + 1) - 1
        asked = (
            select(job_events.c.id, job_events.c.job_id, jobs.c.owner_id)
            .join(jobs, jobs.c.id == job_events.c.job_id)
            .where(job_events.c.id > after)
            .order_by(job_events.c.id.desc())
            .limit(_MOST_ROWS)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(asked).all()
        new = [
            row for row in rows if row.id > self._last or (postgresql and row.id not in self._seen)
        ]
        self._last = max([self._last, *(row.id for row in rows)])
        if postgresql:
            self._seen.update({row.id: now for row in new})
        if len(rows) == _MOST_ROWS:
            return None
        return {topic for row in new for topic in (row.job_id, row.owner_id)}

    def _poke(self, topics: set[str] | None) -> None:
        """Poke listeners; of everything where no topics are given."""
        for topic in list(self._listeners) if topics is None else topics:
            for poke in self._listeners.get(topic, ()):
                poke.set()
