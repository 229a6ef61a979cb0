"""Cutouts: the random looks taken at a picture, as batched, seeded, differentiable operations.

All looks of a step are one sampling operation. The picture is first halved repeatedly into an
atlas of levels, and every look reads the level that suits its scale, so that nothing aliases
however large the picture is, without a loop over looks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from text2art.core import Looks
from text2art.options.cutouts import ViewOptions
from text2art.runtime import move, stream

_LUMA = (0.299, 0.587, 0.114)


class ViewSampler:
    """Whole views and zooms, in a share that shifts from composition to detail.

    A whole view is a square window about as large as the short side up to one that holds the whole
    picture; a zoom is a smaller square window anywhere in the picture.
    """

    def __init__(self, options: ViewOptions, count: int, seed: int | str) -> None:
        self._options = options
        self._count = count
        self._seed = seed

    def choose(self, step: int, progress: float, width: int, height: int) -> Looks:
        """See `core.Cutouts.choose`."""
        o, n = self._options, self._count
        draw = _Uniform(stream(self._seed, f"cutouts/{step}"), n)
        share = o.zoom_start + (o.zoom_end - o.zoom_start) * progress
        zooms = torch.arange(n) < round(share * n)
        short, long = min(width, height), max(width, height)

        whole_side = draw.between(short, long) * draw.between(0.9, 1.05)
        zoom_side = draw.between(min(o.zoom_min, o.zoom_max), o.zoom_max) * short
        side = torch.where(zooms, zoom_side, whole_side)
        # A zoom is anywhere inside; a whole view moves by what is left over, and a little more.
        center = torch.stack(
            [
                draw.between(-1, 1) * ((extent - side).clamp(min=0) / 2 + ~zooms * 0.03 * extent)
                for extent in (width, height)
            ],
            dim=-1,
        )
        size = torch.tensor([width, height], dtype=torch.float32)
        placed = _place(center / (size / 2), side[:, None] / size)
        turned = placed @ _rotate(draw.between(-o.rotation, o.rotation), draw.below(o.flip))
        matrices = turned @ perspective(draw, o.perspective)
        return Looks(
            matrices=matrices,
            reflect=side <= 1.15 * short,  # mirroring further would double the subject
            color=_jitter(draw, *[o.jitter] * 4),
            noise=draw.between(0, o.noise),
            fill=draw.between(0, 1)[:1].expand(3),
            noise_stream=_noise_stream(self._seed, step),
        )

    def cut(self, image: Tensor, looks: Looks, size: int) -> Tensor:
        """See `core.Cutouts.cut`."""
        return cut(image, looks, size)


class PixraySampler:
    """pixray's recipe (`pixray.py` 400-511), by formula.

    60 % zooms: perspective 0.4 (p 0.7), crop of 25-95 % of the area with ratio 0.85-1.2; 40 % wide:
    the whole picture at 90-100 % (moving only along the short side) on the step's random gray,
    perspective 0.2 (p 0.7). All: hue and saturation jitter 0.1 (p 0.8), noise up to 0.1; border
    reflected. Departures: views are read from the full picture rather than from one pooled to the
    crop size, the border is always mirrored where pixray alternates mirrored and smeared, and a
    crop taller or wider than the picture is cut to it rather than drawn again.
    """

    def __init__(self, count: int, seed: int | str) -> None:
        self._count = count
        self._seed = seed

    def choose(self, step: int, progress: float, width: int, height: int) -> Looks:
        """See `core.Cutouts.choose`."""
        n = self._count
        draw = _Uniform(stream(self._seed, f"cutouts/{step}"), n)
        zooms = torch.arange(n) < int(0.6 * n)
        fill = draw.between(0, 1)[:1].expand(3)
        aspect = width / height

        # A crop of an area share and a width/height ratio, anywhere inside.
        area, ratio = draw.between(0.25, 0.95), draw.between(math.log(0.85), math.log(1.2)).exp()
        sides = torch.tensor([max(aspect, 1.0), max(1 / aspect, 1.0)])  # the short side is 1
        pixels = area * sides.prod()
        crop = torch.stack([(pixels * ratio).sqrt(), (pixels / ratio).sqrt()], dim=-1)
        crop = (crop / sides).clamp(max=1)
        offset = torch.stack([draw.between(-1, 1), draw.between(-1, 1)], dim=-1) * (1 - crop)
        zoomed = perspective(draw, 0.4 * draw.below(0.7)) @ _place(offset, crop)

        # The whole picture, letterboxed into the square, shifted along the padded side (a square
        # one by 2.5 % of its side, which is 0.05 in coordinates from -1 to 1).
        long = max(aspect, 1 / aspect)
        scale = torch.full((n,), 0.95) if aspect == 1 else draw.between(0.9, 1)
        shift = draw.between(-0.05, 0.05) if aspect == 1 else draw.between(-1, 1) * (1 - 1 / long)
        across = draw.between(-0.05, 0.05) if aspect == 1 else torch.zeros(n)
        window = torch.tensor([max(1 / aspect, 1.0), max(aspect, 1.0)]) / scale[:, None]
        moved = torch.stack([across, shift] if aspect >= 1 else [shift, across], dim=-1)
        wide = _place(moved * window, window) @ perspective(draw, 0.2 * draw.below(0.7))

        jittered = draw.below(0.8) * 0.1
        return Looks(
            matrices=torch.where(zooms[:, None, None], zoomed, wide),
            reflect=zooms,
            color=_jitter(draw, 0.0, 0.0, jittered, jittered),
            noise=draw.between(0, 0.1),
            fill=fill,
            noise_stream=_noise_stream(self._seed, step),
        )

    def cut(self, image: Tensor, looks: Looks, size: int) -> Tensor:
        """See `core.Cutouts.cut`."""
        return cut(image, looks, size)


def pixray_sampler(options: None, count: int, seed: int | str) -> PixraySampler:
    """Build pixray's recipe; it has no options."""
    return PixraySampler(count, seed)


# ---- sampling the choices ----------------------------------------------------------------------


class _Uniform:
    """Draws `count` uniform numbers at a time from one stream."""

    def __init__(self, generator: torch.Generator, count: int) -> None:
        self._generator = generator
        self._count = count

    def between(self, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(self._count, generator=self._generator)

    def below(self, probability: float) -> Tensor:
        return (torch.rand(self._count, generator=self._generator) < probability).float()

    def corners(self) -> Tensor:
        return torch.rand(self._count, 4, 2, generator=self._generator)


def _noise_stream(seed: int | str, step: int) -> Callable[[int], torch.Generator]:
    return lambda size: stream(seed, f"noise/{step}/{size}")


def _place(center: Tensor, half: Tensor) -> Tensor:
    """Homographies that show the window of `half` (N, 2) extents around `center` (N, 2)."""
    m = torch.zeros(center.shape[0], 3, 3)
    m[:, 0, 0], m[:, 1, 1], m[:, 2, 2] = half[:, 0], half[:, 1], 1
    m[:, :2, 2] = center
    return m


def _rotate(degrees: Tensor, mirrored: Tensor) -> Tensor:
    angle = degrees * (math.pi / 180)
    m = torch.zeros(angle.shape[0], 3, 3)
    sign = 1 - 2 * mirrored
    m[:, 0, 0], m[:, 0, 1] = angle.cos() * sign, -angle.sin()
    m[:, 1, 0], m[:, 1, 1] = angle.sin() * sign, angle.cos()
    m[:, 2, 2] = 1
    return m


def perspective(draw: _Uniform, distortion: float | Tensor) -> Tensor:
    """Random perspective: the square's corners each move inward by up to `distortion`, per axis.

    As torchvision's and kornia's RandomPerspective: `distortion` is relative to half the side, the
    square is drawn onto the moved corners, and what lies beyond its border becomes visible.
    """
    square = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    amount = torch.as_tensor(distortion).reshape(-1, 1, 1)
    moved = square * (1 - amount * draw.corners())
    # Output pixels inside the moved corners show the square: map moved -> square.
    return homography(moved, square.expand_as(moved))


def homography(source: Tensor, target: Tensor) -> Tensor:
    """Solve the homographies that take four points to four points, `(N, 4, 2)` -> `(N, 3, 3)`."""
    x, y = source.double().unbind(-1)
    u, v = target.double().unbind(-1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    rows_u = torch.stack([x, y, one, zero, zero, zero, -u * x, -u * y], dim=-1)
    rows_v = torch.stack([zero, zero, zero, x, y, one, -v * x, -v * y], dim=-1)
    known = torch.cat([u, v], dim=-1)
    eight = torch.linalg.solve(torch.cat([rows_u, rows_v], dim=-2), known)
    return torch.cat([eight, torch.ones_like(eight[:, :1])], dim=-1).reshape(-1, 3, 3).float()


def _jitter(
    draw: _Uniform,
    brightness: float,
    contrast: float,
    saturation: float | Tensor,
    hue: float | Tensor,
) -> Tensor:
    """Affine color changes `(N, 3, 4)`, each drawn evenly within plus or minus its amount.

    Hue is a rotation about the gray axis by that share of a turn, which unlike HSV's is linear.
    """
    gray = torch.tensor(_LUMA).expand(3, 3)
    eye = torch.eye(3)
    level = draw.between(-1, 1) * brightness
    gain = 1 + draw.between(-1, 1) * contrast
    keep = 1 + draw.between(-1, 1) * saturation
    angle = draw.between(-1, 1) * hue * (2 * math.pi)
    saturated = gray + keep[:, None, None] * (eye - gray)
    linear = gain[:, None, None] * (saturated @ _turn_hue(angle))
    offset = 0.5 * (1 - gain) + level
    return torch.cat([linear, offset[:, None, None].expand(-1, 3, 1)], dim=-1)


def _turn_hue(angle: Tensor) -> Tensor:
    """Rotations about (1, 1, 1) by `angle` (N,) radians (Rodrigues' formula)."""
    axis = torch.full((3,), 1 / math.sqrt(3))
    cross = torch.tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    c, s = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return c * torch.eye(3) + s * cross + (1 - c) * axis.outer(axis)


# ---- cutting -----------------------------------------------------------------------------------


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
    spread = _footprints(looks.matrices, width, height, size)
    level = spread.clamp(min=1).log2().round().long()
    atlas, boxes = _atlas(image, int(level.max()))

    at = _project(matrices, size)  # (N, S, S, 2), picture coordinates in [-1, 1]
    reflect = move(looks.reflect, image)[:, None, None, None]
    clamped = at.clamp(-1, 1)
    inside = torch.where(reflect, 2 * clamped - at, clamped)
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

    if not bool(looks.reflect.all()):
        edge = (1 - at.abs()) * torch.tensor([width, height], device=image.device) / 2
        softness = move(spread, image)[:, None, None, None]
        cover = (edge / softness + 0.5).clamp(0, 1).prod(dim=-1)
        cover = torch.where(reflect[..., 0], torch.ones_like(cover), cover).reshape(n, 1, -1)
        crops = fill[:, :, :, 0] + (crops - fill[:, :, :, 0]) * cover
    color = move(looks.color, image)
    crops = torch.baddbmm(color[:, :, 3:], color[:, :, :3], crops).reshape(n, 3, size, size)
    noise = torch.randn(n, 3, size, size, generator=looks.noise_stream(size))
    return crops + move(noise.mul_(looks.noise[:, None, None, None]), image)


def _project(matrices: Tensor, size: int) -> Tensor:
    """Take every output pixel center through the homographies: `(N, S, S, 2)`."""
    line = (torch.arange(size, device=matrices.device) + 0.5) / size * 2 - 1
    x, y, one = matrices.reshape(-1, 1, 1, 3, 3).unbind(dim=-1)  # columns, (N, 1, 1, 3)
    homogeneous = line[:, None] * x + (line[:, None, None] * y + one)  # (N, S, S, 3)
    # Behind the horizon nothing is shown; the bound keeps the division finite there.
    return homogeneous[..., :2] / homogeneous[..., 2:].clamp(min=0.05)


def _footprints(matrices: Tensor, width: int, height: int, size: int) -> Tensor:
    """Return how many picture pixels one crop pixel spans at each look's center, `(N,)`."""
    m = matrices / matrices[:, 2:, 2:]
    center = m[:, :2, 2:]
    jacobian = m[:, :2, :2] - center @ m[:, 2:, :2]
    area: Tensor = torch.linalg.det(jacobian).abs() * (width * height)
    return area.sqrt() / size


def _atlas(image: Tensor, levels: int) -> tuple[Tensor, Tensor]:
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


def still(looks: Looks) -> Looks:
    """Return the same looks without color changes and noise."""
    plain = torch.eye(3, 4).expand(looks.color.shape[0], 3, 4)
    return replace(looks, color=plain, noise=torch.zeros_like(looks.noise))
