"""Palettes: names and colors in, RGB out, and clear refusals."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageColor

from text2art import palettes
from text2art.errors import SettingsError
from text2art.palettes import parse_palette

COLOR = st.tuples(*[st.integers(0, 255)] * 3)


def test_nothing_is_no_palette() -> None:
    assert parse_palette("") == parse_palette("  ") == []


def test_hex_short_hex_and_css_names() -> None:
    assert parse_palette("#1a1C2c, #f00,GOLD") == [(26, 28, 44), (255, 0, 0), (255, 215, 0)]


def test_builtin_names_are_read_loosely() -> None:
    wanted = parse_palette("PICO-8")
    assert wanted[0] == (0, 0, 0)
    assert wanted[8] == (255, 0, 77)
    assert len(wanted) == 16
    assert parse_palette("pico-8") == parse_palette(" pico 8 ") == parse_palette("Pico8") == wanted


def test_parts_mix_and_repetitions_count_once() -> None:
    mixed = parse_palette("red, Game Boy, #ff0000, red")
    assert mixed == [(255, 0, 0), *parse_palette("Game Boy")]


@pytest.mark.parametrize("name", palettes.BUILTIN)
def test_builtin_palettes_are_whole(name: str) -> None:
    colors = parse_palette(name)
    assert len(colors) == len(palettes.BUILTIN[name].split())
    assert name not in ImageColor.colormap


@pytest.mark.parametrize(
    ("name", "count"),
    [("PICO-8", 16), ("Sweetie-16", 16), ("DB16", 16), ("DB32", 32), ("Endesga-32", 32)],
)
def test_counts_in_names_are_true(name: str, count: int) -> None:
    assert len(parse_palette(name)) == count


@given(st.lists(COLOR, min_size=2, max_size=256, unique=True))
def test_any_colors_come_back(colors: list[tuple[int, int, int]]) -> None:
    assert parse_palette(",".join(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in colors)) == colors


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("blurple,red", "Did you mean 'purple'"),
        ("pico-9", "Did you mean 'PICO-8'"),
        ("#12345,red", "'#12345' is no color"),
        ("#ggg,red", "is no color"),
        ("red,,blue", "empty part"),
        ("red,", "empty part"),
        ("red", "has 1 color: give 2 to 256"),
        ("red,#f00", "has 1 color"),
        (",".join(f"#{i:06x}" for i in range(257)), "257 different colors"),
        ("x" * 5000, "is no color"),
    ],
)
def test_refusals_say_why(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_palette(text)
    message = str(caught.value)
    assert said in message
    assert "\n" not in message
    assert len(message) < 400


def test_importing_needs_no_torch() -> None:
    code = "import sys, text2art.palettes; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
