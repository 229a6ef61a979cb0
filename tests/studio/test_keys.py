"""Secrets that are made once."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from text2art.errors import OutputError
from text2art.studio.keys import kept

NONE = SecretStr("")


def test_a_given_secret_is_used_and_not_written(tmp_path: Path) -> None:
    assert kept(tmp_path, "s", SecretStr("mine")) == "mine"
    assert list(tmp_path.iterdir()) == []


def test_a_secret_is_made_once_for_its_owners_eyes(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    secret = kept(folder, "s", NONE)
    assert len(secret) >= 40
    assert kept(folder, "s", NONE) == secret
    assert kept(folder, "other", NONE) != secret
    assert stat.S_IMODE((folder / "s").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == ["other", "s"]


def test_all_who_ask_at_once_get_the_same(tmp_path: Path) -> None:
    found: list[str] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found.append(kept(tmp_path / "new", "s", NONE))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("\n")
    with pytest.raises(OutputError, match="empty"):
        kept(tmp_path, "s", NONE)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        kept(tmp_path / "file" / "below", "s", NONE)
