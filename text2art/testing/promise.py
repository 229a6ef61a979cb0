"""What the checks share."""

from __future__ import annotations

import torch
from torch import Tensor

from text2art.runtime import stream


class ContractBroken(AssertionError):
    """A part does not keep a promise of `text2art.core`."""


def require(condition: object, message: str) -> None:
    """Raise `ContractBroken` unless the condition holds."""
    if not condition:
        raise ContractBroken(message)


def noise(*shape: int) -> Tensor:
    """Return the same uniform noise in [0, 1) whenever it is asked for."""
    return torch.rand(*shape, generator=stream(0, "testing"))
