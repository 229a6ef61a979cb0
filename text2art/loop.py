"""The loop: follow the gradient, give a frame per step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from text2art.core import Frame, View, seen_together
from text2art.runtime import is_out_of_memory, out_of_memory, release_memory
from text2art.scene import Scene

Made = TypeVar("Made")


def run(scene: Scene, steps: int, start: int = 0) -> Iterator[Frame]:
    """Draw: yield the picture before each update, `steps - start` frames.

    A generator: pausing is not asking, cancelling is `close()`. It never yields inside a torch
    context manager, since two interleaved runs would leave the wrong mode behind for the process.

    Args:
        scene: drawer, cutouts, losses, optimizer and schedule.
        steps: length of the whole run.
        start: number of updates already made (a run that goes on).

    Raises:
        OutOfMemory: not even one look at a time fits.
    """
    return run_together([scene], steps, start)


def run_together(
    scenes: Sequence[Scene], steps: int, start: int = 0, place: int = 0
) -> Iterator[Frame]:
    """Draw several pictures side by side, the looks at all of them seen in one pass.

    Yields as `run` does, by turns: the first picture of each scene, then the second of each.

    Args:
        scenes: whose losses look at the same sights; of one device.
        steps: length of each run.
        start: number of updates already made of each.
        place: how many scenes, the first ones, have made one more (runs that go on).

    Raises:
        OutOfMemory: not even one look at a time fits.
    """
    for step in range(start, steps):
        turn = list(scenes[place:])
        with torch.no_grad():
            for scene in turn:
                for edit in scene.edits:
                    edit(step, steps)
        # While the caller has a frame, its crops are gone.
        frames = _fitting(scenes, lambda: _pull(scenes, step, steps, place))  # noqa: B023 - now
        for scene, frame in zip(turn, frames, strict=True):
            _update(scene, step, steps)
            yield frame
        place = 0


def _pull(scenes: Sequence[Scene], step: int, steps: int, place: int = 0) -> list[Frame]:
    """Leave a step's gradient with the parameters; change nothing else, so that it may fail.

    Returns:
        the frames of all scenes but the first ones up to `place`, which lend their looks alone:
        of as many looks, those of the others are seen with the same bits.
    """
    frames: list[Frame] = []
    with torch.enable_grad():
        for number in range(scenes[0].passes):  # one after the other: only one is in memory
            made = _pass(scenes, step, steps, place, number)
            frames = frames or made
    return frames


def _pass(scenes: Sequence[Scene], step: int, steps: int, place: int, number: int) -> list[Frame]:
    with torch.no_grad():
        lending = [scene.view(step, steps, number=number) for scene in scenes[:place]]
    views = [scene.view(step, steps, number=number) for scene in scenes[place:]]
    with seen_together([*lending, *views]):
        seen = [(v, s.terms(v)) for v, s in zip(views, scenes[place:], strict=True)]
    if not number:
        for scene in scenes[place:]:
            scene.optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(torch.stack([t for _, terms in seen for t in terms.values()]).sum())
    return [_frame(view, terms) for view, terms in seen]


def _update(scene: Scene, step: int, steps: int) -> None:
    scene.schedule.apply_(scene.optimizer, scene.progress(step, steps))
    scene.optimizer.step()
    with torch.no_grad():
        scene.drawer.project_()


def look(scene: Scene, step: int, steps: int, *, final: bool = False) -> Frame:
    """Return the frame of the present parameters, without an update.

    Raises:
        OutOfMemory: not even one look at a time fits.
    """

    def see() -> Frame:
        with torch.no_grad():
            view = scene.view(step, steps, final=final)
            return _frame(view, scene.terms(view), final=final)

    return _fitting([scene], see)


def _fitting(scenes: Sequence[Scene], attempt: Callable[[], Made]) -> Made:
    """Return what an attempt makes, repeated with smaller chunks of looks while memory runs out."""
    while True:
        try:
            return attempt()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            for chunks in {id(scene.chunks): scene.chunks for scene in scenes}.values():
                if not chunks.halve_():
                    raise out_of_memory(f"drawing, {chunks.history}") from error
        release_memory()  # not earlier: the error holds on to what the attempt had made


def _frame(view: View, terms: dict[str, torch.Tensor], *, final: bool = False) -> Frame:
    detached = {name: term.detach() for name, term in terms.items()}
    return Frame(view.step, view.image.detach(), detached, dict(view.scores), final)
