"""A command-line flag for every setting, made from the rows of `fields`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from text2art import aliases, fields
from text2art.configfile import merge, nested

_PANELS = {
    "picture": "Picture",
    "prompts": "Prompts of other kinds",
    "start": "Start",
    "guidance": "Guidance",
    "optimization": "Optimization",
    "overlay": "Overlay",
    "transparency": "Transparency",
    "animation": "Animation",
    "output": "Output settings",
}


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a flag per setting; their nested values arrive as its argument `flags`.

    Values stay text: `Settings` reads and checks them as it does for every other face. The flags
    are written into the signature that Typer reads, so a plug-in's options appear by themselves.
    Old names of settings are flags too, but not in the help.
    """
    own = inspect.signature(command, eval_str=True).parameters
    names: dict[str, str] = {}  # parameter of the signature: setting
    parameters = [parameter for name, parameter in own.items() if name != "flags"]
    for row in fields.rows():
        shown, hidden = _parameters(row)
        names.update({parameter.name: row.name for parameter in (shown, hidden) if parameter})
        parameters += [parameter for parameter in (shown, hidden) if parameter]
    # The values of these are not those of a new name.
    for old in (*aliases.SWITCHES, *aliases.WORDS, *aliases.SCALED):
        names[f"old_{old}"] = old
        kind = bool if old in aliases.SWITCHES else str
        parameters.append(_parameter(f"old_{old}", kind, _spellings(old), hidden=True))

    @functools.wraps(command)
    def wrapper(**values: Any) -> None:
        given = {parameter: values.pop(parameter, None) for parameter in names}
        layers = [nested(names[p], value) for p, value in given.items() if value is not None]
        command(**values, flags=merge(*layers))

    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapper


def _parameters(row: fields.Row) -> tuple[inspect.Parameter | None, inspect.Parameter | None]:
    """Return the flag that help shows and the hidden one of the old spellings."""
    name = row.name.replace(".", "__")
    switch = row.kind == "switch"
    plain = [alias for alias in row.aliases if alias not in aliases.WORDS]
    old = [form for alias in plain for form in _spellings(alias)]
    if row.name == "prompts":  # words without a flag; the ancestors had flags for them
        return None, _parameter(f"old_{name}", str, ["--prompts", *old], hidden=True)
    old += [form for form in _spellings(row.name) if form != row.flag]
    shown = _parameter(
        f"set_{name}",
        bool if switch else str,
        [f"{row.flag}/--no-{row.flag[2:]}" if switch else row.flag],
        help=_help(row),
        metavar=_metavar(row),
        rich_help_panel=_PANELS.get(row.group, f"Options of {row.group}"),
    )
    kind = bool if switch else str
    return shown, _parameter(f"old_{name}", kind, old, hidden=True) if old else None


def _parameter(
    name: str, kind: type[bool | str], spellings: Sequence[str], **options: Any
) -> inspect.Parameter:
    option = typer.Option(*spellings, show_default=False, **options)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _spellings(name: str) -> list[str]:
    return list(dict.fromkeys(["--" + name.replace("_", "-"), "--" + name]))


def _help(row: fields.Row) -> str:
    default = fields.as_text(row.default)
    return f"{row.help} (default: {default})" if default else row.help


def _metavar(row: fields.Row) -> str | None:
    if row.kind == "switch":
        return None
    if row.choices:
        return "|".join(row.choices)
    return {"integer": "N", "number": "X", "size": "WxH", "seed": "N|TEXT"}.get(row.kind, "TEXT")
