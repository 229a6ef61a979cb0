"""The contract of losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from text2art.core import Loss, View
from text2art.cutouts.recipes import ViewSampler
from text2art.options.cutouts import ViewOptions
from text2art.testing.promise import noise, require


def check_loss(build: Callable[[float, Any], Loss], options: Any = None) -> None:
    """Check that a loss keeps the promises of `core.Loss`.

    Args:
        build: the loss's class, or what builds it from a weight and its options table.
        options: its options table.

    Raises:
        ContractBroken: with the promise it breaks.
    """
    loss, heavier = build(1.0, options), build(2.5, options)
    require(isinstance(loss, Loss) and loss.name, "it lacks a part of core.Loss, or a name")
    require(heavier.weight == 2.5, f"its weight is {heavier.weight} when 2.5 was given")
    pulled = False
    for name, picture in _pictures():
        for step in (0, 9):
            leaf = picture.clone().requires_grad_()
            value = loss(_view(leaf, step))
            _scalar(value, name)
            same = torch.equal(value, loss(_view(leaf, step)))
            require(same, f"two values of the same {name} picture differ")
            weighted = torch.allclose(heavier(_view(leaf, step)), value)
            require(weighted, "it multiplies by its weight, which the loop does")
            if value.requires_grad:
                value.backward()  # type: ignore[no-untyped-call]
            if leaf.grad is not None:
                finite = leaf.grad.isfinite().all()
                require(finite, f"its gradient on a {name} picture is not finite")
                pulled = pulled or bool(leaf.grad.abs().sum() > 0)
    require(pulled, "it has no gradient on any picture")


def _pictures() -> Sequence[tuple[str, Tensor]]:
    ramp = torch.linspace(0, 1, 37).expand(1, 3, 29, 37)
    return [
        ("black", torch.zeros(1, 3, 24, 24)),
        ("white", torch.ones(1, 3, 24, 24)),
        ("gray", torch.full((1, 3, 24, 24), 0.5)),
        ("red", torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 24, 24)),
        ("noisy", noise(1, 3, 24, 24)),
        ("odd-sized", ramp),
        ("wide", noise(1, 3, 16, 64)),
        ("transparent", noise(1, 4, 24, 24)),
    ]


def _view(image: Tensor, step: int) -> View:
    return View(image, step, step / 10, ViewSampler(ViewOptions(), 3, "testing"))


def _scalar(value: Tensor, name: str) -> None:
    require(value.dim() == 0, f"its value is no scalar: shape {tuple(value.shape)}")
    require(value.isfinite(), f"its value on a {name} picture is {float(value.detach()):g}")
