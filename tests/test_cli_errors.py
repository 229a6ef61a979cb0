"""What goes wrong on the command line: one clear line, an exit code, nothing half-done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.cli_tools import PROGRAM, TINY, Cli, draw, left
from text2art.cli import outputs, progress
from text2art.cli.main import run
from text2art.media.png import read_record


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["draw"], "no prompt was given"),
        (["draw", ""], "a prompt is empty"),
        (["draw", "a" * 3000], "3000 characters"),
        (["draw", "a", "--drawer", "pixle"], "Did you mean 'pixel'?"),
        (["draw", "a", "draver=pixel"], "unknown setting 'draver'. Did you mean 'drawer'?"),
        (["draw", "a", "pixel.cels=3x3"], "Did you mean 'cells'?"),
        (["draw", "a", "--losses", "smothness:1"], "Did you mean 'smoothness'?"),
        (["draw", "a", "--size", "1x1"], "out of range"),
        (["draw", "a", "--size", "huge"], "is not a size"),
        (["draw", "a", "--iterations", "0"], "greater than or equal to 1, given '0'"),
        (["draw", "a", "--iterations", "many"], "given 'many'"),
        (["draw", "a", "--quality", "bst"], "'draft', 'normal', 'better', 'best', 'supreme'"),
        (["draw", "a", "--seed=-1"], "seed -1 is out of range"),
        (["draw", "a", "--out", "a.bmp"], "use .png or .webp"),
        (["draw", "a", "--out", "."], "it is a folder"),
        (["draw", "a", "--video=a.avi"], "video_format"),
        (["draw", "a", "--settings", "none.yaml"], "there is no settings file"),
        (["draw", "a", "--settings", "a.txt"], "the ending must be one of"),
        (["draw", "a", "--perceptor", "ViT-B-99"], "ViT-B-99"),
        (["draw", "a", "--init-image", "none.png", *TINY], "none.png"),
        (["draw", "@none.png", *TINY], "none.png"),
        (["again", "none.png"], "there is no file 'none.png'"),
        (["show", "none.yaml"], "there is no settings file"),
        (["weights", "verify", "ViT-B-33"], "Did you mean"),
    ],
)  # fmt: skip
def test_errors_are_one_line_and_code_1(cli: Cli, arguments: Sequence[str], says: str) -> None:
    answer = cli(*arguments)
    assert answer.code == 1
    assert answer.out == ""
    lines = [line for line in answer.err.splitlines() if not line.startswith("perceptor:")]
    if len(lines) == 3:  # a text that cannot be read, and a caret under the fault
        assert lines.pop().strip() == "^"
        assert lines.pop() in arguments
    (line,) = lines
    assert line.startswith("Error: ")
    assert says in line
    assert left() == []


@pytest.mark.parametrize(
    "arguments", [["draw", "a", "--drawr", "x"], ["paint"], ["list", "dogs"], ["again"]]
)
def test_usage_errors_are_code_2(cli: Cli, arguments: Sequence[str]) -> None:
    answer = cli(*arguments)
    assert answer.code == 2
    assert "Usage: text2art" in answer.err


def test_errors_are_events_too_in_json_mode(cli: Cli) -> None:
    answer = cli("draw", "a", "--json", "--drawer", "pixle")
    assert answer.code == 1
    (event,) = answer.events
    assert event["event"] == "error"
    assert "pixel" in event["error"]
    assert answer.err.startswith("Error: ")


def test_what_cannot_be_written_is_told_before_drawing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    Path("file").touch()
    for arguments in (
        ["--out", "file/a.png"],
        ["--frames", "file"],
        ["--frames", "file/deeper"],
        ["--video", "file/a.gif"],
    ):
        answer = draw(cli, *arguments)
        assert answer.code == 1, arguments
        assert "not a folder" in answer.err
        assert "step" not in answer.err
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "av" else find(name, *a)
    )
    answer = draw(cli, "--video")
    assert "pip install 'text2art[video]'" in answer.err
    assert left() == ["file"]


def test_a_bug_keeps_its_traceback(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(outputs, "check", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        run(["draw", "a", *TINY])


# ---- interrupted -----------------------------------------------------------------------------


def interrupt_at(step: int, monkeypatch: pytest.MonkeyPatch, *signals: int) -> None:
    """Send signals to this process when the frame of a step is reported."""
    report = progress.Events.step

    def reporting(self: Any, frame: Any, *rest: Any) -> None:
        report(self, frame, *rest)
        if frame.step == step:
            for number in signals:
                os.kill(os.getpid(), number)

    monkeypatch.setattr(progress.Events, "step", reporting)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_interrupt_saves_the_picture(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    interrupt_at(2, monkeypatch, number)
    answer = draw(
        cli, "--iterations=500", "--display-every=1", "--json", "--out=a.png", "--video=a.gif"
    )
    assert answer.code == 130
    *frames, done = answer.events
    assert [e["step"] for e in frames][-1] in (3, 4)
    assert done["interrupted"]
    assert done["path"] == "a.png"
    assert read_record(Path("a.png"))["settings"]["iterations"] == 500
    with Image.open("a.gif") as film:
        assert film.n_frames >= 2
    assert left() == ["a.gif", "a.png"]


def test_second_interrupt_is_hard(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_at(2, monkeypatch, signal.SIGINT, signal.SIGINT)
    answer = draw(
        cli, "--iterations=500", "--display-every=1", "--json", "--out=a.png", "--video=a.gif"
    )
    assert answer.code == 130
    assert answer.err.splitlines()[-1] == "Interrupted."
    assert left() == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_before_there_is_a_picture(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    import text2art.cli.work as work

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(work, "Session", interrupted)
    answer = draw(cli, "--out=a.png")
    assert (answer.code, answer.out, answer.err) == (130, "", "Interrupted.\n")
    assert left() == []


def test_ctrl_c_for_real(tmp_path: Path) -> None:
    """The script in a process of its own, interrupted after its first frame."""
    arguments = ["draw", "a red apple", *TINY, "--iterations=5000", "--json", "--display-every=1"]
    with subprocess.Popen(
        [*PROGRAM, *arguments, "--out=a.png"], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "frame"
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read().splitlines()
        assert process.wait(60) == 130
    assert json.loads(rest[-1])["interrupted"]
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (32, 32)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "list", "settings"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait(60)


def test_cells_cannot_hold_what_is_protected(cli: Cli) -> None:
    Image.new("RGB", (32, 32), "white").save("white.png")
    words = ["draw", "a", "--drawer=pixel", "--size=32x32", "--perceptor=toy", "--native"]
    answer = cli(*words, "--init-image=white.png", "--protect=white.png", "--out=a.png")
    assert answer.code == 1
    assert "leave out --native" in answer.err
    assert not Path("a.png").exists()


def test_a_broken_plug_in_is_one_line(tmp_path: Path) -> None:
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[text2art.drawers]\nmine = nowhere_to_be_found:thing\n")
    done = subprocess.run(
        [sys.executable, "-m", "text2art.cli", "draw", "a cat"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "Error: plug-in 'mine' of broken cannot be loaded (No module named 'nowhere_to_be_found'): "
        "update or uninstall it\n"
    )
