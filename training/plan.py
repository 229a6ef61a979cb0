"""Decide what a batch of pictures shows and what its captions say; no pixel is touched here."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.captions import NOISE, NOTHING, Claim, write
from training.sprites import Sprites
from training.styles import COLORLESS
from training.subjects import SHAPES, SUBJECT_INDEX, SUBJECTS
from training.world import (
    BACKGROUND_NAMES,
    COLOR_NAMES,
    MAX_COUNT,
    OTHER_BACKGROUND,
    PLAINS,
    STYLE_NAMES,
)

_DULL_STYLES = tuple(STYLE_NAMES.index(name) for name in COLORLESS)
_PIXELART = STYLE_NAMES.index("pixelart")
_SHAPE_SUBJECTS = np.array([SUBJECT_INDEX[name] for name in SHAPES])
_SHAPE_WEIGHTS = np.cumsum([3.0 if name in ("star", "heart") else 1.0 for name in SHAPES])
_SUBJECT_WEIGHTS = np.cumsum([2.0 if s.favorite else 1.0 for s in SUBJECTS])

# Where the centers of 2, 3 and 4 drawings go, and their half size, in a picture of [-1, 1].
_LAYOUTS: dict[int, list[tuple[list[tuple[float, float]], float]]] = {
    2: [([(-0.47, 0.0), (0.47, 0.0)], 0.44), ([(-0.45, -0.4), (0.45, 0.4)], 0.44),
        ([(0.45, -0.4), (-0.45, 0.4)], 0.44), ([(0.0, -0.48), (0.0, 0.48)], 0.44)],
    3: [([(-0.48, 0.42), (0.48, 0.42), (0.0, -0.46)], 0.41),
        ([(-0.48, -0.42), (0.48, -0.42), (0.0, 0.46)], 0.41),
        ([(-0.64, 0.0), (0.0, 0.0), (0.64, 0.0)], 0.31)],
    4: [([(-0.47, -0.47), (0.47, -0.47), (-0.47, 0.47), (0.47, 0.47)], 0.4)],
}  # fmt: skip


@dataclass
class Plan:
    """A batch of n pictures before drawing.

    Attributes:
        truth: (n, 5) subject, color, count, background, style of each picture; -1 is unknown.
        sprite: (n,) drawing, -1 for none.
        recolor: (n,) color to paint the drawing in, -1 for its own.
        ground: (n,) what lies behind: a plain color, a scene or "other".
        slots: (n, 4, 5) center x, y, half size, angle in radians, mirror sign of each copy.
        claims, captions: of each picture; false_claims, false_captions: one attribute changed.
    """

    truth: NDArray[np.int64]
    sprite: NDArray[np.int64]
    recolor: NDArray[np.int64]
    ground: NDArray[np.int64]
    slots: NDArray[np.float32]
    difficulty: NDArray[np.float32]
    claims: NDArray[np.int64]
    captions: list[str]
    false_claims: NDArray[np.int64]
    false_captions: list[str]


class Planner:
    """Draws plans from a numpy generator; the same seed gives the same plans."""

    def __init__(self, sprites: Sprites, held_back: bool = False) -> None:
        self._drawings: list[NDArray[np.int64]] = []
        for i in range(len(SUBJECTS)):
            mine = sprites.subject == i
            kept = np.flatnonzero(mine & (sprites.held_back == held_back))
            self._drawings.append(kept if len(kept) else np.flatnonzero(mine))
        self._natural = sprites.color
        self._plain = sprites.plain

    def draw(self, difficulty: NDArray[np.float32], rng: np.random.Generator) -> Plan:
        """Plan one picture per entry of `difficulty` (each in [0, 1])."""
        n = len(difficulty)
        truth = np.full((n, 5), -1, dtype=np.int64)
        sprite, recolor = np.full(n, -1), np.full(n, -1)
        ground = np.zeros(n, dtype=np.int64)
        slots = np.zeros((n, MAX_COUNT, 5), dtype=np.float32)
        u = rng.random((n, 64))
        claims, false_claims = [], []
        captions, false_captions = [], []
        for i in range(n):
            claim = self._one(i, float(difficulty[i]), u[i], truth, sprite, recolor, ground, slots)
            wrong = _change_one(claim, u[i, 36:44])
            claims.append(claim.row())
            false_claims.append(wrong.row())
            captions.append(write(claim, u[i, 44:53].tolist()))
            same_words = u[i, 44:53] if u[i, 62] < 0.7 else u[i, 53:62]
            false_captions.append(write(wrong, same_words.tolist()))
        return Plan(
            truth, sprite, recolor, ground, slots, difficulty,
            np.array(claims), captions, np.array(false_claims), false_captions,
        )  # fmt: skip

    def _one(
        self, i: int, dif: float, u: NDArray[np.float64], truth: Any, sprite: Any,
        recolor: Any, ground: Any, slots: Any,
    ) -> Claim:  # fmt: skip
        ground[i], truth[i, 3] = _background(dif, u[0:3])
        if u[3] < 0.03:
            truth[i] = (NOISE, -1, 0, OTHER_BACKGROUND, 0)
            ground[i] = OTHER_BACKGROUND
            return Claim(subject=NOISE)
        if u[3] < 0.06:
            if ground[i] == OTHER_BACKGROUND:
                ground[i] = truth[i, 3] = int(u[4] * OTHER_BACKGROUND)
            truth[i, (0, 1, 2, 4)] = (NOTHING, -1, 0, 0)
            return Claim(background=int(ground[i]))
        shape = u[3] < 0.28
        if shape:
            which = np.searchsorted(_SHAPE_WEIGHTS, u[4] * _SHAPE_WEIGHTS[-1], side="right")
            subject = int(_SHAPE_SUBJECTS[which])
        else:
            scaled = u[4] * _SUBJECT_WEIGHTS[-1]
            subject = int(np.searchsorted(_SUBJECT_WEIGHTS, scaled, side="right"))
        count = _count(u[5], shape, dif)
        mine = self._drawings[subject]
        drawing = int(mine[int(u[6] * len(mine))])
        painted = bool(self._plain[drawing]) or u[7] < 0.30 + 0.18 * dif
        color = int(u[8] * len(COLOR_NAMES)) if painted else int(self._natural[drawing])
        if color == ground[i]:  # invisible otherwise
            ground[i] = truth[i, 3] = (color + 1 + int(u[9] * (PLAINS - 1))) % PLAINS
        style = _style(u[11]) if u[10] < 0.26 * dif else 0
        sprite[i] = drawing
        recolor[i] = color if painted else -1
        truth[i, 0], truth[i, 1], truth[i, 2], truth[i, 4] = subject, color, count, style
        if style in _DULL_STYLES:
            truth[i, 1] = -1
            if ground[i] < PLAINS:
                truth[i, 3] = -1
        _place(slots[i], count, dif, bool(truth[i, 3] >= PLAINS), u[12:30])
        ask_color = truth[i, 1] >= 0 and u[30] < (0.85 if painted else 0.35)
        ask_ground = 0 <= truth[i, 3] < OTHER_BACKGROUND and u[31] < 0.75
        return Claim(
            subject=subject,
            color=int(truth[i, 1]) if ask_color else -1,
            count=count,
            background=int(truth[i, 3]) if ask_ground else -1,
            style=style if style and u[32] < 0.9 else -1,
        )


def _background(dif: float, u: NDArray[np.float64]) -> tuple[int, int]:
    if u[0] < 0.14 * dif:
        return OTHER_BACKGROUND, OTHER_BACKGROUND
    if u[0] < 0.55:
        plain = int(u[1] * PLAINS)
        return plain, plain
    scene = PLAINS + int(u[1] * (len(BACKGROUND_NAMES) - PLAINS))
    return scene, scene


def _count(u: float, shape: bool, dif: float) -> int:
    edges = (0.48, 0.76, 0.90) if shape else (0.92 - 0.06 * dif, 0.97 - 0.03 * dif, 0.985)
    return 1 + int(np.searchsorted(edges, u, side="right"))


def _style(v: float) -> int:
    """Pick a style; pixel art, the house style of text2art, takes a quarter."""
    return _PIXELART if v < 0.25 else 1 + int((v - 0.25) / 0.75 * (len(STYLE_NAMES) - 1))


def _place(slots: Any, count: int, dif: float, scene: bool, u: NDArray[np.float64]) -> None:
    turn = 0.10 + 0.15 * dif
    if count == 1:
        half = 0.95 - u[0] * (0.12 + 0.30 * dif)
        room = (1 - half) * 0.9 + 0.04
        x, y = (2 * u[1] - 1) * room, (2 * u[2] - 1) * room * 0.8
        if scene:  # things stand in a scene more often than they float
            y += 0.06
        slots[0] = (x, y, half, (2 * u[3] - 1) * turn, 1 if u[4] < 0.5 else -1)
        return
    layouts = _LAYOUTS[count]
    centers, half = layouts[int(u[0] * len(layouts))]
    half *= 1.0 - 0.25 * dif * u[1]
    mirror = 1 if u[2] < 0.5 else -1
    for k, (x, y) in enumerate(centers):
        a, b, c = u[3 + 3 * k : 6 + 3 * k]
        slots[k] = (
            x + (a - 0.5) * 0.08, y + (b - 0.5) * 0.08, half, (2 * c - 1) * turn, mirror,
        )  # fmt: skip


def _change_one(claim: Claim, u: NDArray[np.float64]) -> Claim:
    """Return the claim with one asserted attribute made wrong, most often the subject."""
    row = list(claim.row())
    if claim.subject in (NOISE, -1):
        if claim.subject == -1:
            row[3] = (row[3] + 1 + int(u[1] * (OTHER_BACKGROUND - 1))) % OTHER_BACKGROUND
            return Claim(*row)
        return Claim(subject=int(u[1] * len(SUBJECTS)), count=1)
    sizes = {0: len(SUBJECTS), 1: len(COLOR_NAMES), 3: OTHER_BACKGROUND, 4: len(STYLE_NAMES)}
    weights = [4.0, 2.5, 3.0 if claim.count > 1 else 0.8, 2.0, 1.0]
    mass = np.cumsum([w if value >= 0 else 0.0 for w, value in zip(weights, row, strict=True)])
    which = int(np.searchsorted(mass, u[0] * mass[-1], side="right"))
    if which == 0 and u[2] < 0.5:
        row[0] = _relative(claim.subject, u[3])
    elif which == 2:
        row[2] = 1 + (claim.count + int(u[1] * (MAX_COUNT - 1))) % MAX_COUNT
    else:
        row[which] = (row[which] + 1 + int(u[1] * (sizes[which] - 1))) % sizes[which]
    return Claim(*row)


def _relative(subject: int, u: float) -> int:
    """Return a subject of the same kind: of the shapes, or from a near line of the table."""
    if subject in _SHAPE_SUBJECTS:
        others = _SHAPE_SUBJECTS[subject != _SHAPE_SUBJECTS]
        return int(others[int(u * len(others))])
    step = 1 + int(u * 16)
    return (subject + (step if step <= 8 else 8 - step)) % len(SUBJECTS)
