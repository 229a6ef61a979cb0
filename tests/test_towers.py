"""Lean image towers: what open_clip's own compute, its gradients, and less kept for them."""

from __future__ import annotations

import copy
from typing import Any

import open_clip
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.tools.clip_files import TINY, TINY_RESNET, tiny_clip
from text2art.memory import kept_bytes
from text2art.nets.towers import ClassTokenTransformer, lean_
from text2art.perceptors.open_clip import OpenClipPerceptor, make_net
from text2art.runtime import Runtime, freeze, pick, stream

CPU = pick("cpu")


def vit(**changes: Any) -> dict[str, Any]:
    """Return a tiny model's config with changes to its image tower."""
    return {**TINY, "vision_cfg": {**TINY["vision_cfg"], "head_width": 16, **changes}}


KNOWN = {
    "plain": vit(),
    "layer scale": vit(ls_init_value=0.5),
    "no first norm": vit(no_ln_pre=True),
    "norm after the pool": vit(final_ln_after_pool=True),
    "one block": vit(layers=1),
    "fixed places": vit(pos_embed_type="sin_cos_2d"),
    "dropped patches in training": vit(patch_dropout=0.5),
    "resnet": TINY_RESNET,
}
OTHERS = {
    "mean of tokens": vit(pool_type="avg"),
    "attention pool": vit(attentional_pool=True),
    "scaled heads": vit(block_type="custom", scale_heads=True),
}


def net_of(config: dict[str, Any], *, quick_gelu: bool = False) -> nn.Module:
    return freeze(tiny_clip(config, quick_gelu=quick_gelu))


def pictures(count: int = 3, side: int = 32) -> Tensor:
    return torch.randn(count, 3, side, side, generator=stream(0, "pictures"))


def pulled(see: Any, crops: Tensor) -> tuple[Tensor, Tensor]:
    """Return embeddings of unit length, and a gradient of the pictures."""
    leaf = crops.clone().requires_grad_()
    seen = F.normalize(see(leaf), dim=-1)
    toward = torch.randn(seen.shape, generator=stream(0, "toward")).to(seen.dtype)
    (gradient,) = torch.autograd.grad((seen * toward).sum(), leaf)
    return seen.detach(), gradient


def assert_same(found: Tensor, wanted: Tensor, tolerance: float) -> None:
    assert float((found - wanted).norm() / wanted.norm()) < tolerance


@pytest.mark.parametrize("quick_gelu", [False, True])
@pytest.mark.parametrize("name", KNOWN)
def test_a_lean_tower_computes_what_open_clip_does(name: str, quick_gelu: bool) -> None:
    net: Any = net_of(KNOWN[name], quick_gelu=quick_gelu)
    lean = lean_(copy.deepcopy(net).visual)
    assert lean is not None
    (seen, gradient), (wanted, pull) = pulled(lean, pictures()), pulled(net.visual, pictures())
    assert float((seen - wanted).abs().max()) < 1e-5
    assert_same(gradient, pull, 1e-3 if name == "resnet" else 1e-4)  # of a ReLU rounding decides


@pytest.mark.parametrize("name", KNOWN)
def test_they_agree_to_the_last_digits_in_double_precision(name: str) -> None:
    net: Any = net_of(KNOWN[name], quick_gelu=True).double()
    lean = lean_(copy.deepcopy(net).visual)
    assert lean is not None
    both = [pulled(see, pictures().double()) for see in (lean, net.visual)]
    for found, wanted in zip(*both, strict=True):
        assert_same(found, wanted, 1e-10)


@pytest.mark.parametrize("name", KNOWN)
def test_the_changed_tower_still_computes_the_same(name: str) -> None:
    net: Any = net_of(KNOWN[name], quick_gelu=True).double()
    before = net.visual(pictures().double())
    lean_(net.visual)
    assert_same(net.visual(pictures().double()), before, 1e-10)
    lean_(net.visual)  # once more changes nothing
    assert_same(net.visual(pictures().double()), before, 1e-10)


@pytest.mark.parametrize("name", OTHERS)
def test_other_towers_are_left_to_open_clip(name: str) -> None:
    net: Any = net_of(OTHERS[name])
    before = {key: value.clone() for key, value in net.visual.state_dict().items()}
    assert lean_(net.visual) is None
    after = net.visual.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    perceptor = OpenClipPerceptor(name, net, open_clip.tokenize, CPU, mean=(0,) * 3, std=(1,) * 3)
    assert torch.equal(perceptor.see(pictures()), F.normalize(net.encode_image(pictures()), dim=-1))


@pytest.mark.parametrize(
    "model",
    ["ViT-B-32", "ViT-L-14", "ViT-H-14", "ViT-S-16", "ViT-M-16-alt", "ViT-B-16-plus-240", "RN50",
     "RN50x4"],
)  # fmt: skip
def test_the_models_of_open_clip_are_known(model: str) -> None:
    with torch.device("meta"):
        net: Any = freeze(make_net(open_clip.get_model_config(model), model))
    lean = lean_(net.visual)
    assert lean is not None
    size = net.visual.image_size
    side = size if isinstance(size, int) else size[0]
    with torch.device("meta"):
        assert lean(torch.empty(2, 3, side, side)).shape == (2, net.visual.output_dim)


@pytest.mark.parametrize("name", ["plain", "resnet"])
def test_less_is_kept_for_the_gradient_and_nothing_for_weights(name: str) -> None:
    net: Any = net_of(KNOWN[name], quick_gelu=True)
    own = copy.deepcopy(net).visual
    lean: Any = lean_(own)

    def kept(see: Any, count: int) -> int:
        crops = pictures(count).requires_grad_()
        return kept_bytes(lambda: see(crops))

    def more(see: Any) -> int:
        """Return the bytes of two more pictures; weights are kept once."""
        return kept(see, 3) - kept(see, 1)

    assert more(lean) < 0.8 * more(net.visual)
    pulled(lean, pictures())
    assert all(parameter.grad is None for parameter in own.parameters())
    assert not lean(pictures()).requires_grad


def test_some_patches_may_be_left_out() -> None:
    net: Any = net_of(vit(patch_size=8))  # 16 patches
    lean = lean_(net.visual)
    assert isinstance(lean, ClassTokenTransformer)
    everything = torch.arange(16).expand(3, -1)
    assert_same(lean(pictures(), everything), lean(pictures()), 1e-6)
    assert_same(lean(pictures(), everything.flip(1)), lean(pictures()), 1e-5)  # places go along
    kept = torch.tensor([[0, 5, 10], [1, 2, 3], [15, 7, 4]])
    leaf = pictures().requires_grad_()
    (gradient,) = torch.autograd.grad(lean(leaf, kept).square().sum(), leaf)
    seen = F.max_pool2d(gradient.abs().amax(1, keepdim=True), 8).flatten(1) > 0
    assert [row.nonzero().flatten().tolist() for row in seen] == [sorted(r) for r in kept.tolist()]


def test_large_towers_alone_take_the_type_of_large_networks(monkeypatch: Any) -> None:
    runtime = Runtime(CPU.device, torch.float32, torch.bfloat16)

    def type_of(net: Any) -> torch.dtype:
        OpenClipPerceptor("a", net, open_clip.tokenize, runtime)
        found: torch.dtype = net.visual.conv1.weight.dtype
        return found

    assert type_of(net_of(TINY)) == torch.float32
    monkeypatch.setattr("text2art.runtime.LARGE", 1000)
    assert type_of(net_of(TINY)) == torch.bfloat16


@pytest.mark.slow
@pytest.mark.parametrize("model", ["ViT-B-32", "RN50"])
def test_bfloat16_pulls_where_float32_does(model: str) -> None:
    """Towers of the real size, random views of smooth pictures: cosine of the gradients."""
    net = make_net({**open_clip.get_model_config(model), "quick_gelu": True}, model)
    full = OpenClipPerceptor("full", copy.deepcopy(net), open_clip.tokenize, CPU)
    half = OpenClipPerceptor(
        "half", net, open_clip.tokenize, Runtime(CPU.device, torch.float32, torch.bfloat16)
    )
    small = torch.rand(2, 3, 8, 8, generator=stream(0, "views"))
    views = F.interpolate(small, 224, mode="bicubic").clamp(0, 1)
    (_, wanted), (_, found) = pulled(full.see, views), pulled(half.see, views)
    cosine = F.cosine_similarity(found.flatten(), wanted.flatten(), dim=0)
    assert float(cosine) >= (0.99 if model == "ViT-B-32" else 0.98)
