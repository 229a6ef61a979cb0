"""Where the things of a picture go: alone, as two, three or four of a kind, or two of two kinds.

A picture spans [-1, 1] in x (to the right) and y (down). A slot is (center x, center y, half size,
angle in radians, mirror sign).
"""

from collections.abc import Sequence
from typing import NamedTuple

from training.world import CENTER, MAX_COUNT, PLACE_NAMES, RELATION_NAMES, SIZE_NAMES

SMALL, LARGE = 0.45, 0.8  # half sizes below and above which a thing is called small or large
USED = 20  # random numbers that a layout takes

Slot = tuple[float, float, float, float, int]
_EMPTY: Slot = (0.0, 0.0, 0.0, 0.0, 0)
_SMALL, _LARGE = SIZE_NAMES.index("small"), SIZE_NAMES.index("large")
_LEFT, _RIGHT, _TOP, _BOTTOM = (PLACE_NAMES.index(n) for n in ("left", "right", "top", "bottom"))
_ABOVE, _BELOW = RELATION_NAMES.index("above"), RELATION_NAMES.index("below")

# Where the centers of 2, 3 and 4 drawings go, and their half size.
_LAYOUTS: dict[int, list[tuple[list[tuple[float, float]], float]]] = {
    2: [([(-0.47, 0.0), (0.47, 0.0)], 0.44), ([(-0.45, -0.4), (0.45, 0.4)], 0.44),
        ([(0.45, -0.4), (-0.45, 0.4)], 0.44), ([(0.0, -0.48), (0.0, 0.48)], 0.44)],
    3: [([(-0.48, 0.42), (0.48, 0.42), (0.0, -0.46)], 0.41),
        ([(-0.48, -0.42), (0.48, -0.42), (0.0, 0.46)], 0.41),
        ([(-0.64, 0.0), (0.0, 0.0), (0.64, 0.0)], 0.31)],
    4: [([(-0.47, -0.47), (0.47, -0.47), (-0.47, 0.47), (0.47, 0.47)], 0.4)],
}  # fmt: skip


class Layout(NamedTuple):
    """Where things are and what may be said of it; -1 where nothing certain may."""

    slots: list[Slot]  # MAX_COUNT of them
    size: int = -1
    place: int = -1
    relation: int = -1
    steady: bool = True  # a view that zooms in or looks aside would make it untrue


def _filled(slots: list[Slot]) -> list[Slot]:
    return slots + [_EMPTY] * (MAX_COUNT - len(slots))


def alone(dif: float, scene: bool, u: Sequence[float]) -> Layout:
    """Place one thing: mostly large and near the center, at times smaller and anywhere.

    Args:
        dif: difficulty in [0, 1].
        scene: whether it stands in a scene rather than before a plain color.
        u: USED numbers in [0, 1).
    """
    angle, mirror = (2 * u[0] - 1) * (0.10 + 0.15 * dif), 1 if u[1] < 0.5 else -1
    if u[2] < 0.05 + 0.11 * dif:
        return _anywhere(angle, mirror, u)
    half = 0.95 - u[3] * (0.12 + 0.30 * dif)
    centered = u[4] < 0.04 + 0.04 * dif
    room = 0.06 if centered else (1 - half) * 0.9 + 0.04
    x, y = (2 * u[5] - 1) * room, (2 * u[6] - 1) * room * 0.8
    if scene and not centered:  # things stand in a scene more often than they float
        y += 0.06
    return Layout(
        _filled([(x, y, half, angle, mirror)]), _LARGE if half > LARGE else -1,
        CENTER if centered else -1, steady=centered,
    )  # fmt: skip


def _anywhere(angle: float, mirror: int, u: Sequence[float]) -> Layout:
    half = 0.27 + 0.27 * u[3]
    room = 0.98 - half
    aim = int(u[4] * 8)  # 0..4 a place, else wherever it falls
    along, across = room * (0.75 + 0.25 * u[5]), room * 0.3 * (2 * u[6] - 1)
    if aim == _LEFT:
        x, y = -along, across
    elif aim == _RIGHT:
        x, y = along, across
    elif aim == _TOP:
        x, y = across, -along
    elif aim == _BOTTOM:
        x, y = across, along
    elif aim == CENTER:
        x, y = 0.06 * (2 * u[5] - 1), 0.06 * (2 * u[6] - 1)
    else:
        x, y = room * (2 * u[5] - 1), room * (2 * u[6] - 1)
    slots = _filled([(x, y, half, angle, mirror)])
    return Layout(slots, _SMALL if half < SMALL else -1, place_of(x, y))


def place_of(x: float, y: float) -> int:
    """Return the place of a center in the picture, -1 where it is between places."""
    if max(abs(x), abs(y)) < 0.1:
        return CENTER
    if abs(x) > 0.32 and abs(y) < 0.5 * abs(x):
        return _LEFT if x < 0 else _RIGHT
    if abs(y) > 0.32 and abs(x) < 0.5 * abs(y):
        return _TOP if y < 0 else _BOTTOM
    return -1


def several(count: int, dif: float, u: Sequence[float]) -> Layout:
    """Place two to four of a kind; arguments as of `alone`."""
    layouts = _LAYOUTS[count]
    centers, half = layouts[int(u[0] * len(layouts))]
    half *= 1.0 - 0.25 * dif * u[1]
    mirror = 1 if u[2] < 0.5 else -1
    turn = 0.10 + 0.15 * dif
    slots: list[Slot] = []
    for k, (x, y) in enumerate(centers):
        a, b, c = u[3 + 3 * k : 6 + 3 * k]
        slots.append((x + (a - 0.5) * 0.08, y + (b - 0.5) * 0.08, half, (2 * c - 1) * turn, mirror))
    return Layout(_filled(slots))


def two_kinds(dif: float, u: Sequence[float]) -> Layout:
    """Place two things beside or above each other; arguments as of `alone`."""
    relation = int(u[0] * len(RELATION_NAMES))
    upright = relation in (_ABOVE, _BELOW)
    first = -1 if relation in (_LEFT, _ABOVE) else 1  # on which side of the center it is
    turn = 0.08 + 0.12 * dif
    shift = (2 * u[1] - 1) * 0.03
    slots: list[Slot] = []
    for k, side in enumerate((first, -first)):
        a, b, c, d = u[2 + 4 * k : 6 + 4 * k]
        half = 0.46 - (0.04 + 0.08 * dif) * a
        along = side * (0.96 - half * (1 - 0.1 * b)) * 0.93 + shift
        across = (2 * c - 1) * 0.12
        x, y = (across, along) if upright else (along, across)
        mirror = 1 if u[10 + k] < 0.5 else -1
        slots.append((x, y, half, (2 * d - 1) * turn, mirror))
    return Layout(_filled(slots), relation=relation)
