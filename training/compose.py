"""Draw a plan: sprites over backgrounds through a random view, all pictures of a batch at once."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.captions import NOISE
from training.plan import Plan
from training.scenes import BANK_REACH
from training.sprites import Sprites
from training.styles import APPLY, blur
from training.world import COLORS, MAX_COUNT, OTHER_BACKGROUND, PLAINS, STYLE_NAMES

SIDE = 64


class Composer:
    """Holds textures and scenes on a device and draws plans there."""

    def __init__(self, sprites: Sprites, scenes: Tensor, device: torch.device) -> None:
        self.textures = sprites.textures.to(device)
        self.scenes = scenes.to(device)
        self.palette = torch.tensor(list(COLORS.values()), device=device)
        self.device = device
        line = (torch.arange(SIDE, device=device) + 0.5) * (2 / SIDE) - 1
        y, x = torch.meshgrid(line, line, indexing="ij")
        self.base = torch.stack([x, y, torch.ones_like(x)], -1).view(1, -1, 3)

    def _rand(self, *shape: int, gen: torch.Generator) -> Tensor:
        return torch.rand(*shape, generator=gen, device=self.device)

    def draw(self, plan: Plan, gen: torch.Generator) -> Tensor:
        """Return the pictures of a plan, (n, 3, 64, 64) in [0, 1]."""
        dif = torch.from_numpy(plan.difficulty).to(self.device)
        where = self._views(plan, dif, gen)
        picture = self._grounds(plan, dif, where, gen)
        picture = self._sprites(plan, picture, where, gen)
        noise = np.flatnonzero(plan.truth[:, 0] == NOISE)
        if len(noise):
            picture[torch.from_numpy(noise)] = self._noise(len(noise), gen)
        picture = picture.clamp(0, 1)
        for index, name in enumerate(STYLE_NAMES[1:], start=1):
            rows = torch.from_numpy(np.flatnonzero(plan.truth[:, 4] == index)).to(self.device)
            if len(rows):
                picture[rows] = APPLY[name](picture[rows], gen).clamp(0, 1)
        return self._wear(picture, dif, gen)

    def _views(self, plan: Plan, dif: Tensor, gen: torch.Generator) -> Tensor:
        """Return where in its picture each output pixel looks, (n, 64 * 64, 2).

        The same family as the loop's cutouts: scale, shift, small rotation and perspective.
        """
        n = len(dif)
        u = self._rand(n, 8, gen=gen)
        many = torch.from_numpy(plan.truth[:, 2] > 1).to(self.device)
        scale = 0.9 + 0.17 * u[:, 0]
        close = (u[:, 1] < 0.55 * dif) & ~many
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
        n = len(dif)
        u = self._rand(n, 8, gen=gen)
        ground = torch.from_numpy(plan.ground).to(self.device)
        picture = torch.empty(n, 3, SIDE, SIDE, device=self.device)
        rows = (ground < PLAINS).nonzero().flatten()
        if len(rows):
            hard = dif[rows, None]
            shade = (2 * self._rand(len(rows), 3, gen=gen) - 1) * (0.03 + 0.07 * hard)
            color = self.palette[ground[rows]] * (1 - 0.2 * hard * u[rows, :1]) + shade
            slope = (2 * u[rows, 1:3] - 1) * 0.14 * hard
            ramp = torch.einsum("npc,nc->np", where[rows], slope).view(-1, 1, SIDE, SIDE)
            picture[rows] = color[:, :, None, None] + ramp
        rows = ((ground >= PLAINS) & (ground < OTHER_BACKGROUND)).nonzero().flatten()
        if len(rows):
            variant = (u[rows, 3] * self.scenes.shape[1]).long()
            bank = self.scenes[ground[rows] - PLAINS, variant]
            flip = torch.where(u[rows, 4] < 0.5, 1.0, -1.0)[:, None]
            grid = where[rows] / BANK_REACH
            grid = torch.stack([grid[..., 0] * flip, grid[..., 1]], -1).view(-1, SIDE, SIDE, 2)
            picture[rows] = F.grid_sample(bank, grid, padding_mode="border", align_corners=False)
        rows = (ground == OTHER_BACKGROUND).nonzero().flatten()
        if len(rows):
            picture[rows] = self._noise(len(rows), gen)
        return picture

    def _noise(self, n: int, gen: torch.Generator) -> Tensor:
        """Return noise, blobs and stripes of random scale, color and contrast, (n, 3, 64, 64)."""
        pictures = []
        for u in self._rand(n, 4, gen=gen).tolist():
            cells = (2, 3, 4, 6, 8, 12, 16, 24, 32, 64)[int(u[0] * 10)]
            tall = cells if u[1] < 0.85 else 1
            raw = torch.randn(1, 3, tall, cells, generator=gen, device=self.device)
            mode = "nearest" if u[2] < 0.3 else "bicubic"
            grown = F.interpolate(raw, size=(SIDE, SIDE), mode=mode)
            base = self._rand(1, 3, 1, 1, gen=gen)
            pictures.append(base * 0.7 + 0.15 + (0.1 + 0.3 * u[3]) * grown)
        return torch.cat(pictures).clamp(0, 1)

    def _sprites(self, plan: Plan, picture: Tensor, where: Tensor, gen: torch.Generator) -> Tensor:
        shown = np.flatnonzero(plan.sprite >= 0)
        rows = torch.from_numpy(shown).to(self.device)
        slots = torch.from_numpy(plan.slots[shown]).to(self.device)
        small = (slots[:, 0, 2] < 0.68).long()
        texture = self.textures[small, torch.from_numpy(plan.sprite[shown]).to(self.device)]
        color = torch.from_numpy(plan.recolor[shown]).to(self.device)
        rgba = texture[:, :4].clone()
        painted = (color >= 0).nonzero().flatten()
        if len(painted):
            rgba[painted, :3] = self._paint(texture[painted], color[painted], gen)
        counts = torch.from_numpy(plan.truth[shown, 2]).to(self.device)
        for k in range(MAX_COUNT):
            mine = (counts > k).nonzero().flatten()
            if not len(mine):
                break
            x, y, half, angle, mirror = slots[mine, k].unbind(-1)
            offset = where[rows[mine]] - torch.stack([x, y], -1)[:, None]
            cos, sin = (angle.cos() / half)[:, None], (angle.sin() / half)[:, None]
            u = (offset[..., 0] * cos + offset[..., 1] * sin) * mirror[:, None]
            v = offset[..., 1] * cos - offset[..., 0] * sin
            grid = torch.stack([u, v], -1).view(-1, SIDE, SIDE, 2)
            layer = F.grid_sample(rgba[mine], grid, align_corners=False)
            target = rows[mine]
            picture[target] = picture[target] * (1 - layer[:, 3:]) + layer[:, :3]
        return picture

    def _paint(self, texture: Tensor, color: Tensor, gen: torch.Generator) -> Tensor:
        """Repaint textures by their gray: shadows darken the color, lights pale it."""
        jitter = (2 * self._rand(len(color), 3, gen=gen) - 1) * 0.06
        tint = (self.palette[color] + jitter).clamp(0.02, 1)[:, :, None, None]
        alpha, gray = texture[:, 3:4], texture[:, 4:5]  # gray is premultiplied
        body = tint * (0.54 * alpha + 0.66 * gray)
        light = (1 - tint) * (gray - 0.6 * alpha).clamp(0) * 0.8
        return (body + light).minimum(alpha)

    def _wear(self, picture: Tensor, dif: Tensor, gen: torch.Generator) -> Tensor:
        """Make pictures look like what guidance sees on its way: noise, blur, cells, contrast."""
        n = len(picture)
        u = self._rand(n, 6, gen=gen)
        contrast = 1 + (u[:, 0] - 0.6) * 0.5 * dif
        shift = (u[:, 1] - 0.5) * 0.12 * dif
        picture = (picture - 0.5) * contrast.view(-1, 1, 1, 1) + 0.5 + shift.view(-1, 1, 1, 1)
        soft = (u[:, 2] < 0.18 * dif).nonzero().flatten()
        if len(soft):
            sigma = 0.7 + 1.0 * float(torch.rand(1, generator=gen, device=self.device))
            picture[soft] = blur(picture[soft], sigma)
        coarse = ((u[:, 2] > 0.8) & (u[:, 3] < 0.8 * dif)).nonzero().flatten()
        if len(coarse):  # as drawers draw: few cells, flat or smooth
            pick = (16, 20, 24, 32, 32, 40)
            cells = pick[int(torch.randint(6, (1,), generator=gen, device=self.device))]
            flat = bool(torch.rand(1, generator=gen, device=self.device) < 0.5)
            tiny = F.interpolate(picture[coarse], size=(cells, cells), mode="area")
            picture[coarse] = F.interpolate(
                tiny, size=(SIDE, SIDE), mode="nearest" if flat else "bilinear"
            )
        level = (u[:, 4] < 0.6).float() * u[:, 5] * (0.01 + 0.09 * dif)
        noise = torch.randn(picture.shape, generator=gen, device=self.device)
        worn: Tensor = (picture + noise * level.view(-1, 1, 1, 1)).clamp(0, 1)
        return worn
