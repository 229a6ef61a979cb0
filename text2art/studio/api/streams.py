"""Server-sent events: every event once, in order, from wherever the reader had got to.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import anyio
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from text2art.studio.api import shapes
from text2art.studio.api.hub import Hub
from text2art.studio.model import Event

KEEP_ALIVE_SECONDS = 15.0  # silence after which proxies and phones may give up
# A change may be announced before it can be read (PostgreSQL) or right after: look again shortly.
_SOON_SECONDS = 0.25
_PAUSE_SECONDS = 0.05  # between two reads for one reader: bursts are read at once
BATCH = 500  # events of one read
RETRY_MS = 2000  # after which browsers connect again

Read = Callable[[], Sequence[Event]]


class EventStream(StreamingResponse):
    """A stream of events that no proxy holds back."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[bytes]) -> None:
        headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
        super().__init__(content, headers=headers)


def encoded(one: Event, mark: str) -> bytes:
    """Return an event as it goes over the wire; `mark` is what a reader comes back with."""
    data = shapes.event(one).model_dump_json()
    return format_sse_event(data_str=data, event=one.type.value, id=mark)


def said(name: str, data: dict[str, Any], mark: str | None = None) -> bytes:
    """Return a message of the stream's own."""
    return format_sse_event(data_str=json.dumps(data), event=name, id=mark)


async def follow(
    hub: Hub,
    topic: str,
    read: Read,
    *,
    ended: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Sequence[Event] | None]:
    """Yield what happens in batches, for ever or until it ended; None when it is time for a sign.

    Args:
        hub: who tells of changes.
        topic: a job's or an owner's id.
        read: reads what is new since its last call; in a thread.
        ended: whether nothing will follow; asked when `read` gives nothing.
    """
    loop = asyncio.get_running_loop()
    with hub.listening(topic) as poke:
        silent, again = loop.time(), False
        while not hub.closed:
            poke.clear()
            found = await anyio.to_thread.run_sync(read)
            if found:
                yield found
                silent, again = loop.time(), True
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            if ended():
                return
            if loop.time() - silent >= KEEP_ALIVE_SECONDS:
                yield None
                silent = loop.time()
            wait = _SOON_SECONDS if again else silent + KEEP_ALIVE_SECONDS - loop.time()
            again = await _poked(poke, max(wait, 0.01))


async def wait_for(hub: Hub, topic: str, read: Read, seconds: float) -> Sequence[Event]:
    """Return what is new, waiting for it so long at most."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    with hub.listening(topic) as poke:
        while True:
            poke.clear()
            found = await anyio.to_thread.run_sync(read)
            left = until - loop.time()
            if found or left <= 0 or hub.closed:
                return found
            if await _poked(poke, left):
                await asyncio.sleep(_PAUSE_SECONDS)


async def _poked(poke: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(poke.wait(), seconds)
    except (TimeoutError, asyncio.TimeoutError):
        return False
    return True
