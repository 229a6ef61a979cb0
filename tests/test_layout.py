"""Layout: which prompts become several, each with a place, and that nothing else is touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2art.prompts import Prompt, parse_prompts
from text2art.prompts.layout import WHOLE, arrange
from text2art.prompts.regions import Box

NAMES = (
    "cat", "dog", "bird", "bee", "fish", "house", "tree", "apple", "cherry", "mouse", "leaf",
    "star", "fire truck", "t shirt", "tea", "moon", "cloud", "bus",
)  # fmt: skip
SUBJECTS = {**{name: name for name in NAMES}, "kitten": "cat", "fire engine": "fire truck"}
# Halves that reach into each other, no longer than 1.7 times their breadth.
LEFT, RIGHT = Box(0, 4, 54, 96), Box(46, 4, 100, 96)
TOP, BOTTOM = Box(4, 0, 96, 54), Box(4, 46, 96, 100)
SIDES = {"left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM}


def arranged(text: str, aspect: float = 1.0) -> list[Prompt] | None:
    return arrange(parse_prompts(text), SUBJECTS, aspect)


@pytest.mark.parametrize(
    ("text", "first", "second", "sides"),
    [
        ("a cat and a dog", "a cat", "a dog", "left right"),
        ("cat and dog", "cat", "dog", "left right"),
        ("a cat, a dog", "a cat", "a dog", "left right"),
        ("An Apple next to THE dog", "An Apple", "THE dog", "left right"),
        ("a cat beside a small brown dog", "a cat", "a small brown dog", "left right"),
        ("a cat to the left of a dog", "a cat", "a dog", "left right"),
        ("a cat right of a dog", "a cat", "a dog", "right left"),
        ("a star above a house", "a star", "a house", "top bottom"),
        ("a cat on top of a house", "a cat", "a house", "top bottom"),
        ("a cat on a tree", "a cat", "a tree", "top bottom"),
        ("a cat on the tall tree at night", "a cat at night", "the tall tree at night",
         "top bottom"),
        ("a cat under a tree", "a cat", "a tree", "bottom top"),
        ("a cat in front of a tree", "a cat", "a tree", "bottom top"),
        ("a tree behind a cat", "a tree", "a cat", "top bottom"),
        ("a cat on the right and a dog on the left", "a cat", "a dog", "right left"),
        ("a cat on the left of a dog on the right", "a cat", "a dog", "left right"),
        ("a cat with its left paw up and a dog", "a cat with its left paw up", "a dog",
         "left right"),
        ("a cat at the top, a dog at the bottom", "a cat", "a dog", "top bottom"),
        ("a black and white cat and a dog", "a black and white cat", "a dog", "left right"),
        ("a cat and a black and white dog", "a cat", "a black and white dog", "left right"),
        ("a cat and a dog in the snow", "a cat in the snow", "a dog in the snow", "left right"),
        ("a cat and a dog, pixel art", "a cat, pixel art", "a dog, pixel art", "left right"),
        ("a cat at night and a dog by day", "a cat at night", "a dog by day", "left right"),
        ("a cat with a hat and a dog", "a cat with a hat", "a dog", "left right"),
        ("a cat and a dog with hats", "a cat", "a dog with hats", "left right"),
        ("a painting of a cat and a dog", "a painting of a cat", "a painting of a dog",
         "left right"),
        ("a painting of a cat and a photo of a dog", "a painting of a cat", "a photo of a dog",
         "left right"),
        ("two cherries and mice", "two cherries", "mice", "left right"),
        ("a fire  truck and leaves", "a fire  truck", "leaves", "left right"),
        ("a red apple and a green apple", "a red apple", "a green apple", "left right"),
        ("a cat and a kitten", "a cat", "a kitten", "left right"),
        ("kittens and a fire-engine", "kittens", "a fire-engine", "left right"),
        ("a T-shirt and buses", "a T-shirt", "buses", "left right"),
    ],
)  # fmt: skip
def test_two_things_in_one_prompt(text: str, first: str, second: str, sides: str) -> None:
    one, other = sides.split()
    assert arranged(text) == [
        Prompt(text, WHOLE),
        Prompt(first, region=SIDES[one]),
        Prompt(second, region=SIDES[other]),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a cat",
        "cats",
        "a black and white cat",
        "a cat with a dog",
        "a cat on trees",
        "a cat on a star background",
        "a fish on a cat pattern",
        "a cat on the left side of a big dog wallpaper",
        "a cat, pixel art",
        "a cat and the sea",
        "a blue cat and white dog-ish thing and fishing",
        "a cat and a dog left of a house",
        "a cat in the middle and a dog",
        "a cat on the left and a dog",
        "a cat on the left and a dog on the left",
        "a cat, a dog, a bird, a fish and a bee",
        "sunset with clouds and a house",
        "a cup of tea and a dog",
        "a caterpillar and a doghouse",
        "a f\u0131sh",
        "a f\u0131sh and a dog",
        "a cat in a band the dog heard",
        "a cat on the left side of the street and a dog on the right",
        "a cat on the left of a dog on the left",
        "a cat and",
        "and a cat",
    ],
)
def test_what_is_one_or_has_its_places_stays(text: str) -> None:
    assert arranged(text) is None


def test_prompts_of_one_thing_each_are_tied_by_one_of_all() -> None:
    assert arranged("a cat:2 | a dog") == [
        Prompt("a cat and a dog", 1.5 * WHOLE),
        Prompt("a cat", 2.0, region=LEFT),
        Prompt("a dog", region=RIGHT),
    ]
    assert arranged("a cat on the right | a dog on the left side of the picture") == [
        Prompt("a cat and a dog", WHOLE),
        Prompt("a cat", region=RIGHT),
        Prompt("a dog", region=LEFT),
    ]
    assert arranged("a cat | a dog", 0.5) == [
        Prompt("a cat and a dog", WHOLE),
        Prompt("a cat", region=Box(0, 0, 100, 54)),
        Prompt("a dog", region=Box(0, 46, 100, 100)),
    ]


def test_what_else_is_asked_for_stays_as_it_is() -> None:
    text = "a cat | blurry:-1 | watercolor:{1-t} | a dog:-0.5 | @x.png | a house@20%-30%:-1 | a bee"
    before = parse_prompts(text)
    after = arranged(text)
    assert after is not None
    assert [prompt.text for prompt in after[:3]] == ["a cat and a bee", "a cat", "a bee"]
    assert after[3:] == list(before[1:-1])


@pytest.mark.parametrize(
    "text",
    [
        "a cat | watercolor",
        "a cat | a dog:-1",
        "a cat | a big cat",
        "a cat | a kitten",
        "a cat | sunset with clouds",
        "a cat and a dog | a bird",
        "a cat [left] | a dog",
        "a cat | a dog | watercolor [top]",
        "a cat@20%- | a dog",
        "a cat on the left | a dog",
        "a cat in the middle | a dog",
        "a cat:{t} | a dog",
        "a cat:1:0.4 | a dog",
        "@cat.png | a dog",
        "a cat | a dog | a bird | a fish | a bee",
    ],
)
def test_prompts_about_one_thing_or_with_places_and_courses_stay(text: str) -> None:
    assert arranged(text) is None


@pytest.mark.parametrize(
    ("count", "aspect", "rows"),
    [
        (3, 1.0, [2, 1]),
        (3, 16 / 9, [3]),
        (3, 9 / 16, [1, 1, 1]),
        (4, 1.0, [2, 2]),
        (4, 2.0, [2, 2]),
    ],
)
def test_more_things_stand_in_rows(count: int, aspect: float, rows: list[int]) -> None:
    names = ["cat", "dog", "fish", "bee"][:count]
    found = arranged(" and ".join(f"a {name}" for name in names), aspect)
    assert found is not None
    boxes = [prompt.region for prompt in found[1:]]
    heights: dict[float, int] = {}
    for box in boxes:
        assert isinstance(box, Box)
        middle = (box.top + box.bottom) / 2
        heights[middle] = heights.get(middle, 0) + 1
    assert list(heights.values()) == rows
    assert list(heights) == sorted(heights)


@pytest.mark.parametrize("text", ["a cat above a dog", "a cat and a dog", "a cat, a dog, a bird"])
@pytest.mark.parametrize("aspect", [0.2, 9 / 16, 1.0, 16 / 9, 5.0])
def test_places_are_in_the_picture_and_no_strips(text: str, aspect: float) -> None:
    found = arranged(text, aspect)
    assert found is not None
    for prompt in found[1:]:
        box = prompt.region
        assert isinstance(box, Box)
        assert 0 <= box.left < box.right <= 100
        assert 0 <= box.top < box.bottom <= 100
        ratio = (box.right - box.left) * aspect / (box.bottom - box.top)
        assert 1 / 1.8 < ratio < 1.8


WORDS = st.sampled_from([
    "a", "the", "two", "cat", "dog", "bird", "and", ",", "next to", "above", "left of",
    "on the left", "with", "of", "in the snow", "painting of", "black", "[left]", " ",
    "\n", "dogs", "-", "é",
])  # fmt: skip


@given(st.lists(WORDS, max_size=30), st.floats(0.1, 10))
def test_any_text_is_left_or_taken_apart(words: list[str], aspect: float) -> None:
    text = " ".join(words)
    prompts = [Prompt(text), Prompt("a bee", -1.0)]
    found = arrange(prompts, SUBJECTS, aspect)
    if found is not None:
        assert found[0] == Prompt(text, WHOLE)
        assert found[-1] is prompts[-1]
        assert 2 <= len(found) - 2 <= 4
        for part in found[1:-1]:
            assert set(part.text.split()) <= set(text.split())
            assert parse_prompts(str(part)) == (part,), "it can be written, too"


@given(st.text(max_size=200))
def test_no_text_is_too_odd(text: str) -> None:
    arrange([Prompt(text)], SUBJECTS, 1.0)


@pytest.mark.parametrize(
    ("text", "apart"),
    [(" " * 1900, True), ("a " * 900, False), ("and " * 400, False),
     ("a painting of " * 120, False), ("a cat with a " + "very " * 300, True)],
)  # fmt: skip
def test_long_texts_are_read(text: str, apart: bool) -> None:
    found = arrange([Prompt(text + "a cat and a dog")], SUBJECTS, 1.0)
    assert (found is not None) == apart
