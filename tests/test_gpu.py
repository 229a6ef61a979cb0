"""What a CUDA device must do as the CPU does: run with `pytest -m gpu` where there is one."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from text2art import registry
from text2art.core import Frame
from text2art.cutouts.cut import cut
from text2art.models import Models
from text2art.runtime import pick
from text2art.session import Session
from text2art.settings import Settings

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
DRAFT = {"prompts": "a red apple on a blue background", "quality": "draft", "seed": 3}


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(pick("cuda"))


def drawn(models: Models, **changes: object) -> Frame:
    with Session(Settings.of(**{**DRAFT, **changes}), models=models) as session:
        return list(session.frames())[-1]


def test_bfloat16_sees_what_float32_sees(models: Models) -> None:
    gen = torch.Generator().manual_seed(0)
    crops = F.interpolate(torch.rand(8, 3, 8, 8, generator=gen), size=(64, 64), mode="bilinear")
    on_gpu, on_cpu = models.perceptor("starter"), Models(pick("cpu")).perceptor("starter")
    close = (on_gpu.see(crops.cuda()).cpu() * on_cpu.see(crops)).sum(-1)
    assert close.min() > 0.995
    words = (on_gpu.read(["a red apple"]).cpu() * on_cpu.read(["a red apple"])).sum()
    assert words > 0.9999


def test_looks_are_the_cpus(models: Models) -> None:
    session = Session(Settings.of(**DRAFT), models=models)
    looks = session.scene.cutouts.choose(5, 0.5, 96, 96)
    picture = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    crops = cut(picture, looks, 64)
    assert torch.allclose(cut(picture.cuda(), looks, 64).cpu(), crops, atol=2e-4)


@pytest.mark.parametrize("drawer", sorted(registry.components("drawers")))
def test_every_drawer_draws_as_well_as_on_the_cpu(models: Models, drawer: str) -> None:
    settings = {"drawer": drawer, "iterations": 40, "cuts": 12}
    frame = drawn(models, **settings)
    assert frame.image.is_cuda
    assert torch.isfinite(frame.image).all()
    assert frame.score == pytest.approx(drawn(Models(pick("cpu")), **settings).score, abs=0.12)


def test_a_run_can_be_cancelled_and_another_started(models: Models) -> None:
    with Session(Settings.of(**DRAFT), models=models) as session:
        frames = session.frames()
        for _ in range(3):
            next(frames)
    assert session.snapshot().image.isfinite().all()
    assert drawn(models, iterations=3).final
