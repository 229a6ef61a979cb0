"""Kernels of frozen convolutions, laid out once as the processor's library multiplies them.

oneDNN brings kernels into an order of its own before each convolution, and before each gradient
anew. For a small network that sees a few small pictures this is a quarter of a convolution, for a
layer of 4x4 pixels nearly half of it. Kernels that never change are brought there once. The numbers
that come of it are the same.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import Self

MOST_PIXELS = 4096  # of all pictures: beyond, products take so long that the order is no matter
_LEAST_NUMBERS = 2**13  # of the kernels: fewer are brought into any order in no time
_TYPES = (torch.bfloat16, torch.float32)
_CLOSE = 0.02  # of the largest number: what bfloat16 may differ by where sums are grouped otherwise


class Packs:
    """What a convolution with frozen kernels keeps of them, made when it is first of use."""

    def __init__(self) -> None:
        self._kernels: Kernels | None = None

    def of(self, x: Tensor, weight: Tensor, padding: int) -> Kernels | None:
        """Return the kernels in the library's order; None where that is no use or not to be had.

        Args:
            x: the input `(B, C, h, w)`.
            weight: `(O, C, k, k)`, frozen; stride 1.
            padding: of the convolution.
        """
        if not _pays(x, weight):
            return None
        kernels = self._kernels
        if kernels is None or not kernels.are_of(weight):
            self._kernels = kernels = Kernels(weight, padding, x)
        return kernels if kernels.usable else None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a new one: the library's order cannot be copied, but made anew."""
        return type(self)()

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing that is made of the kernels: see `__deepcopy__`."""
        return {"_kernels": None}


class Kernels:
    """Kernels in the library's order, forward and turned around for the gradient.

    Attributes:
        usable: whether they give what the plain kernels give.
    """

    def __init__(self, weight: Tensor, padding: int, x: Tensor) -> None:
        self._mark = _mark(weight)
        self._padding, self._back = padding, weight.shape[2] - 1 - padding
        weight = weight.detach()
        turned = weight.flip(2, 3).transpose(0, 1).contiguous(memory_format=_last(weight))
        shape = [len(x), len(weight), *x.shape[2:]]
        try:
            self._forward = _packed(weight, padding, list(x.shape))
            self._backward = _packed(turned, self._back, shape)
            self.usable = self._are_right(x.detach(), weight)
        except (RuntimeError, AttributeError, TypeError):  # another torch, whose library differs
            self.usable = False

    def are_of(self, weight: Tensor) -> bool:
        """Whether they were made of these kernels as they are now."""
        return self._mark == _mark(weight)

    def convolve(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve `(B, C, h, w)`."""
        return _multiply(x, self._forward, bias, self._padding)

    def pull(self, gradient: Tensor) -> Tensor:
        """Return the gradient of the input, given that of the output `(B, O, h', w')`."""
        return _multiply(gradient, self._backward, None, self._back)

    def _are_right(self, x: Tensor, weight: Tensor) -> bool:
        plain = F.conv2d(x, weight, padding=self._padding)
        pulled: Tensor = torch.ops.aten.convolution_backward(
            plain, x, weight, None, [1, 1], [self._padding] * 2, [1, 1], False, [0, 0], 1,
            [True, False, False],
        )[0]  # fmt: skip
        pairs = ((self.convolve(x, None), plain), (self.pull(plain), pulled))
        return all(_are_close(*pair) for pair in pairs)


def _pays(x: Tensor, weight: Tensor) -> bool:
    return bool(
        x.device.type == "cpu"
        and x.dtype in _TYPES
        and x.dtype == weight.dtype
        and weight.numel() >= _LEAST_NUMBERS
        and 0 < len(x) * x.shape[2] * x.shape[3] <= MOST_PIXELS
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and torch.backends.mkldnn.enabled
    )


def _mark(weight: Tensor) -> tuple[object, ...]:
    return weight.data_ptr(), weight.dtype, weight.shape, weight._version  # noqa: SLF001 - its count


def _last(weight: Tensor) -> torch.memory_format:
    last = weight.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def _packed(weight: Tensor, padding: int, shape: list[int]) -> Tensor:
    packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(  # noqa: SLF001 - no other name
        weight, [padding, padding], [1, 1], [1, 1], 1, shape
    )
    return packed


def _multiply(x: Tensor, packed: Tensor, bias: Tensor | None, padding: int) -> Tensor:
    made: Tensor = torch.ops.mkldnn._convolution_pointwise(  # noqa: SLF001 - no other name for it
        x, packed, bias, [padding, padding], [1, 1], [1, 1], 1, "none", [], ""
    )
    return made


def _are_close(found: Tensor, wanted: Tensor) -> bool:
    if found.shape != wanted.shape or found.stride() != wanted.stride():
        return False
    most = float(wanted.abs().max())
    return bool((found - wanted).abs().max() <= _CLOSE * most)
