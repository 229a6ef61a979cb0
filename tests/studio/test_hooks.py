"""The owner's say about prompts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2art.errors import SettingsError
from text2art.studio import hooks
from text2art.studio.hooks import Checks, PromptRefused, WordList, load, words_of

LIST = WordList(["# comment", "gore # inline", "Blut", "blood bath", "zombi*", "café", "", "ß"])


@pytest.mark.parametrize(
    "prompt",
    [
        "gore",
        "GORE, everywhere",
        "a (gore:1.5) thing",
        "g\u200bore",
        "\uff47\uff4f\uff52\uff45",
        "some_gore_here",
        "gòré",
        "blood   bath",
        "blood-bath in oil",
        "two zombies",
        "Zombi",
        "CAFE\u0301",
        "cafe",
        "SS",
    ],
)
def test_what_is_listed_is_refused_in_every_disguise(prompt: str) -> None:
    assert LIST(prompt) is not None


@pytest.mark.parametrize(
    "prompt", ["", "category", "gored", "blood", "bath blood", "azombie", "classic", "a cat"]
)
def test_what_only_contains_it_is_not(prompt: str) -> None:
    assert LIST(prompt) is None


def test_the_objection_names_the_word() -> None:
    assert LIST("two ZOMBIES") == "this studio does not draw 'zombies'"
    assert LIST("a Blood Bath") == "this studio does not draw 'blood bath'"


@given(st.lists(st.text(max_size=20), max_size=5), st.text(max_size=40))
def test_the_list_agrees_with_a_plain_search(entries: list[str], prompt: str) -> None:
    entries = [entry.replace("#", "").replace("*", "") for entry in entries]
    entries = [entry for entry in entries if len(words_of(entry)) <= 8]
    inside = f" {' '.join(words_of(prompt))} "
    expected = any(
        words_of(entry) and f" {' '.join(words_of(entry))} " in inside for entry in entries
    )
    assert (WordList(entries)(prompt) is not None) == expected


def test_reading_a_list(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("\ufeffgore\r\nzombi*\r\n", encoding="utf-8")
    checks = load(f"words:{path}")
    assert checks(["a cat", "gore"]) == "this studio does not draw 'gore'"
    checks.require(["a cat"])
    with pytest.raises(PromptRefused, match="zombie"):
        checks.require(["a zombie"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no words"),
        (b"# nothing\n", "no words"),
        (b"\xff\xfe", "cannot be read"),
        (b"a b*", "single words"),
        (b"a b c d e f g h i", "9 words"),
        (b"a\n" * (2**19 + 1), "1 MB"),
    ],
)
def test_lists_that_are_not_read(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=reason):
        load(f"words:{path}")


def no_cats(prompt: str) -> str | None:
    return "no\r\n<b>cats</b>" if "cat" in prompt else None


def broken(prompt: str) -> str | None:
    raise RuntimeError("secret of the filter")


def test_a_function_of_ones_own() -> None:
    checks = load("tests.studio.test_hooks:no_cats")
    assert checks(["a dog"]) is None
    assert checks(["a dog", "a cat"]) == "no <b>cats</b>"


def test_a_filter_that_breaks_refuses_and_tells_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    objection = load("tests.studio.test_hooks:broken")(["a dog"])
    assert objection is not None
    assert "secret" not in objection
    assert "secret" in caplog.text


def test_several_checks_and_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    point: Any = SimpleNamespace(name="polite", load=lambda: lambda prompt: prompt and "rude")
    monkeypatch.setattr(
        hooks, "entry_points", lambda group: [point] if group == hooks.GROUP else []
    )
    checks = load("tests.studio.test_hooks:no_cats, polite")
    assert checks(["a cat"]) == "no <b>cats</b>"
    assert checks(["a dog"]) == "rude"
    with pytest.raises(SettingsError, match="Did you mean 'polite'"):
        load("polit")


@pytest.mark.parametrize(
    "name",
    [
        "nowhere",
        "no.such.module:check",
        "tests.studio.test_hooks:nothing",
        ":",
        "words:/nowhere",
        "tests.studio.test_hooks:LIST_",
        "text2art.studio.hooks:GROUP",
    ],
)
def test_filters_that_cannot_be_loaded(name: str) -> None:
    with pytest.raises(SettingsError):
        load(name)


def test_no_filter_objects_to_nothing() -> None:
    assert not load("")
    assert load(" , ")(["anything"]) is None
    assert Checks([])([]) is None
