"""Where and when a prompt counts: `[left]`, `[0,0,50%,100%]`, `[@mask.png]` and `@20%-80%`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from text2art.errors import did_you_mean
from text2art.prompts.source import Piece, escaped


@dataclass(frozen=True)
class Box:
    """A part of the picture, its edges in percent of its width and height from the top left."""

    left: float
    top: float
    right: float
    bottom: float

    def __str__(self) -> str:
        edges = (self.left, self.top, self.right, self.bottom)
        return "[" + ",".join(percent(edge) for edge in edges) + "]"

    @property
    def words(self) -> str:
        """Say where it is."""
        name = next((name for name, box in NAMES.items() if box == self), "")
        across = f"{self.left:g}-{self.right:g} % across, {self.top:g}-{self.bottom:g} % down"
        return f"in the {name} ({across})" if name else f"in the box {across}"


@dataclass(frozen=True)
class Mask:
    """Where a picture is white, or with `inverted` where it is black."""

    source: str
    inverted: bool = False

    def __str__(self) -> str:
        return f"[{'!' * self.inverted}@{escaped(self.source)}]"

    @property
    def words(self) -> str:
        """Say where it is."""
        return f"where {self.source} is {'black' if self.inverted else 'white'}"


Region = Box | Mask

NAMES: Mapping[str, Box] = {
    "left": Box(0, 0, 50, 100),
    "right": Box(50, 0, 100, 100),
    "top": Box(0, 0, 100, 50),
    "bottom": Box(0, 50, 100, 100),
    "center": Box(25, 25, 75, 75),
    "top left": Box(0, 0, 50, 50),
    "top right": Box(50, 0, 100, 50),
    "bottom left": Box(0, 50, 50, 100),
    "bottom right": Box(50, 50, 100, 100),
}
_NUMBER = r"\d{1,3}(?:\.\d{0,9})?"
_BOX = re.compile(rf"\s*({_NUMBER})\s*%?\s*" + rf",\s*({_NUMBER})\s*%?\s*" * 3)
_LIKE_A_BOX = re.compile(r"[\d\s.,%+-]*,[\d\s.,%+-]*")
_MASK = re.compile(r"\s*(!?)\s*@\s*")


def parse_region(piece: Piece) -> Region | None:
    """Read what stands between brackets; None when it is meant as words, as "[2022]" is.

    Raises:
        PromptError: it is meant as a region and is none.
    """
    mask = _MASK.match(piece.shape)
    if mask:
        source = piece.plain[mask.end() :].strip()
        if not source:
            raise piece.error("this mask names no picture: write [@mask.png]")
        return Mask(source, bool(mask[1]))
    name = " ".join(re.split(r"[\s_-]+", piece.shape.strip().lower()))
    if name.replace("centre", "center") in NAMES:
        return NAMES[name.replace("centre", "center")]
    if not _LIKE_A_BOX.fullmatch(piece.shape):
        return None
    box = _BOX.fullmatch(piece.shape)
    if box is None:
        raise piece.error(
            "a box is four percents, left, top, right and bottom, as [0,0,50%,100%]; "
            "write \\[ for the character itself"
        )
    left, top, right, bottom = (float(edge) for edge in box.groups())
    if max(right, bottom) > 100:
        index = box.start(3 if right > 100 else 4)
        raise piece.error("a box ends at 100 %: give percents of the picture, not pixels", index)
    if left >= right or top >= bottom:
        index = box.start(3 if left >= right else 4)
        raise piece.error(
            "a box runs from left to right and from top to bottom: its right edge lies behind "
            "its left one, its bottom below its top",
            index,
        )
    return Box(left, top, right, bottom)


def near_region(text: str) -> str:
    """Say which region words in brackets at the end of a text may have meant, "" if none."""
    _, opened, inside = text.rpartition("[")
    words, closed, behind = inside.partition("]")
    if not opened or behind:
        return ""
    if not closed and words.strip() in NAMES:
        return f" Did you mean '[{words.strip()}]'?"
    return did_you_mean(words.strip(), NAMES)


@dataclass(frozen=True)
class Window:
    """The share of a run in which a prompt counts, in percent; the end is not in it but for 100."""

    start: float
    end: float

    def __str__(self) -> str:
        return f"@{percent(self.start)}-{percent(self.end)}"

    def holds(self, progress: float) -> bool:
        """Whether a share of the run in [0, 1] is in it."""
        return self.start <= 100 * progress and (100 * progress < self.end or self.end == 100)


_WINDOW = re.compile(rf"\s*(?:({_NUMBER})\s*(%?))?\s*-\s*(?:({_NUMBER})\s*(%?))?\s*")


def parse_window(piece: Piece) -> Window | None:
    """Read what stands behind an @ at the end; None when it is meant as words ("me@home").

    Raises:
        PromptError: it is meant as a window and is none.
    """
    match = _WINDOW.fullmatch(piece.shape)
    if match is None or "%" not in piece.shape:
        return None
    start, end = float(match[1] or 0), float(match[3] or 100)
    if end > 100:
        raise piece.error("a run ends at 100 %", match.start(3))
    if start >= end:
        raise piece.error(
            "a prompt starts before it ends, as @20%-80%, @50%- or @-30%", max(match.start(3), 0)
        )
    return Window(start, end)


_LIKE_A_WINDOW = re.compile(r"@\s*(\d{1,3})\s*%?\s*(?:(-)\s*(\d{1,3})?\s*%?)?\s*\Z")


def near_window(text: str) -> str:
    """Say which window words behind an @ at the end of a text may have meant, "" if none."""
    match = _LIKE_A_WINDOW.search(text)
    if match is None or not match.start() or not 0 <= int(match[1]) < int(match[3] or 100) <= 100:
        return ""
    end = f"{match[3]}%" if match[3] else ""
    return f" Did you mean '@{match[1]}%-{end}'?"


def percent(number: float) -> str:
    """Write percents as they are read: up to nine decimals, without exponent."""
    return f"{number:.9f}".rstrip("0").rstrip(".") + "%"
