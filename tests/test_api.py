"""`text2art.draw` and its result."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import text2art
from text2art import Result, Session, Settings, draw
from text2art.configfile import read_settings
from text2art.errors import SettingsError, Text2ArtError, UnknownComponent
from text2art.models import Models
from text2art.runtime import pick

Toy = Callable[..., dict[str, Any]]


def test_draw_returns_a_picture_and_how_it_came_to_be(toy: Toy) -> None:
    result = draw(**toy(display_every=2))
    assert isinstance(result, Result)
    assert result.image.size == (32, 32)
    assert [frame.size for frame in result.frames] == [(32, 32)] * 3  # steps 0 and 2, the result
    assert result.frames[-1].tobytes() == result.image.tobytes()
    assert result.frames[0].tobytes() != result.image.tobytes()
    assert result.settings.seed == 7
    assert -1 <= result.score <= 1
    assert result.seconds > 0
    assert any("toy" in notice for notice in result.notices)
    assert result._repr_png_().startswith(b"\x89PNG")


def test_display_every_0_keeps_the_result_alone(toy: Toy) -> None:
    assert len(draw(**toy(display_every=0)).frames) == 1


def test_native_pictures_are_of_drawers_made_of_cells(toy: Toy) -> None:
    native = draw(**toy(pixel={"cells": "8x6"})).native
    assert native is not None
    assert native.size == (8, 6)
    assert draw(**toy(drawer="pyramid")).native is None


def test_same_seed_same_picture_and_a_drawn_seed_is_told(toy: Toy) -> None:
    first = draw(**toy(seed=None))
    assert isinstance(first.settings.seed, int)
    second = draw(**toy(seed=first.settings.seed))
    assert first.image.tobytes() == second.image.tobytes()
    assert draw(**toy(seed="other words")).image.tobytes() != first.image.tobytes()


def test_settings_of_a_result_draw_it_again(toy: Toy) -> None:
    first = draw(**toy(seed=None))
    with Session(first.settings) as session:
        *_, last = session.frames()
    from text2art.media.convert import to_pil

    assert to_pil(last.image).tobytes() == first.image.tobytes()


@pytest.mark.parametrize("ending", ["png", "webp", "jpg"])
def test_saved_pictures_hold_their_settings(tmp_path: Path, toy: Toy, ending: str) -> None:
    result = draw(**toy())
    path = result.save(str(tmp_path / f"a.{ending}"))
    assert Settings.of(**read_settings(path)) == result.settings
    with Image.open(path) as image:
        assert image.size == (32, 32)


def test_save_video(tmp_path: Path, toy: Toy) -> None:
    result = draw(**toy(display_every=1))
    with Image.open(result.save_video(tmp_path / "a.gif")) as film:
        assert film.n_frames == 4


def test_models_are_loaded_once_when_handed_in(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    from text2art.perceptors import toy as module

    built = []
    build = module.build

    def counted(*arguments: Any) -> Any:
        built.append(arguments)
        return build(*arguments)

    monkeypatch.setattr(module, "build", counted)
    models = Models(pick("cpu"))
    for seed in (1, 2):
        draw(**toy(seed=seed), models=models)
    assert len(built) == 1


def test_prompts_as_text_or_list(toy: Toy) -> None:
    assert draw(**toy(prompts="a | b:-0.5")).settings.prompts == ("a | b:-0.5",)
    assert draw(**toy(prompts=["a", "b"])).settings.prompts == ("a", "b")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"drawer": "pixle"}, "Did you mean 'pixel'"),
        ({"sead": 1}, "Did you mean 'seed'"),
        ({"size": "1x1"}, "out of range"),
        ({"prompts": ""}, "empty"),
        ({"prompts": []}, "no prompt"),
        ({"prompts": 7}, "must be text"),
        ({"pixel": {"cels": 1}}, "Did you mean 'cells'"),
        ({"num_cuts": 3}, "same setting"),
    ],
)
def test_what_is_wrong_is_one_line(toy: Toy, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        draw(**toy(**wrong))
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, Text2ArtError)


def test_an_unknown_drawer_is_an_unknown_component(toy: Toy) -> None:
    with pytest.raises(UnknownComponent):
        draw(**toy(drawer="oil"))


def test_public_names_are_there_and_cost_nothing_until_used() -> None:
    for name in text2art.__all__:
        assert getattr(text2art, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        _ = text2art.paint
    code = "import sys, text2art; sys.exit('torch' in sys.modules or 'pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
