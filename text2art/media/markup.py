"""SVG read with care, free of torch: its record, and whether it is safe to rasterize.

The file may come from anybody: entities and document types with declarations of their own are
refused (no expansion bombs, no outside files), and everything is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from text2art.errors import InputFileError

RECORD_NAMESPACE = "urn:text2art:record"
RECORD_ELEMENT = "text2art"
_PIECE = 2**16
_SVG = "http://www.w3.org/2000/svg"
_MOST_ELEMENTS = 50_000
_DEEPEST = 100
_MOST_DRAWN = 200_000  # elements, those drawn again by reference counted each time
_MOST_REFERENCES = 2000  # each may be a mask, which takes a picture of its own to draw
# What would load something, run something, take any time, or depend on this machine's fonts.
_REFUSED: Mapping[str, str] = {
    "image": "pictures within it",
    "feImage": "pictures within it",
    "filter": "filters",
    "foreignObject": "foreign objects",
    "marker": "markers",
    "script": "scripts",
    "text": "text (turn it into paths)",
}
_REFERENCE = re.compile(r"url\(\s*[\"']?\s*([^)\"'\s]*)")


def svg_record(data: bytes, name: str, *, longest: int) -> str | None:
    """Return the text of a document's record, None when it has none.

    Args:
        data: the document.
        name: of the file as messages give it, quoted.
        longest: characters accepted; what is longer is cut off after one more.

    Raises:
        InputFileError: it is no well-formed XML, or declares entities.
    """
    reader = _RecordReader(name, longest)
    reader.read(data)
    return "".join(reader.text) if reader.done else None


def looks_like_svg(data: bytes) -> bool:
    """Whether data is meant to be an SVG; it need not be a good one."""
    start = data[:_PIECE].lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith(b"<") and b"<svg" in start


def check_drawable(data: bytes, name: str) -> None:
    """Make sure that a document can be rasterized safely, and as it is meant.

    Args:
        data: the document.
        name: of the file as messages give it, quoted.

    Raises:
        InputFileError: it is no well-formed SVG, too large when all it repeats is counted, refers
            to anything outside itself, or holds what is not read.
    """
    checker = _Checker(name)
    checker.read(data)
    checker.finish()


class _Reader:
    """Goes through a document with expat, without entities."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.done = False
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True  # a call for each line would take seconds
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._document_type

    def read(self, data: bytes) -> None:
        """Read until the end, or until `done`."""
        try:
            # Ever larger pieces: expat before 2.6 reads a token that is not at its end from its
            # start again with each piece.
            start, size = 0, _PIECE
            while start < len(data):
                self.parser.Parse(data[start : start + size], False)
                if self.done:
                    return
                start, size = start + size, 2 * size
            self.parser.Parse(b"", True)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise self.refusal(f"is no SVG: {reason}, line {error.lineno}") from error

    def refusal(self, reason: str) -> InputFileError:
        """Make the error that says why the file is not read."""
        return InputFileError(f"{self._name} {reason}")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def _end(self, tag: str) -> None:
        """An element ends."""

    def _characters(self, text: str) -> None:
        """There is text."""

    def _document_type(self, *declared: Any) -> None:
        if declared[-1]:  # has declarations of its own, such as entities
            raise self.refusal("declares XML entities: they are not read")


class _RecordReader(_Reader):
    """Takes up the text of the first record element."""

    def __init__(self, name: str, longest: int) -> None:
        super().__init__(name)
        self._longest = longest
        self._inside = False
        self._length = 0
        self.text: list[str] = []

    def _start(self, tag: str, _: dict[str, str]) -> None:
        self._inside = not self.done and tag == f"{RECORD_NAMESPACE} {RECORD_ELEMENT}"

    def _end(self, _: str) -> None:
        self.done = self.done or self._inside
        self._inside = False

    def _characters(self, text: str) -> None:
        if self._inside and self._length <= self._longest:
            self.text.append(text[: self._longest + 1 - self._length])
            self._length += len(self.text[-1])


@dataclass
class _Part:
    """An element and all within it: how many there are, and which ids they refer to."""

    key: str
    elements: int = 1
    references: list[str] = field(default_factory=list)


class _Checker(_Reader):
    """Counts what a document draws."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._count = 0
        self._open: list[_Part] = []
        self._parts: dict[str, _Part] = {}
        self._whole = _Part("")
        self._references = 0
        self._style: list[str] | None = None  # the text of the style sheet that is open

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        space, _, local = tag.rpartition(" ")
        self._count += 1
        if self._count == 1 and (space, local) != (_SVG, "svg"):
            raise self.refusal(f"is no SVG: it begins with {local[:40]!r}")
        if self._count > _MOST_ELEMENTS:
            raise self.refusal(f"has more than {_MOST_ELEMENTS} elements")
        if len(self._open) >= _DEEPEST:
            raise self.refusal(f"is nested more than {_DEEPEST} deep")
        if space == _SVG and local in _REFUSED:
            raise self.refusal(f"holds {_REFUSED[local]}: they are not read")
        if self._style is not None:
            raise self.refusal("has elements in its style sheet")
        part = _Part(attributes.get("id", ""))
        self._open.append(part)
        self._style = [] if (space, local) == (_SVG, "style") else None
        for key, value in attributes.items():
            if space == _SVG and key.rpartition(" ")[2] == "href":
                self._refer(part, value)
            for target in _REFERENCE.findall(value):
                self._refer(part, target)

    def _refer(self, part: _Part, target: str) -> None:
        if not target.strip().startswith("#"):
            raise self.refusal(f"refers to {target[:60]!r}: only its own parts may be used")
        part.references.append(target.strip()[1:])
        self._references += 1
        if self._references > _MOST_REFERENCES:
            raise self.refusal(f"has more than {_MOST_REFERENCES} references")

    def _end(self, tag: str) -> None:
        part = self._open.pop()
        rules = "".join(self._style or ())
        if "url" in rules or "@" in rules or "\\" in rules:
            raise self.refusal("has references in its style sheet: they are not read")
        self._style = None
        self._parts.setdefault(part.key, part)
        around = self._open[-1] if self._open else self._whole
        around.elements += part.elements
        around.references += part.references

    def _characters(self, text: str) -> None:
        if self._style is not None:
            self._style.append(text)

    def finish(self) -> None:
        """Judge the whole."""
        self._drawn(self._whole, {}, 0)

    def _drawn(self, part: _Part, known: dict[str, int], depth: int) -> int:
        """Return how many elements are drawn for one, what it refers to included."""
        if depth > _DEEPEST:
            raise self.refusal("refers to itself")
        drawn = part.elements
        for key in part.references:
            if key in self._parts and key not in known:
                known[key] = self._drawn(self._parts[key], known, depth + 1)
            drawn += known.get(key, 0)
            if drawn > _MOST_DRAWN:
                raise self.refusal("repeats its parts too often")
        return drawn
