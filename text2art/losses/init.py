"""Faithfulness to the picture that a run starts from, in four measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional as F

from text2art.core import View
from text2art.losses.prompt import squared_angle

# Measures the difference between what there is and what there was, tensors of one shape.
Measure = Callable[[Tensor, Tensor], Tensor]
_TINY = 1e-8  # of a mean square: below it a vector has no direction


def spherical(now: Tensor, target: Tensor) -> Tensor:
    """Return half the squared angle between two tensors, each taken as one vector."""
    return squared_angle(_direction(now), _direction(target))


def cosine(now: Tensor, target: Tensor) -> Tensor:
    """Return one minus the cosine between two tensors, each taken as one vector."""
    return 1 - (_direction(now) * _direction(target)).sum()


def pixels(now: Tensor, target: Tensor) -> Tensor:
    """Return half the mean absolute difference."""
    return F.l1_loss(now, target) / 2


def _direction(x: Tensor) -> Tensor:
    """Return a tensor as one vector of unit length; zero stays zero, with a finite gradient."""
    flat = x.flatten()
    return flat / (flat.square().sum() + _TINY * flat.numel()).sqrt()


# What pixray compares: init_weight is spherical there, init_weight_dist half the squared
# difference, init_weight_cos the cosine, all of latents; init_weight_pix that of pixels.
MEASURES: Mapping[str, tuple[str, Measure]] = {
    "init_weight": ("init", F.mse_loss),
    "init_weight_spherical": ("init angle", spherical),
    "init_weight_cos": ("init cosine", cosine),
    "init_weight_pix": ("init pixels", pixels),
}


class InitLoss:
    """Difference to the start: of latents where a drawer has them, else of pictures.

    As pixray's init weights, and as `init_weight` of VQGAN-CLIP, whose weight falls as
    1 / (2 step + 1) and whose target is zero. Here it falls linearly to nothing at a chosen share
    of the run, or stays.

    Args:
        weight: how much it counts, in the beginning.
        now: gives what is compared, from the view of a step.
        target: what it is compared to.
        fade: share of the run after which it counts nothing; None = it stays.
        measure: what the difference is; the mean squared one unless given.
        name: of the term.
    """

    def __init__(
        self,
        weight: float,
        now: Callable[[View], Tensor],
        target: Tensor,
        fade: float | None,
        *,
        measure: Measure = F.mse_loss,
        name: str = "init",
    ) -> None:
        self.name, self.weight = name, weight
        self._now, self._target, self._fade, self._measure = now, target, fade, measure

    def __call__(self, view: View) -> Tensor:
        """Return the difference, faded."""
        left = 1.0 if self._fade is None else max(0.0, 1 - view.progress / self._fade)
        return left * self._measure(self._now(view), self._target)

    def memory(self) -> Mapping[str, Tensor]:
        """See `abilities.Remembering`: in a later stage, the start is what the drawer showed."""
        return {"target": self._target}

    def recall_(self, memory: Mapping[str, Tensor]) -> None:
        """See `abilities.Remembering`.

        Raises:
            ValueError: it is of another picture.
        """
        target = memory["target"]
        if target.shape != self._target.shape:
            raise ValueError(f"a target of shape {tuple(target.shape)}")
        self._target = target.to(self._target)
