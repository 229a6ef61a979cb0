"""The contract of perceptors."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from text2art.core import Perceptor
from text2art.testing.promise import noise, require


def check_perceptor(perceptor: Perceptor, *, tolerance: float = 1e-4) -> None:
    """Check that a perceptor keeps the promises of `core.Perceptor`.

    Args:
        perceptor: one that is loaded.
        tolerance: how much an embedding may differ by what else is in the batch.

    Raises:
        ContractBroken: with the promise it breaks.
    """
    require(isinstance(perceptor, Perceptor), "it lacks a part of core.Perceptor")
    require(perceptor.name and perceptor.size > 0, "it has no name or no size")
    digest = perceptor.digest
    require(re.fullmatch(r"(?:[0-9a-f]{64})?", digest), f"its digest {digest!r} is no sha256")
    before = torch.random.get_rng_state()
    _check_see(perceptor, tolerance)
    _check_read(perceptor)
    for text in ("a red apple", "zeppelin " * 300, "\u00e9\u732b\U0001f34e"):
        told = perceptor.notices(text)
        require(all(isinstance(n, str) and "\n" not in n for n in told), "a notice is one line")
    untouched = torch.equal(torch.random.get_rng_state(), before)
    require(untouched, "it draws from torch's global random state: use runtime.stream")


def _unit(embedded: Tensor, count: int, what: str) -> None:
    shape = tuple(embedded.shape)
    require(embedded.dim() == 2 and shape[0] == count, f"{what} of {count} has shape {shape}")
    require(embedded.dtype == torch.float32, f"{what} is {embedded.dtype}, not float32")
    require(embedded.isfinite().all(), f"{what} is not finite")
    off = float((embedded.detach().norm(dim=-1) - 1).abs().max())
    require(off < 1e-4, f"{what} is off unit length by {off:g}")


def _crops(size: int) -> dict[str, Tensor]:
    """Crops of every kind a run may meet; jitter and noise may leave [0, 1] a little."""
    static = noise(2, 3, size, size)
    levels = {"black": 0.0, "gray": 0.5, "white": 1.0}
    flat = {name: torch.full((1, 3, size, size), level) for name, level in levels.items()}
    return {**flat, "noise": static, "wild": static * 1.4 - 0.2}


def _check_see(perceptor: Perceptor, tolerance: float) -> None:
    crops = _crops(perceptor.size)
    for name, kind in crops.items():
        leaf = kind.clone().requires_grad_()
        seen = perceptor.see(leaf)
        _unit(seen, len(kind), f"what is seen of {name} crops")
        (seen * noise(*seen.shape)).sum().backward()  # type: ignore[no-untyped-call]
        gradient = leaf.grad
        require(gradient is not None, "no gradient reaches the crops")
        assert gradient is not None
        require(gradient.isfinite().all(), f"the gradient of {name} crops is not finite")
        if name == "noise":
            require(gradient.abs().sum() > 0, "the gradient of the crops is zero")
    together = torch.cat(list(crops.values()))
    seen = perceptor.see(together)
    require(not seen.requires_grad, "its weights are not frozen: use runtime.freeze")
    require(torch.equal(perceptor.see(together), seen), "two looks at the same crops differ")
    alone = torch.cat([perceptor.see(crop[None]) for crop in together])
    apart = float((alone - seen).abs().max())
    require(apart < tolerance, f"other crops in the batch change an embedding by {apart:g}")
    require((seen[0] - seen[-1]).abs().max() > 1e-6, "black and noise look the same to it")


def _check_read(perceptor: Perceptor) -> None:
    texts = ["a red apple", "two yellow stars on a purple background", "a red apple"]
    read = perceptor.read(texts)
    _unit(read, 3, "what is read")
    width = perceptor.see(torch.zeros(1, 3, perceptor.size, perceptor.size)).shape[1]
    require(read.shape[1] == width, f"texts have {read.shape[1]} dimensions, crops {width}")
    require(torch.equal(read[0], read[2]), "the same text is read in two ways")
    require(not torch.equal(read[0], read[1]), "different texts are read as the same")
    require(torch.equal(perceptor.read(texts[:1])[0], read[0]), "a text depends on its neighbors")
    require(not read.requires_grad, "texts carry a gradient: read under torch.no_grad")
    _unit(perceptor.read(["word " * 500, "\u00e9\u732b\U0001f34e"]), 2, "an odd text")
