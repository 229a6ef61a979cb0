"""Palettes in binary files: Adobe's .act and .ase, RIFF's .pal, Aseprite's sprites.

Every length that a file states is checked before it is believed; what is wrong raises ValueError.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

from text2art.palettes.colors import Color

_MOST = 65_536  # entries, blocks or chunks of a file
_ACT = 768  # bytes of 256 colors
_COLOR_BLOCK = 0x0001
_NUMBERS = {b"RGB ": 3, b"CMYK": 4, b"LAB ": 3, b"Gray": 1}
_FRAME, _NEW_PALETTE, _OLD_PALETTES = 0xF1FA, 0x2019, (0x0004, 0x0011)
# CIE XYZ under D50 to linear sRGB, adapted to D65 by Bradford's method (ICC.1, annex E).
_FROM_D50 = (
    (3.1338561, -1.6168667, -0.4906146),
    (-0.9787684, 1.9161415, 0.0334540),
    (0.0719453, -0.2289914, 1.4052427),
)
_D50 = (0.9642, 1.0, 0.8249)


class _Bytes:
    """Bytes that are taken from the front; taking more than there are is an error."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        if count < 0 or self._at + count > len(self._data):
            raise ValueError("it ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def numbers(self, shape: str) -> tuple[int, ...]:
        return struct.unpack(shape, self.take(struct.calcsize(shape)))

    def floats(self, count: int) -> tuple[float, ...]:
        values = struct.unpack(f">{count}f", self.take(4 * count))
        if not all(math.isfinite(value) for value in values):
            raise ValueError("a color is no number")
        return values

    def color(self) -> Color:
        red, green, blue = self.take(3)
        return red, green, blue


def of_act(data: bytes) -> list[Color]:
    """Read Adobe's color table: 256 colors, and perhaps how many of them are meant."""
    if len(data) not in (_ACT, _ACT + 4):
        raise ValueError(f"a color table has {_ACT} or {_ACT + 4} bytes, it has {len(data)}")
    rest = _Bytes(data)
    colors = [rest.color() for _ in range(256)]
    if len(data) == _ACT:
        return colors
    count, _ = rest.numbers(">HH")
    return colors[:count] if 0 < count <= 256 else colors


def of_ase(data: bytes) -> list[Color]:
    """Read Adobe's swatch exchange format: named swatches in groups, which are left out."""
    rest = _Bytes(data)
    rest.take(8)
    (blocks,) = rest.numbers(">I")
    if blocks > _MOST:
        raise ValueError(f"it states {blocks} blocks")
    colors: list[Color] = []
    for _ in range(blocks):
        kind, length = rest.numbers(">HI")
        block = _Bytes(rest.take(length))
        if kind == _COLOR_BLOCK:
            (letters,) = block.numbers(">H")
            block.take(2 * letters)
            model = block.take(4)
            if model not in _NUMBERS:
                raise ValueError(f"it has colors of the unknown model {model[:4]!r}")
            colors.append(_swatch(model, block.floats(_NUMBERS[model])))
    return colors


def _swatch(model: bytes, values: tuple[float, ...]) -> Color:
    if model == b"RGB ":
        return _rounded(*values)
    if model == b"Gray":
        return _rounded(values[0], values[0], values[0])
    if model == b"CMYK":  # no profile is given: as if inks were ideal
        black = 1 - values[3]
        return _rounded(*((1 - ink) * black for ink in values[:3]))
    return _from_lab(100 * values[0], values[1], values[2])


def _from_lab(lightness: float, a: float, b: float) -> Color:
    """Take CIE L*a*b* under D50 to sRGB."""
    y = (lightness + 16) / 116
    levels = [
        white * (share**3 if share > 6 / 29 else 3 * (6 / 29) ** 2 * (share - 4 / 29))
        for share, white in zip((y + a / 500, y, y - b / 200), _D50, strict=True)
    ]
    light = [sum(m * v for m, v in zip(row, levels, strict=True)) for row in _FROM_D50]
    return _rounded(
        *(12.92 * v if v <= 0.0031308 else 1.055 * min(v, 2) ** (1 / 2.4) - 0.055 for v in light)
    )


def _rounded(red: float, green: float, blue: float) -> Color:
    r, g, b = (round(255 * min(max(value, 0.0), 1.0)) for value in (red, green, blue))
    return r, g, b


def of_riff(data: bytes) -> list[Color]:
    """Read Microsoft's RIFF palette."""
    rest = _Bytes(data)
    rest.take(12)
    for _ in range(_MOST):
        kind, length = rest.take(4), rest.numbers("<I")[0]
        chunk = _Bytes(rest.take(length))
        if kind == b"data":
            _, count = chunk.numbers("<HH")
            entries = [chunk.take(4) for _ in range(count)]
            return [(entry[0], entry[1], entry[2]) for entry in entries]
        rest.take(length % 2)  # chunks begin at even places
    raise ValueError("it has no colors")


def of_aseprite(data: bytes) -> list[Color]:
    """Read the palette of a sprite's first frame."""
    rest = _Bytes(data)
    rest.take(128)
    frame = _Bytes(rest.take(4)).numbers("<I")[0]
    _, magic, few, _, _, many = _Bytes(data[128:144]).numbers("<IHHHHI")
    if magic != _FRAME or frame < 16:
        raise ValueError("its first frame is missing")
    rest.take(12)
    body = _Bytes(rest.take(frame - 16))
    old: list[Color] = []
    for _ in range(min(many or few, _MOST)):
        size, kind = body.numbers("<IH")
        chunk = _Bytes(body.take(size - 6))
        if kind == _NEW_PALETTE:
            return list(_entries(chunk))
        if kind in _OLD_PALETTES and not old:
            old = list(_packets(chunk, 1 if kind == _OLD_PALETTES[0] else 255 / 63))
    return old


def _entries(chunk: _Bytes) -> Iterator[Color]:
    _, first, last = chunk.numbers("<III")
    chunk.take(8)
    if last - first >= _MOST:
        raise ValueError(f"it states {last - first + 1} colors")
    for _ in range(first, last + 1):
        (flags,) = chunk.numbers("<H")
        yield chunk.color()
        chunk.take(1)
        if flags & 1:
            chunk.take(chunk.numbers("<H")[0])


def _packets(chunk: _Bytes, scale: float) -> Iterator[Color]:
    for _ in range(chunk.numbers("<H")[0]):
        _, count = chunk.take(2)
        for _ in range(count or 256):
            red, green, blue = (min(255, round(level * scale)) for level in chunk.color())
            yield red, green, blue
