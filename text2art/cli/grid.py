"""`text2art grid`: the same picture under different settings, as one sheet with labels."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from text2art.cli import draw
from text2art.cli.axes import NO_AXIS, Axis, parse_axis
from text2art.cli.naming import filled
from text2art.configfile import read_settings
from text2art.errors import PointedError, SettingsError
from text2art.media.grid import Labels, labelled_grid
from text2art.settings import MAX_SEED, Settings

MOST = 400
STEM = "outputs/grid-{slug}-{seed}.png"

X = Annotated[
    str,
    typer.Option(
        "--x",
        metavar="NAME=A,B,...",
        help="Setting of the columns and its values: seed=1,2,3, scale=1..2..0.5, or "
        "replace=cat,dog for words of the prompt; semicolons separate values that hold commas.",
        show_default=False,
        rich_help_panel="Grid",
    ),
]
Y = Annotated[
    str | None,
    typer.Option(
        "--y",
        metavar="NAME=A,B,...",
        help="The same for the rows.",
        show_default=False,
        rich_help_panel="Grid",
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        "--out",
        "-o",
        metavar="FILE",
        help="The sheet: .png, .webp or .jpg; fields as in draw.",
        rich_help_panel="Files",
    ),
]
CellsFolder = Annotated[
    Path | None,
    typer.Option(
        "--cells",
        metavar="DIR",
        help="Keep every picture here with its settings; what is there already is not drawn again.",
        show_default=False,
        rich_help_panel="Files",
    ),
]
Side = Annotated[
    int,
    typer.Option(
        "--side",
        metavar="N",
        min=16,
        max=2048,
        help="Longest side of a picture on the sheet, in pixels.",
        rich_help_panel="Files",
    ),
]
Most = Annotated[
    int,
    typer.Option(
        "--most",
        metavar="N",
        min=1,
        max=MOST,
        help="Refuse to draw more pictures than this.",
        rich_help_panel="Grid",
    ),
]


def grid(
    words: draw.Words = None,
    *,
    x: X,
    y: Y = None,
    settings_file: draw.SettingsFile = None,
    out: Out = Path(STEM),
    cells_folder: CellsFolder = None,
    side: Side = 256,
    most: Most = 100,
    together: draw.Together = 1,
    no_metadata: draw.NoMetadata = False,
    as_json: draw.Json = False,
    quiet: draw.Quiet = False,
    flags: Mapping[str, Any],
) -> None:
    """Draw some words under different settings, as one sheet with labels.

    All pictures have the same seed, unless the seed is an axis. Ctrl-C writes the sheet as far as
    it got; with --cells the same command goes on from there.
    """
    across, down = parse_axis(x), parse_axis(y) if y is not None else NO_AXIS
    layers = [read_settings(settings_file)] if settings_file is not None else []
    base = seeded(draw.settings_of(words or [], layers, flags))
    orders = orders_of(base, across, down, most)
    target = filled(out, base)
    from text2art.cli.boundary import INTERRUPTED, Interrupt, emit
    from text2art.cli.cells import Cell, Cells  # torch comes in here, after the cheap checks
    from text2art.media.png import check_picture_target, save_picture

    check_picture_target(target)
    cells = Cells(
        [Cell(label, settings) for label, settings in orders],
        keep=cells_folder,
        together=together,
        as_json=as_json,
        quiet=quiet,
    )
    with Interrupt() as interrupt:
        drawn = list(cells.draw(interrupt))
    if not drawn:
        raise typer.Exit(INTERRUPTED)
    images = [cell.image for cell in drawn] + [None] * (len(orders) - len(drawn))
    width = len(across.values)
    rows = [images[i : i + width] for i in range(0, len(images), width)]
    sheet = labelled_grid(rows, labels(base, across, down), side=side)
    record = {name: value for name, value in drawn[0].record.items() if name != "styles"}
    record.update(settings=base.given(), seed=base.seed, grid={"x": across.text, "y": down.text})
    save_picture(sheet, target, None if no_metadata else record)
    if as_json:
        done = {"event": "done", "path": str(target), "seed": base.seed}
        emit({**done, "pictures": len(drawn), "interrupted": interrupt.wished})
    else:
        print(target, flush=True)
    if interrupt.wished:
        raise typer.Exit(INTERRUPTED)


def seeded(settings: Settings) -> Settings:
    """Return settings with a seed, drawn if there is none: all pictures of a sheet share it."""
    return (
        settings
        if settings.seed is not None
        else settings.changed(seed=secrets.randbelow(MAX_SEED))
    )


def orders_of(base: Settings, across: Axis, down: Axis, most: int) -> list[tuple[str, Settings]]:
    """Return the label and the settings of every cell, row by row.

    Raises:
        SettingsError: both axes are one setting, there are too many cells, or one has settings
            that do not go together.
    """
    if across.name == down.name:
        raise SettingsError(f"both axes are {across.name!r}: give all values on one")
    count = len(across.values) * len(down.values)
    if count > most:
        raise SettingsError(
            f"{len(across.values)} x {len(down.values)} = {count} pictures are more than {most}: "
            f"give fewer values{', or --most' if count <= MOST else ''}"
        )
    return [_order(base, ((across, a), (down, d))) for d in down.values for a in across.values]


def _order(base: Settings, places: tuple[tuple[Axis, str], ...]) -> tuple[str, Settings]:
    values: dict[str, Any] = base.given()
    label = ", ".join(f"{axis.name}={value}" for axis, value in places if axis.name)
    # Words are replaced last, in the prompts that the other axis may have set.
    for axis, value in sorted(places, key=lambda place: place[0].name == "replace"):
        if axis.name:
            values = axis.applied(values, value)
    try:
        return label, Settings.of(**values)
    except PointedError as error:
        raise PointedError(f"{label}: {error}", error.source, error.at) from error
    except SettingsError as error:
        raise SettingsError(f"{label}: {error}") from error


def labels(base: Settings, across: Axis, down: Axis) -> Labels:
    """Return what stands beside the grid."""
    varied = (across.name, down.name)
    facts = [] if "prompts" in varied else [" | ".join(base.prompts)]
    facts += [f"styles {', '.join(base.styles)}"] if base.styles and "styles" not in varied else []
    facts += [] if "seed" in varied else [f"seed {base.seed}"]
    return Labels(
        columns=[across.label(value) for value in across.values],
        rows=[down.label(value) for value in down.values] if down.name else (),
        across=across.name,
        down=down.name,
        title=", ".join(facts),
    )
