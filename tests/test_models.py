"""References to perceptors, the automatic choice, and the cache of loaded models."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2art import models, registry
from text2art.errors import SettingsError, UnknownComponent, WeightsMissing
from text2art.models import Models, automatic, parse_references, resolve
from text2art.perceptors import toy
from text2art.presets import PRESETS
from text2art.registry import Component
from text2art.runtime import pick
from text2art.weights import catalog

CPU = pick("cpu")


@pytest.fixture(autouse=True)
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEXT2ART_HOME", str(tmp_path))
    monkeypatch.setattr(catalog, "search_path", lambda: [catalog.folder()])
    catalog.folder().mkdir()
    return catalog.folder()


# ---- references --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("starter", ("starter", "")),
        ("starter/exports/second", ("starter", "exports/second")),
        ("toy", ("toy", "")),
        ("ViT-B-32", ("open_clip", "ViT-B-32")),
        ("ViT-B/32", ("open_clip", "ViT-B/32")),
        ("ViT-L/14@336px", ("open_clip", "ViT-L/14@336px")),
        ("open_clip/ViT-B/32", ("open_clip", "ViT-B/32")),
        ("ViT-B-32@/data/clip.pt", ("open_clip", "ViT-B-32@/data/clip.pt")),
    ],
)
def test_resolve(reference: str, expected: tuple[str, str]) -> None:
    assert resolve(reference) == expected


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ("starter", [("starter", 1.0)]),
        ("ViT-B-32:1, ViT-B/16 : 0.5", [("ViT-B-32", 1.0), ("ViT-B/16", 0.5)]),
        ("starter,,toy,", [("starter", 1.0), ("toy", 1.0)]),
        (r"ViT-B-32@C:\clip.pt", [(r"ViT-B-32@C:\clip.pt", 1.0)]),
        (r"ViT-B-32@C:\clip.pt:2", [(r"ViT-B-32@C:\clip.pt", 2.0)]),
    ],
)
def test_parse_references(wish: str, expected: list[tuple[str, float]]) -> None:
    assert parse_references(wish) == expected


@pytest.mark.parametrize(
    "wish", ["", " , ", "toy:0", "toy:-1", "toy:nan", "toy:inf", ":2", "auto,toy", "auto:2"]
)
def test_wishes_that_mean_nothing(wish: str) -> None:
    with pytest.raises(SettingsError, match="perceptor"):
        parse_references(wish)


name = st.from_regex(r"[A-Za-z][A-Za-z0-9/@._-]{0,12}", fullmatch=True).filter(
    lambda text: text.lower() != "auto"
)


@given(st.lists(st.tuples(name, st.floats(1e-3, 1e3)), min_size=1, max_size=4))
def test_written_references_are_read_back(pairs: list[tuple[str, float]]) -> None:
    wish = ",".join(f"{reference}:{weight!r}" for reference, weight in pairs)
    assert parse_references(wish) == pairs


# ---- the automatic choice ----------------------------------------------------------------------


def test_auto_without_weights_is_the_starter(weights: Path) -> None:
    references, choice = automatic(PRESETS["normal"])
    assert references == ["starter"]
    assert "no CLIP weights" in choice
    assert str(weights) not in choice  # strangers read it over HTTP


def test_auto_takes_the_presets_models_that_are_here(weights: Path) -> None:
    (weights / "ViT-B-16.pt").touch()
    references, choice = automatic(PRESETS["normal"])
    assert references == ["ViT-B/16"]
    assert "ViT-B/32" in choice
    (weights / "ViT-B-32.pt").touch()
    assert automatic(PRESETS["normal"])[0] == ["ViT-B/32", "ViT-B/16"]


def test_auto_prefers_any_clip_to_the_starter(weights: Path) -> None:
    (weights / "ViT-B-32.pt").touch()
    references, choice = automatic(PRESETS["draft"])
    assert references == ["ViT-B/32"]
    assert "in place of ViT-B/16" in choice


def test_every_presets_model_is_known_to_the_catalog() -> None:
    for preset in PRESETS.values():
        assert all(catalog.entry(model).files for model in preset.clip)


# ---- the cache ---------------------------------------------------------------------------------


def test_a_model_is_loaded_once_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    real = toy.build

    def slow(model: str, runtime: Any) -> Any:
        time.sleep(0.05)
        made.append(real(model, runtime))
        return made[-1]

    monkeypatch.setattr(toy, "build", slow)
    shared = Models(CPU)
    got: list[Any] = []
    threads = [
        threading.Thread(target=lambda: got.append(shared.perceptor("toy"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert all(perceptor is made[0] for perceptor in got)


def test_ensembles_keep_weights_and_say_how_they_were_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared = Models(CPU)
    ensemble = shared.ensemble("toy:2,toy:0.5", PRESETS["draft"])
    assert [weight for _, weight in ensemble] == [2.0, 0.5]
    assert ensemble.choice == "as set"
    monkeypatch.setattr(models, "automatic", lambda _: (["toy"], "because"))
    chosen = shared.ensemble(" Auto ", PRESETS["draft"])
    assert (chosen.names, chosen.choice) == (["toy"], "because")


def test_a_plug_ins_models_are_reached_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {
        **registry.components("perceptors"),
        "mine": Component("mine", "tests.test_models:build_mine", "A plug-in's."),
    }
    monkeypatch.setattr(registry, "components", lambda kind: there)
    shared = Models(CPU)
    assert shared.perceptor("mine/large").name == "mine large"
    assert shared.perceptor("mine").name == "mine "


def build_mine(model: str, runtime: Any) -> Any:
    made: Any = toy.build("", runtime)
    made.name = f"mine {model}"
    return made


def test_failures_name_what_is_wrong_and_are_not_kept(weights: Path) -> None:
    shared = Models(CPU)
    with pytest.raises(UnknownComponent, match="Did you mean 'starter'"):
        shared.perceptor("startr")
    with pytest.raises(UnknownComponent, match="open_clip"):
        shared.perceptor("open_clip")
    for _ in range(2):
        with pytest.raises(WeightsMissing, match="text2art weights fetch"):
            shared.perceptor("ViT-B/32")
