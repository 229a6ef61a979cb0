"""The loop: follow the gradient, give a frame per step."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from text2art.core import Frame, Scene, View


def run(scene: Scene, steps: int, start: int = 0) -> Iterator[Frame]:
    """Draw: yield the picture before each update, `steps - start` frames.

    A generator: pausing is not asking, cancelling is `close()`. It never yields inside a torch
    context manager, since two interleaved runs would leave the wrong mode behind for the process.

    Args:
        scene: drawer, cutouts, losses, optimizer and schedule.
        steps: length of the whole run.
        start: number of updates already made (a run that goes on).
    """
    for step in range(start, steps):
        with torch.enable_grad():
            view = scene.view(step, steps)
            terms = scene.terms(view)
            scene.optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(torch.stack(list(terms.values())).sum())
        scene.schedule.apply_(scene.optimizer, step / steps)
        scene.optimizer.step()
        with torch.no_grad():
            scene.drawer.project_()
        yield _frame(view, terms)


def look(scene: Scene, step: int, steps: int, *, final: bool = False) -> Frame:
    """Return the frame of the present parameters, without an update."""
    with torch.no_grad():
        view = scene.view(step, steps)
        return _frame(view, scene.terms(view), final=final)


def _frame(view: View, terms: dict[str, torch.Tensor], *, final: bool = False) -> Frame:
    detached = {name: term.detach() for name, term in terms.items()}
    return Frame(view.step, view.image.detach(), detached, dict(view.scores), final)
