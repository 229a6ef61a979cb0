"""The owner's say about prompts: functions that may object, and a list of words.

The setting `prompt_filter` names checks, separated by commas:

    words:FILE                 what the file lists is refused
    package.module:function    a function of your own: prompt -> reason, or None
    name                       a check that an installed package offers as an entry point of the
                               group `text2art.prompt_filters`

A check that fails refuses: a filter that breaks must not open the door.
"""

from __future__ import annotations

import importlib
import logging
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from text2art.errors import SettingsError, did_you_mean

Check = Callable[[str], "str | None"]

GROUP = "text2art.prompt_filters"
_LONGEST_REASON = 300  # characters
_MOST_BYTES = 2**20
_LONGEST_PHRASE = 8  # words
_WORD = re.compile(r"\w+")
_log = logging.getLogger(__name__)


class PromptRefused(SettingsError):
    """The owner of the studio does not want this drawn."""


class Checks:
    """All checks of a studio, as one function from texts to an objection or None."""

    def __init__(self, checks: Iterable[tuple[str, Check]]) -> None:
        self._checks = tuple(checks)

    def __bool__(self) -> bool:
        return bool(self._checks)

    def __call__(self, prompts: Sequence[str]) -> str | None:
        """Return the first objection there is."""
        for prompt in prompts:
            for name, check in self._checks:
                try:
                    reason = check(prompt)
                except Exception:
                    _log.exception("the prompt filter %s failed", name)
                    return "prompts cannot be checked at present: try again later"
                if reason:
                    return _one_line(str(reason))
        return None

    def require(self, prompts: Sequence[str]) -> None:
        """Make sure that no check objects.

        Raises:
            PromptRefused: one does, and why.
        """
        reason = self(prompts)
        if reason is not None:
            raise PromptRefused(reason)


def load(setting: str) -> Checks:
    """Load the checks that the setting `prompt_filter` names; none where it is empty.

    Raises:
        SettingsError: one cannot be loaded.
    """
    names = [name.strip() for name in setting.split(",") if name.strip()]
    return Checks([(name, _load(name)) for name in names])


def _load(name: str) -> Check:
    head, colon, tail = name.partition(":")
    if head == "words" and colon:
        return WordList.read(Path(tail.strip()).expanduser())
    try:
        check = getattr(importlib.import_module(head), tail) if colon else _offered(name)
    except (ImportError, AttributeError, ValueError) as error:
        if isinstance(error, SettingsError):
            raise
        raise SettingsError(f"prompt_filter {name!r} cannot be loaded: {error}") from None
    if not callable(check):
        raise SettingsError(f"prompt_filter {name!r} is not a function")
    function: Check = check
    return function


def _offered(name: str) -> object:
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        raise SettingsError(
            f"prompt_filter {name!r} is not known: write words:FILE, package.module:function or "
            f"the name of an installed one.{did_you_mean(name, found)}"
        )
    return found[name].load()


class WordList:
    """Objects to prompts that hold listed words or phrases, whatever their case and accents.

    One entry a line: a word, a phrase, or the beginning of words with a `*` after it; `#` begins a
    comment. Only whole words count: `ass` does not refuse a class.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._phrases: set[tuple[str, ...]] = set()
        self._beginnings: set[str] = set()
        for entry in entries:
            line = entry.partition("#")[0].strip()
            words = tuple(words_of(line))
            if not words:
                continue
            if len(words) > _LONGEST_PHRASE:
                raise SettingsError(
                    f"word list: {line[:60]!r} has {len(words)} words, at most {_LONGEST_PHRASE} "
                    "are accepted"
                )
            if line.endswith("*"):
                if len(words) > 1:
                    raise SettingsError(f"word list: {line[:60]!r}: * is for single words")
                self._beginnings.add(words[0])
            else:
                self._phrases.add(words)
        self._lengths = sorted({len(phrase) for phrase in self._phrases})
        self._shortest = min(map(len, self._beginnings), default=0)

    @classmethod
    def read(cls, path: Path) -> WordList:
        """Read a list, UTF-8.

        Raises:
            SettingsError: it cannot be read, or holds no entry.
        """
        try:
            with path.open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
            text = data.decode("utf-8-sig")
        except (OSError, ValueError) as error:
            raise SettingsError(f"word list {str(path)!r} cannot be read: {error}") from None
        if len(data) > _MOST_BYTES:
            raise SettingsError(f"word list {str(path)!r} is larger than 1 MB")
        words = cls(text.splitlines())
        if not (words._phrases or words._beginnings):
            raise SettingsError(f"word list {str(path)!r} holds no words")
        return words

    def __call__(self, prompt: str) -> str | None:
        """Return an objection, None where nothing listed is in the prompt."""
        words = words_of(prompt)
        for start, word in enumerate(words):
            for length in range(self._shortest, len(word) + 1) if self._beginnings else ():
                if word[:length] in self._beginnings:
                    return f"this studio does not draw {word!r}"
            for length in self._lengths:
                if tuple(words[start : start + length]) in self._phrases:
                    phrase = " ".join(words[start : start + length])
                    return f"this studio does not draw {phrase!r}"
        return None


def words_of(text: str) -> list[str]:
    """Return the words of a text in a form that its look-alikes share.

    Compatibility forms (full-width, ligatures), case, accents and invisible characters are
    evened out.
    """
    even = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    plain = "".join(
        c for c in even if not unicodedata.combining(c) and unicodedata.category(c) != "Cf"
    )
    return [word for chunk in _WORD.findall(plain) for word in chunk.split("_") if word]


def _one_line(reason: str) -> str:
    line = "".join(c if c.isprintable() else " " for c in reason)
    return " ".join(line.split())[:_LONGEST_REASON] or "the studio does not draw this"
