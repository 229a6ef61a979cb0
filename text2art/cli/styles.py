"""`text2art styles`: what there is to put behind a prompt, and what it does to a picture."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from text2art.cli import draw
from text2art.cli.boundary import boundary
from text2art.cli.flags import with_settings
from text2art.cli.grid import CellsFolder, Most, Side, seeded
from text2art.cli.naming import filled
from text2art.configfile import parse_override, read_settings
from text2art.errors import SettingsError, WeightsError, did_you_mean
from text2art.settings import Settings
from text2art.styles.catalog import CATEGORIES, Style, styles
from text2art.styles.chosen import parse_styles
from text2art.weights.words import starter_words

MOST = 400
app = typer.Typer(name="styles", help="List styles, and see what they do.", no_args_is_help=False)

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
Columns = Annotated[
    int | None,
    typer.Option(
        "--columns",
        metavar="N",
        min=1,
        max=100,
        help="Pictures in a row.",
        show_default=False,
        rich_help_panel="Files",
    ),
]


@app.callback(invoke_without_command=True)
@boundary
def list_styles(
    context: typer.Context,
    *,
    search: Annotated[
        str, typer.Option("--search", "-s", metavar="WORDS", help="Only those that hold all words.")
    ] = "",
    category: Annotated[
        str, typer.Option("--category", "-c", metavar="NAME", help="Only those of one category.")
    ] = "",
    known: Annotated[
        bool, typer.Option("--known", help="Only those all of whose words the starter knows.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List styles by category; * marks those whose words the starter knows.

    A style is used as --styles pixelart,low-poly, or with a weight as --styles neon:0.5.
    """
    if context.invoked_subcommand is not None:
        return
    words = vocabulary()
    found = [
        style
        for style in styles().values()
        if style.matches(search)
        and (not category or style.category == category_of(category))
        and (not known or style.is_known(words))
    ]
    if as_json:
        print(json.dumps([entry(style, words) for style in found], ensure_ascii=False, indent=2))
        return
    if not found:
        raise SettingsError(f"no style holds {search!r}: 'text2art styles' lists them all")
    for line in lines(found, words):
        print(line)


@app.command("preview")
@boundary
@with_settings
def preview(
    words: draw.Words = None,
    *,
    settings_file: draw.SettingsFile = None,
    out: Out = Path("outputs/styles-{slug}-{seed}.png"),
    columns: Columns = None,
    cells_folder: CellsFolder = None,
    side: Side = 192,
    most: Most = 100,
    together: draw.Together = 1,
    as_json: draw.Json = False,
    quiet: draw.Quiet = False,
    flags: Mapping[str, Any],
) -> None:
    """Draw one subject in several styles, one picture for each, all of one seed.

    --styles names them; without it, those whose words the starter knows. Any other setting is a
    flag, as --drawer pixel. The first picture has no style.
    """
    given = [override for word in words or [] if (override := parse_override(word)) is not None]
    layers = [read_settings(settings_file)] if settings_file is not None else []
    named = [layer.get("styles") for layer in (*layers, *given, flags)]
    plain = {name: value for name, value in flags.items() if name != "styles"}
    rest = [word for word in words or [] if not (parse_override(word) or {}).get("styles")]
    layers = [{k: v for k, v in layer.items() if k != "styles"} for layer in layers]
    base = seeded(draw.settings_of(rest, layers, plain))
    wanted = next((names for names in reversed(named) if names), None)
    chosen = (
        [str(choice) for choice in parse_styles(wanted, most=MOST)]
        if wanted
        else [style.name for style in styles().values() if style.is_known(vocabulary())]
    )
    if len(chosen) >= most:
        raise SettingsError(
            f"{len(chosen)} styles and the plain picture are more than {most} pictures: "
            "name fewer styles, or give --most"
        )
    target = filled(out, base)
    show(base, chosen, target, columns, cells_folder, side, together, as_json, quiet)


def show(
    base: Settings,
    chosen: Sequence[str],
    target: Path,
    columns: int | None,
    cells_folder: Path | None,
    side: int,
    together: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Draw a picture in each style, and put all of them on one sheet."""
    from text2art.cli.boundary import INTERRUPTED, Interrupt, emit
    from text2art.cli.cells import Cell, Cells  # torch comes in here, after the cheap checks
    from text2art.media.png import check_picture_target, save_picture
    from text2art.media.sheet import Tile, contact_sheet

    check_picture_target(target)
    orders = [("no style", base.changed(styles=()))]
    orders += [(name, base.changed(styles=name)) for name in chosen]
    cells = Cells(
        [Cell(*order) for order in orders],
        keep=cells_folder,
        together=together,
        as_json=as_json,
        quiet=quiet,
    )
    with Interrupt() as interrupt:
        drawn = list(cells.draw(interrupt))
    if drawn:
        tiles = [Tile(cell.image, caption(cell.cell.label)) for cell in drawn]
        across = min(columns or max(1, round(len(tiles) ** 0.5 + 0.49)), len(tiles))
        record = {name: value for name, value in drawn[0].record.items() if name != "styles"}
        record["preview"] = list(chosen)
        save_picture(contact_sheet(tiles, across, side=side), target, record)
        if as_json:
            emit({"event": "done", "path": str(target), "seed": base.seed})
        else:
            print(target, flush=True)
    if interrupt.wished:
        raise typer.Exit(INTERRUPTED)


def caption(label: str) -> str:
    """Return what stands beneath a picture: the style, and the words it stands for."""
    choices = parse_styles(label) if label != "no style" else ()
    return "\n".join((label, *(f"({choice.style.words})" for choice in choices)))


def vocabulary() -> frozenset[str]:
    """Return the words the starter knows; none where it is not installed."""
    try:
        return starter_words()
    except WeightsError:
        return frozenset()


def category_of(text: str) -> str:
    """Return the category of a name, or of the beginning of one.

    Raises:
        SettingsError: there is none.
    """
    word = text.strip().lower()
    for key, heading in CATEGORIES.items():
        if word and (key.startswith(word) or heading.lower().startswith(word)):
            return key
    raise SettingsError(
        f"unknown category {text!r}.{did_you_mean(word, CATEGORIES)} "
        f"There are: {', '.join(CATEGORIES)}"
    )


def entry(style: Style, words: Collection[str]) -> dict[str, Any]:
    """Return a style as JSON shows it."""
    return {
        "name": style.name,
        "title": style.title,
        "category": style.category,
        "words": style.words,
        "died": style.died,
        "recommended": dict(style.recommended),
        "starter": style.is_known(words),
    }


def lines(found: Sequence[Style], words: Collection[str]) -> Iterator[str]:
    """Return the list as text, under the headings of the categories."""
    width = max(len(style.name) for style in found)
    for category, heading in CATEGORIES.items():
        group = [style for style in found if style.category == category]
        if not group:
            continue
        yield f"{heading}"
        for style in group:
            mark = "*" if style.is_known(words) else " "
            tip = f"  (goes well with {style.recommendation})" if style.recommended else ""
            yield f" {mark} {style.name:<{width}}  {style.words}{tip}"
