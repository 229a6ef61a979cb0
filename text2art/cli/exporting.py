"""What the commands of `text2art export` share: pictures in, onto palettes, and out."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from text2art.cli.palette import read
from text2art.errors import InputFileError, SettingsError
from text2art.media import pixelart
from text2art.media.files import check_target, write_bytes
from text2art.media.folder import by_name, is_picture
from text2art.media.png import ENDINGS as PICTURE_ENDINGS
from text2art.media.png import encode_picture, read_record
from text2art.media.quantize import Dither, indexed
from text2art.palettes import Color, files_of, parse_palette
from text2art.palettes.aseprite import encode_aseprite
from text2art.palettes.reduce import colors_in, reduce_colors
from text2art.sizes import parse_size


def target_of(
    picture: str,
    out: Path | None,
    word: str,
    endings: Sequence[str],
    *,
    mark: str = ".",
    ending: str = ".png",
) -> Path:
    """Return where to write, and make sure that it can be: beside the picture unless named."""
    if out is None:
        source = Path(picture.rpartition("/")[2] if "://" in picture else picture)
        out = source.with_name(f"{source.stem or 'picture'}{mark}{word}{ending}")
    check_target(out, endings)
    return out


def with_cells(image: Image.Image, cells: str) -> Image.Image:
    """Return a picture with one pixel per cell: as many as are named, else those that it shows."""
    wanted = parse_size(cells, "cells", smallest=1, largest=4096) if cells else None
    return pixelart.native(image, wanted)


def onto(
    image: Image.Image,
    palette: str,
    colors: int | None,
    dither: Dither,
    strength: float,
    *,
    own: Sequence[Color] = (),
) -> Image.Image:
    """Bring a picture onto a palette, if one is wanted; hard alpha in any case.

    Without one it is indexed in the order of the palette that it was drawn with, if it kept to it.
    """
    if palette and colors is not None:
        raise SettingsError("--palette and --colors: give one of them")
    wanted: list[Color] = read(palette) if palette else []
    if colors is not None:
        wanted = reduce_colors(colors_in(image), colors)
    if wanted:
        return indexed(image, wanted, dither=dither, strength=strength)
    if dither != "none":
        raise SettingsError("--dither needs --palette or --colors")
    return pixelart.hard_alpha(pixelart.in_order_of(image, own))


def drawn_with(picture: str) -> list[Color]:
    """Return the palette that the settings in a picture name; none where there is none.

    Files that they name are not opened: the picture may be a stranger's.
    """
    if "://" in picture or Path(picture).suffix.lower() not in PICTURE_ENDINGS:
        return []
    try:
        palette = read_record(Path(picture))["settings"].get("palette")
        return parse_palette(palette) if isinstance(palette, str) and not files_of(palette) else []
    except SettingsError:  # there are no settings in it, or those of another version
        return []


def shown_for(image: Image.Image) -> int:
    """Return for how many milliseconds a frame of an animation is shown, 100 where none says so."""
    stated = image.info.get("duration")
    return min(max(round(stated), 1), 65_535) if isinstance(stated, int | float) and stated else 100


def pictures_of(files: Sequence[Path]) -> list[Path]:
    """Return the pictures of files and folders, a folder's by name: `9.png` before `10.png`."""
    found: list[Path] = []
    for path in files:
        if path.is_dir():
            inside = sorted((p for p in path.iterdir() if is_picture(p)), key=by_name)
            if not inside:
                raise InputFileError(f"there is no picture in the folder {str(path)!r}")
            found += inside
        else:
            found.append(path)
    return found


def free_name(name: str, taken: Container[str]) -> str:
    """Return a name that is not taken yet: the name itself, or with (2), (3), ... behind it."""
    number, free = 2, name
    while free in taken:
        free, number = f"{name} ({number})", number + 1
    return free


def save(image: Image.Image, path: Path) -> Path:
    """Write a picture as .png or .aseprite, by the ending."""
    if path.suffix.lower() == ".aseprite":
        return write_bytes(path, encode_aseprite([image], [100]))
    return write_bytes(path, encode_picture(image, ".png"))


def save_json(about: dict[str, Any], path: Path) -> Path:
    """Write what is to be known of a sheet."""
    return write_bytes(path, (json.dumps(about, ensure_ascii=False, indent=1) + "\n").encode())
