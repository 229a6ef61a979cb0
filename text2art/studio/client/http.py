"""Requests to a studio, and what to make of its answers."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from text2art.errors import SettingsError
from text2art.studio.client.errors import StudioAway, StudioError
from text2art.studio.client.shapes import Catalog, Events, File, Job, Jobs, Reading

DEFAULT_URL = "http://127.0.0.1:8000"
BASE = "/api/v1"
_COOKIE = "text2art"  # by which a studio knows a visitor again
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_PASSING = (502, 503, 504)  # a proxy without its studio, or a studio without its database
_LONGEST_NAME = 120  # characters of a file
_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass
class Visit:
    """Somebody whom a studio knows again, as a browser would be by its cookie."""

    cookie: str = ""


class Client:
    """A studio, for any number of visitors; its connections are those of one event loop at a time.

    With a key all visitors are that key's owner; without one, each `Visit` is somebody else.
    """

    def __init__(self, url: str = DEFAULT_URL, key: str = "") -> None:
        """Talk to a studio.

        Args:
            url: its address.
            key: an API key of it, or "".

        Raises:
            SettingsError: the address or the key cannot be one.
        """
        self.url = address(url)
        self._headers = _headers(key)
        self._http: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def submit(self, settings: Mapping[str, Any], visit: Visit, *, once: str) -> Job:
        """Hand in a picture; the same `once` again gives the same job again.

        Raises:
            StudioError: the studio does not take it; its words.
            StudioAway: it does not answer, as in everything below.
        """
        headers = {"Idempotency-Key": once}
        return Job.of(await self._ask("POST", "/jobs", visit, json=settings, headers=headers))

    async def go_on(
        self, job_id: str, settings: Mapping[str, Any], visit: Visit, *, once: str
    ) -> Job:
        """Hand in a job that goes on from another's picture; `iterations` are further ones."""
        headers = {"Idempotency-Key": once}
        path = f"/jobs/{_id(job_id)}/continue"
        return Job.of(await self._ask("POST", path, visit, json=settings, headers=headers))

    async def job(self, job_id: str, visit: Visit) -> Job:
        """Return a job as it stands."""
        return Job.of(await self._ask("GET", f"/jobs/{_id(job_id)}", visit))

    async def events(self, job_id: str, after: int, wait: float, visit: Visit) -> Events:
        """Return what happened to a job after an event, waiting for it so many seconds at most."""
        params = {"after": str(after), "wait": f"{wait:g}"}
        path = f"/jobs/{_id(job_id)}/events"
        return Events.of(await self._ask("GET", path, visit, params=params))

    async def cancel(self, job_id: str, visit: Visit) -> Job:
        """Stop a job; it keeps its last picture."""
        return Job.of(await self._ask("DELETE", f"/jobs/{_id(job_id)}", visit))

    async def gallery(
        self, visit: Visit, *, words: str = "", cursor: str = "", limit: int = 12
    ) -> Jobs:
        """Return published pictures, newest first."""
        params = {"q": words, "cursor": cursor, "limit": str(limit)}
        given = {name: value for name, value in params.items() if value}
        return Jobs.of(await self._ask("GET", "/gallery", visit, params=given))

    async def read_prompt(self, prompts: str, styles: list[str], visit: Visit) -> Reading:
        """Return what the studio has to say about prompts.

        Raises:
            StudioError: they cannot be read.
        """
        body = {"prompts": prompts, "styles": styles}
        return Reading.of(await self._ask("POST", "/prompt", visit, json=body))

    async def read_palette(self, words: str, visit: Visit) -> tuple[str, ...]:
        """Return the colors of a palette in words, as #rrggbb.

        Raises:
            StudioError: it cannot be read.
        """
        said = await self._ask("POST", "/palettes/read", visit, json={"palette": words})
        colors = said.get("colors") if isinstance(said, dict) else None
        return tuple(str(color) for color in colors or ())

    async def upload(self, data: bytes, name: str, visit: Visit) -> str:
        """Bring a picture; return the key by which settings name it.

        Raises:
            StudioError: it is no picture, or too large.
        """
        said = await self._ask("POST", "/uploads", visit, files={"file": (name, data)})
        key = said.get("key") if isinstance(said, dict) else None
        if not isinstance(key, str):
            raise StudioError("the studio does not say what it calls the picture")
        return key

    async def fetch(self, path: str, visit: Visit) -> File:
        """Return a file by an address that the studio gave: a path of its own.

        Raises:
            StudioError: it is not there, or is another site's.
        """
        # Whatever an answer says, the key goes to the studio alone.
        if not path.startswith("/") or path.startswith("//") or "\\" in path:
            raise StudioError(f"the studio names a file elsewhere: {path[:80]!r}")
        response = await self._send("GET", path, visit)
        if not response.is_success:
            raise _problem(response, self.url)
        return File(response.content, _name_of(response))

    async def close(self) -> None:
        """Close the connections."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    # ---- inside --------------------------------------------------------------------------------

    async def _ask(self, method: str, path: str, visit: Visit, **options: Any) -> Any:
        return _said(await self._send(method, BASE + path, visit, **options), self.url)

    async def _send(self, method: str, path: str, visit: Visit, **options: Any) -> httpx.Response:
        headers = dict(options.pop("headers", {}))
        if visit.cookie and "Authorization" not in self._headers:
            headers["Cookie"] = f"{_COOKIE}={visit.cookie}"
        try:
            response = await self._open().request(
                method, self.url + path, headers=headers, **options
            )
        except httpx.HTTPError as error:
            raise away(self.url, error) from None
        visit.cookie = response.cookies.get(_COOKIE) or visit.cookie
        return response

    def _open(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._http is None or self._loop is not loop:
            # A jar that takes nothing: one visitor's cookie must not go with another's requests.
            none = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
            self._loop = loop
            self._http = httpx.AsyncClient(
                headers=self._headers,
                cookies=none,
                timeout=_TIMEOUT,
                trust_env=not _is_near(self.url),
            )
        return self._http


def read_catalog(url: str, key: str = "") -> Catalog:
    """Ask a studio for everything that a form is made from.

    Raises:
        SettingsError: the address or the key cannot be one.
        StudioError: something else answers, or the key is not known.
        StudioAway: nobody answers.
    """
    base = address(url)
    headers, near = _headers(key), _is_near(base)
    with httpx.Client(headers=headers, timeout=_TIMEOUT, trust_env=not near) as http:
        answers = []
        for path in ("/settings", "/styles", "/palettes", "/me"):
            try:
                answers.append(_said(http.get(base + BASE + path), base))
            except httpx.HTTPError as error:
                raise away(base, error) from None
    return Catalog.of(*answers)


def address(url: str) -> str:
    """Return a studio's address in one way to write it, without a slash at its end.

    Raises:
        SettingsError: it is none.
    """
    given = url.strip().rstrip("/")
    try:
        parts = urlsplit(given)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.username or parts.password or parts.query or parts.fragment:
        raise SettingsError(f"{url[:80]!r} is no address of a studio: give one as {DEFAULT_URL}")
    return given


def away(url: str, error: Exception) -> StudioAway:
    """Return that a studio does not answer."""
    late = isinstance(error, httpx.TimeoutException)
    why = "does not answer in time" if late else "does not answer"
    return StudioAway(f"the studio at {url} {why}")


def _headers(key: str) -> dict[str, str]:
    key = key.strip()
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise SettingsError("the API key cannot be one: 'text2art studio keys add' makes one")
    # X-Text2Art: what studios ask of those that change something.
    headers = {"Accept": "application/json, */*;q=0.5", "X-Text2Art": "1"}
    return {**headers, "Authorization": f"Bearer {key}"} if key else headers


def _said(response: httpx.Response, url: str) -> Any:
    """Return the JSON of an answer.

    Raises:
        StudioError: it is a problem, or no JSON.
    """
    if not response.is_success:
        raise _problem(response, url)
    try:
        return response.json()
    except ValueError:
        raise StudioError(f"what answers at {url} is no text2art studio") from None


def _problem(response: httpx.Response, url: str) -> StudioError:
    status = response.status_code
    if response.is_redirect:
        there = response.headers.get("location", "")[:200]
        return StudioError(f"{url} leads on to {there!r}: give that address", status=status)
    try:
        said = response.json()
    except (ValueError, UnicodeDecodeError):
        said = None
    if not isinstance(said, dict) or not isinstance(said.get("error"), str):
        if status in _PASSING:
            return StudioAway(f"the studio at {url} is away (HTTP {status})", status=status)
        detail = said.get("detail") if isinstance(said, dict) else None
        told = detail if isinstance(detail, str) else json.dumps(detail) if detail else ""
        return StudioError(told or f"{url} answers with HTTP {status}", status=status)
    hint = said["hint"] if isinstance(said.get("hint"), str) else ""
    if status in (429, *_PASSING):
        return StudioAway(said["error"], hint, status=status, wait=_wait(response))
    given = said.get("pointer")
    pointer: dict[str, Any] = given if isinstance(given, dict) else {}
    return StudioError(
        said["error"],
        hint,
        status=status,
        field=str(said.get("field") or ""),
        source=str(pointer.get("source") or ""),
        at=pointer["at"] if isinstance(pointer.get("at"), int) else 0,
    )


def _wait(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    return min(float(text), 600.0) if text.isascii() and text.isdigit() else 0.0


def _id(job_id: str) -> str:
    if not (job_id.isascii() and job_id.isalnum()):
        raise StudioError(f"{job_id[:40]!r} is no id of a job")
    return job_id


def _is_near(url: str) -> bool:
    """Whether an address is this machine's own, where proxies of the environment have no part."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _name_of(response: httpx.Response) -> str:
    """Return what a file would be saved as: plain characters, no folder (RFC 6266)."""
    header = response.headers.get("content-disposition", "")
    match = re.search(r"filename\*=UTF-8''([^;]+)|filename=\"([^\"]*)\"", header)
    said = unquote(match[1]) if match and match[1] else match[2] if match else ""
    path = urlsplit(str(response.url)).path
    name = _PLAIN.sub("-", said or path.rpartition("/")[2]).strip("-.")
    stem, dot, ending = name.rpartition(".")
    return f"{stem[:_LONGEST_NAME]}{dot}{ending[:10]}" or "picture"
