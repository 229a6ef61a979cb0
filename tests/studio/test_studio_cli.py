"""`text2art studio` as its users run it: a process, a port, a signal."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from tests.studio.site import ended, submitted
from text2art.cli.main import app
from text2art.studio.db.engine import open_engine
from text2art.studio.db.tables import outbox
from text2art.studio.ids import new_id


@contextmanager
def serving(data: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "text2art.cli", "studio", "--port", "0", "--data", str(data)]
    process = subprocess.Popen(
        [*command, "--runner", "fake", *words], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.fullmatch(r"text2art studio: (http://127\.0\.0\.1:\d+)\n", line)
        assert match, line
        until = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{match[1]}/health")
                break
            except httpx.TransportError:
                assert time.monotonic() < until
                time.sleep(0.1)
        yield process, match[1]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


def words(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["studio", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_one_command_serves_draws_and_ends(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, url):
        with httpx.Client(base_url=url, timeout=60) as client:
            assert client.get("/").status_code == 200
            assert ended(client, submitted(client, iterations=2))["state"] == "done"
            assert client.get("/health").json()["workers"][0]["runner"] == "fake"
            listed = json.loads(words("keys", "add", "robot", "--data", str(tmp_path), "--json"))
            header = {"Authorization": f"Bearer {listed['key']}"}
            assert client.get("/api/v1/me", headers=header).json()["owner"]["label"] == "robot"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


def test_keys_backups_and_secrets(tmp_path: Path) -> None:
    data, copy, other = (str(tmp_path / name) for name in ("data", "copy", "other"))
    token = words("keys", "add", "robot", "--data", data).strip()
    assert token.startswith("t2a_")
    shown = words("keys", "list", "--data", data)
    assert "robot" in shown
    assert token not in shown
    assert "revoked" in words("keys", "revoke", shown.split()[0], "--data", data)
    assert "rows" in words("backup", copy, "--data", data)
    assert "brought back" in words("restore", copy, "--data", other)
    assert "robot" in words("keys", "list", "--data", other)
    assert words("webhook-secret", "--data", data).startswith("whsec_")


def test_what_was_not_delivered(tmp_path: Path) -> None:
    data = str(tmp_path)
    assert words("mail", "--data", data) == ""
    assert json.loads(words("mail", "--data", data, "--json")) == []
    engine = open_engine(f"sqlite:///{tmp_path / 'studio.db'}")
    letters = [new_id(), new_id(), new_id()]
    with engine.begin() as connection:
        for letter in letters:
            row = {"id": letter, "kind": "webhook", "target": "https://ada@example.org/hook?key=7"}
            more = {"payload": {}, "state": "dead", "attempts": 4, "last_error": "it says 404"}
            connection.execute(outbox.insert().values(**row, **more, created=1e9))
    engine.dispose()
    listed = words("mail", "--data", data).splitlines()
    assert listed[0] == f"{max(letters)}  2001-09-09  webhook example.org  tries 4  it says 404"
    assert len(listed) == 3
    assert json.loads(words("mail", "--data", data, "--json"))[0]["reason"] == "it says 404"
    assert words("mail", "--send-again", letters[0], "--data", data) == "1 to be tried again\n"
    assert len(words("mail", "--data", data).splitlines()) == 2
    assert words("mail", "--send-again", "all", "--data", data) == "2 to be tried again\n"
    assert words("mail", "--send-again", "all", "--data", data) == "0 to be tried again\n"


def test_the_log_is_free_of_every_request_that_is_made() -> None:
    code = """
import logging
from text2art.cli.studio import running
running._log_to_stderr()
logging.getLogger().setLevel(logging.INFO)  # as somebody who wants to see more has it
logging.getLogger("httpx").info("HTTP Request: GET ...")
logging.getLogger("text2art.studio").info("seen")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "seen" in done.stderr
    assert "HTTP Request" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runner", "horse"], "runner 'horse'"),
        (["--host", "192.0.2.1", "--port", "1234"], "cannot listen"),
        (["--mode", "open"], "mode"),
        (["--database", "oracle://x"], "database"),
        (["keys", "revoke", "x"], "no key 'x'"),
        (["mail", "--send-again", "x"], "no message 'x'"),
        (["restore", "/nowhere"], "/nowhere"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["studio", *arguments, "--data", str(tmp_path)])
    assert result.exit_code == 1, result.output
    error = result.output.strip().splitlines()[-1]
    assert error.startswith("Error: ")
    assert message.lower() in error.lower()
