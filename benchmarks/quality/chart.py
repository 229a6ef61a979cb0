"""A line chart as SVG, legible on white and on black."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 20, 20, 90
_COLORS = ("#d1495b", "#2a7fde", "#3a9d5d", "#b07cc6", "#e08e2b", "#5f7f8c")  # told apart by most


def chart(lines: Mapping[str, Points], across: str, up: str) -> str:
    """Draw lines of points, each named in a legend.

    Args:
        lines: points `(x, y)` of each, with x rising; at least one line with two points.
        across, up: names of the axes.
    """
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    x_ticks, y_ticks = ticks(min(0.0, *xs), max(xs)), ticks(min(ys), max(ys))
    right, top = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        along = (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0])
        high = (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return _LEFT + along * (right - _LEFT), top - high * (top - _TOP)

    parts = []
    for tick in x_ticks:
        x, _ = place(tick, y_ticks[0])
        parts.append(_stroke([(x, top), (x, top + 5)], "#888", 1))
        parts.append(_text(x, top + 20, f"{tick:g}", "middle"))
    for tick in y_ticks:
        _, y = place(x_ticks[0], tick)
        parts.append(_stroke([(_LEFT, y), (right, y)], "#8884", 1))
        parts.append(_text(_LEFT - 8, y + 4, f"{tick:g}", "end"))
    parts.append(_text((_LEFT + right) / 2, top + 40, across, "middle"))
    parts.append(_text(_LEFT - 8, _TOP - 6, up, "start"))
    room = (right - _LEFT) / len(lines)
    for number, (label, points) in enumerate(lines.items()):
        color = _COLORS[number % len(_COLORS)]
        parts.append(_stroke([place(x, y) for x, y in points], color, 2.5))
        x = _LEFT + number * room
        parts.append(_stroke([(x, top + 66), (x + 24, top + 66)], color, 2.5))
        parts.append(_text(x + 30, top + 70, label, "start"))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="12" fill="#888">\n{body}\n</svg>\n'
    )


def ticks(low: float, high: float) -> list[float]:
    """Return about five round numbers in even steps, from at most `low` to at least `high`."""
    span = (high - low) or 1.0
    rough = span / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, max(last, first + 1) + 1)]


def _stroke(points: Sequence[tuple[float, float]], color: str, width: float) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width}"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
