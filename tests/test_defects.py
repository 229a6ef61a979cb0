"""Defects of the ancestors that belong to no other file: numbered as in the notes on pixray 1.9.1.

The others' tests, `test_d1_...` to `test_d18_...`, stand beside what they are about.
"""

from __future__ import annotations

import builtins
import inspect
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from PIL import Image

from tests.test_download import CONTENT, HALF, Make, entry, target
from tests.test_download import servers as servers
from tests.test_vqgan_net import F8, taming_files
from text2art import Session
from text2art.ancestors.calls import Calls
from text2art.ancestors.dialect import PIXRAY
from text2art.core import Canvas
from text2art.drawers.fft import FftDrawer
from text2art.errors import MissingExtra, WeightsError
from text2art.media.video import check_encoder
from text2art.models import Models
from text2art.options.drawers import FftOptions
from text2art.runtime import pick, stream
from text2art.serving import render
from text2art.serving.request import settings_of
from text2art.settings import Settings
from text2art.weights import fetch

SOURCES = sorted(Path(inspect.getfile(import_module("text2art"))).parent.rglob("*.py"))


def test_d2_a_vqgan_of_ones_own_is_used(tmp_path: Path) -> None:
    checkpoint = taming_files(tmp_path, F8)
    calls = Calls(PIXRAY, lambda line: None)
    calls.add_settings(
        prompts="a cat",
        vqgan_checkpoint=str(checkpoint),
        vqgan_config=str(checkpoint.with_suffix(".yaml")),
        clip_models="toy",
        iterations=1,
        size=(32, 32),
    )
    applied = calls.apply_settings()
    with Session(applied.settings) as session:
        used = session.record()["networks"]
    assert [network["name"] for network in used] == [checkpoint.stem]
    assert used[0]["sha256"]


def test_d8_fft_takes_a_picture_into_the_parameters_it_has() -> None:
    canvas = Canvas(48, 32, pick("cpu").device, lambda purpose: stream(1, purpose))
    drawer = FftDrawer(canvas, FftOptions())
    before = [id(p) for group in drawer.groups() for p in group["params"]]
    picture = torch.rand(1, 3, 32, 48, generator=stream(2, "picture")) * 0.8 + 0.1
    drawer.fit_(picture)
    assert [id(p) for group in drawer.groups() for p in group["params"]] == before
    assert torch.allclose(drawer(), picture, atol=1e-3)


# An input of the container and a value that is not its default.
INPUTS: dict[str, Any] = {
    "prompts": "a blue whale",
    "drawer": "pixel",
    "quality": "draft",
    "aspect": "16:9",
    "size": "64x32",
    "iterations": 7,
    "display_every": 3,
    "seed": 11,
    "palette": "PICO-8",
    "styles": "neon",
    "make_video": True,
    "output_format": "webp",
}


def test_d9_every_input_of_the_container_reaches_the_run() -> None:
    plain = set(render.defaults()) - {render.EXTRA, *render.PICTURES}
    assert plain | {"prompts"} == set(INPUTS)
    settings = settings_of({**INPUTS, render.EXTRA: "cuts: 5"})
    alone = Settings.of(**INPUTS, cuts=5)
    assert settings == alone
    assert settings.given().keys() >= INPUTS.keys() | {"cuts"}


def test_d14_half_a_download_is_never_used(servers: Make) -> None:
    server = servers()
    server.cut = HALF
    with pytest.raises(WeightsError):
        fetch.fetch(entry(server.url))
    assert not target().exists()
    server.cut = None
    fetch.fetch(entry(server.url))
    assert target().read_bytes() == CONTENT


def test_d15_a_missing_package_is_named_where_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = import_module("importlib.util").find_spec

    def find_spec(name: str, package: str | None = None) -> Any:
        return None if name == "av" else found(name, package)

    monkeypatch.setattr("importlib.util.find_spec", find_spec)
    with pytest.raises(MissingExtra, match=r"text2art\[video\]"):
        check_encoder(tmp_path / "film.mp4")


def test_d16_devices_are_chosen_in_one_place() -> None:
    """pixray's clipdraw, line, edge and target images ran on CUDA alone.

    What remains may ask what device it was given, as the rasterizers do.
    """
    chosen = re.compile(r"""\.cuda\(|(?:\.to\(|device=|torch\.device\()\s*["']cuda""")
    users = {path.name for path in SOURCES if chosen.search(path.read_text(encoding="utf-8"))}
    assert users <= {"runtime.py"}


@pytest.mark.parametrize("drawer", ["clipdraw", "line"])
def test_d16_whatever_draws_stays_on_the_device_it_was_given(drawer: str, tmp_path: Path) -> None:
    Image.new("RGB", (24, 24), "red").save(tmp_path / "red.png")
    picture = str(tmp_path / "red.png")
    given = Settings.of(
        prompts="a cat", perceptor="toy", drawer=drawer, size=(32, 32), iterations=1, starts=1,
        target_images=picture, losses="edge", edge={"image": picture},
    )  # fmt: skip
    with Session(given, models=Models(pick("cpu"))) as session:
        frame = list(session.frames())[-1]
    assert frame.image.device.type == "cpu"
    assert {"edge", f"target {picture}"} <= set(frame.terms)


@pytest.mark.parametrize("package", ["kornia", "taming", "clip", "pydiffvg", "cv2"])
def test_d17_nothing_drawn_depends_on_packages_that_change_or_vanish(package: str) -> None:
    """The optional rasterizer asks for diffvg by name, and only when it is chosen."""
    naming = re.compile(rf"^\s*(?:from|import)\s+{package}\b", re.MULTILINE)
    users = [path.name for path in SOURCES if naming.search(path.read_text(encoding="utf-8"))]
    assert users == []


def test_d17_drawing_works_without_kornia(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> ModuleType:
        if name.partition(".")[0] == "kornia":
            raise ImportError(f"no {name} here")
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    given = Settings.of(
        prompts="a cat", perceptor="toy", drawer="pixel", size=(32, 32), iterations=2, starts=1
    )
    with Session(given) as session:
        assert list(session.frames())[-1].final
