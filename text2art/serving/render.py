"""Cog's input block, rendered from the rows of `fields`.

Cog reads `predict.py` without running it, so its inputs have to be literals: every string is one
plain string, every number is written out. The block stands between two marker comments and
`python -m scripts.generate` keeps it up to date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from text2art import fields, registry
from text2art.settings import MAX_SEED

BEGIN = "        # inputs: written by `python -m scripts.generate` from text2art.settings"
END = "        # end of the inputs"
_INDENT = " " * 8
_WIDTH = 100

# Settings that are inputs of their own; every other one is reached through `settings`.
NAMES = (
    "prompts",
    "styles",
    "drawer",
    "quality",
    "aspect",
    "size",
    "iterations",
    "display_every",
    "seed",
    "init_image",
    "protect",
    "palette",
    "make_video",
    "output_format",
)
EXTRA = "settings"
_EXTRA_HELP = (
    "Any further settings as YAML, for example 'cuts: 40' or 'pixel: {cells: 32x32}'. "
    "Inputs that differ from their default win over it."
)
_PROMPTS_HELP = (
    "What to draw. Several prompts are separated by |, each may end in :weight or :weight:stop; "
    "a negative weight pushes away; @https://... names a picture to resemble."
)
_PALETTE_HELP = (
    "Colors to use: a palette's name (PICO-8), a list (#1a1c2c,red), a ramp (black->gold), a file "
    "by its address (@https://...); several are joined by semicolons."
)
_SEED_HELP = (
    "Same seed, same picture. Leave out for a new one; words go into settings as 'seed: x'."
)
PICTURES = {  # inputs that are uploads or URLs
    "init_image": "Picture to start from: an upload or an http(s) URL.",
    "protect": "Mask, an upload or an http(s) URL: where it is white, init_image stays untouched.",
}
_TYPES: Mapping[str, str] = {
    "text": "str",
    "texts": "str",
    "choice": "str",
    "size": "str",
    "integer": "int",
    "number": "float",
    "switch": "bool",
}


def defaults() -> dict[str, Any]:
    """Return the default of every input, as Cog hands it to `predict`; None for what has none."""
    by_name = {row.name: row for row in fields.rows()}
    found = {name: _arguments(by_name[name])[1].get("default") for name in NAMES}
    return {**found, EXTRA: ""}


def block() -> str:
    """Return the lines between the markers, without them."""
    by_name = {row.name: row for row in fields.rows()}
    inputs = [(name, *_arguments(by_name[name])) for name in NAMES]
    inputs.append((EXTRA, "str", {"default": "", "description": _EXTRA_HELP}))
    return "".join(line + "\n" for one in inputs for line in _lines(*one))


def replace_block(source: str) -> str:
    """Return the source of `predict.py` with a fresh block.

    Raises:
        ValueError: the markers are not there exactly once, in order.
    """
    head, begin, rest = source.partition(BEGIN + "\n")
    _, end, tail = rest.partition(END + "\n")
    if not begin or not end or BEGIN in rest or END in tail:
        raise ValueError("predict.py needs the two marker comments of its inputs, once each")
    return head + begin + block() + end + tail


def _arguments(row: fields.Row) -> tuple[str, dict[str, Any]]:
    """Return the type of an input and what `Input(...)` is called with."""
    if row.name == "prompts":
        return "str", {"description": _PROMPTS_HELP}
    if row.name == "seed":
        limits = {"ge": 0, "le": MAX_SEED}
        return "Optional[int]", {"default": None, **limits, "description": _SEED_HELP}
    if row.name in PICTURES:
        extra = {"description": PICTURES[row.name], "accept": "image/*"}
        return "Optional[Path]", {"default": None, **extra}
    kind = _TYPES[row.kind]
    default = row.default
    if kind == "str" and not default:
        default = ""
    arguments: dict[str, Any] = {"default": default}
    if row.choices:
        arguments["choices"] = _built_in(row)
    if row.minimum is not None:
        arguments["ge"] = row.minimum
    if row.maximum is not None:
        arguments["le"] = row.maximum
    arguments["description"] = _PALETTE_HELP if row.name == "palette" else row.help
    return (f"Optional[{kind}]" if default is None else kind), arguments


def _built_in(row: fields.Row) -> list[str]:
    """Return the choices without those of plug-ins that happen to be installed here."""
    if row.name != "drawer":
        return list(row.choices)
    return [component.name for component in registry.BUILTIN["drawers"]]


def _lines(name: str, kind: str, arguments: Mapping[str, Any]) -> Iterator[str]:
    yield f"{_INDENT}{name}: {kind} = Input("
    for key, value in arguments.items():
        line = f"{_INDENT}    {key}={literal(value)},"
        if isinstance(value, list) and len(line) > _WIDTH:
            yield f"{_INDENT}    {key}=["
            for item in value:
                yield f"{_INDENT}        {literal(item)},"
            yield f"{_INDENT}    ],"
        else:
            yield line
    yield f"{_INDENT}),"


def literal(value: Any) -> str:
    """Write a value as a Python literal that Cog's static reader understands.

    Raises:
        ValueError: text with a backslash, a line break or both kinds of quotes.
    """
    if isinstance(value, list):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    if not isinstance(value, str):
        return repr(value)
    if "\\" in value or not value.isprintable() or ('"' in value and "'" in value):
        raise ValueError(f"Cog reads strings as they are written: no escapes in {value!r}")
    quote = "'" if '"' in value else '"'
    return quote + value + quote
