"""Sprites as Aseprite's own files: frames, their times, the palette in its order.

Little-endian, by the specification in Aseprite's repository (docs/ase-file-specs.md, version 1.3).
The palette of such a file is read by `swatches.of_aseprite`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from PIL import Image

from text2art.errors import OutputError
from text2art.palettes.colors import Color, nearest_name

MOST_SIDE = 65_535
_HEADER, _FRAME = 0xA5E0, 0xF1FA
_LAYER, _CEL, _PROFILE, _TAGS, _PALETTE = 0x2004, 0x2005, 0x2007, 0x2018, 0x2019
_VISIBLE, _EDITABLE, _LOCKED, _BACKGROUND = 1, 2, 4, 8
_INDEXED, _RGBA = 8, 32  # bits of a pixel
_COMPRESSED, _SRGB = 2, 1
_SLOWEST = 65_535  # milliseconds that a frame can state


def encode_aseprite(
    images: Sequence[Image.Image],
    milliseconds: Sequence[int],
    *,
    tag: str = "",
    named: bool = False,
) -> bytes:
    """Return an .aseprite file of one layer.

    Indexed pictures of one palette and transparency stay indexed, in its order; any others are
    RGBA. What is opaque everywhere lies on a background layer, as there an index that the file has
    to call transparent is a color like the others.

    Args:
        images: the frames; the sprite is as large as the largest, each lies at the upper left.
        milliseconds: how long each frame is shown.
        tag: names all frames together, as one animation.
        named: whether the palette's colors get the names of the xkcd survey.

    Raises:
        OutputError: there are no frames, or more or larger ones than the format can say.
    """
    if not images:
        raise OutputError("an .aseprite file needs a frame or more, given are none")
    size = max(image.width for image in images), max(image.height for image in images)
    if max(size) > MOST_SIDE or len(images) > MOST_SIDE:
        raise OutputError(
            f"an .aseprite file of {len(images)} frames of {size[0]}x{size[1]} pixels cannot be: "
            f"at most {MOST_SIDE} of each"
        )
    palette, clear = _shared(images)
    indexed = bool(palette)
    frames = list(images) if indexed else [image.convert("RGBA") for image in images]
    opaque = all(image.size == size and _is_opaque(image) for image in frames)
    first = [
        _chunk(_PROFILE, struct.pack("<HHI8x", _SRGB, 0, 0)),
        *([_palette(palette, clear, named=named)] if indexed else []),
        _layer(background=opaque),
        *([_tag(tag, len(frames))] if tag else []),
    ]
    body = b""
    for number, (image, time) in enumerate(zip(frames, milliseconds, strict=True)):
        chunks = [*(first if number == 0 else []), _cel(image)]
        body += _frame(chunks, min(max(time, 1), _SLOWEST))
    header = struct.pack(
        "<IHHHHHIHIIB3xHBBhhHH84x",
        *(128 + len(body), _HEADER, len(frames), *size, _INDEXED if indexed else _RGBA),
        *(1, min(milliseconds[0], _SLOWEST), 0, 0),  # 1: layers state their opacity
        *(clear or 0, len(palette), 1, 1, 0, 0, 16, 16),
    )
    return header + body


def _shared(images: Sequence[Image.Image]) -> tuple[list[Color], int | None]:
    """Return the palette and the transparent index that all have; no palette if they differ."""
    levels, clear = images[0].getpalette("RGB"), images[0].info.get("transparency")
    same = all(
        image.mode == "P"
        and image.getpalette("RGB") == levels
        and image.info.get("transparency") == clear
        for image in images
    )
    if not same or not levels or not (clear is None or isinstance(clear, int)):
        return [], None
    found = [(levels[i], levels[i + 1], levels[i + 2]) for i in range(0, len(levels) - 2, 3)]
    if clear is None and len({image.size for image in images}) > 1:  # gaps need an index
        if len(found) > 255:
            return [], None
        return [*found, (0, 0, 0)], len(found)
    return found, clear


def _is_opaque(image: Image.Image) -> bool:
    if image.mode == "P":
        return not isinstance(image.info.get("transparency"), int)
    return image.getchannel("A").getextrema() == (255, 255)


def _chunk(kind: int, data: bytes) -> bytes:
    return struct.pack("<IH", 6 + len(data), kind) + data


def _text(text: str) -> bytes:
    data = text.encode("utf-8")[:MOST_SIDE].decode("utf-8", "ignore").encode()
    return struct.pack("<H", len(data)) + data


def _palette(colors: Sequence[Color], clear: int | None, *, named: bool) -> bytes:
    entries = b""
    for n, color in enumerate(colors):
        alpha = 0 if n == clear else 255
        entries += struct.pack("<HBBBB", int(named), *color, alpha)
        entries += _text(nearest_name(color)) if named else b""
    count = len(colors)
    return _chunk(_PALETTE, struct.pack("<III8x", count, 0, count - 1) + entries)


def _layer(*, background: bool) -> bytes:
    flags = _VISIBLE | _EDITABLE | (_LOCKED | _BACKGROUND if background else 0)
    data = struct.pack("<HHHHHHB3x", flags, 0, 0, 0, 0, 0, 255)
    return _chunk(_LAYER, data + _text("Background" if background else "Layer 1"))


def _tag(name: str, count: int) -> bytes:
    data = struct.pack("<H8xHHBH6x3xx", 1, 0, count - 1, 0, 0)
    return _chunk(_TAGS, data + _text(name))


def _cel(image: Image.Image) -> bytes:
    head = struct.pack("<HhhBHh5x", 0, 0, 0, 255, _COMPRESSED, 0)
    pixels = zlib.compress(image.tobytes(), 9)
    return _chunk(_CEL, head + struct.pack("<HH", *image.size) + pixels)


def _frame(chunks: Sequence[bytes], milliseconds: int) -> bytes:
    body = b"".join(chunks)
    head = struct.pack("<IHHHxxI", 16 + len(body), _FRAME, len(chunks), milliseconds, len(chunks))
    return head + body
