"""The command line `text2art`. A command is imported when it is called: see `commands`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from text2art import __version__
from text2art.cli import startup
from text2art.cli.commands import LazyGroup
from text2art.environment import share_cores
from text2art.hostmemory import keep_freed

app = typer.Typer(
    name="text2art",
    cls=LazyGroup,
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


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; this is the `text2art` script."""
    startup.begin()
    share_cores(os.environ)  # before any command imports torch
    keep_freed()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if "--video" in given and given[:1] != ["pixray"]:  # pixray's takes yes or no
        from text2art.cli.draw import spell_video

        given = spell_video(given)
    app(args=given, prog_name="text2art")
