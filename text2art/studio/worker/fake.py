"""A runner that draws nothing but a colored square: for tests of all that is around drawing."""

from __future__ import annotations

import io
import time
from typing import Any

from PIL import Image

from text2art.studio.model import Progress, State
from text2art.studio.worker.runner import Ended, Frame, JobFailed, OneByOne, Sink, Task, Wish

_SIDE = 32


class FakeRunner(OneByOne):
    """A `runner.Runner` without models. A prompt that says "fail" fails."""

    name = "fake"
    device = "nothing"

    def __init__(self, pause: float = 0.02) -> None:
        """Take so many seconds for each step."""
        self._pause = pause

    def ready(self) -> bool:
        """See `runner.Runner`."""
        return True

    def run(self, task: Task, sink: Sink) -> Ended:
        """See `runner.OneByOne`."""
        steps = int(task.settings.get("iterations", 10))
        begin = 0
        if task.checkpoint is not None and task.parent is None:
            begin = int(task.checkpoint.read_text())
        if "fail" in str(task.settings.get("prompts", "")):
            raise JobFailed("the prompt says that it fails")
        sink.notice("this picture is not drawn: the runner is a fake")
        state = State.DONE
        for step in range(begin, steps):
            if sink.wish is Wish.LOST:
                return Ended(None)
            if sink.wish is Wish.STOP:
                file = task.folder / "fake.ckpt"
                file.write_text(str(step))
                sink.checkpoint(file, step)
                return Ended(None)
            if sink.wish is Wish.CANCEL:
                state = State.CANCELED
                break
            score = step / steps
            sink.progress(Progress(step, steps, score, 1 - score, (steps - step) * self._pause))
            sink.score(step, score, 1 - score)
            sink.frame(Frame(step, _square(step, steps, "WEBP"), "webp", _SIDE, _SIDE))
            time.sleep(self._pause)
        path = task.folder / "result.png"
        path.write_bytes(_square(steps, steps, "PNG"))
        facts: dict[str, Any] = {
            "width": _SIDE,
            "height": _SIDE,
            "seconds": steps * self._pause,
            "score": 1.0,
        }
        facts |= {"seed": task.settings.get("seed"), "steps": steps}
        return Ended(state, {"png": path}, facts)

    def stop(self) -> None:
        """See `runner.Runner`."""

    def close(self) -> None:
        """See `runner.Runner`."""


def _square(step: int, steps: int, kind: str) -> bytes:
    share = step / max(steps, 1)
    file = io.BytesIO()
    Image.new("RGB", (_SIDE, _SIDE), (int(255 * share), 80, int(255 * (1 - share)))).save(
        file, kind
    )
    return file.getvalue()
