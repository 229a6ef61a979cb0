r"""The palette language: what "PICO-8", "#1a1c2c, red" or "black->rust->gold\8" mean as colors.

    palette = section {";" section}
    section = list | ramp | palette's name | "@" file, each but a bare list with a count "\N" or not
    list    = "[" item {"," item} "]" | item "," item {"," item}
            | "#rrggbb" " " "#rrggbb" {" " "#rrggbb"}, on a line or several, as Lospec gives them
    item    = color | palette's name
    ramp    = color {"->" color}             a single color comes out of black
    color   = "#rrggbb" | name | "(255+128+0)" | "[1+0.5+0]"

pixray's, with bare lists, columns of hexadecimal colors and the names of palettes added. Free of
torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from text2art.errors import PaletteError, SettingsError, did_you_mean
from text2art.palettes import files
from text2art.palettes.builtin import BUILTIN, builtin
from text2art.palettes.colors import Color, color_names, color_of, from_hex

FEWEST, MOST = 2, 256
LONGEST = 20_000  # characters
STEPS = 16  # of a ramp that gives no count
MOST_OF_A_FILE = 255  # colors of a file that gives no count, as in pixray
_MOST_SECTIONS = 256
_COUNT = re.compile(r"\\\s*([0-9]{1,9})\s*\Z")
_BEFORE_FILE = re.compile(r";\s*@")
_HEX_WORD = re.compile(r"#?([0-9a-f]{6})\Z", re.IGNORECASE)
_NUMBER = re.compile(r"\s*(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})\s*\Z")

# Gives the bytes of the file or URL that a section names.
Read = Callable[[str], bytes]


def parse_palette(text: str, *, read: Read = files.read_file) -> list[Color]:
    r"""Read a palette in words into colors; "" is no palette.

    Names are read whatever their case; those of palettes whatever their spaces and hyphens. A color
    given twice counts once.

    Args:
        text: as "#1a1c2c, red", "PICO-8", "black->red\8; [white, gold]", "@colors.gpl".
        read: gives the bytes of a named file; the default reads files, not URLs.

    Returns:
        2 to 256 distinct 8-bit RGB colors in the order given, or none.

    Raises:
        SettingsError: a part cannot be read (a caret shows which), or there are too few or too many
            colors.
        InputFileError: a named file cannot be used.
    """
    if not text.strip():
        return []
    sections = _sections(text)
    found: list[Color] = []
    for section in sections:
        found += section.colors(read)
    distinct = list(dict.fromkeys(found))
    if not FEWEST <= len(distinct) <= MOST:
        count = "1 color" if len(distinct) == 1 else f"{len(distinct)} different colors"
        hint = "" if len(distinct) < FEWEST else "; \\N after a part takes N of it"
        raise SettingsError(f"palette {_short(text)} has {count}: give {FEWEST} to {MOST}{hint}")
    return distinct


def check_palette(text: str) -> None:
    """Make sure that a palette can be read, but for the files it names, which are not opened.

    Raises:
        SettingsError: it cannot.
    """
    if text.strip() and not files_of(text):
        parse_palette(text)


def files_of(text: str) -> list[str]:
    """Return the files and URLs that a palette names.

    Raises:
        SettingsError: a part cannot be read.
    """
    if not text.strip():
        return []
    return [section.file for section in _sections(text) if section.file]


@dataclass(frozen=True)
class _Section:
    """One part between semicolons, understood: colors, or a file, and how many of them.

    Attributes:
        stops: the colors themselves, or the stops of a ramp.
        file: the file or URL instead, or "".
        count: colors wanted; None = all there are.
    """

    stops: Sequence[Color] = ()
    file: str = ""
    count: int | None = None

    def colors(self, read: Read) -> list[Color]:
        if self.file:
            most = MOST_OF_A_FILE if self.count is None else self.count
            return files.colors_of_file(read(self.file), self.file, most)
        return list(self.stops) if self.count is None else ramp(self.stops, self.count)


def ramp(stops: Sequence[Color], count: int) -> list[Color]:
    """Return `count` colors evenly spaced along the stops, linear in sRGB as pixray's are."""
    colors = []
    last = max(count - 1, 1)
    for i in range(count):
        first, share = divmod(i * (len(stops) - 1), last)  # share of `last` beyond the stop
        ends = stops[first], stops[min(first + 1, len(stops) - 1)]
        red, green, blue = (
            (2 * (a * (last - share) + b * share) + last) // (2 * last)
            for a, b in zip(*ends, strict=True)
        )
        colors.append((red, green, blue))
    return colors


# ---- reading -----------------------------------------------------------------------------------


class _Text:
    """A palette's text, and the errors that point into it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def fault(self, start: int, end: int, reason: str) -> PaletteError:
        """Make the error whose caret points at a part, which is trimmed of spaces first."""
        while start < end and self.text[start].isspace():
            start += 1
        return PaletteError(f"palette: {reason}", self.text, start)

    def split(self, start: int, end: int, mark: str) -> list[tuple[int, int]]:
        """Return the parts between marks that are outside brackets; brackets must match."""
        parts, stack = [], []
        at = begun = start
        while at < end:
            letter = self.text[at]
            if letter in "[(":
                stack.append(at)
            elif letter in "])":
                if not stack or self.text[stack[-1]] != ("[" if letter == "]" else "("):
                    raise self.fault(at, at + 1, f"{letter!r} closes nothing")
                stack.pop()
            elif not stack and self.text.startswith(mark, at, end):
                parts.append((begun, at))
                at = begun = at + len(mark)
                continue
            at += 1
        if stack:
            closing = "]" if self.text[stack[-1]] == "[" else ")"
            raise self.fault(stack[-1], stack[-1] + 1, f"this needs a closing {closing!r}")
        return [*parts, (begun, end)]


def _sections(text: str) -> list[_Section]:
    if len(text) > LONGEST:
        raise SettingsError(
            f"palette {_short(text)} has {len(text)} characters, at most {LONGEST} are accepted: "
            "name a file instead, as @colors.hex"
        )
    whole = _Text(text)
    parts = _split_sections(whole)
    if len(parts) > _MOST_SECTIONS:
        raise SettingsError(f"palette {_short(text)} has more than {_MOST_SECTIONS} sections")
    return [_section(whole, start, end) for start, end in parts]


def _split_sections(whole: _Text) -> list[tuple[int, int]]:
    """Split at semicolons. A file's name may hold brackets, so it reaches to the next semicolon."""
    parts: list[tuple[int, int]] = []
    start, end = 0, len(whole.text)
    while start <= end:
        if whole.text[start:].lstrip().startswith("@"):
            stop = whole.text.find(";", start)
            stop = end if stop < 0 else stop
            parts.append((start, stop))
        else:
            next_file = _BEFORE_FILE.search(whole.text, start)
            stop = end if next_file is None else next_file.start()
            parts += whole.split(start, stop, ";")
        start = stop + 1
    return parts


def _section(whole: _Text, start: int, end: int) -> _Section:
    text = whole.text
    if not text[start:end].strip():
        raise whole.fault(start, end, "a part is empty: remove the extra ';'")
    count, stop = None, end
    if "\\" in text[start:end] and not _is_windows_path(text[start:end]):
        mark = text.rindex("\\", start, end)
        digits = _COUNT.match(text[mark:end])
        number = int(digits[1]) if digits else 0
        if not FEWEST <= number <= MOST:
            raise whole.fault(mark, end, f"after \\ comes a count from {FEWEST} to {MOST}")
        count, stop = number, mark
    body = text[start:stop].strip()
    if body.startswith("@"):
        name = body[1:].strip()
        if not name:
            raise whole.fault(start, end, "@ needs the name of a file, as @colors.gpl")
        return _Section(file=name, count=count)
    if body.startswith("[") and body.endswith("]") and not _is_triple(body) and _is_one(body):
        at = text.index("[", start)
        return _Section(_items(whole, at + 1, text.rindex("]", start, stop)), count=count)
    if len(whole.split(start, stop, ",")) > 1:
        if count is not None:
            raise whole.fault(stop, end, "a count belongs to a list in brackets, as [red, blue]\\8")
        return _Section(_items(whole, start, stop))
    column = [_HEX_WORD.match(word) for word in body.split()]
    if len(column) > 1 and all(column):
        if count is not None:
            raise whole.fault(stop, end, "a count belongs to a list in brackets, as [red, blue]\\8")
        return _Section([from_hex(word[1]) for word in column if word is not None])
    named = builtin(body)
    if named is not None:
        return _Section(named, count=count)
    stops = [_color(whole, *part) for part in whole.split(start, stop, "->")]
    if len(stops) == 1:
        stops = [(0, 0, 0), *stops]
    return _Section(stops, count=STEPS if count is None else count)


def _is_windows_path(part: str) -> bool:
    r"""Whether the backslash is one of a path, as @C:\colors.gpl, and no count follows."""
    return part.strip().startswith("@") and _COUNT.search(part) is None


def _is_one(body: str) -> bool:
    """Whether the first bracket of a part closes at its very end."""
    depth = 0
    for i, letter in enumerate(body):
        depth += (letter in "[(") - (letter in "])")
        if depth == 0:
            return i == len(body) - 1
    return True


def _is_triple(body: str) -> bool:
    return "+" in body and "," not in body and "[" not in body[1:] and "(" not in body


def _items(whole: _Text, start: int, end: int) -> list[Color]:
    colors: list[Color] = []
    for first, last in whole.split(start, end, ","):
        part = whole.text[first:last].strip()
        if not part:
            raise whole.fault(
                max(first - 1, 0), max(first, 1), "an empty part: remove the extra comma"
            )
        named = builtin(part)
        if named is not None:
            colors += named
        elif "->" in part:
            raise whole.fault(first, last, "a ramp cannot stand in a list: put ; around it")
        else:
            colors.append(_color(whole, first, last))
    return colors


def _color(whole: _Text, start: int, end: int) -> Color:
    part = whole.text[start:end].strip()
    if not part:
        raise whole.fault(max(start - 2, 0), end + 2, "a color is missing beside '->'")
    if part[0] in "([" and part[-1] in ")]":
        return _triple(whole, start, end, part)
    color = color_of(part)
    if color is not None:
        return color
    if builtin(part) is not None:
        raise whole.fault(start, end, f"{_short(part)} is a palette, which has no place in a ramp")
    if files.is_palette_name(part):
        raise whole.fault(start, end, f"{_short(part)} is no color; a file is named as @{part}")
    hint = did_you_mean(part[:60], [*BUILTIN, *color_names()])
    raise whole.fault(
        start,
        end,
        f"{_short(part)} is no color (#rrggbb, a CSS or xkcd name) and no built-in palette "
        f"({', '.join(BUILTIN)}).{hint}",
    )


def _triple(whole: _Text, start: int, end: int, part: str) -> Color:
    """Read (255+128+0), levels of 255, or [1+0.5+0], shares of 1."""
    top = 255 if part[0] == "(" else 1
    numbers = part[1:-1].split("+")
    shape = "(255+128+0)" if top == 255 else "[1+0.5+0]"
    if len(numbers) != 3 or any(_NUMBER.match(number) is None for number in numbers):
        raise whole.fault(start, end, f"a color in numbers is written {shape}")
    values = [float(number) for number in numbers]
    if max(values) > top:
        raise whole.fault(start, end, f"the numbers of {shape} reach from 0 to {top}")
    red, green, blue = (int(value * 255 / top + 0.5) for value in values)
    return red, green, blue


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
