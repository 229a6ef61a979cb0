"""Which words of a prompt the starter does not know, and what they are near to."""

from __future__ import annotations

import difflib
import functools
import re

from text2art.errors import WeightsError
from text2art.weights.words import starter_words

_MOST_UNKNOWN = 10  # words of a prompt that are told, and of a request that are compared
_LONGEST_WORD = 40  # characters
_WORD = re.compile(r"[^\W\d_]+")


@functools.cache
def vocabulary() -> frozenset[str]:
    """Return the words the starter knows; none where it is not installed."""
    try:
        return starter_words()
    except WeightsError:
        return frozenset()


class Unknown:
    """Tells which words the starter does not know, and of the first few what they are near to.

    Looking for what is near takes long: as often as people mistype, not as often as they can.
    """

    def __init__(self, words: frozenset[str]) -> None:
        self._words = words
        self._described: dict[str, str] = {}

    def of(self, text: str) -> list[str]:
        """Return words of a text as messages give them; none where no word is known at all."""
        found = dict.fromkeys(_WORD.findall(text.lower())) if self._words else ()
        unknown = [word for word in found if word not in self._words][:_MOST_UNKNOWN]
        return [self._describe(word) for word in unknown]

    def _describe(self, word: str) -> str:
        if word not in self._described and len(self._described) < _MOST_UNKNOWN:
            near = _near(word[:_LONGEST_WORD], self._words)
            self._described[word] = f" (nearest: {', '.join(near)})" if near else ""
        return repr(word[:_LONGEST_WORD]) + self._described.get(word, "")


def _near(word: str, words: frozenset[str]) -> list[str]:
    return difflib.get_close_matches(word, (known for known in words if len(known) > 2), n=3)
