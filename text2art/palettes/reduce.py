"""Few colors for many: weighted k-means in Oklab, seeded, without torch or numpy.

It is plain Python on doubles, so that the same picture and seed give the same palette on every
machine, and so that a palette can be read before torch is there.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from PIL import Image

from text2art.palettes.colors import Color, Lab, oklab

MOST_PIXELS = 1_000_000  # looked at; a larger picture is sampled evenly
_MOST_KINDS = 4096  # of color that clusters are made of
_ROUNDS = 30
_OPAQUE = 128  # alpha from which a pixel counts


def colors_in(image: Image.Image) -> dict[Color, int]:
    """Count the colors of a picture, in the order of their first pixel.

    Transparent pixels are left out. A picture of more than `MOST_PIXELS` is looked at
    in every second pixel, or third, and so on.
    """
    step = math.ceil(math.sqrt(image.width * image.height / MOST_PIXELS))
    if step > 1:
        size = (max(1, image.width // step), max(1, image.height // step))
        image = image.resize(size, Image.Resampling.NEAREST)
    data = image.convert("RGBA").tobytes()
    counts: dict[Color, int] = {}
    for at in range(0, len(data), 4):
        red, green, blue, alpha = data[at : at + 4]
        if alpha >= _OPAQUE:
            color = (red, green, blue)
            counts[color] = counts.get(color, 0) + 1
    return counts


def reduce_colors(counts: Mapping[Color, int], most: int, *, seed: int | str = 0) -> list[Color]:
    """Return at most `most` colors that stand for all; all of them, in their order, if they fit.

    k-means++ (Arthur and Vassilvitskii, 2007) and Lloyd's rounds on the colors in Oklab, weighted
    by their counts. Each cluster is stood for by the color nearest to its mean, so that every color
    returned was there. The result is ordered from dark to light.

    Args:
        counts: how often each color is there.
        most: colors wanted, 1 or more.
        seed: of the random choice of the first centers.
    """
    if len(counts) <= most:
        return list(counts)
    kinds = _kinds(counts)
    colors, weights = list(kinds), list(kinds.values())
    if len(colors) <= most:
        return sorted(colors, key=oklab)
    points = [oklab(color) for color in colors]
    centers = _first_centers(points, weights, most, _numbers(seed))
    chosen = {colors[place] for place in _settled(points, weights, centers)}
    return sorted(chosen, key=oklab)


def _kinds(counts: Mapping[Color, int]) -> dict[Color, int]:
    """Gather like colors until there are few enough: the most frequent stands for each group."""
    kinds = dict(counts)
    for bits in (2, 3, 4):
        if len(kinds) <= _MOST_KINDS:
            break
        best: dict[Color, tuple[int, Color]] = {}
        sums: dict[Color, int] = {}
        for color, count in counts.items():
            key = (color[0] >> bits, color[1] >> bits, color[2] >> bits)
            best[key] = max(best.get(key, (0, color)), (count, color))
            sums[key] = sums.get(key, 0) + count
        kinds = {best[key][1]: total for key, total in sums.items()}
    return kinds


def _numbers(seed: int | str) -> Iterator[float]:
    """Give numbers in [0, 1) that depend on the seed alone (`runtime.stream` would need torch)."""
    for i in itertools.count():
        digest = hashlib.sha256(f"{seed}/palette/{i}".encode()).digest()
        yield int.from_bytes(digest[:6], "big") / 2**48


def _first_centers(
    points: Sequence[Lab], weights: Sequence[int], most: int, numbers: Iterator[float]
) -> list[Lab]:
    """Choose centers at random, each with a chance that grows with its distance to the others."""
    far = [math.inf] * len(points)
    masses: list[float] = [float(weight) for weight in weights]
    centers: list[Lab] = []
    while len(centers) < most:
        total = math.fsum(masses)
        if total <= 0:  # every point is a center already
            break
        mark, running, place = next(numbers) * total, 0.0, 0
        for place, mass in enumerate(masses):  # noqa: B007
            running += mass
            if running > mark and mass > 0:
                break
        x, y, z = points[place]
        centers.append(points[place])
        for i, (a, b, c) in enumerate(points):
            far[i] = min(far[i], (a - x) ** 2 + (b - y) ** 2 + (c - z) ** 2)
            masses[i] = weights[i] * far[i]
    return centers


def _settled(points: Sequence[Lab], weights: Sequence[int], centers: list[Lab]) -> list[int]:
    """Move the centers to the means of their points until they rest; return the nearest points."""
    owner = [0] * len(points)
    for _ in range(_ROUNDS):
        safe = _safe_distances(centers)
        changed = False
        for i, point in enumerate(points):
            own = centers[owner[i]]
            # Nothing is nearer than the own center within half its distance to the next one.
            if _squared(point, own) <= safe[owner[i]]:
                continue
            nearest = min(range(len(centers)), key=lambda n: _squared(point, centers[n]))
            if nearest != owner[i]:
                owner[i], changed = nearest, True
        if not changed:
            break
        centers = _means(points, weights, owner, centers)
    best: dict[int, tuple[float, int]] = {}
    for i, point in enumerate(points):
        found = (_squared(point, centers[owner[i]]), i)
        best[owner[i]] = min(best.get(owner[i], found), found)
    return [place for _, place in best.values()]


def _safe_distances(centers: Sequence[Lab]) -> list[float]:
    """Return for each center the square of half its distance to the nearest other one."""
    return [
        min((_squared(one, other) / 4 for other in centers if other is not one), default=math.inf)
        for one in centers
    ]


def _means(
    points: Sequence[Lab], weights: Sequence[int], owner: Sequence[int], centers: Sequence[Lab]
) -> list[Lab]:
    sums = [[0.0, 0.0, 0.0, 0.0] for _ in centers]
    for point, weight, n in zip(points, weights, owner, strict=True):
        total = sums[n]
        total[0] += weight * point[0]
        total[1] += weight * point[1]
        total[2] += weight * point[2]
        total[3] += weight
    return [
        (a / w, b / w, c / w) if w else center
        for (a, b, c, w), center in zip(sums, centers, strict=True)
    ]


def _squared(one: Lab, other: Lab) -> float:
    a, b, c = one[0] - other[0], one[1] - other[1], one[2] - other[2]
    return a * a + b * b + c * c
