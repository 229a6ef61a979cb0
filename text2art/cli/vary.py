"""`text2art vary`: pictures like one that is there."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from text2art.cli import draw
from text2art.cli.naming import picture_path
from text2art.configfile import read_settings
from text2art.errors import InputFileError, OutputError, SettingsError
from text2art.media.load import load_picture
from text2art.media.names import parse_template
from text2art.settings import MAX_SEED, Settings

MOST = 64
SHORTEST = 0.2  # of the run, whatever the strength
File = Annotated[Path, typer.Argument(metavar="FILE", help="The picture to vary.")]
Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME=VALUE|PROMPT]...",
        help="What to change; a picture without settings needs a prompt.",
        show_default=False,
    ),
]
Count = Annotated[
    int, typer.Option("--count", "-n", metavar="N", min=1, max=MOST, help="How many variations.")
]
Strength = Annotated[
    float,
    typer.Option(
        "--strength",
        metavar="X",
        min=0,
        max=1,
        help="How far from the picture they may go: 0 = hardly, 1 = they share its settings alone.",
    ),
]
Sheet = Annotated[
    Path | None,
    typer.Option(
        "--sheet",
        metavar="FILE",
        help="Also the picture and its variations on one sheet.",
        show_default=False,
        rich_help_panel="Files",
    ),
]


def vary(
    file: File,
    words: Words = None,
    *,
    count: Count = 4,
    strength: Strength = 0.5,
    out: draw.Out = None,
    outdir: draw.Outdir = None,
    sheet: Sheet = None,
    together: draw.Together = 1,
    no_metadata: draw.NoMetadata = False,
    as_json: draw.Json = False,
    quiet: draw.Quiet = False,
    flags: Mapping[str, Any],
) -> None:
    """Draw variations of a picture, each from the picture under noise and with a seed of its own.

    Settings are those in the file. The seeds follow the picture's own; --seed sets the first.
    """
    original = load_picture(str(file))
    recorded = settings_in(file)
    base = draw.settings_of(words or [], [recorded], flags)
    if base.output_format == "svg":  # shapes do not start from a picture's noise
        base = base.changed(output_format="png")
    if not base.prompts:
        raise SettingsError(
            f"{str(file)!r} holds no settings of text2art: say what it shows, as "
            f"text2art vary {shlex.quote(str(file))} 'a red apple'"
        )
    if count > 1 and out is not None and not parse_template(str(out)).fields:
        raise OutputError(
            f"--out {str(out)!r} names one file for {count} variations: put {{seed}} or {{n}} in it"
        )
    first = base.seed if base.seed != recorded.get("seed") else None
    orders = [
        variation(base, file, strength, seed) for seed in seeds(first, recorded.get("seed"), count)
    ]
    from text2art.api import Result  # torch comes in here, after the cheap checks
    from text2art.cli.boundary import INTERRUPTED, Interrupt, emit
    from text2art.cli.cells import Cell, Cells
    from text2art.media.png import check_picture_target, save_picture
    from text2art.media.sheet import Tile, contact_sheet

    check_picture_target(picture_path(out, outdir, orders[0]))
    if sheet is not None:
        check_picture_target(sheet)

    def save(result: Result) -> Path:
        path = picture_path(out, outdir, result.settings)  # named now: those before are there
        return save_picture(result.image, path, None if no_metadata else result.record)

    cells = Cells(
        [Cell(f"seed={o.seed}", o) for o in orders],
        together=together,
        as_json=as_json,
        quiet=quiet,
    )
    with Interrupt() as interrupt:
        drawn = list(cells.draw(interrupt, save))
    if sheet is not None and drawn:
        tiles = [Tile(original, file.name), *(Tile(d.image, d.cell.label) for d in drawn)]
        save_picture(contact_sheet(tiles, min(len(tiles), 5), side=192), sheet)
    if as_json:
        done = {"event": "done", "paths": [str(d.path) for d in drawn]}
        emit({**done, **({"sheet": str(sheet)} if sheet is not None and drawn else {})})
    else:
        for one in drawn:
            print(one.path, flush=True)
    if interrupt.wished:
        raise typer.Exit(INTERRUPTED)


def settings_in(file: Path) -> dict[str, Any]:
    """Return the settings in a picture; for one without any, that its aspect is kept."""
    try:
        return read_settings(file)
    except InputFileError:
        return {"aspect": "retain"}


def variation(base: Settings, file: Path, strength: float, seed: int | str) -> Settings:
    """Return the settings of a variation.

    Args:
        base: of the picture.
        file: of the picture.
        strength: share of noise over the picture, and of the steps that are drawn; at 1 nothing is
            left of the picture.
        seed: of the variation.
    """
    if strength >= 1:
        return base.changed(seed=seed)
    return base.changed(
        seed=seed,
        init_image=str(file),
        init_alpha=1 - strength,
        init_noise="pixels" if strength > 0 else "none",
        iterations=max(1, round(base.steps * max(strength, SHORTEST))),
    )


def seeds(first: int | str | None, recorded: int | str | None, count: int) -> list[int | str]:
    """Return as many seeds as there are variations.

    Args:
        first: the seed that was asked for, if one was.
        recorded: that of the picture, whose successors are taken otherwise.
        count: how many.
    """
    if first is None and recorded is None:
        first = secrets.randbelow(MAX_SEED)
    start = recorded if first is None else first
    numbers = range(1, count + 1) if first is None else range(count)
    if isinstance(start, int):
        return [(start + n) % (MAX_SEED + 1) for n in numbers]
    return [f"{start} {n}" if n else str(start) for n in numbers]
