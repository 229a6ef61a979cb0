"""predict.py as text: what Cog will read of it without running anything."""

from __future__ import annotations

import ast
import inspect
import io
import os
import re
import tokenize
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import jsonschema
import pytest

from text2art import fields
from text2art.serving import render, schema
from text2art.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
SOURCE = (ROOT / "predict.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def predict() -> ModuleType:
    import predict as module

    return module


def input_calls() -> list[ast.Call]:
    return [
        node
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Input"
    ]


# ---- what Cog's static reader can read ------------------------------------------------------


def test_every_argument_of_every_input_is_a_literal() -> None:
    calls = input_calls()
    assert len(calls) == len(render.NAMES) + 1
    for call in calls:
        assert not call.args
        for keyword in call.keywords:
            ast.literal_eval(keyword.value)
            for node in ast.walk(keyword.value):  # 2**4 is a literal to nobody, -1 is one to all
                assert not isinstance(node, ast.BinOp), ast.unparse(call)


def test_every_text_is_one_plain_string() -> None:
    """Cog keeps escapes, quotes and line breaks of a string as they are written."""
    begin, end = SOURCE.index(render.BEGIN), SOURCE.index(render.END)
    tokens = list(tokenize.generate_tokens(io.StringIO(SOURCE[begin:end].strip()).readline))
    strings = [i for i, token in enumerate(tokens) if token.type == tokenize.STRING]
    assert strings
    for i in strings:
        text = tokens[i].string
        assert text[0] in "\"'", text
        assert not text.startswith(('"""', "'''"))
        assert "\\" not in text
        assert tokens[i + 1].type != tokenize.STRING, "two strings side by side"


def test_every_input_is_described_and_has_a_plain_type() -> None:
    inputs = schema.openapi(SOURCE)["components"]["schemas"]["Input"]["properties"]
    assert list(inputs) == [*render.NAMES, render.EXTRA]
    assert all(len(field["description"]) > 10 for field in inputs.values())


def test_the_schema_says_what_the_signature_says(predict: ModuleType) -> None:
    """An independent reading: the running class instead of the parsed text."""
    document = schema.openapi(SOURCE)
    inputs = document["components"]["schemas"]["Input"]
    method = predict.Predictor.predict
    hints = typing.get_type_hints(method)
    types = {str: "string", int: "integer", bool: "boolean", predict.Path: "string"}
    required = []
    for order, (name, parameter) in enumerate(
        list(inspect.signature(method).parameters.items())[1:]
    ):
        found, info = inputs["properties"][name], parameter.default
        options = set(typing.get_args(hints[name])) or {hints[name]}
        (kind,) = options - {type(None)}
        assert found["x-order"] == order
        assert found.get("nullable", False) is (type(None) in options)
        assert found["description"] == info.description
        assert found.get("minimum") == info.ge
        assert found.get("maximum") == info.le
        if info.choices:
            enum = document["components"]["schemas"][name]
            assert found["allOf"] == [{"$ref": f"#/components/schemas/{name}"}]
            assert (enum["enum"], enum["type"]) == (info.choices, types[kind])
        else:
            assert found["type"] == types[kind]
        if info.default is None and type(None) not in options:
            required.append(name)
            assert "default" not in found
        else:
            assert found["default"] == info.default
    assert inputs["required"] == required == ["prompts"]
    assert typing.get_origin(hints["return"]) is Iterator
    assert typing.get_args(hints["return"]) == (predict.Path,)
    assert document["components"]["schemas"]["Output"] == {
        "title": "Output",
        "type": "array",
        "items": {"type": "string", "format": "uri"},
        "x-cog-array-type": "iterator",
    }


def test_the_schema_is_sound() -> None:
    document = schema.openapi(SOURCE)
    components = document["components"]["schemas"]
    for component in components.values():
        jsonschema.Draft7Validator.check_schema(component)
    references = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert references <= set(components)
    whole = {**components["Input"], "components": document["components"]}
    check = jsonschema.Draft7Validator(whole)
    assert check.is_valid({"prompts": "a", "iterations": 3, "drawer": "pixel"})
    for bad in ({}, {"prompts": "a", "iterations": 0}, {"prompts": "a", "drawer": "oil"}):
        assert not check.is_valid(bad)


def test_runner_has_the_schema_of_predictor() -> None:
    assert schema.openapi(SOURCE, "Runner") == schema.openapi(SOURCE, "Predictor")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("n: int = Input(default=2**4),", "not a literal"),
        ("n: str = Input(description=f'{1}'),", "not a literal"),
        ("n: str = Input(choices=sorted(['a'])),", "not a literal"),
        ("n: str = Input('a'),", "name the arguments"),
        ("n: str = Input(default='a', help='b'),", "cog knows no help"),
        ("n: list[str],", "type 'list[str]'"),
        ("n='a',", "type ''"),
        ("*n: str,", "plain parameters"),
    ],
)
def test_what_cog_could_not_read_is_an_error(line: str, words: str) -> None:
    source = f"class Predictor:\n    def predict(self, {line}) -> Iterator[Path]: ...\n"
    with pytest.raises(ValueError, match=re.escape(words)):
        schema.openapi(source)


def test_same_file_constants_and_none_are_read_as_cog_does() -> None:
    source = (
        "SIZES = ['a', 'b']\n"
        "class Runner:\n"
        "    def run(self, a: str = Input(default='b', choices=SIZES),\n"
        "        b: int = Input(default=None), c: Path | None = None, d: float = -1.5,\n"
        "    ) -> Iterator[Path]: ...\n"
    )
    document = schema.openapi(source, "Runner")
    inputs = document["components"]["schemas"]["Input"]
    assert document["components"]["schemas"]["a"]["enum"] == ["a", "b"]
    assert inputs["required"] == ["b"]  # None is no default, unless the type is Optional
    assert inputs["properties"]["c"]["nullable"] is True
    assert inputs["properties"]["d"]["default"] == -1.5
    assert "x-cog-streaming" not in document["paths"]["/predictions"]["post"]


def test_a_newer_schema_is_left_alone_and_an_older_one_replaced(tmp_path: Path) -> None:
    source = tmp_path / "predict.py"
    source.write_text(SOURCE)
    path = schema.provide(tmp_path, source)
    written = path.read_text()
    assert '"x-cog-streaming":true' in written
    path.write_text("from cog build")
    schema.provide(tmp_path, source)
    assert path.read_text() == "from cog build"
    source.write_text(SOURCE + "\n")
    later = path.stat().st_mtime + 5
    os.utime(source, (later, later))
    schema.provide(tmp_path, source)
    assert path.read_text() == written


# ---- the class ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Predictor", "Runner"])
def test_cog_loads_both_names(name: str) -> None:
    from cog import BasePredictor  # type: ignore[import-untyped]
    from cog.predictor import (  # type: ignore[import-untyped]
        load_predictor_from_ref,
    )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the older interface, on purpose
        found = load_predictor_from_ref(f"{ROOT / 'predict.py'}:{name}")
    assert isinstance(found, BasePredictor)
    assert inspect.isgeneratorfunction(found.predict)


def test_defaults_are_those_of_settings() -> None:
    rows = {row.name: row for row in fields.rows()}
    for name, default in render.defaults().items():
        if name == render.EXTRA:
            continue
        assert (default or None) == (rows[name].default or None), name
    assert Settings.of(prompts="a") == Settings.of(
        prompts="a", **{k: v for k, v in render.defaults().items() if v and k != "prompts"}
    )
