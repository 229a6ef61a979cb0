"""Pictures and films: frames of the making, results, uploads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Annotated, Any, Literal
from urllib.parse import quote

import anyio
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from text2art.media.files import slug
from text2art.studio.api import shapes
from text2art.studio.api.bodies import file_body, json_body
from text2art.studio.api.context import Context, Ctx, Who
from text2art.studio.api.errors import Refusal
from text2art.studio.api.handing_in import owner_of
from text2art.studio.api.routes.jobs import JobId
from text2art.studio.faults import about
from text2art.studio.model import NotFound
from text2art.studio.ratelimit import Limit, require
from text2art.studio.store import upload_key
from text2art.studio.uploads import Upload

router = APIRouter(tags=["files"])
TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "svg": "image/svg+xml",
    "mp4": "video/mp4",
}
Ending = Literal["png", "svg", "mp4", "gif", "webp", "jpg"]
# A picture is only looked at: no script in an SVG runs, nothing is loaded from anywhere.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'none'"
)
_FOREVER = "max-age=31536000, immutable"
_CHUNK = 1 << 18
_UPLOADS_PER_MINUTE = 30
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})\Z")
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in set(TYPES.values())
        },
    },
    304: {"description": "It is the one that If-None-Match names."},
}
Version = Annotated[
    int | None, Query(alias="v", ge=0, le=10**6, description="The attempt: makes it cacheable.")
]


class UploadShape(BaseModel):
    """A picture that settings may name."""

    key: str
    url: str
    width: int
    height: int
    bytes: int


@router.get("/jobs/{job_id}/frames/{step}", responses=_PICTURE, response_class=Response)
def frame(
    job_id: JobId,
    step: Annotated[
        str,
        Path(
            description="Step of the picture, or `last`.",
            json_schema_extra={"pattern": "^([0-9]{1,7}|last)$"},
        ),
    ],
    request: Request,
    context: Ctx,
    caller: Who,
    v: Version = None,
) -> Response:
    """Return a picture of the making."""
    view = context.studio.get(job_id, caller.owner_id)
    frames = view.frames
    number = max(frames, default=-1) if step == "last" else _number(step)
    if number not in frames:
        told = f": there are {_told(list(frames))}" if frames else " yet"
        raise NotFound(f"job {job_id} has no picture of step {step[:20]}{told}")
    key = frames[number]
    stable = step != "last" and v is not None and str(v) == shapes.version_of(key)
    return _file(request, context, key, stable=stable)


@router.get("/jobs/{job_id}/result.{ending}", responses=_PICTURE, response_class=Response)
def result(
    job_id: JobId,
    ending: Annotated[Ending, Path(description="Which of the files.")],
    request: Request,
    context: Ctx,
    caller: Who,
    v: Version = None,
    download: Annotated[bool, Query(description="Save it under a readable name.")] = False,
) -> Response:
    """Return what a job has made. Ranges of it may be asked for."""
    view = context.studio.get(job_id, caller.owner_id)
    files = (view.job.result or {}).get("files", {})
    if ending not in files:
        there = ", ".join(files) or "none yet"
        raise NotFound(f"job {job_id} has no {ending} file; there are: {there}")
    key = files[ending]
    name = f"{slug(view.job.prompt)}-{slug(str(view.job.seed))}.{ending}" if download else ""
    stable = v is not None and str(v) == shapes.version_of(key)
    return _file(request, context, key, stable=stable, name=name)


@router.post(
    "/uploads",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {"file": {"type": "string", "format": "binary"}},
                        "required": ["file"],
                    }
                },
                "image/*": {"schema": {"type": "string", "format": "binary"}},
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {"url": {"type": "string", "maxLength": 2000}},
                        "required": ["url"],
                        "additionalProperties": False,
                    }
                },
            },
        }
    },
)
async def upload(request: Request, response: Response, context: Ctx, caller: Who) -> UploadShape:
    """Take in a picture, or fetch one; `key` is what settings name it by, as `init_image`.

    It is written anew as PNG, upright, without its metadata.
    """
    owner_id = await anyio.to_thread.run_sync(_enter, context, caller)
    if request.headers.get("content-type", "").startswith("application/json"):
        body = await json_body(request)
        url = body.get("url") if isinstance(body, dict) and len(body) == 1 else None
        if not isinstance(url, str):
            raise Refusal(422, "the body names no picture", 'Send {"url": "https://..."}.', "url")
        with about("url"):
            made = await context.uploads.fetch(owner_id, url)
    else:
        sent = await file_body(request, context.config.caps.upload_bytes)
        with about("file"):
            made = await anyio.to_thread.run_sync(
                context.uploads.receive, owner_id, sent.data, sent.name
            )
    shape = upload_shape(made)
    response.headers["Location"] = shape.url
    return shape


@router.get("/uploads/{sha256}.png", responses=_PICTURE, response_class=Response)
def uploaded(
    sha256: Annotated[
        str,
        Path(description="Hash of its bytes.", json_schema_extra={"pattern": "^[0-9a-f]{64}$"}),
    ],
    request: Request,
    context: Ctx,
) -> Response:
    """Return an uploaded picture: who knows the hash of its bytes may see it."""
    key = upload_key(sha256)
    if context.uploads.find(key) is None:
        raise NotFound(f"there is no upload {sha256[:16]}...: upload it (again)")
    return _file(request, context, key, stable=True)


def upload_shape(made: Upload) -> UploadShape:
    """Return an upload as JSON shows it."""
    return UploadShape(
        key=made.key,
        url=f"{shapes.BASE}/{made.key}",
        width=made.width,
        height=made.height,
        bytes=made.bytes,
    )


def _enter(context: Context, caller: Who) -> str:
    owner_id = owner_of(context, caller)
    if not caller.admin:
        with context.studio.engine.begin() as connection:
            for key in (f"uploads:{owner_id}", f"uploads-from:{caller.address}"):
                require(connection, key, Limit.per(60, _UPLOADS_PER_MINUTE), "uploads")
    return owner_id


def _file(
    request: Request,
    context: Context,
    key: str,
    *,
    stable: bool,
    name: str = "",
) -> Response:
    """Return a file of the store, whole, in part, or as unchanged."""
    ending = key.rpartition(".")[2]
    tag = f'"{key.replace("/", "-")}"'
    headers = {
        "Cache-Control": f"private, {_FOREVER if stable else 'no-cache'}",
        "Content-Security-Policy": POLICY,
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Content-Disposition": _disposition(name),
        "Vary": "Cookie, Authorization",
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    size = context.studio.store.size(key)
    start, end = _part(request, size, tag)
    status = 206 if (start, end) != (0, size) else 200
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    source = context.studio.store.open(key)
    return StreamingResponse(
        _chunks(source, start, end),
        status_code=status,
        headers=headers,
        media_type=TYPES.get(ending, "application/octet-stream"),
    )


def _part(request: Request, size: int, tag: str) -> tuple[int, int]:
    """Return the first byte and the one after the last that are asked for (RFC 9110 §14).

    Raises:
        Refusal: the part lies outside the file.
    """
    asked = request.headers.get("range", "")
    match = _RANGE.match(asked.strip())
    if match is None or not (match[1] or match[2]):
        return 0, size
    if request.headers.get("if-range", tag) != tag:
        return 0, size
    if match[1]:
        start = int(match[1])
        end = min(int(match[2]) + 1, size) if match[2] else size
    else:
        start, end = max(0, size - int(match[2])), size
    if start >= end:
        raise Refusal(
            416,
            f"the file has {size} bytes",
            "Ask for a part of it.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return start, end


def _chunks(source: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    with source:
        source.seek(start)
        left = end - start
        while left > 0:
            data = source.read(min(_CHUNK, left))
            if not data:
                return
            left -= len(data)
            yield data


def _disposition(name: str) -> str:
    """Return the header that names a file to be saved (RFC 6266)."""
    if not name:
        return "inline"
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-._") else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _number(step: str) -> int:
    return int(step) if step.isascii() and step.isdigit() and len(step) < 8 else -1


def _told(steps: list[int]) -> str:
    few = [str(step) for step in steps[:3]]
    return ", ".join(few) if len(steps) <= 4 else f"{', '.join(few)} ... {steps[-1]}"
