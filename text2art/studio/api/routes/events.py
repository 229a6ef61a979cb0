"""What happens to jobs: as a stream, or asked for again and again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Header, Query, Request, Response

from text2art.studio.api import shapes, streams
from text2art.studio.api.context import Context, Ctx, Who
from text2art.studio.api.errors import Refusal
from text2art.studio.api.routes.jobs import JobId
from text2art.studio.api.shapes import AllEvents, JobEvents
from text2art.studio.events import parse_place
from text2art.studio.model import Event, EventType, State

router = APIRouter(tags=["events"])
LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", max_length=60, description="Where a stream goes on.")
]
Wait = Annotated[float, Query(ge=0, le=25, description="Seconds to wait for an event (JSON).")]
_SEQ = re.compile(r"[0-9]{1,9}\Z")
_MOST_STREAMS = 2000  # of a process
_EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "event": {"type": "string"},
        "data": {"type": "string", "description": "An Event as JSON."},
        "retry": {"type": "integer", "minimum": 0},
    },
}
_BOTH: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A stream of events, or with `after` (and not asking for a stream) JSON.",
        "content": {"text/event-stream": {"itemSchema": _EVENT}},
    },
    204: {"description": "The job is over, and nothing is new: do not connect again."},
}


@router.get("/jobs/{job_id}/events", responses=_BOTH, response_model=JobEvents)
async def of_job(
    job_id: JobId,
    request: Request,
    context: Ctx,
    caller: Who,
    after: Annotated[
        int | None, Query(ge=0, le=2**31 - 1, description="Only events with a greater `seq`.")
    ] = None,
    last_event_id: LastEventId = None,
    wait: Wait = 0,
) -> Any:
    """Follow a job.

    As server-sent events (`id` is the event's `seq`); a broken connection goes on where it was.
    With `after` and without `Accept: text/event-stream`: JSON, at once or within `wait` seconds.
    """
    view = await anyio.to_thread.run_sync(context.studio.get, job_id, caller.owner_id)
    resumed = last_event_id is not None and _SEQ.match(last_event_id) is not None
    start = int(last_event_id or 0) if resumed else after or 0
    reader = _JobReader(context, job_id, caller.owner_id, start, ended=view.job.state.ended)
    if not _wants_stream(request, given=after is not None):
        found = await streams.wait_for(
            context.hub, job_id, reader.read, 0 if reader.ended else wait
        )
        events = [shapes.event(one) for one in found]
        return JobEvents(events=events, next=reader.seq, ended=reader.ended and not reader.more)
    if resumed and view.job.state.ended and start >= view.job.last_seq:
        return Response(status_code=204)
    return streams.EventStream(_job_stream(_admitted(context), reader, job_id))


@router.get("/events", responses=_BOTH, response_model=AllEvents)
async def of_all(
    request: Request,
    context: Ctx,
    caller: Who,
    after: Annotated[
        str | None, Query(max_length=60, description="Only events after this place.")
    ] = None,
    last_event_id: LastEventId = None,
    wait: Wait = 0,
) -> Any:
    """Follow all jobs of yours over one connection.

    As server-sent events, beginning with `hello`; `id` is a place in the order of all events.
    Without `after` or `Last-Event-ID`: what happens from now on.
    """
    mark = last_event_id if last_event_id is not None else after
    if mark is None or (mark != "" and parse_place(mark)[0] < 0):
        mark = await anyio.to_thread.run_sync(context.studio.here)
    reader = _AllReader(context, caller.owner_id, mark)
    if not _wants_stream(request, given=after is not None):
        found = await streams.wait_for(context.hub, caller.owner_id, reader.read, wait)
        return AllEvents(events=[shapes.event(one) for one in found], next=reader.place)
    return streams.EventStream(_all_stream(_admitted(context), reader, caller.owner_id))


class _JobReader:
    """Reads a job's events on from where it is.

    Attributes:
        seq: of the last event read.
        ended: whether the job was over when it was last heard of.
        more: whether the last read left some.
    """

    def __init__(
        self, context: Context, job_id: str, viewer_id: str, seq: int, *, ended: bool
    ) -> None:
        self._context, self._job_id, self._viewer_id = context, job_id, viewer_id
        self.seq, self.ended, self.more = seq, ended, False

    def read(self) -> Sequence[Event]:
        found = self._context.studio.events_since(
            self._job_id, self._viewer_id, self.seq, streams.BATCH
        )
        self.more = len(found) == streams.BATCH
        for one in found:
            if one.type is EventType.STATE and one.data.get("state") in _STATES:
                self.ended = State(one.data["state"]).ended
        if found:
            self.seq = found[-1].seq
        return found


class _AllReader:
    """Reads the events of an owner's jobs on from where it is."""

    def __init__(self, context: Context, owner_id: str, place: str) -> None:
        self._context, self._owner_id, self.place = context, owner_id, place

    def read(self) -> Sequence[Event]:
        found = self._context.studio.all_events_since(self._owner_id, self.place, streams.BATCH)
        if found:
            self.place = found[-1].place
        return found


_STATES = frozenset(state.value for state in State)


async def _job_stream(context: Context, reader: _JobReader, job_id: str) -> AsyncIterator[bytes]:
    yield f"retry: {streams.RETRY_MS}\n\n".encode()
    batches = streams.follow(context.hub, job_id, reader.read, ended=lambda: reader.ended)
    async for found in batches:
        if found is None:
            yield b": still here\n\n"
            continue
        yield b"".join(streams.encoded(one, str(one.seq)) for one in found)
    if reader.ended:
        yield streams.said("end", {"job_id": job_id, "seq": reader.seq})


async def _all_stream(context: Context, reader: _AllReader, owner_id: str) -> AsyncIterator[bytes]:
    yield f"retry: {streams.RETRY_MS}\n\n".encode()
    yield streams.said("hello", {"place": reader.place}, reader.place)
    async for found in streams.follow(context.hub, owner_id, reader.read):
        if found is None:
            yield b": still here\n\n"
            continue
        yield b"".join(streams.encoded(one, one.place) for one in found)


def _wants_stream(request: Request, *, given: bool) -> bool:
    """Whether a stream is asked for: by name, or by not asking for anything else."""
    accept = request.headers.get("accept", "")
    if "text/event-stream" in accept:
        return True
    return not given and "application/json" not in accept


def _admitted(context: Context) -> Context:
    if context.hub.listeners >= _MOST_STREAMS:
        raise Refusal(
            503,
            "too many streams are open",
            "Ask with ?after= instead.",
            headers={"Retry-After": "10"},
        )
    return context
