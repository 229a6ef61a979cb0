"""Bring one address into a `.part` file, going on where an earlier try broke off.

Proxies are those of the environment (`http_proxy`, `https_proxy`, `no_proxy`). Beside the `.part`
lies a note of the address and its version (ETag or date), so that two versions are never joined.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from text2art import __version__
from text2art.errors import WeightsError

SILENCE_SECONDS = 30.0  # a server that says nothing for so long is given up
MOST_BYTES = 32_000_000_000  # of a file whose length is not recorded
_CHUNK = 1 << 18
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)\Z")


class BrokeOff(Exception):
    """A source cannot deliver, or not all of it; what came is kept. Says why."""


@dataclass(frozen=True)
class Wish:
    """What is to be brought.

    Attributes:
        url: from where.
        part: where to.
        size: its length in bytes where that is known.
        checked: whether its checksum is known; if not, more is asked of the source.
    """

    url: str
    part: Path
    size: int | None = None
    checked: bool = True


def download(wish: Wish, progress: Callable[[int, int | None], None]) -> str:
    """Bring a file; return the sha256 of all of it, "" when it is longer than it may be.

    Args:
        wish: what.
        progress: told the bytes that are here and the bytes there will be (None: unknown).

    Raises:
        BrokeOff: it could not be brought, or not all of it.
        WeightsError: there is no room for it.
        OSError: it cannot be written.
    """
    try:
        return _attempt(wish, progress)
    except _Changed:
        forget(wish.part)
        return _attempt(wish, progress)


class _Changed(Exception):
    """What is here is no beginning of what the source has now."""


def _attempt(wish: Wish, progress: Callable[[int, int | None], None]) -> str:
    note = _Note(wish)
    have, digest = _left(wish.part) if note.may_go_on() else (0, hashlib.sha256())
    with _asked(wish, note, have) as answer:
        start, whole = _content_range(answer)
        if answer.status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            if wish.checked or whole == have:
                return str(digest.hexdigest())  # everything was here already
            raise _Changed
        if answer.status == http.client.PARTIAL_CONTENT:
            if start != have or not note.agrees(answer):
                raise _Changed
        else:
            have, digest = 0, hashlib.sha256()
        total = None if answer.length is None else have + answer.length
        _check(wish, answer, have, total)
        note.write(answer)
        expected = wish.size if total is None else total
        with wish.part.open("ab" if have else "wb") as stream:
            while chunk := answer.read1(_CHUNK):
                stream.write(chunk)
                digest.update(chunk)
                have += len(chunk)
                if have > (MOST_BYTES if wish.size is None else wish.size):
                    return ""  # no need to go on
                progress(have, expected)
    if expected is not None and have < expected:
        raise BrokeOff(f"it ended after {have} of {expected} bytes")
    return str(digest.hexdigest())


def forget(part: Path) -> None:
    """Delete a part and its note."""
    part.unlink(missing_ok=True)
    _note_of(part).unlink(missing_ok=True)


def check_room(part: Path, missing: int) -> None:
    """Raise where the disk has not so many bytes free.

    Raises:
        WeightsError: so.
    """
    free = shutil.disk_usage(part.parent).free
    if missing > free:
        raise WeightsError(
            f"{part.name.removesuffix('.part')} needs {missing / 1e6:.0f} MB, {part.parent} has "
            f"{free / 1e6:.0f} MB free: make room or set TEXT2ART_HOME to another place"
        )


def _left(part: Path) -> tuple[int, Any]:
    """Return the length and the running checksum of what an earlier try left."""
    have, digest = 0, hashlib.sha256()
    if part.exists():
        with part.open("rb") as left:
            while piece := left.read(_CHUNK):
                digest.update(piece)
                have += len(piece)
    return have, digest


def _check(wish: Wish, answer: http.client.HTTPResponse, have: int, total: int | None) -> None:
    """Raise where an answer cannot be the file."""
    if answer.getheader("Content-Encoding", "identity") != "identity":
        raise BrokeOff("the server sent it encoded, though that was not asked for")
    if wish.size is None and total is not None:
        if total > MOST_BYTES:
            raise BrokeOff(f"it would be {total} bytes long, and {MOST_BYTES} are the most")
        check_room(wish.part, total - have)
    if wish.checked:
        return
    if answer.headers.get_content_type() == "text/html":
        raise BrokeOff("the server sent a web page in place of a file")
    if total is None and not answer.chunked and wish.size is None:
        raise BrokeOff("the server does not say how long it is, so that an end proves nothing")


# ---- asking ------------------------------------------------------------------------------------


@contextlib.contextmanager
def _asked(wish: Wish, note: _Note, have: int) -> Iterator[http.client.HTTPResponse]:
    """Open the source after the bytes that are here; turn what goes wrong meanwhile into words."""
    headers = {"User-Agent": f"text2art/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if note.version:
            headers["If-Range"] = note.version
    if not is_web(wish.url):
        raise BrokeOff("only http:// and https:// are sources")
    try:
        request = urllib.request.Request(wish.url, headers=headers)  # noqa: S310 - checked
        with _opener().open(request, timeout=SILENCE_SECONDS) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        error.close()
        reason = " ".join(str(error.reason).split())[:100]
        raise BrokeOff(f"the server says {error.code} ({reason})") from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        raise BrokeOff(str(getattr(error, "reason", error)) or type(error).__name__) from error
    except (ConnectionError, ssl.SSLError, ValueError) as error:
        raise BrokeOff(str(error) or type(error).__name__) from error


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens http and https alone, by the proxies that the environment names now."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        Redirects(),
        _Answers(),
    ):
        opener.add_handler(handler)
    return opener


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to anything less."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Return the next request.

        Raises:
            urllib.error.URLError: it would leave https, or http and https.
        """
        if not is_web(newurl) or (req.type == "https" and not newurl.lower().startswith("https:")):
            raise urllib.error.URLError(f"it leads to {newurl[:100]}, which is not as safe")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Answers(urllib.request.HTTPErrorProcessor):
    """Lets the answer through that nothing is left to send; it is no error here."""

    def http_response(self, request: Any, response: Any) -> Any:
        if response.status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return response
        return super().http_response(request, response)

    https_response = http_response


def _content_range(answer: http.client.HTTPResponse) -> tuple[int | None, int | None]:
    """Return where a partial answer starts and how long the whole is, None where not told."""
    found = _RANGE.match(answer.getheader("Content-Range") or "")
    if found is None:
        return None, None
    start, whole = found.groups()
    return (None if start is None else int(start)), (None if whole == "*" else int(whole))


def is_web(url: str) -> bool:
    """Whether a word is an address that can be fetched from."""
    return url.lower().startswith(("http://", "https://"))


# ---- the note beside a part --------------------------------------------------------------------


class _Note:
    """From where, and of which version, the part is.

    Attributes:
        version: a strong ETag or a date by which the source can tell whether it still has the same;
            "" when there is none of this source.
    """

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        try:
            row = json.loads(_note_of(wish.part).read_bytes()[:10_000])
            url, version = str(row["url"]), str(row["version"])
        except (OSError, ValueError, TypeError, KeyError):
            url = version = ""
        self.version = version if url == wish.url and "\n" not in version else ""

    def may_go_on(self) -> bool:
        return self._wish.checked or bool(self.version)

    def agrees(self, answer: http.client.HTTPResponse) -> bool:
        """Whether a partial answer is of the same version; a checksum tells better."""
        return self._wish.checked or _version(answer) == self.version

    def write(self, answer: http.client.HTTPResponse) -> None:
        row = {"url": self._wish.url, "version": _version(answer)}
        _note_of(self._wish.part).write_text(json.dumps(row), encoding="utf-8")


def _note_of(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _version(answer: http.client.HTTPResponse) -> str:
    tag = answer.getheader("ETag") or ""
    if tag and not tag.startswith("W/"):
        return tag
    return answer.getheader("Last-Modified") or ""
