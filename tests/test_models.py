"""References to perceptors, the automatic choice, and the cache of loaded models."""

from __future__ import annotations

import dataclasses
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.tools.clip_files import TINY
from text2art import models, registry
from text2art.errors import SettingsError, UnknownComponent, WeightsMissing
from text2art.models import Models, automatic, insisted, parse_references, resolve
from text2art.perceptors import toy
from text2art.perceptors.open_clip import make_net
from text2art.presets import PRESETS
from text2art.registry import Component
from text2art.runtime import pick
from text2art.weights import catalog
from text2art.weights.catalog import WeightFile

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
    "wish",
    ["", " , ", "toy:0", "toy:-1", "toy:nan", "toy:inf", ":2", "auto,toy", "auto:2", "toy,preset"],
)
def test_wishes_that_mean_nothing(wish: str) -> None:
    with pytest.raises(SettingsError, match="perceptor"):
        parse_references(wish)


name = st.from_regex(r"[A-Za-z][A-Za-z0-9/@._-]{0,12}", fullmatch=True).filter(
    lambda text: text.lower() not in ("auto", "preset")
)


@given(st.lists(st.tuples(name, st.floats(1e-3, 1e3)), min_size=1, max_size=4))
def test_written_references_are_read_back(pairs: list[tuple[str, float]]) -> None:
    wish = ",".join(f"{reference}:{weight!r}" for reference, weight in pairs)
    assert parse_references(wish) == pairs


# ---- the choice for a quality ------------------------------------------------------------------

MIT = "license: MIT (its model card calls deployed use out of scope)"


def put(weights: Path, *names: str) -> None:
    for name in names:
        (weights / name).touch()


def test_auto_without_weights_is_the_starter_and_says_in_a_line_what_to_fetch(
    weights: Path,
) -> None:
    references, choice = automatic(PRESETS["normal"])
    assert references == ["starter"]
    assert choice == (
        "no CLIP weights are here: 'text2art weights fetch ViT-B-32 ViT-B-16' gets "
        f"ViT-B-32 (354 MB) and ViT-B-16 (351 MB), {MIT}"
    )
    assert str(weights) not in choice  # strangers read it over HTTP


def test_auto_takes_the_presets_models_that_are_here(weights: Path) -> None:
    put(weights, "ViT-B-16.pt")
    references, choice = automatic(PRESETS["better"])
    assert references == ["ViT-B/16"]
    assert choice == (
        "not all of the quality's CLIP models are here: 'text2art weights fetch RN50 ViT-B-32' "
        f"gets RN50 (256 MB) and ViT-B-32 (354 MB), {MIT}"
    )
    put(weights, "ViT-B-32.pt", "RN50.pt")
    models_of_better = ["RN50", "ViT-B/32", "ViT-B/16"]
    assert automatic(PRESETS["better"]) == (models_of_better, "CLIP weights are here")


@pytest.mark.parametrize(
    ("quality", "files", "expected"),
    [
        ("draft", ["ViT-B-32.pt", "RN50x4.pt"], ["ViT-B/32"]),  # clipit-draft's, of the same scale
        ("draft", ["RN50.pt", "RN50x4.pt"], ["RN50"]),
        ("normal", ["RN50.pt", "RN101.pt", "ViT-L-14.pt"], ["RN50"]),
        ("normal", ["RN50x4.pt", "RN101.pt"], ["RN50x4"]),
        ("draft", ["RN50x4.pt", "RN50x64.pt", "RN101.pt"], ["RN50x4"]),
        ("clipit-draft", ["ViT-B-16.pt"], ["ViT-B/16"]),
        ("normal", ["ViT-L-14-336px.pt", "ViT-L-14.pt"], ["ViT-L-14"]),  # no quality names them
        ("normal", ["ViT-B-32@laion2b_s34b_b79k.bin"], ["ViT-B-32@laion2b_s34b_b79k"]),
    ],
)
def test_auto_takes_the_nearest_in_place_of_models_that_are_missing(
    weights: Path, quality: str, files: list[str], expected: list[str]
) -> None:
    put(weights, *files)
    references, choice = automatic(PRESETS[quality])
    assert references == expected
    assert choice.startswith("in place of the quality's CLIP models: 'text2art weights fetch ")


def test_different_licenses_are_told_one_by_one(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = dataclasses.replace(catalog.entry("RN50"), license="", files=(WeightFile("RN50.pt"),))
    entries = [other if e.name == "RN50" else e for e in catalog.entries()]
    monkeypatch.setattr(catalog, "entries", lambda: tuple(entries))
    choice = automatic(PRESETS["better"])[1]
    assert f"RN50 (license: unknown), ViT-B-32 (354 MB, {MIT}) and" in choice


def test_preset_insists_on_every_model_of_the_quality(weights: Path) -> None:
    put(weights, "ViT-B-16.pt")
    for wish in ("preset", " Preset"):
        with pytest.raises(WeightsMissing) as missing:
            Models(CPU).ensemble(wish, PRESETS["normal"])
        assert str(missing.value) == (
            "not all of the quality's CLIP models are here: 'text2art weights fetch ViT-B-32' gets "
            f"ViT-B-32 (354 MB), {MIT}. perceptor=auto draws with the nearest that is here: "
            "ViT-B/16"
        )
    put(weights, "ViT-B-32.pt")
    assert insisted(PRESETS["normal"]) == (["ViT-B/32", "ViT-B/16"], "those of the quality")


def test_clipits_rows_go_by_its_name() -> None:
    rows = {name: PRESETS[f"clipit-{name}"] for name in ("draft", "normal", "better", "best")}
    assert [(p.iterations, p.scale, p.cuts, p.starts) for p in rows.values()] == [
        (200, 1, 40, 1),
        (350, 2, 40, 1),
        (500, 3, 40, 1),
        (500, 4, 40, 1),
    ]
    assert rows["draft"].clip == ("ViT-B/32",)
    for name in ("normal", "better", "best"):
        assert rows[name].clip == PRESETS[name].clip


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


def test_models_are_loaded_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for the other in the middle of its loading, which one after another never ends."""
    both = threading.Barrier(2)

    def build(model: str, runtime: Any) -> Any:
        both.wait(timeout=30)
        return build_mine(model, runtime)

    there = {"mine": Component("mine", "tests.test_models:build_mine", "A plug-in's.")}
    monkeypatch.setattr(registry, "components", lambda kind: there)
    monkeypatch.setattr(Component, "load", lambda self: build)
    seers = Models(CPU).perceptors(["mine/a", "mine/b"])
    assert [seer.name for seer in seers] == ["mine a", "mine b"]


def test_networks_built_side_by_side_are_the_same_and_leave_torchs_random_state() -> None:
    seeds = [str(number) for number in range(8)]

    def weights_of(seed: str) -> Tensor:
        return torch.cat([w.flatten() for w in make_net(TINY, seed).parameters()])

    before = torch.random.get_rng_state()
    with ThreadPoolExecutor(len(seeds)) as pool:
        beside = list(pool.map(weights_of, seeds))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(w, weights_of(s)) for s, w in zip(seeds, beside, strict=True))


def test_the_first_failure_of_several_is_told() -> None:
    with pytest.raises(UnknownComponent, match="startr"):
        Models(CPU).perceptors(["toy", "startr", "open_clip"])


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
