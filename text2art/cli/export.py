"""`text2art export`: pictures as pixel artists, game makers and those who knit need them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from PIL import Image

from text2art.cli.boundary import boundary
from text2art.cli.exporting import (
    drawn_with,
    free_name,
    onto,
    pictures_of,
    save,
    save_json,
    shown_for,
    target_of,
    with_cells,
)
from text2art.errors import OutputError
from text2art.media import pixelart
from text2art.media.chart import ENDINGS as CHART_ENDINGS
from text2art.media.chart import Chart
from text2art.media.files import check_target, write_bytes
from text2art.media.load import load_frames, load_picture
from text2art.media.quantize import Dither
from text2art.media.sprites import Form, Sprite, sprite_sheet, tile_set
from text2art.media.yarns import Craft, gauge_of
from text2art.palettes import MOST
from text2art.palettes.aseprite import encode_aseprite
from text2art.sizes import parse_size

PIXEL_ENDINGS = (".png", ".aseprite")
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

    A picture that has no cells keeps its size: so any picture is dithered onto a palette. One that
    was drawn with a palette is indexed in its order without being told.
    """
    path = target_of(picture, out, "native", PIXEL_ENDINGS)
    image = load_picture(picture, keep_palette=True)
    own = () if palette or colors else drawn_with(picture)
    print(save(onto(with_cells(image, cells), palette, colors, dither, strength, own=own), path))


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
    paths = [target_of(picture, out, f"@{n}x", (".png",), mark="") for n in wanted]
    small = with_cells(load_picture(picture, keep_palette=True), cells)
    image = onto(small, "", None, "none", 1.0, own=drawn_with(picture))
    for n, path in zip(wanted, paths, strict=True):
        print(save(pixelart.enlarged(image, n), path))


def sprites(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE|DIR...", help="Pictures, animations, folders of pictures."),
    ],
    *,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="FILE", help="The sheet: .png; or .aseprite: a sprite of frames."
        ),
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
        int | None,
        typer.Option(
            "--duration", min=1, max=65_535, help="Milliseconds of each.",
            show_default="an animation's own, else 100",
        ),
    ] = None,
    tag: Annotated[str, typer.Option("--tag", help="Names all of them as one animation.")] = "",
    as_cells: Annotated[
        bool, typer.Option("--native", help="One pixel per cell of each picture.")
    ] = False,
    cells: Cells = "",
    palette: Palette = "",
    dither: Dithered = "none",
) -> None:  # fmt: skip
    """One sheet of many pictures, with the JSON that Aseprite writes and game engines read.

    The frames of the making: draw with --frames DIR, then give DIR.
    """
    check_target(out, PIXEL_ENDINGS)
    named: dict[str, Image.Image] = {}
    times: list[int] = []
    paths = pictures_of(files)
    for path in paths:
        images = load_frames(str(path))
        for n, image in enumerate(images):
            named[free_name(path.stem if len(images) == 1 else f"{path.stem} {n}", named)] = image
            times.append(milliseconds or shown_for(image))
    if cells:
        named = {name: with_cells(image, cells) for name, image in named.items()}
    elif as_cells:
        named = dict(zip(named, pixelart.natives(list(named.values())), strict=True))
    own = () if palette else drawn_with(str(paths[0]))
    found = [
        Sprite(name, onto(image, palette, None, dither, 1.0, own=own), time)
        for (name, image), time in zip(named.items(), times, strict=True)
    ]
    if out.suffix.lower() == ".aseprite":
        frames = [sprite.image for sprite in found]
        print(write_bytes(out, encode_aseprite(frames, times, tag=tag[:100])))
        return
    shape: Form = "array" if form == "array" else "hash"
    sheet, about = sprite_sheet(
        found, out.name, columns=columns, padding=padding, form=shape, tag=tag[:100]
    )
    print(save(sheet, out))
    if form != "none":
        print(save_json(about, out.with_suffix(".json")))


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
    path = target_of(picture, out, "tiles", (".png",))
    size = parse_size(tile, "tile", smallest=1, largest=4096)
    image = load_picture(picture, keep_palette=True)
    image = pixelart.native(image) if as_cells else image
    image = pixelart.in_order_of(image, drawn_with(picture))
    sheet, about = tile_set(image, size or (16, 16), path.name, columns=columns, flips=flips)
    print(save(sheet, path))
    print(save_json(about, path.with_suffix(".tmj")))


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
    path = target_of(picture, out, "chart", CHART_ENDINGS, ending=".pdf")
    image = with_cells(load_picture(picture, keep_palette=True), cells)
    own = () if palette or colors else drawn_with(picture)
    gauge = gauge_of(craft, stitches=stitches, rows=rows, aida=aida, bead=bead, board=board)
    made = Chart(
        onto(image, palette, colors, dither, 1.0, own=own),
        craft,
        gauge=gauge,
        title=title or Path(picture).stem[:200],
        symbols=symbols,
        colored=color,
    )
    print(made.save(path))


for _name, _command in (
    ("native", native),
    ("scaled", scaled),
    ("sprites", sprites),
    ("tiles", tiles),
    ("chart", chart),
):
    app.command(_name)(boundary(_command))
