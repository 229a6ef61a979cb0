"""`text2art palette`: palettes shown, turned into files, taken out of pictures, put into them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from text2art.cli.boundary import boundary
from text2art.errors import SettingsError
from text2art.media.files import check_target, write_bytes
from text2art.media.load import load_picture, read_source
from text2art.media.pixelart import swapped
from text2art.media.png import encode_picture
from text2art.palettes import BUILTIN, MOST, Color, parse_palette
from text2art.palettes.colors import nearest_name, to_hex
from text2art.palettes.files import colors_of_file, is_palette_name
from text2art.palettes.reduce import colors_in, reduce_colors
from text2art.palettes.write import WRITTEN, format_palette

app = typer.Typer(help="Palettes: show, convert, extract, swap.", no_args_is_help=True)
Palette = Annotated[
    str,
    typer.Argument(
        metavar="PALETTE",
        help="A name (PICO-8), colors ('#1a1c2c,red', 'black->gold'), or a file (.gpl .hex .pal "
        ".act .ase .aseprite .png .txt .json .csv).",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def read(text: str) -> list[Color]:
    """Return the colors of a palette in words, or of a file that is named as it is.

    Raises:
        SettingsError: it cannot be read, or is empty.
    """
    if is_palette_name(text) and not text.lstrip().startswith("@") and ";" not in text:
        return colors_of_file(read_source(text), text, MOST)
    colors = parse_palette(text, read=read_source)
    if not colors:
        raise SettingsError("the palette is empty: name one, as PICO-8, or a file")
    return colors


def show(
    palette: Annotated[
        str | None,
        typer.Argument(
            metavar="[PALETTE]", help="As for convert; none lists all.", show_default=False
        ),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show the colors of a palette, or all palettes that have a name."""
    names = [palette] if palette is not None else list(BUILTIN)
    found = {name: read(name) for name in names}
    if as_json:
        print(json.dumps({n: [to_hex(c) for c in colors] for n, colors in found.items()}))
        return
    if palette is not None:
        for color in found[palette]:
            _print(Text.assemble(_swatch(color, 4), f"  #{to_hex(color)}  {nearest_name(color)}"))
        return
    width = max(len(name) for name in found)
    for name, colors in found.items():
        strip = Text.assemble(f"{name:<{width}}  {len(colors):3d}  ")
        for color in colors:
            strip.append_text(_swatch(color, 1))
        _print(strip)


def _swatch(color: Color, width: int) -> Text:
    if not sys.stdout.isatty():
        return Text("")
    return Text(" " * width, style=f"on #{to_hex(color)}")


def _print(line: Text) -> None:
    """Print a line, in colors where there are any; never wrapped."""
    Console(soft_wrap=True, highlight=False).print(line)


def convert(
    palette: Palette,
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="The file to write: .gpl .hex .pal .act .ase .aseprite .png .txt .json .csv.",
        ),
    ],
) -> None:
    """Write a palette as a file that pixel-art programs open."""
    check_target(out, WRITTEN)
    print(_written(read(palette), out))


def extract(
    picture: Annotated[
        str, typer.Argument(metavar="PICTURE", help="A picture: a file or an http(s) URL.")
    ],
    *,
    colors: Annotated[
        int, typer.Option("--colors", "-n", min=2, max=MOST, help="Colors wanted, at most.")
    ] = 16,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="A palette file.", show_default="print"),
    ] = None,
    seed: Annotated[str, typer.Option("--seed", help="Of the choice of first colors.")] = "0",
) -> None:
    """Find the few colors that stand for a picture's, by k-means in Oklab, dark to light."""
    if out is not None:
        check_target(out, WRITTEN)
    counts = colors_in(load_picture(picture))
    if not counts:
        raise SettingsError(f"the picture {picture!r} is transparent everywhere: it has no colors")
    found = reduce_colors(counts, colors, seed=seed)
    if out is not None:
        print(_written(found, out))
        return
    for color in found:
        print(f"#{to_hex(color)}")


def swap(
    picture: Annotated[str, typer.Argument(metavar="PICTURE", help="A picture of few colors.")],
    palette: Palette,
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The new picture: .png.")
    ],
    old: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="PALETTE", help="Its palette now.", show_default="its own colors"
        ),
    ] = None,
    match: Annotated[
        Literal["index", "nearest", "lightness"] | None,
        typer.Option(
            "--match",
            help="New colors by their place in the palette, the nearest, or as light in their own.",
            show_default="index if both are of one length, else nearest",
        ),
    ] = None,
) -> None:
    """Put other colors into a picture; it becomes indexed in the new palette's order."""
    check_target(out, (".png",))
    image = load_picture(picture, keep_palette=True)
    before = None if old is None else read(old)
    done = swapped(image, read(palette), old=before, matching=match)
    print(write_bytes(out, encode_picture(done, ".png")))


def _written(colors: Sequence[Color], out: Path) -> Path:
    return write_bytes(out, format_palette(colors, out.suffix, out.stem))


for _name, _command in (("show", show), ("convert", convert), ("extract", extract), ("swap", swap)):
    app.command(_name)(boundary(_command))
