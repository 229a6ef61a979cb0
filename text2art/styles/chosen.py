"""The styles of one run: how they are written in settings, and what they do to prompts."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from text2art.errors import SettingsError
from text2art.prompts import Prompt
from text2art.styles.catalog import Style, find

MOST = 16
MOST_WEIGHT = 100.0


@dataclasses.dataclass(frozen=True)
class Chosen:
    """A style of a run.

    Attributes:
        style: which.
        weight: None = its words follow every prompt; a number = its words are a prompt of their
            own that counts so much, negative to keep away from it.
    """

    style: Style
    weight: float | None = None

    def __str__(self) -> str:
        """Write it as settings hold it: `low-poly` or `low-poly:0.5`."""
        return self.style.name if self.weight is None else f"{self.style.name}:{self.weight:g}"


def parse_styles(value: Any, *, most: int = MOST) -> tuple[Chosen, ...]:
    """Read "pixelart, low poly:0.5" (also separated by |), a list of such, or weights by name.

    Raises:
        SettingsError: an unknown style, one that is given twice, a weight that is none, too many.
    """
    chosen: dict[str, Chosen] = {}
    for part in _parts(value):
        name, colon, weight = part.partition(":")
        style = find(name)
        if style.name in chosen:
            raise SettingsError(f"style {style.name!r} is given twice")
        chosen[style.name] = Chosen(style, _weight(weight, style.name) if colon else None)
    if len(chosen) > most:
        raise SettingsError(f"{len(chosen)} styles were given, at most {most} are accepted")
    return tuple(chosen.values())


def _parts(value: Any) -> Iterator[str]:
    if value is None:
        return
    if isinstance(value, Mapping):
        value = [f"{name}:{weight}" for name, weight in value.items()]
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, Iterable):
        raise SettingsError(f"styles must be names, as pixelart,neon:0.5, not {value!r}")
    for text in value:
        if not isinstance(text, str):
            raise SettingsError(f"styles must be names, as pixelart,neon:0.5, not {text!r}")
        yield from (part.strip() for part in text.replace("|", ",").split(",") if part.strip())


def _weight(text: str, name: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 0 < abs(weight) <= MOST_WEIGHT:
        raise SettingsError(
            f"style {name!r}: weight {text.strip()!r} is no number from -{MOST_WEIGHT:g} to "
            f"{MOST_WEIGHT:g} other than 0"
        )
    return weight


def behind(text: str, words: str) -> str:
    """Return a text with words behind it: after a comma, but hashtags after a space."""
    text = text.rstrip(" ,.;")
    return f"{text} {words}" if words.startswith("#") else f"{text}, {words}"


def styled(prompts: Sequence[Prompt], chosen: Sequence[Chosen]) -> tuple[Prompt, ...]:
    """Return prompts as perceptors read them when the styles of a run are taken in.

    Words of styles without a weight follow every text that pulls; a style with a weight becomes a
    prompt of its own. Pictures, and what pushes away, stay as they are.

    Args:
        prompts: as parsed.
        chosen: the styles, in order.
    """
    if not any(_takes_words(prompt) for prompt in prompts):
        return tuple(prompts)
    words = [choice.style.words for choice in chosen if choice.weight is None]
    own = [
        Prompt(choice.style.words.lstrip("#"), choice.weight)
        for choice in chosen
        if choice.weight is not None
    ]
    return (
        *(
            dataclasses.replace(prompt, text=functools.reduce(behind, words, prompt.text))
            if _takes_words(prompt)
            else prompt
            for prompt in prompts
        ),
        *own,
    )


def _takes_words(prompt: Prompt) -> bool:
    """Whether a prompt is words that pull; a weight that changes on the way is taken for one."""
    pushes = isinstance(prompt.weight, int | float) and prompt.weight <= 0
    return not prompt.is_image and not pushes
