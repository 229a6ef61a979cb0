r"""Names of files from templates: `outputs/{date}/{slug}-{seed}.png`.

`{field}` stands for a fact of the run, `{field:format}` writes it in a given way, `{{` and `}}` are
the braces themselves. pixray's spelling `%DATE%` means `{date}`, `%SEQ%` means `{n:02}`. What a
field stands for never holds a separator of folders, whatever the prompt said: a template alone
decides in which folder a file lands.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from text2art.errors import OutputError, did_you_mean
from text2art.media.files import SLUG_LENGTH, slug
from text2art.settings import Settings

MOST_CHARACTERS = 1000
MOST_FIELDS = 32
MOST_NUMBER = 1_000_000  # names are tried one by one
_NUMBERED = "n"
# What the fields mean, in the order of the documentation.
FIELDS: Mapping[str, str] = {
    "date": "day on which the run began, as 2026-08-17; a format as {date:%y%m%d} or {date:%Y}",
    "time": "time at which it began, as 14-30-05; a format as {time:%H%M}",
    "slug": "the prompts, as letters and digits with hyphens; {slug:20} is at most 20 characters",
    "seed": "the seed; {seed:06} fills a number up with zeros",
    "styles": "the styles, with hyphens; {styles:20} is at most 20 characters",
    "drawer": "the drawer",
    "quality": "the quality",
    "width": "of the picture in pixels",
    "height": "of the picture in pixels",
    "iterations": "the optimizer steps",
    _NUMBERED: "the first number, from 1, whose name is free; {n:03} is 001, 002, ...",
}
# pixray's and its kin's spelling.
OLD: Mapping[str, str] = {
    "DATE": "{date}",
    "TIME": "{time}",
    "SEQ": "{n:02}",
    "PROMPT": "{slug}",
    "SEED": "{seed}",
    "DRAWER": "{drawer}",
    "QUALITY": "{quality}",
    "WIDTH": "{width}",
    "HEIGHT": "{height}",
}
_OLD = re.compile(r"%([A-Z]{2,})%")
_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_WIDTH = re.compile(r"0?([1-9][0-9]?)\Z")
_MOMENT = re.compile(r"(?:%[YymdHMSjaAbB]|[\w.+-])+\Z")
_WORDS = ("slug", "styles", "drawer", "quality")
_MOMENTS = {"date": "%Y-%m-%d", "time": "%H-%M-%S"}
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])\Z")  # devices of Windows


@dataclass(frozen=True)
class Field:
    """One `{name:format}` of a template."""

    name: str
    format: str = ""

    def __str__(self) -> str:
        """Write it as templates do."""
        return f"{{{self.name}:{self.format}}}" if self.format else f"{{{self.name}}}"


@dataclass(frozen=True)
class Template:
    """A file's name with fields in it.

    Attributes:
        text: as it was given.
        parts: plain text and fields, in order.
    """

    text: str
    parts: tuple[str | Field, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields, in order."""
        return tuple(part for part in self.parts if isinstance(part, Field))

    @property
    def is_numbered(self) -> bool:
        """Whether it asks for a number."""
        return any(field.name == _NUMBERED for field in self.fields)

    def filled(self, facts: Mapping[str, str | int | datetime.datetime], number: int = 1) -> Path:
        """Return the path for the facts of a run.

        Args:
            facts: a value for every name of `FIELDS` but `n`, as `facts_of` gives them.
            number: what `{n}` stands for.
        """
        text = "".join(
            part if isinstance(part, str) else _written(part, {**facts, _NUMBERED: number})
            for part in self.parts
        )
        return Path(text)

    def free(self, facts: Mapping[str, str | int | datetime.datetime]) -> Path:
        """Return the path for the facts of a run, with the first number that is free.

        A number in a folder's name is free when there is no such folder; one in the file's name
        when there is no such file.

        Raises:
            OutputError: no number is free.
        """
        level = self._numbered_level()
        if level is None:
            return self.filled(facts)
        for number in range(1, MOST_NUMBER):
            path = self.filled(facts, number)
            if not Path(*path.parts[: len(path.parts) - level]).exists():
                return path
        raise OutputError(f"cannot write {self.text!r}: every number up to {MOST_NUMBER} is taken")

    def _numbered_level(self) -> int | None:
        """Return how many folders' names follow the first that holds `{n}`; None without one."""
        before = ""
        for i, part in enumerate(self.parts):
            if isinstance(part, Field) and part.name == _NUMBERED:
                rest = "".join(p if isinstance(p, str) else "x" for p in self.parts[i:])
                return len(Path(f"x{rest}").parts) - 1
            before += "x" if isinstance(part, Field) else part
        return None


def parse_template(text: str) -> Template:
    """Read a template.

    Raises:
        OutputError: it is too long, a field is unknown or its format is, a brace stands alone.
    """
    if len(text) > MOST_CHARACTERS:
        raise OutputError(
            f"a file name of {len(text)} characters was given, at most {MOST_CHARACTERS} are "
            "accepted"
        )
    if "\0" in text:
        raise OutputError(f"the file name {text!r} holds a zero character")
    parts = tuple(_joined(_tokens(_modern(text), text)))
    template = Template(text, parts)
    if len(template.fields) > MOST_FIELDS:
        raise OutputError(
            f"{text!r} has {len(template.fields)} fields, at most {MOST_FIELDS} are accepted"
        )
    return template


def facts_of(
    settings: Settings, size: tuple[int, int], now: datetime.datetime
) -> dict[str, str | int | datetime.datetime]:
    """Return what the fields stand for.

    Args:
        settings: of the run, the seed drawn.
        size: of the picture, width and height in pixels.
        now: when the run began, local time.
    """
    seed = settings.seed if settings.seed is not None else ""
    return {
        "date": now,
        "time": now,
        "slug": " ".join(settings.prompts),
        "seed": seed if isinstance(seed, int) else slug(seed),
        "styles": " ".join(settings.styles) or "plain",
        "drawer": settings.drawer,
        "quality": settings.quality,
        "width": size[0],
        "height": size[1],
        "iterations": settings.steps,
    }


def _modern(text: str) -> str:
    """Replace pixray's fields."""

    def field(match: re.Match[str]) -> str:
        if match[1] in OLD:
            return OLD[match[1]]
        known = ", ".join(f"%{name}%" for name in OLD)
        raise OutputError(f"unknown field {match[0]!r} in a file name: there are {known}")

    return _OLD.sub(field, text)


def _tokens(text: str, given: str) -> Iterator[str | Field]:
    at = 0
    for match in _TOKEN.finditer(text):
        yield text[at : match.start()]
        at = match.end()
        if match[0] in ("{{", "}}"):
            yield match[0][0]
        elif match[1] is None:
            raise OutputError(
                f"{given!r}: a {match[0]!r} stands alone; write {match[0] * 2!r} for the character"
            )
        else:
            yield _field(match[1], given)
    yield text[at:]


def _joined(parts: Iterator[str | Field]) -> Iterator[str | Field]:
    """Join neighboring texts, and leave out what is empty."""
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        if text:
            yield text
        text = ""
        yield part
    if text:
        yield text


def _field(inside: str, given: str) -> Field:
    name, _, wanted = inside.strip().partition(":")
    name = name.strip().lower()
    if name not in FIELDS:
        raise OutputError(
            f"unknown field '{{{inside}}}' in the file name {given!r}.{did_you_mean(name, FIELDS)} "
            f"There are: {', '.join(f'{{{known}}}' for known in FIELDS)}"
        )
    fits = _MOMENT if name in _MOMENTS else _WIDTH
    if wanted and not fits.match(wanted):
        example = FIELDS[name].rpartition("{")[2].partition("}")[0]
        hint = f", as {{{example}}}" if example.startswith(name) else ": a number such as 03"
        raise OutputError(f"{given!r}: cannot write {name} in the format {wanted!r}{hint}")
    return Field(name, wanted)


def _written(field: Field, facts: Mapping[str, str | int | datetime.datetime]) -> str:
    value = facts[field.name]
    if isinstance(value, datetime.datetime):
        written = value.strftime(field.format or _MOMENTS[field.name])
        return re.sub(r"[^\w.+-]", "-", written).strip(".") or "x"  # some language's months
    if isinstance(value, int):
        return f"{value:0{int(field.format)}d}" if field.format else str(value)
    longest = int(field.format) if field.name in _WORDS and field.format else SLUG_LENGTH
    written = slug(value, longest=longest)
    return f"{written}_" if _RESERVED.match(written) else written
