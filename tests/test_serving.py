"""What stands between Cog and the session, without a server."""

from __future__ import annotations

import math
import os
import pathlib
import socket
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from coglet import CancelationException
from hypothesis import given
from hypothesis import strategies as st

from text2art.core import Frame
from text2art.errors import MissingExtra, OutputError, SettingsError, Text2ArtError
from text2art.media.png import read_record
from text2art.serving import render, server, worker
from text2art.serving.request import InputError, settings_of
from text2art.serving.worker import Worker, interval
from text2art.settings import Settings
from text2art.workshop import Workshop

TOY = "perceptor: toy\ncuts: 4\nstarts: 1"
QUICK: dict[str, Any] = {
    "prompts": "a red apple",
    "size": "32x32",
    "iterations": 5,
    "display_every": 2,
    "seed": 3,
    "settings": TOY,
}


# ---- requests -------------------------------------------------------------------------------


def test_inputs_that_differ_from_their_default_win_over_the_yaml() -> None:
    yaml = "drawer: pixel\niterations: 9\nseed: blue\npixel: {cells: 8x8}\nsize: 64x64"
    s = settings_of({"prompts": "a", "drawer": "pyramid", "iterations": 4, "settings": yaml})
    assert s.iterations == 4  # given
    assert s.drawer == "pixel"  # pyramid is the default, and thus not a wish
    assert (s.seed, s.size) == ("blue", (64, 64))
    assert s.options("pixel").cells == (8, 8)


def test_old_names_in_the_yaml_meet_the_inputs() -> None:
    s = settings_of({"prompts": "a", "iterations": 4, "settings": "steps: 9\nuse_pixeldraw: true"})
    assert (s.iterations, s.drawer) == (4, "pixel")


def test_nothing_given_is_the_default() -> None:
    given = dict.fromkeys((*render.NAMES, render.EXTRA))
    assert settings_of({**given, "prompts": "a"}) == Settings.of(prompts="a")
    assert settings_of({**render.defaults(), "prompts": "a"}) == Settings.of(prompts="a")
    with pytest.raises(SettingsError, match="no prompt"):
        settings_of(given)


def test_an_upload_is_taken_and_text_is_not(tmp_path: Path) -> None:
    upload = tmp_path / "a.png"
    assert settings_of({"prompts": "a", "init_image": upload}).init_image == str(upload)
    for text in ("/etc/passwd", "file:///etc/passwd", "a.png", "http://example.org/a.png"):
        for name in render.PICTURES:
            with pytest.raises(SettingsError, match=f"{name} must be an upload"):
                settings_of({"prompts": "a", name: text})


@pytest.mark.parametrize(
    "inputs",
    [
        {"prompts": "@/etc/passwd"},
        {"prompts": "a | @secret.png:2"},
        {"prompts": "@ file:///etc/passwd"},
        {"prompts": "@HTTPS:/etc/passwd"},
        {"settings": "init_image: ../secret.png"},
        {"settings": "perceptor: ViT-B-32@model.pt"},
        {"settings": "perceptor: /etc/passwd"},
        {"settings": "perceptor: ../../model"},
        {"settings": "perceptor: starter/folder"},
        {"settings": "perceptor: toy/../x"},
        {"settings": "perceptor: open_clip/../../x"},
        {"settings": "perceptor: 'local-dir:/etc'"},
        {"settings": "perceptor: 'hf-hub:someone/something'"},
        {"settings": "perceptor: 'toy:1,C:\\models\\a.pt'"},
        {"settings": "protect: /etc/mask.png"},
        {"settings": "vqgan: {model: /etc/passwd}"},
        {"settings": "vqgan: {model: vqgan/x.ckpt}"},
        {"settings": "vqgan: {config: model.yaml}"},
        {"settings": "vqgan_checkpoint: ../x.ckpt"},
        {"settings": "palette: 'red; @/etc/passwd'"},
        {"settings": "lookup: {palette: '@secret.gpl'}"},
    ],
)
def test_strangers_name_no_files(inputs: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"over HTTP|http\(s\)"):
        settings_of({"prompts": "a", **inputs})


@pytest.mark.parametrize(
    "inputs",
    [
        {"prompts": "@https://example.org/a.png:0.5 | \\@home"},
        {"settings": "init_image: http://example.org/a.png"},
        {"settings": "perceptor: 'ViT-B/32:1,ViT-B-16:0.5,starter'"},
        {"settings": "perceptor: open_clip/ViT-B-32"},
        {"settings": "perceptor: auto"},
        {"settings": "protect: https://example.org/a.png"},
        {"settings": "vqgan: {model: starter}"},
    ],
)
def test_strangers_may_name_urls_and_models(inputs: dict[str, Any]) -> None:
    assert settings_of({"prompts": "a", **inputs}).prompts


@given(
    name=st.sampled_from([*render.NAMES, render.EXTRA]),
    value=st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text())
    ),
)
def test_whatever_comes_gives_settings_or_our_own_error(name: str, value: object) -> None:
    """Limits hold here too: Cog checks nothing where its schema file is missing."""
    try:
        s = settings_of({"prompts": "a", name: value})
    except Text2ArtError:
        return
    assert 1 <= s.steps <= 10_000


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"drawer": "fft"}, "'fft' makes no shapes .* use one of pixel, clipdraw, line, shapes"),
        ({"drawer": "pixel", "protect": Path("mask.png")}, "protected part"),
        ({"drawer": "line", "settings": "filters: wallpaper"}, "the filter wallpaper"),
    ],
)
def test_what_has_no_shapes_is_no_svg(inputs: dict[str, Any], words: str) -> None:
    asked = {"prompts": "a", "output_format": "svg", "init_image": Path("a.png"), **inputs}
    with pytest.raises(SettingsError, match=f"output_format svg: .*{words}"):
        settings_of(asked)
    assert settings_of({**asked, "output_format": "png"}).output_format == "png"


# ---- runs -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return []


@pytest.fixture(scope="module")
def work(lines: list[str]) -> Iterator[Worker]:
    before = os.environ.get("TEXT2ART_DEVICE")
    os.environ["TEXT2ART_DEVICE"] = "cpu"
    try:
        yield Worker(lines.append)
    finally:
        if before is None:
            del os.environ["TEXT2ART_DEVICE"]
        else:
            os.environ["TEXT2ART_DEVICE"] = before


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def ignore(name: str, value: Any) -> None:
    pass


def test_setting_up_says_the_device_and_the_models(work: Worker, lines: list[str]) -> None:
    assert lines[0].startswith("device: cpu")
    assert any(line.startswith("perceptor: ") for line in lines)
    assert work.works()


def test_every_file_is_new_and_stays_until_the_next_run(work: Worker, temporary: Path) -> None:
    seen: dict[Path, bytes] = {}
    for path in work.draw({**QUICK, "make_video": True}, ignore):
        assert path not in seen
        seen[path] = path.read_bytes()
    assert [path.name for path in seen] == [
        "3_00000.png", "3_00002.png", "3_00004.png", "3.mp4", "3_00005.png",
    ]  # fmt: skip
    assert all(path.read_bytes() == data for path, data in seen.items())
    again = list(work.draw(QUICK, ignore))
    assert not any(path.exists() for path in seen)
    assert {path.parent for path in again} == set(temporary.iterdir())


def test_an_svg_comes_last_and_pictures_before_it(work: Worker) -> None:
    inputs = {**QUICK, "drawer": "clipdraw", "output_format": "svg", "settings": TOY}
    paths = list(work.draw(inputs, ignore))
    assert [path.name for path in paths] == [
        "3_00000.png", "3_00002.png", "3_00004.png", "3_00005.svg",
    ]  # fmt: skip
    assert paths[-1].read_text().count("<path") > 4
    assert read_record(paths[-1])["settings"]["output_format"] == "svg"
    with pytest.raises(InputError, match="'pyramid' makes no shapes"):
        next(work.draw({**inputs, "drawer": "pyramid"}, ignore))


def test_a_seed_in_words_makes_a_plain_file_name(work: Worker) -> None:
    inputs = {**QUICK, "seed": None, "settings": TOY + "\nseed: ../Blue Moon"}
    *_, last = work.draw(inputs, ignore)
    assert last.name == "blue-moon_00005.png"


def test_metrics_are_numbers_of_a_steady_kind(work: Worker) -> None:
    told: list[tuple[str, Any]] = []
    list(work.draw(QUICK, lambda name, value: told.append((name, value))))
    assert [value for name, value in told if name == "step"] == [0, 2, 4, 5]
    assert {type(value) for name, value in told if name in ("loss", "score")} == {float}
    assert {value for name, value in told if name == "seed"} == {3}


def test_a_number_that_is_none_is_left_out(work: Worker, lines: list[str]) -> None:
    frame = Frame(4, torch.zeros(1, 3, 2, 2), {"prompt 1": torch.tensor(math.nan)})
    told: dict[str, Any] = {}
    work._report(frame, 250, 1, told.__setitem__)
    assert told == {"step": 4, "seed": 1}
    assert lines[-1] == "step 4/250"


def test_cancelling_frees_the_picture_and_is_not_an_error(
    work: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[Any]] = []
    original = Workshop._make_drawer

    def watched(self: Workshop, *arguments: Any) -> Any:
        drawer = original(self, *arguments)
        made.append(weakref.ref(drawer))
        return drawer

    monkeypatch.setattr(Workshop, "_make_drawer", watched)
    for end in ("close", "throw"):
        files = work.draw({**QUICK, "make_video": True}, ignore)
        folder = next(files).parent
        assert made[-1]() is not None
        if end == "close":
            files.close()
        else:
            with pytest.raises(CancelationException):
                files.throw(CancelationException())
        del files
        assert made[-1]() is None, "the drawer is still held"
        assert [path.name for path in folder.iterdir()] == ["3_00000.png"]  # no half a video


def test_mistakes_of_the_caller_have_cogs_name(work: Worker) -> None:
    with pytest.raises(InputError, match="unknown drawer 'pixle'"):
        next(work.draw({**QUICK, "settings": "drawer: pixle"}, ignore))


def test_a_bug_keeps_its_traceback(
    work: Worker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(worker, "slug", lambda text: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        next(work.draw(QUICK, ignore))
    printed = capsys.readouterr().err
    assert "Traceback" in printed
    assert "ZeroDivisionError" in printed


def test_a_full_disk_is_not_the_callers_mistake(
    work: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> pathlib.Path:
        raise OutputError("cannot write: the disk is full")

    monkeypatch.setattr(worker, "save_picture", full)
    with pytest.raises(OutputError):
        next(work.draw(QUICK, ignore))


@given(st.integers(0, 500), st.integers(1, 10_000), st.integers(1, 50))
def test_intervals_thin_out_and_stay_multiples(wanted: int, steps: int, most: int) -> None:
    every = interval(wanted, steps, most)
    if wanted == 0:
        assert every == 0
    else:
        assert every % wanted == 0
        assert len(range(0, steps, every)) <= most
        assert every == wanted or len(range(0, steps, every - wanted)) > most


# ---- starting -------------------------------------------------------------------------------


def test_a_busy_port_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"cannot listen on 127\.0\.0\.1:{port} .*--port"):
            server.serve(port=port)


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("127.0.0.1", 0, "out of range"),
        ("127.0.0.1", 70000, "out of range"),
        ("no.such.host.invalid", 5000, "cannot listen on no.such.host.invalid:5000"),
        ("203.0.113.1", 5000, "cannot listen"),  # an address for documentation, nobody's
    ],
)
def test_impossible_addresses(host: str, port: int, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        server.serve(host, port)


def test_without_cog_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="text2art\\[serve\\]"):
        server.serve()


def test_the_interpreters_folder_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setenv("TEXT2ART_HOME", "here")
    monkeypatch.chdir(tmp_path)
    values = server.environment(server.predictor(), 5001)
    assert values["PATH"].split(os.pathsep) == [str(Path(sys.executable).parent), "/usr/bin"]
    assert values["PORT"] == "5001"
    assert values["COG_PREDICT_TYPE_STUB"].endswith("predict.py:Predictor")
    assert values["TEXT2ART_HOME"] == str(tmp_path / "here")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    with pytest.raises(Text2ArtError, match="'python' beside"):
        server.environment(server.predictor(), 5001)


def test_the_predictor_of_an_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "text2art"
    (package / "container").mkdir(parents=True)
    monkeypatch.setattr(server, "_PACKAGE", package)
    (package.parent / "predict.py").write_text("somebody else's")
    with pytest.raises(Text2ArtError, match="install text2art again"):
        server.predictor()
    (package / "container" / "predict.py").write_text("ours")
    assert server.predictor() == package / "container" / "predict.py"
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert "PYTHONPATH" not in server.environment(server.predictor(), 5000)
