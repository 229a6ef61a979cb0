"""Picture sizes: what "800x200", "widescreen" or "16:9" mean in pixels.

Base sizes are pixray's, or clipit's where its presets are named, multiplied by the scale of the
quality preset or an explicit scale.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from text2art.errors import SettingsError

SMALLEST, LARGEST = 16, 8192
MOST_PIXELS = 16_777_216
BASE_SIZES: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "pixray": {"square": (144, 144), "portrait": (128, 160), "widescreen": (192, 108)},
    "clipit": {"square": (150, 150), "portrait": (128, 160), "widescreen": (160, 90)},
}
_PAIR = re.compile(r"\s*(\d{1,6})\s*[xX,* ]\s*(\d{1,6})\s*\Z")
_RATIO = re.compile(r"\s*(\d{1,5}(?:\.\d{1,4})?)\s*:\s*(\d{1,5}(?:\.\d{1,4})?)\s*\Z")


def parse_size(
    value: object, name: str = "size", *, smallest: int = SMALLEST, largest: int = LARGEST
) -> tuple[int, int] | None:
    """Read a width x height pair from "800x200", "800,200", "256" or a pair of integers.

    Raises:
        SettingsError: not a size, or a side outside [smallest, largest], or too many pixels.
    """
    if value is None or value == "":
        return None
    pair: list[int]
    if isinstance(value, str) and (match := _PAIR.match(value)):
        pair = [int(match[1]), int(match[2])]
    elif isinstance(value, str) and value.strip().isdecimal() and len(value.strip()) <= 6:
        pair = [int(value)] * 2
    elif isinstance(value, int) and not isinstance(value, bool):
        pair = [value, value]
    elif isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_integer, value)):
        pair = [int(v) for v in value]
    else:
        raise SettingsError(f"{name} {value!r} is not a size: write WIDTHxHEIGHT, as 800x200")
    width, height = pair
    if not (smallest <= width <= largest and smallest <= height <= largest):
        raise SettingsError(
            f"{name} {width}x{height} is out of range: each side must be {smallest} to {largest}"
        )
    if width * height > MOST_PIXELS:
        raise SettingsError(
            f"{name} {width}x{height} has {width * height} pixels, "
            f"at most {MOST_PIXELS} are accepted"
        )
    return width, height


def _is_integer(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def parse_aspect(value: str) -> str | float:
    """Return a named aspect, "retain", or the width/height ratio of "16:9".

    Raises:
        SettingsError: neither, or a ratio beyond 1:8 to 8:1.
    """
    named = value.strip().lower()
    if named in BASE_SIZES["pixray"] or named == "retain":
        return named
    match = _RATIO.match(value)
    if match is None or float(match[2]) == 0:
        raise SettingsError(
            f"aspect {value!r} is not known: use square, portrait, widescreen, retain (as the init "
            "image) or W:H, as 16:9"
        )
    ratio = float(match[1]) / float(match[2])
    if not 1 / 8 <= ratio <= 8:
        raise SettingsError(f"aspect {value!r} is too narrow: between 1:8 and 8:1 is accepted")
    return ratio


def size_of(
    aspect: str, scale: float, init_size: tuple[int, int] | None = None, base: str = "pixray"
) -> tuple[int, int]:
    """Return (width, height) in pixels of an aspect at a scale.

    A ratio keeps the square's area. "retain" keeps pixray's rule: the square's width, and the
    height that follows from the init image.

    Args:
        aspect: "square", "portrait", "widescreen", "retain" or "W:H".
        scale: multiple of the base size.
        init_size: width and height of the init image, for "retain".
        base: whose sizes at scale 1: "pixray" or "clipit".

    Raises:
        SettingsError: no such aspect, no init image to retain, or a size that is out of range.
    """
    kind, named = parse_aspect(aspect), BASE_SIZES[base]
    side = named["square"][0]
    if kind == "retain":
        if init_size is None:
            raise SettingsError("aspect 'retain' needs an init_image to take the aspect from")
        width, height = float(side), side * init_size[1] / init_size[0]
    elif isinstance(kind, str):
        width, height = named[kind]
    else:
        width, height = side * math.sqrt(kind), side / math.sqrt(kind)
    pair = (round(width * scale), round(height * scale))
    size = parse_size(pair, f"aspect {aspect} at scale {scale:g}: size")
    assert size is not None
    return size
