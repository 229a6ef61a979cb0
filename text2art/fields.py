"""Settings flattened into rows: the one table that flags, forms, schemas and docs are made from."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from text2art import aliases, registry

# Headings in order; those of components come after them.
GROUPS = (
    "picture",
    "prompts",
    "start",
    "guidance",
    "optimization",
    "overlay",
    "transparency",
    "animation",
    "output",
)


@dataclass(frozen=True)
class Row:
    """One setting as every face sees it.

    Attributes:
        name: dotted name, as `drawer` or `pixel.cells`.
        kind: "text", "texts", "integer", "number", "switch", "choice", "size", "numbers",
            "weights" or "seed".
        default: its default value (None = follows from other settings).
        help: one sentence.
        group: heading it belongs under.
        choices: allowed values, when they are few.
        minimum, maximum: limits of numbers, when there are any.
        above: whether the minimum itself is excluded.
        aliases: old names that are read as this one.
    """

    name: str
    kind: str
    default: Any
    help: str
    group: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    above: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """The command-line flag, as `--learning-rate` or `--pixel.cells`."""
        return "--" + self.name.replace("_", "-")

    @property
    def bounds(self) -> str:
        """The limits in words, as "1 to 10000" or "above 0 to 20"; "" when there are none."""
        above = "above " if self.above else ""
        low, high = self.minimum, self.maximum
        if low is not None and high is not None:
            return f"{above}{low:g} to {high:g}"
        if low is not None:
            return f"{above}{low:g}" if above else f"{low:g} or more"
        return "" if high is None else f"up to {high:g}"


def rows() -> list[Row]:
    """Return a row for every setting, core settings first, then each component's options."""
    from text2art.settings import Settings  # takes its time; `rows_of` does without it

    return sorted(_rows(Settings, "", ""), key=lambda row: _place(row.group))


def rows_of(model: type[BaseModel], group: str) -> list[Row]:
    """Return a row for every field of a model that is no part of the settings."""
    return list(_rows(model, "", group))


def _place(group: str) -> int:
    return GROUPS.index(group) if group in GROUPS else len(GROUPS)


def _rows(model: type[BaseModel], prefix: str, group: str) -> Iterator[Row]:
    nested = []
    for name, info in model.model_fields.items():
        annotation = info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            nested.append((name, annotation))
            continue
        yield _row(prefix + name, info, group)
    for name, annotation in nested:
        yield from _rows(annotation, f"{name}.", name)


def _row(name: str, info: FieldInfo, group: str) -> Row:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, Mapping) else {}
    kind, choices = _kind(name, info.annotation)
    if name == "drawer":
        choices = tuple(registry.components("drawers"))
    elif name == "cutouts":
        choices = tuple(registry.components("cutouts"))
    low, high, above = _limits(info)
    return Row(
        name=name,
        kind="choice" if choices else kind,
        default=info.get_default(call_default_factory=True, validated_data={}),
        help=info.description or "",
        group=str(extra.get("group", group)),
        choices=choices,
        minimum=low,
        maximum=high,
        above=above,
        aliases=aliases.old_names(name),
    )


def _kind(name: str, annotation: Any) -> tuple[str, tuple[str, ...]]:
    members = [a for a in _union(annotation) if a is not type(None)]
    if name == "seed":
        return "seed", ()
    if len(members) != 1:
        raise TypeError(f"setting {name!r}: no face can show {annotation!r}")
    member = members[0]
    origin, arguments = get_origin(member), get_args(member)
    if origin is Literal:
        return "choice", tuple(str(a) for a in arguments)
    table = {bool: "switch", int: "integer", float: "number", str: "text"}
    if member in table:
        return table[member], ()
    if origin is tuple and arguments == (int, int):
        return "size", ()
    if origin is tuple and arguments == (str, Ellipsis):
        return "texts", ()
    if origin is tuple and arguments == (float, Ellipsis):
        return "numbers", ()
    if origin is dict:
        return "weights", ()
    raise TypeError(f"setting {name!r}: no face can show {annotation!r}")


def _union(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def _limits(info: FieldInfo) -> tuple[float | None, float | None, bool]:
    low = high = None
    above = False
    for item in info.metadata:
        above = above or hasattr(item, "gt")
        low = getattr(item, "ge", getattr(item, "gt", low))
        high = getattr(item, "le", high)
    return low, high, above


def as_text(value: Any) -> str:
    """Write a value as it is written on the command line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ",".join(f"{name}:{weight:g}" for name, weight in value.items())
    if isinstance(value, tuple | list):
        if len(value) == 2 and all(isinstance(v, int) for v in value):
            return f"{value[0]}x{value[1]}"
        if value and all(isinstance(v, str) for v in value):
            return " | ".join(value)
        return ",".join(f"{v:g}" for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
