"""`text2art export`: pictures as pixel artists, game makers and those who knit need them."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from PIL import Image

from text2art.cli.boundary import boundary
from text2art.cli.palette import read
from text2art.errors import InputFileError, OutputError, SettingsError
from text2art.media import pixelart
from text2art.media.chart import ENDINGS as CHART_ENDINGS
from text2art.media.chart import Chart
from text2art.media.files import check_target, write_bytes
from text2art.media.load import load_frames, load_picture
from text2art.media.png import encode_picture
from text2art.media.quantize import Dither, indexed
from text2art.media.sprites import Form, Sprite, sprite_sheet, tile_set
from text2art.media.yarns import Craft, gauge_of
from text2art.palettes import MOST, Color
from text2art.palettes.reduce import colors_in, reduce_colors
from text2art.sizes import parse_size

app = typer.Typer(
    help="Pixel art, sprites, tiles and charts out of pictures.", no_args_is_help=True
)


Picture = Annotated[str, typer.Argument(metavar="PICTURE", help="A file or an http(s) URL.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="FILE", help="The file to write.", show_default="beside it"
    ),
]
Cells = Annotated[
    str,
    typer.Option(
        "--cells", metavar="CxR", help="Columns x rows.", show_default="those that it shows"
    ),
]
Palette = Annotated[
    str, typer.Option("--palette", metavar="PALETTE", help="Colors to use, as in draw.")
]
Colors = Annotated[
    int | None,
    typer.Option("--colors", min=2, max=MOST, help="Or: bring it down to so many.", metavar="N"),
]
Dithered = Annotated[Dither, typer.Option("--dither", help="Between the palette's colors.")]
Strength = Annotated[float, typer.Option("--strength", min=0, max=1, help="Of the dither.")]


def native(
    picture: Picture,
    *,
    out: Out = None,
    cells: Cells = "",
    palette: Palette = "",
    colors: Colors = None,
    dither: Dithered = "none",
    strength: Strength = 1.0,
) -> None:
    """One pixel per cell, alpha hard, and with a palette truly indexed in its order.

    A picture that has no cells keeps its size: so any picture is dithered onto a palette.
    """
    path = _target(picture, out, "native", (".png",))
    image = load_picture(picture, keep_palette=True)
    print(_save(_onto(_cells(image, cells), palette, colors, dither, strength), path))


def scaled(
    picture: Picture,
    *,
    times: Annotated[
        list[int] | None,
        typer.Option(
            "--times", "-x", min=1, max=pixelart.MOST_TIMES, help="How many; may be repeated.",
            show_default="4, 8 and 16",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="The file, if --times is given once.",
            show_default="NAME@4x.png beside it",
        ),
    ] = None,
    cells: Cells = "",
) -> None:  # fmt: skip
    """Copies enlarged by whole numbers, every pixel a square; indexed ones stay indexed."""
    wanted = sorted(set(times or [4, 8, 16]))
    if out is not None and len(wanted) > 1:
        raise OutputError("--out names one file: give --times once, or leave --out away")
    paths = [_target(picture, out, f"@{n}x", (".png",), mark="") for n in wanted]
    image = pixelart.hard_alpha(_cells(load_picture(picture, keep_palette=True), cells))
    for n, path in zip(wanted, paths, strict=True):
        print(_save(pixelart.enlarged(image, n), path))


def sprites(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE|DIR...", help="Pictures, animations, folders of pictures."),
    ],
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The sheet: .png.")
    ] = Path("sprites.png"),
    form: Annotated[
        Literal["hash", "array", "none"],
        typer.Option("--json", help="Aseprite's JSON beside it."),
    ] = "hash",
    columns: Annotated[
        int | None,
        typer.Option("--columns", min=1, max=4096, help="In a row.", show_default="about a square"),
    ] = None,
    padding: Annotated[int, typer.Option("--padding", min=0, max=64, help="Pixels between.")] = 0,
    milliseconds: Annotated[
        int, typer.Option("--duration", min=1, max=65_535, help="Milliseconds of each.")
    ] = 100,
    tag: Annotated[str, typer.Option("--tag", help="Names all of them as one animation.")] = "",
    as_cells: Annotated[
        bool, typer.Option("--native", help="One pixel per cell of each picture.")
    ] = False,
    cells: Cells = "",
    palette: Palette = "",
    dither: Dithered = "none",
) -> None:
    """One sheet of many pictures, with the JSON that Aseprite writes and game engines read.

    The frames of the making: draw with --frames DIR, then give DIR.
    """
    check_target(out, (".png",))
    named: dict[str, Image.Image] = {}
    for path in _pictures(files):
        images = load_frames(str(path))
        for n, image in enumerate(images):
            named[_free(path.stem if len(images) == 1 else f"{path.stem} {n}", named)] = image
    if cells:
        named = {name: _cells(image, cells) for name, image in named.items()}
    elif as_cells:
        named = dict(zip(named, pixelart.natives(list(named.values())), strict=True))
    found = [
        Sprite(name, _onto(image, palette, None, dither, 1.0), milliseconds)
        for name, image in named.items()
    ]
    shape: Form = "array" if form == "array" else "hash"
    sheet, about = sprite_sheet(
        found, out.name, columns=columns, padding=padding, form=shape, tag=tag[:100]
    )
    print(_save(sheet, out))
    if form != "none":
        print(_save_json(about, out.with_suffix(".json")))


def tiles(
    picture: Picture,
    *,
    tile: Annotated[str, typer.Option("--tile", metavar="WxH", help="Pixels of a tile.")] = "16x16",
    out: Out = None,
    columns: Annotated[
        int | None,
        typer.Option("--columns", min=1, max=4096, help="In a row.", show_default="about a square"),
    ] = None,
    flips: Annotated[
        bool, typer.Option("--flips", help="Keep tiles once that are mirror images.")
    ] = False,
    as_cells: Annotated[bool, typer.Option("--native", help="One pixel per cell first.")] = False,
) -> None:
    """Its tiles, each once, and a map of Tiled's (.tmj) that gives the picture again."""
    path = _target(picture, out, "tiles", (".png",))
    size = parse_size(tile, "tile", smallest=1, largest=4096)
    image = load_picture(picture, keep_palette=True)
    image = pixelart.native(image) if as_cells else image
    sheet, about = tile_set(image, size or (16, 16), path.name, columns=columns, flips=flips)
    print(_save(sheet, path))
    print(_save_json(about, path.with_suffix(".tmj")))


def chart(
    picture: Picture,
    *,
    craft: Annotated[Craft, typer.Option("--craft", help="What it is for.")] = "cross-stitch",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help=".pdf (A4), .svg or .png.",
            show_default="NAME.chart.pdf beside it",
        ),
    ] = None,
    cells: Cells = "",
    palette: Palette = "",
    colors: Colors = None,
    dither: Dithered = "none",
    title: Annotated[str, typer.Option("--title", show_default="the file's name")] = "",
    symbols: Annotated[bool, typer.Option(help="Symbols in the cells.")] = True,
    color: Annotated[bool, typer.Option(help="Colors in the cells.")] = True,
    stitches: Annotated[float, typer.Option(min=1, max=200, help="Knit: over 10 cm.")] = 22,
    rows: Annotated[float, typer.Option(min=1, max=200, help="Knit: rows over 10 cm.")] = 30,
    aida: Annotated[float, typer.Option(min=1, max=60, help="Cross stitches to an inch.")] = 14,
    bead: Annotated[float, typer.Option(min=0.5, max=50, help="Millimeters of a bead.")] = 5,
    board: Annotated[int, typer.Option(min=2, max=200, help="Beads along a pegboard.")] = 29,
) -> None:  # fmt: skip
    """A chart with symbols, a legend and counts, to knit, stitch or bead by."""
    path = _target(picture, out, "chart", CHART_ENDINGS, ending=".pdf")
    image = _cells(load_picture(picture, keep_palette=True), cells)
    gauge = gauge_of(craft, stitches=stitches, rows=rows, aida=aida, bead=bead, board=board)
    made = Chart(
        _onto(image, palette, colors, dither, 1.0),
        craft,
        gauge=gauge,
        title=title or Path(picture).stem[:200],
        symbols=symbols,
        colored=color,
    )
    print(made.save(path))


# ---- what the commands share -------------------------------------------------------------------


def _target(
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


def _cells(image: Image.Image, cells: str) -> Image.Image:
    wanted = parse_size(cells, "cells", smallest=1, largest=4096) if cells else None
    return pixelart.native(image, wanted)


def _onto(
    image: Image.Image, palette: str, colors: int | None, dither: Dither, strength: float
) -> Image.Image:
    """Bring a picture onto a palette, if one is wanted; hard alpha in any case."""
    if palette and colors is not None:
        raise SettingsError("--palette and --colors: give one of them")
    wanted: list[Color] = read(palette) if palette else []
    if colors is not None:
        wanted = reduce_colors(colors_in(image), colors)
    if wanted:
        return indexed(image, wanted, dither=dither, strength=strength)
    if dither != "none":
        raise SettingsError("--dither needs --palette or --colors")
    return pixelart.hard_alpha(image)


def _pictures(files: Sequence[Path]) -> list[Path]:
    """Return the pictures of files and folders, a folder's in the order of their names."""
    found: list[Path] = []
    for path in files:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in _READ)
            if not inside:
                raise InputFileError(f"there is no picture in the folder {str(path)!r}")
            found += inside
        else:
            found.append(path)
    return found


_READ = (".png", ".gif", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


def _free(name: str, taken: Container[str]) -> str:
    number, free = 2, name
    while free in taken:
        free, number = f"{name} ({number})", number + 1
    return free


def _save(image: Image.Image, path: Path) -> Path:
    return write_bytes(path, encode_picture(image, ".png"))


def _save_json(about: dict[str, Any], path: Path) -> Path:
    return write_bytes(path, (json.dumps(about, ensure_ascii=False, indent=1) + "\n").encode())


for _name, _command in (
    ("native", native),
    ("scaled", scaled),
    ("sprites", sprites),
    ("tiles", tiles),
    ("chart", chart),
):
    app.command(_name)(boundary(_command))
