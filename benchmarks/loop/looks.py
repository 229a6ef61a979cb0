"""The ancestors' looks, by kornia: what is done to the picture before CLIP sees it.

From the facts of their recipes: VQGAN-CLIP's default augmentations, pixray's zoomed and wide views.
Departures: pixray's zooms and wide views of a second crop size are drawn anew, where it warps with
the matrices of the first.
"""

from __future__ import annotations

import importlib.util
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from benchmarks.loop.configs import Recipe
from text2art.errors import MissingExtra

_NOISE = 0.1


class ByKornia(Protocol):
    """Takes the looks of a step."""

    def __call__(self, image: Tensor) -> Tensor:
        """Map a picture (1, 3, H, W) in [0, 1] to (N, 3, S, S)."""
        ...


def there() -> bool:
    """Whether kornia is installed."""
    return importlib.util.find_spec("kornia") is not None


def by_kornia(recipe: Recipe, count: int, size: int) -> ByKornia:
    """Return a recipe's looks.

    Args:
        recipe: whose.
        count: N.
        size: S.

    Raises:
        MissingExtra: kornia is not installed.
    """
    if not there():
        raise MissingExtra("the ancestors' looks need kornia: pip install kornia")
    return _VqganClip(count, size) if recipe == "vqgan-clip" else _Pixray(count, size)


class _Pooled(nn.Module):
    """The whole picture pooled to the crop size, once for every look, as the ancestors do."""

    def __init__(self, count: int, size: int) -> None:
        super().__init__()
        self.count = count
        self.mean, self.most = nn.AdaptiveAvgPool2d(size), nn.AdaptiveMaxPool2d(size)

    def forward(self, image: Tensor) -> Tensor:
        looks = [(self.mean(image) + self.most(image)) / 2 for _ in range(self.count)]
        return torch.cat(looks)


def _noisy(crops: Tensor) -> Tensor:
    amount = crops.new_empty(len(crops), 1, 1, 1).uniform_(0, _NOISE)
    return crops + amount * torch.randn_like(crops)


class _VqganClip(nn.Module):
    """Affine, perspective, color jitter and erasing, each for 7 looks of 10, and noise."""

    def __init__(self, count: int, size: int) -> None:
        super().__init__()
        import kornia.augmentation as k

        self.pool = _Pooled(count, size)
        self.changes = nn.Sequential(
            k.RandomAffine(degrees=15, translate=(0.1, 0.1), shear=5, p=0.7),
            k.RandomPerspective(0.7, p=0.7),
            k.ColorJitter(hue=0.1, saturation=0.1, p=0.7),
            k.RandomErasing((0.1, 0.4), (0.3, 1 / 0.3), same_on_batch=True, p=0.7),
        )

    def forward(self, image: Tensor) -> Tensor:
        return _noisy(self.changes(self.pool(image)))


class _Pixray(nn.Module):
    """Six looks of ten zoom into the picture, the others see it whole; and noise."""

    def __init__(self, count: int, size: int) -> None:
        super().__init__()
        import kornia.augmentation as k

        self.zooms = int(0.6 * count)
        self.pool = _Pooled(count, size)
        jitter: dict[str, Any] = {"hue": 0.1, "saturation": 0.1, "p": 0.8}
        self.zoom = nn.Sequential(
            k.RandomPerspective(0.4, p=0.7),
            k.RandomResizedCrop(
                (size, size), scale=(0.25, 0.95), ratio=(0.85, 1.2), cropping_mode="resample"
            ),
            k.ColorJitter(**jitter),
        )
        self.wide = nn.Sequential(
            k.RandomAffine(degrees=0, translate=(0.05, 0.05), scale=(0.9, 1.0), p=1.0),
            k.RandomPerspective(0.2, p=0.7),
            k.ColorJitter(**jitter),
        )

    def forward(self, image: Tensor) -> Tensor:
        zoom, wide = self.pool(image).split([self.zooms, self.pool.count - self.zooms])
        seen = [part(looks) for part, looks in ((self.zoom, zoom), (self.wide, wide)) if len(looks)]
        return _noisy(torch.cat(seen))
