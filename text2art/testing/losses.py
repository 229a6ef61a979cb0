"""The contract of losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from text2art.core import Canvas, Context, Loss, Perceptor, Prepared, View
from text2art.cutouts.recipes import ViewSampler
from text2art.options.cutouts import ViewOptions
from text2art.runtime import pick, stream
from text2art.testing.promise import noise, require

_PALETTE = ((0.1, 0.1, 0.2), (0.9, 0.3, 0.2), (0.9, 0.9, 0.8))
# A gradient by differences: step and error allowed, for double and for single precision.
_FINE, _COARSE = (1e-5, 1e-4), (1e-2, 5e-2)


def check_loss(
    build: Callable[[float, Any], Loss],
    options: Any = None,
    *,
    perceptors: Sequence[Perceptor] = (),
    exact: bool = True,
) -> None:
    """Check that a loss keeps the promises of `core.Loss`.

    Args:
        build: the loss's class, or what builds it from a weight and its options table.
        options: its options table.
        perceptors: who looks, for losses that ask (`core.Prepared`).
        exact: whether its gradient is that of its value; some losses lie on purpose.

    Raises:
        ContractBroken: with the promise it breaks.
    """
    make = _Maker(build, options, perceptors)
    loss = make(1.0, 24, 24)
    require(isinstance(loss, Loss) and loss.name, "it lacks a part of core.Loss, or a name")
    heavy = make(2.5, 24, 24)
    require(heavy.weight == 2.5, f"its weight is {heavy.weight} when 2.5 was given")
    pulled = False
    for name, picture in _pictures():
        height, width = picture.shape[-2:]
        loss, heavier = make(1.0, width, height), make(2.5, width, height)
        for step in (0, 9):
            leaf = picture.clone().requires_grad_()
            value = loss(_view(leaf, step))
            _scalar(value, name, picture)
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
    if exact:
        _check_gradient(make)


class _Maker:
    """Builds a loss for a picture's size."""

    def __init__(
        self, build: Callable[[float, Any], Loss], options: Any, perceptors: Sequence[Perceptor]
    ) -> None:
        self._build, self._options = build, options
        self._perceptors = [(perceptor, 1.0) for perceptor in perceptors]

    def __call__(self, weight: float, width: int, height: int) -> Loss:
        loss = self._build(weight, self._options)
        if isinstance(loss, Prepared):
            canvas = Canvas(
                width, height, pick("cpu").device, lambda purpose: stream("testing", purpose),
                torch.tensor(_PALETTE),
            )  # fmt: skip
            loss.prepare_(Context(canvas, self._perceptors))
        return loss


def _pictures() -> Sequence[tuple[str, Tensor]]:
    ramp = torch.linspace(0, 1, 37).expand(1, 3, 29, 37)
    return [
        ("black", torch.zeros(1, 3, 24, 24)),
        ("white", torch.ones(1, 3, 24, 24)),
        ("gray", torch.full((1, 3, 24, 24), 0.5)),
        ("red", torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 24, 24)),
        ("noisy", noise(1, 3, 24, 24)),
        ("black-and-white", (noise(1, 3, 24, 24) > 0.5).float()),
        ("odd-sized", ramp),
        ("wide", noise(1, 3, 16, 64)),
        ("transparent", noise(1, 4, 24, 24)),
        ("clear", torch.zeros(1, 4, 24, 24)),
        ("one-pixel", torch.full((1, 3, 1, 1), 0.3)),
        ("one-row", noise(1, 3, 1, 9)),
        ("one-column", noise(1, 4, 9, 1)),
    ]


def _view(image: Tensor, step: int) -> View:
    return View(image, step, step / 10, ViewSampler(ViewOptions(), 3, "testing"))


def _scalar(value: Tensor, name: str, picture: Tensor) -> None:
    require(value.dim() == 0, f"its value is no scalar: shape {tuple(value.shape)}")
    require(value.isfinite(), f"its value on a {name} picture is {float(value.detach()):g}")
    kept = value.dtype == picture.dtype and value.device == picture.device
    require(kept, f"its value is {value.dtype} on {value.device}, unlike the picture")


def _check_gradient(make: _Maker) -> None:
    """Compare its slope with differences of its value, along a few directions.

    In double precision where it can; what asks perceptors stays in single precision.
    """
    loss = make(1.0, 12, 10)
    picture = 0.1 + 0.8 * noise(1, 3, 10, 12)
    for number in range(3):
        direction = torch.randn(picture.shape, generator=stream(number, "testing/direction"))
        try:
            slope, by_differences = _slopes(loss, picture.double(), direction.double(), _FINE[0])
            allowed = _FINE[1]
        except RuntimeError:  # a number type it does not take
            slope, by_differences = _slopes(loss, picture, direction, _COARSE[0])
            allowed = _COARSE[1]
        away = abs(slope - by_differences)
        require(
            away <= allowed * max(abs(slope), abs(by_differences)) + allowed * 1e-2,
            f"its gradient is not that of its value: {slope:g}, by differences {by_differences:g}",
        )


def _slopes(loss: Loss, picture: Tensor, direction: Tensor, step: float) -> tuple[float, float]:
    direction = direction / direction.norm()
    leaf = picture.clone().requires_grad_()
    value = loss(_view(leaf, 0))
    slope = 0.0
    if value.requires_grad:
        (gradient,) = torch.autograd.grad(value, leaf)
        slope = float((gradient * direction).sum())
    with torch.no_grad():
        ahead, behind = (
            float(loss(_view(picture + sign * step * direction, 0))) for sign in (1, -1)
        )
    return slope, (ahead - behind) / (2 * step)
