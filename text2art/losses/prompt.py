"""CLIP guidance: the angle between what is seen and what is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from text2art.core import Perceptor, View


@dataclass(frozen=True)
class Target:
    """Where one perceptor wants the picture to be.

    Attributes:
        perceptor: who looks.
        weight: how much this perceptor counts among the others.
        embeddings: `(E, D)` of unit length; the words, or the looks at a target picture.
    """

    perceptor: Perceptor
    weight: float
    embeddings: Tensor


class PromptLoss:
    """Half the squared angle between looks and one prompt, averaged over looks and perceptors.

    2 asin(|x - e| / 2)^2 = angle^2 / 2 (VQGAN-CLIP, arXiv:2204.08583 section 3.1). A negative
    weight pushes away; below `stop` (a bound on the signed distance) the value is still reported
    but no longer pulls.
    """

    def __init__(
        self, name: str, targets: Sequence[Target], weight: float = 1.0, stop: float = float("-inf")
    ) -> None:
        self.name = name
        self.weight = abs(weight)
        self._targets = targets
        self._sign = -1.0 if weight < 0 else 1.0
        self._stop = stop
        self._total = sum(target.weight for target in targets)

    def __call__(self, view: View) -> Tensor:
        """Return the signed distance; report the mean cosine as this prompt's score."""
        losses: list[Tensor] = []
        cosines: list[Tensor] = []
        for target in self._targets:
            seen = view.seen(target.perceptor)
            signed = squared_angle(seen[:, None], target.embeddings[None]) * self._sign
            share = target.weight / self._total
            losses.append(share * _stopped(signed, self._stop).mean())
            cosines.append(share * (seen.detach() @ target.embeddings.T).mean())
        if self._sign > 0:
            view.scores[self.name] = torch.stack(cosines).sum()
        return torch.stack(losses).sum()


def squared_angle(x: Tensor, y: Tensor) -> Tensor:
    """Return half the squared angle between unit vectors along the last dimension.

    Equals 2 asin(|x - y| / 2)^2, whose gradient is infinite at opposite vectors; and written with a
    square root it is NaN at equal ones. Here the chord is bounded just inside both ends, where the
    gradient becomes exactly zero, as it should at equal vectors and must somehow at opposite ones.
    """
    squared_chord = (x - y).square().sum(dim=-1).clamp(1e-12, 4 - 1e-6)
    return 2 * torch.asin(squared_chord.sqrt() / 2).square()


class _Stop(torch.autograd.Function):
    """Forward: the distance. Backward: the gradient of max(distance, stop)."""

    @staticmethod
    def forward(ctx: Any, distance: Tensor, stop: float) -> Tensor:
        ctx.save_for_backward(distance >= stop)
        return distance.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (pulling,) = ctx.saved_tensors
        return gradients[0] * pulling, None


def _stopped(distance: Tensor, stop: float) -> Tensor:
    if stop == float("-inf"):
        return distance
    return _Stop.apply(distance, stop)  # type: ignore[no-any-return]
