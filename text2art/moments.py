"""Moments of a run, as pixray writes them, and courses: numbers that change on the way.

`20`, `20 iterations`, `20 iter` and `20 i` count steps; `50%`, `50 percent` and `50 p` are shares
of the run. A course is one number, or several with the frame or the share of the film that each is
for (`0: 1, 30: 1.05, 100%: 1`), with straight lines in between. Numbers only: nothing is computed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from text2art.errors import PointedError, SettingsError

MOST_KEYS = 100
_NUMBER = r"[+-]?(?:\d{1,7}(?:\.\d{0,6})?|\.\d{1,6})"
_MOMENT = re.compile(rf"({_NUMBER})\s*(%|percent|p|iterations?|iter|i)?\Z", re.IGNORECASE)
_PLAIN = re.compile(rf"{_NUMBER}\Z")


@dataclass(frozen=True)
class Moment:
    """A point of a run.

    Attributes:
        amount: steps, or percent of the run.
        percent: which of the two.
    """

    amount: float
    percent: bool = False

    def step(self, steps: int) -> int:
        """Return the step it is in a run of so many; fractions are cut off, as in pixray."""
        return int(steps * self.amount / 100 if self.percent else self.amount)


Course = tuple[tuple[Moment, float], ...]


def parse_moment(value: object, name: str) -> Moment:
    """Read "20", "20 iterations" or "50%".

    Raises:
        SettingsError: neither, or a number that is out of range.
    """
    match = None if isinstance(value, bool) else _MOMENT.match(str(value).strip())
    if match is None:
        raise SettingsError(
            f"{name} {value!r} is no moment: write steps, as '20 iterations', or a share, as '50%'"
        )
    amount, percent = float(match[1]), (match[2] or "i").lower() in ("%", "percent", "p")
    if amount < 0 or (percent and amount > 100):
        wanted = "0% to 100%" if percent else "0 or more steps"
        raise SettingsError(f"{name} {value!r} is out of range: {wanted}")
    return Moment(amount, percent)


def parse_course(value: object, name: str, low: float, high: float) -> Course:
    """Read "1.02", or "0: 1, 30: 1.05, 100%: 1".

    Args:
        value: the text, or a number.
        name: of the setting, for messages.
        low: least number accepted.
        high: largest number accepted.

    Raises:
        PointedError: a part cannot be read, is out of range, or is for the moment of another.
        SettingsError: it has too many parts.
    """
    text = str(value)
    parts = text.split(",")
    if len(parts) > MOST_KEYS:
        raise SettingsError(f"{name} has {len(parts)} parts, at most {MOST_KEYS} are accepted")
    course: dict[Moment, float] = {}
    start = 0
    for part in parts:
        fault = partial(PointedError, source=text, at=start + len(part) - len(part.lstrip()))
        start += len(part) + 1
        at, colon, number = (piece.strip() for piece in part.rpartition(":"))
        if isinstance(value, bool) or not _PLAIN.match(number) or (len(parts) > 1 and not colon):
            raise fault(
                f"{name} {text!r} cannot be read at {part.strip()!r}: write one number, or numbers "
                "with their frames, as '0: 1, 30: 1.05, 100%: 1'"
            )
        if not low <= float(number) <= high:
            raise fault(f"{name} {number} is out of range: {low:g} to {high:g}")
        try:
            moment = parse_moment(at, name) if colon else Moment(0)
        except SettingsError as error:
            raise fault(str(error)) from error
        if moment in course:
            raise fault(f"{name} {text!r} has two numbers for {at or 'the start'}: leave one out")
        course[moment] = float(number)
    return tuple(course.items())


def course_at(course: Course, frame: int, frames: int) -> float:
    """Return the number of a course at a frame of a film of so many; straight lines in between."""
    last = max(frames - 1, 1)
    keys = sorted(
        (last * moment.amount / 100 if moment.percent else moment.amount, number)
        for moment, number in course
    )
    before = keys[0]
    for key in keys:
        if key[0] > frame:
            share = (frame - before[0]) / (key[0] - before[0]) if key[0] > before[0] else 0.0
            return before[1] + max(0.0, share) * (key[1] - before[1])
        before = key
    return before[1]
