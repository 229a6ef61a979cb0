"""Pictures onto palettes: the nearest color, ordered dither, error diffusion. Free of torch.

What is near is judged in Oklab, which is made for that. What dithering mixes, the eye mixes as
light, so errors are added up in linear light: a checkerboard of black and white then stands for the
gray that looks like it (188 of 255), where errors in sRGB would make it stand for a darker one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from text2art.errors import SettingsError
from text2art.palettes import Color
from text2art.palettes.colors import TO_LAB, TO_LMS

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Dither = Literal["none", "bayer", "floyd-steinberg"]
DITHERS: tuple[Dither, ...] = ("none", "bayer", "floyd-steinberg")
_BAYER = 4  # side of the threshold matrix
_HULL_STEPS = 100
_CLOSE = 0.02  # light: as near as the hull's nearest point is known
_EYE = np.sqrt(np.array([0.3, 0.59, 0.11]))
_BEYOND = 0.25  # light
_AT_A_TIME = 4_000_000  # distances
_SHARES = ((1, 0, 7 / 16), (-1, 1, 3 / 16), (0, 1, 5 / 16), (1, 1, 1 / 16))  # x, y, of the error


def indexed(
    image: Image.Image,
    palette: Sequence[Color],
    *,
    dither: Dither = "none",
    strength: float = 1.0,
) -> Image.Image:
    """Return a picture with the colors of a palette alone, indexed in the palette's order.

    Where alpha is less than half, it is transparent: that is one more index, after the palette's.

    Args:
        image: the picture.
        palette: 1 to 256 colors; at most 255 if anything is transparent.
        dither: "none"; "bayer", a regular pattern; "floyd-steinberg", errors passed on.
        strength: of the dither, from 0 (none) to 1.

    Raises:
        SettingsError: the palette leaves no room for transparency.
    """
    rgba = np.asarray(image.convert("RGBA"))
    clear = rgba[..., 3] < 128
    if clear.any() and len(palette) > 255:
        raise SettingsError(
            "the picture is transparent, and a palette of 256 colors leaves no index for that: use "
            "255 or fewer"
        )
    index = _PICK[dither](rgba[..., :3], _light(np.array(palette, dtype=np.uint8)), strength)
    return compose(index, palette, clear)


def compose(index: Indices, palette: Sequence[Color], clear: NDArray[np.bool_]) -> Image.Image:
    """Return the indexed picture of `(H, W)` indices; what is `clear` is transparent."""
    cells = np.where(clear, len(palette), index).astype(np.uint8)
    picture = Image.frombytes("P", (cells.shape[1], cells.shape[0]), cells.tobytes())
    levels = [level for color in palette for level in color]
    if clear.any():
        picture.putpalette([*levels, 0, 0, 0])
        picture.info["transparency"] = len(palette)
    else:
        picture.putpalette(levels)
    return picture


def nearest(light: Floats, palette: Floats) -> Indices:
    """Return the index of the color nearest in Oklab to each of `(..., 3)`; ties go to the first.

    Args:
        light: linear RGB.
        palette: `(K, 3)`, linear RGB.
    """
    flat = _oklab(light.reshape(-1, 3))
    labs = _oklab(palette)
    found = np.empty(len(flat), dtype=np.int64)
    step = max(1, _AT_A_TIME // len(labs))
    for at in range(0, len(flat), step):
        off = flat[at : at + step, None] - labs
        found[at : at + step] = (off * off).sum(axis=-1).argmin(axis=1)
    return found.reshape(light.shape[:-1])


def _plain(rgb: NDArray[np.uint8], palette: Floats, strength: float) -> Indices:
    packed = rgb.astype(np.int64) @ (65536, 256, 1)
    colors, place = np.unique(packed, return_inverse=True)
    parts = np.stack([colors >> 16, colors >> 8 & 255, colors & 255], axis=-1).astype(np.uint8)
    found: Indices = nearest(_light(parts), palette)[place.reshape(packed.shape)]
    return found


def _ordered(rgb: NDArray[np.uint8], palette: Floats, strength: float) -> Indices:
    """Dither by a Bayer matrix, for any palette.

    T. Knoll's pattern dithering: for each pixel as many colors are chosen as the matrix has
    numbers, each the nearest to the goal and what the ones before it lack; ordered by lightness,
    the matrix says which of them is shown.
    """
    goal = mixable(rgb, palette)
    lightness = _oklab(palette)[:, 0]
    count = _BAYER * _BAYER
    lack = np.zeros_like(goal)
    chosen = np.empty((count, *rgb.shape[:2]), dtype=np.int64)
    for i in range(count):
        chosen[i] = nearest(np.clip(goal + strength * lack, 0, 1), palette)
        lack += goal - palette[chosen[i]]
    order = np.argsort(lightness[chosen], axis=0, kind="stable")
    chosen = np.take_along_axis(chosen, order, axis=0)
    height, width = rgb.shape[:2]
    rank = bayer(_BAYER)[np.arange(height)[:, None] % _BAYER, np.arange(width)[None] % _BAYER]
    shown: Indices = np.take_along_axis(chosen, rank[None], axis=0)[0]
    return shown


def mixable(rgb: NDArray[np.uint8], palette: Floats) -> Floats:
    """Return the light of a picture, moved to what dots of the palette can mix at all.

    Of a color that they cannot, errors would pile up until nothing else is seen. What they can mix
    is the convex hull of the palette; the nearest point of it, by the eye's weights of red, green
    and blue, is found by Frank and Wolfe's method (1956), for colors in steps of 8 levels.
    """
    goal = _light(rgb)
    packed = (rgb >> 3).astype(np.int64) @ (1024, 32, 1)
    codes, place = np.unique(packed, return_inverse=True)
    parts = np.stack([codes >> 10, codes >> 5 & 31, codes & 31], axis=-1) * 8 + 4
    wanted, inks = _light(parts) * _EYE, palette * _EYE
    at = inks[[_nearest_to(color, inks) for color in wanted]]
    for _ in range(_HULL_STEPS):
        off = at - wanted
        toward = inks[(off @ inks.T).argmin(axis=1)] - at
        step = -(off * toward).sum(axis=1) / np.maximum((toward * toward).sum(axis=1), 1e-12)
        at += step.clip(0, 1)[:, None] * toward
    moved = (at - wanted) / _EYE
    moved[(np.abs(moved) < _CLOSE).all(axis=1)] = 0
    reached: Floats = (goal + moved[place.reshape(packed.shape)]).clip(0, 1)
    return reached


def _nearest_to(color: Floats, inks: Floats) -> int:
    return int(((inks - color) ** 2).sum(axis=1).argmin())


def bayer(side: int) -> Indices:
    """Return Bayer's matrix of a side that is a power of two: the numbers from 0 on."""
    matrix = np.zeros((1, 1), dtype=np.int64)
    while len(matrix) < side:
        matrix = np.block([[4 * matrix, 4 * matrix + 2], [4 * matrix + 3, 4 * matrix + 1]])
    return matrix


def _diffused(rgb: NDArray[np.uint8], palette: Floats, strength: float) -> Indices:
    """Pass errors on to pixels that come later (Floyd and Steinberg, 1976), row by row.

    Pixels whose x + 2 y is the same do not touch each other, so each such diagonal is done at once.
    """
    height, width = rgb.shape[:2]
    light = np.zeros((height + 1, width + 2, 3))  # one more row, and a column on either side
    light[:height, 1 : width + 1] = mixable(rgb, palette)
    index = np.zeros((height, width), dtype=np.int64)
    for diagonal in range(width + 2 * (height - 1)):
        first = max(0, (diagonal - width + 2) // 2)
        y = np.arange(first, min(height - 1, diagonal // 2) + 1)
        x = diagonal - 2 * y
        # As "near" is not judged in light, errors could still grow; but what is cut off is lost. A
        # quarter keeps the light of grays within a hundredth or so, and shapes where they are.
        wanted = light[y, x + 1].clip(-_BEYOND, 1 + _BEYOND)
        found = nearest(wanted.clip(0, 1), palette)
        index[y, x] = found
        error = strength * (wanted - palette[found])
        for right, down, share in _SHARES:
            light[y + down, x + 1 + right] += share * error
    return index


_PICK = {"none": _plain, "bayer": _ordered, "floyd-steinberg": _diffused}


def _light(levels: NDArray[np.integer[Any]]) -> Floats:
    """Take 8-bit sRGB to linear light in [0, 1]."""
    light: Floats = _LIGHT[levels]
    return light


def _oklab(light: Floats) -> Floats:
    labs: Floats = np.cbrt(light @ np.array(TO_LMS).T) @ np.array(TO_LAB).T
    return labs


def to_levels(light: Floats) -> NDArray[np.uint8]:
    """Take linear light in [0, 1] to 8-bit sRGB."""
    curve = 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    share = np.where(light <= 0.0031308, 12.92 * light, curve)
    return (share.clip(0, 1) * 255 + 0.5).astype(np.uint8)


_SHARE = np.arange(256) / 255
_LIGHT: Floats = np.where(_SHARE <= 0.04045, _SHARE / 12.92, ((_SHARE + 0.055) / 1.055) ** 2.4)
light_of = _light
