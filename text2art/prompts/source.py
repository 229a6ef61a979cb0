r"""Prompt text character by character: what is escaped, what is not, and where it stood.

`\` before one of `| : @ \ ^ { } [ ]`, or before two underscores, makes the character an ordinary
one. Before anything else a backslash is itself, so that paths of Windows need no care.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from text2art.errors import PromptError

MAX_CHARACTERS = 2000
ESCAPABLE = "|:@\\^{}[]"
_HIDDEN = "\0"  # stands in a shape for what is escaped: it matches nothing
_DEEPEST = 20  # braces in braces


@dataclass(frozen=True)
class Piece:
    """A stretch of prompt text.

    Attributes:
        plain: the characters meant, without the backslashes that escape.
        shape: the same, but what is escaped is hidden: the grammar is looked for here.
        at: where each character stood in `source`, and where the piece ends.
        source: all that was written.
    """

    plain: str
    shape: str
    at: tuple[int, ...]
    source: str

    def __len__(self) -> int:
        return len(self.plain)

    def cut(self, start: int, end: int | None = None) -> Piece:
        """Return the part from `start` to `end`."""
        end = len(self.plain) if end is None else end
        return Piece(
            self.plain[start:end], self.shape[start:end], self.at[start : end + 1], self.source
        )

    def stripped(self) -> Piece:
        """Return the piece without spaces around it."""
        start = len(self.plain) - len(self.plain.lstrip())
        return self.cut(start, max(start, len(self.plain.rstrip())))

    def error(self, message: str, index: int | None = None) -> PromptError:
        """Return an error that points at a character of the piece: its first that is no space."""
        if index is None:
            index = len(self.plain) - len(self.plain.lstrip())
        return PromptError(message, self.source, self.at[min(index, len(self.plain))])

    @property
    def written(self) -> str:
        """The piece as it could stand anywhere, with its escapes."""
        return "".join(
            "\\" + plain if shape == _HIDDEN and plain != _HIDDEN else plain
            for plain, shape in zip(self.plain, self.shape, strict=True)
        )


def read(source: str) -> Piece:
    """Take off the escapes of a text.

    Raises:
        PromptError: it is too long, or its braces do not match.
    """
    if len(source) > MAX_CHARACTERS:
        raise PromptError(
            f"prompt has {len(source)} characters, at most {MAX_CHARACTERS} are accepted: "
            f"shorten {source[:40]!r}..."
        )
    plain: list[str] = []
    shape: list[str] = []
    at: list[int] = []
    i = 0
    while i < len(source):
        at.append(i)
        escaping = source[i] == "\\" and _is_escape(source, i)
        if escaping:
            i += 1
        hidden = escaping or source[i] in ("\\", _HIDDEN)
        plain.append(source[i])
        shape.append(_HIDDEN if hidden else source[i])
        i += 1
    at.append(len(source))
    piece = Piece("".join(plain), "".join(shape), tuple(at), source)
    _check_braces(piece)
    return piece


def _is_escape(source: str, backslash: int) -> bool:
    following = source[backslash + 1 : backslash + 2]
    return bool(following) and (following in ESCAPABLE or source.startswith("__", backslash + 1))


def _check_braces(piece: Piece) -> None:
    opened: list[int] = []
    for i, c in enumerate(piece.shape):
        if c == "{":
            opened.append(i)
            if len(opened) > _DEEPEST:
                raise piece.error(f"braces are nested more than {_DEEPEST} deep", i)
        elif c == "}":
            if not opened:
                raise piece.error("this '}' closes nothing: write \\} for the character itself", i)
            opened.pop()
    if opened:
        raise piece.error(
            "this '{' is never closed: write \\{ for the character itself", opened[-1]
        )


def split(piece: Piece, separator: str) -> list[Piece]:
    """Split at separators that are neither escaped nor within braces."""
    cuts = [i for i, depth in outside(piece) if piece.shape[i] == separator and depth == 0]
    edges = zip([-1, *cuts], [*cuts, len(piece)], strict=True)
    return [piece.cut(before + 1, after) for before, after in edges]


def outside(piece: Piece) -> Iterator[tuple[int, int]]:
    """Yield each index with how many braces are open around it."""
    depth = 0
    for i, c in enumerate(piece.shape):
        depth -= c == "}"
        yield i, depth
        depth += c == "{"


def escaped(text: str) -> str:
    """Write a text so that reading it gives the text, with no grammar in it."""
    safe = "".join("\\" + c if c in ESCAPABLE else c for c in text)
    result: list[str] = []
    for i, c in enumerate(safe):
        # Of underscores in a row, the first of the last two is escaped: no wildcard starts there.
        pair = safe.startswith("__", i) and not safe.startswith("___", i)
        result.append("\\" + c if c == "_" and pair else c)
    return "".join(result)
