"""The command line as its users meet it: words in, files, exit codes and one clear line out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

from text2art import __version__, fields
from text2art.cli import outputs, progress
from text2art.cli.draw import settings_of, spell_video
from text2art.cli.main import run
from text2art.media.png import read_record

TINY = ["--perceptor=toy", "--drawer=pixel", "--size=32x32", "--iterations=3", "--cuts=4"]
PROGRAM = [sys.executable, "-m", "text2art.cli"]


class Answer(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        return self.out.splitlines()[-1]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def cli(here: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    """Call the command line in this process, in an empty folder."""

    def call(*arguments: str) -> Answer:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            run(arguments)
        out, err = capfd.readouterr()
        return Answer(int(ended.value.code or 0), out, err)

    return call


def left() -> list[str]:
    """What lies in the folder."""
    return sorted(path.name for path in Path().iterdir())


def draw(cli: Any, *arguments: str, seed: int = 7) -> Answer:
    answer = cli("draw", "a red apple", *TINY, f"--seed={seed}", *arguments)
    assert isinstance(answer, Answer)
    return answer


# ---- drawing ---------------------------------------------------------------------------------


def test_the_path_is_printed_last_and_alone(cli: Any) -> None:
    answer = draw(cli, "--out", "a.png")
    assert (answer.code, answer.out) == (0, "a.png\n")
    assert "perceptor: toy" in answer.err
    with Image.open("a.png") as image:
        assert image.size == (32, 32)
    assert read_record(Path("a.png"))["settings"]["seed"] == 7
    assert left() == ["a.png"]


def test_same_seed_same_bytes_and_again_too(cli: Any) -> None:
    for name in ("a.png", "b.png"):
        assert draw(cli, "--out", name).code == 0
    assert draw(cli, "--out", "other.png", seed=8).code == 0
    assert cli("again", "a.png", "--out", "c.png").code == 0
    first = Path("a.png").read_bytes()
    assert Path("b.png").read_bytes() == Path("c.png").read_bytes() == first
    assert Path("other.png").read_bytes() != first


def test_again_from_yaml_json_and_with_changes(cli: Any) -> None:
    draw(cli, "--out", "a.png", "--save-settings")
    assert Path("a.yaml").is_file()
    assert cli("again", "a.yaml", "--out", "b.png").code == 0
    assert Path("b.png").read_bytes() == Path("a.png").read_bytes()
    Path("c.json").write_text(cli("show", "a.png", "--json").out)
    assert cli("again", "c.json", "--out", "c.png").code == 0
    assert Path("c.png").read_bytes() == Path("a.png").read_bytes()
    answer = cli("again", "a.png", "a blue boat", "seed=9", "--drawer", "fft", "-o", "d.png")
    assert answer.code == 0
    settings = read_record(Path("d.png"))["settings"]
    assert settings["prompts"] == ["a blue boat"]
    assert (settings["seed"], settings["drawer"]) == (9, "fft")


def test_again_tells_what_has_changed_since(cli: Any) -> None:
    draw(cli, "--out", "a.png")
    assert "differ" not in cli("again", "a.png", "--out", "b.png").err
    record = read_record(Path("a.png"))
    record["version"] = "0.0.1"
    record["perceptors"][0]["sha256"] = "ab" * 32
    from text2art.media.png import save_picture

    save_picture(Image.new("RGB", (32, 32)), Path("a.png"), record)
    answer = cli("again", "a.png", "--out", "c.png")
    assert answer.code == 0
    assert f"drawn then with version 0.0.1, now with {__version__}" in answer.err
    assert "sha256 abababababab" in answer.err


def test_default_name_is_short_and_never_taken(cli: Any) -> None:
    names = [draw(cli).last for _ in range(3)]
    assert names == [f"outputs/a-red-apple-7{part}.png" for part in ("", "-2", "-3")]
    words = ["very " * 300, "--seed", "Ünï/../cødé", "--output-format", "webp"]
    long = cli("draw", *words, *TINY).last
    assert len(Path(long).name) < 140
    assert Path(long).parent == Path("outputs")
    with Image.open(long) as image:
        assert image.format == "WEBP"


def test_everything_that_can_be_left_behind(cli: Any) -> None:
    answer = draw(
        cli, "--out", "new/a.webp", "--video", "--video-format=gif", "--native", "--frames",
        "steps", "--save-settings", "--display-every", "2", "--json", "pixel.cells=8x8",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert sorted(str(p) for p in Path().rglob("*.*")) == [
        "new/a.gif", "new/a.native.png", "new/a.webp", "new/a.yaml",
        "steps/00000.png", "steps/00002.png", "steps/00003.png",
    ]  # fmt: skip
    with Image.open("new/a.native.png") as native:
        assert native.size == (8, 8)
    with Image.open("new/a.gif") as film:
        assert film.n_frames >= 2
    done = answer.events[-1]
    assert done["path"] == "new/a.webp"
    assert done["video"] == "new/a.gif"
    assert done["native"] == "new/a.native.png"


def test_no_metadata(cli: Any) -> None:
    assert draw(cli, "--out", "a.png", "--no-metadata", "--frames", "f").code == 0
    for path in (Path("a.png"), Path("f/00000.png")):
        assert b"apple" not in path.read_bytes()


def test_json_events(cli: Any) -> None:
    answer = draw(cli, "--json", "--display-every", "1", "--out", "a.png")
    *frames, done = answer.events
    assert [(e["event"], e["step"], e["steps"]) for e in frames] == [
        ("frame", step, 3) for step in range(4)
    ]
    assert set(frames[0]) == {"event", "step", "steps", "loss", "score", "seconds"}
    assert done["event"] == "done"
    assert done["path"] == "a.png"
    assert done["seed"] == 7
    assert done["seconds"] > 0
    assert -1 <= done["score"] <= 1
    assert not done["interrupted"]


def test_quiet_says_nothing_but_the_path(cli: Any) -> None:
    answer = draw(cli, "--quiet", "--out", "a.png")
    assert (answer.out, answer.err) == ("a.png\n", "")


def test_lines_when_stderr_is_no_terminal(cli: Any) -> None:
    lines = draw(cli, "--out", "a.png", "--display-every", "1").err.splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == [f"step {i}/3" for i in range(4)]
    assert "steps/s" in lines[-1]


def test_a_bar_in_a_terminal(
    cli: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "report_for", lambda *_: None)
    import text2art.cli.work as work

    monkeypatch.setattr(work, "report_for", lambda *_: progress.Bar(None))
    answer = draw(cli, "--out", "a.png")
    assert answer.code == 0
    assert "3/3" in answer.err
    assert "score" in answer.err


@pytest.mark.filterwarnings("ignore:Image.Image.getdata:DeprecationWarning")  # textual-image's own
def test_preview_shows_the_picture(cli: Any) -> None:
    pytest.importorskip("textual_image", reason="needs the extra [preview]")
    answer = draw(cli, "--out", "a.png", "--preview", "--display-every", "0")
    assert answer.code == 0
    assert any(block in answer.err for block in "░▒▓█▀▄")


# ---- settings from everywhere ----------------------------------------------------------------


def test_flags_beat_words_beat_the_file(cli: Any) -> None:
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
    cli: Any, monkeypatch: pytest.MonkeyPatch
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


def test_values_that_begin_like_flags() -> None:
    settings = settings_of(["a"], [], {"stop_score": "-0.5"})
    assert settings.stop_score == -0.5


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
    assert "pixel|pyramid|fft|stripes" in answer.stdout


# ---- one clear line --------------------------------------------------------------------------


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
        (["draw", "a", "--quality", "bst"], "'draft', 'normal', 'better', 'best' or 'supreme'"),
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
def test_errors_are_one_line_and_code_1(cli: Any, arguments: Sequence[str], says: str) -> None:
    answer = cli(*arguments)
    assert answer.code == 1
    assert answer.out == ""
    (line,) = (line for line in answer.err.splitlines() if not line.startswith("perceptor:"))
    assert line.startswith("Error: ")
    assert says in line
    assert left() == []


@pytest.mark.parametrize(
    "arguments", [["draw", "a", "--drawr", "x"], ["paint"], ["list", "dogs"], ["again"]]
)
def test_usage_errors_are_code_2(cli: Any, arguments: Sequence[str]) -> None:
    answer = cli(*arguments)
    assert answer.code == 2
    assert "Usage: text2art" in answer.err


def test_errors_are_events_too_in_json_mode(cli: Any) -> None:
    answer = cli("draw", "a", "--json", "--drawer", "pixle")
    assert answer.code == 1
    (event,) = answer.events
    assert event["event"] == "error"
    assert "pixel" in event["error"]
    assert answer.err.startswith("Error: ")


def test_what_cannot_be_written_is_told_before_drawing(
    cli: Any, monkeypatch: pytest.MonkeyPatch
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
    cli: Any, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    interrupt_at(2, monkeypatch, number)
    answer = draw(
        cli, "--iterations=500", "--display-every=1", "--json", "--out=a.png", "--video=a.gif"
    )
    assert answer.code == 130
    *frames, done = answer.events
    assert len(frames) <= 5
    assert done["interrupted"]
    assert done["path"] == "a.png"
    assert read_record(Path("a.png"))["settings"]["iterations"] == 500
    with Image.open("a.gif") as film:
        assert film.n_frames >= 2
    assert left() == ["a.gif", "a.png"]


def test_second_interrupt_is_hard(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_at(2, monkeypatch, signal.SIGINT, signal.SIGINT)
    answer = draw(
        cli, "--iterations=500", "--display-every=1", "--json", "--out=a.png", "--video=a.gif"
    )
    assert answer.code == 130
    assert answer.err.splitlines()[-1] == "Interrupted."
    assert left() == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


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


# ---- looking around --------------------------------------------------------------------------


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


def test_version(cli: Any) -> None:
    assert cli("--version").out == f"text2art {__version__}\n"


@pytest.mark.parametrize("what", ["drawers", "perceptors", "losses", "cutouts", "settings"])
def test_list(cli: Any, what: str) -> None:
    listed = json.loads(cli("list", what, "--json").out)
    lines = cli("list", what).out.splitlines()
    assert [entry["name"] for entry in listed] == [line.split()[0] for line in lines]
    assert all(entry["help"] for entry in listed)
    if what == "settings":
        assert [entry["name"] for entry in listed] == [row.name for row in fields.rows()]


def test_show_prints_settings_and_the_way_back(cli: Any) -> None:
    draw(cli, "--out", "a picture.png")
    out = cli("show", "a picture.png").out
    assert "drawer: pixel" in out
    assert "# perceptor: toy" in out
    assert "text2art again 'a picture.png'" in out


def test_doctor_says_what_is_there(cli: Any) -> None:
    answer = cli("doctor", "--json")
    states = {finding["name"]: finding["state"] for finding in json.loads(answer.out)}
    assert states["text2art"] == states["device"] == states["outputs"] == "ok"
    assert answer.code == int("broken" in states.values())
    assert left() == []


def test_doctor_fails_when_something_essential_is_broken(
    cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEXT2ART_DEVICE", "abacus")
    answer = cli("doctor")
    assert answer.code == 1
    assert "unknown device 'abacus'" in answer.out


def test_weights_list(cli: Any) -> None:
    entries = json.loads(cli("weights", "list", "--json").out)
    assert {"starter", "ViT-B-32"} <= {entry["name"] for entry in entries}
    assert "ViT-B-32" in cli("weights", "list").out
