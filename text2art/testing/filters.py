"""The contract of filters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from text2art.core import Canvas, Filter, LookFilter
from text2art.runtime import pick, stream
from text2art.testing.promise import noise, require

# Square, both odd, wide, tall, a single line.
_SIZES = ((48, 48), (53, 37), (96, 24), (24, 96), (16, 16))
_PALETTE = ((0.1, 0.1, 0.2), (0.9, 0.3, 0.2), (0.9, 0.9, 0.8))


def check_filter(build: Callable[[float, Any, Canvas], Any], options: Any = None) -> None:
    """Check that a filter keeps the promises of `core.Filter` or `core.LookFilter`.

    Args:
        build: the filter's class, or what builds it from a weight, its options table and a canvas.
        options: its options table.

    Raises:
        ContractBroken: with the promise it breaks.
    """
    for width, height in _SIZES:
        canvas = Canvas(
            width, height, pick("cpu").device, lambda purpose: stream("testing", purpose),
            torch.tensor(_PALETTE),
        )  # fmt: skip
        made = build(1.0, options, canvas)
        changes, looks = isinstance(made, Filter), isinstance(made, LookFilter)
        require(changes or looks, "it is neither a core.Filter nor a core.LookFilter")
        require(made.name, "it has no name")
        halved = build(0.5, options, canvas)
        require(halved.weight == 0.5, f"its weight is {halved.weight} when 0.5 was given")
        at = f"at {width}x{height}"
        for channels in (3, 4):
            for name, picture in _pictures(channels, height, width):
                if changes:
                    _check_picture(made, picture, f"a {name} picture {at}")
                    _check_picture(halved, picture, f"a {name} picture {at}, by half,")
                if looks:
                    for step in (0, 7):
                        _check_picture(
                            functools.partial(made.look, step=step),
                            picture,
                            f"a {name} picture {at}, looked at in step {step},",
                        )
        if changes:
            _check_gradient(made, canvas)


def _pictures(channels: int, height: int, width: int) -> list[tuple[str, Tensor]]:
    shape = (1, channels, height, width)
    return [
        ("black", torch.zeros(shape)),
        ("white", torch.ones(shape)),
        ("gray", torch.full(shape, 0.5)),
        ("noisy", noise(*shape)),
        ("hard", (noise(*shape) > 0.5).float()),
        ("double", noise(*shape).double()),
    ]


def _check_picture(change: Callable[[Tensor], Tensor], picture: Tensor, of: str) -> None:
    before = torch.random.get_rng_state()
    leaf = picture.clone().requires_grad_()
    result = change(leaf)
    require(result.shape == picture.shape, f"{of} comes out as {tuple(result.shape)}")
    require(result.dtype == picture.dtype, f"{of} comes out as {result.dtype}")
    require(result.device == picture.device, f"{of} comes out on {result.device}")
    low, high = float(result.detach().min()), float(result.detach().max())
    inside = low >= -1e-5 and high <= 1 + 1e-5
    require(inside, f"{of} comes out with values from {low:g} to {high:g}")
    require(torch.equal(change(leaf), result), f"{of} comes out in two ways")
    untouched = torch.equal(torch.random.get_rng_state(), before)
    require(untouched, "it draws from torch's global random state: use canvas.stream")
    result.sum().backward()  # type: ignore[no-untyped-call]
    require(leaf.grad is not None, f"no gradient passes from {of}")
    assert leaf.grad is not None
    require(leaf.grad.isfinite().all(), f"the gradient of {of} is not finite")
    require(leaf.grad.abs().sum() > 0, f"no gradient passes from {of}")


def _check_gradient(change: Callable[[Tensor], Tensor], canvas: Canvas) -> None:
    """Check that following the gradient brings the filtered picture nearer to another."""
    shape = (1, 3, canvas.height, canvas.width)
    leaf = (0.2 + 0.6 * noise(*shape)).requires_grad_()
    with torch.no_grad():  # what the filter can make
        wanted = change(1 - noise(*shape))
    distance = (change(leaf) - wanted).square().mean()
    (gradient,) = torch.autograd.grad(distance, leaf)
    with torch.no_grad():
        moved = (leaf - 0.3 * gradient / gradient.abs().max()).clamp(0, 1)
        after = (change(moved) - wanted).square().mean()
    require(after < distance, "following its gradient leads away")
