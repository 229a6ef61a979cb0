"""The 17 wallpaper groups: which positions of a cell show the same."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from text2art.options.filters import Group


@dataclass(frozen=True)
class Motion:
    """A motion of the plane in the cell's own coordinates: (x, y) to matrix (x, y) + shift."""

    matrix: tuple[tuple[float, float], tuple[float, float]]
    shift: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a position goes."""
        (a, b), (c, d) = self.matrix
        return a * x + b * y + self.shift[0], c * x + d * y + self.shift[1]


# General positions as in the International Tables for Crystallography, volume A (5th ed. 2002),
# part 6; "c" adds those half a cell further along both axes. Their short names are used; the
# full ones of pm, pg, cm, pmm, pmg, pgg, cmm, p4m, p4g, p6m are p1m1, p1g1, c1m1, p2mm, p2mg, p2gg,
# c2mm, p4mm, p4gm, p6mm.
_P4 = "x,y; -x,-y; -y,x; y,-x"
_P3 = "x,y; -y,x-y; -x+y,-x"
_P3M1 = "-y,-x; -x+y,y; x,x-y"
_P31M = "y,x; x-y,-y; -x,-x+y"
_P6 = f"{_P3}; -x,-y; y,-x+y; x-y,x"
_POSITIONS: Mapping[Group, str] = {
    "p1": "x,y",
    "p2": "x,y; -x,-y",
    "pm": "x,y; -x,y",
    "pg": "x,y; -x,y+1/2",
    "cm": "c; x,y; -x,y",
    "pmm": "x,y; -x,-y; -x,y; x,-y",
    "pmg": "x,y; -x,-y; -x+1/2,y; x+1/2,-y",
    "pgg": "x,y; -x,-y; -x+1/2,y+1/2; x+1/2,-y+1/2",
    "cmm": "c; x,y; -x,-y; -x,y; x,-y",
    "p4": _P4,
    "p4m": f"{_P4}; -x,y; x,-y; y,x; -y,-x",
    "p4g": f"{_P4}; -x+1/2,y+1/2; x+1/2,-y+1/2; y+1/2,x+1/2; -y+1/2,-x+1/2",
    "p3": _P3,
    "p3m1": f"{_P3}; {_P3M1}",
    "p31m": f"{_P3}; {_P31M}",
    "p6": _P6,
    "p6m": f"{_P6}; {_P3M1}; {_P31M}",
}
HEXAGONAL: tuple[Group, ...] = ("p3", "p3m1", "p31m", "p6", "p6m")
SQUARE: tuple[Group, ...] = ("p4", "p4m", "p4g")
_TERM = re.compile(r"([+-]?)(x|y|1/2)")


def motions(group: Group) -> list[Motion]:
    """Return the motions of a group in a rectangular cell, but for whole cells.

    The hexagonal groups have axes at 120 degrees; their rectangular cell is as wide as one of the
    cells along these axes, the root of 3 as high as wide, and holds two of them.
    """
    parts = [part.strip() for part in _POSITIONS[group].split(";")]
    centered = "c" in parts or group in HEXAGONAL
    found = [_motion(part) for part in parts if part != "c"]
    if group in HEXAGONAL:
        found = [_upright(motion) for motion in found]
    if centered:
        found += [
            Motion(motion.matrix, (motion.shift[0] + 0.5, motion.shift[1] + 0.5))
            for motion in found
        ]
    return found


def aspect(group: Group) -> float | None:
    """Return width over height of a rectangular cell; None where any will do."""
    if group in HEXAGONAL:
        return 1 / math.sqrt(3)
    return 1.0 if group in SQUARE else None


def _motion(text: str) -> Motion:
    """Read a general position, as "-x+1/2,y"."""
    rows, shift = [], []
    for coordinate in text.split(","):
        terms = {"x": 0.0, "y": 0.0, "1/2": 0.0}
        for sign, term in _TERM.findall(coordinate):
            terms[term] = -1.0 if sign == "-" else 1.0
        rows.append((terms["x"], terms["y"]))
        shift.append(terms["1/2"] / 2)
    return Motion((rows[0], rows[1]), (shift[0], shift[1]))


def _upright(motion: Motion) -> Motion:
    """Take a motion from the axes at 120 degrees to those of the rectangular cell.

    Axes a = (1, 0) and b = (-1/2, sqrt(3)/2); the cell's are a and a + 2b. So x a + y b lies at
    s = x - y/2, t = y/2 in the cell, and x = s + t, y = 2t.
    """
    (a, b), (c, d) = motion.matrix
    # Columns are where s and t go: s is x alone, t is x + 2y.
    s, t = (a, c), (a + 2 * b, c + 2 * d)
    return Motion(
        ((s[0] - s[1] / 2, t[0] - t[1] / 2), (s[1] / 2, t[1] / 2)),
        motion.shift,
    )
