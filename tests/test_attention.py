"""Attention that goes backward by products: values and gradients of torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from text2art.memory import kept_bytes
from text2art.nets import attention
from text2art.runtime import stream


def noise(*shape: int, purpose: str = "x") -> Tensor:
    return torch.randn(shape, generator=stream(0, purpose), dtype=torch.float64)


def by_torch(qkv: Tensor, heads: int) -> Tensor:
    batch, length, width = qkv.shape
    q, k, v = (part.view(batch, length, heads, -1).transpose(1, 2) for part in qkv.chunk(3, -1))
    weights = torch.softmax(q @ k.transpose(-1, -2) / (width / 3 / heads) ** 0.5, -1)
    return (weights @ v).transpose(1, 2).reshape(batch, length, width // 3)


@pytest.mark.parametrize("shape", [(3, 7, 2, 4), (1, 1, 1, 8), (5, 33, 3, 16)])
def test_it_is_attention(shape: tuple[int, int, int, int]) -> None:
    batch, length, heads, width = shape
    qkv = noise(batch, length, 3 * heads * width).requires_grad_()
    pull = noise(batch, length, heads * width, purpose="pull")
    found, wanted = attention.attend(qkv, heads), by_torch(qkv, heads)
    assert torch.allclose(found, wanted, rtol=1e-9, atol=1e-10)
    (ours,), (theirs,) = (torch.autograd.grad(out, qkv, pull) for out in (found, wanted))
    assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-10)


def test_a_batch_that_is_gone_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    qkv, pull = noise(5, 9, 24).requires_grad_(), noise(5, 9, 8, purpose="pull")
    (whole,) = torch.autograd.grad(attention.attend(qkv, 2), qkv, pull)
    for held in (1, 2 * 2 * 81 * 8):  # one row, and two of them, at a time
        monkeypatch.setattr(attention, "_HELD", held)
        (parts,) = torch.autograd.grad(attention.attend(qkv, 2), qkv, pull)
        assert torch.allclose(parts, whole, rtol=1e-12, atol=1e-13)


def test_its_gradient_may_come_in_any_layout() -> None:
    qkv, pull = noise(2, 5, 24).requires_grad_(), noise(2, 8, 5, purpose="pull").transpose(1, 2)
    out = attention.attend(qkv, 4)
    (found,) = torch.autograd.grad(out, qkv, pull, retain_graph=True)
    (wanted,) = torch.autograd.grad(out, qkv, pull.contiguous())
    assert torch.equal(found, wanted)


def test_half_width_is_as_near_as_torch_is() -> None:
    exact = noise(4, 50, 3 * 64).float()
    pull = noise(4, 50, 64, purpose="pull").float()

    def gradient(qkv: Tensor, see: str) -> Tensor:
        leaf = qkv.clone().requires_grad_()
        q, k, v = leaf.view(4, 50, 3, 4, 16).permute(2, 0, 3, 1, 4).unbind()
        torchs = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        out = attention.attend(leaf, 4) if see == "ours" else torchs
        return torch.autograd.grad(out, leaf, pull.to(out.dtype))[0].float()

    wanted = gradient(exact, "torch")
    ours, theirs = (gradient(exact.to(torch.bfloat16), see) for see in ("ours", "torch"))
    assert float((ours - wanted).norm()) <= 1.5 * float((theirs - wanted).norm())


def test_it_keeps_its_input_and_no_weights() -> None:
    qkv = noise(4, 64, 24).float().requires_grad_()
    assert kept_bytes(lambda: attention.attend(qkv, 2)) == qkv.nbytes
