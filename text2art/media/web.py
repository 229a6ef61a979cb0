"""Fetch a small file from the web for somebody else, without becoming their way in.

The host's addresses are resolved and judged here, and the connection goes to the very address that
was judged: a name that resolves differently the second time (DNS rebinding) gains nothing. Every
redirect is judged anew. Proxies are not used, since behind one no address can be judged.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from text2art import __version__, environment
from text2art.errors import InputFileError
from text2art.media.addresses import is_public

CONNECT_SECONDS = 10.0
TOTAL_SECONDS = 60.0
MAX_REDIRECTS = 4
_CHUNK = 1 << 16
_AS_IS = "%/:=&?~+!$,;'@()*[]"  # of a request's path and query; the rest is percent-encoded
_MOVED = (301, 302, 303, 307, 308)


def download(url: str, max_bytes: int) -> bytes:
    """Return what a URL holds.

    Raises:
        InputFileError: not http(s), an address that may not be asked, offline, too big, too slow,
            or the server's refusal.
    """
    if environment.offline():
        raise InputFileError(f"{url} cannot be loaded: TEXT2ART_OFFLINE is set. Give a local file")
    deadline = time.monotonic() + TOTAL_SECONDS
    here = url
    for _ in range(MAX_REDIRECTS + 1):
        found = _ask(here, max_bytes, deadline)
        if isinstance(found, bytes):
            return found
        here = found
    raise InputFileError(f"{url} cannot be loaded: it redirects more than {MAX_REDIRECTS} times")


def _ask(url: str, max_bytes: int, deadline: float) -> bytes | str:
    """Ask once; return the body, or the URL that it moved to."""
    parts = _split(url)
    address = _judged_address(url, parts)
    connection = _Pinned(parts, address)
    try:
        with _cut_off(connection, deadline):
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            target = quote(target, safe=_AS_IS)
            headers = {"User-Agent": f"text2art/{__version__}", "Accept-Encoding": "identity"}
            connection.request("GET", target, headers=headers)
            with connection.getresponse() as response:
                if response.status in _MOVED and (location := response.getheader("Location")):
                    return urljoin(url, location)
                if response.status != 200:
                    raise InputFileError(
                        f"{url} cannot be loaded: the server says {response.status}"
                    )
                return _body(response, url, max_bytes)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, InputFileError):
            raise
        late = isinstance(error, TimeoutError) or time.monotonic() >= deadline
        reason = "the server is too slow" if late else str(error) or type(error).__name__
        raise InputFileError(f"{url} cannot be loaded: {reason}") from error
    finally:
        connection.close()


def _body(response: http.client.HTTPResponse, url: str, max_bytes: int) -> bytes:
    too_big = InputFileError(f"{url} is larger than {max_bytes / 1e6:g} MB")
    announced = response.length
    if announced is not None and announced > max_bytes:
        raise too_big
    chunks: list[bytes] = []
    count = 0
    while chunk := response.read1(_CHUNK):
        count += len(chunk)
        if count > max_bytes:
            raise too_big
        chunks.append(chunk)
    if announced is not None and count < announced:
        raise InputFileError(f"{url} cannot be loaded: it ended after {count} of {announced} bytes")
    return b"".join(chunks)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises when it is no number
    except ValueError as error:
        raise InputFileError(f"{url!r} is not a URL: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise InputFileError(f"{url!r} is not allowed: only http and https URLs are loaded")
    if not parts.hostname or any(c.isspace() or ord(c) < 32 for c in url):
        raise InputFileError(f"{url!r} is not a URL")
    if parts.username or parts.password:
        raise InputFileError(f"URLs with a user name are not loaded: {parts.hostname}")
    return parts


def _judged_address(url: str, parts: SplitResult) -> str:
    """Resolve the host; return its first address if all of them may be asked."""
    port = parts.port or http.client.HTTPS_PORT
    try:
        rows = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise InputFileError(f"{url} cannot be loaded: {parts.hostname} is not known") from error
    addresses = [str(row[4][0]) for row in rows]
    if not environment.private_urls_allowed():
        refused = [address for address in addresses if not is_public(address)]
        if refused:
            raise InputFileError(
                f"{url} is not allowed: {parts.hostname} is the private address {refused[0]}. "
                "TEXT2ART_ALLOW_PRIVATE_URLS=1 allows it"
            )
    return addresses[0]


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, whatever its host's name resolves to meanwhile."""

    def __init__(self, parts: SplitResult, address: str) -> None:
        assert parts.hostname is not None
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        default = http.client.HTTPS_PORT if self._tls else http.client.HTTP_PORT
        super().__init__(parts.hostname, parts.port or default, timeout=CONNECT_SECONDS)
        self._address = address
        self.line: socket.socket | None = None  # `sock` is forgotten once the answer has begun
        if self._tls:
            self.default_port = http.client.HTTPS_PORT  # else the Host header names the port

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._tls:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)
        self.line = self.sock

    def close(self) -> None:
        super().close()
        if self.line is not None:
            self.line.close()


@contextmanager
def _cut_off(connection: _Pinned, deadline: float) -> Iterator[None]:
    """End a connection at the deadline, also when single bytes keep dripping in."""

    def end() -> None:
        if connection.line is not None:
            with suppress(OSError):  # closed in the meantime
                connection.line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
