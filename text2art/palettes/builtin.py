"""Palettes that have a name, in their owners' order."""

from __future__ import annotations

import re
from collections.abc import Mapping

from text2art.palettes.colors import Color, from_hex

# Only palettes whose values are published by their authors (the artists', PICO-8's manual) or fixed
# by hardware (EGA, CGA, ZX Spectrum). What a picture tube made of a signal was never RGB: the
# Commodore 64 is in Pepto's measurement of 2001, the Game Boy in the greens that screenshots
# customarily use, the NES (its 2C02) in the decoding that most emulators started from, with its
# blacks counted once.
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
    "NES": (
        "7c7c7c 0000fc 0000bc 4428bc 940084 a80020 a81000 881400 "
        "503000 007800 006800 005800 004058 000000 bcbcbc 0078f8 "
        "0058f8 6844fc d800cc e40058 f83800 e45c10 ac7c00 00b800 "
        "00a800 00a844 008888 f8f8f8 3cbcfc 6888fc 9878f8 f878f8 "
        "f85898 f87858 fca044 f8b800 b8f818 58d854 58f898 00e8d8 "
        "787878 fcfcfc a4e4fc b8b8f8 d8b8f8 f8b8f8 f8a4c0 f0d0b0 "
        "fce0a8 f8d878 d8f878 b8f8b8 b8f8d8 00fcfc f8d8f8"
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


def builtin(name: str) -> list[Color] | None:
    """Return a palette by its name, whatever its case, spaces and hyphens; None if it is none."""
    key = _key(name)
    return next((colors_of(known) for known in BUILTIN if _key(known) == key), None)


def colors_of(name: str) -> list[Color]:
    """Return the colors of a palette by its exact name."""
    return [from_hex(value) for value in BUILTIN[name].split()]


def _key(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).lower()
