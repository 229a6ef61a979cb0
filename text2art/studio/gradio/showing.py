"""Between a desk and the boxes: what is read from them, and what is shown in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from text2art.studio.desk.acts import Stage, Wall
from text2art.studio.desk.form import Form
from text2art.studio.gradio.boxes import Boxes


class Showing(Boxes):
    """Boxes that are read and filled."""

    def _read(self, values: Sequence[Any]) -> Form:
        found: dict[str, Any] = dict(zip(self.form, values, strict=True))
        found["styles"] = tuple(found["styles"] or ())
        found = {name: "" if value is None else value for name, value in found.items()}
        return Form(**found)

    def _shown(self, stage: Stage) -> dict[Any, Any]:
        """Return a stage as updates of components."""
        update = self.gr.update
        shown: dict[Any, Any] = {
            self.status: stage.status,
            self.draw: update(visible=not stage.running),
            self.after: update(visible=stage.can_go_on),
        }
        if stage.running:  # "Stopping ..." stays until it has ended
            shown[self.stop] = update(visible=True)
        else:
            shown[self.stop] = update(visible=False, value="Stop", interactive=True)
        if stage.picture is not None:
            shown[self.picture] = str(stage.picture)
        if stage.fresh:
            shown |= {self.picture: None, self.files: update(value=None, visible=False)}
            shown |= {self.used_box: update(visible=False)}
        if stage.fresh or stage.film is not None:
            film = None if stage.film is None else str(stage.film)
            plays = film is not None and film.endswith(".mp4")
            shown[self.film] = update(value=film if plays else None, visible=plays)
            moves = film is not None and not plays
            shown[self.moving] = update(value=film if moves else None, visible=moves)
        if stage.files:
            shown[self.files] = update(value=[str(file) for file in stage.files], visible=True)
        if stage.settings:
            shown |= {self.used_box: update(visible=True), self.used: dict(stage.settings)}
        if stage.kept is not None:
            shown[self.kept] = dict(stage.kept)
        return shown

    def _hung(self, wall: Wall) -> dict[Any, Any]:
        return {
            self.wall: [(str(file), job.prompt[:200]) for file, job in wall.pictures],
            self.wall_status: wall.status,
            self.jobs: [job for _, job in wall.pictures],
            self.cursor: wall.next,
            self.older: self.gr.update(visible=bool(wall.next)),
            self.chosen_box: self.gr.update(visible=False),
        }
