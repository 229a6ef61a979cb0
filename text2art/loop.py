"""The loop: follow the gradient, give a frame per step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from text2art.core import Frame, View
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
    for step in range(start, steps):
        with torch.no_grad():
            for edit in scene.edits:
                edit(step, steps)
        yield _update(scene, step, steps)  # while the caller has the frame, its crops are gone


def _update(scene: Scene, step: int, steps: int) -> Frame:
    view, terms = _fitting(scene, lambda: _pull(scene, step, steps))
    scene.schedule.apply_(scene.optimizer, scene.progress(step, steps))
    scene.optimizer.step()
    with torch.no_grad():
        scene.drawer.project_()
    return _frame(view, terms)


def _pull(scene: Scene, step: int, steps: int) -> tuple[View, dict[str, torch.Tensor]]:
    """Leave a step's gradient with the parameters; change nothing else, so that it may fail."""
    with torch.enable_grad():
        view = scene.view(step, steps)
        terms = scene.terms(view)
        scene.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(terms.values())).sum())
        for number in range(1, scene.passes):  # one after the other: only one is in memory
            more = scene.terms(scene.view(step, steps, number=number))
            torch.autograd.backward(torch.stack(list(more.values())).sum())
    return view, terms


def look(scene: Scene, step: int, steps: int, *, final: bool = False) -> Frame:
    """Return the frame of the present parameters, without an update.

    Raises:
        OutOfMemory: not even one look at a time fits.
    """

    def see() -> Frame:
        with torch.no_grad():
            view = scene.view(step, steps, final=final)
            return _frame(view, scene.terms(view), final=final)

    return _fitting(scene, see)


def _fitting(scene: Scene, attempt: Callable[[], Made]) -> Made:
    """Return what an attempt makes, repeated with smaller chunks of looks while memory runs out."""
    while True:
        try:
            return attempt()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if not scene.chunks.halve_():
                raise out_of_memory(f"drawing, {scene.chunks.history}") from error
        release_memory()  # not earlier: the error holds on to what the attempt had made


def _frame(view: View, terms: dict[str, torch.Tensor], *, final: bool = False) -> Frame:
    detached = {name: term.detach() for name, term in terms.items()}
    return Frame(view.step, view.image.detach(), detached, dict(view.scores), final)
