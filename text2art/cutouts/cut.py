"""Cutting: all looks of a step as one seeded, differentiable sampling operation.

The picture is first halved repeatedly into an atlas of levels, and every look reads the level that
suits its scale, so that nothing aliases however large the picture is, without a loop over looks.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from text2art.looks import Border, Looks
from text2art.runtime import move, placed

_COARSE = 4  # colors along each side of what a fading border shows
_ROOM = 64  # pixels by which the looks' places in a step's noise differ at most, per axis


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

    # From the picture to a look's box of the atlas, straight away: one division, one clamp.
    box = move(boxes[level], image)[:, None, None]  # (N, 1, 1, 4): left, top, width, height
    extent = placed(atlas.shape[:-3:-1], image)
    center, half = (2 * box[..., :2] + box[..., 2:]) / extent - 1, box[..., 2:] / extent
    grid = project(matrices, size, center, half)  # (N, S, S, 2)
    cover = _cover(grid, looks.border, (center, half), (width, height), spread)
    grid = _mirrored(grid, looks.border, center, half)
    reach = half - 1 / extent  # no further out than the centers of border pixels
    grid = torch.clamp(grid, center - reach, center + reach)
    # One tall "picture" rather than a batch: the gradient is then added up in place, without an
    # (N, 3, H, W) tensor in between, and in one order.
    n = matrices.shape[0]
    tall = F.grid_sample(atlas, grid.reshape(1, n * size, size, 2), align_corners=False)
    crops = tall.reshape(3, n, size * size).transpose(0, 1)

    if cover is not None:
        beyond = _beyond(image, fill, looks.border, matrices, size)
        crops = beyond + (crops - beyond) * cover
    color = move(looks.color, image)
    crops = torch.baddbmm(color[:, :, 3:], color[:, :, :3], crops).reshape(n, 3, size, size)
    return crops.add_(_noise(looks, size, image))


def _mirrored(grid: Tensor, border: Tensor, center: Tensor, half: Tensor) -> Tensor:
    """Reflect what lies beyond the picture, for the looks that want it."""
    rows = (border == Border.MIRROR).nonzero()[:, 0]
    if not len(rows):
        return grid
    rows = move(rows, grid)
    at, center, half = grid[rows], center[rows], half[rows]
    return grid.index_copy(0, rows, 2 * torch.clamp(at, center - half, center + half) - at)


def _beyond(image: Tensor, fill: Tensor, border: Tensor, matrices: Tensor, size: int) -> Tensor:
    """Return what looks see beyond the picture, where that is not its border: `(N or 1, 3, S * S)`.

    A fading border is a picture of few colors, smeared: a subject that the edge cuts through is a
    faint cloud in it, where the nearest color would go on as a stripe.
    """
    rows = (border == Border.FADE).nonzero()[:, 0]
    if not len(rows):
        return fill[:, :, :, 0]
    rows, n = move(rows, image), len(rows)
    coarse = F.interpolate(image, size=(_COARSE, _COARSE), mode="area")
    grid = project(matrices[rows], size).reshape(1, n * size, size, 2)
    seen = F.grid_sample(coarse, grid, padding_mode="border", align_corners=False)
    faded = seen.reshape(3, n, size * size).transpose(0, 1)
    if n == len(matrices):
        return faded
    whole = fill[:, :, :, 0].expand(len(matrices), 3, size * size)
    return whole.index_copy(0, rows, faded)


def _cover(
    grid: Tensor,
    border: Tensor,
    box: tuple[Tensor, Tensor],
    picture: tuple[int, int],
    spread: Tensor,
) -> Tensor | None:
    """Return how much of each pixel is picture, not what lies beyond: `(N, 1, S * S)` or None."""
    rows = ((border == Border.FILL) | (border == Border.FADE)).nonzero()[:, 0]
    if not len(rows):
        return None
    softness = move(spread[rows], grid)[:, None, None, None]
    rows = move(rows, grid)
    center, half = (side[rows] for side in box)
    sides = placed(picture, grid)
    # How many of a look's pixels it is from the picture's edge, along each axis.
    scale = sides / (2 * softness)
    edge = scale - (grid[rows] - center).abs_() * (scale / half)
    inside = edge.add_(0.5).clamp_(0, 1).prod(dim=-1)
    n, size = grid.shape[:2]
    if len(rows) == n:
        return inside.reshape(n, 1, size * size)
    cover = torch.ones(n, size, size, device=grid.device).index_copy_(0, rows, inside)
    return cover.reshape(n, 1, size * size)


def _noise(looks: Looks, size: int, like: Tensor) -> Tensor:
    """Return each look's noise `(N, 3, S, S)`: the same field, seen at another place by each look.

    A field a little larger than a look takes a fraction of the random numbers that a field per look
    would; where looks show the same spot of the picture, theirs are still independent.
    """
    n = len(looks.matrices)
    draw = looks.stream("noise", str(size))
    field = torch.randn(3, size + _ROOM, size + _ROOM, generator=draw)
    top, left = move(torch.randint(_ROOM + 1, (n, 2), generator=draw), like).unbind(1)
    # Taken apart on the device: the field alone is copied there, not what every look sees of it.
    everywhere = move(field, like).unfold(1, size, 1).unfold(2, size, 1).permute(1, 2, 0, 3, 4)
    return everywhere[top, left].mul_(move(looks.noise, like)[:, None, None, None])


def project(
    matrices: Tensor, size: int, center: float | Tensor = 0.0, half: float | Tensor = 1.0
) -> Tensor:
    """Take every output pixel center through the homographies: `(N, S, S, 2)`.

    Args:
        matrices: `(N, 3, 3)`, from the looks' [-1, 1] to the picture's.
        size: S, of the looks.
        center: of the box that the picture's [-1, 1] becomes, broadcast over `(N, S, S, 2)`.
        half: half the extent of that box.
    """
    line = (torch.arange(size, device=matrices.device) + 0.5) / size * 2 - 1
    x, y, one = matrices.reshape(-1, 1, 1, 3, 3).unbind(dim=-1)  # columns, (N, 1, 1, 3)
    homogeneous = line[:, None] * x + (line[:, None, None] * y + one)  # (N, S, S, 3)
    # Behind the horizon nothing is shown; the bound keeps the division finite there.
    flat = homogeneous[..., :2] / homogeneous[..., 2:].clamp_(min=0.05)
    return flat.mul_(half).add_(center)


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
