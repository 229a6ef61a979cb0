"""The door to the database: SQLite by default, PostgreSQL where there is more than one machine."""

from __future__ import annotations

import contextlib
import random  # noqa: TID251 -- waits between tries; no picture depends on it
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from text2art.errors import MissingExtra, SettingsError

BUSY_SECONDS = 30  # how long a writer waits for others
START_SECONDS = 30  # how long a start waits for a database that is starting, too
_FOR_GOOD = ("authentication failed", "does not exist", "no password supplied", "No space left")
_READING = "text2art_reading"
T = TypeVar("T")


def open_engine(url: str, *, foreign_keys: bool = True) -> Engine:
    """Open a database; a SQLite file and its folder are made when they are not there.

    SQLite: WAL, every transaction takes the write lock at its beginning (`BEGIN IMMEDIATE`), so
    that none fails half-way because another wrote; `reading` is for those that only read. Commits
    reach the disk before they are answered.

    Args:
        url: sqlite:///path, or postgresql://user:password@host/name.
        foreign_keys: off for migrations, in which SQLite's tables are made anew.

    Raises:
        SettingsError: the URL is none, or of another database.
        MissingExtra: the driver is not installed.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, foreign_keys=foreign_keys)
    return _postgresql(parsed)


def is_postgresql(bind: Engine | Connection) -> bool:
    """Whether it is PostgreSQL; otherwise it is SQLite."""
    return bind.dialect.name == "postgresql"


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection whose transaction only reads: on SQLite it holds up no writer."""
    with engine.connect().execution_options(**{_READING: True}) as connection:
        yield connection


def now(connection: Connection) -> float:
    """Return seconds since 1970: by PostgreSQL's clock, which all machines share, else our own."""
    if is_postgresql(connection):
        asked = text("SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(connection.execute(asked).scalar_one())
    return time.time()


def retrying(
    engine: Engine, work: Callable[[Connection], T], seconds: float, *, only_reads: bool = False
) -> T:
    """Run work in a transaction of its own; when the database is away or busy, try again.

    The answer to a commit may get lost, so work may run again after it has taken effect: it has to
    find out (as the fences of the queue do).

    Args:
        engine: of the database.
        work: what to do.
        seconds: how long to go on trying.
        only_reads: whether the transaction only reads: see `reading`.

    Raises:
        sqlalchemy.exc.DBAPIError: the last failure, once the time is over.
    """
    until = time.monotonic() + seconds
    pause = 0.05
    while True:
        try:
            with reading(engine) if only_reads else engine.begin() as connection:
                return work(connection)
        except Exception as error:
            if not is_passing(error) or time.monotonic() + pause > until:
                raise
        time.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(pause * 2, 2.0)


def is_passing(error: BaseException) -> bool:
    """Whether a failure may be over when tried again: the database restarts, is busy, or is away.

    Procrastinate wraps the driver's errors in its own, so causes are looked at, too.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DBAPIError):
            if cause.connection_invalidated:
                return True
        elif isinstance(cause, sqlite3.OperationalError):
            return any(word in str(cause) for word in ("locked", "busy"))
        elif any(kind.__name__ == "OperationalError" for kind in type(cause).__mro__):
            return not any(word in str(cause) for word in _FOR_GOOD)  # psycopg's, if it is there
        cause = cause.__cause__
    return False


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    scheme = parsed.drivername if parsed is not None else ""
    if parsed is not None and scheme in ("sqlite", "sqlite+pysqlite"):
        return parsed
    if parsed is not None and scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    raise SettingsError(
        f"database {shown(url)!r} cannot be used: give sqlite:///FILE or "
        "postgresql://USER:PASSWORD@HOST/NAME"
    )


def shown(url: str) -> str:
    """Return a database URL without what may be a password."""
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://***@{tail}" if at else url


def _sqlite(url: URL, *, foreign_keys: bool) -> Engine:
    if not url.database or url.database == ":memory:":
        raise SettingsError("database: SQLite needs a file, as sqlite:///studio.db")
    Path(url.database).expanduser().parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where `_begun` says
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        only_reads = connection.get_execution_options().get(_READING, False)
        connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")

    return engine


def _postgresql(url: URL) -> Engine:
    try:
        import psycopg  # noqa: F401 -- only where it is wanted
    except ImportError:
        raise MissingExtra(
            "PostgreSQL needs the extra 'postgres': pip install 'text2art[postgres]'"
        ) from None
    # A machine that loses power in a transaction must not hold its locks for hours.
    options = "-c lock_timeout=20s -c idle_in_transaction_session_timeout=30s"
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=30,
        connect_args={
            "options": options,
            "connect_timeout": 10,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    )
