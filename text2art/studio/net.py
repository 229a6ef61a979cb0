"""The only way out to addresses that strangers name: pictures to begin with, webhooks.

A host's name is resolved once, every address it has is judged, and the connection goes to one that
was judged: a name that resolves differently the second time (DNS rebinding) gains nothing. TLS and
the `Host` header are still those of the name. Redirects are followed by hand, each judged anew, or
not at all. Proxies of the environment are not used: behind one no address can be judged.
"""

from __future__ import annotations

import functools
import ipaddress
import ssl
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import anyio
import httpcore

from text2art import __version__, environment
from text2art.errors import InputFileError, SettingsError
from text2art.media.addresses import is_public
from text2art.studio.urls import Target, UrlRefused, is_local_name, literal, split_url

MAX_REDIRECTS = 4
_MOST_ADDRESSES = 16  # of a host that are judged; it has no more
_MOST_TRIED = 3  # of them that are tried, one after the other
_CONNECT_SECONDS = 10.0
_MOVED = (301, 302, 303, 307, 308)

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]


class Unreachable(InputFileError):
    """The server was not there, too slow, or broke off; later it may be otherwise."""


@dataclass(frozen=True)
class Answer:
    """What a server said.

    Attributes:
        url: where it was said, after redirects.
        headers: by name in lower case; of equal names the last.
        body: cut off where the caller's bound is.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host, as the operating system knows them."""
    rows = await anyio.getaddrinfo(host, port, type=1)  # SOCK_STREAM
    return [str(row[4][0]) for row in rows]


class Web:
    """Asks servers that strangers name. Safe for many tasks at once."""

    def __init__(
        self,
        *,
        allow: Iterable[str] = (),
        allow_private: bool = False,
        resolver: Resolver = system_resolver,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Set the rules.

        Args:
            allow: the site's own hosts that may be asked although their addresses are private:
                `host`, `host:port`, or a network as `10.1.0.0/16`.
            allow_private: whether any address may be asked.
            resolver: what finds the addresses of a name.
            tls: default: certificates of the public authorities.

        Raises:
            SettingsError: `allow` holds something else.
        """
        self._allow_private, self._resolver, self._tls = allow_private, resolver, tls
        self._hosts: set[tuple[str, int | None]] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in allow:
            self._permit(entry.strip().lower())

    def check(self, url: str) -> Target:
        """Take a URL apart; refuse what need not be resolved to be refused.

        Raises:
            UrlRefused: it is no http(s) URL that may be asked.
        """
        target = split_url(url)
        address = literal(target.host)
        if address is not None:
            self._judge(url, target, [address])
        elif not self._may(target) and is_local_name(target.host):
            raise UrlRefused(f"{url!r} is not allowed: {target.host} is a name of this network")
        if not self._may(target) and target.port not in (80, 443) and target.port < 1024:
            raise UrlRefused(
                f"{url!r} is not allowed: of the ports below 1024 only 80 and 443 are asked"
            )
        return target

    async def fetch(self, url: str, max_bytes: int, *, seconds: float = 30.0) -> Answer:
        """GET what a URL holds, through at most `MAX_REDIRECTS` redirects.

        Args:
            url: as a stranger gave it.
            max_bytes: longest body accepted.
            seconds: for everything together.

        Raises:
            UrlRefused: it, or where it redirects to, may not be asked.
            Unreachable: offline, too slow, too big, or the server's refusal.
        """
        with _within(url, seconds):
            here = url
            for _ in range(MAX_REDIRECTS + 1):
                answer = await self._ask("GET", here, b"", {}, max_bytes + 1)
                if answer.status in _MOVED and "location" in answer.headers:
                    here = urljoin(answer.url, answer.headers["location"])
                    continue
                if answer.status != 200:
                    raise Unreachable(f"{url} cannot be loaded: the server says {answer.status}")
                if len(answer.body) > max_bytes:
                    raise InputFileError(f"{url} is larger than {max_bytes / 1e6:g} MB")
                return answer
        raise UrlRefused(f"{url} redirects more than {MAX_REDIRECTS} times")

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        seconds: float = 20.0,
        max_bytes: int = 4096,
    ) -> Answer:
        """POST a body. Redirects are not followed; the answer's body is cut off at `max_bytes`.

        Raises:
            UrlRefused: it may not be asked.
            Unreachable: the server is not there, too slow, or broke off.
        """
        with _within(url, seconds):
            return await self._ask("POST", url, body, headers, max_bytes)

    # ---- one request -------------------------------------------------------------------------

    async def _ask(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], most: int
    ) -> Answer:
        if environment.offline():
            raise Unreachable(f"{url} cannot be loaded: TEXT2ART_OFFLINE is set")
        target = self.check(url)
        sent = {
            "User-Agent": f"text2art/{__version__}",
            "Accept-Encoding": "identity",
            "Connection": "close",
            **headers,
        }
        options = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), 60.0)}
        try:
            async with (
                self._pool(url, target) as pool,
                pool.stream(
                    method,
                    target.url,
                    headers=[(name.encode(), value.encode()) for name, value in sent.items()],
                    content=body if method == "POST" else None,
                    extensions=options,
                ) as response,
            ):
                chunks, count = [], 0
                async for chunk in response.aiter_stream():
                    chunks.append(chunk[: most - count])
                    count += len(chunk)
                    if count >= most:
                        break
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise Unreachable(f"{url} cannot be loaded: {reason[:200]}") from error
        told = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in response.headers
        }
        return Answer(target.url, response.status, told, b"".join(chunks))

    @asynccontextmanager
    async def _pool(self, url: str, target: Target) -> AsyncIterator[httpcore.AsyncConnectionPool]:
        tls = None
        if target.scheme == "https":
            tls = self._tls or await anyio.to_thread.run_sync(_public_authorities)
        backend = _Pinned(functools.partial(self._addresses, url, target))
        async with httpcore.AsyncConnectionPool(
            ssl_context=tls, max_connections=1, network_backend=backend
        ) as pool:
            yield pool

    # ---- judging -----------------------------------------------------------------------------

    async def _addresses(self, url: str, target: Target) -> Sequence[str]:
        """Resolve the host of a target; return its addresses if every one may be asked."""
        given = literal(target.host)
        if given is not None:
            found: Sequence[str] = [given]
        else:
            try:
                with anyio.fail_after(_CONNECT_SECONDS):
                    found = await self._resolver(target.host, target.port)
            except (OSError, UnicodeError) as error:
                raise Unreachable(f"{url} cannot be loaded: {target.host} is not known") from error
        found = list(dict.fromkeys(found))
        if not found:
            raise Unreachable(f"{url} cannot be loaded: {target.host} has no address")
        if len(found) > _MOST_ADDRESSES:
            raise UrlRefused(f"{url} is not allowed: {target.host} has {len(found)} addresses")
        self._judge(url, target, found)
        return found[:_MOST_TRIED]

    def _judge(self, url: str, target: Target, addresses: Sequence[str]) -> None:
        if self._may(target):
            return
        for address in addresses:
            ip = ipaddress.ip_address(address.partition("%")[0])
            if not is_public(address) and not any(
                ip.version == network.version and ip in network for network in self._networks
            ):
                raise UrlRefused(
                    f"{url!r} is not allowed: {target.host} has a private address. Give one that "
                    "anybody on the internet can reach"
                )

    def _may(self, target: Target) -> bool:
        names = {(target.host, None), (target.host, target.port)}
        return self._allow_private or bool(names & self._hosts)

    def _permit(self, entry: str) -> None:
        if "/" in entry:
            try:
                self._networks.append(ipaddress.ip_network(entry))
            except ValueError as error:
                raise SettingsError(f"allowed network {entry!r}: {error}") from None
            return
        host = entry.removeprefix("[").partition("]")[0] if entry.startswith("[") else entry
        port: int | None = None
        if entry.count(":") == 1 or "]:" in entry:
            tail = entry.rpartition(":")[2]
            if not tail.isascii() or not tail.isdigit():
                raise SettingsError(f"allowed host {entry!r}: {tail!r} is no port")
            host, port = (host if "]:" in entry else entry.partition(":")[0]), int(tail)
        if not host or any(c.isspace() for c in host):
            raise SettingsError(f"allowed host {entry!r}: give host, host:port or a network")
        self._hosts.add((host.rstrip("."), port))


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to judged addresses only, whatever the name resolves to meanwhile.

    TLS starts on the connection later and still asks for the certificate of the name.
    """

    def __init__(self, addresses: Callable[[], Awaitable[Sequence[str]]]) -> None:
        self._addresses = addresses
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception | None = None
        for address in await self._addresses():
            try:
                return await self._inner.connect_tcp(
                    address, port, min(timeout or _CONNECT_SECONDS, _CONNECT_SECONDS)
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("sockets of this machine are not asked")

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


@contextmanager
def _within(url: str, seconds: float) -> Iterator[None]:
    """Bound a block by time; when it is over, say so of the URL."""
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError:
        raise Unreachable(f"{url} cannot be loaded: the server is too slow") from None


@functools.cache
def _public_authorities() -> ssl.SSLContext:
    return httpcore.default_ssl_context()
