"""Where a step's time goes: clocks put around the scene's own parts from outside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # it brings torch, and who wants the parts' names need not
    from text2art.session import Session

PARTS = ("drawer", "cutouts", "perceptor", "losses", "backward", "optimizer")
_BACKWARD = "backward"


class Split:
    """Knows which part of a step is at work, and adds up what each takes.

    Only one part is at work at a time: a part that asks another for something waits meanwhile. What
    is done again for the gradient belongs to the backward pass.

    Args:
        wait: is called before the clock is read; on CUDA it waits for the device.

    Attributes:
        part: at work now, "" when none is.
        spent: seconds by part.
    """

    def __init__(self, wait: Callable[[], object] = lambda: None) -> None:
        self._wait = wait
        self.part, self._since = "", 0.0
        self.spent = dict.fromkeys(PARTS, 0.0)

    def enter(self, part: str) -> None:
        """Let a part begin, and the one that was at work end."""
        self._wait()
        now = time.perf_counter()
        if self.part:
            self.spent[self.part] += now - self._since
        self.part, self._since = part, now

    def around(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with the clock of a part around it."""

        def timed(*arguments: Any, **named: Any) -> Any:
            before = self.part
            if before == _BACKWARD:
                return function(*arguments, **named)
            self.enter(part)
            try:
                return function(*arguments, **named)
            finally:
                self.enter(before)

        return timed

    def taken(self) -> dict[str, float]:
        """Return the seconds by part, and begin anew."""
        spent, self.spent = self.spent, dict.fromkeys(PARTS, 0.0)
        return spent


@contextmanager
def installed(split: Split, session: Session) -> Iterator[None]:
    """Put the clocks around the parts of a session for a while."""
    scene = session.scene
    reset, update = scene.optimizer.zero_grad, scene.optimizer.step

    # Backward is what happens between the reset of the gradients and the optimizer's step.
    def timed_reset(*arguments: Any, **named: Any) -> None:
        reset(*arguments, **named)
        split.enter(_BACKWARD)

    def timed_update(*arguments: Any, **named: Any) -> Any:
        split.enter("optimizer")
        result = update(*arguments, **named)
        split.enter("")
        return result

    changes: list[tuple[Any, str, Any]] = [
        (scene.drawer, "forward", split.around("drawer", scene.drawer.forward)),
        (scene.cutouts, "choose", split.around("cutouts", scene.cutouts.choose)),
        (scene.cutouts, "cut", split.around("cutouts", scene.cutouts.cut)),
        (scene, "terms", split.around("losses", scene.terms)),
        (scene.optimizer, "zero_grad", timed_reset),
        (scene.optimizer, "step", timed_update),
        (scene.drawer, "project_", split.around("optimizer", scene.drawer.project_)),
        *(
            (perceptor, name, split.around("perceptor", getattr(perceptor, name)))
            for perceptor, _ in session.ensemble
            for name in ("see", "see_patches")
            if hasattr(perceptor, name)
        ),
    ]
    before = [(o, name, name in vars(o), getattr(o, name)) for o, name, _ in changes]
    try:
        for owner, name, timed in changes:
            setattr(owner, name, timed)
        yield
    finally:
        for owner, name, own, was in reversed(before):
            setattr(owner, name, was) if own else delattr(owner, name)
