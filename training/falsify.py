"""Turn true claims into false ones that differ as little as possible: the hardest negatives."""

from collections.abc import Sequence

from training.captions import NOISE, Claim
from training.subjects import SHAPES, SUBJECT_INDEX, SUBJECTS
from training.world import (
    BACKGROUND,
    COLOR,
    COLOR_NAMES,
    COUNT,
    MAX_COUNT,
    OTHER_BACKGROUND,
    PLACE,
    PLACE_NAMES,
    RELATION,
    SECOND,
    SECOND_COLOR,
    SIZE,
    SIZE_NAMES,
    STYLE,
    STYLE_NAMES,
    SUBJECT,
)

USED = 4  # random numbers that a change takes
_KINDS = len(SUBJECTS)
_SHAPES = tuple(SUBJECT_INDEX[name] for name in SHAPES)
_VALUES = {
    COLOR: len(COLOR_NAMES), BACKGROUND: OTHER_BACKGROUND, STYLE: len(STYLE_NAMES),
    SECOND_COLOR: len(COLOR_NAMES), SIZE: len(SIZE_NAMES), PLACE: len(PLACE_NAMES),
}  # fmt: skip
# How often each attribute is the one changed where it is asserted, by column; then the exchange
# of two things' colors.
_WEIGHTS = (4.0, 2.5, 0.8, 2.0, 1.0, 3.0, 4.0, 2.0, 3.0, 3.0)
_MANY_WEIGHT, _EXCHANGE_WEIGHT = 3.0, 3.0
_EXCHANGE = len(_WEIGHTS)


def change_one(claim: Claim, u: Sequence[float]) -> Claim:
    """Return the claim with one asserted attribute made wrong, most often the subject.

    Two things may also exchange their colors, or their places ("a dog above a cat" for "a cat above
    a dog").

    Args:
        claim: what is true.
        u: USED numbers in [0, 1).
    """
    if claim.subject == NOISE:
        return Claim(subject=int(u[1] * _KINDS), count=1)
    row = claim.row()
    if claim.subject == -1:
        row[BACKGROUND] = _other(row[BACKGROUND], OTHER_BACKGROUND, u[1])
        return Claim(*row)
    which = _choose(claim, row, u[0])
    if which == _EXCHANGE:
        row[COLOR], row[SECOND_COLOR] = row[SECOND_COLOR], row[COLOR]
    elif which == RELATION:
        if u[1] < 0.5:
            row[RELATION] ^= 1
        else:  # the same relation, between exchanged things
            row[SUBJECT], row[SECOND] = row[SECOND], row[SUBJECT]
            row[COLOR], row[SECOND_COLOR] = row[SECOND_COLOR], row[COLOR]
    elif which in (SUBJECT, SECOND):
        row[which] = _other_subject(row[which], row[SECOND if which == SUBJECT else SUBJECT], u)
    elif which == COUNT:
        row[COUNT] = 1 + (row[COUNT] + int(u[1] * (MAX_COUNT - 1))) % MAX_COUNT
    else:
        row[which] = _other(row[which], _VALUES[which], u[1])
    return Claim(*row)


def _choose(claim: Claim, row: list[int], u: float) -> int:
    weights = [w if value >= 0 else 0.0 for w, value in zip(_WEIGHTS, row, strict=True)]
    if claim.count > 1:
        weights[COUNT] = _MANY_WEIGHT
    both = claim.color >= 0 and claim.second_color >= 0 and claim.color != claim.second_color
    weights.append(_EXCHANGE_WEIGHT if both else 0.0)
    left = u * sum(weights)
    for which, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return which
    return SUBJECT  # rounding


def _other(value: int, values: int, u: float) -> int:
    return (value + 1 + int(u * (values - 1))) % values


def _other_subject(subject: int, beside: int, u: Sequence[float]) -> int:
    """Return another subject, half the time a near one, never the one `beside` it."""
    other = _relative(subject, u[3]) if u[2] < 0.5 else _other(subject, _KINDS, u[1])
    if other == beside:
        other = (other + 1) % _KINDS
        if other == subject:
            other = (other + 1) % _KINDS
    return other


def _relative(subject: int, u: float) -> int:
    """Return a subject of the same kind: of the shapes, or from a near line of the table."""
    if subject in _SHAPES:
        others = [shape for shape in _SHAPES if shape != subject]
        return others[int(u * len(others))]
    step = 1 + int(u * 16)
    return (subject + (step if step <= 8 else 8 - step)) % _KINDS
