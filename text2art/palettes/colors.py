"""Colors as palettes have them: 8-bit sRGB, their names, and Oklab without torch."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from importlib import resources

from PIL import ImageColor

Color = tuple[int, int, int]
Lab = tuple[float, float, float]

_HEX = re.compile(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})\Z|[0-9a-f]{6}\Z", re.IGNORECASE)
_LEVEL = re.compile(r"[01]?\.[0-9]{1,6}\Z|[01]\Z")

# Linear sRGB to cone responses and their cube roots to Oklab (B. Ottosson, "A perceptual color
# space for image processing", 2020).
TO_LMS = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)

# Names of the survey with these are understood, but not given.
_CRUDE = ("barf", "bile", "booger", "diarrhea", "piss", "poo", "puke", "shit", "snot", "vomit")

# pixray's own.
_PIXRAY: Mapping[str, Color] = {
    "pixel_green": (112, 255, 135),
    "pixel_orange": (255, 204, 51),
    "pixel_blue": (112, 135, 255),
    "pixel_red": (255, 135, 112),
    "pixel_grayscale": (255, 255, 255),
}
# matplotlib's single letters, and the ten colors of its cycle, which are Tableau's.
_LETTERS: Mapping[str, Color] = {
    "b": (0, 0, 255),
    "g": (0, 128, 0),
    "r": (255, 0, 0),
    "c": (0, 191, 191),
    "m": (191, 0, 191),
    "y": (191, 191, 0),
    "k": (0, 0, 0),
    "w": (255, 255, 255),
}
_CYCLE: Mapping[str, str] = {
    "blue": "1f77b4",
    "orange": "ff7f0e",
    "green": "2ca02c",
    "red": "d62728",
    "purple": "9467bd",
    "brown": "8c564b",
    "pink": "e377c2",
    "gray": "7f7f7f",
    "olive": "bcbd22",
    "cyan": "17becf",
}


def color_of(text: str) -> Color | None:
    """Read a color: hexadecimal or by name, whatever its case; None if it is none.

    CSS names come first, as everywhere in text2art, then the survey's (`xkcd:red` and `mat:red`
    insist on one), pixray's own, and matplotlib's letters, cycle (`tab:blue`, `C0`) and grays
    (0.5). Alpha is left out.
    """
    name = " ".join(text.lower().split())
    if name.startswith("xkcd:"):
        return xkcd().get(_survey_key(name[5:]))
    matplotlib = name.startswith("mat:")
    name = name.removeprefix("mat:").strip()
    if _HEX.match(name):
        return from_hex(name.lstrip("#"))
    if name in ImageColor.colormap:
        red, green, blue = ImageColor.getrgb(name)[:3]
        return red, green, blue
    if not matplotlib:
        found = xkcd().get(_survey_key(name)) or _PIXRAY.get(name)
        if found is not None:
            return found
    return _of_matplotlib(name)


def _of_matplotlib(name: str) -> Color | None:
    if name in _LETTERS:
        return _LETTERS[name]
    if name.startswith("tab:"):
        code = _CYCLE.get(name[4:].replace("grey", "gray"))
        return None if code is None else from_hex(code)
    if len(name) <= 4 and name[:1] == "c" and name[1:].isascii() and name[1:].isdecimal():
        return from_hex(list(_CYCLE.values())[int(name[1:]) % len(_CYCLE)])
    if _LEVEL.match(name) and float(name) <= 1:
        level = round(float(name) * 255)
        return level, level, level
    return None


def color_names() -> list[str]:
    """Return the names to suggest when one is not known."""
    return [*ImageColor.colormap, *xkcd(), *_PIXRAY]


@functools.cache
def xkcd() -> Mapping[str, Color]:
    """Return the names of the xkcd color survey (2010, in the public domain)."""
    text = resources.files("text2art.palettes").joinpath("xkcd.txt").read_text("utf-8")
    rows = (line.split(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: from_hex(code) for code, name in rows}


def _survey_key(name: str) -> str:
    return name.strip().replace("gray", "grey")


@functools.lru_cache(maxsize=4096)
def nearest_name(color: Color) -> str:
    """Return the survey's name for the color nearest in Oklab, as legends give it."""
    lab = oklab(color)
    return min(_survey_labs(), key=lambda name: math.dist(lab, _survey_labs()[name]))


@functools.cache
def _survey_labs() -> Mapping[str, Lab]:
    return {
        name: oklab(color)
        for name, color in xkcd().items()
        if not any(word in name for word in _CRUDE)
    }


def from_hex(digits: str) -> Color:
    """Read rgb, rgba, rrggbb or rrggbbaa, without its #."""
    pairs = [d * 2 for d in digits] if len(digits) < 6 else [digits[i : i + 2] for i in (0, 2, 4)]
    return int(pairs[0], 16), int(pairs[1], 16), int(pairs[2], 16)


def to_hex(color: Color) -> str:
    """Write a color as rrggbb."""
    return "{:02x}{:02x}{:02x}".format(*color)


def linear(level: float) -> float:
    """Take an 8-bit sRGB level to linear light in [0, 1]."""
    share = level / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def oklab(color: Color) -> Lab:
    """Take a color to Oklab; `text2art.color.oklab` is the same in torch."""
    light = [_LINEAR[level] for level in color]
    cones = [_dot(row, light) ** (1 / 3) for row in TO_LMS]
    return _dot(TO_LAB[0], cones), _dot(TO_LAB[1], cones), _dot(TO_LAB[2], cones)


def _dot(row: Sequence[float], values: Sequence[float]) -> float:
    return row[0] * values[0] + row[1] * values[1] + row[2] * values[2]


_LINEAR = tuple(linear(level) for level in range(256))
