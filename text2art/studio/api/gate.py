"""What every request passes through before a route sees it, and every answer on its way out.

Plain ASGI, so that streams stream: the sender is found out, foreign hosts and pages are refused,
bodies are bounded, requests are counted; answers get an id and the headers that keep pages safe.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Any

import anyio
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException

from text2art.errors import Text2ArtError
from text2art.studio.api import errors
from text2art.studio.api.callers import COOKIE, COOKIE_SECONDS, Caller, Credentials
from text2art.studio.api.context import Context
from text2art.studio.api.errors import Refusal
from text2art.studio.config import StudioConfig
from text2art.studio.ids import new_id
from text2art.studio.model import OwnerKind
from text2art.studio.ratelimit import Limit, MemoryBuckets, too_many

Message = Any
Scope = Any
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Pages hold nothing but the studio's own files; a picture that is forming may be a blob.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; font-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# Cards of share pages are fetched by others' pages; everything else stays here.
_RESOURCE_POLICY = "same-origin"
_UPLOADS = ("/api/v1/uploads", "/api/v1/recall")
_UPLOAD_MARGIN = 64_000  # bytes of a multipart body around its file
_FREE = ("/static/", "/health", "/api/v1/health")  # not counted: many small files, and probes
_STRANGERS = 5  # how many owners may share an address before it is the address that is counted
_log = logging.getLogger("text2art.studio.access")


class Gate:
    """Wraps an app."""

    def __init__(self, app: App, config: StudioConfig, context: Callable[[], Context]) -> None:
        """Wrap an app.

        Args:
            app: what is wrapped.
            config: of the studio.
            context: gives the studio, once it is open.
        """
        self._app, self._config, self._context = app, config, context
        self._buckets = MemoryBuckets()
        self._reads = Limit.per(60, config.reads_per_minute)
        self._reads_of_address = Limit.per(60, _STRANGERS * config.reads_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
                return
            await self._app(scope, receive, send)
            return
        started, request_id = time.monotonic(), new_id()
        scope["request_id"] = request_id
        said = credentials(scope)
        out = _Out(send, request_id, secure=self._context().callers.secure)
        try:
            caller = await self._admit(said, scope["path"])
            scope["caller"], out.cookie = caller, caller.cookie
            await self._app(scope, self._bounded(scope, receive), out.send)
        except Text2ArtError as error:
            response = errors.answer(errors.refusal_of(error), request_id)
            await response(scope, receive, out.send)
        except HTTPException as error:  # a body that was too large before any route had it
            refusal = Refusal(error.status_code, str(error.detail))
            await errors.answer(refusal, request_id)(scope, receive, out.send)
        finally:
            seconds = out.began - started if out.began else 0.0
            self._context().counted.note(said.method, out.status, seconds)
            _log.info(
                "%s %s %s %s %.0f ms",
                request_id,
                said.method,
                _shown(scope["path"]),
                out.status,
                1000 * (time.monotonic() - started),
            )

    async def _admit(self, said: Credentials, path: str) -> Caller:
        callers = self._context().callers
        if not path.endswith("/health"):  # probes name hosts as they like
            callers.check_host(said)
        if callers.needs_database(said):
            caller = await anyio.to_thread.run_sync(callers.caller, said)
        else:
            caller = callers.caller(said)
        if not path.startswith(_FREE) and caller.kind is not OwnerKind.LOCAL:
            self._count(caller)
        return caller

    def _count(self, caller: Caller) -> None:
        """Count a request, for its owner and, as owners cost nothing, for its address.

        Raises:
            TooMany: there were too many.
        """
        at = time.monotonic()
        pairs: Iterable[tuple[str, Limit]] = (
            (f"owner:{caller.owner_id}", self._reads),
            (f"address:{caller.address}", self._reads_of_address),
        )
        for key, limit in pairs:
            wait = self._buckets.take(key, limit, at=at)
            if wait > 0:
                raise too_many("requests", wait)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """Return a `receive` that refuses a body beyond the bound.

        Raises:
            Refusal: the request says itself that it is too large.
        """
        caps = self._config.caps
        most = caps.settings_bytes * 2 + 4096
        if scope["path"] in _UPLOADS:
            most = caps.upload_bytes + _UPLOAD_MARGIN
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        if not stated.isdigit() or int(stated) > most:
            raise _too_large(most)
        got = 0

        async def bounded() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > most:
                raise HTTPException(413, f"the body has more than {most} bytes")
            return message

        return bounded


class _Out:
    """Adds headers to an answer."""

    def __init__(self, send: Send, request_id: str, *, secure: bool) -> None:
        self._send, self._id, self._secure = send, request_id, secure
        self.cookie: str | None = None
        self.status = 0
        self.began: float | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.began = message["status"], time.monotonic()
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._id
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Content-Security-Policy", PAGE_POLICY)
            headers.setdefault("Cross-Origin-Resource-Policy", _RESOURCE_POLICY)
            headers.setdefault("Cache-Control", "no-store")
            if self._secure:
                headers.setdefault("Strict-Transport-Security", "max-age=31536000")
            if self.cookie is not None and headers["Cache-Control"].startswith(("no", "private")):
                headers.append("Set-Cookie", self._set_cookie(self.cookie))
        await self._send(message)

    def _set_cookie(self, value: str) -> str:
        secure = "; Secure" if self._secure else ""
        return f"{COOKIE}={value}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Lax{secure}"


def credentials(scope: Scope) -> Credentials:
    """Return what a request says about its sender."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        headers[name.decode("latin-1").lower()] = value.decode("latin-1")
    client = scope.get("client") or ("unknown", 0)
    return Credentials(
        headers=headers,
        cookie=_cookie(headers.get("cookie", "")),
        address=str(client[0]),
        method=scope["method"],
        scheme=scope.get("scheme", "http"),
    )


def _cookie(header: str) -> str | None:
    if COOKIE not in header:
        return None
    try:
        found = SimpleCookie(header[:8192]).get(COOKIE)
    except CookieError:
        return None
    return None if found is None else found.value


def _too_large(most: int) -> Refusal:
    return Refusal(413, f"the body is larger than {most} bytes", "Send less.")


def _shown(path: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in path[:200])
