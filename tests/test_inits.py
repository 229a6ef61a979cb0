"""The init image: what it starts, what holds to it, what is kept of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import text2art
from text2art import Frame, Session
from text2art.core import View
from text2art.errors import InputFileError, SettingsError
from text2art.losses.init import InitLoss
from text2art.media.convert import to_pil
from text2art.models import Models
from text2art.runtime import Runtime, pick, stream
from text2art.settings import Settings


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(Runtime(pick("cpu").device))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    levels = torch.rand(32, 48, 3, generator=stream(0, "photo")) * 255
    Image.fromarray(levels.to(torch.uint8).numpy()).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    levels = np.zeros((32, 48), dtype=np.uint8)
    levels[:, :20] = 255
    Image.fromarray(levels).save(tmp_path / "mask.png")
    return tmp_path / "mask.png"


def draw(models: Models, **values: Any) -> list[Frame]:
    given: dict[str, Any] = {
        "prompts": "a clown | a hat:-0.5", "size": "48x32", "iterations": 6, "cuts": 3,
        "perceptor": "toy", "seed": 1, "learning_rate": 20, **values,
    }  # fmt: skip
    return list(Session(Settings.of(**given), models=models).frames())


def distance(frame: Frame, photo: Path) -> float:
    wanted = torch.from_numpy(np.asarray(Image.open(photo), dtype=np.float32).copy()) / 255
    return float((frame.image[0, :3].permute(1, 2, 0) - wanted).square().mean())


@pytest.mark.parametrize("drawer", ["pyramid", "pixel", "fft", "vqgan"])
def test_what_is_protected_stays_to_the_bit(
    models: Models, photo: Path, mask: Path, drawer: str
) -> None:
    frames = draw(models, drawer=drawer, init_image=str(photo), protect=str(mask))
    before = np.asarray(Image.open(photo))
    for frame in frames:
        after = np.asarray(to_pil(frame.image))
        assert (after[:, :20] == before[:, :20]).all()
    assert (np.asarray(to_pil(frames[-1].image))[:, 20:] != before[:, 20:]).mean() > 0.5


def test_what_is_protected_is_seen_but_does_not_pull(
    models: Models, photo: Path, mask: Path
) -> None:
    with Session(
        Settings.of(prompts="a clown", size="48x32", iterations=1, cuts=2, perceptor="toy", seed=1,
                    init_image=str(photo), protect=str(mask)), models=models,
    ) as session:  # fmt: skip
        view = session.scene.view(0, 1)
        torch.autograd.backward((view.image[..., :20] * 3).sum())
        gradients = [p.grad for p in session.drawer.parameters() if p.grad is not None]
        assert gradients
        assert not any(bool(g.any()) for g in gradients)


def test_a_transparent_mask_keeps_nothing_and_all_white_keeps_all(
    models: Models, photo: Path, tmp_path: Path
) -> None:
    Image.new("RGBA", (10, 10), (255, 255, 255, 0)).save(tmp_path / "clear.png")
    Image.new("L", (10, 10), 255).save(tmp_path / "white.png")
    before = np.asarray(Image.open(photo))
    kept = [
        float((np.asarray(to_pil(draw(models, init_image=str(photo), protect=str(m))[-1].image))
               == before).mean())
        for m in (tmp_path / "white.png", tmp_path / "clear.png")
    ]  # fmt: skip
    assert kept[0] == 1.0
    assert kept[1] < 0.5


def test_init_weight_holds_to_the_picture_and_fades(models: Models, photo: Path) -> None:
    start = distance(draw(models, init_image=str(photo), iterations=1)[0], photo)
    free, held, faded = (
        distance(draw(models, init_image=str(photo), iterations=12, **more)[-1], photo)
        for more in ({}, {"init_weight": 1e4}, {"init_weight": 1e4, "init_fade": 0.05})
    )
    assert start <= held < free
    assert held < faded


def test_the_init_loss_is_the_faded_mean_squared_difference() -> None:
    target = torch.zeros(1, 3, 4, 4)
    image = torch.full((1, 3, 4, 4), 0.5)
    for fade, progress, expected in (
        (None, 0.9, 0.25), (0.5, 0.0, 0.25), (0.5, 0.25, 0.125), (0.5, 0.5, 0.0), (0.5, 0.9, 0.0),
    ):  # fmt: skip
        loss = InitLoss(3.0, lambda view: view.image, target, fade)
        view = View(image, 0, progress, cutouts=None)  # type: ignore[arg-type]
        assert float(loss(view)) == pytest.approx(expected)
    assert loss.weight == 3.0


def test_a_vqgan_is_held_in_its_latents(models: Models, photo: Path) -> None:
    with Session(
        Settings.of(prompts="a clown", drawer="vqgan", size="48x32", iterations=1, cuts=2,
                    perceptor="toy", seed=1, init_image=str(photo), init_weight=1.0),
        models=models,
    ) as session:  # fmt: skip
        loss = next(one for one in session.scene.losses if one.name == "init")
        assert float(loss(session.scene.view(0, 1)).detach()) == 0.0
        with torch.no_grad():
            next(iter(session.drawer.parameters())).add_(0.5)
        assert float(loss(session.scene.view(0, 1)).detach()) == pytest.approx(0.25, rel=1e-3)


@pytest.mark.parametrize("values", [{"init_weight": 1}, {"protect": "mask.png"}])
def test_what_needs_an_init_image_says_so(models: Models, values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f"{next(iter(values))} needs an init_image"):
        draw(models, **values)


def test_a_missing_mask_is_named(models: Models, photo: Path) -> None:
    with pytest.raises(InputFileError, match=r"no\.png"):
        draw(models, init_image=str(photo), protect="no.png")


@pytest.mark.parametrize("drawer", ["pixel", "clipdraw"])
def test_cells_and_shapes_without_what_is_kept_are_not_offered(
    models: Models, photo: Path, mask: Path, drawer: str
) -> None:
    given: dict[str, Any] = {
        "drawer": drawer, "size": "48x32", "iterations": 1, "cuts": 2, "perceptor": "toy",
        "seed": 1, "init_image": str(photo),
    }  # fmt: skip
    plain = text2art.draw("a clown", models=models, **given)
    kept = text2art.draw("a clown", models=models, protect=str(mask), **given)
    assert plain.svg is not None
    assert (plain.native is not None) == (drawer == "pixel")
    assert kept.svg is None
    assert kept.native is None
