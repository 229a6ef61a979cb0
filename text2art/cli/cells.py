"""Several pictures of one command: models loaded once, progress, and cells that are kept."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from text2art import __version__, asking
from text2art.api import Result, result_of
from text2art.cli.boundary import Interrupt, emit, say
from text2art.core import Frame
from text2art.errors import InputFileError
from text2art.media.files import check_folder, slug
from text2art.media.load import load_picture
from text2art.media.png import read_record, save_picture
from text2art.models import Models
from text2art.runtime import pick
from text2art.settings import Settings
from text2art.together import draw_together, sessions_of


@dataclass(frozen=True)
class Cell:
    """One picture to be drawn, and what it is called."""

    label: str
    settings: Settings


@dataclass(frozen=True)
class Drawn:
    """One picture that is there.

    Attributes:
        cell: what was asked for.
        image: the picture.
        record: how it was drawn.
        path: its file, if it was kept.
        result: as it was drawn, None when an earlier one was used again.
    """

    cell: Cell
    image: Image.Image
    record: dict[str, Any]
    path: Path | None = None
    result: Result | None = None


class Cells:
    """Draws cells, one after the other or some at a time.

    Args:
        cells: what to draw, in order.
        keep: folder that cells are kept in and taken from, None for none.
        together: how many are drawn at a time: see `text2art.together`.
        as_json: tell in JSON events rather than lines.
        quiet: tell nothing.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        *,
        keep: Path | None = None,
        together: int = 1,
        as_json: bool = False,
        quiet: bool = False,
    ) -> None:
        for cell in cells:
            asking.require(cell.settings)
        if keep is not None:
            check_folder(keep)
        self._cells, self._keep, self._together = cells, keep, together
        self._as_json, self._quiet = as_json, quiet
        self._models: Models | None = None
        self._notices: dict[str, None] = {}

    def draw(
        self, interrupt: Interrupt, save: Callable[[Result], Path] | None = None
    ) -> Iterator[Drawn]:
        """Draw; stop when the user wishes to: what is being drawn is given up.

        Args:
            interrupt: tells the wish.
            save: writes the file of a result, where cells are more than part of a sheet.
        """
        started = time.perf_counter()
        spent = fresh = 0.0
        done = 0
        with self._bar() as advance:
            for first in range(0, len(self._cells), self._together):
                cells = self._cells[first : first + self._together]
                there = [self._kept(cell) for cell in cells]
                missing = [number for number, one in enumerate(there) if one is None]
                begun = time.perf_counter()
                drawn = self._fresh([cells[n] for n in missing], interrupt, advance, save)
                for number, one in zip(missing, drawn, strict=True):
                    there[number] = one
                spent, fresh = spent + time.perf_counter() - begun, fresh + len(missing)
                for cell, one in zip(cells, there, strict=True):
                    if one is None:
                        return
                    if one.result is None:
                        advance(cell.settings.steps)
                    done += 1
                    left = (len(self._cells) - done) * spent / fresh if fresh else None
                    self._tell(done, one, time.perf_counter() - started, left)
                    yield one

    def _fresh(
        self,
        cells: Sequence[Cell],
        interrupt: Interrupt,
        advance: Callable[[int], None],
        save: Callable[[Result], Path] | None,
    ) -> list[Drawn | None]:
        """Draw cells together; return those that are done when all are or it stops."""
        if not cells:
            return []
        with sessions_of([cell.settings for cell in cells], self._loaded()) as sessions:
            for notice in (notice for session in sessions for notice in session.notices):
                self._say_once(notice)
            last: dict[int, Frame] = {}
            for number, frame in draw_together(sessions):
                last[number] = frame
                if interrupt.wished and not frame.final:
                    break
                advance(0 if frame.final else 1)
            results = {n: result_of(sessions[n], f, []) for n, f in last.items() if f.final}
        return [self._drawn(c, results.get(number), save) for number, c in enumerate(cells)]

    def _drawn(
        self, cell: Cell, result: Result | None, save: Callable[[Result], Path] | None
    ) -> Drawn | None:
        """Save what was drawn where it is to be kept."""
        if result is None:
            return None
        path = save(result) if save is not None else None
        if self._keep is not None:
            kept = save_picture(result.image, self._file(cell), result.record)
            path = path or kept
        return Drawn(cell, result.image, result.record, path, result)

    def _kept(self, cell: Cell) -> Drawn | None:
        """Return a cell that was drawn before: by the same version and the same perceptors."""
        if self._keep is None or not (path := self._file(cell)).exists():
            return None
        try:
            record = read_record(path)
            image = load_picture(str(path))
        except InputFileError:
            return None  # whatever it is, it is no cell: it is drawn again
        ensemble = self._loaded().ensemble(cell.settings.perceptor, cell.settings.preset)
        seeing = [{"name": p.name, "weight": w, "sha256": p.digest} for p, w in ensemble]
        if record.get("version") != __version__ or record.get("perceptors") != seeing:
            return None
        return Drawn(cell, image, record, path)

    def _file(self, cell: Cell) -> Path:
        assert self._keep is not None
        digest = hashlib.sha256(cell.settings.to_json().encode()).hexdigest()[:12]
        return self._keep / f"{slug(cell.label, longest=40)}-{digest}.png"

    def _loaded(self) -> Models:
        if self._models is None:
            self._models = Models(pick())
        return self._models

    # ---- telling -----------------------------------------------------------------------------

    def _say_once(self, notice: str) -> None:
        if notice not in self._notices and not self._quiet:
            say(notice)
        self._notices[notice] = None

    def _tell(self, number: int, drawn: Drawn, seconds: float, left: float | None) -> None:
        count = len(self._cells)
        if self._as_json:
            event = {
                "event": "cell",
                "number": number,
                "of": count,
                "label": drawn.cell.label,
                "seed": drawn.record.get("seed"),
                "score": drawn.result.score if drawn.result else None,
                "seconds": round(seconds, 3),
                "reused": drawn.result is None,
                "path": str(drawn.path) if drawn.path else None,
            }
            emit({key: value for key, value in event.items() if value is not None})
        elif not self._quiet:
            how = f"score {drawn.result.score:.4f}" if drawn.result else "kept from before"
            rest = f", {left:.0f} s left" if left is not None and number < count else ""
            say(f"{number}/{count}  {drawn.cell.label}: {how}{rest}")

    def _bar(self) -> AbstractContextManager[Callable[[int], None]]:
        """Show a bar of all steps of all cells, in a terminal."""
        if self._quiet or self._as_json or not sys.stderr.isatty():
            return contextlib.nullcontext(lambda steps: None)
        return _bar(sum(cell.settings.steps for cell in self._cells))


@contextlib.contextmanager
def _bar(steps: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=steps)
        yield lambda done: progress.update(task, advance=done)
