"""The commands by name: what help says of each, and where it is, so that only one is imported.

Importing them all takes several times as long as printing the help. A command's line of help stands
here as well as in its docstring; a test compares them.
"""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from text2art.cli.boundary import FAILED, say
from text2art.cli.startup import importing
from text2art.errors import Text2ArtError


class Row(NamedTuple):
    """One command, or one group of commands.

    Attributes:
        name: as it is called.
        target: "module:attribute" in this package of the function, or of a group's `Typer`.
        help: the first paragraph of its help, on one line.
        flags: whether it takes a flag for every setting.
        context: settings of its context, as Typer takes them.
    """

    name: str
    target: str
    help: str
    flags: bool = False
    context: dict[str, Any] | None = None


# In the order of help.
ROWS = (
    Row("draw", "draw:draw", "Draw a picture of some words. Prints its path last.", flags=True),
    Row(
        "again",
        "again:again",
        "Draw again what a file holds, with changes if you like.",
        flags=True,
    ),
    Row(
        "resume",
        "keeping:resume",
        "Go on with a drawing that was broken off, as if it had not been.",
    ),
    Row(
        "vary",
        "vary:vary",
        "Draw variations of a picture, each from the picture under noise and with a seed of its "
        "own.",
        flags=True,
    ),
    Row(
        "grid",
        "grid:grid",
        "Draw some words under different settings, as one sheet with labels.",
        flags=True,
    ),
    Row("sheet", "sheet:sheet", "Put pictures on one sheet, with captions."),
    Row("show", "again:show", "Print the settings in a file, and the command that draws it again."),
    Row("tile", "tile:tile", "Print how visible the seams of a tile are."),
    Row(
        "prompt",
        "prompt:prompt",
        "Show how prompts are read: what wildcards become, weights, windows, regions, tokens.",
    ),
    Row("list", "info:list_", "List drawers, perceptors, losses, cutout recipes or all settings."),
    Row(
        "doctor",
        "doctor:doctor",
        "Check this installation; exit code 1 when drawing would fail.",
    ),
    Row(
        "pixray",
        "ancestors:pixray",
        'Draw with pixray\'s flags: -p "a cat" --drawer pixel -i 100 -asp square.',
        context={
            "allow_extra_args": True,
            "ignore_unknown_options": True,
            "help_option_names": [],  # pixray's own help
        },
    ),
    Row(
        "gradio",
        "gradio:gradio",
        "Show a Gradio page on top of a running studio; Ctrl-C ends it, and what is drawn goes on.",
    ),
    Row("serve", "serve:serve", "Serve the HTTP API (Cog's) on this machine; Ctrl-C ends it."),
    Row("export", "export:app", "Pixel art, sprites, tiles and charts out of pictures."),
    Row("palette", "palette:app", "Palettes: show, convert, extract, swap."),
    Row("studio", "studio:app", "Run the studio: page, API, queue and workers."),
    Row("styles", "styles:app", "List styles, and see what they do."),
    Row("vector", "vector:app", "Vector prompts: make them, look into them."),
    Row("weights", "weights:app", "Model weights: list, fetch, verify, add, convert."),
)


class LazyGroup(TyperGroup):
    """The commands of `ROWS`: shown from the table, imported when they are called.

    Help, completion and the search for what a misspelled name may mean ask for `commands`, which
    are no more than name and help. Calling one, or completing its words, goes by `resolve_command`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = {row.name: TyperCommand(name=row.name, help=row.help) for row in ROWS}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command that the first word names, itself and not its row."""
        name, shown, rest = super().resolve_command(ctx, args)
        if shown is None:  # completion goes on without it
            return name, None, rest
        row = next(row for row in ROWS if row.name == shown.name)
        with importing():
            try:
                return name, load(row), rest
            except Text2ArtError as error:  # flags are made of settings, and those of plug-ins
                say(f"Error: {error}")
                raise typer.Exit(FAILED) from error

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the table's order; older versions of Typer sort them."""
        return list(self.commands)


def load(row: Row) -> Any:
    """Import a command and return it as the object that Typer makes of it."""
    module, _, attribute = row.target.partition(":")
    target = getattr(importlib.import_module(f"{__package__}.{module}"), attribute)
    around = typer.Typer(
        callback=lambda: None,  # with it Typer makes a group even of one command
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    if isinstance(target, typer.Typer):
        around.add_typer(target, name=row.name)
    else:
        around.command(row.name, context_settings=row.context)(_whole(target, row))
    group: Any = typer.main.get_command(around)
    return group.commands[row.name]


def _whole(command: Any, row: Row) -> Any:
    """Give a command what commands have in common."""
    from text2art.cli.boundary import boundary

    if row.flags:
        from text2art.cli.flags import with_settings  # the settings take their time to import

        command = with_settings(command)
    return boundary(command)
