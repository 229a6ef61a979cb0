"""Looking at crops in chunks: less memory for the same gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

See = Callable[[Tensor], Tensor]


class _Seeing(Protocol):
    """What is needed of a perceptor here."""

    def see(self, crops: Tensor) -> Tensor: ...


def see_in_chunks(see: See, crops: Tensor, size: int) -> Tensor:
    """Embed crops at most `size` at a time, with the gradient of seeing all at once.

    Only the last chunk keeps what its backward pass needs. The others are seen without a graph and
    again when their gradient is asked for (gradient checkpointing, arXiv:1604.06174). So one chunk
    is in memory at a time, any loss may stand behind the embeddings, and what draws the picture
    is gone through backward once. Sums over other batches differ in their last bits.

    Args:
        see: maps `(N, 3, S, S)` to `(N, D)`, each row by itself.
        crops: `(N, 3, S, S)`.
        size: at least 1; the chunks are made even, none is larger.
    """
    count = math.ceil(len(crops) / size)
    if count <= 1:
        return see(crops)
    last = len(crops) // count
    # The last chunk's graph is made last, so autograd goes through it first: it is gone before the
    # first of the others is seen again.
    early, late = crops.tensor_split([len(crops) - last])
    again: Tensor = _Again.apply(early, see, count - 1)
    return torch.cat([again, see(late)])


class _Again(torch.autograd.Function):
    """Forward: see `count` chunks without a graph. Backward: see each again, with one."""

    @staticmethod
    def forward(ctx: Any, crops: Tensor, see: See, count: int) -> Tensor:
        ctx.see, ctx.count = see, count
        ctx.save_for_backward(crops)
        return torch.cat([see(chunk) for chunk in crops.tensor_split(count)])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (crops,) = ctx.saved_tensors
        chunks = crops.tensor_split(ctx.count)
        pulls = gradients[0].tensor_split(ctx.count)
        found = [_gradient(ctx.see, *pair) for pair in zip(chunks, pulls, strict=True)]
        return torch.cat(found), None, None


def _gradient(see: See, chunk: Tensor, pull: Tensor) -> Tensor:
    leaf = chunk.detach().requires_grad_()
    with torch.enable_grad():
        seen = see(leaf)
    return torch.autograd.grad(seen, leaf, pull)[0]


class Chunks:
    """How many crops a perceptor sees at a time in one session; fewer once memory runs out.

    Attributes:
        size: most crops at a time, None for all at once.
        tried: the sizes for which memory ran out, largest first.
    """

    def __init__(
        self, size: int | None = None, report: Callable[[str], object] = lambda _: None
    ) -> None:
        """Start with a size.

        Args:
            size: at least 1, or None.
            report: is told in words of every later change.
        """
        self.size = size
        self.tried: list[int] = []
        self._report = report
        self._largest = 1  # what was seen at a time so far

    def see(self, perceptor: _Seeing, crops: Tensor) -> Tensor:
        """Let a perceptor see crops `(N, 3, S, S)`; return `(N, D)`."""
        size = len(crops) if self.size is None else self.size
        self._largest = max(self._largest, min(size, len(crops)))
        return see_in_chunks(perceptor.see, crops, size)

    @property
    def history(self) -> str:
        """The sizes that were too large, in words."""
        return f"with looks {', '.join(map(str, self.tried))} at a time"

    def halve_(self) -> bool:
        """See half as many at a time from now on; false where one at a time was too much."""
        if self._largest not in self.tried:
            self.tried.append(self._largest)
        if self._largest == 1:
            return False
        self.size = self._largest = self._largest // 2
        self._report(
            f"memory: it ran out with looks {self.tried[-1]} at a time; "
            f"the step is repeated with {self.size} at a time"
        )
        return True
