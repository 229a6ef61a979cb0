"""URLs of strangers, taken apart in the one way that leaves no room for a second reading."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from text2art.errors import InputFileError

LONGEST_URL = 2000  # characters
_AS_IS = "%/:=&?~+!$,;'@()*[]"  # of a request's path and query; the rest is percent-encoded
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\Z")


class UrlRefused(InputFileError):
    """The address is not one that may be asked; asking again changes nothing."""


@dataclass(frozen=True)
class Target:
    """A URL, taken apart and found to be well-formed; nothing was resolved yet."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """The URL as it is asked."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        port = "" if self.port == default else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def split_url(url: str) -> Target:
    """Take an http(s) URL apart.

    Raises:
        UrlRefused: it is none, or of a form that readers of URLs disagree about.
    """
    if len(url) > LONGEST_URL:
        raise UrlRefused(f"a URL of {len(url)} characters is not asked: at most {LONGEST_URL}")
    if "\\" in url or any(c.isspace() or not c.isprintable() for c in url):
        raise UrlRefused(f"{url!r} is not a URL")
    try:
        parts: SplitResult = urlsplit(url)
        given = parts.port
    except ValueError as error:
        raise UrlRefused(f"{url!r} is not a URL: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise UrlRefused(f"{url!r} is not allowed: only http and https URLs are asked")
    if "@" in parts.netloc:
        raise UrlRefused("URLs with a user name are not asked")
    host = _host(url, parts.hostname or "")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = given if given is not None else 443 if parts.scheme == "https" else 80
    if port == 0:
        raise UrlRefused(f"{url!r} is not a URL: there is no port 0")
    return Target(parts.scheme, host, port, quote(path, safe=_AS_IS))


def _host(url: str, given: str) -> str:
    """Return a host in the one way to write it: an address, or ASCII labels."""
    if ":" in given:
        try:
            return str(ipaddress.IPv6Address(given))
        except ValueError:
            raise UrlRefused(f"{url!r} is not a URL: {given!r} is no address") from None
    host = given.rstrip(".").lower()
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError as error:
            raise UrlRefused(f"{url!r} is not a URL: its host is no name: {error}") from None
    labels = host.split(".")
    if _NUMERIC.match(labels[-1]):  # a number at the end means an IPv4 address to some readers
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise UrlRefused(
                f"{url!r} is not allowed: write addresses as four decimal numbers, as 192.0.2.1"
            ) from None
    if len(host) > 253 or not all(_LABEL.match(label) for label in labels):
        raise UrlRefused(f"{url!r} is not a URL: {given[:80]!r} is no host")
    return host


def literal(host: str) -> str | None:
    """Return the address that a host is, None where it is a name."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def is_local_name(host: str) -> bool:
    """Whether a name can only mean something within a network."""
    last = host.rpartition(".")[2]
    return "." not in host or last in ("localhost", "local", "internal", "lan", "home", "corp")
