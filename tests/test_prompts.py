"""The prompt grammar: what is read, what is refused, and that writing and reading agree."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2art.errors import PromptError
from text2art.prompts import Prompt, number_notices, parse_prompts


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a red apple", [Prompt("a red apple")]),
        ("a | b:2", [Prompt("a"), Prompt("b", 2.0)]),
        ("a hat:-0.5", [Prompt("a hat", -0.5)]),
        ("a:1.5:0.8", [Prompt("a", 1.5, 0.8)]),
        ("Star Wars: Return of the Jedi", [Prompt("Star Wars: Return of the Jedi")]),
        ("Star Wars: Return:2", [Prompt("Star Wars: Return", 2.0)]),
        ("a:b:1", [Prompt("a:b", 1.0)]),
        ("a:1:2:3", [Prompt("a:1", 2.0, 3.0)]),
        (r"in 16\:9", [Prompt("in 16:9")]),
        (r"this \| that", [Prompt("this | that")]),
        (r"\@home", [Prompt("@home")]),
        ("@cat.png:0.5", [Prompt("cat.png", 0.5, is_image=True)]),
        (r"@C:\pictures\cat.png", [Prompt(r"C:\pictures\cat.png", is_image=True)]),
        ("a |", [Prompt("a")]),
        ("a:inf", [Prompt("a:inf")]),
        ("a:nan", [Prompt("a:nan")]),
        ("a:1e400", [Prompt("a:1e400")]),
        (" a : 2 ", [Prompt("a", 2.0)]),
        ("@https://example.org/a.png", [Prompt("https://example.org/a.png", is_image=True)]),
    ],
)
def test_reads(source: str, expected: list[Prompt]) -> None:
    assert list(parse_prompts(source)) == expected


def test_several_strings_are_several_prompts() -> None:
    assert [p.text for p in parse_prompts(["a | b", "c"])] == ["a", "b", "c"]


@pytest.mark.parametrize("source", ["", "  ", "a || b", "| a", ":2", "@", "@:1", "|"])
def test_refuses_emptiness(source: str) -> None:
    with pytest.raises(PromptError, match="empty"):
        parse_prompts(source)


def test_refuses_nothing_and_too_much() -> None:
    with pytest.raises(PromptError, match="no prompt"):
        parse_prompts([])
    with pytest.raises(PromptError, match="2001 characters"):
        parse_prompts("a" * 2001)
    with pytest.raises(PromptError, match="33 prompts"):
        parse_prompts("|".join("a" * 33))


texts = st.text(min_size=1, max_size=60).filter(lambda t: bool(t.strip()) and t == t.strip())
numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(texts, numbers, st.one_of(st.just(-math.inf), numbers), st.booleans())
def test_what_is_written_is_read_back(text: str, weight: float, stop: float, image: bool) -> None:
    prompt = Prompt(text, weight, stop, image)
    assert parse_prompts(str(prompt)) == (prompt,)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_clearly(source: str) -> None:
    try:
        prompts = parse_prompts(source)
    except PromptError:
        return
    assert all(p.text and math.isfinite(p.weight_at(0.5, 50)) for p in prompts)


def test_points_out_probable_misreadings() -> None:
    (notice,) = number_notices(parse_prompts("a photo in 16:9"))
    assert r"16\:9" in notice
    assert number_notices(parse_prompts("a photo:0.5 | b")) == []
