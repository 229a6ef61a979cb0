"""Optimizers: torch's one-kernel updates are its own updates, and know the same."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from text2art import optimizers
from text2art.checkpoint import optimizer_state, restore_optimizer_
from text2art.core import ParamGroup
from text2art.runtime import stream


def numbers(name: str) -> Tensor:
    return torch.randn(3, 4, generator=stream(1, name))


def groups() -> list[ParamGroup]:
    made = [nn.Parameter(numbers(name)) for name in "ab"]
    return [ParamGroup(name=str(n), params=[p], lr=0.1 * (n + 1)) for n, p in enumerate(made)]


def follow(optimizer: torch.optim.Optimizer, steps: range) -> Tensor:
    """Give an optimizer made-up gradients; return where it went."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for step in steps:
        for number, parameter in enumerate(parameters):
            parameter.grad = numbers(f"gradient {step} {number}")
        optimizer.step()
    return torch.stack([p.detach().clone() for p in parameters])


@pytest.fixture
def on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have parameters say that they are on CUDA; torch has these updates for CPUs, too."""
    monkeypatch.setattr(nn.Parameter, "is_cuda", True, raising=False)


@pytest.mark.parametrize("name", sorted(optimizers._FUSED))
def test_one_kernel_updates_as_many_do(name: str, on_cuda: None) -> None:
    fused = optimizers.make(name, groups())
    assert all(group["fused"] for group in fused.param_groups)
    plain = optimizers._CLASSES[name](groups())
    assert torch.allclose(follow(fused, range(9)), follow(plain, range(9)), atol=1e-5)


@pytest.mark.parametrize("name", sorted(optimizers._FUSED))
@pytest.mark.parametrize("fused_first", [True, False])
def test_each_goes_on_where_the_other_was(
    name: str, fused_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nn.Parameter, "is_cuda", fused_first, raising=False)
    first = optimizers.make(name, groups())
    there = follow(first, range(5))
    monkeypatch.setattr(nn.Parameter, "is_cuda", not fused_first, raising=False)
    later = optimizers.make(name, groups())
    for group, place in zip(later.param_groups, there, strict=True):
        group["params"][0].data.copy_(place)
    restore_optimizer_(later, optimizer_state(first))
    assert later.param_groups[0].get("fused") is (None if fused_first else True)
    assert torch.allclose(follow(later, range(5, 9)), follow(first, range(5, 9)), atol=1e-5)


def test_other_optimizers_and_the_cpu_have_none(on_cuda: None) -> None:
    assert not optimizers.make("RMSprop", groups()).param_groups[0].get("fused")


def test_on_a_cpu_updates_are_the_plain_ones() -> None:
    assert not optimizers.make("Adam", groups()).param_groups[0].get("fused")
