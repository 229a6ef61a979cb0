"""A recorder of works on the CPU: it repeats operations on the memory they had, as CUDA graphs do.

Python does not run again, so whatever it would have done otherwise is seen as a wrong result. What
a capture on CUDA would refuse is refused: waiting for a value, sizes that depend on values, random
numbers, and tensors made from Python's numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_VALUE, _SEEDED = torch.Tag.data_dependent_output, torch.Tag.nondeterministic_seeded
_ATTENTION = "scaled_dot_product"
_HOST = torch.ops.aten.lift_fresh.default
_INDEX = torch.ops.aten.index.Tensor


class RefusedError(RuntimeError):
    """A capture would have failed."""


class _Recording(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.steps: list[tuple[Any, Any, Any, dict[int, Tensor]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        random = _SEEDED in func.tags and _ATTENTION not in func.name()  # without dropout it is not
        if func == _HOST or _VALUE in func.tags or random or _sizes_wait(func, args):
            raise RefusedError(f"{func} cannot be part of a graph")
        made = func(*args, **kwargs)
        places = {_place(t) for t in _tensors((args, kwargs))}
        new = {n: t for n, t in enumerate(_tensors(made)) if _place(t) not in places}
        self.steps.append((func, args, kwargs, new))
        return made

    def replay(self) -> None:
        with torch.no_grad():
            for _, _, _, new in self.steps:  # nothing may be left of the last time
                for tensor in new.values():
                    if tensor.is_floating_point():
                        tensor.fill_(float("nan"))
            for func, args, kwargs, new in self.steps:
                made = list(_tensors(func(*args, **kwargs)))
                for number, tensor in new.items():
                    tensor.copy_(made[number])


class Tape:
    """A `graphs.Recorder`.

    Attributes:
        room: what it says of its memory.
        count: how many works it has recorded.
        replays: how often one was repeated.
        spoil: what is done before each work that is repeated, to have it fail.
    """

    def __init__(self, spoil: Callable[[], None] | None = None, *, room: bool = True) -> None:
        self.room, self.count, self.replays, self._spoil = room, 0, 0, spoil

    def has_room(self) -> bool:
        return self.room

    def record(self, *works: Callable[[], None]) -> list[Callable[[], None]]:
        for work in works:
            work()
        return [self._recorded(work) for work in works]

    def _recorded(self, work: Callable[[], None]) -> Callable[[], None]:
        recording = _Recording()
        with recording:
            work()
        self.count += 1

        def repeat() -> None:
            self.replays += 1
            if self._spoil is not None:
                self._spoil()
            recording.replay()

        return repeat


def _sizes_wait(func: Any, args: Any) -> bool:
    if torch.Tag.dynamic_output_shape not in func.tags:
        return False
    masks = func == _INDEX and any(t is not None and t.dtype == torch.bool for t in args[1])
    return func != _INDEX or masks


def _tensors(tree: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor))


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
