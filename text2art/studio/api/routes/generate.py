"""`POST /generate`: the form of the article that this studio grew from, kept working."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import anyio
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from text2art.studio.api import handing_in, shapes, wishes
from text2art.studio.api.bodies import json_body
from text2art.studio.api.context import Context, Ctx, Who
from text2art.studio.api.errors import Refusal
from text2art.studio.faults import fault
from text2art.studio.model import Job, State

router = APIRouter(tags=["jobs"])
_NAMES = (
    "prompts",
    "quality",
    "aspect",
    "scale",
    "style",
    "make_video",
    "email",
    "seed",
    "iterations",
)
# The article's styles, in its words and its site's.
STYLES: Mapping[str, Mapping[str, Any]] = {
    "image": {},
    "painting": {"drawer": "clipdraw"},
    "pixelart": {"drawer": "pixel"},
}
_LOOK_SECONDS = 15.0
_LONGEST_WAIT = 3600.0


class Accepted(BaseModel):
    """The picture will come."""

    message: str = Field(examples=["Task is processed in the background"])
    id: str
    url: str
    page: str


@router.post(
    "/generate",
    status_code=202,
    responses={
        200: {
            "description": "The picture, where `Accept: image/png` asked to wait for it.",
            "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
    response_model=Accepted,
    openapi_extra={
        "requestBody": {
            "required": False,
            "content": {
                kind: {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "prompts": {"type": "string", "default": "Underwater City"},
                            "quality": {"type": "string", "default": "draft"},
                            "aspect": {"type": "string", "default": "square"},
                            "scale": {"type": "number"},
                            "style": {"type": "string", "enum": ["image", "painting", "pixel art"]},
                            "make_video": {"type": "boolean", "default": False},
                            "email": {"type": "string"},
                            "seed": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
                            "iterations": {"type": "integer"},
                        },
                    }
                }
                for kind in ("application/json", "application/x-www-form-urlencoded")
            },
        }
    },
)
async def generate(request: Request, context: Ctx, caller: Who) -> Any:
    """Hand in a picture by the article's own form, as JSON, as a form or in the query.

    The answer comes at once and the picture by mail, or where `GET url` says; with
    `Accept: image/png` the answer is the picture.
    """
    wish = wishes.read(settings_of(await _sent(request)))
    made = (await handing_in.hand_in(context, caller, wish))[0]
    if "image/png" in request.headers.get("accept", ""):
        return await _picture(request, context, made, caller.owner_id)
    return Accepted(
        message="Task is processed in the background",
        id=made.id,
        url=shapes.job_url(made.id),
        page=f"/jobs/{made.id}",
    )


def settings_of(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return the article's form as the body of POST /jobs.

    Raises:
        SettingsError: it holds a field or style that the form does not have.
    """
    unknown = [name for name in sent if name not in _NAMES]
    if unknown:
        raise fault(
            unknown[0][:60],
            f"the form has no field {unknown[0][:60]!r}. There are: {', '.join(_NAMES)}; "
            "POST /api/v1/jobs takes every setting",
        )
    values: dict[str, Any] = {"prompts": "Underwater City", "quality": "draft"}
    values |= {name: value for name, value in sent.items() if value not in (None, "")}
    style = str(values.pop("style", "image"))
    chosen = STYLES.get("".join(c for c in style.lower() if c.isalpha()))
    if chosen is None:
        raise fault("style", f"style {style[:60]!r} is not known: image, painting or pixel art")
    return {**values, **chosen}


async def _sent(request: Request) -> dict[str, Any]:
    """Return the fields of the query, and over them those of the body."""
    values: dict[str, Any] = dict(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        async with request.form(max_files=0, max_fields=50) as form:
            values |= {name: str(value) for name, value in form.items()}
    elif kind or await request.body():
        body = await json_body(request, optional=True)
        if not isinstance(body, dict):
            raise fault("body", 'send a JSON object, as {"prompts": "Underwater City"}')
        values |= body
    return values


async def _picture(request: Request, context: Context, job: Job, owner_id: str) -> Response:
    """Wait for a job to end, and return its picture.

    Raises:
        Refusal: there is none.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + _LONGEST_WAIT
    with context.hub.listening(job.id) as poke:
        while True:
            poke.clear()
            view = await anyio.to_thread.run_sync(context.studio.get, job.id, owner_id)
            if view.job.state.ended or context.hub.closed or loop.time() > until:
                break
            if await request.is_disconnected():
                break
            try:
                await asyncio.wait_for(poke.wait(), _LOOK_SECONDS)
            except (TimeoutError, asyncio.TimeoutError):
                continue
    files = (view.job.result or {}).get("files", {})
    if view.job.state is not State.DONE or "png" not in files:
        raise _none(view.job)
    data = await anyio.to_thread.run_sync(context.studio.store.get, files["png"])
    location = {"Content-Location": shapes.job_url(job.id)}
    return Response(data, media_type="image/png", headers=location)


def _none(job: Job) -> Refusal:
    """Return why there is no picture: not yet, not any more, or not of this."""
    reason = job.error or f"the job is {job.state.value}"
    hint = f"See {shapes.job_url(job.id)}."
    if not job.state.ended:
        return Refusal(503, reason, hint)
    if job.state is State.FAILED:
        return Refusal(422, reason, hint, "prompts")
    return Refusal(409, reason, hint)
