"""The studio's configuration: where values come from, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from text2art.errors import SettingsError
from text2art.presets import PRESETS
from text2art.studio.config import Caps, StudioConfig


def load(file: Path | None = None, environ: dict[str, str] | None = None, **flags: Any) -> Any:
    return StudioConfig.load(file, environ or {}, **flags)


def test_later_wins(tmp_path: Path) -> None:
    file = tmp_path / "studio.yaml"
    file.write_text("port: 1\nhost: 0.0.0.0\nworkers: 3\ncaps: {iterations: 50}\n")
    environ = {"TEXT2ART_STUDIO_PORT": "2", "TEXT2ART_STUDIO_HOST": "::1", "OTHER": "x"}
    config = load(file, environ, port=3, host=None)
    assert (config.port, config.host, config.workers) == (3, "::1", 3)
    assert (config.caps.iterations, config.caps.cuts) == (50, 128)


def test_the_data_folder_brings_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "studio.yaml").write_text("port: 1234")
    assert load(data=tmp_path).port == 1234
    assert load(environ={"TEXT2ART_STUDIO_DATA": str(tmp_path)}).port == 1234
    assert load(data=tmp_path / "other").port == 8000


def test_places_follow_from_the_data_folder(tmp_path: Path) -> None:
    config = load(data=tmp_path)
    assert config.database_url == f"sqlite:///{tmp_path}/studio.db"
    assert config.files_url == str(tmp_path / "files")
    given = load(data=tmp_path, database="postgresql://h/n", files="s3://bucket/x")
    assert (given.database_url, given.files_url) == ("postgresql://h/n", "s3://bucket/x")


def test_lists_and_groups_come_from_the_environment_too() -> None:
    environ = {
        "TEXT2ART_STUDIO_MAIL_ALLOW": "a@b.org, @c.org",
        "TEXT2ART_STUDIO_CAPS": "{iterations: 7}",
    }
    config = load(environ=environ)
    assert config.mail_allow == ("a@b.org", "@c.org")
    assert config.caps.iterations == 7


def test_secrets_are_not_shown() -> None:
    config = load(
        environ={"TEXT2ART_STUDIO_MAIL_PASSWORD": "s3cret", "TEXT2ART_STUDIO_ADMIN_KEY": "k3y"}
    )
    assert config.mail_password.get_secret_value() == "s3cret"
    for text in (repr(config), str(config), config.model_dump_json()):
        assert "s3cret" not in text
        assert "k3y" not in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("port: 99999", "port"),
        ("prot: 1", "Did you mean 'port'"),
        ("caps: {iteration: 1}", "Did you mean 'iterations'"),
        ("- 1", "must be a mapping"),
        ("1: 2", "must be a mapping"),
        ("a: [", "not YAML"),
        ("a: !!python/object/apply:os.system [ls]", "not YAML"),
        ("mail_security: ssl", "starttls"),
    ],
)
def test_wrong_files_are_said_in_a_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "studio.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=says) as caught:
        load(file)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"host: \xff")
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "latin.yaml")
    (tmp_path / "huge.yaml").write_text("#" * 300_000)
    with pytest.raises(SettingsError, match="larger than"):
        load(tmp_path / "huge.yaml")


def test_by_default_no_quality_tries_more_starts_than_allowed() -> None:
    assert max(preset.starts for preset in PRESETS.values()) <= Caps().starts
