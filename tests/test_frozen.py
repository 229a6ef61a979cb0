"""Layers with frozen weights: autograd's own values and gradients, and less kept for them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.test_vqgan_net import F8, F16, filled
from text2art.memory import kept_bytes
from text2art.models import Models
from text2art.nets import frozen, packed
from text2art.nets.packed import Packs
from text2art.nets.vqgan import Vqgan, load_vqgan
from text2art.nets.vqgan_blocks import Conv3
from text2art.runtime import pick, stream

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


# ---- kernels in the library's order --------------------------------------------------------------

TYPES = [torch.float32, torch.bfloat16]


def layer(dtype: torch.dtype, kernel: int = 3, layout: str = "channels last") -> tuple[Tensor, ...]:
    """Return pictures, kernels and offsets that are large enough to be packed."""
    x, weight = noise(2, 48, 6, 5), noise(64, 48, kernel, kernel, purpose="w") / 20
    form = LAYOUTS[layout]
    return (
        x.to(dtype).contiguous(memory_format=form),
        weight.to(dtype).contiguous(memory_format=form),
        noise(64, purpose="b").to(dtype),
    )


def found_by(dtype: torch.dtype, kernel: int, padding: int, layout: str, packs: Any) -> Any:
    x, weight, bias = layer(dtype, kernel, layout)
    return pulled(lambda x: frozen.convolve(x, weight, bias, padding, packs), x)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("kernel", "padding"), [(3, 1), (3, 0), (2, 1)])
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_packed_kernels_give_what_plain_ones_do(
    dtype: torch.dtype, kernel: int, padding: int, layout: str
) -> None:
    close = 1e-5 if dtype == torch.float32 else 0.02
    packs = Packs()
    for _ in range(2):  # made, then used again
        found = found_by(dtype, kernel, padding, layout, packs)
        for ours, plain in zip(found, found_by(dtype, kernel, padding, layout, None), strict=True):
            assert ours.stride() == plain.stride()
            assert float((ours - plain).abs().max()) <= close * float(plain.abs().max())


def test_kernels_are_packed_once_and_anew_when_they_change() -> None:
    x, weight, _ = layer(torch.float32)
    packs = Packs()
    kernels = packs.of(x, weight, 1)
    assert kernels is not None, "the processor's library packs no kernels"
    assert packs.of(x[:1], weight, 1) is kernels
    weight.mul_(2)
    other = packs.of(x, weight, 1)
    assert other is not None
    assert other is not kernels
    torch.testing.assert_close(
        other.convolve(x, None), F.conv2d(x, weight, padding=1), rtol=1e-4, atol=1e-4
    )
    assert packs.of(x.double(), weight.double(), 1) is None


def test_where_pictures_are_large_or_kernels_small_none_are_packed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, weight, _ = layer(torch.float32)
    packs = Packs()
    assert packs.of(x.new_zeros(1, 48, 65, 64), weight, 1) is None
    assert packs.of(x.new_zeros(0, 48, 6, 5), weight, 1) is None
    assert packs.of(x[:, :4], weight[:8, :4], 1) is None
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert packs.of(x, weight, 1) is None


@pytest.mark.parametrize("fault", ["wrong", "missing"])
def test_a_library_that_packs_otherwise_is_left_alone(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def multiply(x: Tensor, kernels: Tensor, bias: Tensor | None, padding: int) -> Tensor:
        if fault == "missing":
            raise AttributeError("no such operation")
        return x.new_ones(2, 64, 6, 5)

    monkeypatch.setattr(packed, "_multiply", multiply)
    packs = Packs()
    x, weight, _ = layer(torch.float32)
    assert packs.of(x, weight, 1) is None
    for ours, plain in zip(
        found_by(torch.float32, 3, 1, "rows", packs),
        found_by(torch.float32, 3, 1, "rows", None),
        strict=True,
    ):
        assert torch.equal(ours, plain)


def test_networks_with_packed_kernels_can_be_copied_and_kept() -> None:
    conv = Conv3(48, 64).requires_grad_(False)
    x, _, _ = layer(torch.float32)
    out = conv(x)
    for other in (copy.deepcopy(conv), pickle.loads(pickle.dumps(conv))):
        assert torch.equal(other(x), out)
    assert conv.state_dict().keys() == {"weight", "bias"}


def test_the_starter_draws_the_same_with_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = pick("cpu")
    looker = Models(runtime).perceptor("starter")
    crops = torch.rand(4, 3, looker.size, looker.size, generator=stream(0, "crops"))
    words = looker.read(["a red apple"])

    def gradient() -> Tensor:
        leaf = crops.clone().requires_grad_()
        (found,) = torch.autograd.grad((looker.see(leaf) @ words.T).sum(), leaf)
        return found

    ours = gradient()
    monkeypatch.setattr(packed, "MOST_PIXELS", 0)
    assert F.cosine_similarity(ours.flatten(), gradient().flatten(), dim=0) > 0.9999


def test_plain_convolutions_alone_are_stood_for() -> None:
    can = frozen.Convolution.can_stand_for
    assert can(nn.Conv2d(3, 4, 3, padding=1))
    assert can(nn.Conv2d(3, 4, 1))
    for other in (
        nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(3, 4, 3, dilation=2), nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(3, 4, 3, padding="same"), nn.Conv2d(3, 4, 3, padding=(1, 0)),
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
    ):  # fmt: skip
        assert not can(other)
    conv = nn.Conv2d(48, 64, 3, padding=1)
    x, _, _ = layer(torch.float32)
    torch.testing.assert_close(frozen.Convolution(conv)(x), conv(x))  # weights that learn
    conv.requires_grad_(False)
    torch.testing.assert_close(frozen.Convolution(conv)(x), conv(x), rtol=1e-4, atol=1e-5)
