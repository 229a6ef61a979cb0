"""Waking up when the database changes, rather than asking it again and again."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import DBAPIError
from typing_extensions import Self

from text2art.studio.db.engine import is_passing, is_postgresql

EVENTS = "text2art_events"  # channel on which PostgreSQL says that there are new events
OUTBOX = "text2art_outbox"  # channel on which PostgreSQL says that there are mails and webhooks
JOBS = "procrastinate_any_queue_v1"  # channel on which Procrastinate says that there are jobs
_SLICE = 0.5  # seconds after which a waiter sees that it was closed
_POLL = 0.1  # seconds between looks at SQLite's counter of changes, which costs microseconds


def notify(connection: Connection, channel: str, about: str = "") -> None:
    """Wake whoever listens, once the transaction commits; on SQLite the commit itself does that."""
    if is_postgresql(connection):
        connection.execute(select(func.pg_notify(channel, about)))


class Wake:
    """One waiter's ear at the database, with a connection of its own. Not for two threads at once.

    On PostgreSQL it hears notifications; on SQLite it sees that another connection committed
    anything. Either way it may wake for nothing, and whoever waits looks again after a while
    anyway: a wake-up is never the only way to learn of something.
    """

    def __init__(self, engine: Engine, channels: Sequence[str] = (EVENTS,)) -> None:
        self._engine, self._channels = engine, tuple(channels)
        self._connection: Connection | None = None
        self._version: int | None = None
        self._closed = threading.Event()
        self._waiting = threading.Lock()

    def wait(self, seconds: float) -> bool:
        """Wait for a change at most so long; return whether there was one.

        The first call listens from then on. When the database went away meanwhile, that counts as
        a change, since one may have been missed.
        """
        until = time.monotonic() + seconds
        with self._waiting:
            while not self._closed.is_set():
                left = max(0.0, until - time.monotonic())
                try:
                    changed = self._look(left)
                except Exception as error:
                    if not is_passing(error):
                        raise
                    self._drop()
                    self._closed.wait(min(1.0, left))
                    changed = True
                if changed or left == 0:
                    return changed
        return False

    def _look(self, seconds: float) -> bool:
        """Wait a short while; return whether there was a change."""
        driver = self._driver()
        if is_postgresql(self._engine):
            heard = driver.notifies(timeout=min(seconds, _SLICE), stop_after=1)
            return next(heard, None) is not None
        version = int(driver.execute("PRAGMA data_version").fetchone()[0])
        changed, self._version = version != self._version, version
        if not changed:
            self._closed.wait(min(seconds, _POLL))
        return changed

    def close(self) -> None:
        """Stop listening; a wait in another thread ends soon."""
        self._closed.set()
        with self._waiting:
            self._drop()

    def __enter__(self) -> Self:
        self.listen()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def listen(self) -> None:
        """Listen from now on, so that nothing between this and the first `wait` is missed."""
        with contextlib.suppress(DBAPIError):  # `wait` tries again
            self._driver()

    def _driver(self) -> Any:
        """Return the driver's own connection, opened and listening."""
        if self._connection is None:
            connection = self._engine.connect()
            connection.detach()  # never goes back into the pool, where it would go on listening
            driver: Any = connection.connection.dbapi_connection
            if is_postgresql(self._engine):
                driver.autocommit = True
                for channel in self._channels:
                    driver.execute(f'LISTEN "{channel}"')
            else:
                self._version = int(driver.execute("PRAGMA data_version").fetchone()[0])
            self._connection = connection
        return self._connection.connection.dbapi_connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()
