"""The least time a step can take on a machine: its work against the machine's own rates.

Work is what matrix products and convolutions do, counted while a real step runs, forward and
backward (with the formulas of `torch.utils.flop_counter`): each takes at least its operations at
the machine's rate of its number type, and at least the time to read what goes in and to write what
comes out once. Everything in between (norms, activations, sampling) is taken as done on the way,
for nothing; what goes from one part of a step to the next is written once and read once. What is
not torch's, as the rasterizer's loops, is not counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from benchmarks.loop.peaks import Peaks
from benchmarks.loop.split import PARTS

_ADAM = 7  # times its parameters: they, gradient, two moments read; they and the moments written


class Work(NamedTuple):
    """What one product does.

    Attributes:
        part: of the step: `split.PARTS`.
        dtype: number type it computes in.
        flops: operations, a multiplication and an addition are two.
        traffic: bytes of what goes in and what comes out.
        extra: whether it is done only because looks go through in chunks: seen once more.
    """

    part: str
    dtype: str
    flops: float
    traffic: float
    extra: bool = False


class Tally(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the work of what runs within it.

    Args:
        part: says which part of a step is at work.

    Attributes:
        works: one for each product.
        strange: names of operations that are not torch's own and that no formula is known for.
    """

    def __init__(self, part: Callable[[], str] = lambda: "") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.works: list[Work] = []
        self.strange: set[str] = set()
        self._part = part

    @property
    def flops(self) -> float:
        """All operations."""
        return sum(work.flops for work in self.works)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        packet = func._overloadpacket  # noqa: SLF001 - as torch's own counter does
        name = str(packet)
        if packet in flop_registry:
            self._add(flop_registry[packet](*args, **kwargs, out_val=out), args, kwargs, out)
        elif name in _PACKED:
            self._add(_PACKED[name](args, out), args, kwargs, out)
        elif packet is torch.ops.aten.linear:  # whole where no gradient is kept
            self._add(2.0 * args[0].numel() * out.shape[-1], args, kwargs, out)
        elif not name.startswith(("aten.", "prim.", "prims.", "profiler.")):
            self.strange.add(name)
        return out

    def _add(self, flops: float, args: Any, kwargs: Any, out: Any) -> None:
        tensors = [t for t in tree_leaves((args, kwargs, out)) if isinstance(t, Tensor)]
        traffic = sum(t.numel() * t.element_size() for t in tensors)
        part = self._part()
        # Only a look's first way through in chunks is taken without its gradient.
        extra = part == "perceptor" and not torch.is_grad_enabled()
        dtype = str(tensors[0].dtype).removeprefix("torch.")
        self.works.append(Work(part, dtype, float(flops), float(traffic), extra))


# oneDNN's and MKL's products with weights laid out beforehand: (arguments, result) -> operations.
_PACKED: Mapping[str, Callable[[Sequence[Any], Any], float]] = {
    "mkldnn._linear_pointwise": lambda args, out: 2.0 * args[0].numel() * out.shape[-1],
    "mkl._mkl_linear": lambda args, out: 2.0 * args[0].numel() * out.shape[-1],
    "mkldnn._convolution_pointwise": lambda args, out: (
        2.0 * out.numel() * math.prod(args[1].shape[1:])
    ),
}


def traffic_between(
    picture: float, parameters: float, crops: Mapping[int, int], seers: Sequence[int]
) -> dict[str, float]:
    """Return the bytes that must go from one part of a step to the next, by part.

    Args:
        picture: bytes of the picture.
        parameters: bytes of what is optimized.
        crops: number of looks by their size.
        seers: the crop size of each perceptor.
    """
    each = {size: 4.0 * count * 3 * size**2 for size, count in crops.items()}
    cut, seen = sum(each.values()), sum(each[size] for size in seers)
    return {
        "drawer": parameters + picture,
        "cutouts": picture + cut,
        "perceptor": seen,
        "losses": 0.0,
        # The perceptors' gradient is added up into the crops', that into the picture's.
        "backward": seen + cut + 2 * picture + parameters,
        "optimizer": _ADAM * parameters,
    }


def floors_of(
    works: Iterable[Work], between: Mapping[str, float], peaks: Peaks
) -> dict[str, float]:
    """Return the least seconds of each part; their sum is a step's."""
    floors = {part: between.get(part, 0.0) / peaks.bandwidth for part in PARTS}
    for work in works:
        if not work.extra and work.part in floors:
            computing = work.flops / peaks.rate(work.dtype)
            floors[work.part] += max(computing, work.traffic / peaks.bandwidth)
    return floors
