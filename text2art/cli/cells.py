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
from text2art.session import Session
from text2art.settings import Settings


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
    """Draws cells one after the other.

    Args:
        cells: what to draw, in order.
        keep: folder that cells are kept in and taken from, None for none.
        as_json: tell in JSON events rather than lines.
        quiet: tell nothing.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        *,
        keep: Path | None = None,
        as_json: bool = False,
        quiet: bool = False,
    ) -> None:
        for cell in cells:
            asking.require(cell.settings)
        if keep is not None:
            check_folder(keep)
        self._cells, self._keep = cells, keep
        self._as_json, self._quiet = as_json, quiet
        self._models: Models | None = None
        self._notices: dict[str, None] = {}

    def draw(
        self, interrupt: Interrupt, save: Callable[[Result], Path] | None = None
    ) -> Iterator[Drawn]:
        """Draw; stop when the user wishes to: the cell at hand is given up.

        Args:
            interrupt: tells the wish.
            save: writes the file of a result, where cells are more than part of a sheet.
        """
        started = time.perf_counter()
        spent = fresh = 0.0
        with self._bar() as advance:
            for number, cell in enumerate(self._cells, start=1):
                begun = time.perf_counter()
                drawn = self._kept(cell)
                if drawn is None:
                    drawn = self._fresh(cell, interrupt, advance, save)
                    if drawn is None:
                        return
                    spent, fresh = spent + time.perf_counter() - begun, fresh + 1
                else:
                    advance(cell.settings.steps)
                left = (len(self._cells) - number) * spent / fresh if fresh else None
                self._tell(number, drawn, time.perf_counter() - started, left)
                yield drawn

    def _fresh(
        self,
        cell: Cell,
        interrupt: Interrupt,
        advance: Callable[[int], None],
        save: Callable[[Result], Path] | None,
    ) -> Drawn | None:
        with Session(cell.settings, models=self._loaded()) as session:
            for notice in session.notices:
                self._say_once(notice)
            last: Frame | None = None
            for frame in session.frames():
                last = frame
                if interrupt.wished and not frame.final:
                    return None
                advance(0 if frame.final else 1)
            assert last is not None
            result = result_of(session, last, [])
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
