"""Migrations, engines, and what a database that is away or of another version does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, insert, inspect, select, text

from tests.studio.conftest import BOTH
from tests.studio.tools import Bench
from text2art.errors import SettingsError
from text2art.studio.db.engine import is_passing, open_engine, reading, retrying, shown
from text2art.studio.db.tables import metadata, owners, settings_kv
from text2art.studio.db.upgrade import alembic_config, revision, upgrade
from text2art.studio.db.wake import Wake

OWNER = {"id": "ann", "kind": "session", "created": 1.0}


def test_migrations_lead_to_the_tables(url: str, engine: Engine) -> None:
    upgrade(url)  # again: nothing happens
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        ours = [
            difference
            for difference in compare_metadata(context, metadata)
            if "procrastinate" not in str(difference)
        ]
    assert ours == []


def test_migrations_lead_back_again(new_url: Callable[[str], str]) -> None:
    url = new_url("sqlite")
    engine = open_engine(url, foreign_keys=False)
    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    engine.dispose()
    upgrade(url)


@pytest.mark.parametrize("kind", BOTH)
def test_turns_of_an_older_database_are_kept(kind: str, new_url: Callable[[str], str]) -> None:
    """Up to 0001 they were whole numbers; jobs and all else stay, and so does the order."""
    url = new_url(kind)
    engine = open_engine(url, foreign_keys=False)
    config = alembic_config()
    bench = Bench(engine)
    waiting = [bench.submit(name) for name in ("ann", "bob", "cy")]
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        for name, served in (("ann", 70_000), ("bob", 0), ("cy", 69_998)):
            row = text("UPDATE owners SET served = :served WHERE id = :id")
            connection.execute(row, {"id": name, "served": served})
    upgrade(url)
    new = bench.submit("new")
    order = [bench.claim().job_id for _ in range(4)]
    assert order == [waiting[1], new, waiting[2], waiting[0]]
    bench.queue.close()
    engine.dispose()


def test_there_is_one_line_of_migrations() -> None:
    names = [s.revision for s in ScriptDirectory.from_config(alembic_config()).walk_revisions()]
    assert names == sorted(names, reverse=True)
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == names[:1]


def test_a_newer_database_is_left_alone(url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingsError, match="of a newer text2art"):
        upgrade(url)
    with engine.connect() as connection:
        assert revision(connection) == "9999"


def test_a_migration_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/new.db"

    def fail(config: Config, revision: str) -> None:
        real(config, revision)
        raise RuntimeError("on purpose")

    real = command.upgrade
    monkeypatch.setattr(command, "upgrade", fail)
    with pytest.raises(RuntimeError, match="on purpose"):
        upgrade(url)
    engine = open_engine(url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_many_starts_at_once_upgrade_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    failures: list[BaseException] = []

    def start() -> None:
        try:
            upgrade(url)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize(
    "url",
    ["mysql://x/y", "nonsense", "", "sqlite://", "sqlite:///:memory:", "postgresql+psycopg2://"],
)
def test_urls_that_cannot_be_used(url: str) -> None:
    with pytest.raises(SettingsError, match=r"database.*(cannot be used|needs a file)"):
        open_engine(url)


def test_a_database_that_is_not_there_is_said_at_once(server: object) -> None:
    url = server.url("nowhere")  # type: ignore[attr-defined]
    with pytest.raises(SettingsError, match=r"cannot be used: .*does not exist"):
        upgrade(url)


def test_passwords_are_not_shown() -> None:
    assert shown("postgresql://me:s3cret@host/name") == "postgresql://***@host/name"
    with pytest.raises(SettingsError) as caught:
        open_engine("oracle://me:s3cret@host/name")
    assert "s3cret" not in str(caught.value)


def test_readers_do_not_hold_up_writers(new_url: Callable[[str], str]) -> None:
    engine = open_engine(new_url("sqlite"))
    with reading(engine) as reader:
        reader.execute(select(owners)).all()
        with engine.begin() as writer:
            writer.execute(insert(owners).values(OWNER))
        assert reader.execute(select(owners)).all() == []  # its snapshot
    with reading(engine) as reader:
        assert len(reader.execute(select(owners)).all()) == 1
    engine.dispose()


def test_writers_wait_for_each_other(engine: Engine) -> None:
    """Counting up in many threads loses no count, since each sees what the others wrote."""
    with engine.begin() as connection:
        connection.execute(insert(settings_kv).values(key="count", value=0))
    row = select(settings_kv.c.value).where(settings_kv.c.key == "count")

    def count() -> None:
        for _ in range(10):
            with engine.begin() as connection:
                value = connection.execute(row.with_for_update()).scalar_one()
                changed = settings_kv.update().where(settings_kv.c.key == "count")
                connection.execute(changed.values(value=value + 1))

    threads = [threading.Thread(target=count) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as connection:
        assert connection.execute(row).scalar_one() == 60


def test_work_is_tried_again_after_the_database_crashed(
    new_url: Callable[[str], str], request: pytest.FixtureRequest
) -> None:
    engine = open_engine(new_url("postgresql"))
    server = request.getfixturevalue("server")
    tries: list[int] = []

    def work(connection: Connection) -> int:
        tries.append(1)
        if len(tries) == 1:
            server.crash()
        return int(connection.execute(text("SELECT 7")).scalar_one())

    assert retrying(engine, work, 30) == 7
    assert len(tries) >= 2
    engine.dispose()


def test_faults_of_the_program_are_not_tried_again(engine: Engine) -> None:
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(1)
        connection.execute(text("SELECT * FROM no_such_table"))

    with pytest.raises(Exception, match="no_such_table") as caught:
        retrying(engine, work, 30)
    assert not is_passing(caught.value)
    assert len(tries) == 1


def test_waking_up_at_a_change(engine: Engine) -> None:
    from text2art.studio.db.engine import is_postgresql

    with Wake(engine, ["text2art_test"]) as wake:
        assert not wake.wait(0.01)
        with engine.begin() as connection:
            if is_postgresql(connection):
                connection.execute(text("SELECT pg_notify('text2art_test', '')"))
            else:
                connection.execute(insert(owners).values(OWNER))
        assert wake.wait(30)
        assert not wake.wait(0.01)


def test_closing_ends_a_wait(engine: Engine) -> None:
    wake = Wake(engine, ["text2art_test"])
    wake.listen()
    waiter = threading.Thread(target=wake.wait, args=(60,))
    waiter.start()
    time.sleep(0.05)
    wake.close()
    waiter.join(30)
    assert not waiter.is_alive()
