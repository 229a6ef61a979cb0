"""A run on the command line: draw, report, save, and keep what there is when interrupted."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import typer

from text2art import asking
from text2art.api import result_of
from text2art.checkpoint import Checkpoint
from text2art.cli import outputs, startup
from text2art.cli.boundary import INTERRUPTED, Interrupt, emit, say
from text2art.cli.keeping import Keeper
from text2art.cli.outputs import Outputs, Wishes
from text2art.cli.progress import Report, report_for
from text2art.core import Frame
from text2art.media.convert import to_pil
from text2art.media.darkroom import Darkroom
from text2art.media.pace import pace_of
from text2art.media.png import record_text
from text2art.media.svg import DrawingSource
from text2art.media.svg_film import SvgFilm
from text2art.media.video import VideoWriter
from text2art.session import Session
from text2art.settings import Settings


@dataclass(frozen=True)
class Show:
    """How a run is shown: as JSON events, in the terminal, or hardly."""

    as_json: bool = False
    preview: bool = False
    quiet: bool = False


def carry_out(
    settings: Settings,
    wishes: Wishes,
    show: Show,
    record: Mapping[str, Any] | None = None,
    *,
    keeper: Keeper | None = None,
    begun: Checkpoint | None = None,
) -> None:
    """Draw and save.

    Args:
        settings: what to draw.
        wishes: what to leave behind.
        show: how to report.
        record: of the picture that is drawn again; differences from it are told.
        keeper: writes checkpoints.
        begun: the checkpoint of these settings' drawing, to go on from.

    Raises:
        typer.Exit: code 130, when interrupted; the picture so far is saved.
    """
    asking.require(settings)
    outputs.check(wishes, settings)
    report = report_for(show.as_json, show.preview, show.quiet)
    keeper = keeper or Keeper(None)
    with Session(settings) if begun is None else Session.resume(begun) as session:
        told = len(session.notices)
        notices = [*session.notices, *differences(record, session.record())]
        files = outputs.plan(wishes, session.settings, session.record())
        if not show.quiet:
            for notice in notices:
                say(notice)
        with Interrupt() as interrupt:
            last, ready = _draw(session, files, show, report, interrupt, keeper)
            for notice in session.notices[told:]:  # what the run itself had to say
                notices.append(notice)
                if not show.quiet:
                    say(notice)
            result = result_of(session, last, [])
            files.save(result)
            if not interrupt.wished:
                keeper.done()
    if show.as_json:
        done = {
            "event": "done",
            "path": str(files.picture),
            "seed": session.settings.seed,
            "seconds": round(result.seconds, 3),
            "startup_seconds": round(ready, 3),
            "score": result.score,
            "loss": last.loss,
            "video": str(files.video) if files.video else None,
            "native": str(files.native) if files.native and result.native else None,
            "interrupted": interrupt.wished,
            "notices": notices,
        }
        emit({key: value for key, value in done.items() if value is not None or key == "score"})
    else:
        print(files.picture, flush=True)
    if interrupt.wished:
        raise typer.Exit(INTERRUPTED)


def _draw(
    session: Session,
    files: Outputs,
    show: Show,
    report: Report,
    interrupt: Interrupt,
    keeper: Keeper,
) -> tuple[Frame, float]:
    """Follow the frames; return the last, and the seconds from the command to the first."""
    s = session.settings
    started = time.perf_counter()
    last: Frame | None = None
    ready = 0.0
    with contextlib.ExitStack() as open_files:
        film: VideoWriter | None = None
        if files.video is not None:
            note = record_text(files.record) if files.record else ""
            film = open_files.enter_context(
                VideoWriter(files.video, session.film_length, pace=pace_of(s), comment=note)
            )
        darkroom = open_files.enter_context(Darkroom())
        open_files.enter_context(report.of(session.steps))
        moving = SvgFilm(session.film_length) if files.svg.film is not None else None
        for frame in session.frames():
            if last is None:
                ready = startup.seconds()
                if not show.quiet:
                    say(f"ready in {ready:.1f} s")
            last = frame
            keeper.step(session)
            if interrupt.wished and not frame.final:
                keeper.stop(session)
                session.close()
                last = frame = replace(session.snapshot(), step=frame.step + 1)
            shown = session.shows(frame)
            every = s.save_interval(session.steps)
            kept = files.frames is not None and _is_due(frame, every, shown)
            image = to_pil(frame.image) if shown or kept else None
            if film is not None and frame.filmed:
                darkroom.develop(frame.image, film.add)
            drawer = session.drawer
            if moving is not None and frame.filmed and isinstance(drawer, DrawingSource):
                moving.add(drawer, final=frame.final)
            path = files.save_frame(image, frame.step) if kept and image is not None else None
            if not frame.final and _is_due(frame, every, False):
                files.save_picture(result_of(session, frame, []))
            report.step(frame, image if shown else None, time.perf_counter() - started, path)
            if frame.final:
                break
    assert last is not None
    if moving is not None:
        files.save_film(moving)
    return last, ready


def _is_due(frame: Frame, every: int, otherwise: bool) -> bool:
    """Whether a frame is one in `every`, or the result; `otherwise` when that is not set."""
    return otherwise if not every else frame.final or (frame.step > 0 and frame.step % every == 0)


def differences(record: Mapping[str, Any] | None, present: Mapping[str, Any]) -> list[str]:
    """Say in which respects a run differs from the record it repeats."""
    if record is None:
        return []
    notices = []
    for what in ("version", "torch", "device"):
        then, now = record.get(what), present[what]
        if then != now:
            notices.append(f"drawn then with {what} {then}, now with {now}: details may differ")
    company = record.get("together")
    if isinstance(company, int) and company > 1:
        notices.append(f"drawn then together with {company - 1} more: details may differ")
    for then, now in zip(_models(record), _models(present), strict=False):
        if then != now:
            notices.append(
                f"drawn then by perceptor {then[0]} (sha256 {then[1][:12] or 'none'}), now by "
                f"{now[0]} ({now[1][:12] or 'none'}): the picture will differ"
            )
    return notices


def _models(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    listed = record.get("perceptors")
    if not isinstance(listed, list):
        return []
    return [
        (str(entry.get("name", "")), str(entry.get("sha256", "")))
        for entry in listed
        if isinstance(entry, dict)
    ]
