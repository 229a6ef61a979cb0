"""Several small networks on several cores: each core takes whole networks, not parts of layers.

A small convolution is over before a second core has joined in, so where cores share each layer they
wait more than they compute. Here each network's pass over the batch is a task, and threads that
compute alone (one core each) take the tasks, forward and backward. Networks that are left over when
all threads have the same number are cut into pieces of the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Embed = Callable[[Tensor], Tensor]
T = TypeVar("T")

# What a task costs beside its pictures, in pictures, about: measured with the starter's towers.
_TASK = 1.8


class Crew:
    """Threads that compute alone; they end with this object.

    Args:
        size: how many; with one there is no thread but the caller's.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._pool = _pool(size) if size > 1 else None

    def see(self, nets: Sequence[Embed], pictures: Tensor) -> list[Tensor]:
        """Return what every network makes of pictures `(N, C, H, W)`, each `(N, D)`.

        Gradients reach the pictures, once, and no weights: the networks are taken as frozen.
        """
        if self._pool is None:
            return [net(pictures) for net in nets]
        pieces = split(len(nets), len(pictures), self.size)
        learns = torch.is_grad_enabled() and pictures.requires_grad
        return list(_See.apply(pictures, self, nets, pieces, learns))

    def each(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        """Do all tasks; return what they return, in their order.

        Raises:
            Exception: what the first of the failed ones raised, once all have ended.
        """
        if self._pool is None:
            return [task() for task in tasks]
        waiting = [self._pool.submit(task) for task in tasks]
        for task in waiting:
            task.exception()
        return [task.result() for task in waiting]


def split(nets: int, pictures: int, threads: int) -> list[int]:
    """Return into how many pieces of the batch each network's pass is cut.

    Every thread gets the same number of whole networks; the passes of the rest are cut into as many
    pieces as make the longest thread's work shortest.
    """
    rest = nets % threads
    if not rest or not pictures:
        return [1] * nets

    def longest(pieces: int) -> float:
        tasks = math.ceil(rest * pieces / threads)
        return tasks * (math.ceil(pictures / pieces) + _TASK)

    return [1] * (nets - rest) + [min(range(1, pictures + 1), key=longest)] * rest


def _pool(size: int) -> ThreadPoolExecutor:
    # How many cores an operation uses is a matter of each thread; yet who sets it for one thread
    # sets it for those to come, too. So the caller's number is set again once all have theirs.
    before, ready = torch.get_num_threads(), Barrier(size)

    def alone() -> None:
        ready.wait()  # each of the threads takes one of these
        torch.get_num_threads()  # a thread's first question sets it to the number of the others
        torch.set_num_threads(1)

    pool = ThreadPoolExecutor(size, "crew")
    for made in [pool.submit(alone) for _ in range(size)]:
        made.result()
    torch.set_num_threads(before)
    return pool


class _See(torch.autograd.Function):
    """Keeps a small graph per task, which the same crew goes through backward."""

    @staticmethod
    def forward(
        ctx: Any, pictures: Tensor, crew: Crew, nets: Sequence[Embed], pieces: list[int],
        learns: bool,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        pictures = pictures.detach()
        leaves = [
            piece.detach().requires_grad_(learns)
            for count in pieces
            for piece in pictures.tensor_split(count)
        ]
        whose = [net for net, count in zip(nets, pieces, strict=True) for _ in range(count)]
        tasks = [_Forward(net, leaf, learns) for net, leaf in zip(whose, leaves, strict=True)]
        seen = crew.each(tasks)
        if learns:
            ctx.crew, ctx.pieces, ctx.leaves, ctx.seen = crew, pieces, leaves, seen
        return tuple(torch.cat(mine) for mine in _grouped([one.detach() for one in seen], pieces))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *pulls: Tensor) -> tuple[Tensor | None, ...]:
        parts = [
            part
            for pull, count in zip(pulls, ctx.pieces, strict=True)
            for part in pull.tensor_split(count)
        ]
        seen, ctx.seen = ctx.seen, None  # gone through once, and not kept until the next step
        tasks = [_Backward(*task) for task in zip(seen, ctx.leaves, parts, strict=True)]
        found = _grouped(ctx.crew.each(tasks), ctx.pieces)
        total = torch.cat(found[0])
        for mine in found[1:]:  # in one order, whoever was ready first
            total = total + torch.cat(mine)
        return total, None, None, None, None


class _Forward:
    def __init__(self, net: Embed, leaf: Tensor, learns: bool) -> None:
        self._net, self._leaf, self._learns = net, leaf, learns

    def __call__(self) -> Tensor:
        with torch.set_grad_enabled(self._learns):
            return self._net(self._leaf)


class _Backward:
    def __init__(self, seen: Tensor, leaf: Tensor, pull: Tensor) -> None:
        self._seen, self._leaf, self._pull = seen, leaf, pull

    def __call__(self) -> Tensor:
        return torch.autograd.grad(self._seen, self._leaf, self._pull)[0]


def _grouped(items: list[Tensor], counts: list[int]) -> list[list[Tensor]]:
    rest = iter(items)
    return [[next(rest) for _ in range(count)] for count in counts]
