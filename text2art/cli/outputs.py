"""What a run leaves behind, and where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from text2art.configfile import dump_settings
from text2art.errors import OutputError
from text2art.media import video
from text2art.media.files import check_folder, check_target, free_path, slug, write_bytes
from text2art.media.png import check_picture_target, save_picture
from text2art.settings import Settings

FOLDER = Path("outputs")


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
    """

    out: Path | None = None
    video: str = ""
    native: bool = False
    frames: Path | None = None
    save_settings: bool = False
    metadata: bool = True

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

    def save_frame(self, image: Image.Image, step: int) -> Path | None:
        """Write an intermediate picture, when they are wanted."""
        if self.frames is None:
            return None
        return save_picture(image, self.frames / f"{step:05d}.png", self.record)

    def save(self, image: Image.Image, native: Image.Image | None, settings: Settings) -> None:
        """Write the result and what goes with it; the picture first."""
        save_picture(image, self.picture, self.record)
        if self.native is not None and native is not None:
            save_picture(native, self.native, self.record)
        if self.settings is not None:
            write_bytes(self.settings, dump_settings(settings).encode())


def check(wishes: Wishes, settings: Settings) -> None:
    """Make sure, before models are loaded, that everything can be written.

    Raises:
        OutputError: a file cannot be written.
        MissingExtra: the encoder of the video is not installed.
    """
    if wishes.out is not None:
        check_picture_target(wishes.out)
    else:
        check_folder(FOLDER)
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
    check_picture_target(picture, kept)
    film: Path | None = None
    if wishes.video:
        beside = picture.with_suffix(f".{settings.video_format}")
        if beside == picture:  # a WebP film of a WebP picture
            beside = picture.with_name(f"{picture.stem}-video{picture.suffix}")
        film = beside if wishes.video == "auto" else Path(wishes.video)
        if film.resolve() == picture.resolve():
            raise OutputError(f"picture and video are both {str(film)!r}: give them two names")
    native = picture.with_name(f"{picture.stem}.native.png") if wishes.native else None
    text = picture.with_suffix(".yaml") if wishes.save_settings else None
    for path in (film, native, text):
        if path is not None:
            check_target(path)
    return Outputs(picture, film, native, wishes.frames, text, kept)


def _default(settings: Settings) -> Path:
    stem = f"{slug(' '.join(settings.prompts))}-{slug(str(settings.seed))}"
    return free_path(FOLDER, stem, f".{settings.output_format}")
