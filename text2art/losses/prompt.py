"""CLIP guidance: the angle between what is seen and what is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from text2art.core import Perceptor, View
from text2art.looks import Sight
from text2art.view import Ask


@dataclass(frozen=True)
class Target:
    """Where one perceptor wants the picture to be.

    Attributes:
        perceptor: who looks.
        weight: how much this perceptor counts among the others.
        embeddings: `(E, D)` of unit length; the words, or a picture as it is seen.
    """

    perceptor: Perceptor
    weight: float
    embeddings: Tensor

    def compare(self, seen: Tensor, view: View) -> tuple[Tensor, Tensor]:
        """Return half the squared angles and the cosines of looks `(N, D)` to it, `(N, E)`."""
        return squared_angle(seen[:, None], self.embeddings[None]), seen @ self.embeddings.T


@dataclass(frozen=True)
class PictureTarget:
    """A picture that one perceptor wants the picture to resemble, looked at anew in every step.

    Seen in the run's own looks, each look at the picture is compared with the same look at the
    target, so that a target's place and size are resembled too. (pixray compares every look with
    every other.) With looks of its own (`sight.cutouts`) there are no such pairs: all are compared.

    Attributes:
        perceptor: who looks.
        weight: how much this perceptor counts among the others.
        sight: shows the target.
    """

    perceptor: Perceptor
    weight: float
    sight: Sight

    def compare(self, seen: Tensor, view: View) -> tuple[Tensor, Tensor]:
        """Return half the squared angles and the cosines of looks `(N, D)`: `(N, 1 or N)`."""
        wanted = view.seen(self.perceptor, self.sight).detach()
        wanted = wanted[:, None] if self.sight.cutouts is None else wanted[None]
        return squared_angle(seen[:, None], wanted), (seen[:, None] * wanted).sum(-1)


class PromptLoss:
    """Half the squared angle between looks and one prompt, averaged over looks and perceptors.

    2 asin(|x - e| / 2)^2 = angle^2 / 2 (VQGAN-CLIP, arXiv:2204.08583 section 3.1). A negative
    weight pushes away; below `stop` (a bound on the signed distance) the value is still reported
    but no longer pulls.

    Args:
        name: of the term.
        targets: one for each perceptor.
        weight: how much it counts, throughout; or 1 when that changes:
        stop: signed distance below which it no longer pulls.
        sight: what is looked at; None = the whole picture.
        course: gives the weight at a progress and a step. Where it is 0 nothing is looked at.
        scored: whether how near it is tells how good the picture is.
    """

    def __init__(
        self,
        name: str,
        targets: Sequence[Target | PictureTarget],
        weight: float = 1.0,
        stop: float = float("-inf"),
        *,
        sight: Sight | None = None,
        course: Callable[[float, int], float] | None = None,
        scored: bool = True,
    ) -> None:
        self.name = name
        self.weight = abs(weight)
        self.sight = sight
        self._targets = targets
        self._sign = -1.0 if weight < 0 else 1.0
        self._stop = stop
        self._course = course
        self._scored = scored
        self._total = sum(target.weight for target in targets)

    def asks(self, view: View) -> Iterator[Ask]:
        """Return who looks at what: see `core.Asking`."""
        if self._now(view) == 0:
            return
        for target in self._targets:
            yield target.perceptor, self.sight
            if isinstance(target, PictureTarget):
                yield target.perceptor, target.sight

    def _now(self, view: View) -> float:
        return 1.0 if self._course is None else self._course(view.progress, view.step)

    def __call__(self, view: View) -> Tensor:
        """Return the signed distance; report the mean cosine as this prompt's score."""
        now = self._now(view)
        if now == 0:
            return 0 * view.image.sum()
        sign = self._sign if now > 0 else -self._sign
        losses: list[Tensor] = []
        cosines: list[Tensor] = []
        for target in self._targets:
            distances, similar = target.compare(view.seen(target.perceptor, self.sight), view)
            share = target.weight / self._total
            losses.append(share * _stopped(distances * sign, self._stop).mean())
            cosines.append(share * similar.detach().mean())
        if sign > 0 and self._scored:
            view.scores[self.name] = torch.stack(cosines).sum()
        return abs(now) * torch.stack(losses).sum()


class LatentLoss:
    """Half the squared angle between a drawer's latents and a target, all taken as one vector.

    pixray's image labels (`pixray.py` 1344-1349).

    Args:
        name: of the term.
        weight: how much it counts.
        latents: gives the drawer's, of any shape.
        target: of the same shape, of unit length as a whole.
    """

    def __init__(
        self, name: str, weight: float, latents: Callable[[], Tensor], target: Tensor
    ) -> None:
        self.name, self.weight = name, weight
        self._latents, self._target = latents, target.flatten()

    def __call__(self, view: View) -> Tensor:
        """Return the distance."""
        return squared_angle(unit(self._latents().flatten()), self._target)


def unit(x: Tensor) -> Tensor:
    """Return vectors scaled to unit length along the last dimension; zero stays zero."""
    return torch.nn.functional.normalize(x, dim=-1)


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
