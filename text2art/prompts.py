r"""The prompt grammar: `text:weight:stop | @picture.png:weight | ...`.

A prompt string holds one or more prompts separated by `|`. Numbers are read from the right, at
most two, each behind a colon: the first is the weight (default 1, negative pushes away), the second
the stop (the loss below which the prompt no longer pulls). Reading from the right keeps
"Star Wars: Return of the Jedi" one text. `\|`, `\:`, `\@` and `\\` stand for the character itself.
A prompt that begins with `@` names a picture to resemble instead of words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from text2art.errors import PromptError

MAX_PROMPTS = 32
MAX_CHARACTERS = 2000
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*\Z")
_ESCAPABLE = frozenset("|:@\\")


@dataclass(frozen=True)
class Prompt:
    """One thing to draw, or to keep away from.

    Attributes:
        text: the words, or the path or URL of a picture when `is_image`.
        weight: how much it counts; negative pushes the picture away from it.
        stop: signed loss below which it no longer pulls; -inf means never.
        is_image: whether `text` names a picture.
    """

    text: str
    weight: float = 1.0
    stop: float = -math.inf
    is_image: bool = False

    def __str__(self) -> str:
        """Write the prompt in the grammar, so that parsing it gives an equal prompt."""
        body = "".join("\\" + c if c in "|:\\" else c for c in self.text)
        if self.is_image:
            body = "@" + body
        elif body.startswith("@"):
            body = "\\" + body
        if self.stop != -math.inf:
            return f"{body}:{self.weight!r}:{self.stop!r}"
        return body if self.weight == 1.0 else f"{body}:{self.weight!r}"


def parse_prompts(sources: str | Iterable[str]) -> tuple[Prompt, ...]:
    """Read prompt strings into prompts, in order.

    Raises:
        PromptError: nothing to draw, an empty part, or beyond `MAX_PROMPTS`/`MAX_CHARACTERS`.
    """
    strings = [sources] if isinstance(sources, str) else list(sources)
    prompts: list[Prompt] = []
    for source in strings:
        if len(source) > MAX_CHARACTERS:
            raise PromptError(
                f"prompt has {len(source)} characters, at most {MAX_CHARACTERS} are accepted: "
                f"shorten {source[:40]!r}..."
            )
        parts = _split(source, "|")
        if len(parts) > 1 and not _plain(parts[-1]).strip():
            parts.pop()  # a trailing "|" is a common slip and means nothing else
        prompts.extend(_parse_one(part, source) for part in parts)
    if not prompts:
        raise PromptError("no prompt was given: say what to draw, for example 'a red apple'")
    if len(prompts) > MAX_PROMPTS:
        raise PromptError(f"{len(prompts)} prompts were given, at most {MAX_PROMPTS} are accepted")
    return tuple(prompts)


Token = tuple[str, bool]  # a character and whether it was escaped


def _split(source: str, separator: str) -> list[list[Token]]:
    """Split at unescaped separators; keep for every character whether it was escaped."""
    parts: list[list[Token]] = [[]]
    characters = iter(source)
    for c in characters:
        if c == "\\":
            following = next(characters, "")
            if following in _ESCAPABLE and following:
                parts[-1].append((following, True))
            else:  # a backslash before anything else is itself (Windows paths)
                parts[-1].append(("\\", True))
                if following:
                    parts[-1].append((following, False))
        elif c == separator:
            parts.append([])
        else:
            parts[-1].append((c, False))
    return parts


def _plain(tokens: Iterable[Token]) -> str:
    return "".join(c for c, _ in tokens)


def _parse_one(tokens: list[Token], source: str) -> Prompt:
    numbers: list[float] = []
    body = tokens
    while len(numbers) < 2:
        colon = _last_colon(body)
        tail = _plain(body[colon + 1 :]) if colon >= 0 else ""
        if colon < 0 or not _NUMBER.match(tail) or not math.isfinite(float(tail)):
            break
        numbers.insert(0, float(tail))
        body = body[:colon]
    while body and body[0][0].isspace():
        body = body[1:]
    is_image = bool(body) and body[0] == ("@", False)
    text = _plain(body[1:] if is_image else body).strip()
    if not text:
        raise PromptError(f"a prompt is empty in {source!r}: say what to draw on each side of '|'")
    weight = numbers[0] if numbers else 1.0
    stop = numbers[1] if len(numbers) == 2 else -math.inf
    return Prompt(text, weight, stop, is_image)


def _last_colon(tokens: list[Token]) -> int:
    for i in range(len(tokens) - 1, -1, -1):
        if tokens[i] == (":", False):
            return i
    return -1


def number_notices(prompts: Iterable[Prompt]) -> list[str]:
    r"""Point out readings that are probably not meant, such as "in 16:9" (weight 9)."""
    notices = []
    for prompt in prompts:
        if prompt.weight != 1.0 and prompt.text[-1:].isdigit():
            n = f"{prompt.weight:g}"
            notices.append(
                f"read {n} as the weight of {prompt.text!r}; write '{prompt.text}\\:{n}' "
                "if the number belongs to the text"
            )
    return notices
