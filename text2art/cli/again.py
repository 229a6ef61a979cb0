"""`text2art again` and `text2art show`: what a file says about how it was drawn."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from text2art.cli import draw
from text2art.cli.boundary import emit
from text2art.cli.startup import importing
from text2art.configfile import dump_settings, read_settings
from text2art.media.png import READABLE, read_record
from text2art.settings import Settings

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="A picture that text2art drew, or a settings file.")
]
Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME=VALUE|PROMPT]...", help="What to change.", show_default=False),
]


def again(
    file: File,
    words: Words = None,
    *,
    out: draw.Out = None,
    outdir: draw.Outdir = None,
    video: draw.Video = "",
    native: draw.Native = False,
    svg_millimeters: draw.SvgMillimeters = None,
    svg_layers: draw.SvgLayers = False,
    svg_travel: draw.SvgTravel = False,
    svg_film: draw.SvgFilm = None,
    frames: draw.Frames = None,
    save_settings: draw.SaveSettings = False,
    no_metadata: draw.NoMetadata = False,
    as_json: draw.Json = False,
    preview: draw.Preview = False,
    quiet: draw.Quiet = False,
    flags: Mapping[str, Any],
) -> None:
    """Draw again what a file holds, with changes if you like.

    On a CPU, with the same versions and models, the same bytes come out.
    """
    record = read_record(file) if file.suffix.lower() in READABLE else None
    settings = draw.settings_of(words or [], [read_settings(file)], flags, video)
    with importing():
        from text2art.cli.outputs import SvgWishes, Wishes
        from text2art.cli.work import Show, carry_out  # torch comes in here, after cheap checks

    svg = SvgWishes(svg_millimeters, svg_layers, svg_travel, svg_film)
    wishes = Wishes(out, video, native, frames, save_settings, not no_metadata, svg, outdir)
    carry_out(settings, wishes.with_settings(settings), Show(as_json, preview, quiet), record)


def show(
    file: File,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
) -> None:
    """Print the settings in a file, and the command that draws it again."""
    record = read_record(file) if file.suffix.lower() in READABLE else {}
    settings = Settings.of(**read_settings(file))
    if as_json:
        emit({**record, "settings": settings.given()})
        return
    print(dump_settings(settings), end="")
    for name in ("version", "torch", "device"):
        if name in record:
            print(f"# {name}: {record[name]}")
    for perceptor in record.get("perceptors", ()):
        digest = perceptor.get("sha256") or "no weights"
        print(f"# perceptor: {perceptor.get('name')} ({digest})")
    print(f"# draw it again: text2art again {shlex.quote(str(file))}")
