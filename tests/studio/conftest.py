"""Databases for the studio's tests: an empty one for each test, on both engines."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from tests.studio import postgres
from tests.studio.tools import Bench
from text2art.studio.config import StudioConfig
from text2art.studio.db.engine import open_engine
from text2art.studio.db.upgrade import upgrade
from text2art.studio.service import Studio

BOTH = ("sqlite", "postgresql")
_numbers = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """Run a PostgreSQL server for the session, with a template that has all tables."""
    folder = postgres.binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    running = postgres.Server(folder)
    try:
        _execute(running, "CREATE DATABASE prepared")
        _prepare(running.url("prepared"))
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def prepared_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite file that has all tables."""
    file = tmp_path_factory.mktemp("prepared") / "studio.db"
    upgrade(f"sqlite:///{file}")
    with open_engine(f"sqlite:///{file}").connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


@pytest.fixture(scope="session")
def databases(server: postgres.Server) -> Any:
    """Return who keeps the databases of the server."""
    from tests.studio.databases import Databases  # it needs the driver, which may not be there

    return Databases(server)


@pytest.fixture
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Return a maker of empty databases that have all tables: `new_url("postgresql")`."""
    taken: list[str] = []

    def make(kind: str) -> str:
        if kind == "sqlite":
            file = tmp_path / f"studio{next(_numbers)}.db"
            shutil.copy(request.getfixturevalue("prepared_file"), file)
            return f"sqlite:///{file}"
        server, databases = (request.getfixturevalue(name) for name in ("server", "databases"))
        taken.append(databases.take())
        return str(server.url(taken[-1]))

    yield make
    for name in taken:
        request.getfixturevalue("databases").leave(name)


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest, new_url: Callable[[str], str]) -> str:
    """Return the URL of an empty database with all tables, of each kind in turn."""
    return new_url(request.param)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """Open the database."""
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def bench(engine: Engine) -> Iterator[Bench]:
    """Return a queue on the database, and what tests do with it."""
    bench = Bench(engine)
    yield bench
    bench.queue.close()


@pytest.fixture
def studio(url: str, tmp_path: Path) -> Iterator[Studio]:
    """Open a studio on the database."""
    studio = Studio.open(StudioConfig(database=url, data=tmp_path / "data"))
    yield studio
    studio.close()


@pytest.fixture
def open_studio(tmp_path: Path) -> Iterator[Callable[..., Studio]]:
    """Return an opener of studios with other settings: `open_studio(url, caps=...)`."""
    opened: list[Studio] = []

    def make(url: str, **values: Any) -> Studio:
        values.setdefault("data", tmp_path / f"data{len(opened)}")
        opened.append(Studio.open(StudioConfig(database=url, **values)))
        return opened[-1]

    yield make
    for studio in opened:
        studio.close()


def _prepare(url: str) -> None:
    from text2art.studio.queue.opening import open_queue

    upgrade(url)
    engine = open_engine(url)
    open_queue(engine)
    engine.dispose()


def _execute(server: postgres.Server, statement: str) -> None:
    url = server.url("postgres").replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
