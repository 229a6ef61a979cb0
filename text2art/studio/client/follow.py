"""What happens to a job, from now to its end, through breaks of the connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from text2art.studio.client.errors import StudioAway
from text2art.studio.client.http import Client, Visit
from text2art.studio.client.shapes import Events, Job, number

# Long polling: a studio answers as soon as something happened. It passes every proxy, is taken up
# again where it broke off, and what happens between two questions arrives at once.
_WAIT_SECONDS = 20.0
_QUEUE_SECONDS = 3.0  # after which the place in the queue is asked for again
_PAUSE_SECONDS = 0.8  # between two questions: pictures come at most so often
_SLICE_SECONDS = 0.2  # between looks whether somebody still waits
_DELAYS = (1.0, 2.0, 4.0, 8.0, 15.0)  # between tries, the last for ever


@dataclass(frozen=True)
class News:
    """A job as it stands.

    Attributes:
        frame: address of the latest picture so far; "" before the first.
        notices: what the studio had to say about it.
        away: why nothing is known at present; it is tried again in `again_in` seconds.
    """

    job: Job
    frame: str = ""
    notices: tuple[str, ...] = ()
    away: StudioAway | None = None
    again_in: float = 0.0


def delays() -> Iterator[float]:
    """Yield seconds to wait between tries, for ever."""
    yield from _DELAYS
    while True:
        yield _DELAYS[-1]


async def rest(seconds: float, wanted: Callable[[], bool]) -> bool:
    """Wait so long, or until it is no longer wanted; return whether it still is."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while wanted() and loop.time() < until:
        await asyncio.sleep(min(_SLICE_SECONDS, max(0.0, until - loop.time())))
    return wanted()


async def follow(
    client: Client, job: Job, visit: Visit, wanted: Callable[[], bool] = lambda: True
) -> AsyncGenerator[News, None]:
    """Yield a job as it changes, to its end; closing this cancels nothing.

    Args:
        client: of the studio.
        job: which.
        visit: whose it is.
        wanted: whether to go on trying while the studio does not answer.

    Raises:
        StudioError: the job is gone, or not the visitor's to see.
    """
    news, after, tries = News(job, job.preview), 0, delays()
    yield news
    while not news.job.ended:
        waits = news.job.state == "queued"
        try:
            wait = _QUEUE_SECONDS if waits else _WAIT_SECONDS
            said = await client.events(job.id, after, wait, visit)
            news = _told(replace(news, away=None), said)
            if said.ended or news.job.ended or waits or not said.events:
                # The row knows what events do not say: the place in the queue, the files.
                fresh = await client.job(job.id, visit)
                news = replace(news, job=fresh, frame=news.frame or fresh.preview)
            after, tries = max(after, said.next), delays()
        except StudioAway as error:
            delay = error.wait or next(tries)
            news = replace(news, away=error, again_in=delay)
            yield news
            if not await rest(delay, wanted):
                return
            continue
        yield news
        if not news.job.ended:
            await asyncio.sleep(_PAUSE_SECONDS)


def _told(news: News, said: Events) -> News:
    """Return what is known after some events."""
    job, frame, notices = news.job, news.frame, list(news.notices)
    for event in said.events:
        kind = event.get("type")
        data: dict[str, Any] = event["data"] if isinstance(event.get("data"), dict) else {}
        if kind == "state" and isinstance(data.get("state"), str):
            job = replace(job, state=data["state"])
        elif kind == "progress":
            job = replace(
                job,
                step=int(number(data.get("step")) or 0),
                steps=int(number(data.get("steps")) or 0) or job.steps,
                score=number(data.get("score")),
                eta_seconds=number(data.get("eta_seconds")),
                position=None,
            )
        elif kind == "frame" and isinstance(data.get("url"), str):
            frame = data["url"]
        elif kind == "notice" and isinstance(data.get("text"), str):
            notices.append(data["text"])
    return replace(news, job=job, frame=frame, notices=tuple(dict.fromkeys(notices)))
