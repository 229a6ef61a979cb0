"""`text2art draw`: words in, a picture out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from text2art.cli.startup import importing
from text2art.configfile import merge, parse_override, read_settings
from text2art.settings import Settings

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PROMPT...",
        help="What to draw, and settings as name=value, such as pixel.cells=48x48.",
        show_default=False,
    ),
]
SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        metavar="FILE",
        help="Settings from a .yaml or .json file, or from a picture that text2art drew.",
        show_default=False,
        rich_help_panel="Files",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        "--output",
        metavar="FILE",
        help="The picture: .png, .webp, .jpg, or .svg of drawers made of shapes; {date}, {slug}, "
        "{seed}, {n:03}... stand for facts of the run (default: outputs/{slug}-{seed}.png).",
        show_default=False,
        rich_help_panel="Files",
    ),
]
Outdir = Annotated[
    Path | None,
    typer.Option(
        "--outdir",
        metavar="DIR",
        help="Folder for the picture, as outputs/{date}_{n:02}.",
        show_default=False,
        rich_help_panel="Files",
    ),
]
Video = Annotated[
    str,
    typer.Option(
        "--video",
        metavar="[FILE]",
        help="Also a film of the making: .mp4, .gif or .webp (default: beside the picture).",
        rich_help_panel="Files",
        show_default=False,
    ),
]
Native = Annotated[
    bool,
    typer.Option(
        "--native",
        help="Also NAME.native.png with one pixel per cell, for drawers made of cells.",
        rich_help_panel="Files",
    ),
]
SvgMillimeters = Annotated[
    float | None,
    typer.Option(
        "--svg-millimeters",
        metavar="WIDTH",
        min=1,
        max=10_000,
        help="Width of an SVG's page.",
        show_default=False,
        rich_help_panel="Files",
    ),
]
SvgLayers = Annotated[
    bool,
    typer.Option(
        "--svg-layers",
        help="One Inkscape layer per color in an SVG, for the pens of a plotter.",
        rich_help_panel="Files",
    ),
]
SvgTravel = Annotated[
    bool,
    typer.Option(
        "--svg-travel",
        help="Order an SVG's shapes so that a pen travels little; they may overlap otherwise.",
        rich_help_panel="Files",
    ),
]
SvgFilm = Annotated[
    Path | None,
    typer.Option(
        "--svg-film",
        metavar="FILE",
        help="Also the making as an animated SVG, for drawers made of shapes.",
        show_default=False,
        rich_help_panel="Files",
    ),
]
Frames = Annotated[
    Path | None,
    typer.Option(
        "--frames",
        metavar="DIR",
        help="Also every intermediate picture, into this folder.",
        show_default=False,
        rich_help_panel="Files",
    ),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE",
        help="Keep the state of the drawing here, every minute and on Ctrl-C: text2art resume FILE "
        "goes on from it.",
        show_default=False,
        rich_help_panel="Files",
    ),
]
SaveSettings = Annotated[
    bool,
    typer.Option(
        "--save-settings", help="Also the settings as NAME.yaml.", rich_help_panel="Files"
    ),
]
NoMetadata = Annotated[
    bool,
    typer.Option(
        "--no-metadata", help="Leave settings and seed out of the files.", rich_help_panel="Files"
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON object per event on stdout.", rich_help_panel="Display"
    ),
]
Preview = Annotated[
    bool,
    typer.Option(
        "--preview", help="Show the picture in the terminal as it forms.", rich_help_panel="Display"
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print the path alone.", rich_help_panel="Display"),
]
Together = Annotated[  # of the commands that draw several pictures
    int,
    typer.Option(
        "--together",
        metavar="N",
        min=1,
        max=16,
        help="How many pictures are drawn at a time: quicker; another number changes details.",
        rich_help_panel="Display",
    ),
]


def draw(
    words: Words = None,
    *,
    settings_file: SettingsFile = None,
    out: Out = None,
    outdir: Outdir = None,
    video: Video = "",
    native: Native = False,
    svg_millimeters: SvgMillimeters = None,
    svg_layers: SvgLayers = False,
    svg_travel: SvgTravel = False,
    svg_film: SvgFilm = None,
    frames: Frames = None,
    save_settings: SaveSettings = False,
    no_metadata: NoMetadata = False,
    checkpoint: Checkpoint = None,
    as_json: Json = False,
    preview: Preview = False,
    quiet: Quiet = False,
    flags: Mapping[str, Any],
) -> None:
    """Draw a picture of some words. Prints its path last.

    Every setting is a flag; name=value among the prompts does the same.
    What is given here beats the --settings file, which beats the preset.
    Ctrl-C stops early and keeps the picture as far as it got.
    """
    layers = [read_settings(settings_file)] if settings_file is not None else []
    settings = settings_of(words or [], layers, flags, video)
    with importing():
        from text2art.cli.keeping import Keeper
        from text2art.cli.outputs import SvgWishes, Wishes
        from text2art.cli.work import Show, carry_out  # torch comes in here, after cheap checks

    keeper = Keeper(checkpoint)
    svg = SvgWishes(svg_millimeters, svg_layers, svg_travel, svg_film)
    wishes = Wishes(out, video, native, frames, save_settings, not no_metadata, svg, outdir)
    show = Show(as_json, preview, quiet)
    carry_out(settings, wishes.with_settings(settings), show, keeper=keeper)


def settings_of(
    words: Sequence[str],
    layers: Sequence[Mapping[str, Any]],
    flags: Mapping[str, Any],
    video: str = "",
) -> Settings:
    """Gather settings; later sources win: layers, name=value words, flags.

    Args:
        words: prompts and name=value words, in any order.
        layers: settings from files.
        flags: nested values of the flags.
        video: the --video option; it turns the video on and its ending names the format.
    """
    prompts: list[str] = []
    overrides: list[Mapping[str, Any]] = []
    for word in words:
        override = parse_override(word)
        if override is None:
            prompts.append(word)
        else:
            overrides.append(override)
    given = merge(*overrides)
    prompts += [text for layer in (given, flags) if (text := layer.get("prompts"))]
    values = merge(*layers, given, flags, {"prompts": prompts} if prompts else {})
    if video:
        film: dict[str, Any] = {"make_video": True}
        if video != "auto":
            film["video_format"] = Path(video).suffix.lower().lstrip(".")
        values.update(film)
    return Settings.of(**values)


def spell_video(arguments: Sequence[str]) -> list[str]:
    """Give a bare `--video` its value, so that it never swallows a prompt."""
    from text2art.media.video import ENDINGS

    spelled: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            return [*spelled, argument, *rest]
        if argument != "--video":
            spelled.append(argument)
            continue
        following = next(rest, None)
        if following is not None and Path(following).suffix.lower() in ENDINGS:
            spelled.append(f"--video={following}")
        else:
            spelled.append("--video=auto")
            spelled.extend(spell_video([following, *rest]) if following is not None else [])
    return spelled
