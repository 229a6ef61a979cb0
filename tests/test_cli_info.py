"""Commands that look around: lists, doctor, weights, show, help."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli_tools import Cli, draw, left
from text2art import __version__, fields


def test_help_and_lists_need_no_torch(here: Path) -> None:
    code = (
        "import sys\n"
        "from text2art.cli.main import run\n"
        "for words in (['--help'], ['draw', '--help'], ['list', 'settings'], ['--version']):\n"
        "    try:\n"
        "        run(words)\n"
        "    except SystemExit as end:\n"
        "        assert not end.code\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"text2art {__version__}\n"


@pytest.mark.parametrize("what", ["drawers", "perceptors", "losses", "cutouts", "settings"])
def test_list(cli: Cli, what: str) -> None:
    listed = json.loads(cli("list", what, "--json").out)
    lines = cli("list", what).out.splitlines()
    assert [entry["name"] for entry in listed] == [line.split()[0] for line in lines]
    assert all(entry["help"] for entry in listed)
    if what == "settings":
        assert [entry["name"] for entry in listed] == [row.name for row in fields.rows()]


def test_show_prints_settings_and_the_way_back(cli: Cli) -> None:
    draw(cli, "--out", "a picture.png")
    out = cli("show", "a picture.png").out
    assert "drawer: pixel" in out
    assert "# perceptor: toy" in out
    assert "text2art again 'a picture.png'" in out


def test_doctor_says_what_is_there(cli: Cli) -> None:
    answer = cli("doctor", "--json")
    states = {finding["name"]: finding["state"] for finding in json.loads(answer.out)}
    assert states["text2art"] == states["device"] == states["outputs"] == "ok"
    assert answer.code == int("broken" in states.values())
    assert left() == []


def test_doctor_fails_when_something_essential_is_broken(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEXT2ART_DEVICE", "abacus")
    answer = cli("doctor")
    assert answer.code == 1
    assert "unknown device 'abacus'" in answer.out


def test_weights_fetch_shows_progress_and_prints_paths(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from text2art.weights import fetch

    def pretend(wanted: Any, progress: Any) -> list[Path]:
        for done in range(0, 101, 5):
            progress("a.pt", done, 100)
        progress("b.pt", 10, None)
        return [Path("a.pt")]

    monkeypatch.setattr(fetch, "fetch", pretend)
    answer = cli("weights", "fetch", "ViT-B-32")
    assert (answer.code, answer.out) == (0, "a.pt\n")
    assert "354 MB, license: MIT" in answer.err
    assert answer.err.splitlines()[1:] == [f"a.pt: {i}0 %" for i in range(1, 11)]


def test_weights_fetch_offline(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXT2ART_OFFLINE", "1")
    answer = cli("weights", "fetch", "ViT-B-32")
    assert answer.code == 1
    assert "TEXT2ART_OFFLINE is set" in answer.err


def test_weights_verify(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from text2art.weights import catalog

    folder = Path("home/weights")
    folder.mkdir(parents=True)
    monkeypatch.setenv("TEXT2ART_HOME", "home")
    entry = catalog.entry("ViT-B-32")
    (folder / entry.files[0].path).write_bytes(b"not a model")
    answer = cli("weights", "verify", "ViT-B-32")
    assert answer.code == 1
    assert "has 11 bytes instead of" in answer.err
    assert cli("weights", "verify", "RN50").code == 1


def test_weights_list(cli: Cli) -> None:
    entries = json.loads(cli("weights", "list", "--json").out)
    assert {"starter", "ViT-B-32"} <= {entry["name"] for entry in entries}
    assert "ViT-B-32" in cli("weights", "list").out


def test_serve_hands_address_and_exit_code_over(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from text2art.serving import server

    called: list[dict[str, Any]] = []

    def pretend(**words: Any) -> int:
        called.append(words)
        return 130

    monkeypatch.setattr(server, "serve", pretend)
    assert cli("serve", "--port", "5999").code == 130
    assert called == [{"host": "127.0.0.1", "port": 5999}]
    assert cli("serve", "--port", "99999").code == 2
