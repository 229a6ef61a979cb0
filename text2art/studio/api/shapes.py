"""What is answered, as JSON: jobs, events and lists of them. Keys of files become addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from text2art.studio.gallery import JobView, is_visible
from text2art.studio.model import Event, EventType, Job, State

BASE = "/api/v1"
StateName = Literal["queued", "running", "done", "failed", "canceled"]
# Others' uploads are withheld: a published picture does not publish what it began with.
_UPLOAD = re.compile(r"uploads/[0-9a-f]{64}\.[a-z0-9]{1,5}")


class Frame(BaseModel):
    """A picture of the making."""

    step: int
    url: str


class Result(BaseModel):
    """What came out."""

    files: dict[str, str] = Field(description="Addresses by ending: png, svg, mp4, gif, webp, jpg.")
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    seed: int | str | None = None
    steps: int | None = None
    score: float | None = None


class JobShape(BaseModel):
    """A job as its viewer sees it; times are seconds since 1970 (UTC)."""

    id: str
    state: StateName
    position: int | None = Field(description="Turns until it is served; 1 = next.")
    eta_seconds: float | None = Field(description="Until it ends, as far as can be said.")
    progress: float
    step: int
    steps: int
    score: float | None
    loss: float | None
    prompt: str
    drawer: str
    settings: dict[str, Any] = Field(description="What differs from the defaults.")
    seed: int | str | None
    created: float
    started: float | None
    finished: float | None
    attempt: int
    error: str
    cancel_requested: bool
    priority: int
    result: Result | None
    preview: str | None = Field(description="Address of its picture, or of the latest so far.")
    frames: list[Frame] = Field(description="Only of a job asked for by its id.")
    parent_id: str | None
    batch_id: str | None
    batch: list[str] = Field(description="Ids of the whole batch, in the answer to handing it in.")
    liked: bool
    likes: int
    public: bool
    hidden: bool
    mine: bool
    url: str
    share: str | None = Field(description="Page for others, if they may see it.")


class JobList(BaseModel):
    """Part of a list of jobs."""

    jobs: list[JobShape]
    next: str | None = Field(description="Cursor of what follows; null at the end.")


class Likes(BaseModel):
    """Who likes a job."""

    liked: bool
    likes: int


class EventShape(BaseModel):
    """Something that happened to a job."""

    job_id: str
    seq: int
    ts: float
    type: Literal["state", "progress", "frame", "log", "score", "notice"]
    data: dict[str, Any]


class JobEvents(BaseModel):
    """Events of one job."""

    events: list[EventShape]
    next: int = Field(description="Ask with ?after= this for what follows.")
    ended: bool = Field(description="Whether nothing will follow, unless the job is retried.")


class AllEvents(BaseModel):
    """Events of all jobs of an owner."""

    events: list[EventShape]
    next: str = Field(description="Ask with ?after= this for what follows.")


def job(view: JobView, batch: Iterable[str] = ()) -> JobShape:
    """Return a job as JSON shows it."""
    one = view.job
    return JobShape(
        id=one.id,
        state=one.state.value,
        position=view.position,
        eta_seconds=_finite(view.eta_seconds),
        progress=min(max(one.progress, 0.0), 1.0),
        step=one.step,
        steps=one.steps,
        score=_finite(one.score),
        loss=_finite(one.loss),
        prompt=one.prompt if view.mine else _masked(one.prompt),
        drawer=one.drawer,
        settings=dict(one.settings) if view.mine else _for_others(one.settings),
        seed=one.seed,
        created=one.created,
        started=one.started,
        finished=one.finished,
        attempt=one.attempt,
        error=one.error if view.mine else "",
        cancel_requested=one.cancel_requested,
        priority=one.priority if view.mine else 0,
        result=_result(one),
        preview=_preview(view),
        frames=[
            Frame(step=step, url=frame_url(one.id, step, key)) for step, key in view.frames.items()
        ],
        parent_id=one.parent_id,
        batch_id=one.batch_id if view.mine else None,
        batch=list(batch),
        liked=view.liked,
        likes=view.likes,
        public=one.public,
        hidden=one.hidden,
        mine=view.mine,
        url=job_url(one.id),
        share=f"/a/{one.id}" if is_visible(one, None) else None,
    )


def event(one: Event) -> EventShape:
    """Return an event as JSON shows it."""
    data = {name: _finite(value) for name, value in one.data.items()}
    if one.type is EventType.FRAME:
        key = str(data.pop("key", ""))
        data["url"] = frame_url(one.job_id, int(data.get("step", 0)), key)
    return EventShape(job_id=one.job_id, seq=one.seq, ts=one.ts, type=one.type.value, data=data)


def job_url(job_id: str) -> str:
    """Return where a job is."""
    return f"{BASE}/jobs/{job_id}"


def frame_url(job_id: str, step: int, key: str) -> str:
    """Return where a frame is; its version tells pictures of two attempts apart."""
    return f"{job_url(job_id)}/frames/{step}?v={version_of(key)}"


def result_url(job_id: str, extension: str, key: str) -> str:
    """Return where a finished file is."""
    return f"{job_url(job_id)}/result.{extension}?v={version_of(key)}"


def version_of(key: str) -> str:
    """Return the attempt that wrote a file: `3` of `jobs/<id>/3/result.png`."""
    parts = key.split("/")
    return parts[2] if len(parts) > 3 and parts[2].isdigit() else "0"


def _result(one: Job) -> Result | None:
    if one.result is None:
        return None
    files: Mapping[str, str] = one.result.get("files", {})
    facts = {name: _finite(one.result.get(name)) for name in Result.model_fields if name != "files"}
    urls = {ending: result_url(one.id, ending, key) for ending, key in files.items()}
    return Result(files=urls, **facts)


def _preview(view: JobView) -> str | None:
    """Return where the latest picture is; None while there is none."""
    one = view.job
    files: Mapping[str, str] = (one.result or {}).get("files", {})
    for ending in ("png", "jpg", "webp"):
        if ending in files:
            return result_url(one.id, ending, files[ending])
    shown = view.pictured and one.state is not State.FAILED
    return f"{job_url(one.id)}/frames/last" if shown else None


def _for_others(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without what leads to uploads."""
    shown: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            shown[name] = _for_others(value)
        elif isinstance(value, list):
            shown[name] = [_masked(part) for part in value]
        elif not (isinstance(value, str) and _UPLOAD.search(value)):
            shown[name] = value
    return shown


def _masked(value: Any) -> Any:
    return _UPLOAD.sub("upload", value) if isinstance(value, str) else value


def _finite(value: Any) -> Any:
    """Return a value that JSON can hold."""
    return None if isinstance(value, float) and value - value != 0 else value
