"""Bring a database to the tables of this version, at every start."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from text2art.errors import SettingsError
from text2art.studio.db.engine import START_SECONDS, is_postgresql, open_engine, retrying, shown

_LOCK = 0x74327561  # of PostgreSQL's advisory locks: one process upgrades at a time


def upgrade(url: str) -> None:
    """Run the migrations that the database lacks, all or none of them.

    Raises:
        SettingsError: the database was made by a newer version, or cannot be used at all.
    """
    engine = open_engine(url, foreign_keys=False)
    try:
        retrying(engine, _upgrade, START_SECONDS)
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise SettingsError(f"the database {shown(url)} cannot be used: {reason}") from error
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = alembic_config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if is_postgresql(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
    there = revision(connection)
    if there and there not in known:
        raise SettingsError(
            f"the database is of a newer text2art (its tables are {there!r}): install that "
            "version, or name another database"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def revision(connection: Connection) -> str:
    """Return the name of the migration that a database is at; names sort by age."""
    return MigrationContext.configure(connection).get_current_revision() or ""


def alembic_config() -> Config:
    """Return Alembic's configuration: the migrations lie in the package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return config
