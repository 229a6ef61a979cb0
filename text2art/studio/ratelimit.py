"""Token buckets in the database: how often somebody may do something, over all processes.

A bucket holds at most `burst` tokens and gains `rate` of them a second; what is done takes some
out, or is refused while there are too few. Taking is a single statement, so any number of processes
may take from one bucket at once.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, case, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from text2art.errors import Text2ArtError
from text2art.studio.db.engine import is_postgresql, now
from text2art.studio.db.tables import rate_buckets

_MOST_IN_MEMORY = 10_000  # buckets


class TooMany(Text2ArtError):
    """Too much was asked in too short a time.

    Attributes:
        retry_after: seconds until it may be asked again.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Limit:
    """How often something may be done.

    Attributes:
        rate: tokens gained per second.
        burst: tokens that a full bucket holds.
    """

    rate: float
    burst: float

    @classmethod
    def per(cls, seconds: float, count: float) -> Limit:
        """Allow `count` acts in so many seconds, all of them at once if wished."""
        return cls(count / seconds, count)

    def refilled(self, tokens: float, seconds: float) -> float:
        """Return what is in a bucket after a while. A clock that goes backward gives nothing."""
        return min(self.burst, tokens + max(0.0, seconds) * self.rate)


def take(
    connection: Connection, key: str, limit: Limit, cost: float = 1.0, *, at: float | None = None
) -> float:
    """Take tokens out of a bucket, if there are enough.

    Args:
        connection: the caller's transaction.
        key: names the bucket, as "jobs:<owner>"; of any length and content.
        limit: of the bucket.
        cost: tokens that the act takes.
        at: seconds since 1970; default: now.

    Returns:
        0 when they were taken, else the seconds until there will be enough (infinite where the
        cost is more than a full bucket).
    """
    when = now(connection) if at is None else at
    if cost > limit.burst:
        return float("inf")
    key = _bounded(key)
    table: Any = postgresql.insert if is_postgresql(connection) else sqlite.insert
    held, updated = rate_buckets.c.tokens, rate_buckets.c.updated
    gained = held + case((updated < when, (when - updated) * limit.rate), else_=0.0)
    there = case((gained > limit.burst, limit.burst), else_=gained)
    new = table(rate_buckets).values(key=key, tokens=limit.burst - cost, updated=when)
    taking = new.on_conflict_do_update(
        index_elements=[rate_buckets.c.key],
        set_={"tokens": there - cost, "updated": when},
        where=there >= cost,
    ).returning(rate_buckets.c.tokens)
    if connection.execute(taking).first() is not None:
        return 0.0
    row = connection.execute(select(rate_buckets).where(rate_buckets.c.key == key)).first()
    if row is None:  # cleared away this very moment
        return 0.0
    return _wait(limit, limit.refilled(row.tokens, when - row.updated), cost)


def require(connection: Connection, key: str, limit: Limit, what: str, cost: float = 1.0) -> None:
    """Take tokens, or say when to come again.

    Args:
        connection: the caller's transaction.
        key: names the bucket.
        limit: of the bucket.
        what: is too much, as "jobs".
        cost: tokens that the act takes.

    Raises:
        TooMany: there are too few tokens.
    """
    wait = take(connection, key, limit, cost)
    if wait > 0:
        raise too_many(what, wait)


def too_many(what: str, wait: float) -> TooMany:
    """Make the error that says when to come again."""
    when = f"try again in {max(1, round(wait))} s" if wait != float("inf") else "ask for fewer"
    return TooMany(f"too many {what} in a short time: {when}", wait)


def clear(connection: Connection, older_than: float) -> int:
    """Forget buckets that nobody has taken from for so many seconds; return how many."""
    old = delete(rate_buckets).where(rate_buckets.c.updated < now(connection) - older_than)
    return connection.execute(old).rowcount


class MemoryBuckets:
    """The same within one process, for what is asked too often for a database. Thread-safe.

    With several web processes each grants the whole limit.
    """

    def __init__(self, most: int = _MOST_IN_MEMORY) -> None:
        self._most, self._lock = most, threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, limit: Limit, cost: float = 1.0, *, at: float) -> float:
        """Take tokens out of a bucket; see the function `take`.

        Args:
            key: names the bucket.
            limit: of the bucket.
            cost: tokens that the act takes.
            at: seconds of a clock that never goes backward.
        """
        if cost > limit.burst:
            return float("inf")
        key = _bounded(key)
        with self._lock:
            held, updated = self._buckets.pop(key, (limit.burst, at))
            there = limit.refilled(held, at - updated)
            granted = there >= cost
            self._buckets[key] = (there - cost if granted else there, at)
            while len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        return 0.0 if granted else _wait(limit, there, cost)


def _wait(limit: Limit, there: float, cost: float) -> float:
    return (cost - there) / limit.rate if limit.rate > 0 else float("inf")


def _bounded(key: str) -> str:
    """Return a key of bounded length: strangers choose parts of it."""
    if len(key) <= 100 and key.isprintable():
        return key
    return "sha256:" + hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
