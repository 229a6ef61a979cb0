"""The process that draws: it keeps the models loaded and takes one order after the other.

Said to it: `draw` (a job, or several to be drawn together), and while they are drawn `cancel`,
`stop`, `abort` of one of them, by its number. Said by it: `ready`, then of each job, with its
number, `progress`, `score`, `frame`, `checkpoint`, `log`, `notice`, and at last one of `done`,
`stopped` and `failed`.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from text2art.studio.model import Json
from text2art.studio.worker.link import Parent

if TYPE_CHECKING:
    from text2art.models import Models

_ENDS = ("cancel", "stop", "abort")


class Orders:
    """What the supervisor wants, heard in a thread of its own."""

    def __init__(self, parent: Parent) -> None:
        self._parent = parent
        self._orders: queue.Queue[list[Json]] = queue.Queue()
        self._ends: dict[int, str] = {}
        threading.Thread(target=self._listen, name="orders", daemon=True).start()

    def end(self, number: int) -> str:
        """How a job at hand is to end, "" as long as it is not."""
        return self._ends.get(number, "")

    def next_jobs(self) -> list[Json]:
        """Wait for the jobs of an order."""
        return self._orders.get()

    def _listen(self) -> None:
        while True:
            message = self._parent.hear()
            wanted = str(message.get("do"))
            if wanted == "draw":
                self._ends = {}  # here, where nothing that is said after it can have been heard yet
                self._orders.put(message["jobs"])
            elif wanted in _ENDS:
                number = int(message["job"])
                if _ENDS.index(wanted) >= _rank(self.end(number)):
                    self._ends[number] = wanted


def _rank(end: str) -> int:
    return _ENDS.index(end) if end else 0


def main() -> int:
    """Take jobs until the supervisor is gone."""
    parent = Parent()
    orders = Orders(parent)
    from text2art.hostmemory import give_back_freed, keep_freed
    from text2art.models import Models
    from text2art.runtime import pick
    from text2art.studio.worker.drawing import draw

    keep_freed()
    chosen = pick()
    models: Models = Models(chosen)
    _warm(models)
    parent.tell({"say": "ready", "device": chosen.description})
    home = Path.cwd()
    while True:
        jobs = orders.next_jobs()
        # Settings name files of the studio by their keys; those of jobs in company name none.
        os.chdir(jobs[0]["folder"])
        try:
            draw(jobs, models, parent.tell, orders.end)
        except Exception:
            # A bug: whatever it left behind in this process goes with it.
            traceback.print_exc()
            return 1
        finally:
            os.chdir(home)
        give_back_freed()  # it may be long until the next job


def _warm(models: Models) -> None:
    """Load what TEXT2ART_PRELOAD names, and what every drawing needs."""
    from text2art import environment
    from text2art.serving.preload import preload, rehearse
    from text2art.settings import Settings

    preload(environment.preload(), models, lambda line: print(line, file=sys.stderr))  # noqa: T201
    rehearse(models, Settings.of(prompts="a red apple"))


if __name__ == "__main__":
    sys.exit(main())
