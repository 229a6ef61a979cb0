"""Draw a plan: sprites over backgrounds through a random view, all pictures of a batch at once.

Nothing here loops over pictures, so that a GPU composes as fast as it trains. Where a number is
shared by a group (the cells of pixel art, the blur of a photo), the group is a small one.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.captions import NOISE
from training.plan import Plan
from training.scenes import BANK_REACH
from training.sprites import Sprites
from training.styles import APPLY, blur
from training.world import (
    COLORS,
    MAX_COUNT,
    OTHER_BACKGROUND,
    PLAINS,
    STYLE,
    STYLE_NAMES,
    SUBJECT,
)

SIDE = 64
_GROUP = 64  # pictures that share the one-per-group numbers of a style
_LEVELS = 3  # of the textures: whole, half and quarter resolution


class Composer:
    """Holds textures and scenes on a device and draws plans there, `side` pixels square.

    `worn` pictures look like what guidance sees on its way; the rest are clean.
    """

    def __init__(
        self, sprites: Sprites, scenes: Tensor, device: torch.device, side: int = SIDE,
        *, worn: bool = True,
    ) -> None:  # fmt: skip
        self.side, self.worn = side, worn
        self.levels = [sprites.textures.to(device)]
        for _ in range(_LEVELS - 1):
            self.levels.append(F.avg_pool2d(self.levels[-1], 2))
        self.scenes = scenes.to(device)
        self.palette = torch.tensor(list(COLORS.values()), device=device)
        self.device = device
        line = (torch.arange(side, device=device) + 0.5) * (2 / side) - 1
        y, x = torch.meshgrid(line, line, indexing="ij")
        self.base = torch.stack([x, y, torch.ones_like(x)], -1).view(1, -1, 3)

    def _rand(self, *shape: int, gen: torch.Generator) -> Tensor:
        return torch.rand(*shape, generator=gen, device=self.device)

    def draw(self, plan: Plan, gen: torch.Generator) -> Tensor:
        """Return the pictures of a plan, (n, 3, side, side) in [0, 1]."""
        dif = torch.from_numpy(plan.difficulty).to(self.device)
        where = self._views(plan, dif, gen)
        picture = self._grounds(plan, dif, where, gen)
        self._sprites(plan, picture, where, gen)
        noise = np.flatnonzero(plan.truth[:, SUBJECT] == NOISE)
        if len(noise):
            picture[torch.from_numpy(noise).to(self.device)] = self._noise(len(noise), gen)
        picture = picture.clamp(0, 1)
        for index, name in enumerate(STYLE_NAMES[1:], start=1):
            rows = torch.from_numpy(np.flatnonzero(plan.truth[:, STYLE] == index))
            for part in _parts(rows.to(self.device)):
                picture[part] = APPLY[name](picture[part], gen).clamp(0, 1)
        return self._wear(picture, dif, gen) if self.worn else picture

    def _views(self, plan: Plan, dif: Tensor, gen: torch.Generator) -> Tensor:
        """Return where in its picture each output pixel looks, (n, side * side, 2).

        The same family as the loop's cutouts: scale, shift, small rotation and perspective. Steady
        pictures are not looked at from close by: what is said of them would no longer be true.
        """
        n = len(dif)
        u = self._rand(n, 8, gen=gen)
        whole = torch.from_numpy(plan.steady).to(self.device)
        scale = 0.9 + 0.17 * u[:, 0]
        close = (u[:, 1] < 0.55 * dif) & ~whole
        scale = torch.where(close, 0.5 + 0.5 * u[:, 0], scale)
        angle = (2 * u[:, 2] - 1) * (0.05 + 0.16 * dif)
        room = (1 - scale).clamp(min=0.02)
        cos, sin = scale * angle.cos(), scale * angle.sin()
        tilt = (2 * u[:, 5:7] - 1) * 0.12 * dif[:, None]
        rows = torch.stack(
            [
                torch.stack([cos, -sin, (2 * u[:, 3] - 1) * room], -1),
                torch.stack([sin, cos, (2 * u[:, 4] - 1) * room], -1),
                torch.stack([tilt[:, 0], tilt[:, 1], torch.ones_like(cos)], -1),
            ],
            dim=1,
        )
        looked = self.base @ rows.transpose(1, 2)
        return looked[..., :2] / looked[..., 2:]

    def _grounds(self, plan: Plan, dif: Tensor, where: Tensor, gen: torch.Generator) -> Tensor:
        n, side = len(dif), self.side
        u = self._rand(n, 8, gen=gen)
        ground = torch.from_numpy(plan.ground).to(self.device)
        picture = torch.empty(n, 3, side, side, device=self.device)
        rows = (ground < PLAINS).nonzero().flatten()
        hard = dif[rows, None]
        shade = (2 * self._rand(len(rows), 3, gen=gen) - 1) * (0.03 + 0.07 * hard)
        color = self.palette[ground[rows]] * (1 - 0.2 * hard * u[rows, :1]) + shade
        slope = (2 * u[rows, 1:3] - 1) * 0.14 * hard
        ramp = torch.einsum("npc,nc->np", where[rows], slope).view(-1, 1, side, side)
        picture[rows] = color[:, :, None, None] + ramp
        rows = ((ground >= PLAINS) & (ground < OTHER_BACKGROUND)).nonzero().flatten()
        if len(rows):
            variant = (u[rows, 3] * self.scenes.shape[1]).long()
            bank = self.scenes[ground[rows] - PLAINS, variant]
            flip = torch.where(u[rows, 4] < 0.5, 1.0, -1.0)[:, None]
            grid = where[rows] / BANK_REACH
            grid = torch.stack([grid[..., 0] * flip, grid[..., 1]], -1).view(-1, side, side, 2)
            picture[rows] = F.grid_sample(bank, grid, padding_mode="border", align_corners=False)
        rows = (ground == OTHER_BACKGROUND).nonzero().flatten()
        if len(rows):
            picture[rows] = self._noise(len(rows), gen)
        return picture

    def _noise(self, n: int, gen: torch.Generator) -> Tensor:
        """Return noise, blobs and stripes of random scale, color and contrast, (n, 3, S, S)."""
        scales = (2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
        picture = torch.empty(n, 3, self.side, self.side, device=self.device)
        groups = 3 * len(scales)  # a third of them of flat cells
        for k in range(min(groups, n)):
            m, cells = len(range(k, n, groups)), scales[k % len(scales)]
            raw = torch.randn(m, 3, cells, cells, generator=gen, device=self.device)
            striped = self._rand(m, 1, 1, 1, gen=gen) < 0.15
            raw = torch.where(striped, raw[:, :, :1], raw)
            flat = k >= 2 * len(scales)
            picture[k::groups] = F.interpolate(
                raw, size=(self.side,) * 2, mode="nearest" if flat else "bicubic"
            )
        base, contrast = self._rand(n, 3, 1, 1, gen=gen), self._rand(n, 1, 1, 1, gen=gen)
        return (base * 0.7 + 0.15 + (0.1 + 0.3 * contrast) * picture).clamp(0, 1)

    def _sprites(self, plan: Plan, picture: Tensor, where: Tensor, gen: torch.Generator) -> None:
        """Lay the drawings of all slots over the pictures, in place."""
        jitter = (2 * self._rand(len(picture), 3, gen=gen) - 1) * 0.06
        for k in range(MAX_COUNT):
            level = np.digitize(plan.slots[:, k, 2], (0.17, 0.34, 0.68)[-_LEVELS + 1 :])
            for coarse in range(_LEVELS):
                shown = np.flatnonzero((plan.sprite[:, k] >= 0) & (level == _LEVELS - 1 - coarse))
                if len(shown):
                    self._layer(plan, picture, where, jitter, k, coarse, shown)

    def _layer(
        self, plan: Plan, picture: Tensor, where: Tensor, jitter: Tensor, k: int, coarse: int,
        shown: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    ) -> None:  # fmt: skip
        rows = torch.from_numpy(shown).to(self.device)
        sprite = torch.from_numpy(plan.sprite[shown, k]).to(self.device)
        color = torch.from_numpy(plan.recolor[shown, k]).to(self.device)
        x, y, half, angle, mirror = (
            torch.from_numpy(plan.slots[shown, k]).to(self.device).unbind(-1)
        )
        texture = self.levels[coarse][sprite]
        painted = (color >= 0).view(-1, 1, 1, 1)
        tint = (self.palette[color.clamp(min=0)] + jitter[rows]).clamp(0.02, 1)
        rgb = torch.where(painted, _paint(texture, tint[:, :, None, None]), texture[:, :3])
        offset = where[rows] - torch.stack([x, y], -1)[:, None]
        cos, sin = (angle.cos() / half)[:, None], (angle.sin() / half)[:, None]
        u = (offset[..., 0] * cos + offset[..., 1] * sin) * mirror[:, None]
        v = offset[..., 1] * cos - offset[..., 0] * sin
        grid = torch.stack([u, v], -1).view(-1, self.side, self.side, 2)
        layer = F.grid_sample(torch.cat([rgb, texture[:, 3:4]], 1), grid, align_corners=False)
        picture[rows] = picture[rows] * (1 - layer[:, 3:]) + layer[:, :3]

    def _wear(self, picture: Tensor, dif: Tensor, gen: torch.Generator) -> Tensor:
        """Make pictures look like what guidance sees on its way: noise, blur, cells, contrast."""
        n = len(picture)
        u = self._rand(n, 6, gen=gen)
        contrast = 1 + (u[:, 0] - 0.6) * 0.5 * dif
        shift = (u[:, 1] - 0.5) * 0.12 * dif
        picture = (picture - 0.5) * contrast.view(-1, 1, 1, 1) + 0.5 + shift.view(-1, 1, 1, 1)
        soft = (u[:, 2] < 0.18 * dif).nonzero().flatten()
        for k in range(min(6, len(soft))):
            picture[soft[k::6]] = blur(picture[soft[k::6]], 0.7 + 0.2 * k)
        coarse = ((u[:, 2] > 0.8) & (u[:, 3] < 0.8 * dif)).nonzero().flatten()
        kinds = [(cells, flat) for cells in (16, 20, 24, 32, 40, 48) for flat in (True, False)]
        for k, (cells, flat) in enumerate(kinds[: len(coarse)]):
            # As drawers draw: few cells, flat or smooth.
            part = coarse[k :: len(kinds)]
            tiny = F.interpolate(picture[part], size=(cells, cells), mode="area")
            picture[part] = F.interpolate(
                tiny, size=(self.side,) * 2, mode="nearest" if flat else "bilinear"
            )
        level = (u[:, 4] < 0.6).float() * u[:, 5] * (0.01 + 0.09 * dif)
        noise = torch.randn(picture.shape, generator=gen, device=self.device)
        worn: Tensor = (picture + noise * level.view(-1, 1, 1, 1)).clamp(0, 1)
        return worn


def _paint(texture: Tensor, tint: Tensor) -> Tensor:
    """Repaint the main color of textures by their gray: shadows darken it, lights pale it."""
    alpha, gray, kept = texture[:, 3:4], texture[:, 4:5], texture[:, 5:6]  # gray is premultiplied
    body = tint * (0.54 * alpha + 0.66 * gray)
    light = (1 - tint) * (gray - 0.6 * alpha).clamp(0) * 0.8
    return torch.lerp((body + light).minimum(alpha), texture[:, :3], kept)


def _parts(rows: Tensor) -> Iterator[Tensor]:
    """Yield groups of rows, each small enough to share a style's numbers."""
    if len(rows):
        yield from torch.split(rows, _GROUP)
