"""What goes wrong, as JSON: one sentence, what to do about it, and a status that fits."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from text2art.errors import OutputError, PointedError, QueueFull, SettingsError, Text2ArtError
from text2art.studio.db.engine import is_passing
from text2art.studio.faults import field_of
from text2art.studio.model import Conflict, NotAllowed, NotFound
from text2art.studio.ratelimit import TooMany

_log = logging.getLogger(__name__)
_AGAIN_SECONDS = 30  # after which a full queue may have room
_LONGEST = 1000  # characters of a message


class Pointer(BaseModel):
    """Where in a text the fault is."""

    source: str
    at: int


class Problem(BaseModel):
    """Why a request was not carried out."""

    error: str = Field(description="One sentence.")
    hint: str = Field("", description="What to do about it.")
    pointer: Pointer | None = Field(None, description="Where in a prompt or palette the fault is.")
    field: str | None = Field(None, description="The setting or parameter that is meant.")
    request_id: str = Field("", description="Names the request in the studio's log.")


class Refusal(Text2ArtError):
    """An answer other than what was asked for.

    Attributes:
        status: of HTTP.
        error: one sentence.
        hint: what to do about it.
        field: the setting or parameter that is meant.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        error: str,
        hint: str = "",
        field: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.status, self.error, self.hint, self.field = status, error, hint, field
        self.headers = dict(headers or {})


# Every operation may answer so; the schema says it once.
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in {
        400: "The request cannot be read",
        401: "The API key is not known",
        403: "Not allowed",
        404: "There is no such thing, or it is not yours to see",
        409: "What is there stands in the way",
        413: "Too large",
        415: "The body is of another type",
        422: "What is asked for cannot be drawn",
        429: "Too much in a short time, or the queue is full",
        503: "The database is away",
    }.items()
}


def install(app: FastAPI) -> None:
    """Let an app answer with problems."""
    app.add_exception_handler(Text2ArtError, _on_error)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(DBAPIError, _on_database)
    app.add_exception_handler(Exception, _on_bug)


def answer(refusal: Refusal, request_id: str, pointer: Pointer | None = None) -> JSONResponse:
    """Return a refusal as a response."""
    problem = Problem(
        error=_one_line(refusal.error),
        hint=refusal.hint,
        pointer=pointer,
        field=refusal.field,
        request_id=request_id,
    )
    content = problem.model_dump(exclude_none=True)
    return JSONResponse(content, status_code=refusal.status, headers=refusal.headers)


def refusal_of(error: Text2ArtError) -> Refusal:
    """Return the answer that an error calls for."""
    text = str(error)
    if isinstance(error, Refusal):
        return error
    if isinstance(error, NotFound):
        return Refusal(404, text, "It may have been deleted, or belong to somebody else.")
    if isinstance(error, NotAllowed):
        return Refusal(403, text)
    if isinstance(error, Conflict):
        return Refusal(409, text)
    if isinstance(error, TooMany):
        return Refusal(429, text, headers={"Retry-After": _seconds(error.retry_after)})
    if isinstance(error, QueueFull):
        return Refusal(429, text, headers={"Retry-After": str(_AGAIN_SECONDS)})
    if isinstance(error, SettingsError):
        return Refusal(422, text, field=field_of(error))
    if isinstance(error, OutputError):
        return Refusal(500, "the studio cannot read or write its files", "Ask its owner.")
    return Refusal(500, text)


def _seconds(wait: float) -> str:
    return str(round(max(1.0, min(86_400.0, wait))))


def _id_of(request: Request) -> str:
    return str(request.scope.get("request_id", ""))


async def _on_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Text2ArtError)
    refusal = refusal_of(error)
    if refusal.status >= 500:
        _log.error("request %s failed", _id_of(request), exc_info=error)
    pointer = None
    if isinstance(error, PointedError) and error.source.strip() and len(error.source) < 5000:
        pointer = Pointer(source=error.source, at=max(0, min(error.at, len(error.source))))
    return answer(refusal, _id_of(request), pointer)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    hints = {
        404: "The API is described at /docs.",
        405: "The API is described at /docs.",
        413: "Send less.",
    }
    text = str(error.detail)
    known = {404: "there is nothing at this address", 405: "this cannot be done at this address"}
    refusal = Refusal(
        error.status_code,
        known.get(error.status_code, text),
        hints.get(error.status_code, ""),
        headers=dict(error.headers or {}),
    )
    return answer(refusal, _id_of(request))


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first: Mapping[str, Any] = next(iter(error.errors()), {})
    where = [str(part) for part in first.get("loc", ())]
    name = ".".join(where[1:]) or next(iter(where), None)
    message = str(first.get("msg", "the request cannot be read"))
    broken = first.get("type") == "json_invalid"
    refusal = Refusal(
        400 if broken else 422,
        "the body is not JSON" if broken else f"{name}: {message}" if name else message,
        "Send a JSON object with Content-Type: application/json." if where[:1] == ["body"] else "",
        field=None if broken else name,
    )
    return answer(refusal, _id_of(request))


async def _on_database(request: Request, error: Exception) -> JSONResponse:
    passing = is_passing(error)
    _log.error("request %s: the database failed", _id_of(request), exc_info=error)
    if passing:
        refusal = Refusal(
            503, "the database is away", "Try again shortly.", headers={"Retry-After": "5"}
        )
    else:
        refusal = Refusal(500, "the studio has a fault", "Tell its owner the request's id.")
    return answer(refusal, _id_of(request))


async def _on_bug(request: Request, error: Exception) -> JSONResponse:
    _log.error("request %s failed", _id_of(request), exc_info=error)
    refusal = Refusal(500, "the studio has a fault", "Tell its owner the request's id.")
    return answer(refusal, _id_of(request))


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."
