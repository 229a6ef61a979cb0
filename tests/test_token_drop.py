"""Patches left out of views: who leaves them out, which they are, and what pulls."""

from __future__ import annotations

from typing import Any

import open_clip
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.tools.clip_files import TINY, TINY_RESNET, tiny_clip
from text2art.abilities import SeesPatches
from text2art.chunks import see_in_chunks
from text2art.core import Frame, Perceptor
from text2art.errors import SettingsError
from text2art.models import Models
from text2art.perceptors.open_clip import OpenClipPerceptor
from text2art.perceptors.toy import ToyPerceptor
from text2art.runtime import freeze, pick, stream
from text2art.session import Session
from text2art.settings import Settings

CPU = pick("cpu")
PATCHES = 16
TOKENIZER: Any = open_clip.SimpleTokenizer(context_length=12)


def vit() -> OpenClipPerceptor:
    """A tiny vision transformer that takes looks of 32 pixels apart into 4 x 4 patches."""
    vision = {**TINY["vision_cfg"], "head_width": 16, "patch_size": 8}
    net = freeze(tiny_clip({**TINY, "vision_cfg": vision}))
    return OpenClipPerceptor("vit", net, TOKENIZER, CPU)


class Watched(OpenClipPerceptor):
    """Notes which patches it is shown, None for all."""

    def __init__(self) -> None:
        made = vit()
        self.__dict__.update(made.__dict__)
        self.shown: list[Tensor | None] = []

    def see(self, crops: Tensor) -> Tensor:
        self.shown.append(None)
        return super().see(crops)

    def see_patches(self, crops: Tensor, kept: Tensor) -> Tensor:
        self.shown.append(kept)
        return super().see_patches(crops, kept)


def draw(perceptor: Perceptor, **values: Any) -> tuple[list[Frame], Session]:
    models = Models(CPU)
    models._perceptors["toy"] = perceptor
    tiny = {"prompts": "an apple", "perceptor": "toy", "drawer": "pixel", "size": "32x32"}
    settings = Settings.of(
        **{**tiny, "iterations": 4, "cuts": 6, "starts": 1, "seed": 7, "chunk": 6, **values}
    )
    with Session(settings, models=models) as drawing:
        return list(drawing.frames()), drawing


def test_only_vision_transformers_see_patches() -> None:
    assert vit().patches == PATCHES
    resnet = OpenClipPerceptor("rn", freeze(tiny_clip(TINY_RESNET)), TOKENIZER, CPU)
    assert resnet.patches == 0
    assert not isinstance(ToyPerceptor(CPU), SeesPatches)


@pytest.mark.parametrize(("share", "count"), [(0.25, 12), (0.5, 8), (0.9, 2)])
def test_each_step_sees_other_patches_and_the_result_all(share: float, count: int) -> None:
    watched = Watched()
    draw(watched, token_drop=share)
    *steps, final = watched.shown
    assert final is None
    assert len(steps) == 4
    for kept in steps:
        assert kept is not None
        assert kept.shape == (6, count)
        assert (kept[:, 1:] > kept[:, :-1]).all()  # each once, in order
        assert kept.min() >= 0
        assert kept.max() < PATCHES
    rows = {tuple(row) for kept in steps if kept is not None for row in kept.tolist()}
    assert len(rows) > 12  # of 24 looks: hardly two alike


def test_nothing_is_left_out_unless_asked_for() -> None:
    watched = Watched()
    draw(watched)
    assert watched.shown == [None] * 5


def test_the_same_seed_leaves_out_the_same() -> None:
    one, other = (draw(vit(), token_drop=0.5)[0] for _ in range(2))
    assert all(torch.equal(a.image, b.image) for a, b in zip(one, other, strict=True))
    whole = draw(vit())[0]
    assert not torch.equal(one[-1].image, whole[-1].image)


@pytest.mark.parametrize("size", [1, 3, 4])
def test_chunks_leave_out_the_same_and_pull_the_same(size: int) -> None:
    perceptor = vit()
    crops = torch.rand(7, 3, 32, 32, generator=stream("patches", "crops"))
    kept = torch.rand(7, PATCHES, generator=stream("patches", "kept")).argsort(1)[:, :5]

    def pulled(see: Any) -> tuple[Tensor, Tensor]:
        leaf = crops.clone().requires_grad_()
        seen = see(leaf)
        toward = torch.randn(seen.shape, generator=stream("patches", "toward"))
        return seen.detach(), torch.autograd.grad((seen * toward).sum(), leaf)[0]

    seen, gradient = pulled(lambda x: perceptor.see_patches(x, kept))
    in_chunks = pulled(lambda x: see_in_chunks(perceptor.see_patches, x, size, kept))
    torch.testing.assert_close(in_chunks[0], seen, atol=1e-5, rtol=0)
    torch.testing.assert_close(in_chunks[1], gradient, atol=1e-5, rtol=1e-3)
    touched = F.max_pool2d(gradient.abs().amax(1, keepdim=True), 8).flatten(1) > 0
    assert [row.nonzero().flatten().tolist() for row in touched] == [
        sorted(r) for r in kept.tolist()
    ]


def test_who_leaves_nothing_out_is_named() -> None:
    _, drawing = draw(ToyPerceptor(CPU), token_drop=0.5)
    assert "token_drop: toy leaves nothing out: no vision transformer" in drawing.notices
    _, drawing = draw(vit(), token_drop=0.5)
    assert not any("token_drop" in notice for notice in drawing.notices)
    _, drawing = draw(ToyPerceptor(CPU))
    assert not any("token_drop" in notice for notice in drawing.notices)


@pytest.mark.parametrize("share", [-0.1, 0.95, float("nan")])
def test_shares_out_of_range_are_refused(share: float) -> None:
    with pytest.raises(SettingsError, match="token_drop"):
        Settings.of(prompts="an apple", token_drop=share)
