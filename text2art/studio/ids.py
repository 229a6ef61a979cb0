"""Names of jobs: 26 characters that sort by age and cannot be guessed."""

from __future__ import annotations

import re
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_PATTERN = re.compile(rf"[0-7][{_ALPHABET}]{{25}}\Z")


def new_id(now: float | None = None) -> str:
    """Return a new name: 48 bits of milliseconds, then 80 random bits, in base 32.

    Args:
        now: seconds since 1970; default: the process's clock.
    """
    milliseconds = int((time.time() if now is None else now) * 1000) & (2**48 - 1)
    number = milliseconds << 80 | secrets.randbits(80)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def is_id(text: str) -> bool:
    """Whether a text has the form of a name; nothing else may become part of a path."""
    return _PATTERN.match(text) is not None


def new_token() -> str:
    """Return 43 characters (256 random bits) that only their owner knows."""
    return secrets.token_urlsafe(32)
