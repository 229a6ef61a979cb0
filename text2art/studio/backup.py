"""Backups, and bringing them back.

A backup is a folder: the tables as lines of JSON (`database.jsonl.gz`), the files, the secrets that
the studio made for itself (without them, nobody's session finds its pictures again), and
`manifest.json`, written last. Only its owner may read it. The tables are read in one snapshot while
the studio goes on working, the files after them: every file that a row names was there before the
row. Files are written once and never changed, so a second backup into the same folder copies only
what is new.

A backup comes back into either database, so it is also the way from SQLite to PostgreSQL. What ran
at the time waits again, and goes on from its checkpoint.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, text, update
from sqlalchemy.exc import StatementError

from text2art import __version__
from text2art.errors import InputFileError, OutputError, SettingsError
from text2art.studio.db.engine import is_postgresql, now, reading
from text2art.studio.db.tables import job_events, jobs, metadata, settings_kv, workers
from text2art.studio.db.upgrade import revision
from text2art.studio.model import NotFound, State
from text2art.studio.service import Studio
from text2art.studio.store import check_key

FORMAT = 1
MANIFEST, DATABASE, FILES, SECRETS = "manifest.json", "database.jsonl.gz", "files", "secrets"
_LEFT_OUT = frozenset({workers.name})  # workers of another time
_MINE_ALONE = frozenset({"procrastinate_schema"})  # of `settings_kv`: facts about this database
_PART = ".part"
_AT_ONCE = 500  # rows of one statement
_DAMAGE = (OSError, EOFError, ValueError, LookupError, TypeError, StatementError, zlib.error)
MAX_LINE = 4_000_000  # characters


@dataclass(frozen=True)
class Manifest:
    """What a backup holds."""

    format: int
    version: str
    revision: str
    created: float
    rows: int
    files: int
    bytes: int


def backup(studio: Studio, folder: Path) -> Manifest:
    """Write (or bring up to date) a backup; the studio may go on working.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / MANIFEST).unlink(missing_ok=True)  # until it is whole, it is none
        part = folder / f"{DATABASE}{_PART}"
        with _snapshot(studio.engine) as connection, gzip.open(part, "wt", encoding="utf-8") as out:
            created, version = now(connection), revision(connection)
            rows = 0
            for line in _lines(connection):
                out.write(line + "\n")
                rows += 1
        part.replace(folder / DATABASE)
        count, size = _copy_files(studio, folder / FILES)
        _copy_secrets(studio.config.data / SECRETS, folder / SECRETS)
        manifest = Manifest(FORMAT, __version__, version, created, rows, count, size)
        (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1), "utf-8")
        return manifest
    except OSError as error:
        raise OutputError(f"the backup cannot be written to {folder}: {error}") from error


def restore(studio: Studio, folder: Path) -> Manifest:
    """Bring a backup back into an empty studio, which is to be started anew after it.

    Whatever it holds besides jobs (sessions, keys, addresses) is replaced.

    Raises:
        InputFileError: the folder holds no whole backup, or one of a newer version.
        SettingsError: the studio is not empty.
    """
    manifest = read_manifest(folder)
    with studio.engine.begin() as connection:
        here = revision(connection)
        if manifest.format > FORMAT or manifest.revision > here:
            raise InputFileError(
                f"the backup was made by text2art {manifest.version}, which is newer: install that"
            )
        if connection.execute(select(func.count()).select_from(jobs)).scalar_one():
            raise SettingsError("a backup comes back into an empty studio only; this one has jobs")
        try:
            _load(connection, folder / DATABASE)
        except _DAMAGE as error:
            reason = str(error).splitlines()[0]
            raise InputFileError(f"{folder / DATABASE} is damaged: {reason}") from error
        _settle(connection)
        # Inside the transaction: rows whose files could not be brought back are not brought back.
        for path in sorted((folder / FILES).rglob("*")):
            if path.is_file() and path.suffix != _PART:
                studio.store.put_file(path.relative_to(folder / FILES).as_posix(), path)
    _copy_secrets(folder / SECRETS, studio.config.data / SECRETS)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Read what a backup says of itself.

    Raises:
        InputFileError: the folder holds no whole backup.
    """
    try:
        values = json.loads((folder / MANIFEST).read_text("utf-8"))
        return Manifest(**values)
    except (OSError, ValueError, TypeError) as error:
        raise InputFileError(f"{folder} holds no whole backup: {error}") from None


@contextlib.contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """Give a connection that sees the database as it was when it first read."""
    with reading(engine) as connection:
        if is_postgresql(connection):
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        yield connection


def _lines(connection: Connection) -> Iterator[str]:
    for table in _tables():
        rows = connection.execution_options(yield_per=_AT_ONCE).execute(
            select(table).order_by(*table.primary_key.columns)
        )
        for row in rows:
            if table is settings_kv and row.key in _MINE_ALONE:
                continue
            yield json.dumps([table.name, row._asdict()], ensure_ascii=False)


def _load(connection: Connection, file: Path) -> None:
    tables = {table.name: table for table in _tables()}
    for table in reversed(_tables()):
        everything = delete(table)
        if table is settings_kv:
            everything = everything.where(settings_kv.c.key.not_in(_MINE_ALONE))
        connection.execute(everything)
    waiting: tuple[Table, list[dict[str, Any]]] | None = None
    with gzip.open(file, "rt", encoding="utf-8") as source:
        while line := source.readline(MAX_LINE):
            name, row = json.loads(line)
            table = tables[name]
            if unknown := set(row) - set(table.columns.keys()):
                raise ValueError(f"{name} has no columns {sorted(unknown)}")
            if waiting is not None and (waiting[0] is not table or len(waiting[1]) >= _AT_ONCE):
                connection.execute(insert(waiting[0]), waiting[1])
                waiting = None
            if waiting is None:
                waiting = (table, [])
            waiting[1].append(row)
    if waiting is not None:
        connection.execute(insert(waiting[0]), waiting[1])


def _settle(connection: Connection) -> None:
    """Make rows fit this database: no claims, no tickets, no transactions of the other's."""
    connection.execute(
        update(jobs)
        .where(jobs.c.state == State.RUNNING.value)
        .values(
            state=State.QUEUED.value,
            worker=None,
            lease_until=None,
            max_attempts=jobs.c.max_attempts + 1,
        )
    )
    connection.execute(update(jobs).values(ticket=None, ticket_worker=None))
    connection.execute(update(job_events).values(tx=0))
    if is_postgresql(connection):
        # Rows came with their numbers; the next one has to be greater.
        asked = "SELECT setval(pg_get_serial_sequence('job_events', 'id'), coalesce(max(id), 1))"
        connection.execute(text(f"{asked} FROM job_events"))


def _tables() -> list[Table]:
    """Return the tables, those that others refer to first."""
    return [table for table in metadata.sorted_tables if table.name not in _LEFT_OUT]


def _copy_files(studio: Studio, folder: Path) -> tuple[int, int]:
    count = size = 0
    for file in studio.store.walk():
        target = folder.joinpath(*check_key(file.key).split("/"))
        count, size = count + 1, size + file.bytes
        if target.is_file() and target.stat().st_size == file.bytes:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + _PART)
        with contextlib.suppress(NotFound):  # retention was quicker
            studio.store.fetch(file.key, part)
            part.replace(target)
    return count, size


def _copy_secrets(source: Path, target: Path) -> None:
    if not source.is_dir():
        return
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in source.iterdir():
        if path.is_file():
            shutil.copyfile(path, target / path.name)
            (target / path.name).chmod(0o600)
