"""Layout: where several things go in one picture, for perceptors that would blend them into one.

"a cat and a dog" and "a cat | a dog" become a prompt for each, with a region of its own, and one
for the whole picture that ties them together: what a user could have written in the grammar.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from text2art.prompts.expressions import Curve
from text2art.prompts.grammar import Prompt
from text2art.prompts.regions import Box

WHOLE = 0.5  # weight of the whole picture's prompt, where each thing's has 1
MOST = 4  # things that still get a place of their own
_OVERLAP = 4.0  # percent by which each of two neighbors reaches into the other
_LONG = 1.7  # times its breadth a place is long at most: in strips, things are drawn twice
_WIDE = 1.5  # width by height from which three things stand in a row

_ARTICLE = r"(?:an?|the|one|two|three|four|some|my|your|his|her|our|their)"
# Words between it and the thing; what follows these is beside the thing that a text opens with.
_BEYOND = r"(?:(?!\b(?:an?|the|with|in|on|at|of|under|over|and an?)\b)[\w'-]+,?\s+){0,5}?"
_NO_GROUND = (
    r"(?!\s+(?:background|backdrop|pattern|wallpaper)\b)"  # what is of things is none itself
)
_JOINT = re.compile(
    r"(?:\s*,(?:\s*and\b)?|"
    r"\s+(?:and|next\s+to|beside|near|"
    r"(?P<left>(?:(?:to|on|at)\s+the\s+)?left\s+(?:side\s+)?of)|"
    r"(?P<right>(?:(?:to|on|at)\s+the\s+)?right\s+(?:side\s+)?of)|"
    r"(?P<top>above|over|on\s+top\s+of|behind|on(?=\s+(?:an?|the)\s))|"
    r"(?P<bottom>below|under|beneath|underneath|in\s+front\s+of)))\s+",
    re.IGNORECASE,
)
_PLACED = re.compile(
    r",?\s*\b(?:on|at|to|in)\s+the\s+(left|right|top|bottom)(?:\s+(?:side|half|part))?\b"
    r"(?:\s+of\s+the\s+picture\b|(?!\s+(?:(?:side|half|part)\s+)?of\b))",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(r"\b(?:middle|cent(?:er|re)|corner|upper|lower|between)\b", re.IGNORECASE)
_OF = (
    r"(?:[\w'-]+\s+){0,6}?(?:picture|image|photo|photograph|drawing|painting|sketch|illustration|"
    r"icon|render|rendering|art|artwork|portrait|print|cartoon|emoji|watercolor)s?\s+of\s+"
)
_DEPICTION = re.compile(rf"\s*{_OF}", re.IGNORECASE)
_GROUND = re.compile(r"\s*(?:,|(?:in|on|at|by|under|against|before|among|during)\b)", re.IGNORECASE)
_OPPOSITE = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}


@dataclass(frozen=True)
class _Thing:
    """A part of a text that names something known.

    Attributes:
        text: its words.
        name: of what is known in it.
        tail: what follows that name, as " in the snow".
        side: where its words say that it is, "" if they do not; "elsewhere" is on no side.
    """

    text: str
    name: str
    tail: str
    side: str = ""


def arrange(
    prompts: Sequence[Prompt], subjects: Mapping[str, str], aspect: float
) -> list[Prompt] | None:
    """Give several known things of a scene a part of the picture each.

    Either one prompt names all of them ("a cat next to a dog", "a star above a house"), or several
    name one each. Whatever else is asked for, pictures and things to avoid among it, stays.

    Args:
        prompts: of the scene, in order.
        subjects: what things are called that a perceptor can draw by themselves, and their names.
        aspect: width by height of the picture.

    Returns:
        prompts in their place; None where there are not several such things, where their places or
        windows are given, or where two prompts are about the same thing.
    """
    if any(prompt.region is not None for prompt in prompts):
        return None
    known = _Known(subjects)
    told = [(prompt, _things(prompt.text, known)) for prompt in prompts if _draws(prompt)]
    told = [(prompt, things) for prompt, things in told if things]
    things = [thing for _, found in told for thing in found]
    if not 2 <= len(things) <= MOST or not all(_steady(prompt) for prompt, _ in told):
        return None
    names = {thing.name for thing in things}
    if len(told) > 1 and not len(told) == len(things) == len(names):
        return None  # of two prompts about one thing, one says more of it
    boxes = _boxes([thing.side for thing in things], aspect)
    if boxes is None:
        return None
    rest = [prompt for prompt in prompts if all(prompt is not one for one, _ in told)]
    if len(told) == 1:
        ((whole, _),) = told
        parts = [replace(whole, text=thing.text) for thing in things]
    else:
        parts = [replace(p, text=t.text) for (p, _), t in zip(told, things, strict=True)]
        text = " and ".join(thing.text for thing in things)
        weight = sum(prompt.weight_at(0, 0) for prompt in parts) / len(parts)
        whole = Prompt(text, weight)
    tied = replace(whole, weight=WHOLE * whole.weight_at(0, 0))
    placed = [
        replace(part, region=_stout(box, aspect)) for part, box in zip(parts, boxes, strict=True)
    ]
    return [tied, *placed, *rest]


def _draws(prompt: Prompt) -> bool:
    """Whether it asks for something in words: what is pushed away has no place."""
    away = not isinstance(prompt.weight, Curve) and prompt.weight <= 0
    return not prompt.is_image and not away


def _steady(prompt: Prompt) -> bool:
    return prompt.is_constant and prompt.stop == float("-inf")


class _Known:
    """Finds known things in a text, in the singular or plural."""

    def __init__(self, subjects: Mapping[str, str]) -> None:
        self._names = {
            form: name for said, name in subjects.items() for form in (_plural(said), said)
        }
        forms = sorted(self._names, key=len, reverse=True)
        either = "|".join(re.escape(form).replace(r"\ ", r"[\s-]+") for form in forms)
        self.pattern = rf"\b(?:{either})\b" if forms else r"(?!)"
        self._search = re.compile(self.pattern, re.IGNORECASE).search

    def search(self, text: str, start: int, end: int) -> re.Match[str] | None:
        """Return the first one between two places."""
        return self._search(text, start, end)

    def thing(self, text: str, side: str) -> _Thing | None:
        """Return what a text is about; None where it names nothing known."""
        found = self._search(text)
        if found is None:
            return None
        name = self._names.get(" ".join(re.split(r"[\s-]+", found[0].casefold())))
        # A dotless i is found for an i, but is none.
        return None if name is None else _Thing(text, name, text[found.end() :], side)


def _plural(name: str) -> str:
    if name == "mouse":
        return "mice"
    if name.endswith("y") and name[-2:-1] not in tuple("aeiou"):
        return name[:-1] + "ies"
    if name.endswith("f"):
        return name[:-1] + "ves"
    return name + ("es" if name.endswith(("s", "x", "ch", "sh")) else "s")


def _things(text: str, known: _Known) -> list[_Thing]:
    """Take a text apart into the known things that it names; [] where it opens with none.

    What is said once is meant of all: "a painting of a cat and a dog in the snow" is of two
    paintings, each in the snow. "a black and white cat" stays in one piece, and so does what is on,
    in or with something.
    """
    depicted = _DEPICTION.match(text)
    first = re.compile(rf"\s*(?:{_ARTICLE}\s+)?{_BEYOND}{known.pattern}", re.IGNORECASE)
    if not first.match(text, depicted.end() if depicted else 0):
        return []
    later = re.compile(
        rf"(?:{_OF})?(?:{_ARTICLE}\s+{_BEYOND})?{known.pattern}{_NO_GROUND}", re.IGNORECASE
    )
    cuts: list[re.Match[str]] = []
    start = 0
    for joint in _JOINT.finditer(text):
        if known.search(text, start, joint.start()) and later.match(text, joint.end()):
            cuts.append(joint)
            start = joint.end()
    starts = [0, *(cut.end() for cut in cuts)]
    ends = [*(cut.start() for cut in cuts), len(text)]
    pieces = [text[a:b].strip() for a, b in zip(starts, ends, strict=True)]
    sides = _sides(cuts)
    things = [_thing(piece, known, side) for piece, side in zip(pieces, sides, strict=True)]
    return _shared([thing for thing in things if thing is not None])


def _sides(joints: Sequence[re.Match[str]]) -> list[str]:
    """Return where things are that are joined so: relations are between two of them alone."""
    relations = [name for joint in joints for name in _OPPOSITE if joint[name]]
    if not relations:
        return [""] * (len(joints) + 1)
    if len(joints) > 1:
        return ["elsewhere"] * (len(joints) + 1)
    return [relations[0], _OPPOSITE[relations[0]]]


def _thing(piece: str, known: _Known, side: str) -> _Thing | None:
    """Read one piece, and take from its words the place that they name."""
    placed = _PLACED.search(piece)
    if placed:
        named = placed[1].lower()
        side = named if side in ("", named) else "elsewhere"
        piece = (piece[: placed.start()] + piece[placed.end() :]).strip()
    return known.thing(piece, "elsewhere" if _ELSEWHERE.search(piece) else side)


def _shared(things: Sequence[_Thing]) -> list[_Thing]:
    """Say of all things what the first one is a picture of, and where the last one is."""
    if len(things) < 2:
        return list(things)
    depicted = _DEPICTION.match(things[0].text)
    head = depicted[0] if depicted else ""
    tail = things[-1].tail if _GROUND.match(things[-1].tail) else ""
    result = []
    for number, thing in enumerate(things):
        text = thing.text if number == 0 or _DEPICTION.match(thing.text) else head + thing.text
        ended = thing.tail.strip() or number == len(things) - 1
        result.append(replace(thing, text=text if ended else text + tail))
    return result


def _boxes(sides: Sequence[str], aspect: float) -> list[Box] | None:
    """Return a box for each side; None where only some are said, or two are the same."""
    if any(sides):
        if len(sides) != 2 or _OPPOSITE.get(sides[0]) != sides[1]:
            return None
        return [_half(side) for side in sides]
    count = len(sides)
    if count == 2:
        return [_half(side) for side in (("left", "right") if aspect >= 1 else ("top", "bottom"))]
    if count == 3 and aspect >= _WIDE:
        return [_cell(column, 3, 0, 1) for column in range(3)]
    if count == 3 and aspect <= 1 / _WIDE:
        return [_cell(0, 1, row, 3) for row in range(3)]
    corners = [_cell(column, 2, row, 2) for row in range(2) for column in range(2)]
    if count == 3:  # two stand above the third
        below = corners[2]
        margin = (100 - (below.right - below.left)) / 2
        corners[2:] = [Box(margin, below.top, 100 - margin, below.bottom)]
    return corners


def _stout(box: Box, aspect: float) -> Box:
    """Return what is left of a box when it may be no longer than so many times its breadth."""
    width, height = box.right - box.left, box.bottom - box.top
    wide = min(width, _LONG * height / aspect)
    high = min(height, _LONG * width * aspect)
    across, down = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    edges = (across - wide / 2, down - high / 2, across + wide / 2, down + high / 2)
    return Box(*(float(round(edge)) for edge in edges))


def _half(side: str) -> Box:
    number = int(side in ("right", "bottom"))
    return _cell(number, 2, 0, 1) if side in ("left", "right") else _cell(0, 1, number, 2)


def _cell(column: int, columns: int, row: int, rows: int) -> Box:
    """Return a cell of a grid, larger than that by what it shares with its neighbors."""
    (left, right), (top, bottom) = _span(column, columns), _span(row, rows)
    return Box(left, top, right, bottom)


def _span(number: int, count: int) -> tuple[float, float]:
    grown = _OVERLAP * 2 / max(count, 2)
    start, end = 100 * number / count - grown, 100 * (number + 1) / count + grown
    return max(0.0, start), min(100.0, end)
