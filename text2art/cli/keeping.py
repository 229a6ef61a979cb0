"""Checkpoints of a run on the command line: `draw --checkpoint FILE`, and `resume FILE`."""

from __future__ import annotations

import shlex
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from text2art.cli import draw
from text2art.cli.boundary import say
from text2art.media.files import check_target

if TYPE_CHECKING:
    from text2art.session import Session

_EVERY = 60.0  # seconds


class Keeper:
    """Writes a run's checkpoint now and then, and when it is broken off."""

    def __init__(self, path: Path | None) -> None:
        """Prepare to write.

        Args:
            path: of the file; None = none is written.

        Raises:
            OutputError: it cannot be written.
        """
        if path is not None:
            check_target(path)
        self._path, self._due = path, time.monotonic() + _EVERY

    def step(self, session: Session) -> None:
        """Write it if it is due. Call between frames."""
        if self._path is not None and time.monotonic() >= self._due:
            session.checkpoint().save(self._path)
            self._due = time.monotonic() + _EVERY

    def stop(self, session: Session) -> None:
        """Write it now, as the run is broken off here, and say how to go on."""
        if self._path is not None:
            session.checkpoint().save(self._path)
            say(f"go on with: text2art resume {shlex.quote(str(self._path))}")

    def done(self) -> None:
        """Remove it: the run is over."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()


def resume(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What draw --checkpoint has written.")
    ],
    *,
    out: draw.Out = None,
    outdir: draw.Outdir = None,
    video: draw.Video = "",
    native: draw.Native = False,
    frames: draw.Frames = None,
    save_settings: draw.SaveSettings = False,
    no_metadata: draw.NoMetadata = False,
    checkpoint: draw.Checkpoint = None,
    as_json: draw.Json = False,
    preview: draw.Preview = False,
    quiet: draw.Quiet = False,
) -> None:
    """Go on with a drawing that was broken off, as if it had not been.

    On a CPU, with the same versions and models, the picture is the same to the last bit. A video
    begins where the drawing goes on. FILE is kept up to date, and removed when the drawing is done;
    with --checkpoint another file is.
    """
    from text2art.checkpoint import Checkpoint
    from text2art.cli.outputs import Wishes
    from text2art.cli.work import Show, carry_out  # torch comes in here

    begun = Checkpoint.load(file)
    settings = begun.settings
    wishes = Wishes(out, video, native, frames, save_settings, not no_metadata, folder=outdir)
    carry_out(
        settings,
        wishes.with_settings(settings),
        Show(as_json, preview, quiet),
        keeper=Keeper(checkpoint or file),
        begun=begun,
    )
