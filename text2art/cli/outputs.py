"""What a run leaves behind, and where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from text2art import registry
from text2art.configfile import dump_settings
from text2art.errors import OutputError
from text2art.media import video
from text2art.media.files import check_folder, check_target, free_path, slug, write_bytes
from text2art.media.png import check_picture_target, save_picture
from text2art.settings import Settings

if TYPE_CHECKING:
    from text2art.api import Result
    from text2art.media.svg_film import SvgFilm

FOLDER = Path("outputs")


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
        out: the picture; None = `outputs/<words>-<seed>.png`, never over another file.
        video: "" = none, "auto" = beside the picture, else a path.
        native: also a picture of one pixel per cell.
        frames: folder for intermediate pictures.
        save_settings: also the settings as YAML, beside the picture.
        metadata: whether files carry their settings.
        svg: how the picture is written when it is an SVG.
    """

    out: Path | None = None
    video: str = ""
    native: bool = False
    frames: Path | None = None
    save_settings: bool = False
    metadata: bool = True
    svg: SvgWishes = SvgWishes()

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

    def save(self, result: Result) -> None:
        """Write the result and what goes with it; the picture first."""
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
    if wishes.out is not None and is_svg(wishes.out):
        check_target(wishes.out)
        _check_svg(settings)
    elif wishes.out is not None:
        check_picture_target(wishes.out)
    else:
        check_folder(FOLDER)
    if wishes.svg.film is not None:
        check_target(wishes.svg.film, (".svg",))
        _check_svg(settings, animated=True)
    if wishes.frames is not None:
        check_folder(wishes.frames)
    if wishes.video:
        wanted = f"any.{settings.video_format}" if wishes.video == "auto" else wishes.video
        video.check_encoder(Path(wanted))
        if wishes.video != "auto":
            check_target(Path(wishes.video), video.ENDINGS)


def plan(wishes: Wishes, settings: Settings, record: dict[str, Any]) -> Outputs:
    """Settle the names, now that the seed is known.

    Args:
        wishes: what the user asked for.
        settings: the session's, with the seed drawn.
        record: what goes into the files.
    """
    picture = wishes.out or _default(settings)
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
        film = beside if wishes.video == "auto" else Path(wishes.video)
        if film.resolve() == picture.resolve():
            raise OutputError(f"picture and video are both {str(film)!r}: give them two names")
    if wishes.native and settings.protect:
        raise OutputError("cells cannot hold the protected part of a picture: leave out --native")
    native = picture.with_name(f"{picture.stem}.native.png") if wishes.native else None
    text = picture.with_suffix(".yaml") if wishes.save_settings else None
    animated = wishes.svg.film
    if animated is not None and animated.resolve() == picture.resolve():
        raise OutputError(f"picture and film are both {str(animated)!r}: give them two names")
    for path in (film, native, text, animated):
        if path is not None:
            check_target(path)
    return Outputs(picture, film, native, wishes.frames, text, kept, wishes.svg)


def is_svg(path: Path) -> bool:
    """Whether a path names an SVG."""
    return path.suffix.lower() == ".svg"


def _check_svg(settings: Settings, *, animated: bool = False) -> None:
    """Make sure that the drawer has shapes to write, and that they are the whole picture."""
    from text2art.abilities import SvgSource  # torch comes in here; a run needs it anyway
    from text2art.media.svg import DrawingSource

    ability = DrawingSource if animated else SvgSource

    def has_shapes(name: str) -> bool:
        build = registry.find("drawers", name).load()
        return not isinstance(build, type) or issubclass(build, ability)

    if not has_shapes(settings.drawer):
        able = ", ".join(name for name in registry.components("drawers") if has_shapes(name))
        raise OutputError(
            f"the drawer {settings.drawer!r} makes no shapes to write as SVG: use one of {able}, "
            "or write a .png"
        )
    if settings.protect:
        raise OutputError("an SVG cannot hold the protected part of a picture: write a .png")


def _default(settings: Settings) -> Path:
    stem = f"{slug(' '.join(settings.prompts))}-{slug(str(settings.seed))}"
    return free_path(FOLDER, stem, f".{settings.output_format}")
