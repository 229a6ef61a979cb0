"""A perceptor for tests: a seeded random projection of crops and a hash of words."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from text2art.core import Perceptor
from text2art.runtime import Runtime, move, stream


class ToyPerceptor:
    """Smooth, cheap, deterministic, and understands nothing.

    Crops are averaged down to 8x8, projected by a random matrix and normalized; a text is a random
    unit vector drawn from its own words, so equal texts agree and different ones do not.
    """

    digest = ""

    def __init__(self, runtime: Runtime, size: int = 16, dimensions: int = 24) -> None:
        self.name = "toy"
        self.size = size
        draw = stream("toy", "projection")
        weight = torch.randn(3 * 64, dimensions, generator=draw) / 8
        self._weight = weight.to(runtime.device)

    def see(self, crops: Tensor) -> Tensor:
        """See `core.Perceptor.see`."""
        small = F.interpolate(crops, size=(8, 8), mode="area") - 0.5
        return F.normalize(torch.tanh(small.flatten(1) @ self._weight) + 1e-4, dim=-1)

    def read(self, texts: Sequence[str]) -> Tensor:
        """See `core.Perceptor.read`."""
        rows = [torch.randn(self._weight.shape[1], generator=stream("toy", t)) for t in texts]
        return F.normalize(move(torch.stack(rows), self._weight), dim=-1)

    def notices(self, text: str) -> list[str]:
        """Toys have nothing to say about a text."""
        return []


def build(model: str, runtime: Runtime) -> Perceptor:
    """Build the toy; `model` is ignored."""
    return ToyPerceptor(runtime)
