"""What this machine can do: its own best rates, measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from text2art.runtime import Runtime

_SECONDS = 0.6  # for which each call is repeated
_BYTES = 2**28  # copied at a time: more than caches hold


@dataclass(frozen=True)
class Peaks:
    """Rates of a device.

    Attributes:
        flops: floating point operations a second by number type ("float32"), those of matrix
            products and convolutions; a multiplication and an addition are two.
        bandwidth: bytes a second, read and written.
    """

    flops: dict[str, float]
    bandwidth: float

    def rate(self, dtype: str) -> float:
        """Return the rate of a number type; of those not measured, float32's."""
        return self.flops.get(dtype, self.flops["float32"])


def measure(runtime: Runtime, *, seconds: float = _SECONDS, scale: int = 1) -> Peaks:
    """Measure a device.

    Args:
        runtime: names it.
        seconds: for which each call is repeated; the best one counts.
        scale: by how much all sizes are divided, for tests.
    """
    kinds = [torch.float32]
    if runtime.device.type == "cuda":
        kinds += [torch.bfloat16, torch.float16]
    elif _is_quick_in_half(runtime.device):
        kinds.append(torch.bfloat16)
    flops = {
        str(kind).removeprefix("torch."): max(
            work / best(call, runtime.device, seconds)
            for work, call in _products(runtime.device, kind, scale)
        )
        for kind in kinds
    }
    source = torch.zeros(_BYTES // 4 // scale**2, device=runtime.device)
    target = torch.ones_like(source)
    took = best(lambda: target.copy_(source), runtime.device, seconds)
    return Peaks(flops, 2 * source.nbytes / took)


def _products(
    device: torch.device, kind: torch.dtype, scale: int
) -> Iterator[tuple[float, Callable[[], Tensor]]]:
    """Yield products as steps have them: operations and call."""
    large = 4 if device.type == "cuda" else 1
    for shape in ((1600, 768, 3072), (2048, 2048, 2048)):
        m, k, n = (side * large // scale for side in shape)
        a = torch.randn(m, k, device=device).to(kind)
        b = torch.randn(k, n, device=device).to(kind)
        yield 2.0 * m * k * n, lambda a=a, b=b: a @ b  # type: ignore[misc]
    channels, side = 256 // scale, 64 * large // scale
    for layout in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(1, channels, side, side, device=device).to(kind)
        w = torch.randn(channels, channels, 3, 3, device=device).to(kind)
        x, w = x.to(memory_format=layout), w.to(memory_format=layout)
        work = 18.0 * channels**2 * side**2
        yield work, lambda x=x, w=w: F.conv2d(x, w, padding=1)  # type: ignore[misc]


@torch.no_grad()
def best(call: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Return the least seconds that a call takes, repeated for so long and at least thrice."""
    call()
    took: list[float] = []
    while len(took) < 3 or sum(took) < seconds:
        took.append(_once(call, device))
    return min(took)


def _once(call: Callable[[], object], device: torch.device) -> float:
    if device.type != "cuda":
        started = time.perf_counter()
        call()
        return time.perf_counter() - started
    event_of: Any = torch.cuda.Event
    begin, end = (event_of(enable_timing=True) for _ in range(2))
    begin.record()
    call()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1e3


def _is_quick_in_half(device: torch.device) -> bool:
    """Whether bfloat16 is quicker than float32 here: else the processor has no such arithmetic."""
    a = torch.randn(384, 384, device=device)
    whole = best(lambda: a @ a, device, 0.05)
    b = a.bfloat16()
    return best(lambda: b @ b, device, 0.05) < whole
