"""Jobs, drawn and told of, in the process that draws."""

from __future__ import annotations

import contextlib
import io
import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial
from inspect import GEN_SUSPENDED, getgeneratorstate
from pathlib import Path

from PIL import Image

from text2art.abilities import CellSource
from text2art.api import Result, result_of
from text2art.checkpoint import Checkpoint
from text2art.core import Frame
from text2art.errors import (
    CheckpointError,
    OutOfMemory,
    OutputError,
    SettingsError,
    Text2ArtError,
)
from text2art.loop import Pull
from text2art.media.darkroom import Darkroom
from text2art.media.load import load_picture
from text2art.media.pace import pace_of
from text2art.media.video import VideoWriter
from text2art.models import Models
from text2art.serving.worker import MOST_FILM_FRAMES, interval
from text2art.session import Session
from text2art.settings import Settings
from text2art.studio.model import Json
from text2art.together import in_step

Tell = Callable[[Mapping[str, object]], None]
_PROGRESS = 0.25  # seconds between reports
_SCORES = 200  # points of a curve
_MOST_NOTICES = 20
_DEAREST = 0.1  # of the time may go into checkpoints
_RECENT = 20.0  # seconds that the time per step is measured over


def draw(jobs: Sequence[Json], models: Models, tell: Tell, end: Callable[[int], str]) -> None:
    """Draw a job, or several together; everything about them is told.

    What goes wrong in one is told of that one, and the others go on; what goes wrong in a step of
    all is told of each.

    Args:
        jobs: as `local.LocalRunner` sends them; the working folder is the only one's.
        models: that are loaded.
        tell: takes messages: see `child`.
        end: says how a job is to end, by its number, "" as long as it is not.
    """

    def teller(number: int) -> Tell:
        return lambda said: tell({"job": number, **said})

    courses = [
        _course(job, models, teller(number), partial(end, number), len(jobs))
        for number, job in enumerate(jobs)
    ]
    try:
        for _ in in_step(courses):
            raise AssertionError("drawings yield nothing but pulls")
    except Exception as error:
        for course in courses:
            if getgeneratorstate(course) == GEN_SUSPENDED:
                with contextlib.suppress(StopIteration):
                    course.throw(error)
        if not isinstance(error, Text2ArtError):
            raise


def _course(
    job: Json, models: Models, tell: Tell, end: Callable[[], str], company: int
) -> Generator[Pull]:
    """Draw a job, step by step; yield what is to be pulled."""
    try:
        settings = Settings.of(**job["settings"])
        _require_room(settings, int(job["pixels"]))
        with _open(settings, job, models, tell, company) as session:
            yield from _Drawing(session, job, tell, end).course()
    except OutOfMemory as error:
        tell({"say": "failed", "kind": "memory", "text": str(error)})
    except OutputError as error:  # not the owner's doing: this machine's disk
        tell({"say": "failed", "kind": "machine", "text": str(error)})
    except Text2ArtError as error:
        tell({"say": "failed", "kind": "job", "text": " ".join(str(error).split())})
    except Exception as error:
        told = f"{type(error).__name__}: {error}"[:500]
        tell({"say": "failed", "kind": "bug", "text": told})
        raise


def _require_room(settings: Settings, most: int) -> None:
    """Make sure, now that the init image is there, that the picture is not too large.

    Raises:
        SettingsError: it is.
    """
    if settings.size is None and settings.aspect.lower() == "retain" and settings.init_image:
        width, height = settings.canvas_size(load_picture(settings.init_image).size)
        if width * height > most:
            raise SettingsError(
                f"pixels: {width}x{height} is more than this studio allows, which is {most}: use a "
                "smaller scale, or give a size"
            )


def _open(settings: Settings, job: Json, models: Models, tell: Tell, company: int) -> Session:
    """Open the session where the job is to begin, or to go on."""
    parent, file = job.get("parent"), job.get("checkpoint")
    try:
        if file:
            checkpoint = Checkpoint.load(Path(file))
            if parent is None:
                return Session.resume(checkpoint, models=models)
            return Session(settings, models=models, checkpoint=checkpoint)
    except CheckpointError as error:
        tell({"say": "log", "text": str(error)})
        if parent is None:
            tell({"say": "notice", "text": "begun anew: the checkpoint could not be used here"})
    if parent:  # what it shows is there, at least
        settings = settings.changed(init_image=parent)
    return Session(settings, models=models, company=company)


class _Left(Exception):
    """The drawing ends here and goes on elsewhere, or nowhere."""


class _Drawing:
    """A session that is followed, told of and saved."""

    def __init__(self, session: Session, job: Json, tell: Tell, end: Callable[[], str]) -> None:
        self._session, self._job, self._tell, self._end = session, job, tell, end
        self._steps = session.steps - session.begin
        self._folder = Path(job["folder"])
        now = time.monotonic()
        self._told = self._shown = -math.inf
        self._saved, self._save_cost, self._written = now, 0.0, 0
        self._passed: deque[tuple[float, int]] = deque()
        self._every = interval(1, max(self._steps, 1), _SCORES)
        self._lossless = isinstance(session.drawer, CellSource)
        self._darkroom = Darkroom()

    def course(self) -> Generator[Pull]:
        """Draw to the end, or to where it is to end; yield what is to be pulled."""
        try:
            with self._film() as film, self._darkroom:
                last, state = yield from self._follow(film)
        except _Left:
            self._tell({"say": "stopped"})
        else:
            self._finish(last, state)

    def _follow(self, film: Callable[[Frame], None]) -> Generator[Pull, None, tuple[Frame, str]]:
        """Follow the frames; return the result, and whether it is done or canceled.

        Raises:
            _Left: it was to end without one.
        """
        session, told = self._session, 0
        for made in session.course():
            if isinstance(made, Pull):
                yield made
                continue
            frame = made
            end = self._end()
            if end in ("stop", "abort"):
                if end == "stop":
                    self._checkpoint(frame)
                raise _Left
            if end == "cancel" and not frame.final:
                session.close()
                last = session.snapshot()
                film(last)
                return last, "canceled"
            self._report(frame)
            film(frame)
            for notice in session.notices[told:_MOST_NOTICES]:
                self._tell({"say": "notice", "text": notice})
            told = len(session.notices)
            if frame.final:
                break
            if session.made < session.steps:
                self._checkpoint_if_due(frame)
        self._checkpoint(frame)  # for those who draw on
        return frame, "done"

    # ---- reports ---------------------------------------------------------------------------

    def _report(self, frame: Frame) -> None:
        now, step = time.monotonic(), frame.step - self._session.begin
        self._passed.append((now, step))
        while len(self._passed) > 2 and self._passed[0][0] < now - _RECENT:
            self._passed.popleft()
        # Of starts drawn side by side the first one is told of: scores by turns would be no curve.
        told_of = frame.beside > 0
        point = -step % self._every < frame.beside or frame.final
        if point or (told_of and now - self._told >= _PROGRESS):
            score, loss = _finite(frame.score), _finite(frame.loss)
            eta = self._eta(step)
            about: Json = {"step": step, "steps": self._steps, "score": score, "loss": loss}
            self._tell({"say": "progress", **about, "eta_seconds": eta})
            if point:
                self._tell({"say": "score", "step": step, "score": score, "loss": loss})
            self._told = now
        shows = self._session.shows(frame) or frame.step == self._session.begin
        if shows and (frame.final or now - self._shown >= 1 / self._job["frames_per_second"]):
            self._frame(frame, step)
            self._shown = now

    def _eta(self, step: int) -> float | None:
        """Return the seconds left by the pace of late, None before there is one."""
        (first_at, first), (last_at, last) = self._passed[0], self._passed[-1]
        if last <= first:
            return None
        return round((self._steps - step) * (last_at - first_at) / (last - first), 2)

    def _frame(self, frame: Frame, step: int) -> None:
        def show(image: Image.Image) -> None:
            path = self._folder / f"frame-{step}.webp"
            path.write_bytes(_webp(image, lossless=self._lossless))
            facts: Json = {"file": path.name, "width": image.width, "height": image.height}
            self._tell({"say": "frame", "step": step, "tryout": frame.tryout, **facts})

        self._darkroom.develop(frame.image, show)

    # ---- checkpoints -----------------------------------------------------------------------

    def _checkpoint_if_due(self, frame: Frame) -> None:
        pause = max(self._job["checkpoint_seconds"], self._save_cost / _DEAREST)
        if time.monotonic() - self._saved >= pause:
            self._checkpoint(frame)

    def _checkpoint(self, frame: Frame) -> None:
        before = time.monotonic()
        self._darkroom.wait()  # who goes on from here has the pictures of before
        step = frame.step + (not frame.final) - self._session.begin
        self._written += 1
        path = self._session.checkpoint().save(self._folder / f"{self._written}.ckpt")
        self._tell({"say": "checkpoint", "step": step, "file": path.name})
        self._saved = time.monotonic()
        self._save_cost = self._saved - before

    # ---- the result ------------------------------------------------------------------------

    @contextlib.contextmanager
    def _film(self) -> Iterator[Callable[[Frame], None]]:
        """Give what takes the frames of the video, if one is wanted."""
        session, s = self._session, self._session.settings
        if not s.make_video:
            yield lambda frame: None
            return
        earlier = self._earlier()
        every = interval(1, max(session.film_length, 1), MOST_FILM_FRAMES)
        count = len(earlier) + (session.film_length - 1) // every + 1
        seen = 0
        with VideoWriter(self._video, count, pace=pace_of(s)) as film:
            for path in earlier:
                with contextlib.suppress(Text2ArtError):
                    film.add(load_picture(str(path)))

            def take(frame: Frame) -> None:
                nonlocal seen
                if frame.filmed and (frame.final or seen % every == 0):
                    self._darkroom.develop(frame.image, film.add)
                seen += frame.filmed

            yield take

    def _earlier(self) -> list[Path]:
        """Return the pictures that earlier attempts have shown, up to where this one goes on."""
        session = self._session
        here = session.made - session.begin
        shown = {int(step): Path(path) for step, path in self._job["frames"].items()}
        return [shown[step] for step in sorted(shown) if session.tryouts <= step < here]

    @property
    def _video(self) -> Path:
        return self._folder / f"video.{self._session.settings.video_format}"

    def _finish(self, last: Frame, state: str) -> None:
        session = self._session
        result = result_of(session, last, [])
        files = {ending: path.name for ending, path in self._files(result).items()}
        facts: Json = {
            "width": result.image.width,
            "height": result.image.height,
            "seconds": round(session.seconds, 3),
            "seed": session.settings.seed,
            "steps": last.step - session.begin,
            "score": _finite(last.score),
        }
        self._tell({"say": "done", "state": state, "files": files, "facts": facts})

    def _files(self, result: Result) -> dict[str, Path]:
        """Save the result in all its formats; return the files by their endings."""
        s = self._session.settings
        files = {"png": result.save(self._folder / "result.png")}
        if result.shapes is not None:
            files["svg"] = result.save(self._folder / "result.svg")
        if s.output_format not in (*files, "svg"):
            with contextlib.suppress(OutputError):  # settings too long for that format
                files[s.output_format] = result.save(self._folder / f"result.{s.output_format}")
        if s.make_video and self._video.exists():
            files[s.video_format] = self._video
        return files


def _webp(image: Image.Image, *, lossless: bool) -> bytes:
    """Return a picture of the making; sharp cells stay sharp."""
    file = io.BytesIO()
    plain = image if image.mode in ("RGB", "RGBA") else image.convert("RGBA")
    plain.save(file, "WEBP", lossless=lossless, quality=80, method=2 if lossless else 4)
    return file.getvalue()


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
