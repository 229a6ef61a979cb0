"""TEXT2ART_PRELOAD: what a server loads before its first request, and how it fails."""

from __future__ import annotations

import copy
import os
import sys
from pathlib import Path

import open_clip
import pytest

from tests.cog_server import ROOT, Server, environment, free_port, until
from tests.tools import clip_files
from tests.tools.clip_files import TINY, tiny_clip
from text2art import environment as machine
from text2art import registry
from text2art.errors import SettingsError, UnknownComponent, WeightsMissing
from text2art.models import Models
from text2art.presets import PRESETS
from text2art.runtime import pick
from text2art.serving.preload import preload
from text2art.serving.request import settings_of
from text2art.serving.worker import Worker
from text2art.session import Session
from text2art.settings import Settings
from text2art.weights import catalog

CPU = pick("cpu")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder with two tiny networks under the names of OpenAI's."""
    monkeypatch.setenv("TEXT2ART_HOME", str(tmp_path))
    monkeypatch.setattr(catalog, "search_path", lambda: [catalog.folder()])
    catalog.folder().mkdir()
    real = open_clip.get_model_config
    monkeypatch.setattr(
        open_clip,
        "get_model_config",
        lambda name: copy.deepcopy(TINY) if name in ("ViT-B-32", "ViT-B-16") else real(name),
    )
    state = clip_files.openai_state(tiny_clip(quick_gelu=True))
    for name in ("ViT-B-32.pt", "ViT-B-16.pt"):
        clip_files.write_openai_archive(catalog.folder() / name, state)
    return catalog.folder()


def kept(models: Models) -> list[str]:
    return sorted(models._perceptors)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        (" , ", ()),
        ("normal", ("normal",)),
        (" ViT-L-14 ,vqgan:a/b.ckpt,", ("ViT-L-14", "vqgan:a/b.ckpt")),
    ],
)
def test_the_environment_names_them(
    text: str, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEXT2ART_PRELOAD", raising=False)
    assert machine.preload() == ()
    monkeypatch.setenv("TEXT2ART_PRELOAD", text)
    assert machine.preload() == names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("normal", ["ViT-B-16", "ViT-B-32"]),
        ("quality:clipit-draft", ["ViT-B-32"]),
        ("ViT-B/16", ["ViT-B-16"]),
        ("perceptor:ViT-B-16", ["ViT-B-16"]),
        ("auto", ["ViT-B-16", "ViT-B-32"]),
        ("toy", ["toy"]),
    ],
)
def test_qualities_and_perceptors_are_loaded_and_kept(
    folder: Path, name: str, expected: list[str]
) -> None:
    models, lines = Models(CPU), list[str]()
    preload([name], models, lines.append)
    assert kept(models) == expected
    (line,) = lines
    assert line.startswith(f"loaded: {name} (")
    models.ensemble("auto", PRESETS["clipit-draft"])
    assert kept(models) == sorted({*expected, "ViT-B-32"})  # by whichever name: not loaded twice


def test_a_path_with_a_colon_is_a_perceptors(folder: Path) -> None:
    with pytest.raises(WeightsMissing, match="of ViT-B-32 are neither a file"):
        preload([r"ViT-B-32@C:\clip.pt"], Models(CPU), print)


@pytest.mark.parametrize(
    ("name", "error", "parts"),
    [
        ("ViT-B-23", UnknownComponent, ["'ViT-B-23'", "Did you mean 'ViT-B-32'"]),
        ("drafft", UnknownComponent, ["Did you mean 'draft'"]),
        ("quality:drafft", SettingsError, ["no quality 'drafft'", "clipit-best"]),
        ("better", WeightsMissing, ["text2art weights fetch RN50'", "256 MB", "MIT"]),
        ("ViT-L-14", WeightsMissing, ["text2art weights fetch ViT-L-14", "933 MB"]),
        ("vqgan:none-such", WeightsMissing, ["none-such"]),
    ],
)
def test_what_cannot_be_loaded_says_which_and_why(
    folder: Path, name: str, error: type[Exception], parts: list[str]
) -> None:
    with pytest.raises(error) as caught:
        preload([name], Models(CPU), print)
    assert str(caught.value).startswith(f"TEXT2ART_PRELOAD names {name!r}: ")
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def test_a_vqgan_is_loaded_as_its_drawer_loads_it() -> None:
    models = Models(CPU)
    preload(["vqgan:starter"], models, print)
    before = dict(models._networks)
    assert len(before) == 1
    tiny = {"prompts": "a", "perceptor": "toy", "size": "32x32", "cuts": 2, "starts": 1}
    with Session(Settings.of(drawer="vqgan", vqgan={"model": "starter"}, **tiny), models=models):
        assert models._networks == before


def test_what_is_preloaded_may_be_named_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    tagged, own = "ViT-B-32@laion2b_s34b_b79k", "ViT-L-14@fare.pt"
    wishes = [
        f"perceptor: '{tagged}:1,{own}:0.5,toy'",
        f"perceptor: '{own}'",
        "drawer: vqgan\nvqgan: {model: mine.ckpt}",
    ]
    for wish in wishes:
        with pytest.raises(SettingsError, match="over HTTP"):
            settings_of({"prompts": "a", "settings": wish})
    monkeypatch.setenv("TEXT2ART_PRELOAD", f"{tagged},perceptor:{own},vqgan:mine.ckpt")
    for wish in wishes:
        assert settings_of({"prompts": "a", "settings": wish}).prompts == ("a",)
    for wish in (
        "perceptor: ViT-L-14@other.pt",
        "perceptor: mine.ckpt/..",
        "vqgan: {model: mine2.ckpt}",
        "vqgan: {model: mine.ckpt, config: mine.yaml}",
    ):
        with pytest.raises(SettingsError, match="over HTTP"):
            settings_of({"prompts": "a", "settings": wish})


def test_the_worker_loads_them_before_it_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BUILTIN", {**registry.BUILTIN, "drawers": ()})
    monkeypatch.setenv("TEXT2ART_PRELOAD", "toy")
    lines: list[str] = []
    worker = Worker(lines.append)
    assert kept(worker._models) == ["toy"]
    assert [line.partition(" (")[0] for line in lines[1:]] == ["loaded: toy"]


def test_a_server_that_cannot_load_them_says_so_and_takes_no_requests(tmp_path: Path) -> None:
    port = free_port()
    env = environment(tmp_path)
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env["PATH"]])
    env["PYTHONPATH"] = str(ROOT)
    env["COG_PREDICT_TYPE_STUB"] = f"{ROOT / 'predict.py'}:Predictor"
    env["PORT"] = str(port)
    env["TEXT2ART_PRELOAD"] = "starter,ViT-L-14"
    words = [sys.executable, "-m", "cog.server.http", "--host", "127.0.0.1"]
    server = Server(words, port, tmp_path, env)
    try:
        until(lambda: server.status() == "SETUP_FAILED", "the failure")
        told = server.http.get("/health-check").json()["setup"]["logs"]
        assert "TEXT2ART_PRELOAD names 'ViT-L-14'" in told
        assert "text2art weights fetch ViT-L-14" in told
        refused = server.http.post("/predictions", json={"input": {"prompts": "a red apple"}})
        assert refused.status_code == 503
    finally:
        server.stop()
