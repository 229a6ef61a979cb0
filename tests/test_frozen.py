"""Layers with frozen weights: autograd's own values and gradients, and less kept for them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.test_vqgan_net import F8, F16, filled
from text2art.memory import kept_bytes
from text2art.nets import frozen
from text2art.nets.vqgan import Vqgan, load_vqgan
from text2art.runtime import stream

LAYOUTS = {"rows": torch.contiguous_format, "channels last": torch.channels_last}


def noise(*shape: int, purpose: str = "x") -> Tensor:
    return torch.randn(shape, generator=stream(0, purpose), dtype=torch.float64)


def pulled(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    out = function(leaf)
    # In the layout that a layer of the same layout would give it.
    pull = torch.empty_like(out).copy_(noise(*out.shape, purpose="pull"))
    (gradient,) = torch.autograd.grad(out, leaf, pull)
    return out.detach(), gradient


def assert_same(
    ours: Callable[[Tensor], Tensor], reference: Callable[[Tensor], Tensor], x: Tensor
) -> None:
    for found, wanted in zip(pulled(ours, x), pulled(reference, x), strict=True):
        assert found.shape == wanted.shape
        assert torch.allclose(found, wanted, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("kernel", "padding"), [(1, 0), (2, 1), (3, 1), (3, 0)])
def test_convolutions(kernel: int, padding: int, layout: str) -> None:
    x = noise(2, 3, 5, 7).contiguous(memory_format=LAYOUTS[layout])
    weight = noise(4, 3, kernel, kernel, purpose="w").contiguous(memory_format=LAYOUTS[layout])
    for bias in (None, noise(4, purpose="b")):
        assert_same(
            lambda x, bias=bias: frozen.convolve(x, weight, bias, padding),  # type: ignore[misc]
            lambda x, bias=bias: F.conv2d(x, weight, bias, padding=padding),  # type: ignore[misc]
            x,
        )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("groups", [1, 2, 6])
def test_norms_with_swish(groups: int, layout: str) -> None:
    x = (3 * noise(2, 6, 5, 4) + 1).contiguous(memory_format=LAYOUTS[layout])
    weight, bias = noise(6, purpose="w"), noise(6, purpose="b")
    assert_same(
        lambda x: frozen.norm_swish(x, weight, bias, groups, 1e-6),
        lambda x: F.silu(F.group_norm(x, groups, weight, bias, 1e-6)),
        x,
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_norms_of_half_width_pull_as_full_ones_do(
    layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Channels last goes a way of its own; both are within what bfloat16 can hold."""
    called: list[str] = []
    closed_form = frozen._norm_gradient

    def noted(*given: Tensor) -> Tensor:
        called.append("closed form")
        return closed_form(*given)

    monkeypatch.setattr(frozen, "_norm_gradient", noted)
    shape = (2, 64, 24, 20)
    x = (3 * noise(*shape) + 2).float().contiguous(memory_format=LAYOUTS[layout])
    weight, bias = (1 + 0.5 * noise(64, purpose="w")).float(), noise(64, purpose="b").float()
    half = (t.to(torch.bfloat16) for t in (x, weight, bias))
    x16, weight16, bias16 = half
    wanted = pulled(lambda x: F.silu(F.group_norm(x, 8, weight, bias, 1e-6)), x)
    found = pulled(lambda x: frozen.norm_swish(x, weight16, bias16, 8, 1e-6), x16)
    by_torch = pulled(lambda x: F.silu(F.group_norm(x, 8, weight16, bias16, 1e-6)), x16)
    assert called == (["closed form"] if layout == "channels last" else [])
    for ours, theirs, right in zip(found, by_torch, wanted, strict=True):
        assert ours.is_contiguous(memory_format=LAYOUTS[layout])
        assert off(ours, right) <= 1.5 * off(theirs, right) + 1e-6


def off(found: Tensor, wanted: Tensor) -> float:
    return float((found.float() - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 3)])
def test_doubling_with_its_convolution(size: tuple[int, int], layout: str) -> None:
    x = noise(2, 3, *size).contiguous(memory_format=LAYOUTS[layout])
    weight = noise(4, 3, 3, 3, purpose="w")
    phases = frozen.fold_doubling(weight).contiguous(memory_format=LAYOUTS[layout])
    for bias in (None, noise(4, purpose="b")):
        assert_same(
            lambda x, bias=bias: frozen.double_and_convolve(x, phases, bias),  # type: ignore[misc]
            lambda x, bias=bias: F.conv2d(  # type: ignore[misc]
                F.interpolate(x, scale_factor=2.0, mode="nearest"), weight, bias, padding=1
            ),
            x,
        )


def test_only_weights_that_learn_nothing_are_frozen() -> None:
    x, weight = noise(1, 3, 4, 4), noise(3, purpose="w")
    assert frozen.is_frozen(x, weight, None)
    assert not frozen.is_frozen(x, weight.clone().requires_grad_())
    assert not frozen.is_frozen(x.float(), weight)
    with torch.autocast("cpu", torch.bfloat16):
        assert not frozen.is_frozen(x, weight)


# ---- the decoder -------------------------------------------------------------------------------


def learning(model: Vqgan) -> Vqgan:
    """Return a copy that autograd treats as it does any: its weights want a gradient."""
    return copy.deepcopy(model).requires_grad_(True)


@pytest.mark.parametrize("config", [F8, F16], ids=["f8", "f16"])
def test_a_settled_vqgan_decodes_as_before(config: object) -> None:
    model = filled(F8 if config is F8 else F16).double().requires_grad_(False)
    z = model.encode(noise(1, 3, 32, 48, purpose="picture"))
    wanted = pulled(learning(model).decode, z)
    assert all(map(torch.allclose, pulled(model.decode, z), wanted))
    model.settle_(torch.float64)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    image, gradient = pulled(model.decode, z)
    assert image.is_contiguous()
    assert image.dtype == torch.float32  # pictures are
    assert torch.allclose(image, wanted[0].float(), atol=1e-6)
    assert torch.allclose(gradient, wanted[1], rtol=1e-5, atol=1e-6)
    model.settle_(torch.bfloat16)  # too late
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_frozen_decoder_keeps_little() -> None:
    model = filled(F16).requires_grad_(False)
    z = model.encode(noise(1, 3, 64, 64, purpose="picture").float())

    def kept(decoder: Vqgan) -> int:
        weights = sum(parameter.nbytes for parameter in decoder.decoder.parameters())
        return kept_bytes(lambda: decoder.decode(z.clone().requires_grad_())) - weights

    usual = kept(learning(model))
    model.settle_()
    assert kept(model) < 0.45 * usual


@pytest.mark.slow
def test_bfloat16_pulls_where_float32_does() -> None:
    folder = Path(__file__).parents[1] / "weights" / "starter"
    full, half = load_vqgan(folder), load_vqgan(folder)
    full.settle_()
    half.settle_(torch.bfloat16)
    codes = torch.randint(full.config.n_embed, (1, 16, 16), generator=stream(0, "codes"))
    z = full.quantize.look_up(codes)
    (image, wanted), (near, found) = pulled(full.decode, z), pulled(half.decode, z)
    assert near.dtype == torch.float32
    assert float((near - image).abs().mean()) < 0.02
    assert float(F.cosine_similarity(found.flatten(), wanted.flatten(), dim=0)) >= 0.99
