"""The looks alone: forward and backward of 32 cuts of 224x224 from a picture of 256x256."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from benchmarks.loop.configs import Recipe
from benchmarks.loop.looks import by_kornia
from text2art.cutouts.recipes import PixraySampler, ViewSampler
from text2art.looks import Cutouts
from text2art.options.cutouts import ViewOptions

COUNT, SIZE, SIDE = 32, 224, 256
RECIPES: tuple[Recipe, ...] = ("vqgan-clip", "pixray")
# Beside VQGAN-CLIP's recipe stands our own; pixray's is there by formula.
OUR_NAMES = {"vqgan-clip": "views", "pixray": "pixray"}
_SEED = 1


def ours(recipe: str, device: torch.device, *, tiny: bool = False) -> Callable[[], None]:
    """Return what takes our looks once: chosen, cut, and their gradient brought to the picture.

    Args:
        recipe: of the ancestor that it stands beside.
        device: where.
        tiny: few and small ones, for tests.
    """
    count, size, side = _shape(tiny=tiny)
    cutouts: Cutouts = (
        PixraySampler(count, _SEED)
        if OUR_NAMES[recipe] == "pixray"
        else ViewSampler(ViewOptions(), count, _SEED)
    )
    image = _picture(side, device)
    pull = torch.ones(count, 3, size, size, device=device)
    steps = iter(range(10**9))

    def once() -> None:
        looks = cutouts.choose(next(steps), 0.5, side, side)
        _back(cutouts.cut(image, looks, size), image, pull)

    return once


def theirs(recipe: str, device: torch.device, *, tiny: bool = False) -> Callable[[], None]:
    """Return what takes an ancestor's looks once, by kornia: see `ours`.

    Raises:
        MissingExtra: kornia is not installed.
    """
    count, size, side = _shape(tiny=tiny)
    looks = by_kornia(cast("Recipe", recipe), count, size)
    image = _picture(side, device)
    pull = torch.ones(count, 3, size, size, device=device)

    def once() -> None:
        _back(looks(image), image, pull)

    return once


def _shape(*, tiny: bool) -> tuple[int, int, int]:
    return (4, 16, 32) if tiny else (COUNT, SIZE, SIDE)


def _picture(side: int, device: torch.device) -> Tensor:
    line = torch.linspace(0, 1, side, device=device)
    across, down = line.expand(side, side), line[:, None].expand(side, side)
    image = torch.stack([across, down, across * down])[None]
    return image.contiguous().requires_grad_()


def _back(crops: Tensor, image: Tensor, pull: Tensor) -> None:
    torch.autograd.grad(crops, image, pull)
