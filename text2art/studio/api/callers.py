"""Who asks: the machine's own user, a browser's session, or the holder of an API key.

Local mode (private, on loopback, no public address): whoever reaches the port is the machine's own
user. Else a browser is known by a signed cookie; its owner is written down when it first hands
something in, so that visitors cost the database nothing. Programs send an API key.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import Engine

from text2art.studio import accounts
from text2art.studio.api.errors import Refusal
from text2art.studio.config import StudioConfig
from text2art.studio.ids import is_id, new_id
from text2art.studio.model import OwnerKind
from text2art.studio.service import LOCAL

COOKIE = "text2art"
COOKIE_SECONDS = 400 * 86_400  # browsers keep none longer (RFC 6265bis)
HEADER = "x-text2art"  # of requests that change something: no foreign page can send it
_RENEW_SECONDS = 30 * 86_400
_KEY_SECONDS = 10.0  # for which a key is believed without asking the database
_MOST_KEYS = 1000  # remembered
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
# Headers that only a proxy sets: behind one, loopback is not the machine's own user.
_PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@dataclass(frozen=True)
class Caller:
    """Who sent a request.

    Attributes:
        owner_id: whose jobs it is about.
        kind: how they are known.
        address: the network that requests are counted for: an IPv4 address, or an IPv6 /64.
        admin: whether they may pause the queue and hide others' pictures.
        stored: whether the database is known to have the owner.
        cookie: a cookie's value that is to be set.
    """

    owner_id: str
    kind: OwnerKind
    address: str
    admin: bool = False
    stored: bool = False
    cookie: str | None = None


@dataclass(frozen=True)
class Credentials:
    """What a request says about its sender."""

    headers: dict[str, str]
    cookie: str | None
    address: str
    method: str
    scheme: str


class Callers:
    """Finds out who asks. Safe for threads."""

    def __init__(self, config: StudioConfig, engine: Engine, secret: str) -> None:
        self.local = is_local(config)
        self.secure = config.public_url.startswith("https://")
        self._hosts = _hosts(config)
        self._own = {_authority(config.public_url)} if config.public_url else set()
        self._engine = engine
        self._key = hmac.digest(secret.encode(), b"text2art session", "sha256")
        self._admin_key = config.admin_key.get_secret_value()
        self._known: OrderedDict[str, tuple[accounts.ApiKey, float]] = OrderedDict()
        self._lock = threading.Lock()

    def check_host(self, said: Credentials) -> None:
        """Make sure that the page was opened under a name of ours, not of somebody's DNS.

        Raises:
            Refusal: it was not.
        """
        host = _host_of(said.headers.get("host", ""))
        if self._hosts is not None and host not in self._hosts:
            raise Refusal(
                421,
                f"this studio is not called {host[:80]!r}",
                "Its owner can set public_url to the address by which others reach it.",
            )
        if self.local and any(name in said.headers for name in _PROXY_HEADERS):
            raise Refusal(
                421,
                "this studio serves its own machine only, and the request came through a proxy",
                "Its owner can set public_url to the address by which others reach it.",
            )

    def check_origin(self, said: Credentials) -> None:
        """Make sure that a request that changes something was not sent by a foreign page.

        Browsers say where requests come from; programs that are none say nothing, and carry no
        cookie that they were not given.

        Raises:
            Refusal: it was.
        """
        if said.method in ("GET", "HEAD", "OPTIONS") or HEADER in said.headers:
            return
        site, origin = said.headers.get("sec-fetch-site"), said.headers.get("origin")
        if site in ("same-origin", "none"):
            return
        if site is None and (origin is None or self._is_own(origin, said)):
            return
        raise Refusal(
            403,
            "the request comes from another site's page",
            "Pages send the header X-Text2Art: 1 with what changes something; programs use an "
            "API key.",
        )

    def caller(self, said: Credentials) -> Caller:
        """Return who asks. May ask the database for an API key: call it from a thread.

        Raises:
            Refusal: the key is none, or the request comes from another site's page.
        """
        address = network(said.address)
        token = _bearer(said.headers.get("authorization", ""))
        if token is not None:
            return self._by_key(token, address)
        self.check_origin(said)
        if self.local:
            return Caller(LOCAL, OwnerKind.LOCAL, address, admin=True, stored=True)
        found = self._read_cookie(said.cookie or "")
        if found is None:
            owner_id = new_id()
            return Caller(
                owner_id, OwnerKind.SESSION, address, cookie=self.cookie_of(owner_id, time.time())
            )
        owner_id, since = found
        renewed = time.time() - since > _RENEW_SECONDS
        cookie = self.cookie_of(owner_id, time.time()) if renewed else None
        return Caller(owner_id, OwnerKind.SESSION, address, cookie=cookie)

    def needs_database(self, said: Credentials) -> bool:
        """Whether finding out may take a while."""
        return _bearer(said.headers.get("authorization", "")) is not None

    def cookie_of(self, owner_id: str, since: float) -> str:
        """Return a session's cookie."""
        text = f"{owner_id}.{int(since)}"
        return f"{text}.{self._sign(text)}"

    # ---- inside --------------------------------------------------------------------------------

    def _read_cookie(self, value: str) -> tuple[str, int] | None:
        text, dot, signature = value.rpartition(".")
        owner_id, _, since = text.partition(".")
        if not dot or len(value) > 200 or not value.isascii():
            return None
        if not hmac.compare_digest(signature, self._sign(text)):
            return None
        if not is_id(owner_id) or not since.isdigit():
            return None
        return (owner_id, int(since)) if time.time() - int(since) < COOKIE_SECONDS else None

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), "sha256").hexdigest()

    def _by_key(self, token: str, address: str) -> Caller:
        ours = self._admin_key
        if ours and hmac.compare_digest(token.encode(), ours.encode()):
            return Caller(LOCAL, OwnerKind.KEY, address, admin=True, stored=True)
        key = self._remembered(token)
        if key is None:
            raise Refusal(
                401,
                "the API key is not known, or was revoked",
                "'text2art studio keys add' makes one.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return Caller(key.owner_id, OwnerKind.KEY, address, stored=True)

    def _remembered(self, token: str) -> accounts.ApiKey | None:
        now = time.monotonic()
        with self._lock:
            found = self._known.get(token)
        if found is not None and now - found[1] < _KEY_SECONDS:
            return found[0]
        key = accounts.find_key(self._engine, token)
        with self._lock:
            self._known.pop(token, None)
            if key is not None:
                self._known[token] = key, now
                while len(self._known) > _MOST_KEYS:
                    self._known.popitem(last=False)
        if key is not None:
            accounts.note_use(self._engine, key.id)
        return key

    def _is_own(self, origin: str, said: Credentials) -> bool:
        authority = _authority(origin)
        host = said.headers.get("host", "").lower()
        return authority in self._own or authority == _with_port(host, said.scheme)


def is_local(config: StudioConfig) -> bool:
    """Whether whoever reaches the port is the machine's own user."""
    public = urlsplit(config.public_url).hostname if config.public_url else "localhost"
    return (
        config.mode == "private" and _is_loopback(config.host) and _is_loopback(public or "unknown")
    )


def network(address: str) -> str:
    """Return what requests of an address are counted for: IPv6 hosts have 2^64 addresses each."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def _hosts(config: StudioConfig) -> frozenset[str] | None:
    """Return the names that requests may be sent to; None for any."""
    names = {*_LOOPBACK_NAMES, config.host.lower(), socket.gethostname().lower()}
    if config.public_url:
        return frozenset({*names, (urlsplit(config.public_url).hostname or "").lower()})
    return frozenset(names) if is_local(config) else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _host_of(header: str) -> str:
    """Return the name in a Host header, without its port."""
    header = header.strip().lower()
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.rpartition(":")[0] if header.count(":") == 1 else header


def _authority(url: str) -> str:
    """Return scheme, host and port of an origin in one way to write them."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port or (443 if parts.scheme == 'https' else 80)}"


def _with_port(host: str, scheme: str) -> str:
    return _authority(f"{scheme}://{host}")


def _bearer(header: str) -> str | None:
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
