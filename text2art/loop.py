"""The loop: follow the gradient, give a frame per step."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from text2art.chunks import smallest
from text2art.core import Frame, View
from text2art.runtime import is_out_of_memory, out_of_memory, release_memory
from text2art.scene import Scene
from text2art.view import see_together

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
    return pulled(course([scene], steps, start))


@dataclass(eq=False)
class Pull:
    """A step that waits for its gradient: see `pull`.

    Attributes:
        scenes: that are drawn side by side.
        step: number of updates made of each.
        steps: length of each run.
        place: how many scenes, the first ones, have made one more. They lend their looks alone: of
            as many looks, those of the others are seen with the same bits.
        frames: once it was pulled, those of the scenes from `place` on.
    """

    scenes: Sequence[Scene]
    step: int
    steps: int
    place: int = 0
    frames: Sequence[Frame] = field(default=(), init=False)

    @property
    def turn(self) -> Sequence[Scene]:
        """The scenes that make the step."""
        return self.scenes[self.place :]


def course(
    scenes: Sequence[Scene], steps: int, start: int = 0, place: int = 0
) -> Iterator[Frame | Pull]:
    """Draw several pictures side by side; whoever takes a `Pull` pulls before asking on.

    Yields as `run` does, by turns: the first picture of each scene, then the second of each, and
    before each turn the pull that gives its gradients. So runs that know nothing of each other can
    be pulled together.

    Args:
        scenes: of one device.
        steps: length of each run.
        start: number of updates already made of each.
        place: how many scenes, the first ones, have made one more (runs that go on).
    """
    for step in range(start, steps):
        one = Pull(scenes, step, steps, place)
        with torch.no_grad():
            for scene in one.turn:
                for edit in scene.edits:
                    edit(step, steps)
        yield one
        for scene, frame in zip(one.turn, one.frames, strict=True):
            _update(scene, step, steps)
            yield frame
        place = 0


def pulled(running: Iterator[Made | Pull]) -> Generator[Made]:
    """Pull whatever waits for it; yield the rest."""
    for made in running:
        if isinstance(made, Pull):
            pull([made])
        else:
            yield made


def pull(waiting: Sequence[Pull]) -> None:
    """Leave the gradients of steps with their parameters, all looks seen in one pass.

    Each picture's frame and gradient are what they would be alone, but for the last bits.

    Args:
        waiting: of runs that share their perceptors, to gain anything; of one device.

    Raises:
        OutOfMemory: not even one look at a time fits.
    """
    scenes = [scene for one in waiting for scene in one.scenes]
    # While the callers have their frames, the crops are gone.
    for one, frames in zip(waiting, _fitting(scenes, lambda: _gradients(waiting)), strict=True):
        one.frames = frames


def _gradients(waiting: Sequence[Pull]) -> list[list[Frame]]:
    """Do the work of `pull`; change nothing but gradients, so that it may fail.

    Returns:
        the frames of each.
    """
    frames: list[list[Frame]] = []
    with torch.enable_grad():
        for number in range(max(scene.passes for one in waiting for scene in one.turn)):
            # One pass after the other: only one is in memory.
            made = _pass([one for one in waiting if number < one.turn[0].passes], number)
            frames = frames or made
    return frames


def _pass(waiting: Sequence[Pull], number: int) -> list[list[Frame]]:
    looking: list[tuple[Scene, View]] = []
    drawn: list[list[tuple[Scene, View]]] = []
    for one in waiting:
        with torch.no_grad():
            looking += [
                (s, s.view(one.step, one.steps, number=number)) for s in one.scenes[: one.place]
            ]
        drawn.append([(s, s.view(one.step, one.steps, number=number)) for s in one.turn])
        looking += drawn[-1]
    see_together((view, scene.asks(view)) for scene, view in looking)
    seen = [[(view, scene.terms(view)) for scene, view in turn] for turn in drawn]
    if not number:
        for scene in (scene for turn in drawn for scene, _ in turn):
            scene.optimizer.zero_grad(set_to_none=True)
    terms = [term for turn in seen for _, terms in turn for term in terms.values()]
    torch.autograd.backward(torch.stack(terms).sum())
    return [[_frame(view, terms) for view, terms in turn] for turn in seen]


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
            see_together([(view, scene.asks(view))])
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
            there = {id(scene.chunks): scene.chunks for scene in scenes}.values()
            for chunks in [one for one in there if one.used] or [smallest(there)]:
                if not chunks.halve_():
                    raise out_of_memory(f"drawing, {chunks.history}") from error
        release_memory()  # not earlier: the error holds on to what the attempt had made


def _frame(view: View, terms: dict[str, torch.Tensor], *, final: bool = False) -> Frame:
    detached = {name: term.detach() for name, term in terms.items()}
    return Frame(view.step, view.image.detach(), detached, dict(view.scores), final)
