"""`draw`, `draw_each`: pictures in one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from text2art.abilities import CellSource, SvgSource, SvgStyle
from text2art.core import Frame, Loss
from text2art.errors import OutputError, SettingsError
from text2art.media.convert import to_pil
from text2art.media.darkroom import Darkroom
from text2art.media.exports import PixelExports
from text2art.media.files import check_target, write_bytes
from text2art.media.pace import pace_of
from text2art.media.png import record_text, save_picture
from text2art.media.video import VideoWriter
from text2art.models import Models
from text2art.runtime import pick
from text2art.session import Session
from text2art.settings import Settings
from text2art.together import MOST, draw_together, sessions_of


@dataclass(frozen=True)
class Result(PixelExports):
    """A finished picture and how it came to be.

    Attributes:
        image: the picture.
        native: one pixel per cell, for drawers made of cells; else None.
        frames: the intermediate pictures, every `display_every` steps, the result last.
        settings: the settings as resolved; drawing with them again gives the same picture on CPU.
        score: mean cosine between the picture's looks and its prompts.
        seconds: time spent drawing.
        record: what is written into saved files.
        notices: what the user should know.
        shapes: what the picture is made of, for drawers made of shapes; else None.
    """

    image: Image.Image
    native: Image.Image | None
    frames: Sequence[Image.Image]
    settings: Settings
    score: float
    seconds: float
    record: dict[str, Any]
    notices: Sequence[str] = field(default_factory=list)
    shapes: SvgSource | None = field(default=None, repr=False)

    @property
    def svg(self) -> str | None:
        """The picture as an SVG document with its record inside; None if it has no shapes."""
        return None if self.shapes is None else self.shapes.svg(SvgStyle(record=self.record))

    def save(self, path: str | Path) -> Path:
        """Write the picture with its record inside; PNG, WebP, JPEG or SVG by the name's ending.

        Raises:
            OutputError: it cannot be written, or is to be an SVG and has no shapes.
        """
        if Path(path).suffix.lower() == ".svg":
            return self.save_svg(path)
        return save_picture(self.image, Path(path), self.record)

    def save_svg(
        self,
        path: str | Path,
        *,
        millimeters: float | None = None,
        layers: bool = False,
        travel: bool = False,
        metadata: bool = True,
    ) -> Path:
        """Write the picture as SVG.

        Args:
            path: ends in .svg.
            millimeters: width of the page; None = one pixel to a unit.
            layers: one Inkscape layer per color.
            travel: order the shapes so that a pen travels little.
            metadata: whether the record is written into it.

        Raises:
            OutputError: it cannot be written, or has no shapes.
        """
        target = Path(path)
        check_target(target, (".svg",))
        if self.shapes is None:
            raise OutputError(
                f"cannot write {str(target)!r}: the picture is not made of shapes (or part of it "
                "is protected, or filters change it): write a .png"
            )
        style = SvgStyle(self.record if metadata else None, millimeters, layers, travel)
        return write_bytes(target, self.shapes.svg(style).encode())

    def save_video(
        self,
        path: str | Path,
        *,
        seconds: float | None = None,
        fps: float | None = None,
        hold: float | None = None,
        ping_pong: bool | None = None,
    ) -> Path:
        """Write a film of `frames`: MP4, GIF or WebP by the name's ending.

        Draw with `display_every=1` for a film of every step. What is not given here is as the
        settings have it (`video_seconds`, `video_fps`, `video_hold`, `video_ping_pong`).

        Args:
            path: ends in .mp4, .gif or .webp.
            seconds: length of the film, the hold and the way back included.
            fps: pictures per second, in place of a length.
            hold: seconds that the result stays.
            ping_pong: whether the film goes back to its beginning.

        Raises:
            SettingsError: a number is out of range, or both a length and a rate are given.
            OutputError: it cannot be written.
        """
        given: dict[str, float | None] = {
            "video_seconds": seconds,
            "video_fps": fps,
            "video_hold": hold,
            "video_ping_pong": ping_pong,
        }
        changes: dict[str, Any] = {n: value for n, value in given.items() if value is not None}
        if seconds is not None or fps is not None:  # one takes the other's place
            changes = {"video_seconds": None, "video_fps": None, **changes}
        pace = pace_of(self.settings.changed(**changes))
        note = record_text(self.record)
        with VideoWriter(Path(path), len(self.frames), pace=pace, comment=note) as film:
            for frame in self.frames:
                film.add(frame)
        return Path(path)

    def _repr_png_(self) -> bytes:
        """Show the picture in a notebook."""
        return self.image._repr_png_() or b""


def draw(
    prompts: str | Sequence[str],
    *,
    models: Models | None = None,
    extra_losses: Sequence[Loss] = (),
    **settings: Any,
) -> Result:
    """Draw a picture.

    Args:
        prompts: what to draw, as `"a red apple | photo:-0.3"` or a list of such.
        models: loaded models to use again; by default they are loaded for this call.
        extra_losses: losses of your own (`core.Loss`), beside those of the setting `losses`.
        settings: any setting by name: `drawer="pixel"`, `seed=1`, `pixel={"cells": "48x48"}`.
            Files are written by the result's `save` and `save_video`, whatever `output_format` and
            `make_video` say.

    Raises:
        Text2ArtError: with one readable line about what to change.
    """
    wanted = Settings.of(prompts=prompts, **settings)
    with Session(wanted, models=models, extra_losses=extra_losses) as session:
        kept: list[Image.Image] = []
        last: Frame | None = None
        with Darkroom() as darkroom:
            for frame in session.frames():
                if session.shows(frame) and not frame.tryout:
                    darkroom.develop(frame.image, kept.append)
                last = frame
        assert last is not None
        return result_of(session, last, kept)


def draw_each(
    orders: Sequence[Settings], *, together: int = 4, models: Models | None = None
) -> Iterator[Result]:
    """Draw several pictures, some of them at a time: quicker than one after the other.

    Args:
        orders: the settings of each, as `[Settings.of(prompts="a cat", seed=n) for n in range(8)]`.
        together: how many are drawn at a time, 1 to 16; the last bits depend on it.
        models: loaded models to use again; by default they are loaded for this call.

    Yields:
        the results, in order.

    Raises:
        Text2ArtError: with one readable line about what to change.
    """
    if not 1 <= together <= MOST:
        raise SettingsError(f"together: {together} at a time were asked for, give 1 to {MOST}")
    shared = models or Models(pick())
    for first in range(0, len(orders), together):
        with sessions_of(orders[first : first + together], shared) as sessions:
            kept: list[list[Image.Image]] = [[] for _ in sessions]
            last: dict[int, Frame] = {}
            with Darkroom() as darkroom:
                for number, frame in draw_together(sessions):
                    if sessions[number].shows(frame) and not frame.tryout:
                        darkroom.develop(frame.image, kept[number].append)
                    last[number] = frame
            for number, session in enumerate(sessions):
                yield result_of(session, last[number], kept[number])


def result_of(session: Session, last: Frame, frames: Sequence[Image.Image]) -> Result:
    """Gather the result of a session whose last frame is at hand."""
    drawer = session.drawer
    whole = not session.scene.filters  # what they put over it is in neither cells nor shapes
    return Result(
        image=to_pil(last.image),
        native=drawer.cells() if isinstance(drawer, CellSource) and whole else None,
        shapes=drawer if isinstance(drawer, SvgSource) and whole else None,
        frames=frames,
        settings=session.settings,
        score=last.score,
        seconds=session.seconds,
        record=session.record(),
        notices=session.notices,
    )
