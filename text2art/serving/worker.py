"""What the container does: keep the models, and turn a request into picture files.

Cog sends only the path of what is yielded and reads the file later, without a handshake, and never
deletes it. So every picture gets a name of its own, nothing is rewritten or removed while a run
lasts, and the files of a run go when the next one starts: by then all of them were read.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import tempfile
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from text2art import environment, hostmemory, registry, runtime
from text2art.api import result_of
from text2art.core import Frame
from text2art.errors import OutputError, Text2ArtError
from text2art.media.convert import to_pil
from text2art.media.darkroom import Darkroom
from text2art.media.files import check_target, slug
from text2art.media.pace import pace_of
from text2art.media.png import check_picture_target, save_picture
from text2art.media.video import VideoWriter
from text2art.models import Models
from text2art.serving.preload import preload, rehearse
from text2art.serving.request import InputError, settings_of
from text2art.session import Session
from text2art.settings import Settings

MOST_PICTURES = 20  # webhooks, SSE and the answer repeat every picture so far
MOST_FILM_FRAMES = 840  # 14 s at the fastest frame rate
Record = Callable[[str, Any], None]
Say = Callable[[str], None]


class Worker:
    """Models that stay loaded, and one run at a time."""

    def __init__(self, say: Say) -> None:
        """Load the models, those that `TEXT2ART_PRELOAD` names first, and draw tiny pictures.

        On CUDA, a picture of the default settings comes before those, for its graphs.

        The tiny pictures go the whole way, so that everything that is imported or compiled at first
        use is there: a cancel waits for the end of whatever single call it lands in.

        Args:
            say: takes a line for the logs.

        Raises:
            Text2ArtError: the models cannot be loaded.
        """
        hostmemory.keep_freed()
        self._say = say
        self._folder: Path | None = None
        chosen = runtime.pick()
        self._models = Models(chosen)
        say(f"device: {chosen.description}")
        preload(environment.preload(), self._models, say)
        rehearse(self._models, settings_of({"prompts": "a red apple"}))
        for component in registry.BUILTIN["drawers"]:
            tiny = {"drawer": component.name, "size": "32x32", "iterations": 2, "seed": 0}
            for _ in self._pictures(
                {"prompts": "a red apple", "settings": "cuts: 2", **tiny}, _drop
            ):
                pass
        self._forget()

    def draw(self, inputs: Mapping[str, Any], record: Record) -> Generator[Path, None, None]:
        """Draw; yield files of intermediate pictures, the video if wanted, the picture last.

        Close the generator to cancel.

        Args:
            inputs: Cog's inputs by name.
            record: takes the metrics step, loss, score and seed.

        Raises:
            InputError: the caller has to change something; one line.
        """
        try:
            yield from self._pictures(inputs, record)
        except OutputError:
            raise  # not the caller's doing: its own name says so
        except Text2ArtError as error:
            raise InputError(str(error)) from None
        except Exception:
            traceback.print_exc()  # Cog logs no traceback
            raise
        finally:
            hostmemory.give_back_freed()  # it may be long until the next run

    def works(self) -> bool:
        """Return whether the device still computes (a lost CUDA context never comes back)."""
        return bool(torch.ones(2, device=self._models.runtime.device).sum().item() == 2)

    def _forget(self) -> None:
        """Remove the files of the run before."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _pictures(self, inputs: Mapping[str, Any], record: Record) -> Iterator[Path]:
        self._forget()
        settings = settings_of(inputs)
        self._folder = folder = Path(tempfile.mkdtemp(prefix="text2art-"))
        with Session(settings, models=self._models) as session:
            told = len(session.notices)
            for notice in session.notices:
                self._say(notice)
            files = Files(folder, session.settings, session.record())
            files.check()
            yield from self._follow(session, files, record)
            for notice in session.notices[told:]:  # what the run itself had to say
                self._say(notice)

    def _follow(self, session: Session, files: Files, record: Record) -> Iterator[Path]:
        """Draw a session's frames into files."""
        steps = session.steps
        every = interval(session.settings.display_every, steps, MOST_PICTURES)
        report = every or interval(1, steps, MOST_PICTURES)
        film_every = interval(1, session.film_length, MOST_FILM_FRAMES)
        last: Frame | None = None
        seen = 0  # frames that films show
        length = (session.film_length - 1) // film_every + 1
        with files.film(length) as film, Darkroom() as darkroom:
            for frame in session.frames():
                last = frame
                filmed = frame.filmed and seen % film_every == 0
                seen += frame.filmed
                if film is not None and (frame.final or filmed):
                    darkroom.develop(frame.image, film.add)
                if frame.final or frame.is_due(report):
                    self._report(frame, steps, session.settings.seed, record)
                if every and not frame.final and frame.is_due(every):
                    # At once: who follows takes it for the picture of the step reported last.
                    path = files.picture(frame.step)
                    yield save_picture(to_pil(frame.image), path)  # no record: it is not finished
        assert last is not None
        if film is not None:
            yield files.video
        if session.settings.output_format == "svg":
            yield result_of(session, last, []).save(files.result(last.step))
        else:
            yield save_picture(to_pil(last.image), files.result(last.step), files.record)

    def _report(self, frame: Frame, steps: int, seed: int | str | None, record: Record) -> None:
        """Print one line and record the metrics; a number that is none is left out."""
        numbers = {"loss": frame.loss, "score": frame.score}
        finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
        for name, value in {"step": frame.step, "seed": seed, **finite}.items():
            record(name, value)
        words = "".join(f"  {name} {value:.4f}" for name, value in finite.items())
        self._say(f"step {frame.step}/{steps}{words}")


@dataclass(frozen=True)
class Files:
    """The files of one run, each under a name that no other run uses."""

    folder: Path
    settings: Settings
    record: Mapping[str, Any]

    @property
    def video(self) -> Path:
        """Where the video goes."""
        return self.folder / f"{slug(str(self.settings.seed))}.{self.settings.video_format}"

    def picture(self, step: int) -> Path:
        """Return where the picture of a step goes; on the way to an SVG these are PNG."""
        ending = self.settings.output_format
        return self._named(step, "png" if ending == "svg" else ending)

    def result(self, step: int) -> Path:
        """Return where the result goes, drawn in so many steps."""
        return self._named(step, self.settings.output_format)

    def check(self) -> None:
        """Make sure, before the work, that the result can be written and its record fits."""
        if self.settings.output_format == "svg":
            check_target(self.result(0), (".svg",))
        else:
            check_picture_target(self.result(0), self.record)

    def _named(self, step: int, ending: str) -> Path:
        return self.folder / f"{slug(str(self.settings.seed))}_{step:05d}.{ending}"

    def film(self, frames: int) -> contextlib.AbstractContextManager[VideoWriter | None]:
        """Open the video, if one is wanted."""
        if not self.settings.make_video:
            return contextlib.nullcontext()
        return VideoWriter(self.video, frames, pace=pace_of(self.settings))


def interval(wanted: int, steps: int, most: int) -> int:
    """Return the multiple of `wanted` that gives at most `most` reports in `steps`; 0 stays 0."""
    return wanted * math.ceil(steps / (wanted * most)) if wanted else 0


def _drop(name: str, value: Any) -> None:
    """Take a metric and forget it."""
