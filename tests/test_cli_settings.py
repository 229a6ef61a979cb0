"""Settings on the command line: flags, words, files, old names, plug-ins."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli_tools import PROGRAM, TINY, Cli, draw
from text2art import fields
from text2art.cli.draw import settings_of, spell_video
from text2art.media.png import read_record


def test_flags_beat_words_beat_the_file(cli: Cli) -> None:
    Path("s.yaml").write_text("seed: 1\ncuts: 2\nprompts: a boat\nquality: best\nnum_cuts: 2\n")
    assert "same setting" in cli("draw", "--settings", "s.yaml").err
    Path("s.yaml").write_text("seed: 1\nnum_cuts: 2\nprompts: a boat\nquality: best\n")
    settings = ["--settings", "s.yaml", *(f for f in TINY if "cuts" not in f), "-q", "-o", "a.png"]
    assert cli("draw", *settings, "seed=2", "cuts=3", "--seed", "3").code == 0
    record = read_record(Path("a.png"))["settings"]
    assert (record["seed"], record["cuts"], record["quality"]) == (3, 3, "best")
    assert record["prompts"] == ["a boat"]
    assert cli("draw", *settings, "a cat", "a dog:-0.5").code == 0
    assert read_record(Path("a.png"))["settings"]["prompts"] == ["a cat", "a dog:-0.5"]


def test_every_setting_has_a_flag_and_old_names_work(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    text = " ".join(cli("draw", "--help").out.split())
    for row in fields.rows():
        if row.name != "prompts":
            assert row.flag in text
    answer = cli(
        "draw", "--prompts", "a boat", "--use_pixeldraw", "--num_cuts", "4", "--size=32x32",
        "--max-iterations=2", "--perceptors=toy", "--no-auto-stop", "--pixel.cells", "4x4",
        "--pixel.learning-rate=0.2", "-q", "-o", "a.png",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    record = read_record(Path("a.png"))["settings"]
    assert record["drawer"] == "pixel"
    assert record["cuts"] == 4
    assert record["iterations"] == 2
    assert record["pixel"] == {"cells": [4, 4], "learning_rate": 0.2}


def test_old_words_are_read_on_the_command_line(cli: Cli) -> None:
    tiny = [word for word in TINY if "size" not in word]
    for words in (["--ezsize", "Small"], ["ezsize=SMALL"]):
        assert cli("draw", "a boat", *tiny, *words, "-q", "-o", "a.png").code == 0
        assert read_record(Path("a.png"))["settings"]["scale"] == 1.0
    answer = cli("draw", "a boat", *tiny, "--ezsize", "huge")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == "Error: ezsize 'huge' is not known: use small, medium, large\n"
    assert "--ezsize" not in cli("draw", "--help").out


def test_values_that_begin_like_flags(cli: Cli) -> None:
    assert draw(cli, "--stop-score", "-0.5", "--out", "a.png").code == 0
    assert read_record(Path("a.png"))["settings"]["stop_score"] == -0.5
    assert cli("draw", *TINY, "--out", "b.png", "--", "-a dash first").code == 0
    assert read_record(Path("b.png"))["settings"]["prompts"] == ["-a dash first"]


@pytest.mark.parametrize(
    ("given", "spelled"),
    [
        (["draw", "--video", "a red apple"], ["draw", "--video=auto", "a red apple"]),
        (["draw", "a", "--video", "b.MP4"], ["draw", "a", "--video=b.MP4"]),
        (["draw", "a", "--video"], ["draw", "a", "--video=auto"]),
        (["draw", "--video", "--video", "x.gif"], ["draw", "--video=auto", "--video=x.gif"]),
        (["draw", "--video", "--json", "a"], ["draw", "--video=auto", "--json", "a"]),
        (["draw", "--", "--video"], ["draw", "--", "--video"]),
        (["draw", "--video", "--", "x.gif"], ["draw", "--video=auto", "--", "x.gif"]),
        (["draw", "--video=x.gif"], ["draw", "--video=x.gif"]),
    ],
)
def test_a_bare_video_flag_never_swallows_a_prompt(given: list[str], spelled: list[str]) -> None:
    assert spell_video(given) == spelled


def test_video_names_its_format() -> None:
    settings = settings_of(["a"], [{"video_format": "mp4"}], {}, "x.GIF")
    assert settings.make_video
    assert settings.video_format == "gif"


def test_options_of_a_plug_in_are_flags(tmp_path: Path) -> None:
    info = tmp_path / "stripes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stripes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[text2art.drawers]\nstripes = stripes:component\n")
    (tmp_path / "stripes.py").write_text(
        "from pydantic import Field\n"
        "from text2art.options import Options\n"
        "from text2art.registry import Component\n"
        "class StripeOptions(Options):\n"
        "    count: int = Field(5, ge=1, description='How many stripes.')\n"
        "component = Component('stripes', 'x:y', 'Stripes.', 'stripes:StripeOptions')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "200"}
    answer = subprocess.run(
        [*PROGRAM, "draw", "--help"], capture_output=True, text=True, env=environment, check=True
    )
    assert "--stripes.count" in answer.stdout
    assert "How many stripes. (default: 5)" in answer.stdout
    assert "pixel|pyramid|fft|vqgan|clipdraw|line|shapes|stripes" in answer.stdout
