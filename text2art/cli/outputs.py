"""What a run leaves behind, and where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from text2art.cli import naming
from text2art.configfile import dump_settings
from text2art.errors import OutputError
from text2art.media import video
from text2art.media.files import check_folder, check_target, write_bytes
from text2art.media.png import check_picture_target, save_picture
from text2art.settings import Settings

if TYPE_CHECKING:
    from text2art.api import Result
    from text2art.media.svg_film import SvgFilm


@dataclass(frozen=True)
class SvgWishes:
    """How an SVG is written (`abilities.SvgStyle`), and where an animated one goes, if wanted."""

    millimeters: float | None = None
    layers: bool = False
    travel: bool = False
    film: Path | None = None


@dataclass(frozen=True)
class Wishes:
    """What the user asked to be left behind.

    Attributes:
        out: the picture, see `naming.picture_path`.
        video: "" = none, "auto" = beside the picture, else a path.
        native: also a picture of one pixel per cell.
        frames: folder for intermediate pictures.
        save_settings: also the settings as YAML, beside the picture.
        metadata: whether files carry their settings.
        svg: how the picture is written when it is an SVG.
        folder: for the picture, when `out` is no more than a name.
    """

    out: Path | None = None
    video: str = ""
    native: bool = False
    frames: Path | None = None
    save_settings: bool = False
    metadata: bool = True
    svg: SvgWishes = SvgWishes()
    folder: Path | None = None

    def with_settings(self, settings: Settings) -> Wishes:
        """Return the wishes with a video when the settings ask for one."""
        return replace(self, video=self.video or ("auto" if settings.make_video else ""))


@dataclass(frozen=True)
class Outputs:
    """The files of one run, every one of them known to be writable."""

    picture: Path
    video: Path | None
    native: Path | None
    frames: Path | None
    settings: Path | None
    record: dict[str, Any] | None
    svg: SvgWishes = SvgWishes()

    def save_frame(self, image: Image.Image, step: int) -> Path | None:
        """Write an intermediate picture, when they are wanted."""
        if self.frames is None:
            return None
        return save_picture(image, self.frames / f"{step:05d}.png", self.record)

    def save_film(self, film: SvgFilm) -> None:
        """Write the making as an animated SVG."""
        assert self.svg.film is not None
        from text2art.abilities import SvgStyle  # torch comes in here; a run has it anyway

        style = SvgStyle(self.record, self.svg.millimeters)
        write_bytes(self.svg.film, film.document(style).encode())

    def save_picture(self, result: Result) -> None:
        """Write the picture, over what was written of it before."""
        if is_svg(self.picture):
            result.save_svg(
                self.picture,
                millimeters=self.svg.millimeters,
                layers=self.svg.layers,
                travel=self.svg.travel,
                metadata=self.record is not None,
            )
        else:
            save_picture(result.image, self.picture, self.record)

    def save(self, result: Result) -> None:
        """Write the result and what goes with it; the picture first."""
        self.save_picture(result)
        if self.native is not None and result.native is not None:
            save_picture(result.native, self.native, self.record)
        if self.settings is not None:
            write_bytes(self.settings, dump_settings(result.settings).encode())


def check(wishes: Wishes, settings: Settings) -> None:
    """Make sure, before models are loaded, that everything can be written.

    Raises:
        OutputError: a file cannot be written.
        MissingExtra: the encoder of the video is not installed.
    """
    picture = naming.picture_path(wishes.out, wishes.folder, settings)
    if is_svg(picture):
        check_target(picture)
        _check_svg(settings)
    else:
        check_picture_target(picture)
    if wishes.svg.film is not None:
        check_target(naming.filled(wishes.svg.film, settings), (".svg",))
        _check_svg(settings, animated=True)
    if wishes.native:
        _check_cells(settings)
    if wishes.frames is not None:
        check_folder(naming.filled(wishes.frames, settings, new=False))
    if wishes.video:
        wanted = f"any.{settings.video_format}" if wishes.video == "auto" else wishes.video
        video.check_encoder(Path(wanted))
        if wishes.video != "auto":
            check_target(naming.filled(Path(wishes.video), settings), video.ENDINGS)


def plan(wishes: Wishes, settings: Settings, record: dict[str, Any]) -> Outputs:
    """Settle the names, now that the seed is known.

    Args:
        wishes: what the user asked for.
        settings: the session's, with the seed drawn.
        record: what goes into the files.
    """
    picture = naming.picture_path(wishes.out, wishes.folder, settings)
    kept = record if wishes.metadata else None
    if is_svg(picture):
        check_target(picture)
    else:
        check_picture_target(picture, kept)
    film: Path | None = None
    if wishes.video:
        beside = picture.with_suffix(f".{settings.video_format}")
        if beside == picture:  # a WebP film of a WebP picture
            beside = picture.with_name(f"{picture.stem}-video{picture.suffix}")
        film = beside
        if wishes.video != "auto":
            film = naming.filled(Path(wishes.video), settings)
        if film.resolve() == picture.resolve():
            raise OutputError(f"picture and video are both {str(film)!r}: give them two names")
    if wishes.native and settings.protect:
        raise OutputError("cells cannot hold the protected part of a picture: leave out --native")
    if wishes.native:
        _refuse_filters(settings, "cells", "leave out --native")
    native = picture.with_name(f"{picture.stem}.native.png") if wishes.native else None
    text = picture.with_suffix(".yaml") if wishes.save_settings else None
    animated = naming.filled(wishes.svg.film, settings) if wishes.svg.film is not None else None
    if animated is not None and animated.resolve() == picture.resolve():
        raise OutputError(f"picture and film are both {str(animated)!r}: give them two names")
    for path in (film, native, text, animated):
        if path is not None:
            check_target(path)
    frames = picture.with_name(f"{picture.stem}-steps") if settings.save_intermediates else None
    if wishes.frames is not None:
        frames = naming.filled(wishes.frames, settings, new=False)
    svg = replace(wishes.svg, film=animated)
    return Outputs(picture, film, native, frames, text, kept, svg)


def is_svg(path: Path) -> bool:
    """Whether a path names an SVG."""
    return path.suffix.lower() == ".svg"


def _check_svg(settings: Settings, *, animated: bool = False) -> None:
    """Make sure that the drawer has shapes to write, and that they are the whole picture."""
    from text2art.documents import reason_against  # torch comes in here; a run needs it anyway

    reason = reason_against(settings, animated=animated)
    if reason is not None:
        raise OutputError(f"{reason}, or write a .png")


def _check_cells(settings: Settings) -> None:
    """Make sure that the drawer is made of cells."""
    from text2art import registry
    from text2art.abilities import CellSource  # torch comes in here; a run needs it anyway

    build = registry.find("drawers", settings.drawer).load()
    if isinstance(build, type) and not issubclass(build, CellSource):
        raise OutputError(
            f"the drawer {settings.drawer!r} has no cells, of which --native makes pixels: use "
            "pixel, or leave out --native and make cells of the picture by text2art export native"
        )


def _refuse_filters(settings: Settings, what: str, advice: str) -> None:
    """Make sure that no filter changes what the drawer makes of cells or shapes."""
    from text2art.parts import changing_names  # torch comes in here; a run needs it anyway

    names = changing_names(settings)
    if names:
        raise OutputError(
            f"{what} cannot hold what the filter {names[0]} makes of a picture: {advice}, or leave "
            "the filter out"
        )
