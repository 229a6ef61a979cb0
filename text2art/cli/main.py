"""The commands of `text2art`. Torch is imported by the commands that draw, never for help."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from text2art import __version__
from text2art.cli import (
    again,
    ancestors,
    doctor,
    draw,
    export,
    grid,
    info,
    keeping,
    palette,
    prompt,
    serve,
    sheet,
    studio,
    styles,
    tile,
    vary,
    vector,
    weights,
)
from text2art.cli.boundary import boundary
from text2art.cli.flags import with_settings
from text2art.environment import share_cores

app = typer.Typer(
    name="text2art",
    help="Words in, a picture that forms before your eyes out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # errors are one line; anything else is a bug: plain traceback
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"text2art {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Words in, a picture that forms before your eyes out."""


app.command("draw")(boundary(with_settings(draw.draw)))
app.command("again")(boundary(with_settings(again.again)))
app.command("resume")(boundary(keeping.resume))
app.command("vary")(boundary(with_settings(vary.vary)))
app.command("grid")(boundary(with_settings(grid.grid)))
app.command("sheet")(boundary(sheet.sheet))
app.command("show")(boundary(again.show))
app.command("tile")(boundary(tile.tile))
app.command("prompt")(boundary(prompt.prompt))
app.command("list")(boundary(info.list_))
app.command("doctor")(boundary(doctor.doctor))
app.command(
    "pixray",
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],  # pixray's own help
    },
)(boundary(ancestors.pixray))
app.command("serve")(boundary(serve.serve))
app.add_typer(export.app, name="export")
app.add_typer(palette.app, name="palette")
app.add_typer(studio.app, name="studio")
app.add_typer(styles.app, name="styles")
app.add_typer(vector.app, name="vector")
app.add_typer(weights.app, name="weights")


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; this is the `text2art` script."""
    share_cores(os.environ)  # before any command imports torch
    given = list(sys.argv[1:] if arguments is None else arguments)
    app(args=draw.spell_video(given), prog_name="text2art")
