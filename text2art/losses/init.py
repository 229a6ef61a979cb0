"""Faithfulness to the picture that a run starts from."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from text2art.core import View


class InitLoss:
    """Mean squared difference to the start: of latents where a drawer has them, else of pictures.

    As `init_weight_dist` of pixray (which halves it) and `init_weight` of VQGAN-CLIP, whose
    weight falls as 1 / (2 step + 1) and whose target is zero. Here it falls linearly to nothing at
    a chosen share of the run, or stays.

    Args:
        weight: how much it counts, in the beginning.
        now: gives what is compared, from the view of a step.
        target: what it is compared to.
        fade: share of the run after which it counts nothing; None = it stays.
    """

    name = "init"

    def __init__(
        self, weight: float, now: Callable[[View], Tensor], target: Tensor, fade: float | None
    ) -> None:
        self.weight = weight
        self._now, self._target, self._fade = now, target, fade

    def __call__(self, view: View) -> Tensor:
        """Return the mean squared difference, faded."""
        left = 1.0 if self._fade is None else max(0.0, 1 - view.progress / self._fade)
        return left * F.mse_loss(self._now(view), self._target)
