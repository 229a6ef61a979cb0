"""`text2art sheet`: pictures that are there, as one sheet with captions."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from text2art.errors import InputFileError
from text2art.media.folder import by_name, is_picture
from text2art.media.load import load_picture
from text2art.media.png import ENDINGS, READABLE, check_picture_target, read_record, save_picture
from text2art.media.sheet import Tile, contact_sheet
from text2art.settings import Settings

MOST = 1000


class Captions(str, Enum):
    """What stands beneath a picture."""

    prompt = "prompt"
    name = "name"
    seed = "seed"
    none = "none"


def sheet(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE|DIR...", help="Pictures, and folders of pictures."),
    ],
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The sheet: .png, .webp or .jpg.")
    ] = Path("sheet.png"),
    columns: Annotated[
        int | None,
        typer.Option("--columns", metavar="N", min=1, max=100, help="Pictures in a row.",
                     show_default="as wide as high"),
    ] = None,
    side: Annotated[
        int,
        typer.Option("--side", metavar="N", min=16, max=2048, help="Longest side of a picture."),
    ] = 192,
    captions: Annotated[
        Captions,
        typer.Option(
            "--captions", help="Beneath each: its prompt (else its name), its name, its seed."
        ),
    ] = Captions.prompt,
) -> None:  # fmt: skip
    """Put pictures on one sheet, with captions."""
    check_picture_target(out)
    paths = pictures_in(files, out)
    tiles = [Tile(small(path, side), caption(path, captions)) for path in paths]
    across = columns or max(1, round(len(tiles) ** 0.5 + 0.49))
    save_picture(contact_sheet(tiles, min(across, len(tiles)), side=side), out)
    print(out, flush=True)


def pictures_in(paths: list[Path], sheet: Path) -> list[Path]:
    """Return the pictures among paths and directly in folders, in the order given, then by name.

    Numbers in names count by their value: `9.png` comes before `10.png`.

    Args:
        paths: files and folders.
        sheet: which is none of them, even if it lies in one of the folders.

    Raises:
        InputFileError: there are none, or too many.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = (p for p in path.iterdir() if is_picture(p, ENDINGS) and p.is_file())
            found += sorted((p for p in inside if p.resolve() != sheet.resolve()), key=by_name)
        else:
            found.append(path)
    if not found:
        raise InputFileError(f"there are no pictures in {', '.join(map(repr, map(str, paths)))}")
    if len(found) > MOST:
        raise InputFileError(f"{len(found)} pictures were given, at most {MOST} are accepted")
    return found


def small(path: Path, side: int) -> Image.Image:
    """Return a picture no larger than it is shown, so that hundreds fit into memory."""
    image = load_picture(str(path))
    if max(image.size) > 2 * side:
        image.thumbnail((2 * side, 2 * side))
    return image


def caption(path: Path, captions: Captions) -> str:
    """Return what stands beneath a picture; its name where it tells no more."""
    if captions is Captions.none:
        return ""
    if captions is Captions.name or path.suffix.lower() not in READABLE:
        return path.stem
    try:
        record = read_record(path)
        settings = Settings.of(**record["settings"])
    except (InputFileError, ValueError):
        return path.stem
    if captions is Captions.seed:
        return str(record.get("seed", path.stem))
    return ", ".join((" | ".join(settings.prompts), *settings.styles)) or path.stem
