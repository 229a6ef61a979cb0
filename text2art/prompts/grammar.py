r"""The prompt grammar: scenes separated by `^`, in them prompts by `|`, and each prompt.

    text [region] @window :weight :stop        @picture.png ...

Behind the text, read from the right and in any order, may stand a region of the picture (see
`regions`), a window of the run, and at most two numbers: the first is the weight (default 1,
negative pushes away; or a curve, `{1-t}`, see `expressions`), the second the stop (the loss below
which the prompt no longer pulls). Reading from the right keeps "Star Wars: Return of the Jedi" one
text. A prompt that begins with `@` names a picture to resemble instead of words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from text2art.errors import PromptError
from text2art.prompts import source as texts
from text2art.prompts.expressions import Curve, parse_curve
from text2art.prompts.regions import (
    Region,
    Window,
    near_region,
    near_window,
    parse_region,
    parse_window,
)
from text2art.prompts.source import MAX_CHARACTERS, Piece

MAX_PROMPTS = 32
MAX_SCENES = 64
__all__ = [
    "MAX_CHARACTERS",
    "MAX_PROMPTS",
    "MAX_SCENES",
    "Prompt",
    "number_notices",
    "parse_prompts",
    "parse_story",
]
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*\Z")


@dataclass(frozen=True)
class Prompt:
    """One thing to draw, or to keep away from.

    Attributes:
        text: the words, or the path or URL of a picture when `is_image`.
        weight: how much it counts; negative pushes the picture away from it.
        stop: signed loss below which it no longer pulls; -inf means never.
        is_image: whether `text` names a picture.
        window: when it counts; None = always.
        region: where it counts; None = in the whole picture.
    """

    text: str
    weight: float | Curve = 1.0
    stop: float = -math.inf
    is_image: bool = False
    window: Window | None = None
    region: Region | None = None

    def __str__(self) -> str:
        """Write the prompt in the grammar, so that parsing it gives an equal prompt."""
        body = "@" * self.is_image + texts.escaped(self.text)
        parts = [f" {self.region}" if self.region else "", str(self.window or "")]
        if self.weight != 1.0 or self.stop != -math.inf:
            parts.append(f":{self.weight!s}")
        if self.stop != -math.inf:
            parts.append(f":{self.stop!r}")
        return body + "".join(parts)

    @property
    def is_constant(self) -> bool:
        """Whether it counts the same throughout a run."""
        return self.window is None and not isinstance(self.weight, Curve)

    def weight_at(self, progress: float, step: int) -> float:
        """Return how much it counts at a share of the run in [0, 1] and a step."""
        if self.window is not None and not self.window.holds(progress):
            return 0.0
        return self.weight.at(progress, step) if isinstance(self.weight, Curve) else self.weight


def parse_prompts(sources: str | Iterable[str], *, images: bool = False) -> tuple[Prompt, ...]:
    """Read prompt strings into prompts, in order.

    Args:
        sources: without wildcards: see `wildcards.expand`.
        images: every prompt names a picture, with or without an @.

    Raises:
        PromptError: nothing to draw, a fault, several scenes, or beyond the limits.
    """
    (scene, *more) = parse_story(sources, images=images)
    if more:
        raise PromptError(f"one scene belongs here, not {1 + len(more)}: write \\^ for a plain ^")
    return scene


def parse_story(
    sources: str | Iterable[str], *, images: bool = False
) -> tuple[tuple[Prompt, ...], ...]:
    r"""Read prompt strings into the scenes of a story, at least one, each a tuple of prompts.

    Scenes are separated by `^`. Of several strings, those with one scene belong to every scene.

    Args:
        sources: without wildcards: see `wildcards.expand`.
        images: every prompt names a picture, with or without an @.

    Raises:
        PromptError: nothing to draw, a fault, strings of different numbers of scenes, or beyond
            the limits.
    """
    strings = [sources] if isinstance(sources, str) else list(sources)
    if not strings:
        raise PromptError("no prompt was given: say what to draw, for example 'a red apple'")
    _check_count(len(strings))
    told = [_scenes(string, images) for string in strings]
    count = max(map(len, told))
    for string, scenes in zip(strings, told, strict=True):
        if len(scenes) not in (1, count):
            raise PromptError(
                f"{string[:60]!r} has {len(scenes)} scenes where another prompt has {count}: give "
                "all the same number, or one"
            )
    story = tuple(
        tuple(prompt for scenes in told for prompt in scenes[i if len(scenes) > 1 else 0])
        for i in range(count)
    )
    for scene in story:
        _check_count(len(scene))
    return story


def _check_count(count: int) -> None:
    if count > MAX_PROMPTS:
        raise PromptError(f"{count} prompts were given, at most {MAX_PROMPTS} are accepted")


def _scenes(string: str, images: bool) -> list[list[Prompt]]:
    pieces = _without_last_slip(texts.split(texts.read(string), "^"))
    if len(pieces) > MAX_SCENES:
        raise pieces[MAX_SCENES].error(
            f"{len(pieces)} scenes were given, at most {MAX_SCENES} are accepted"
        )
    return [_scene(piece, images) for piece in pieces]


def _scene(piece: Piece, images: bool) -> list[Prompt]:
    parts = _without_last_slip(texts.split(piece, "|"))
    _check_count(len(parts))
    return [_prompt(part, images) for part in parts]


def _without_last_slip(pieces: Sequence[Piece]) -> Sequence[Piece]:
    """Leave out an empty last piece: a trailing separator is a common slip and means nothing."""
    return pieces[:-1] if len(pieces) > 1 and not pieces[-1].plain.strip() else pieces


def _prompt(piece: Piece, images: bool) -> Prompt:
    body, read = _endings(piece)
    body = body.stripped()
    is_image = body.shape.startswith("@") or images
    if body.shape.startswith("@"):
        body = body.cut(1).stripped()
    if not len(body):
        if not piece.source.strip():
            raise PromptError("a prompt is empty: say what to draw, for example 'a red apple'")
        raise piece.error(
            f"a prompt is empty in {piece.source[:60]!r}: say what to draw on each side of '|'"
        )
    brace = min((i for i in map(body.shape.find, "{}") if i >= 0), default=-1)
    if brace >= 0:
        raise body.error(
            "braces hold choices, as {red|green}, or behind a colon at the end of a prompt a "
            "weight curve, as :{1-t}; write \\{ and \\} for the characters themselves",
            brace,
        )
    return replace(read, text=body.plain, is_image=is_image)


def _endings(piece: Piece) -> tuple[Piece, Prompt]:
    """Read what stands behind the text, from the right; return the rest, and what was read."""
    body, read = piece, Prompt("")
    numbers: list[tuple[Piece, float | Curve]] = []
    while True:
        body = body.cut(0, len(body.plain.rstrip()))
        colon, at, bracket = (body.shape.rfind(c) for c in ":@[")
        if read.region is None and body.shape.endswith("]") and bracket >= 0:
            region = parse_region(body.cut(bracket + 1, len(body) - 1))
            if region is not None:
                read, body = replace(read, region=region), body.cut(0, bracket)
                continue
        if read.window is None and body.shape[:at].strip():
            window = parse_window(body.cut(at + 1)) if at >= 0 else None
            if window is not None:
                read, body = replace(read, window=window), body.cut(0, at)
                continue
        number = _number(body.cut(colon + 1)) if colon >= 0 and len(numbers) < 2 else None
        if number is None:
            break
        numbers.insert(0, (body.cut(colon + 1), number))
        body = body.cut(0, colon)
    if numbers:
        read = replace(read, weight=numbers[0][1])
    if len(numbers) == 2:
        where, stop = numbers[1]
        if isinstance(stop, Curve):
            raise where.error("a stop is a number; a curve is for the weight, which is first")
        read = replace(read, stop=stop)
    return body, read


def _number(piece: Piece) -> float | Curve | None:
    """Read a number or a curve; None when it is words."""
    if _NUMBER.match(piece.shape):
        number = float(piece.shape)
        return number if math.isfinite(number) else None
    inner = piece.stripped()
    if not inner.shape.startswith("{") or not inner.shape.endswith("}") or "|" in inner.shape:
        return None
    formula = inner.cut(1, len(inner) - 1)
    return parse_curve(formula.shape, source=formula.source, places=formula.at)


def number_notices(prompts: Iterable[Prompt]) -> list[str]:
    r"""Point out readings that are probably not meant, such as "in 16:9" (weight 9)."""
    notices = []
    for prompt in prompts:
        weight = prompt.weight
        if isinstance(weight, float) and weight != 1.0 and prompt.text[-1:].isdigit():
            notices.append(
                f"read {weight:g} as the weight of {prompt.text!r}; write "
                f"'{prompt.text}\\:{weight:g}' if the number belongs to the text"
            )
        hint = near_region(prompt.text)
        if hint:
            notices.append(f"read the brackets of {prompt.text!r} as words.{hint}")
        hint = "" if prompt.is_image or prompt.window else near_window(prompt.text)
        if hint:
            notices.append(f"read what follows the @ of {prompt.text!r} as words.{hint}")
    return notices
