"""Bodies of requests: JSON and files, within bounds."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile

from text2art.studio.api.errors import Refusal

_DEEPEST = 20


@dataclass(frozen=True)
class Sent:
    """A file that came with a request."""

    data: bytes
    name: str


async def json_body(request: Request, *, optional: bool = False) -> Any:
    """Return the JSON of a request.

    Args:
        request: the request.
        optional: whether an empty body is an empty object.

    Raises:
        Refusal: it is none.
    """
    data = await request.body()
    if optional and not data.strip():
        return {}
    kind = _kind(request)
    if kind != "application/json" and not kind.endswith("+json"):
        raise Refusal(415, "the body must be JSON", "Send it with Content-Type: application/json.")
    try:
        value = json.loads(data, parse_constant=_no_constant)
        _check(value, 0)
    except (ValueError, RecursionError):
        raise Refusal(
            400, "the body is not JSON", "Send a JSON object, its numbers finite, not too deep."
        ) from None
    return value


async def file_body(request: Request, most: int) -> Sent:
    """Return the file of a request: the part `file` of a form, or the whole body.

    Raises:
        Refusal: there is none, or it is too large.
    """
    if _kind(request) != "multipart/form-data":
        return _checked(Sent(await request.body(), "upload"), most)
    async with request.form(max_files=1, max_fields=4) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Refusal(422, "the form holds no file", "Send it as the field 'file'.", "file")
        return _checked(Sent(await file.read(most + 1), file.filename or "upload"), most)


def _checked(sent: Sent, most: int) -> Sent:
    if not sent.data:
        raise Refusal(
            422, "the file is empty", "Send a picture as the body or the field 'file'.", "file"
        )
    if len(sent.data) > most:
        raise Refusal(413, f"the file is larger than {most / 1e6:g} MB", "Send a smaller one.")
    return sent


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _check(value: Any, depth: int) -> None:
    """Make sure that a value is not too deep, and that its numbers are finite: 1e999 is not."""
    if depth > _DEEPEST or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("too deep, or not finite")
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        _check(part, depth + 1)
