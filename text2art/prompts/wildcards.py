r"""Choices by the seed: `{red|green|blue}`, and `__animal__` for a line of a list.

Lists are `wildcards/animal.txt` in the folder of the program's start or in `TEXT2ART_HOME`, one
entry a line, else built in. Entries may hold choices and wildcards themselves. A brace behind a
colon that offers no choice is a weight curve and stays. Expanding what was expanded changes
nothing, so a picture's record, which holds the expanded prompts, draws the same again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from text2art import environment
from text2art.errors import PromptError, did_you_mean
from text2art.prompts import source as texts
from text2art.prompts.source import Piece

MOST_COUNTED = 10**9  # combinations; more are not counted
MOST_ENTRIES = 10_000
_MOST_BYTES = 1_000_000
_MOST_CHOICES = 500  # made in one prompt string
_DEEPEST = 10  # lists that refer to lists
_NAME = re.compile(r"__([A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*)__")

# Words that the starter knows, too.
BUILTIN: Mapping[str, str] = {
    "animal": (
        "cat dog rabbit fox bear koala panda lion tiger zebra giraffe camel kangaroo squirrel cow "
        "pig frog monkey penguin parrot owl swan flamingo peacock horse butterfly turtle snake "
        "dragon whale dolphin octopus crab elephant sheep"
    ),
    "color": "red orange yellow green turquoise blue purple pink brown black white gray golden",
    "flower": "rose tulip sunflower daisy clover",
    "fruit": "apple banana cherry strawberry pear lemon peach watermelon pineapple avocado",
    "place": "forest beach desert meadow mountain lake garden jungle city island park",
    "shape": "circle square triangle diamond hexagon star heart cross ring spiral crescent",
    "time": "morning noon evening dusk midnight sunrise sunset dawn winter summer autumn spring",
    "vehicle": (
        "car bus truck tractor train bicycle motorcycle sailboat ship airplane rocket helicopter"
    ),
    "weather": "sunny cloudy rainy snowy stormy foggy windy starry",
}
Choose = Callable[[Sequence[Piece]], int]


def expand(sources: Sequence[str], seed: int | str, *, purpose: str = "prompts") -> tuple[str, ...]:
    """Return prompt strings with every choice made, as the seed decides.

    Args:
        sources: prompt strings.
        seed: of the run.
        purpose: the setting that they belong to: equal strings in two settings choose by
            themselves, as do the strings among each other.

    Raises:
        PromptError: braces do not match, or a list is missing, too long or goes in circles.
    """
    lists = _Lists()
    return tuple(
        _expanded(source, lists, _Drawn(f"{seed}/wildcards/{purpose}/{number}"))
        for number, source in enumerate(sources)
    )


def combinations(sources: Sequence[str]) -> int:
    """Return in how many ways prompt strings can be expanded, at most `MOST_COUNTED`.

    Every choice and every list is read for this: it raises what any expansion would, but for what
    shows only once choices stand side by side.

    Raises:
        PromptError: see `expand`.
    """
    lists, count = _Lists(), 1
    for source in sources:
        count = min(MOST_COUNTED, count * lists.count(texts.read(source), ()))
    return count


def combination(sources: Sequence[str], number: int) -> tuple[str, ...]:
    """Return one of the `combinations` of prompt strings, counted from 0.

    Raises:
        PromptError: see `expand`.
    """
    lists = _Lists()
    choose = _Numbered(lists, number)
    return tuple(_expanded(source, lists, choose) for source in sources)


def _expanded(source: str, lists: _Lists, choose: Choose) -> str:
    if not any(True for _ in _choices(texts.read(source), lists)):
        return source  # untouched, so that it stands in the record as it was given
    result = _Expansion(lists, choose).of(texts.read(source), ())
    piece = texts.read(result)
    joined = _NAME.search(piece.shape)
    if joined:
        raise piece.error(
            f"choices side by side make the wildcard {joined[0]}: put a space between them",
            joined.start(),
        )
    return result


class _Drawn:
    """Chooses by a seed, evenly; the n-th choice depends on nothing but the seed and n."""

    def __init__(self, seed: str) -> None:
        self._seed, self._count = seed, 0

    def __call__(self, options: Sequence[Piece]) -> int:
        digest = hashlib.sha256(f"{self._seed}/{self._count}".encode()).digest()
        self._count += 1
        return int.from_bytes(digest[:16], "big") % len(options)


class _Numbered:
    """Chooses so that each number gives another combination."""

    def __init__(self, lists: _Lists, number: int) -> None:
        self._lists, self._rest = lists, number

    def __call__(self, options: Sequence[Piece]) -> int:
        counts = [self._lists.count(option, ()) for option in options]
        self._rest, within = divmod(self._rest, sum(counts))
        for chosen, count in enumerate(counts):
            if within < count:
                # What is chosen inside the option uses up exactly its count.
                self._rest = self._rest * count + within
                return chosen
            within -= count
        raise AssertionError("unreachable: within is less than the sum")


class _Expansion:
    """One prompt string on its way: counts its choices, so that lists cannot blow it up."""

    def __init__(self, lists: _Lists, choose: Choose) -> None:
        self._lists, self._choose, self._made = lists, choose, 0

    def of(self, piece: Piece, within: tuple[str, ...]) -> str:
        """Return a piece with its choices made; `within` are the lists that led to it."""
        parts: list[str] = []
        done = 0
        for start, end, name, options in _choices(piece, self._lists, within):
            self._made += 1
            if self._made > _MOST_CHOICES:
                raise piece.error(f"more than {_MOST_CHOICES} choices are to be made", start)
            chosen = options[self._choose(options)].stripped()
            inner = self.of(chosen, (*within, name) if name else within)
            parts += [piece.cut(done, start).written, inner]
            done = end
        return "".join([*parts, piece.cut(done).written])


def _choices(
    piece: Piece, lists: _Lists, within: tuple[str, ...] = ()
) -> Iterator[tuple[int, int, str, Sequence[Piece]]]:
    """Yield the outermost choices of a piece: start, end, name of the list or "", and options."""
    i = 0
    while i < len(piece):
        if piece.shape[i] == "{":
            end = i + 1 + next(
                j for j, depth in texts.outside(piece.cut(i + 1)) if depth < 0
            )  # fmt: skip
            options = texts.split(piece.cut(i + 1, end), "|")
            if len(options) > 1 or not piece.shape[:i].rstrip().endswith(":"):
                yield i, end + 1, "", options
            i = end + 1
            continue
        match = _NAME.match(piece.shape, i)
        if match:
            yield i, match.end(), match[1], lists.entries(match[1], piece, i, within)
        i = match.end() if match else i + 1


class _Lists:
    """The lists that wildcards name, each read once."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[Piece, ...]] = {}
        self._counts: dict[str, int] = {}

    def entries(
        self, name: str, piece: Piece, index: int, within: tuple[str, ...] = ()
    ) -> tuple[Piece, ...]:
        """Return the entries of a list that is named at an index of a piece."""
        if name in within or len(within) >= _DEEPEST:
            path = " -> ".join((*within, name))
            raise piece.error(f"wildcard lists go in circles, or too deep: {path}", index)
        if name not in self._entries:
            lines = _lines(name)
            if lines is None:
                known = sorted({*BUILTIN, *_files()})
                raise piece.error(
                    f"there is no wildcard list __{name}__.{did_you_mean(name, known)} There are: "
                    f"{', '.join(known)}. Write wildcards/{name}.txt, or \\__ for two underscores",
                    index,
                )
            self._entries[name] = tuple(map(texts.read, lines))
        return self._entries[name]

    def count(self, piece: Piece, within: tuple[str, ...]) -> int:
        """Return in how many ways a piece can be expanded, at most `MOST_COUNTED`."""
        count = 1
        for _, _, name, options in _choices(piece, self, within):
            ways = self._counts.get(name) if name else None
            if ways is None:
                inside = (*within, name) if name else within
                ways = sum(self.count(option, inside) for option in options)
                if name:
                    self._counts[name] = ways
            count = min(MOST_COUNTED, count * ways)
        return count


def _folders() -> tuple[Path, Path]:
    return Path("wildcards"), environment.home() / "wildcards"


def _files() -> Iterator[str]:
    for folder in _folders():
        try:
            names = [path.stem for path in folder.glob("*.txt")]
        except OSError:
            names = []
        yield from names


def _lines(name: str) -> list[str] | None:
    """Return the entries of a list, None when there is no such list.

    Raises:
        PromptError: its file cannot be read, is too large or empty.
    """
    for folder in _folders():
        path = folder / f"{name}.txt"
        try:
            if not path.is_file():
                continue
            with path.open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
            text = data.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise PromptError(f"wildcards/{name}.txt cannot be read: {reason}") from error
        lines = [line.strip() for line in text.splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        if not 0 < len(lines) <= MOST_ENTRIES or len(data) > _MOST_BYTES:
            raise PromptError(
                f"wildcards/{name}.txt has {len(lines)} entries in {len(data)} bytes: 1 to "
                f"{MOST_ENTRIES} entries in at most {_MOST_BYTES / 1e6:g} MB are accepted"
            )
        return lines
    return BUILTIN[name].split() if name in BUILTIN else None
