"""What a CUDA device must do as the CPU does: run with `pytest -m gpu` where there is one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from text2art import draw_each, graphs, registry
from text2art.chunks import see_in_chunks
from text2art.core import Frame
from text2art.cutouts.cut import cut
from text2art.media.convert import to_pil
from text2art.media.darkroom import Darkroom
from text2art.models import Models
from text2art.runtime import free_memory, pick, release_memory
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


# ---- graphs, and never waiting -----------------------------------------------------------------


@pytest.mark.parametrize("reference", ["starter", "ViT-B-32@random", "RN50@random"])
def test_perceptors_are_the_same_as_graphs(models: Models, reference: str) -> None:
    perceptor: Any = models.perceptor(reference)
    target = perceptor.read(["a red apple"])
    for turn in range(graphs.AFTER + 3):
        leaf = random_crops(6, perceptor.size, seed=turn).requires_grad_()
        seen, plain = perceptor.see(leaf), perceptor._looked(leaf)
        assert (seen * plain).sum(-1).min() > 0.9999
        pulled, other = (
            torch.autograd.grad((embedded @ target.T).sum(), leaf)[0].flatten()
            for embedded in (seen, plain)
        )
        assert F.cosine_similarity(pulled, other, dim=0) > 0.999
    assert perceptor._look._graphs


def test_drawings_are_the_same_with_graphs(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"drawer": "vqgan", "iterations": 40, "cuts": 12}
    with_graphs = drawn(models, **settings)
    monkeypatch.setenv("TEXT2ART_GRAPHS", "0")
    assert with_graphs.score == pytest.approx(
        drawn(Models(pick("cuda")), **settings).score, abs=0.1
    )


@pytest.mark.parametrize("drawer", sorted(registry.components("drawers")))
def test_no_step_waits_for_the_device(models: Models, drawer: str) -> None:
    settings = Settings.of(**{**DRAFT, "drawer": drawer, "iterations": 60, "starts": 1})
    with Session(settings, models=models) as session:
        frames = session.frames()
        for _ in range(13):  # graphs are there by now, and no tenth of the run ends soon
            next(frames)
        torch.cuda.set_sync_debug_mode("error")
        try:
            for _ in range(4):
                next(frames)
        finally:
            torch.cuda.set_sync_debug_mode("default")


def test_a_film_does_not_wait_for_the_device(models: Models) -> None:
    settings = Settings.of(**{**DRAFT, "iterations": 60, "starts": 1})
    here: list[Image.Image] = []
    with Session(settings, models=models) as session, Darkroom(most=60) as darkroom:
        frames = session.frames()
        for _ in range(13):
            next(frames)
        torch.cuda.set_sync_debug_mode("error")
        try:
            drawn = [next(frames) for _ in range(4)]
            for frame in drawn:
                darkroom.develop(frame.image, here.append)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        darkroom.wait()
    assert [picture.tobytes() for picture in here] == [to_pil(f.image).tobytes() for f in drawn]


def test_several_pictures_share_each_launch(models: Models) -> None:
    orders = [Settings.of(**{**DRAFT, "iterations": 12, "starts": 1, "seed": n}) for n in range(3)]
    results = list(draw_each(orders, together=3, models=models))
    for result, order in zip(results, orders, strict=True):
        with Session(order, models=models) as session:
            (*_, alone) = session.frames()
        assert result.score == pytest.approx(alone.score, abs=0.05)


# ---- memory ------------------------------------------------------------------------------------

LARGE = {"perceptor": "ViT-B-32@random", "drawer": "pixel", "iterations": 3, "starts": 1}


def random_crops(n: int, size: int, seed: int = 2) -> torch.Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed)).cuda()


def test_chunks_pull_the_same(models: Models) -> None:
    perceptor = models.perceptor("starter")
    leaf = random_crops(16, perceptor.size).requires_grad_()
    target = perceptor.read(["a red apple"])
    (at_once,) = torch.autograd.grad((perceptor.see(leaf) @ target.T).sum(), leaf)
    for size in (1, 5, 8):
        seen = see_in_chunks(perceptor.see, leaf, size)
        (pulled,) = torch.autograd.grad((seen @ target.T).sum(), leaf)
        # Towers compute in bfloat16, with other kernels for other batches.
        assert F.cosine_similarity(pulled.flatten(), at_once.flatten(), dim=0) > 0.99


def test_the_measure_foretells_the_peak(models: Models) -> None:
    perceptor, count = models.perceptor("ViT-B-32@random"), 64
    expected = count * models.crop_bytes(perceptor)
    leaf = random_crops(count, perceptor.size).requires_grad_()
    torch.autograd.backward(perceptor.see(leaf[:2]).sum())  # libraries take their working space
    release_memory()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    torch.autograd.backward(perceptor.see(leaf).sum())
    peak = torch.cuda.max_memory_allocated() - before
    assert 0.6 * expected < peak < 1.5 * expected


def test_free_memory_is_that_of_the_device(models: Models) -> None:
    free = free_memory(models.runtime.device)
    assert free is not None
    assert 0 < free <= torch.cuda.get_device_properties(models.runtime.device).total_memory


def test_a_device_that_is_too_small_draws_through(models: Models) -> None:
    """Plans know nothing of torch's own limit, so the run has to find out by itself."""
    whole = drawn(models, **LARGE, cuts=256)
    with Session(Settings.of(**{**DRAFT, **LARGE, "cuts": 256}), models=models) as session:
        need = 256 * models.crop_bytes(models.perceptor("ViT-B-32@random"))
        release_memory()
        total = torch.cuda.get_device_properties(models.runtime.device).total_memory
        share = (torch.cuda.memory_reserved() + 0.4 * need) / total
        torch.cuda.set_per_process_memory_fraction(share)
        try:
            last = list(session.frames())[-1]
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
    assert session.scene.chunks.size is not None
    assert any("ran out with looks 256 at a time" in notice for notice in session.notices)
    assert last.final
    assert torch.allclose(last.image, whole.image, atol=0.2)
    assert (last.image - whole.image).abs().mean() < 0.02
