"""Pixel art as its own size: cells found, enlarged exactly, other palettes. Free of torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from text2art.errors import OutputError, SettingsError
from text2art.media.quantize import compose, light_of, nearest, to_levels
from text2art.palettes import MOST, Color
from text2art.palettes.colors import oklab

MOST_PIXELS = 64_000_000  # of a picture that is made
MOST_TIMES = 64
Matching = Literal["index", "nearest", "lightness"]


def cell_size(image: Image.Image) -> tuple[int, int]:
    """Return the (width, height) in pixels of the cells of an enlarged picture.

    The largest that every change of color keeps to; 1, 1 if it is not enlarged.
    """
    pixels = np.asarray(image if image.mode == "P" else image.convert("RGBA"))
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    across = (pixels[:, 1:] != pixels[:, :-1]).any(axis=(0, 2)).nonzero()[0] + 1
    down = (pixels[1:] != pixels[:-1]).any(axis=(1, 2)).nonzero()[0] + 1
    if not len(across) and not len(down):
        return 1, 1  # a plain picture says nothing
    width = math.gcd(image.width, *(int(x) for x in across))
    height = math.gcd(image.height, *(int(y) for y in down))
    # A stripe says nothing about one of its directions: cells are square then.
    if not len(across):
        width = math.gcd(image.width, height)
    if not len(down):
        height = math.gcd(image.height, width)
    return width, height


def native(image: Image.Image, cells: tuple[int, int] | None = None) -> Image.Image:
    """Return a picture with one pixel per cell.

    Args:
        image: the picture; an indexed one stays indexed.
        cells: columns and rows; None = those that the picture shows (`cell_size`).

    Raises:
        SettingsError: there are to be more cells than pixels.
    """
    if cells is None:
        width, height = cell_size(image)
        cells = image.width // width, image.height // height
    columns, rows = cells
    if columns > image.width or rows > image.height:
        raise SettingsError(
            f"cells {columns}x{rows} are finer than the picture's {image.width}x{image.height} "
            "pixels: use fewer"
        )
    if image.mode == "P" or image.getcolors(MOST) is not None:
        # Few colors: cells are plain, and their middle is their color.
        x = ((np.arange(columns) + 0.5) * image.width / columns).astype(int)
        y = ((np.arange(rows) + 0.5) * image.height / rows).astype(int)
        plain = image if image.mode in ("P", "RGB", "RGBA") else image.convert("RGBA")
        return _like(np.asarray(plain)[y[:, None], x[None]], plain)
    return _averaged(image, columns, rows)


def natives(images: Sequence[Image.Image]) -> list[Image.Image]:
    """Return pictures with one pixel per cell; those of one size have the same cells."""
    sizes: dict[tuple[int, int], tuple[int, int]] = {}
    for image in images:
        width, height = cell_size(image)
        if (width, height) == (1, 1) and image.getcolors(1) is not None:
            continue  # a plain picture says nothing
        known = sizes.get(image.size, (0, 0))
        sizes[image.size] = math.gcd(known[0], width), math.gcd(known[1], height)
    made = []
    for image in images:
        width, height = sizes.get(image.size, (1, 1))
        made.append(native(image, (image.width // width, image.height // height)))
    return made


def _averaged(image: Image.Image, columns: int, rows: int) -> Image.Image:
    """Average the light in each cell, weighted by alpha."""
    rgba = np.asarray(image.convert("RGBA"))
    alpha = rgba[..., 3:] / 255
    parts = [*np.moveaxis(light_of(rgba[..., :3]) * alpha, -1, 0), alpha[..., 0]]
    means = np.stack([_shrunk(part, columns, rows) for part in parts], axis=-1)
    light = means[..., :3] / np.maximum(means[..., 3:], 1e-6)
    levels = to_levels(light.clip(0, 1))
    if image.mode == "RGB":
        return Image.fromarray(levels)
    opacity = (means[..., 3:].clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return Image.fromarray(np.concatenate([levels, opacity], axis=-1))


def _shrunk(part: NDArray[np.float64], columns: int, rows: int) -> NDArray[np.float64]:
    whole = Image.fromarray(part.astype(np.float32))
    return np.asarray(whole.resize((columns, rows), Image.Resampling.BOX), dtype=np.float64)


def enlarged(image: Image.Image, times: int) -> Image.Image:
    """Return a picture of `times` x `times` pixels for each, as sharp as it was.

    Raises:
        OutputError: it would be too large.
    """
    width, height = image.width * times, image.height * times
    if not 1 <= times <= MOST_TIMES or width * height > MOST_PIXELS:
        raise OutputError(
            f"{image.width}x{image.height} pixels {times} times are too many: at most "
            f"{MOST_TIMES} times and {MOST_PIXELS / 1e6:g} million pixels are written"
        )
    return _like(np.asarray(image).repeat(times, axis=0).repeat(times, axis=1), image)


def hard_alpha(image: Image.Image) -> Image.Image:
    """Return a picture in which each pixel is opaque or not there: less than half alpha is not.

    An indexed one keeps its palette; of several entries that are not there, the first is used.
    """
    if image.mode == "P":
        return _hard_indexed(image)
    if "A" not in image.getbands():
        return image
    rgba = np.array(image.convert("RGBA"))
    there = rgba[..., 3:] >= 128
    return Image.fromarray(
        np.where(there, rgba | np.array([0, 0, 0, 255], np.uint8), 0).astype("u1")
    )


def in_order_of(image: Image.Image, palette: Sequence[Color]) -> Image.Image:
    """Return a picture indexed in the order of a palette, if it has no colors but the palette's.

    Any other, and one that is indexed already, is returned as it is.
    """
    if image.mode == "P" or not palette:
        return image
    rgba = np.asarray(image.convert("RGBA"))
    clear = rgba[..., 3] < 128
    places = {color: n for n, color in enumerate(palette)}
    found = np.unique(rgba[~clear][:, :3], axis=0)
    if len(palette) + clear.any() > MOST or not all(tuple(c) in places for c in found.tolist()):
        return image
    index = np.zeros(clear.shape, dtype=np.int64)
    for color in found.tolist():
        index[(rgba[..., :3] == color).all(axis=-1)] = places[tuple(color)]
    return compose(index, palette, clear)


def _hard_indexed(image: Image.Image) -> Image.Image:
    alphas = image.info.get("transparency")
    if not isinstance(alphas, bytes):  # none, or a single index
        return image
    hidden = [n for n, alpha in enumerate(alphas) if alpha < 128]
    pixels = np.array(image)
    pixels[np.isin(pixels, hidden)] = hidden[0] if hidden else 0
    made = Image.frombytes("P", image.size, pixels.tobytes())
    made.putpalette(image.getpalette("RGB") or [])
    if hidden:
        made.info["transparency"] = hidden[0]
    return made


def swapped(
    image: Image.Image,
    palette: Sequence[Color],
    *,
    old: Sequence[Color] | None = None,
    matching: Matching | None = None,
) -> Image.Image:
    """Return a picture in the colors of another palette, indexed in its order.

    Args:
        image: of at most 256 colors.
        palette: the new colors.
        old: the palette it has now; None = its own if it is indexed, else its colors.
        matching: which new color an old one becomes: "index", the one in its place; "nearest", the
            one nearest in Oklab; "lightness", the one of its rank from dark to light. None = by
            index where old and new palette are of one length, else nearest.

    Raises:
        SettingsError: the picture has too many colors, or more than the new palette by index.
    """
    index, found, clear = _indexed(image, old)
    if matching is None:
        matching = "index" if len(found) == len(palette) else "nearest"
    if matching == "index":
        most = int(index[~clear].max(initial=0)) + 1
        if most > len(palette):
            raise SettingsError(
                f"the picture uses {most} colors and the new palette has {len(palette)}: give a "
                "longer one, or match colors by nearest or lightness"
            )
        table = np.arange(len(found)).clip(max=len(palette) - 1)
    elif matching == "nearest":
        table = nearest(_lights(found), _lights(palette))
    else:
        table = _by_lightness(found, palette)
    return compose(table[index], palette, clear)


def _by_lightness(old: Sequence[Color], new: Sequence[Color]) -> NDArray[np.int64]:
    dark_to_light = sorted(range(len(new)), key=lambda n: oklab(new[n]))
    ranks = sorted(range(len(old)), key=lambda n: oklab(old[n]))
    table = np.zeros(len(old), dtype=np.int64)
    for rank, n in enumerate(ranks):
        share = rank / max(len(old) - 1, 1)
        table[n] = dark_to_light[round(share * (len(new) - 1))]
    return table


def _indexed(
    image: Image.Image, old: Sequence[Color] | None
) -> tuple[NDArray[np.int64], list[Color], NDArray[np.bool_]]:
    """Return indices, the palette they are into, and where the picture is transparent."""
    rgba = np.asarray(image.convert("RGBA"))
    clear = rgba[..., 3] < 128
    if image.mode == "P" and old is None:
        return np.where(clear, 0, np.asarray(image)), palette_of(image), clear
    if old is None:
        opaque = rgba[~clear][:, :3]
        found = list(dict.fromkeys(map(tuple, np.unique(opaque, axis=0).tolist())))
        if len(found) > MOST:
            raise SettingsError(
                f"the picture has {len(found)} colors, at most {MOST} can be swapped: bring it "
                "onto a palette first"
            )
        old = sorted(found, key=oklab) or [(0, 0, 0)]  # it may be transparent everywhere
    return nearest(light_of(rgba[..., :3]), _lights(old)), list(old), clear


def palette_of(image: Image.Image) -> list[Color]:
    """Return the palette of an indexed picture, in its order, without its transparent entry."""
    levels = image.getpalette("RGB") or []
    colors = [(levels[i], levels[i + 1], levels[i + 2]) for i in range(0, len(levels) - 2, 3)]
    clear = image.info.get("transparency")
    if isinstance(clear, int) and clear == len(colors) - 1:
        return colors[:-1]
    return colors


def _lights(colors: Sequence[Color]) -> NDArray[np.float64]:
    return light_of(np.array(colors, dtype=np.uint8).reshape(-1, 3))


def _like(pixels: NDArray[np.uint8], image: Image.Image) -> Image.Image:
    """Return pixels as a picture of the mode, palette and transparency of another."""
    size = pixels.shape[1], pixels.shape[0]
    made = Image.frombytes(image.mode, size, np.ascontiguousarray(pixels).tobytes())
    if image.mode == "P":
        made.putpalette(image.getpalette("RGB") or [])
    if "transparency" in image.info:
        made.info["transparency"] = image.info["transparency"]
    return made
