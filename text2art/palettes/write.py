"""Palettes into files that pixel-art programs open."""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Sequence

from PIL import Image

from text2art.errors import OutputError
from text2art.palettes.aseprite import encode_aseprite
from text2art.palettes.colors import Color, nearest_name, to_hex

_ACT_COLORS = 256


def format_palette(colors: Sequence[Color], ending: str, name: str = "palette") -> bytes:
    """Return the bytes of a palette file.

    Args:
        colors: 1 to 256, in the order they are to have.
        ending: one of `WRITTEN`; Aseprite opens .aseprite, .gpl, .pal, .hex, .png and .act.
        name: what the palette is called, for formats that say it.

    Raises:
        OutputError: there is no such format.
    """
    writer = _WRITERS.get(ending.lower())
    if writer is None:
        given = f"ending {ending!r}" if ending else "no ending"
        raise OutputError(f"a palette file cannot have {given}: use {' or '.join(WRITTEN)}")
    return writer(colors, " ".join(name.split()) or "palette")


def _gpl(colors: Sequence[Color], name: str) -> bytes:
    lines = ["GIMP Palette", f"Name: {name}", f"Columns: {min(len(colors), 16)}", "#"]
    lines += [f"{r:3d} {g:3d} {b:3d}\t{nearest_name((r, g, b))}" for r, g, b in colors]
    return ("\n".join(lines) + "\n").encode()


def _hex(colors: Sequence[Color], name: str) -> bytes:
    return "".join(f"{to_hex(color)}\n" for color in colors).encode()


def _jasc(colors: Sequence[Color], name: str) -> bytes:
    rows = [f"{red} {green} {blue}" for red, green, blue in colors]
    return "".join(f"{line}\r\n" for line in ["JASC-PAL", "0100", str(len(colors)), *rows]).encode()


def _act(colors: Sequence[Color], name: str) -> bytes:
    levels = b"".join(bytes(color) for color in colors)
    return levels.ljust(3 * _ACT_COLORS, b"\0") + struct.pack(">HH", len(colors), 0xFFFF)


def _ase(colors: Sequence[Color], name: str) -> bytes:
    blocks = []
    for color in colors:
        label = (nearest_name(color) + "\0").encode("utf-16-be")
        shares = struct.pack(">3f", *(level / 255 for level in color))
        block = struct.pack(">H", len(label) // 2) + label + b"RGB " + shares + struct.pack(">H", 2)
        blocks.append(struct.pack(">HI", 1, len(block)) + block)
    return b"ASEF" + struct.pack(">HHI", 1, 0, len(blocks)) + b"".join(blocks)


def _strip(colors: Sequence[Color], name: str) -> bytes:
    file = io.BytesIO()
    _row(colors).save(file, "PNG")
    return file.getvalue()


def _row(colors: Sequence[Color]) -> Image.Image:
    """Return an indexed picture of one pixel per color."""
    image = Image.frombytes("P", (len(colors), 1), bytes(range(len(colors))))
    image.putpalette([level for color in colors for level in color])
    return image


def _aseprite(colors: Sequence[Color], name: str) -> bytes:
    return encode_aseprite([_row(colors)], [100], named=True)


def _txt(colors: Sequence[Color], name: str) -> bytes:
    """Paint.NET's: alpha comes first."""
    lines = ["; paint.net Palette File", f"; {name}", *(f"FF{to_hex(c).upper()}" for c in colors)]
    return ("\r\n".join(lines) + "\r\n").encode()


def _json(colors: Sequence[Color], name: str) -> bytes:
    found = {"name": name, "author": "", "colors": [to_hex(color) for color in colors]}
    return (json.dumps(found, ensure_ascii=False, indent=2) + "\n").encode()


def _csv(colors: Sequence[Color], name: str) -> bytes:
    return (
        ",".join([re.sub(r"[^\w -]+", " ", name).strip(), "", *map(to_hex, colors)]) + "\n"
    ).encode()


_WRITERS = {
    ".gpl": _gpl,
    ".hex": _hex,
    ".pal": _jasc,
    ".act": _act,
    ".ase": _ase,
    ".aseprite": _aseprite,
    ".png": _strip,
    ".txt": _txt,
    ".json": _json,
    ".csv": _csv,
}
WRITTEN = tuple(_WRITERS)
