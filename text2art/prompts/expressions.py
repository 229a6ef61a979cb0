"""Weight curves: small formulas of time, read by recursive descent and never run as code.

    sum     = product { ("+" | "-") product }
    product = signed { ("*" | "/") signed }
    signed  = ("+" | "-") signed | power
    power   = atom [ "^" signed ]                        (right to left; -t^2 is -(t^2))
    atom    = number ["%"] | name | name "(" sum { "," sum } ")" | "(" sum ")"

`t` runs from 0 to 1 over the run, `step` counts its steps, `pi` is the number. `ramp(a, b)` is 0
until t = a, rises evenly and is 1 from t = b on; `ramp(x, a, b)` does so with any x. Angles of
`sin` and `cos` are in radians.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from text2art.errors import PromptError

MAX_LENGTH = 200
_DEEPEST = 20
_WORD = re.compile(r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([a-z]+)|(\S))")
_Value = Callable[[float, int], float]


def _ramp(*numbers: float) -> float:
    x, low, high = numbers
    if low == high:
        return float(x >= high)
    return min(1.0, max(0.0, (x - low) / (high - low)))


# Name: the function, and how many numbers it takes at least and at most.
_FUNCTIONS: Mapping[str, tuple[Callable[..., float], int, int]] = {
    "sin": (math.sin, 1, 1),
    "cos": (math.cos, 1, 1),
    "abs": (abs, 1, 1),
    "sqrt": (math.sqrt, 1, 1),
    "exp": (math.exp, 1, 1),
    "min": (min, 1, 8),
    "max": (max, 1, 8),
    "ramp": (_ramp, 2, 3),
}
_OPERATIONS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": math.pow,
}
_NAMES = ("t", "step", "pi")


@dataclass(frozen=True)
class Curve:
    """A number that depends on how far a run is.

    Attributes:
        text: the formula without spaces; equal texts are equal curves.
    """

    text: str
    _value: _Value = field(compare=False, repr=False)

    def __str__(self) -> str:
        return "{" + self.text + "}"

    def at(self, progress: float, step: int) -> float:
        """Return the value at a share of the run in [0, 1] and a step.

        Raises:
            PromptError: it has no finite value there.
        """
        try:
            value = float(self._value(progress, step))
        except (ArithmeticError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise PromptError(f"the curve {self} has no finite value at t={progress:g}, {step=}")
        return value

    def check(self, steps: int) -> None:
        """Check that it has a value at every step of a run.

        Raises:
            PromptError: it has not.
        """
        for step in range(steps + 1):
            self.at(step / max(steps, 1), step)


def parse_curve(text: str, *, source: str = "", places: Iterable[int] = ()) -> Curve:
    """Read a formula.

    Args:
        text: the formula, without braces.
        source: what it is a part of, for messages; else the formula itself.
        places: where each character of the formula, and its end, stands in `source`.

    Raises:
        PromptError: it is none, too long or too deep, or has no finite value within 100 steps.
    """
    reader = _Reader(text, source or text, tuple(places) or tuple(range(len(text) + 1)))
    if len(text) > MAX_LENGTH:
        raise reader.error(
            f"a curve has {len(text)} characters, at most {MAX_LENGTH} are accepted", 0
        )
    value = reader.sum(0)
    if reader.kind != "end":
        raise reader.error(f"unexpected {reader.word!r}: an operator or the end belongs here")
    curve = Curve("".join(text.split()), value)
    try:
        curve.check(100)
    except PromptError as error:
        raise reader.error(str(error), 0) from None
    return curve


class _Reader:
    """The formula, one word at a time.

    Attributes:
        kind: "number", "name", "sign" or "end".
        word: its text.
    """

    def __init__(self, text: str, source: str, places: tuple[int, ...]) -> None:
        self._text, self._source, self._places = text, source, places
        self._next = self._at = 0
        self.kind = self.word = ""
        self.advance()

    def error(self, message: str, at: int | None = None) -> PromptError:
        """Return an error that points at the present word."""
        place = self._places[self._at if at is None else at]
        return PromptError(f"in a curve: {message}", self._source, place)

    def advance(self) -> None:
        """Go on to the next word."""
        match = _WORD.match(self._text, self._next)
        if match is None:
            self.kind, self.word, self._at = "end", "", len(self._text)
            return
        self.kind = ("number", "name", "sign")[(match.lastindex or 1) - 1]
        self.word = match[match.lastindex or 1]
        self._at = match.start(match.lastindex or 1)
        self._next = match.end()

    def _is(self, signs: str) -> bool:
        return self.kind == "sign" and self.word in signs

    def sum(self, depth: int) -> _Value:
        """Read what + and - join."""
        if depth > _DEEPEST:
            raise self.error(f"it is nested more than {_DEEPEST} deep")
        left = self._product(depth)
        while self._is("+-"):
            sign = self.word
            self.advance()
            left = _joined(sign, left, self._product(depth))
        return left

    def _product(self, depth: int) -> _Value:
        left = self._signed(depth)
        while self._is("*/"):
            sign = self.word
            self.advance()
            left = _joined(sign, left, self._signed(depth))
        return left

    def _signed(self, depth: int) -> _Value:
        if depth > _DEEPEST:
            raise self.error(f"it is nested more than {_DEEPEST} deep")
        if not self._is("+-"):
            return self._power(depth)
        negative = self.word == "-"
        self.advance()
        value = self._signed(depth + 1)
        return (lambda t, step: -value(t, step)) if negative else value

    def _power(self, depth: int) -> _Value:
        base = self._atom(depth)
        if not self._is("^"):
            return base
        self.advance()
        return _joined("^", base, self._signed(depth + 1))

    def _atom(self, depth: int) -> _Value:
        if self.kind == "number":
            return self._number()
        if self.kind == "name":
            return self._named(depth)
        if not self._is("("):
            found = repr(self.word) if self.word else "the end"
            raise self.error(f"a number, t, step or a function belongs here, not {found}")
        self.advance()
        value = self.sum(depth + 1)
        self._close()
        return value

    def _number(self) -> _Value:
        number = float(self.word)
        if not math.isfinite(number):
            raise self.error("this number is too large")
        self.advance()
        if self._is("%"):
            number /= 100
            self.advance()
        return lambda t, step: number

    def _named(self, depth: int) -> _Value:
        name = self.word
        if name in _FUNCTIONS:
            return self._call(name, depth)
        if name not in _NAMES:
            known = ", ".join((*_NAMES, *_FUNCTIONS))
            raise self.error(f"{name!r} is not known: there are {known}")
        self.advance()
        if name == "pi":
            return lambda t, step: math.pi
        return (lambda t, step: t) if name == "t" else (lambda t, step: float(step))

    def _call(self, name: str, depth: int) -> _Value:
        function, least, most = _FUNCTIONS[name]
        self.advance()
        if not self._is("("):
            raise self.error(f"{name} needs its numbers in parentheses, as {name}(t)")
        self.advance()
        values = [self.sum(depth + 1)]
        while self._is(","):
            self.advance()
            values.append(self.sum(depth + 1))
        if not least <= len(values) <= most:
            count = str(least) if least == most else f"{least} to {most}"
            raise self.error(f"{name} takes {count} numbers, not {len(values)}")
        self._close()
        if name == "ramp" and len(values) == 2:
            values.insert(0, lambda t, step: t)
        return lambda t, step: function(*[value(t, step) for value in values])

    def _close(self) -> None:
        if not self._is(")"):
            found = repr(self.word) if self.word else "the end"
            raise self.error(f"a ')' belongs here, not {found}")
        self.advance()


def _joined(sign: str, left: _Value, right: _Value) -> _Value:
    operation = _OPERATIONS[sign]
    return lambda t, step: operation(left(t, step), right(t, step))
