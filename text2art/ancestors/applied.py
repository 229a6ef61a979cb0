"""Settings as applied, and the run that they lead to."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from text2art.ancestors.dialect import ROWS, Read
from text2art.errors import OutputError
from text2art.media import names
from text2art.notebook import Screen
from text2art.settings import Settings

if TYPE_CHECKING:
    from text2art.api import Result
    from text2art.core import Frame, Loss
    from text2art.session import Session


class Applied:
    """One run's settings, and its session once that is set up.

    Every old name is an attribute: what was given, else None (`applied.prompts`). Runs share
    nothing: any number may be applied, and drawn, at a time.

    Attributes:
        settings: what is drawn, under today's names.
        notices: what the user should know.
        result: the result of the run, once it is over.
        path: where the result was saved.
    """

    def __init__(self, read: Read, losses: tuple[Loss, ...] = ()) -> None:
        self._read = read
        self._losses = losses
        self._session: Session | None = None
        self._running: Iterator[bool] | None = None
        self.settings: Settings = read.settings
        self.notices = list(read.notices)
        self.result: Result | None = None
        self.path: Path | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in ROWS:
            return self._read.old.get(name)
        return getattr(self.settings, name)

    def __repr__(self) -> str:
        """Show what differs from the defaults."""
        return f"Applied({self.settings.given()})"

    def as_dict(self) -> Mapping[str, Any]:
        """Return what was given, by old name."""
        return dict(self._read.old)

    def set_up(self) -> None:
        """Load the models and get the picture ready; again is a fresh start."""
        from text2art.models import Models
        from text2art.runtime import pick
        from text2art.session import Session

        device = self._read.old.get("cuda_device")
        runtime = pick("cpu" if device == "cpu" else None)
        losses = list(self._losses)
        self._session = Session(self.settings, models=Models(runtime), extra_losses=losses)
        self.settings = self._session.settings
        self.notices = [*self._read.notices, *self._session.notices]
        self._running = None
        self.result = None

    def draw(self, *, until_shown: bool = False) -> bool:
        """Draw to the end, or to the next picture that is shown.

        Returns:
            Whether the run is over.
        """
        if self._running is None:
            if self._session is None or self.result is not None:
                self.set_up()
            assert self._session is not None
            self._running = self._run(self._session)
        for _shown in self._running:
            if until_shown:
                break
        return self.result is not None

    def _run(self, session: Session) -> Iterator[bool]:
        """Draw and write files; yield whenever a picture was shown."""
        from text2art.api import result_of
        from text2art.media.convert import to_pil
        from text2art.media.darkroom import Darkroom
        from text2art.media.pace import pace_of
        from text2art.media.png import record_text, save_picture
        from text2art.media.video import VideoWriter, check_encoder

        s = session.settings
        picture = self._place(session)
        screen = Screen()
        film_path = picture.with_suffix(f".{s.video_format}")
        steps = picture.parent / "steps"
        every = s.save_interval(session.steps)
        with ExitStack() as files:
            film: VideoWriter | None = None
            if s.make_video:
                check_encoder(film_path)
                film = files.enter_context(
                    VideoWriter(
                        film_path,
                        session.film_length,
                        pace=pace_of(s),
                        comment=record_text(session.record()),
                    )
                )
            darkroom = files.enter_context(Darkroom())
            last: Frame | None = None
            for frame in session.frames():
                last = frame
                if film is not None and frame.filmed:
                    darkroom.develop(frame.image, film.add)
                due = bool(every) and frame.step > 0 and frame.step % every == 0
                if due and not frame.final:
                    save_picture(to_pil(frame.image), picture, session.record())
                shown = session.shows(frame) and not frame.final
                if s.save_intermediates and (due if every else shown):
                    save_picture(to_pil(frame.image), steps / f"frame_{frame.step:04d}.png")
                if shown:
                    screen.show(to_pil(frame.image), frame.step, session.steps)
                    yield False
            assert last is not None
            self.result = result_of(session, last, [])
            self.path = self.result.save(picture)
            screen.show(self.result.image, session.steps, session.steps)
        self._running = None
        yield True

    def _place(self, session: Session) -> Path:
        """Return where the result goes.

        Raises:
            OutputError: the name is a path, or cannot be written.
        """
        from text2art.media.png import check_picture_target

        name = self._read.output
        plain = "/" not in name and "\\" not in name
        if name in (".", "..") or not (plain or self._read.folders):
            raise OutputError(
                f"output {name!r} is no plain file name: the folder is said by outdir, as "
                "outdir='outputs/%DATE%_%SEQ%'"
            )
        folder = self._read.outdir
        size = session.settings.canvas_size()
        template = names.parse_template(f"{folder}/{name}" if folder else name)
        path = template.free(names.facts_of(session.settings, size, datetime.datetime.now()))
        path = path if path.suffix else path.with_suffix(".png")
        check_picture_target(path, session.record())
        return path
