"""The making of a picture as an animated SVG: its marks move, grow and change color (SMIL).

Bounded: few frames, between which readers interpolate, and fewer still where marks are many.
Readers that do not animate show the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from text2art.abilities import PLAIN_SVG, SvgStyle
from text2art.media.svg import (
    Drawing,
    DrawingSource,
    Mark,
    background_rect,
    element,
    group_attributes,
    head,
    hexadecimal,
)

MOST_FRAMES = 24
MOST_BYTES = 8_000_000
SECONDS, HELD = 8.0, 0.2  # length of the film, and the share for which the result stays


class SvgFilm:
    """Takes drawings now and then."""

    def __init__(self, steps: int) -> None:
        """Prepare a film.

        Args:
            steps: how many drawings there will be, at most.
        """
        self._every = max(1, math.ceil(steps / (MOST_FRAMES - 1)))
        self._seen = 0
        self._frames: list[Drawing] = []

    def add(self, source: DrawingSource, *, final: bool = False) -> None:
        """Look at a drawing; keep one in so many, and the last."""
        if final or self._seen % self._every == 0:
            self._frames.append(source.drawing())
        self._seen += 1

    def document(self, style: SvgStyle = PLAIN_SVG) -> str:
        """Write the film; layers and travel do not apply."""
        frames = self._frames
        text = film_document(frames, style)
        while len(text) > MOST_BYTES and len(frames) > 2:
            frames = frames[-1::-2][::-1]  # every other one, the last among them
            text = film_document(frames, style)
        return text


def film_document(frames: Sequence[Drawing], style: SvgStyle = PLAIN_SVG) -> str:
    """Write drawings of one picture, each with the marks of the one before it, as a film.

    Args:
        frames: in order, at least one, all of one size.
        style: how; layers and travel do not apply.
    """
    last = frames[-1]
    times = _times(len(frames))
    parts = [*head(last.width, last.height, style)]
    if last.background is not None:
        colors = [hexadecimal(frame.background or last.background) for frame in frames]
        parts.append(f"{background_rect(last)}>{_animation('fill', colors, times)}</rect>\n")
    parts.append(f'<g id="picture" {group_attributes(last.fill_rule)}>\n')
    for number in range(len(last.marks)):
        states = [_shown(frame, number) for frame in frames]
        parts.extend(_element(number, states, times))
    parts.append("</g>\n</svg>\n")
    return "".join(parts)


def _times(frames: int) -> str:
    moving = [(1 - HELD) * i / max(frames - 1, 1) for i in range(frames)]
    return ";".join(f"{time:.3f}" for time in [*moving, 1.0])


def _shown(frame: Drawing, number: int) -> Mark | None:
    mark = frame.marks[number] if number < len(frame.marks) else None
    return mark if mark is not None and mark.visible() else None


def _element(number: int, states: Sequence[Mark | None], times: str) -> Iterator[str]:
    if states[-1] is None:  # the result does not show it: it is not worth its bytes
        return
    there = [state for state in states if state is not None]
    # While a mark is not there, it waits, transparent, in the form that it comes in with.
    known, filled = there[0], []
    for state in states:
        known = state or known
        filled.append(known)
    kind = known.kind
    seen = [mark.opacity if state else "0" for state, mark in zip(states, filled, strict=True)]
    changes: list[tuple[str, Callable[[Mark], str]]] = [
        ("d", Mark.path),
        (kind, lambda mark: mark.paint),
    ]
    if kind == "stroke":
        changes.append(("stroke-width", lambda mark: mark.thickness))
    animations = [_animation(name, [of(mark) for mark in filled], times) for name, of in changes]
    animations.append(_animation(f"{kind}-opacity", seen, times))
    yield f"{element(number, known)}>{''.join(animations)}</path>\n"


def _animation(attribute: str, values: Sequence[str], times: str) -> str:
    """Write how an attribute changes, the last value held; nothing if it does not."""
    if len(set(values)) == 1:
        return ""
    listed = ";".join([*values, values[-1]])
    return (
        f'<animate attributeName="{attribute}" dur="{SECONDS:g}s" repeatCount="indefinite" '
        f'keyTimes="{times}" values="{listed}"/>'
    )
