"""How long people wait for a day's pictures, by number of workers: the studio's queue, simulated.

    python -m benchmarks.queue_simulation [--users 15000] [--pictures 2] [--seconds 30] ...

Visitors come over the day by a curve; each hands in some pictures at once; whoever is free draws
the one whose turn it is by the studio's own rule (`text2art/studio/queue/turns.py`): owners take
turns. Days run on from one into the next, and the last is counted, so that a queue that is never
worked off shows. The table, in Markdown, is the same for the same arguments.
"""

from __future__ import annotations

import argparse
import bisect
import hashlib
import heapq
import itertools
import math
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from text2art.studio.queue import turns

DAY = 86_400
_MINUTE = 60


@dataclass(frozen=True)
class Picture:
    """A job: when it is handed in, whose it is, how long its drawing takes (seconds)."""

    handed_in: float
    owner: int
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What a number of workers makes of the pictures.

    Attributes:
        waits: from handing in to the start of the drawing, in seconds, in the order handed in.
        longest: the most pictures that waited at once.
    """

    waits: list[float]
    longest: int


@dataclass(frozen=True)
class Crowd:
    """Who comes.

    Attributes:
        users: visitors a day.
        pictures: mean of a visitor's pictures, geometrically distributed, at least one.
        seconds: mean of a picture's time on one worker.
        spread: sigma of the logarithm of that time (log-normal); 0 = all take the same.
        swing: of the daily curve, 0 to 1: arrivals go as 1 + swing * cos(hour - peak).
        peak: hour of the day.
    """

    users: int = 15_000
    pictures: float = 2.0
    seconds: float = 30.0
    spread: float = 0.5
    swing: float = 0.7
    peak: float = 20.0

    @property
    def needed(self) -> float:
        """Workers that are busy on average."""
        return self.users * self.pictures * self.seconds / DAY


def uniforms(seed: int, purpose: str) -> Iterator[float]:
    """Give numbers in (0, 1): SHA-256 in counter mode, the same on every machine."""
    for block in itertools.count():
        digest = hashlib.sha256(f"{seed}/{purpose}/{block}".encode()).digest()
        for word in struct.unpack("<4Q", digest):
            yield ((word >> 11) + 0.5) / 2**53


def day_curve(swing: float, peak: float) -> list[float]:
    """Return the share of a day's visitors that have come by the end of each minute."""
    rates = [
        1 + swing * math.cos(2 * math.pi * ((minute + 0.5) * _MINUTE - peak * 3600) / DAY)
        for minute in range(DAY // _MINUTE)
    ]
    return [share / sum(rates) for share in itertools.accumulate(rates)]


def arrivals(crowd: Crowd, days: int, seed: int) -> list[Picture]:
    """Return the pictures of some days in the order in which they are handed in."""
    curve = day_curve(crowd.swing, crowd.peak)
    coming, many = uniforms(seed, "coming"), uniforms(seed, "pictures")
    normal = _normals(seed)
    # The mean of a log-normal is exp(mu + sigma^2 / 2).
    middle = math.log(crowd.seconds) - crowd.spread**2 / 2
    found = []
    for visitor in range(crowd.users * days):
        share = next(coming)
        minute = min(bisect.bisect_left(curve, share), len(curve) - 1)
        before = curve[minute - 1] if minute else 0.0
        within = (share - before) / (curve[minute] - before)
        when = (visitor // crowd.users) * DAY + (minute + min(within, 1.0)) * _MINUTE
        for _ in range(_geometric(next(many), crowd.pictures)):
            seconds = math.exp(middle + crowd.spread * next(normal))
            found.append(Picture(when, visitor, seconds))
    found.sort(key=lambda picture: picture.handed_in)
    return found


def simulate(pictures: Sequence[Picture], workers: int) -> Outcome:
    """Let a number of workers draw pictures, owners taking turns.

    Args:
        pictures: in the order in which they are handed in.
        workers: at least 1; each draws one picture at a time.
    """
    waits = [0.0] * len(pictures)
    free = [0.0] * workers  # when each worker is free, a heap
    line = Line()
    coming, now = 0, 0.0
    while coming < len(pictures) or line.waiting:
        # Whoever has been free for long starts now, not in the past.
        now = max(now, free[0])
        if not line.waiting:
            now = max(now, pictures[coming].handed_in)
        while coming < len(pictures) and pictures[coming].handed_in <= now:
            line.join(coming, pictures[coming].owner)
            coming += 1
        chosen = line.next()
        waits[chosen] = now - pictures[chosen].handed_in
        heapq.heapreplace(free, now + pictures[chosen].seconds)
    return Outcome(waits, _longest(pictures, waits))


def _longest(pictures: Sequence[Picture], waits: Sequence[float]) -> int:
    """Return how many waited at once at most; who leaves at a moment goes before who comes."""
    steps = []
    for picture, wait in zip(pictures, waits, strict=True):
        if wait > 0:
            steps += [(picture.handed_in, 1), (picture.handed_in + wait, -1)]
    return max(itertools.accumulate(step for _, step in sorted(steps)), default=0)


class Line:
    """The pictures that wait, in the order of `studio/queue/order.py`, with a heap for a database.

    The arithmetic is the studio's own (`turns`), and tests compare the orders. Within an owner's
    pictures the older comes first: all have the same priority here.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self._clock = 0.0
        self._served: dict[int, float] = {}
        self._pictures: dict[int, deque[int]] = {}
        self._turns: list[tuple[float, int, int]] = []  # time served, oldest picture, owner

    def join(self, picture: int, owner: int) -> None:
        """Let a picture wait; pictures are numbered in the order handed in."""
        self.waiting += 1
        mine = self._pictures.setdefault(owner, deque())
        mine.append(picture)
        if len(mine) == 1:
            served = max(self._served.get(owner, 0.0), turns.entry(self._clock))
            heapq.heappush(self._turns, (served, picture, owner))

    def next(self) -> int:
        """Take the picture whose turn it is."""
        self._clock = turns.served(self._clock, len(self._pictures))
        _, picture, owner = heapq.heappop(self._turns)
        mine = self._pictures[owner]
        mine.popleft()
        self.waiting -= 1
        self._served[owner] = self._clock
        if mine:
            heapq.heappush(self._turns, (self._clock, mine[0], owner))
        else:
            del self._pictures[owner]
        return picture


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value that a share of sorted values does not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def written(seconds: float) -> str:
    """Write a time for people."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def table(crowd: Crowd, counts: Sequence[int], days: int, seed: int) -> Iterator[str]:
    """Give the lines of the table, one for each number of workers."""
    pictures = arrivals(crowd, days, seed)
    counted = next(
        index for index, picture in enumerate(pictures) if picture.handed_in >= (days - 1) * DAY
    )
    first = _firsts(pictures, counted)
    yield "| workers | busy | median | p90 | p99 | first picture: median | p99 | longest queue |"
    yield "|" + 8 * "---|"
    for workers in counts:
        outcome = simulate(pictures, workers)
        waits = sorted(outcome.waits[counted:])
        firsts = sorted(outcome.waits[index] for index in first)
        figures = [quantile(waits, share) for share in (0.5, 0.9, 0.99)]
        figures += [quantile(firsts, share) for share in (0.5, 0.99)]
        busy = crowd.needed / workers
        over = " (falls behind)" if busy >= 1 else ""
        shown = " | ".join(map(written, figures))
        yield f"| {workers} | {100 * busy:.0f} %{over} | {shown} | {outcome.longest} |"


def _firsts(pictures: Sequence[Picture], begin: int) -> list[int]:
    """Return which pictures, from a number on, are the first of their owners."""
    seen: set[int] = set()
    found = []
    for index, picture in enumerate(pictures):
        if picture.owner not in seen:
            seen.add(picture.owner)
            if index >= begin:
                found.append(index)
    return found


def _geometric(uniform: float, mean: float) -> int:
    """Return a number from 1 up with the given mean."""
    return 1 if mean == 1 else 1 + int(math.log(uniform) / math.log(1 - 1 / mean))


def _normals(seed: int) -> Iterator[float]:
    """Give normally distributed numbers (Box and Muller 1958)."""
    numbers = uniforms(seed, "seconds")
    while True:
        radius, angle = math.sqrt(-2 * math.log(next(numbers))), 2 * math.pi * next(numbers)
        yield radius * math.cos(angle)
        yield radius * math.sin(angle)


def _counts(text: str) -> list[int]:
    """Read `12` or `8-14`."""
    first, _, last = text.partition("-")
    found = list(range(int(first), int(last or first) + 1))
    if not found or not 1 <= found[0] <= found[-1] <= 1000:
        raise argparse.ArgumentTypeError("give a number of workers, or a range as 8-14; 1 to 1000")
    return found


def main(words: Sequence[str] | None = None) -> None:
    """Simulate, and print the table."""
    default = Crowd()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--users", type=int, default=default.users, help="visitors a day")
    parser.add_argument("--pictures", type=float, default=default.pictures, help="mean of each")
    parser.add_argument("--seconds", type=float, default=default.seconds, help="mean of a picture")
    parser.add_argument("--spread", type=float, default=default.spread, help="sigma of its log")
    parser.add_argument("--swing", type=float, default=default.swing, help="daily curve, 0 to 1")
    parser.add_argument("--peak", type=float, default=default.peak, help="hour of the day")
    parser.add_argument("--workers", type=_counts, default=None, help="as 12, or 8-14")
    parser.add_argument("--days", type=int, default=2, help="the last one is counted")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(words)
    crowd = Crowd(asked.users, asked.pictures, asked.seconds, asked.spread, asked.swing, asked.peak)
    if not 1 <= crowd.users * asked.days <= 1_000_000 or asked.days < 1:
        parser.error("--users times --days must be 1 to 1000000")
    if not 1 <= crowd.pictures <= 100 or not 0 < crowd.seconds <= DAY:
        parser.error("--pictures must be 1 to 100, --seconds above 0 and at most a day")
    if not 0 <= crowd.spread <= 3 or not 0 <= crowd.swing <= 1:
        parser.error("--spread must be 0 to 3, --swing 0 to 1")
    around = math.ceil(crowd.needed)
    counts = asked.workers or range(max(1, around - 2), 2 * around + 3)
    print(
        f"{crowd.users} users a day, {crowd.pictures:g} pictures each, {crowd.seconds:g} s each: "
        f"{crowd.needed:.1f} workers busy on average\n"
    )
    for line in table(crowd, counts, asked.days, asked.seed):
        print(line, flush=True)


if __name__ == "__main__":
    main()
