"""A predictor read as text: its inputs, what it yields, whether it streams.

Cog's build never runs `predict.py` but parses it, and gets wrong, often silently, whatever is not
a literal. Here that is an error.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TYPES = ("bool", "float", "int", "str", "Path")
# What `Input(...)` takes in cog 0.23.
ARGUMENTS = (
    "default",
    "description",
    "ge",
    "le",
    "min_length",
    "max_length",
    "regex",
    "choices",
    "deprecated",
    "accept",
)


@dataclass(frozen=True)
class Field:
    """One input: its name, type, whether it may be left out as None, and `Input`'s arguments."""

    name: str
    type: str
    optional: bool
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Signature:
    """What a predictor takes, the type of what it yields, and whether it streams."""

    inputs: tuple[Field, ...]
    yields: str
    streams: bool


def read(source: str, name: str = "Predictor") -> Signature:
    """Read a predictor.

    Args:
        source: text of a `predict.py`.
        name: class of the predictor in it.

    Raises:
        ValueError: the class is not there, or cannot be described without being run.
    """
    module = ast.parse(source)
    method = _method(module, name)
    constants = _constants(module)
    inputs = tuple(_field(*pair, constants) for pair in _parameters(method))
    return Signature(inputs, _yields(method), _streams(method))


def _method(module: ast.Module, name: str) -> ast.FunctionDef:
    """Find `run` or `predict` of a class, or of its base in the same file."""
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    if name not in classes:
        raise ValueError(f"there is no class {name!r}")
    for node in classes[name].body:
        if isinstance(node, ast.FunctionDef) and node.name in ("run", "predict"):
            return node
    for base in classes[name].bases:
        if isinstance(base, ast.Name) and base.id in classes:
            return _method(module, base.id)
    raise ValueError(f"class {name!r} has neither run() nor predict()")


def _parameters(method: ast.FunctionDef) -> list[tuple[ast.arg, ast.expr | None]]:
    arguments = method.args
    if arguments.posonlyargs or arguments.kwonlyargs or arguments.vararg or arguments.kwarg:
        raise ValueError(f"{method.name}() may only have plain parameters")
    named = arguments.args[1:]  # without self
    values: list[ast.expr | None] = [None] * (len(named) - len(arguments.defaults))
    return list(zip(named, [*values, *arguments.defaults], strict=True))


def _constants(module: ast.Module) -> dict[str, Any]:
    """Return the names that the file binds to literals."""
    found: dict[str, Any] = {}
    for node in module.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name) and _is_literal(node.value):
                found[target.id] = ast.literal_eval(node.value)
    return found


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return False
    return True


def _value(node: ast.expr, constants: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Name) and node.id in constants:
        return constants[node.id]
    if not _is_literal(node):
        raise ValueError(f"line {node.lineno}: {ast.unparse(node)!r} is not a literal")
    return ast.literal_eval(node)


def _field(argument: ast.arg, default: ast.expr | None, constants: Mapping[str, Any]) -> Field:
    kind, optional = _annotation(argument)
    arguments: dict[str, Any] = {}
    if isinstance(default, ast.Call) and ast.unparse(default.func) == "Input":
        if default.args:
            raise ValueError(f"input {argument.arg!r}: name the arguments of Input()")
        arguments = {str(k.arg): _value(k.value, constants) for k in default.keywords}
    elif default is not None:
        arguments = {"default": _value(default, constants)}
    unknown = set(arguments) - set(ARGUMENTS)
    if unknown:
        raise ValueError(f"input {argument.arg!r}: cog knows no {', '.join(sorted(unknown))}")
    if arguments.get("default", "") is None and not optional:
        del arguments["default"]  # to cog, None is no default unless the type is Optional
    return Field(argument.arg, kind, optional, arguments)


def _annotation(argument: ast.arg) -> tuple[str, bool]:
    """Return the type name of a parameter and whether it is Optional."""
    text = ast.unparse(argument.annotation) if argument.annotation else ""
    optional = text.startswith("Optional[") and text.endswith("]")
    kind = text[len("Optional[") : -1] if optional else text.removesuffix(" | None")
    if kind not in TYPES:
        raise ValueError(f"input {argument.arg!r}: type {text!r} is not one of {', '.join(TYPES)}")
    return kind, optional or text.endswith(" | None")


def _yields(method: ast.FunctionDef) -> str:
    text = ast.unparse(method.returns) if method.returns else ""
    kind = text.removeprefix("Iterator[").removesuffix("]")
    if not text.startswith("Iterator[") or kind not in TYPES:
        raise ValueError(f"{method.name}() must give an Iterator of a plain type, not {text!r}")
    return kind


def _streams(method: ast.FunctionDef) -> bool:
    """Return whether `@streaming` stands on the method; it leaves no other mark."""
    names = {ast.unparse(d.func if isinstance(d, ast.Call) else d) for d in method.decorator_list}
    return bool(names & {"streaming", "cog.streaming"})
