"""Palettes: what "#1a1c2c, red" or "PICO-8" mean as colors. Free of torch."""

from __future__ import annotations

import re
from collections.abc import Mapping

from PIL import ImageColor

from text2art.errors import SettingsError, did_you_mean

Color = tuple[int, int, int]
FEWEST, MOST = 2, 256
_HEX = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})\Z", re.IGNORECASE)

# Hexadecimal colors in their owners' order. Only palettes whose values are published by their
# authors (the artists', PICO-8's manual) or fixed by hardware (EGA, CGA, ZX Spectrum; Commodore 64
# in Pepto's measurement of 2001; Game Boy in the greens that screenshots customarily use).
BUILTIN: Mapping[str, str] = {
    "PICO-8": (
        "000000 1d2b53 7e2553 008751 ab5236 5f574f c2c3c7 fff1e8 "
        "ff004d ffa300 ffec27 00e436 29adff 83769c ff77a8 ffccaa"
    ),
    "Sweetie-16": (
        "1a1c2c 5d275d b13e53 ef7d57 ffcd75 a7f070 38b764 257179 "
        "29366f 3b5dc9 41a6f6 73eff7 f4f4f4 94b0c2 566c86 333c57"
    ),
    "DB16": (
        "140c1c 442434 30346d 4e4a4e 854c30 346524 d04648 757161 "
        "597dce d27d2c 8595a1 6daa2c d2aa99 6dc2ca dad45e deeed6"
    ),
    "DB32": (
        "000000 222034 45283c 663931 8f563b df7126 d9a066 eec39a "
        "fbf236 99e550 6abe30 37946e 4b692f 524b24 323c39 3f3f74 "
        "306082 5b6ee1 639bff 5fcde4 cbdbfc ffffff 9badb7 847e87 "
        "696a6a 595652 76428a ac3232 d95763 d77bba 8f974a 8a6f30"
    ),
    "Endesga-32": (
        "be4a2f d77643 ead4aa e4a672 b86f50 733e39 3e2731 a22633 "
        "e43b44 f77622 feae34 fee761 63c74d 3e8948 265c42 193c3e "
        "124e89 0099db 2ce8f5 ffffff c0cbdc 8b9bb4 5a6988 3a4466 "
        "262b44 181425 ff0044 68386c b55088 f6757a e8b796 c28569"
    ),
    "Game Boy": "0f380f 306230 8bac0f 9bbc0f",
    "C64": (
        "000000 ffffff 68372b 70a4b2 6f3d86 588d43 352879 b8c76f "
        "6f4f25 433900 9a6759 444444 6c6c6c 9ad284 6c5eb5 959595"
    ),
    "ZX Spectrum": (
        "000000 0000d7 d70000 d700d7 00d700 00d7d7 d7d700 d7d7d7 "
        "0000ff ff0000 ff00ff 00ff00 00ffff ffff00 ffffff"
    ),
    "EGA": (
        "000000 0000aa 00aa00 00aaaa aa0000 aa00aa aa5500 aaaaaa "
        "555555 5555ff 55ff55 55ffff ff5555 ff55ff ffff55 ffffff"
    ),
    "CGA": "000000 55ffff ff55ff ffffff",
    "1-bit": "000000 ffffff",
}


def parse_palette(text: str) -> list[Color]:
    """Read "#f00, #1a1c2c, gold" or "PICO-8" (or a mixture) into colors.

    Built-in names are read whatever their case, spaces and hyphens. A color given twice counts
    once. "" is no palette.

    Returns:
        2 to 256 distinct 8-bit RGB colors in the order given, or none.

    Raises:
        SettingsError: a part is no color and no palette, or there are too few or too many colors.
    """
    if not text.strip():
        return []
    colors = [color for part in text.split(",") for color in _read(part.strip(), text)]
    distinct = list(dict.fromkeys(colors))
    if not FEWEST <= len(distinct) <= MOST:
        count = "1 color" if len(distinct) == 1 else f"{len(distinct)} different colors"
        raise SettingsError(f"palette {_short(text)} has {count}: give {FEWEST} to {MOST}")
    return distinct


def _read(part: str, text: str) -> list[Color]:
    """Read one comma-separated part: a built-in palette or a single color."""
    if not part:
        raise SettingsError(f"palette {_short(text)} has an empty part: remove the extra comma")
    by_key = {_key(name): colors for name, colors in BUILTIN.items()}
    if _key(part) in by_key:
        return [_from_hex(value) for value in by_key[_key(part)].split()]
    name = part.lower()
    if name in ImageColor.colormap:
        red, green, blue = ImageColor.getrgb(name)[:3]
        return [(red, green, blue)]
    if not _HEX.match(name):
        hint = did_you_mean(part, [*BUILTIN, *ImageColor.colormap])
        raise SettingsError(
            f"palette: {_short(part)} is no color (#rgb, #rrggbb or a CSS name) and no built-in "
            f"palette ({', '.join(BUILTIN)}).{hint}"
        )
    return [_from_hex(name.lstrip("#"))]


def _from_hex(value: str) -> Color:
    digits = "".join(d * 2 for d in value) if len(value) == 3 else value
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def _key(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).lower()


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
