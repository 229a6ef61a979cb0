"""The seam between a worker, which knows the queue, and a runner, which knows how to draw."""

from __future__ import annotations

import abc
import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from text2art.studio.model import Claim, Json, Progress, State


class Wish(str, enum.Enum):
    """What a worker wants of a running drawing."""

    GO = "go"
    CANCEL = "cancel"  # end within a step, keep the last picture
    STOP = "stop"  # make a checkpoint and end: the job goes on elsewhere
    LOST = "lost"  # end: nobody is interested any more


class JobFailed(Exception):
    """The job cannot be drawn, here or anywhere; one line for its owner."""


class RunnerDied(Exception):
    """What was drawing is gone; the job may be drawn all the same.

    Attributes:
        blame: whether it was drawing this job, so that the job may be the reason.
        delay: seconds before the job may start again.
    """

    def __init__(self, message: str, *, blame: bool = True, delay: float = 0.0) -> None:
        super().__init__(message)
        self.blame, self.delay = blame, delay


@dataclass(frozen=True)
class Ended:
    """How a drawing ended.

    Attributes:
        state: DONE or CANCELED; None: it was stopped, or lost, and is to be gone on with.
        files: of the result, by ending.
        facts: width, height, seconds, seed, steps and score, as far as they are known.
    """

    state: State | None
    files: Mapping[str, Path] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


Ending = Ended | JobFailed | RunnerDied


@dataclass(frozen=True)
class Frame:
    """A picture of the making.

    Attributes:
        step: updates before it.
        data: the file's bytes.
        ending: webp, png or jpg.
        tryout: whether its start may still be given up.
    """

    step: int
    data: bytes
    ending: str
    width: int
    height: int
    tryout: bool = False


class Sink(Protocol):
    """Takes what a runner has to say while it draws. Safe for threads."""

    @property
    def wish(self) -> Wish:
        """What is wanted now: to be asked for several times a second."""

    def progress(self, progress: Progress) -> None:
        """Report how far it has got."""

    def score(self, step: int, score: float | None, loss: float | None) -> None:
        """Report a point of the curve."""

    def frame(self, frame: Frame) -> None:
        """Store a picture of the making and report it."""

    def checkpoint(self, file: Path, step: int) -> None:
        """Store where another runner could go on, and report it."""

    def log(self, text: str) -> None:
        """Report a line for those who look closely."""

    def notice(self, text: str) -> None:
        """Report a line for the job's owner."""


@dataclass(frozen=True)
class Task:
    """A job as a runner gets it.

    Attributes:
        claim: of the job.
        folder: its own; the files of the studio that the settings name lie in it, under their keys.
        checkpoint: a file in the folder to go on from, if there is one.
        parent: None to go on as if never broken off; else the checkpoint is of another job, whose
            picture is drawn on, and this is the key of that picture ("" = there is none), which
            lies in the folder, too.
        frames: files in the folder, by step: what earlier attempts have shown.
    """

    claim: Claim
    folder: Path
    checkpoint: Path | None = None
    parent: str | None = None
    frames: Mapping[int, Path] = field(default_factory=dict)

    @property
    def settings(self) -> Json:
        """What to draw."""
        return self.claim.settings


Order = tuple[Task, Sink]


class Runner(Protocol):
    """Draws.

    Attributes:
        name: of its kind: local, cog.
        device: what it draws on, in words.
        together: how many jobs it takes at a time, at most.
    """

    name: str
    device: str
    together: int

    def ready(self) -> bool:
        """Whether a job could start now. Does what it can to make it so, which may take a while."""

    def draw(self, orders: Sequence[Order]) -> Iterator[tuple[int, Ending]]:
        """Draw a job, or several at once; yield how each ended, with its number, as it ends.

        JobFailed: the job is at fault. RunnerDied: what drew is gone, or takes no job at present.
        Of several nobody knows which one it was: none is blamed.

        Args:
            orders: at least one, at most `together`.
        """

    def stop(self) -> None:
        """Let a `ready` in another thread return soon; there will be no further job."""

    def close(self) -> None:
        """End what was started, by force if need be. To be called when no job runs."""


class OneByOne(abc.ABC):
    """A `Runner`'s part, for those that take one job at a time."""

    together = 1

    def draw(self, orders: Sequence[Order]) -> Iterator[tuple[int, Ending]]:
        """See `Runner`."""
        for number, (task, sink) in enumerate(orders):
            try:
                ended = self.run(task, sink)
            except (JobFailed, RunnerDied) as error:
                yield number, error
            else:
                yield number, ended

    @abc.abstractmethod
    def run(self, task: Task, sink: Sink) -> Ended:
        """Draw.

        Raises:
            JobFailed: the job is at fault.
            RunnerDied: what drew is gone, or takes no job at present.
        """
