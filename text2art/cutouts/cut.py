"""Cutting: all looks of a step as one seeded, differentiable sampling operation.

The picture is first halved repeatedly into an atlas of levels, and every look reads the level that
suits its scale, so that nothing aliases however large the picture is, without a loop over looks.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from text2art.core import Border, Looks
from text2art.runtime import move


def cut(image: Tensor, looks: Looks, size: int) -> Tensor:
    """Cut all looks from a picture in one sampling operation.

    Args:
        image: `(1, 3 or 4, H, W)` in [0, 1]; alpha is laid over the looks' fill color.
        looks: the choices of this step.
        size: side S of the crops.

    Returns:
        `(N, 3, S, S)`, nearly in [0, 1]: jitter and noise may leave it a little.
    """
    fill = move(looks.fill, image)[None, :, None, None]
    if image.shape[1] == 4:
        image = image[:, :3] * image[:, 3:] + fill * (1 - image[:, 3:])
    height, width = image.shape[-2:]
    matrices = move(looks.matrices, image)
    spread = footprints(looks.matrices, width, height, size)
    level = spread.clamp(min=1).log2().round().long()
    atlas, boxes = atlas_of(image, int(level.max()))

    at = project(matrices, size)  # (N, S, S, 2), picture coordinates in [-1, 1]
    border = move(looks.border, image)[:, None, None, None]
    clamped = at.clamp(-1, 1)
    inside = torch.where(border == Border.MIRROR, 2 * clamped - at, clamped)
    # From the picture to its box of the atlas, no further out than the centers of border pixels.
    box = move(boxes[level], image)[:, None, None]  # (N, 1, 1, 4): left, top, width, height
    extent = torch.tensor(atlas.shape[:-3:-1], dtype=torch.float32, device=image.device)
    center, half = (2 * box[..., :2] + box[..., 2:]) / extent - 1, box[..., 2:] / extent
    reach = half - 1 / extent
    grid = torch.clamp(center + half * inside, center - reach, center + reach)
    # One tall "picture" rather than a batch: the gradient is then added up in place, without an
    # (N, 3, H, W) tensor in between, and in one order.
    n = matrices.shape[0]
    tall = F.grid_sample(atlas, grid.reshape(1, n * size, size, 2), align_corners=False)
    crops = tall.reshape(3, n, size * size).transpose(0, 1)

    if bool((looks.border == Border.FILL).any()):
        edge = (1 - at.abs()) * torch.tensor([width, height], device=image.device) / 2
        softness = move(spread, image)[:, None, None, None]
        cover = (edge / softness + 0.5).clamp(0, 1).prod(dim=-1)
        cover = cover.masked_fill(border[..., 0] != Border.FILL, 1).reshape(n, 1, -1)
        crops = fill[:, :, :, 0] + (crops - fill[:, :, :, 0]) * cover
    color = move(looks.color, image)
    crops = torch.baddbmm(color[:, :, 3:], color[:, :, :3], crops).reshape(n, 3, size, size)
    noise = torch.randn(n, 3, size, size, generator=looks.noise_stream(size))
    return crops + move(noise.mul_(looks.noise[:, None, None, None]), image)


def project(matrices: Tensor, size: int) -> Tensor:
    """Take every output pixel center through the homographies: `(N, S, S, 2)`."""
    line = (torch.arange(size, device=matrices.device) + 0.5) / size * 2 - 1
    x, y, one = matrices.reshape(-1, 1, 1, 3, 3).unbind(dim=-1)  # columns, (N, 1, 1, 3)
    homogeneous = line[:, None] * x + (line[:, None, None] * y + one)  # (N, S, S, 3)
    # Behind the horizon nothing is shown; the bound keeps the division finite there.
    return homogeneous[..., :2] / homogeneous[..., 2:].clamp(min=0.05)


def footprints(matrices: Tensor, width: int, height: int, size: int) -> Tensor:
    """Return how many picture pixels one crop pixel spans at each look's center, `(N,)`."""
    m = matrices / matrices[:, 2:, 2:]
    center = m[:, :2, 2:]
    jacobian = m[:, :2, :2] - center @ m[:, 2:, :2]
    area: Tensor = torch.linalg.det(jacobian).abs() * (width * height)
    return area.sqrt() / size


def atlas_of(image: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Lay a picture and its halvings into one: the halvings are stacked at the right.

    Returns:
        the atlas `(1, 3, H, W + ceil(W/2))` (just the picture when `levels` is 0), and for each
        level its left, top, width and height in it, `(levels + 1, 4)` on the CPU.
    """
    height, width = image.shape[-2:]
    boxes = [(0, 0, width, height)]
    column: list[Tensor] = []
    small, top = image, 0
    for _ in range(levels):
        h, w = (small.shape[-2] + 1) // 2, (small.shape[-1] + 1) // 2
        if top + h > height:
            break
        small = F.interpolate(small, size=(h, w), mode="area")
        boxes.append((width, top, w, h))
        column.append(F.pad(small, (0, (width + 1) // 2 - w)))
        top += h
    while len(boxes) <= levels:  # looks wider than the smallest level read that level
        boxes.append(boxes[-1])
    if column:
        right = torch.cat(column, dim=-2)
        right = F.pad(right, (0, 0, 0, height - right.shape[-2]))
        image = torch.cat([image, right], dim=-1)
    return image, torch.tensor(boxes, dtype=torch.float32)
