"""Backups come back whole, into either database, and never by half."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.studio.conftest import BOTH
from tests.studio.test_service import ASKED, draw, drawn, owner
from text2art.errors import InputFileError, OutputError, SettingsError
from text2art.studio import backup as backup_
from text2art.studio.db.tables import jobs, metadata
from text2art.studio.model import State
from text2art.studio.service import LOCAL, Ask, Studio


def rows(studio: Studio, *without: str) -> dict[str, list[dict[str, Any]]]:
    """Read all tables, without what belongs to one database alone."""
    mine = {"ticket", "ticket_worker", "tx", *without}
    found: dict[str, list[dict[str, Any]]] = {}
    with studio.engine.connect() as connection:
        for table in metadata.sorted_tables:
            if table.name in ("workers", "settings_kv"):
                continue
            said = connection.execute(select(table).order_by(*table.primary_key.columns))
            found[table.name] = [
                {name: value for name, value in row._asdict().items() if name not in mine}
                for row in said
            ]
    return found


def busy(studio: Studio) -> str:
    """Let a studio have a bit of everything; return an owner."""
    me = owner(studio)
    job = drawn(studio, me, prompts="\U0001f34e an apple")
    studio.like(job.id, LOCAL)
    studio.submit(ASKED, me, Ask(count=3, idempotency_key="k", webhook_url="https://x.org"))
    claim = studio.queue.claim("w")
    assert claim is not None
    studio.queue.heartbeat(claim, checkpoint={"step": 3, "key": "k"})
    studio.pause()
    secrets = studio.config.data / "secrets"
    secrets.mkdir()
    (secrets / "session").write_text("s3cret")
    return me


@pytest.mark.parametrize("target", BOTH)
def test_a_backup_comes_back_whole(
    open_studio: Callable[..., Studio],
    url: str,
    new_url: Callable[[str], str],
    target: str,
    tmp_path: Path,
) -> None:
    old = open_studio(url)
    me = busy(old)
    manifest = backup_.backup(old, tmp_path / "backup")
    new = open_studio(new_url(target))
    assert backup_.restore(new, tmp_path / "backup") == manifest
    changing = ("state", "worker", "lease_until", "max_attempts")
    assert rows(new, *changing) == rows(old, *changing)
    files = [(file.key, new.store.get(file.key)) for file in new.store.walk()]
    assert files == [(file.key, old.store.get(file.key)) for file in old.store.walk()]
    secret = new.config.data / "secrets" / "session"
    assert secret.read_text() == "s3cret"
    for path in (secret, tmp_path / "backup" / "secrets" / "session"):
        assert path.stat().st_mode & 0o77 == 0
    # And it goes on: paused as it was, what ran waits, events are numbered on.
    assert new.paused()
    assert new.counts()[State.QUEUED] == 3
    new.resume()
    place = new.here()
    drawing = [new.queue.claim(f"w{n}") for n in range(4)]
    assert [claim is not None for claim in drawing] == [True, True, True, False]
    assert {claim.attempt for claim in drawing if claim} == {1, 2}
    assert [claim.checkpoint for claim in drawing if claim and claim.attempt == 2] == [
        {"step": 3, "key": "k"}
    ]
    assert len(new.all_events_since(me, place)) == 3
    for claim in drawing:
        if claim is not None:
            new.queue.give_back(claim)
            new.cancel(claim.job_id, me)
    draw(new, new.submit(ASKED, me)[0])


def test_a_second_backup_copies_what_is_new(
    open_studio: Callable[..., Studio], new_url: Callable[[str], str], tmp_path: Path
) -> None:
    studio = open_studio(new_url("sqlite"))
    folder = tmp_path / "backup"
    drawn(studio, LOCAL)
    first = backup_.backup(studio, folder)
    before = {path: path.stat().st_mtime_ns for path in (folder / "files").rglob("*.png")}
    drawn(studio, LOCAL)
    second = backup_.backup(studio, folder)
    assert (first.files, second.files) == (2, 4)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert backup_.read_manifest(folder) == second


def test_a_studio_with_jobs_is_not_overwritten(
    open_studio: Callable[..., Studio], new_url: Callable[[str], str], tmp_path: Path
) -> None:
    studio = open_studio(new_url("sqlite"))
    drawn(studio, LOCAL)
    backup_.backup(studio, tmp_path / "backup")
    before = rows(studio)
    with pytest.raises(SettingsError, match="empty studio"):
        backup_.restore(studio, tmp_path / "backup")
    assert rows(studio) == before


def damage(folder: Path, how: str) -> None:
    data, manifest = folder / backup_.DATABASE, folder / backup_.MANIFEST
    values = json.loads(manifest.read_text())
    if how == "cut":
        data.write_bytes(data.read_bytes()[:-20])
    elif how == "not gzip":
        data.write_bytes(b"hello")
    elif how == "unknown table":
        data.write_bytes(gzip.compress(b'["users", {}]\n'))
    elif how == "not JSON":
        data.write_bytes(gzip.compress(b"hello\n"))
    elif how == "unknown column":
        row = {"id": "x", "kind": "session", "created": 1.0, "admin": True}
        data.write_bytes(gzip.compress(json.dumps(["owners", row]).encode()))
    elif how == "newer":
        manifest.write_text(json.dumps({**values, "revision": "9999"}))
    elif how == "odd manifest":
        manifest.write_text(json.dumps({**values, "more": 1}))
    else:
        manifest.unlink()


@pytest.mark.parametrize(
    "how",
    [
        "cut", "not gzip", "unknown table", "not JSON", "unknown column", "newer", "odd manifest",
        "unfinished",
    ],
)  # fmt: skip
def test_a_damaged_backup_changes_nothing(
    open_studio: Callable[..., Studio], new_url: Callable[[str], str], tmp_path: Path, how: str
) -> None:
    old, new = open_studio(new_url("sqlite")), open_studio(new_url("sqlite"))
    busy(old)
    backup_.backup(old, tmp_path / "backup")
    damage(tmp_path / "backup", how)
    before = rows(new)
    with pytest.raises(InputFileError):
        backup_.restore(new, tmp_path / "backup")
    assert rows(new) == before
    with new.engine.connect() as connection:
        assert connection.execute(select(jobs)).all() == []


def test_a_folder_that_cannot_be_written_is_said(
    open_studio: Callable[..., Studio], new_url: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        backup_.backup(open_studio(new_url("sqlite")), tmp_path / "file")
