"""Sprite sheets with the JSON that Aseprite writes and engines read; tiles with Tiled's map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image, ImageOps

from text2art import __version__
from text2art.errors import OutputError, SettingsError
from text2art.media.pixelart import MOST_PIXELS

MOST_SPRITES = 4096
Form = Literal["hash", "array"]


@dataclass(frozen=True)
class Sprite:
    """One picture of a sheet.

    Attributes:
        name: what the JSON calls it; names of a sheet differ.
        image: the picture.
        milliseconds: how long it is shown.
    """

    name: str
    image: Image.Image
    milliseconds: int = 100


def sprite_sheet(
    sprites: Sequence[Sprite],
    file_name: str,
    *,
    columns: int | None = None,
    padding: int = 0,
    form: Form = "hash",
    tag: str = "",
) -> tuple[Image.Image, dict[str, Any]]:
    """Lay sprites out in rows of equal places.

    Indexed sprites of one palette give an indexed sheet; any others one with alpha.

    Args:
        sprites: in order, their names all different.
        file_name: of the sheet, for the JSON.
        columns: sprites in a row; None = about a square.
        padding: transparent pixels between places and around them.
        form: of the JSON's frames: "hash" by name, "array" in order.
        tag: names all frames together, as one animation.

    Returns:
        the sheet, and its JSON.

    Raises:
        SettingsError: none, too many, or two of one name.
        OutputError: the sheet would be too large.
    """
    if not 1 <= len(sprites) <= MOST_SPRITES:
        raise SettingsError(f"a sheet holds 1 to {MOST_SPRITES} pictures, given are {len(sprites)}")
    if len({sprite.name for sprite in sprites}) < len(sprites):
        raise SettingsError("two pictures of a sheet have the same name: rename one")
    across = min(columns or math.ceil(math.sqrt(len(sprites))), len(sprites))
    down = math.ceil(len(sprites) / across)
    width = max(sprite.image.width for sprite in sprites)
    height = max(sprite.image.height for sprite in sprites)
    size = across * (width + padding) + padding, down * (height + padding) + padding
    if size[0] * size[1] > MOST_PIXELS:
        raise OutputError(
            f"the sheet would have {size[0]}x{size[1]} pixels, at most {MOST_PIXELS / 1e6:g} "
            "million are written: use fewer or smaller pictures"
        )
    gaps = padding > 0 or len(sprites) < across * down or len({s.image.size for s in sprites}) > 1
    sheet = _empty([sprite.image for sprite in sprites], size, gaps=gaps)
    places = []
    for n, sprite in enumerate(sprites):
        left = padding + n % across * (width + padding)
        top = padding + n // across * (height + padding)
        sheet.paste(
            sprite.image.convert(sheet.mode) if sheet.mode != "P" else sprite.image, (left, top)
        )
        places.append(_frame(sprite, left, top))
    return sheet, _json(sprites, places, sheet, file_name, form, tag)


def _empty(images: Sequence[Image.Image], size: tuple[int, int], *, gaps: bool) -> Image.Image:
    """Return a sheet with nothing on it, indexed if all pictures share a palette."""
    first = images[0]
    palette, clear = first.getpalette("RGB"), first.info.get("transparency")
    shared = all(
        image.mode == "P"
        and image.getpalette("RGB") == palette
        and image.info.get("transparency") == clear
        for image in images
    )
    count = len(palette or []) // 3
    if not shared or not (clear is None or isinstance(clear, int)):
        return Image.new("RGBA", size)
    if gaps and clear is None:
        if count > 255:
            return Image.new("RGBA", size)
        clear, palette = count, [*(palette or []), 0, 0, 0]
    sheet = Image.new("P", size, clear or 0)
    sheet.putpalette(palette or [])
    if clear is not None:
        sheet.info["transparency"] = clear
    return sheet


def _frame(sprite: Sprite, left: int, top: int) -> dict[str, Any]:
    width, height = sprite.image.size
    return {
        "frame": {"x": left, "y": top, "w": width, "h": height},
        "rotated": False,
        "trimmed": False,
        "spriteSourceSize": {"x": 0, "y": 0, "w": width, "h": height},
        "sourceSize": {"w": width, "h": height},
        "duration": sprite.milliseconds,
    }


def _json(
    sprites: Sequence[Sprite],
    places: Sequence[dict[str, Any]],
    sheet: Image.Image,
    file_name: str,
    form: Form,
    tag: str,
) -> dict[str, Any]:
    """Return what Aseprite's `--format json-hash` or `json-array` would say of the sheet."""
    named = list(zip([sprite.name for sprite in sprites], places, strict=True))
    frames: Any = dict(named)
    if form == "array":
        frames = [{"filename": name, **place} for name, place in named]
    tags = [{"name": tag, "from": 0, "to": len(sprites) - 1, "direction": "forward"}]
    return {
        "frames": frames,
        "meta": {
            "app": "text2art",
            "version": __version__,
            "image": file_name,
            "format": "I8" if sheet.mode == "P" else "RGBA8888",
            "size": {"w": sheet.width, "h": sheet.height},
            "scale": "1",
            "frameTags": tags if tag else [],
        },
    }


# ---- tiles -------------------------------------------------------------------------------------

# Tiled's flags of a tile that is shown mirrored (its "Global Tile IDs").
_MIRRORED, _UPSIDE_DOWN = 1 << 31, 1 << 30


def tile_set(
    image: Image.Image,
    tile: tuple[int, int],
    file_name: str,
    *,
    columns: int | None = None,
    flips: bool = False,
) -> tuple[Image.Image, dict[str, Any]]:
    """Cut a picture into tiles, each kept once, and say where each goes.

    Args:
        image: the picture; an indexed one gives an indexed tile set.
        tile: width and height of a tile, which the picture's must be multiples of.
        file_name: of the tile set, for the map.
        columns: tiles in a row; None = about a square.
        flips: also keep tiles once that are mirror images of others.

    Returns:
        the tile set, and a map in Tiled's JSON format that gives the picture again.

    Raises:
        SettingsError: the picture is no whole number of tiles wide or high, or of too many.
    """
    width, height = tile
    if image.width % width or image.height % height:
        raise SettingsError(
            f"the picture's {image.width}x{image.height} pixels are no whole number of tiles of "
            f"{width}x{height}: choose a tile size that divides them"
        )
    across, down = image.width // width, image.height // height
    if across * down > 65_536:
        raise SettingsError(f"{across}x{down} tiles are too many, at most 65536 are cut")
    known: dict[bytes, int] = {}
    kept: list[Image.Image] = []
    places = []
    for n in range(across * down):
        left, top = n % across * width, n // across * height
        piece = image.crop((left, top, left + width, top + height))
        code = known.get(piece.tobytes())
        if code is None:
            kept.append(piece)
            code = len(kept)  # Tiled counts tiles from 1; 0 is none
            for mark, turned in _turned(piece) if flips else [(0, piece)]:
                known.setdefault(turned.tobytes(), code | mark)
        places.append(code)
    sprites = [Sprite(str(n), piece) for n, piece in enumerate(kept[:MOST_SPRITES])]
    if len(kept) > MOST_SPRITES:
        raise SettingsError(f"{len(kept)} different tiles are too many, at most {MOST_SPRITES}")
    sheet, _ = sprite_sheet(sprites, file_name, columns=columns)
    return sheet, _tiled(sheet, file_name, tile, (across, down), places, len(kept))


def _turned(piece: Image.Image) -> list[tuple[int, Image.Image]]:
    mirrored = ImageOps.mirror(piece)
    return [
        (0, piece),
        (_MIRRORED, mirrored),
        (_UPSIDE_DOWN, ImageOps.flip(piece)),
        (_MIRRORED | _UPSIDE_DOWN, ImageOps.flip(mirrored)),
    ]


def _tiled(
    sheet: Image.Image,
    file_name: str,
    tile: tuple[int, int],
    size: tuple[int, int],
    places: Sequence[int],
    count: int,
) -> dict[str, Any]:
    return {
        "type": "map",
        "version": "1.10",
        "tiledversion": "1.10.2",
        "orientation": "orthogonal",
        "renderorder": "right-down",
        "infinite": False,
        "compressionlevel": -1,
        "width": size[0],
        "height": size[1],
        "tilewidth": tile[0],
        "tileheight": tile[1],
        "nextlayerid": 2,
        "nextobjectid": 1,
        "layers": [
            {
                "type": "tilelayer",
                "id": 1,
                "name": "picture",
                "x": 0,
                "y": 0,
                "width": size[0],
                "height": size[1],
                "opacity": 1,
                "visible": True,
                "data": list(places),
            }
        ],
        "tilesets": [
            {
                "firstgid": 1,
                "name": "tiles",
                "image": file_name,
                "imagewidth": sheet.width,
                "imageheight": sheet.height,
                "tilewidth": tile[0],
                "tileheight": tile[1],
                "tilecount": count,
                "columns": sheet.width // tile[0],
                "margin": 0,
                "spacing": 0,
            }
        ],
    }
