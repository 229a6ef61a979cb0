"""The command line draws: words in, files and events out."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.cli_tools import TINY, Cli, draw, left
from text2art import __version__
from text2art.cli import progress
from text2art.media.png import read_record


def test_the_path_is_printed_last_and_alone(cli: Cli) -> None:
    answer = draw(cli, "--out", "a.png")
    assert (answer.code, answer.out) == (0, "a.png\n")
    assert "perceptor: toy" in answer.err
    with Image.open("a.png") as image:
        assert image.size == (32, 32)
    assert read_record(Path("a.png"))["settings"]["seed"] == 7
    assert left() == ["a.png"]


def test_same_seed_same_bytes_and_again_too(cli: Cli) -> None:
    for name in ("a.png", "b.png"):
        assert draw(cli, "--out", name).code == 0
    assert draw(cli, "--out", "other.png", seed=8).code == 0
    assert cli("again", "a.png", "--out", "c.png").code == 0
    first = Path("a.png").read_bytes()
    assert Path("b.png").read_bytes() == Path("c.png").read_bytes() == first
    assert Path("other.png").read_bytes() != first


def test_again_from_yaml_json_and_with_changes(cli: Cli) -> None:
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


def test_again_tells_what_has_changed_since(cli: Cli) -> None:
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


def test_default_name_is_short_and_never_taken(cli: Cli) -> None:
    names = [draw(cli).last for _ in range(3)]
    assert names == [f"outputs/a-red-apple-7{part}.png" for part in ("", "-2", "-3")]
    words = ["very " * 300, "--seed", "Ünï/../cødé", "--output-format", "webp"]
    long = cli("draw", *words, *TINY).last
    assert len(Path(long).name) < 140
    assert Path(long).parent == Path("outputs")
    with Image.open(long) as image:
        assert image.format == "WEBP"


def test_everything_that_can_be_left_behind(cli: Cli) -> None:
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


def test_no_metadata(cli: Cli) -> None:
    assert draw(cli, "--out", "a.png", "--no-metadata", "--frames", "f").code == 0
    for path in (Path("a.png"), Path("f/00000.png")):
        assert b"apple" not in path.read_bytes()


def test_json_events(cli: Cli) -> None:
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
    assert done["startup_seconds"] > 0
    assert -1 <= done["score"] <= 1
    assert not done["interrupted"]


def test_quiet_says_nothing_but_the_path(cli: Cli) -> None:
    answer = draw(cli, "--quiet", "--out", "a.png")
    assert (answer.out, answer.err) == ("a.png\n", "")


def test_lines_when_stderr_is_no_terminal(cli: Cli) -> None:
    lines = draw(cli, "--out", "a.png", "--display-every", "1").err.splitlines()
    assert lines[1].startswith("ready in ")
    assert [line.split("  ")[0] for line in lines[2:]] == [f"step {i}/3" for i in range(4)]
    assert "steps/s" in lines[-1]


def test_a_bar_in_a_terminal(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "report_for", lambda *_: None)
    import text2art.cli.work as work

    monkeypatch.setattr(work, "report_for", lambda *_: progress.Bar(None))
    answer = draw(cli, "--out", "a.png")
    assert answer.code == 0
    assert "3/3" in answer.err
    assert "score" in answer.err


@pytest.mark.filterwarnings("ignore:Image.Image.getdata:DeprecationWarning")  # textual-image's own
def test_preview_shows_the_picture(cli: Cli) -> None:
    pytest.importorskip("textual_image", reason="needs the extra [preview]")
    answer = draw(cli, "--out", "a.png", "--preview", "--display-every", "0")
    assert answer.code == 0
    assert any(block in answer.err for block in "░▒▓█▀▄")


def test_a_preview_that_fails_does_not_end_the_run(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("no columns")

    monkeypatch.setattr(progress, "_picture_renderer", lambda: broken)
    answer = draw(cli, "--out", "a.png", "--preview", "--display-every", "1")
    assert (answer.code, left()) == (0, ["a.png"])
    assert answer.err.count("cannot show it (no columns)") == 1
