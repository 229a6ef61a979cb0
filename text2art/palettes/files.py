"""Palettes from files that may come from anybody: everything is bounded and parsed with distrust.

What a file is, is told from what it holds; its ending decides only where that says nothing (`.act`
is bare bytes). Read are GIMP's .gpl, .hex lists, JASC's and RIFF's .pal, Adobe's .act and .ase,
Paint.NET's .txt, Lospec's JSON and CSV, Aseprite's .aseprite, and pictures.
"""

from __future__ import annotations

import io
import json
import re
import struct
import warnings
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from text2art.errors import InputFileError, PaletteError
from text2art.palettes import swatches
from text2art.palettes.colors import Color, color_of, from_hex
from text2art.palettes.reduce import colors_in, reduce_colors

ENDINGS = (".gpl", ".hex", ".pal", ".act", ".ase", ".aseprite", ".txt", ".json", ".csv")
PICTURES = (".png", ".gif", ".jpg", ".jpeg", ".webp", ".bmp")
MOST_BYTES = 50_000_000  # of a picture
MOST_PIXELS = 64_000_000
_MOST_LIST_BYTES = 4_000_000  # of any other file
_FORMATS = ("PNG", "GIF", "JPEG", "WEBP", "BMP")
_HEX_LINE = re.compile(r"(?:0x)?([0-9a-f]{6}|[0-9a-f]{8})\Z", re.IGNORECASE)
_URL = re.compile(r"[a-z][a-z0-9+.-]{1,20}://", re.IGNORECASE)
_WEB_PAGE = re.compile(r"<(?:!doctype\s+html|html|head)\b", re.IGNORECASE)


class PaletteFileError(InputFileError, PaletteError):
    """A palette file cannot be read, and the line and place in it that are at fault are known."""


class _Fault(ValueError):
    """What is wrong in a line of a file, and where in it."""

    def __init__(self, message: str, line: str, at: int) -> None:
        super().__init__(message)
        self.line, self.at = line, at


def is_palette_name(text: str) -> bool:
    """Whether a text looks like the name of a palette file."""
    return text.lower().endswith((*ENDINGS, *PICTURES))


def read_file(name: str) -> bytes:
    """Return the bytes of a file.

    Raises:
        InputFileError: it is not there, too large, no file, or a URL.
    """
    if _URL.match(name):
        raise InputFileError(f"palette file {name!r} is a URL: save it, and name the file")
    try:
        path = Path(name).expanduser()
        if not path.exists():
            raise InputFileError(f"palette file {name!r} is not there")
        if not path.is_file():
            raise InputFileError(f"palette file {name!r} is not a file")
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:  # the latter two: NUL, no home folder
        if isinstance(error, InputFileError):
            raise
        raise InputFileError(f"palette file {name!r} cannot be read: {error}") from error
    if len(data) > MOST_BYTES:
        raise InputFileError(f"palette file {name!r} is larger than {MOST_BYTES / 1e6:g} MB")
    return data


def colors_of_file(data: bytes, name: str, most: int) -> list[Color]:
    """Return the colors of a palette file or a picture.

    Args:
        data: what the file holds.
        name: of the file, for its ending and for messages.
        most: colors accepted; of a file with more, as many are taken that stand for all.

    Returns:
        distinct colors, in the file's order if all are taken, else from dark to light.

    Raises:
        PaletteFileError: a line of it cannot be read; a caret shows where.
        InputFileError: it cannot be read, or has no colors.
    """
    if not data:
        raise InputFileError(f"palette file {name!r} is empty")
    try:
        counts = _counts(data, name)
    except InputFileError:
        raise
    except _Fault as fault:
        said = f"palette file {name!r} is broken: {fault}"
        raise PaletteFileError(said, fault.line, fault.at) from fault
    except (ValueError, struct.error, IndexError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputFileError(f"palette file {name!r} is broken: {reason}") from error
    if not counts:
        raise InputFileError(f"palette file {name!r} holds no colors")
    return reduce_colors(counts, most)


def _counts(data: bytes, name: str) -> dict[Color, int]:
    if _is_picture(data):
        return _of_picture(data, name)
    if len(data) > _MOST_LIST_BYTES:
        raise InputFileError(f"palette file {name!r} is larger than {_MOST_LIST_BYTES / 1e6:g} MB")
    return dict.fromkeys(_colors(data, name), 1)


def _is_picture(data: bytes) -> bool:
    starts = (b"\x89PNG\r\n\x1a\n", b"GIF8", b"\xff\xd8\xff", b"BM")
    return data.startswith(starts) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def _colors(data: bytes, name: str) -> Sequence[Color]:
    ending = Path(name).suffix.lower()
    if data.startswith(b"ASEF"):
        return swatches.of_ase(data)
    if data[4:6] == b"\xe0\xa5" and len(data) >= 128:
        return swatches.of_aseprite(data)
    if data[:4] == b"RIFF" and data[8:12] == b"PAL ":
        return swatches.of_riff(data)
    if ending == ".act":
        return swatches.of_act(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("latin-1")  # names of colors in older files
        finally:
            if b"\0" in data:
                raise ValueError("it is in no format that is known") from None
    lines = [line.strip() for line in text.splitlines()]
    first = next((line for line in lines if line), "")
    if first.startswith("GIMP Palette"):
        return _of_gpl(lines)
    if first == "JASC-PAL":
        return _of_jasc(lines)
    if first.startswith(("{", "[")):
        return _of_json(text)
    if _WEB_PAGE.match(first):
        raise ValueError(
            "it is a web page; of a palette at Lospec, name its file, as "
            "https://lospec.com/palette-list/sweetie-16.hex"
        )
    return _of_list(lines)


def _of_gpl(lines: Sequence[str]) -> list[Color]:
    colors = []
    for number, line in enumerate(lines[1:], start=2):
        if not line or line.startswith("#") or re.match(r"[A-Za-z]+\s*:", line):
            continue
        colors.append(_levels(line, number))
    return colors


def _of_jasc(lines: Sequence[str]) -> list[Color]:
    body = [(number, line) for number, line in enumerate(lines, start=1) if line][1:]
    if len(body) < 2 or not _is_count(body[1][1]):
        raise ValueError("after JASC-PAL come a version and the number of colors")
    wanted = int(body[1][1])
    colors = [_levels(line, number) for number, line in body[2 : 2 + wanted]]
    if len(colors) < wanted:
        raise ValueError(f"it promises {wanted} colors and has {len(colors)}")
    return colors


def _is_count(text: str) -> bool:
    return len(text) <= 9 and text.isascii() and text.isdecimal()


def _levels(line: str, number: int) -> Color:
    """Read the three numbers that a line begins with; a name may follow."""
    words = list(re.finditer(r"\S+", line[:1000]))[:3]
    wrong = [word.start() for word in words if not (_is_count(word[0]) and int(word[0]) <= 255)]
    if wrong or len(words) < 3:
        said = f"line {number} is not red, green and blue from 0 to 255"
        raise _Fault(said, line, wrong[0] if wrong else len(line))
    red, green, blue = (int(word[0]) for word in words)
    return red, green, blue


def _of_json(text: str) -> list[Color]:
    """Read Lospec's JSON, or a plain list of colors."""
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("its JSON is nested too deep") from None
    except json.JSONDecodeError as error:
        line = text.split("\n")[error.lineno - 1]
        raise _Fault(f"line {error.lineno}: {error.msg}", line, error.colno - 1) from None
    found = found.get("colors") if isinstance(found, dict) else found
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ValueError('its JSON is no list of colors, as {"colors": ["1a1c2c", "f4f4f4"]}')
    return [_named(item, f"color {number}", item, 0) for number, item in enumerate(found, start=1)]


def _of_list(lines: Sequence[str]) -> list[Color]:
    """Read a hexadecimal color on each line, or Lospec's CSV: name, author, colors."""
    colors: list[Color] = []
    for number, line in enumerate(lines, start=1):
        words = line.split(";", 1)[0].strip()  # Paint.NET's comments
        if not words or words.startswith("//"):
            continue
        if "," in words:
            colors += _of_row(words, number)
        else:
            colors.append(_named(words, f"line {number}", line, 0))
    return colors


def _of_row(row: str, number: int) -> list[Color]:
    """Read colors between commas; the first two cells may be a name and an author."""
    cells, at = [], 0
    for cell in row.split(","):
        cells.append((at + len(cell) - len(cell.lstrip()), cell.strip()))
        at += len(cell) + 1
    plain = all(_hex(cell.lstrip("#")) for _, cell in cells[:2])
    found = cells if plain else cells[2:]
    return [_named(cell, f"line {number}", row, at) for at, cell in found if cell]


def _named(text: str, place: str, line: str, at: int) -> Color:
    color = _hex(text)
    if color is None and len(text) <= 100:
        color = color_of(text)
    if color is None:
        raise _Fault(f"{place}: {text[:40]!r} is no color", line, at)
    return color


def _hex(text: str) -> Color | None:
    """Read rrggbb, with 0x or without; of eight digits, Paint.NET's first two are alpha."""
    found = _HEX_LINE.match(text)
    return None if found is None else from_hex(found[1][-6:])


def _of_picture(data: bytes, name: str) -> dict[Color, int]:
    """Count the colors of a picture; an indexed one gives them in its palette's order."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise InputFileError(
                        f"palette file {name!r} has {image.width}x{image.height} pixels, at most "
                        f"{MOST_PIXELS} are accepted"
                    )
                image.load()
                counts = colors_in(image)
                order = _palette_order(image)
    except InputFileError:
        raise
    except Exception as error:  # decoders raise anything on broken files
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputFileError(f"palette file {name!r} is a broken picture: {reason}") from error
    return {color: counts[color] for color in [*order, *counts] if color in counts}


def _palette_order(image: Image.Image) -> list[Color]:
    if image.mode != "P":
        return []
    levels = image.getpalette("RGB") or []
    return [(levels[i], levels[i + 1], levels[i + 2]) for i in range(0, len(levels) - 2, 3)]
