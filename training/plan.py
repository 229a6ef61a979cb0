"""Decide what a batch of pictures shows and what its captions say; no pixel is touched here."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training import falsify, layouts
from training.captions import NOISE, NOTHING, WORDS, Claim, write
from training.layouts import Layout
from training.styles import COLORLESS
from training.subjects import SHAPES, SUBJECT_INDEX, SUBJECTS
from training.world import (
    ATTRIBUTES,
    BACKGROUND_NAMES,
    CENTER,
    COLOR_NAMES,
    MAX_COUNT,
    OTHER_BACKGROUND,
    PLAINS,
    RELATION_NAMES,
    SIZE_NAMES,
    STYLE_NAMES,
    UPRIGHT_JOINING,
)

_DULL_STYLES = tuple(STYLE_NAMES.index(name) for name in COLORLESS)
_PIXELART = STYLE_NAMES.index("pixelart")
_SHAPE_SUBJECTS = [SUBJECT_INDEX[name] for name in SHAPES]
_SHAPE_MASS = list(accumulate(3.0 if name in ("star", "heart") else 1.0 for name in SHAPES))
_ABOVE = RELATION_NAMES.index("above")  # from here on, relations are upright
_SMALL = SIZE_NAMES.index("small")
NO_EMPHASIS: Mapping[str, float] = MappingProxyType({})
_KIN = frozenset(
    pair
    for i, subject in enumerate(SUBJECTS)
    for broader in subject.broader
    for pair in ((i, SUBJECT_INDEX[broader]), (SUBJECT_INDEX[broader], i))
)

# Where in a picture's row of random numbers each part begins.
_LAYOUT = 32
_CHANGE = _LAYOUT + layouts.USED
_WORDS = _CHANGE + falsify.USED
_OTHER_WORDS = _WORDS + WORDS
_RANDOM = _OTHER_WORDS + WORDS


class Drawings(Protocol):
    """The facts of N drawings that a planner needs; `Sprites` has them, and so may plain arrays."""

    @property
    def subject(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def color(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def plain(self) -> NDArray[np.bool_]: ...  # noqa: D102
    @property
    def held_back(self) -> NDArray[np.bool_]: ...  # noqa: D102


@dataclass
class Plan:
    """A batch of n pictures before drawing.

    Attributes:
        truth: (n, 10) what each picture shows, in the columns of `world.ATTRIBUTES`; -1 is unknown.
        sprite: (n, 4) drawing in each slot, -1 for none.
        recolor: (n, 4) color to paint each drawing in, -1 for its own.
        ground: (n,) what lies behind: a plain color, a scene or "other".
        slots: (n, 4, 5) center x, y, half size, angle in radians, mirror sign of each drawing.
        steady: (n,) true where a view that zooms in or looks aside would make the truth untrue.
        difficulty: (n,) in [0, 1].
        claims, captions: of each picture; false_claims, false_captions: one attribute changed. The
            columns of claims are those of the truth; -1 asserts nothing. Of two things, the first
            in the truth is named first.
    """

    truth: NDArray[np.int64]
    sprite: NDArray[np.int64]
    recolor: NDArray[np.int64]
    ground: NDArray[np.int64]
    slots: NDArray[np.float32]
    steady: NDArray[np.bool_]
    difficulty: NDArray[np.float32]
    claims: NDArray[np.int64]
    captions: list[str]
    false_claims: NDArray[np.int64]
    false_captions: list[str]


@dataclass(slots=True)
class _Picture:
    """One picture of a plan."""

    truth: list[int]
    claim: Claim
    ground: int
    layout: Layout
    drawings: list[int]
    paints: list[int]


_NOWHERE = Layout([(0.0, 0.0, 0.0, 0.0, 0)] * MAX_COUNT, steady=False)
_NO_DRAWING = [-1] * MAX_COUNT


class Planner:
    """Draws plans from a numpy generator; the same seed gives the same plans.

    It holds a few short lists, so it is quick to make and to send to another process.

    Args:
        sprites: facts of the drawings.
        held_back: whether to show the drawings kept for evaluation.
        emphasis: how many times as often as others a subject comes, by its name.

    Raises:
        ValueError: emphasis on a name that is no subject.
    """

    def __init__(
        self,
        sprites: Drawings,
        held_back: bool = False,
        emphasis: Mapping[str, float] = NO_EMPHASIS,
    ) -> None:
        self._drawings: list[list[int]] = []
        for i in range(len(SUBJECTS)):
            mine = sprites.subject == i
            kept = np.flatnonzero(mine & (sprites.held_back == held_back))
            self._drawings.append((kept if len(kept) else np.flatnonzero(mine)).tolist())
        self._natural: list[int] = sprites.color.tolist()
        self._plain: list[bool] = sprites.plain.tolist()
        unknown = sorted(set(emphasis) - set(SUBJECT_INDEX))
        if unknown:
            raise ValueError(f"no subject is called {', '.join(unknown)}: see training/subjects.py")
        self._mass = list(
            accumulate((2.0 if s.favorite else 1.0) * emphasis.get(s.name, 1.0) for s in SUBJECTS)
        )

    def draw(self, difficulty: NDArray[np.float32], rng: np.random.Generator) -> Plan:
        """Plan one picture per entry of `difficulty` (each in [0, 1])."""
        n = len(difficulty)
        pictures: list[_Picture] = []
        false_claims: list[list[int]] = []
        captions: list[str] = []
        false_captions: list[str] = []
        for dif, u in zip(difficulty.tolist(), rng.random((n, _RANDOM)).tolist(), strict=True):
            picture = self._one(dif, u)
            pictures.append(picture)
            words = u[_WORDS:_OTHER_WORDS]
            relation = picture.layout.relation
            if relation >= _ABOVE and picture.claim.relation < 0:
                words[-1] *= UPRIGHT_JOINING
            captions.append(write(picture.claim, words))
            wrong = falsify.change_one(picture.claim, u[_CHANGE:_WORDS])
            false_claims.append(wrong.row())
            false_captions.append(write(wrong, words if u[0] < 0.7 else u[_OTHER_WORDS:]))
        table = (n, len(ATTRIBUTES))
        return Plan(
            truth=np.array([p.truth for p in pictures], dtype=np.int64).reshape(table),
            sprite=np.array([p.drawings for p in pictures], dtype=np.int64).reshape(n, MAX_COUNT),
            recolor=np.array([p.paints for p in pictures], dtype=np.int64).reshape(n, MAX_COUNT),
            ground=np.array([p.ground for p in pictures], dtype=np.int64),
            slots=np.array([p.layout.slots for p in pictures], np.float32).reshape(n, MAX_COUNT, 5),
            steady=np.array([p.layout.steady for p in pictures], dtype=np.bool_),
            difficulty=difficulty,
            claims=np.array([p.claim.row() for p in pictures], dtype=np.int64).reshape(table),
            captions=captions,
            false_claims=np.array(false_claims, dtype=np.int64).reshape(table),
            false_captions=false_captions,
        )

    def _one(self, dif: float, u: Sequence[float]) -> _Picture:
        ground = _background(dif, u[1], u[2])
        kind = u[3]
        if kind < 0.03:
            truth = [NOISE, -1, 0, OTHER_BACKGROUND, 0, NOTHING, -1, -1, -1, -1]
            return _Picture(
                truth, Claim(subject=NOISE), OTHER_BACKGROUND, _NOWHERE, _NO_DRAWING, _NO_DRAWING
            )
        if kind < 0.06:
            if ground == OTHER_BACKGROUND:
                ground = int(u[4] * OTHER_BACKGROUND)
            truth = [NOTHING, -1, 0, ground, 0, NOTHING, -1, -1, -1, -1]
            return _Picture(
                truth, Claim(background=ground), ground, _NOWHERE, _NO_DRAWING, _NO_DRAWING
            )
        if kind < 0.08 + 0.06 * dif:
            return self._two(dif, ground, u)
        shape = u[5] < 0.24
        subject = _shape(u[4]) if shape else self._subject(u[4])
        count = _count(u[6], shape, dif)
        drawing, paint, color = self._drawing(subject, dif, u[7:10])
        ground = _unlike(ground, color, -1, u[10])
        style = _style(u[12]) if u[11] < 0.26 * dif else 0
        seen, behind = _seen(style, color, ground)
        span = u[_LAYOUT:_CHANGE]
        if count == 1:
            layout = layouts.alone(dif, ground >= PLAINS, span)
        else:
            layout = layouts.several(count, dif, span)
        size = layout.size if u[15] < (0.5 if layout.size == _SMALL else 0.11) else -1
        place = layout.place if u[16] < (0.3 if layout.place == CENTER else 0.55) else -1
        claim = Claim(
            subject=subject,
            color=seen if u[13] < (0.85 if paint >= 0 else 0.35) else -1,
            count=count,
            background=_told(behind, u[14], 0.75 if place < 0 else 0.3),
            style=style if style and u[17] < 0.9 else -1,
            size=size,
            place=place,
        )
        truth = [
            subject, seen, count, behind, style, NOTHING, -1, -1, layout.size, layout.place,
        ]  # fmt: skip
        rest = MAX_COUNT - count
        return _Picture(
            truth, claim, ground, layout, [drawing] * count + [-1] * rest,
            [paint] * count + [-1] * rest,
        )  # fmt: skip

    def _two(self, dif: float, ground: int, u: Sequence[float]) -> _Picture:
        """Plan a picture of two different things."""
        first = _shape(u[4]) if u[5] < 0.5 else self._subject(u[4])
        second = _shape(u[18]) if u[19] < 0.5 else self._subject(u[18])
        while second == first or (first, second) in _KIN:
            second = (second + 1) % len(SUBJECTS)
        drawing, paint, color = self._drawing(first, dif, u[7:10])
        other, other_paint, other_color = self._drawing(second, dif, u[20:23])
        ground = _unlike(ground, color, other_color, u[10])
        style = _style(u[12]) if u[11] < 0.26 * dif else 0
        seen, behind = _seen(style, color, ground)
        other_seen = -1 if style in _DULL_STYLES else other_color
        layout = layouts.two_kinds(dif, u[_LAYOUT:_CHANGE])
        claim = Claim(
            subject=first,
            color=seen if u[13] < (0.85 if paint >= 0 else 0.3) else -1,
            count=1,
            background=_told(behind, u[14], 0.4),
            style=style if style and u[17] < 0.9 else -1,
            second=second,
            relation=layout.relation if u[16] < 0.6 else -1,
            second_color=other_seen if u[23] < (0.85 if other_paint >= 0 else 0.3) else -1,
        )
        truth = [
            first, seen, 1, behind, style, second, layout.relation, other_seen, -1, -1,
        ]  # fmt: skip
        return _Picture(
            truth, claim, ground, layout, [drawing, other, -1, -1], [paint, other_paint, -1, -1]
        )

    def _subject(self, u: float) -> int:
        return bisect_right(self._mass, u * self._mass[-1])

    def _drawing(self, subject: int, dif: float, u: Sequence[float]) -> tuple[int, int, int]:
        """Choose a drawing; return it, the color to paint it in (-1: its own) and its color."""
        mine = self._drawings[subject]
        drawing = mine[int(u[0] * len(mine))]
        if self._plain[drawing] or u[1] < 0.30 + 0.18 * dif:
            color = int(u[2] * len(COLOR_NAMES))
            return drawing, color, color
        return drawing, -1, self._natural[drawing]


def _shape(u: float) -> int:
    return _SHAPE_SUBJECTS[bisect_right(_SHAPE_MASS, u * _SHAPE_MASS[-1])]


def _background(dif: float, u: float, v: float) -> int:
    if u < 0.14 * dif:
        return OTHER_BACKGROUND
    if u < 0.55:
        return int(v * PLAINS)
    return PLAINS + int(v * (len(BACKGROUND_NAMES) - PLAINS))


def _unlike(ground: int, color: int, other: int, u: float) -> int:
    """Return a background in which things of these colors are visible."""
    if ground not in (color, other):
        return ground
    ground = int(u * PLAINS)
    while ground in (color, other):
        ground = (ground + 1) % PLAINS
    return ground


def _seen(style: int, color: int, ground: int) -> tuple[int, int]:
    """Return the color and the background that can be told in a style."""
    if style in _DULL_STYLES:
        return -1, ground if ground >= PLAINS else -1
    return color, ground


def _told(background: int, u: float, share: float) -> int:
    return background if background < OTHER_BACKGROUND and u < share else -1


def _count(u: float, shape: bool, dif: float) -> int:
    edges = (0.70, 0.84, 0.95) if shape else (0.94 - 0.04 * dif, 0.975 - 0.015 * dif, 0.992)
    return 1 + bisect_right(edges, u)


def _style(v: float) -> int:
    """Pick a style; pixel art, the house style of text2art, takes a quarter."""
    return _PIXELART if v < 0.25 else 1 + int((v - 0.25) / 0.75 * (len(STYLE_NAMES) - 1))
