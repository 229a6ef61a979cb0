"""Looking at crops in chunks: less memory for the same gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

See = Callable[..., Tensor]


def see_in_chunks(see: See, crops: Tensor, size: int, *beside: Tensor) -> Tensor:
    """Embed crops at most `size` at a time, with the gradient of seeing all at once.

    Only the last chunk keeps what its backward pass needs. The others are seen without a graph and
    again when their gradient is asked for (gradient checkpointing, arXiv:1604.06174). So one chunk
    is in memory at a time, any loss may stand behind the embeddings, and what draws the picture
    is gone through backward once. Sums over other batches differ in their last bits.

    Args:
        see: maps `(N, 3, S, S)` to `(N, D)`, each row by itself.
        crops: `(N, 3, S, S)`.
        size: at least 1; the chunks are made even, none is larger.
        beside: what `see` is also given of each crop, `(N, ...)`; gets no gradient.
    """
    count = math.ceil(len(crops) / size)
    if count <= 1:
        return see(crops, *beside)
    last = len(crops) // count
    # The last chunk's graph is made last, so autograd goes through it first: it is gone before the
    # first of the others is seen again.
    early, late = zip(*(x.tensor_split([len(crops) - last]) for x in (crops, *beside)), strict=True)
    again: Tensor = _Again.apply(see, count - 1, *early)
    return torch.cat([again, see(*late)])


class _Again(torch.autograd.Function):
    """Forward: see `count` chunks without a graph. Backward: see each again, with one."""

    @staticmethod
    def forward(ctx: Any, see: See, count: int, *given: Tensor) -> Tensor:
        ctx.see, ctx.count = see, count
        ctx.save_for_backward(*given)
        return torch.cat([see(*chunk) for chunk in _chunks(given, count)])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        given = ctx.saved_tensors
        pulls = gradients[0].tensor_split(ctx.count)
        found = [
            _gradient(ctx.see, chunk, pull)
            for chunk, pull in zip(_chunks(given, ctx.count), pulls, strict=True)
        ]
        return None, None, torch.cat(found), *(None for _ in given[1:])


def _chunks(given: Sequence[Tensor], count: int) -> list[tuple[Tensor, ...]]:
    return list(zip(*(x.tensor_split(count) for x in given), strict=True))


def _gradient(see: See, chunk: Sequence[Tensor], pull: Tensor) -> Tensor:
    crops, *beside = chunk
    leaf = crops.detach().requires_grad_()
    with torch.enable_grad():
        seen = see(leaf, *beside)
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
        self._largest = 0  # what was seen at a time so far

    def see(self, see: See, crops: Tensor, *beside: Tensor) -> Tensor:
        """See crops `(N, 3, S, S)` by a perceptor's function; return `(N, D)`.

        Args:
            see: of the perceptor, given crops and rows of what is beside them.
            crops: what it sees.
            beside: what it is also given of each crop, `(N, ...)`.
        """
        size = len(crops) if self.size is None else self.size
        self._largest = max(self._largest, min(size, len(crops)))
        return see_in_chunks(see, crops, size, *beside)

    @property
    def used(self) -> bool:
        """Whether anything was seen by it."""
        return self._largest > 0

    @property
    def history(self) -> str:
        """The sizes that were too large, in words."""
        return f"with looks {', '.join(map(str, self.tried))} at a time"

    def halve_(self) -> bool:
        """See half as many at a time from now on; false where one at a time was too much."""
        largest = max(self._largest, 1)
        if largest not in self.tried:
            self.tried.append(largest)
        if largest == 1:
            return False
        self.size = self._largest = largest // 2
        self._report(
            f"memory: it ran out with looks {self.tried[-1]} at a time; "
            f"the step is repeated with {self.size} at a time"
        )
        return True


def smallest(several: Iterable[Chunks]) -> Chunks:
    """Return the one that sees the fewest at a time: what all of them may go by."""
    return min(several, key=lambda chunks: math.inf if chunks.size is None else chunks.size)
