"""Palettes that are learned: colors each on its own, or in ramps from dark to light."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from text2art.color import from_oklab, oklab
from text2art.drawers.layers import GAIN

_TINT = 0.3  # largest distance of Oklab's a and b from gray


class Tones(nn.Module):
    """Colors that are learned each on its own."""

    def __init__(self, start: Tensor) -> None:
        """Begin with colors `(K, 3)`."""
        super().__init__()
        self.sums = nn.Parameter(_unsquashed(start))

    def forward(self) -> Tensor:
        """Return the palette, `(K, 3)`."""
        return torch.sigmoid(GAIN * self.sums)

    def order(self) -> Tensor:
        """Return the indices from dark to light."""
        return oklab(self())[:, 0].argsort()

    def move_(self, which: Tensor, colors: Tensor) -> None:
        """Move some colors to those of `(N, 3)` that are farthest from all others, one by one."""
        palette = self()
        kept = oklab(palette[~which])
        labs = oklab(colors)
        far = torch.cdist(labs, kept).amin(dim=1)
        for place in which.nonzero()[:, 0].tolist():
            farthest = int(far.argmax())
            if far[farthest] < 0.02:  # nothing lacks a color
                return
            self.sums[place] = _unsquashed(colors[farthest])
            far = torch.minimum(far, (labs - labs[farthest]).norm(dim=1))

    def fit_(self, colors: Tensor) -> None:
        """Become the colors that stand for `(N, 3)` best: farthest ones first, then their means."""
        self.sums.copy_(_unsquashed(_stand_ins(colors, len(self.sums))))


class Ramps(nn.Module):
    """Colors in ramps: each from a shadow over its own color to a light, learned as three colors.

    In Oklab, with the shadow darker and the light lighter than the middle, whatever is learned;
    hues may shift along a ramp, as painters of pixels do.
    """

    def __init__(self, start: Tensor, shades: int) -> None:
        """Begin with ramps around colors `(R, 3)`, of so many shades each."""
        super().__init__()
        self._shades = shades
        self.sums = nn.Parameter(torch.zeros(len(start), 3, 3))
        with torch.no_grad():
            self._set_(torch.arange(len(start)), start)

    @torch.no_grad()
    def _set_(self, which: Tensor, colors: Tensor) -> None:
        middle = oklab(colors)
        lightness = torch.logit(middle[:, 0].clamp(0.05, 0.95)) / GAIN
        tint = torch.atanh((middle[:, 1:] / _TINT).clamp(-0.95, 0.95))
        sums = colors.new_zeros(len(colors), 3, 3)
        sums[:, 1, 0] = lightness
        sums[:, :, 1:] = tint[:, None]
        sums[:, 0, 2] -= 0.08  # shadows toward blue, lights toward yellow
        sums[:, 2, 2] += 0.08
        self.sums[which] = sums.to(self.sums)

    def forward(self) -> Tensor:
        """Return the palette, `(R * shades, 3)`, each ramp from dark to light."""
        share = torch.sigmoid(GAIN * self.sums[..., 0])
        middle = share[:, 1]
        lightness = torch.stack(
            [middle * share[:, 0], middle, middle + (1 - middle) * share[:, 2]], dim=1
        )
        knots = torch.cat([lightness[..., None], _TINT * torch.tanh(self.sums[..., 1:])], dim=-1)
        at = torch.linspace(0, 2, self._shades, device=knots.device)
        first = at.long().clamp(max=1)
        part = (at - first)[None, :, None]
        labs = knots[:, first] * (1 - part) + knots[:, first + 1] * part
        return from_oklab(labs.flatten(0, 1))

    def order(self) -> Tensor:
        """Return the indices as they are: by ramps."""
        return torch.arange(self.sums.shape[0] * self._shades, device=self.sums.device)

    def move_(self, which: Tensor, colors: Tensor) -> None:
        """Move ramps that no cell has a color of to those of `(N, 3)` farthest from all others."""
        idle = which.reshape(-1, self._shades).all(dim=1)
        labs = oklab(colors)
        far = torch.cdist(labs, oklab(self()[~which])).amin(dim=1)
        for ramp in idle.nonzero()[:, 0]:
            farthest = int(far.argmax())
            if far[farthest] < 0.05:
                return
            self._set_(ramp[None], colors[farthest][None])
            far = torch.minimum(far, (labs - labs[farthest]).norm(dim=1))

    def fit_(self, colors: Tensor) -> None:
        """Become ramps around the colors that stand for `(N, 3)` best."""
        self._set_(torch.arange(len(self.sums)), _stand_ins(colors, len(self.sums)))


def starting_colors(count: int, draw: torch.Generator) -> Tensor:
    """Return `(count, 3)` colors spread over lightness and hue."""
    places = torch.arange(count)
    turn = (places * (math.sqrt(5) - 1) / 2 + torch.rand(1, generator=draw)) * 2 * math.pi
    lightness = 0.15 + 0.8 * (torch.randperm(count, generator=draw) + 0.5) / count
    chroma = 0.11 * (1 - (2 * lightness - 1).abs())
    return from_oklab(torch.stack([lightness, chroma * turn.cos(), chroma * turn.sin()], dim=-1))


def _unsquashed(colors: Tensor) -> Tensor:
    return torch.logit(colors.clamp(0.01, 0.99)) / GAIN


def _stand_ins(colors: Tensor, count: int) -> Tensor:
    """Return `(count, 3)` colors that stand for `(N, 3)`: k-means from the farthest points."""
    labs = oklab(colors)
    first = int((labs - labs.mean(dim=0)).norm(dim=1).argmin())
    places, far = [first], (labs - labs[first]).norm(dim=1)
    while len(places) < count:
        places.append(int(far.argmax()))
        far = torch.minimum(far, (labs - labs[places[-1]]).norm(dim=1))
    centers = colors[places]
    for _ in range(8):
        owner = torch.cdist(labs, oklab(centers)).argmin(dim=1)
        sums = torch.zeros_like(centers).index_add_(0, owner, colors)
        sizes = torch.bincount(owner, minlength=count)[:, None]
        centers = torch.where(sizes > 0, sums / sizes.clamp(min=1), centers)
    return centers
