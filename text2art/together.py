"""Several pictures drawn at once: each perceptor sees the looks at all of them in one pass.

A pass over many looks takes less time than as many passes over few, and on a GPU one launch does
for all. What sessions have in common is no more than that: any may be drawn together, and gain by
it where they have perceptors of the same `Models` in common.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from inspect import GEN_CLOSED, getgeneratorstate
from typing import TypeVar

from text2art import loop
from text2art.core import Frame
from text2art.loop import Pull
from text2art.models import Models
from text2art.runtime import pick
from text2art.session import Session
from text2art.settings import Settings

MOST = 16  # at a time: more gain nothing

Made = TypeVar("Made")


@contextmanager
def sessions_of(
    orders: Sequence[Settings], models: Models | None = None
) -> Iterator[list[Session]]:
    """Open the sessions of pictures to be drawn together; close them in the end.

    Args:
        orders: the settings of each.
        models: a cache of loaded models; by default they are loaded for these.

    Raises:
        Text2ArtError: of the first that cannot be drawn.
    """
    shared = models or Models(pick())
    with ExitStack() as stack:
        company = len(orders)
        yield [
            stack.enter_context(Session(order, models=shared, company=company)) for order in orders
        ]


def draw_together(sessions: Sequence[Session]) -> Generator[tuple[int, Frame]]:
    """Draw; yield each session's number with its frames, as `Session.frames` gives them, by turns.

    A session that has ended, or is closed meanwhile, leaves the others to go on. How many are drawn
    together decides the last bits of what is seen: the same sessions give the same bits again,
    each alone may not. A checkpoint is to be asked of the session whose frame was just given.

    Args:
        sessions: that have not begun, opened by `sessions_of`.

    Raises:
        OutOfMemory: not even one look at a time fits.
    """
    return in_step([session.course() for session in sessions])


def in_step(courses: Sequence[Generator[Made | Pull]]) -> Generator[tuple[int, Made]]:
    """Let runs go on by turns; pull what they wait for together, yield the rest with their numbers.

    What a run raises, or the pull of all, ends this; the runs stay as they are then. One that has
    ended, or was closed meanwhile, leaves the others to go on.

    Args:
        courses: as `Session.course` gives them.
    """
    going = list(range(len(courses)))
    while going:
        waiting: dict[int, Pull] = {}
        for number in going:
            for made in courses[number]:
                if isinstance(made, Pull):
                    waiting[number] = made
                    break
                yield number, made
        going = [n for n in waiting if getgeneratorstate(courses[n]) != GEN_CLOSED]
        if going:
            loop.pull([waiting[number] for number in going])
