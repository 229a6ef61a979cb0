"""Figures in the text format of Prometheus, and the counting of requests.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Labels = tuple[tuple[str, str], ...]
BUCKETS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0)  # seconds


@dataclass(frozen=True)
class Family:
    """Figures of one name."""

    name: str
    help: str
    samples: Mapping[Labels, float]
    kind: str = "gauge"
    suffixed: Mapping[str, Mapping[Labels, float]] = field(default_factory=dict)


def render(families: Iterable[Family]) -> str:
    """Write figures as text."""
    lines: list[str] = []
    for one in families:
        lines += [f"# HELP {one.name} {one.help}", f"# TYPE {one.name} {one.kind}"]
        lines += _lines(one.name, one.samples)
        for suffix, samples in one.suffixed.items():
            lines += _lines(one.name + suffix, samples)
    return "\n".join(lines) + "\n"


def _lines(name: str, samples: Mapping[Labels, float]) -> list[str]:
    lines = []
    for labels, value in samples.items():
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
        lines.append(f"{name}{{{inner}}} {value:g}" if inner else f"{name} {value:.10g}")
    return lines


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Counted:
    """Requests of this process: how many, with which status, how long until their answer began."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0

    def note(self, method: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            method: of HTTP; unusual ones count together.
            status: of the answer, 0 where there was none.
            seconds: until the answer began: streams last as long as their readers like.
        """
        method = method if method in ("GET", "HEAD", "POST", "DELETE") else "other"
        place = next((n for n, most in enumerate(BUCKETS) if seconds <= most), len(BUCKETS))
        with self._lock:
            self._requests[(method, status)] += 1
            self._buckets[place] += 1
            self._seconds += seconds

    def families(self) -> list[Family]:
        """Return what was counted."""
        with self._lock:
            requests, buckets, seconds = dict(self._requests), list(self._buckets), self._seconds
        cumulative: dict[Labels, float] = {}
        total = 0
        for most, count in zip((*map(str, BUCKETS), "+Inf"), buckets, strict=True):
            total += count
            cumulative[(("le", most),)] = float(total)
        return [
            Family(
                "text2art_requests_total",
                "Requests answered, by method and status.",
                {
                    (("method", method), ("status", str(status))): float(n)
                    for (method, status), n in requests.items()
                },
                "counter",
            ),
            Family(
                "text2art_request_seconds",
                "Time until answers began.",
                {},
                "histogram",
                {
                    "_bucket": cumulative,
                    "_sum": {(): seconds},
                    "_count": {(): float(total)},
                },
            ),
        ]
