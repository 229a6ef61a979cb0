"""Palettes in words: names, lists, ramps and counts in, RGB out, and clear refusals."""

from __future__ import annotations

import math
import subprocess
import sys
from fractions import Fraction

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import ImageColor

from text2art import palettes
from text2art.color import oklab as torch_oklab
from text2art.errors import InputFileError, PaletteError, SettingsError
from text2art.palettes import check_palette, files_of, parse_palette
from text2art.palettes.colors import color_of, nearest_name, oklab, xkcd

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
        ("blurpl,red", "Did you mean 'blurple'"),
        ("pico-9", "Did you mean 'PICO-8'"),
        ("#12345,red", "'#12345' is no color"),
        ("#ggg,red", "is no color"),
        ("red,,blue", "empty part"),
        ("red,", "empty part"),
        ("black", "has 1 color: give 2 to 256"),
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


# ---- pixray's language -------------------------------------------------------------------------


def hexes(text: str) -> list[str]:
    return [f"{r:02x}{g:02x}{b:02x}" for r, g, b in parse_palette(text)]


def ramp(stops: list[tuple[int, int, int]], count: int) -> list[tuple[int, ...]]:
    """Even steps through the stops, in fractions: the independent reference."""
    colors = []
    for i in range(count):
        at = Fraction(i * (len(stops) - 1), count - 1)
        near = [max(Fraction(0), 1 - abs(at - place)) for place in range(len(stops))]
        levels = [sum(n * stop[c] for n, stop in zip(near, stops, strict=True)) for c in range(3)]
        colors.append(tuple(math.floor(level + Fraction(1, 2)) for level in levels))
    return colors


def test_a_single_color_comes_out_of_black_in_16_steps() -> None:
    assert parse_palette("white") == ramp([(0, 0, 0), (255, 255, 255)], 16)
    assert parse_palette("rust\\8") == ramp([(0, 0, 0), (168, 60, 9)], 8)


@given(st.lists(COLOR, min_size=2, max_size=6, unique=True), st.integers(2, 256))
def test_ramps_are_even_steps(stops: list[tuple[int, int, int]], count: int) -> None:
    words = "->".join("({}+{}+{})".format(*stop) for stop in stops)
    wanted = list(dict.fromkeys(ramp(stops, count)))
    assert parse_palette(f"{words}\\{count}") == wanted


def test_lists_stay_as_they_are_unless_counted() -> None:
    assert hexes("[black, red, #ff0000]") == ["000000", "ff0000"]
    assert hexes("[red, blue]\\3") == ["ff0000", "800080", "0000ff"]
    assert hexes("Game Boy\\2") == ["0f380f", "9bbc0f"]


def test_columns_of_hexadecimal_colors_are_lists() -> None:
    assert hexes("1a1c2c\n#5d275d\nB13E53\n") == ["1a1c2c", "5d275d", "b13e53"]
    assert hexes("ff0000 00ff00; [blue]") == ["ff0000", "00ff00", "0000ff"]


def test_sections_are_joined() -> None:
    assert hexes("[red]; black->white\\3 ;CGA") == [
        "ff0000", "000000", "808080", "ffffff", "55ffff", "ff55ff",
    ]  # fmt: skip


def test_colors_in_numbers() -> None:
    assert hexes("[(255+128+0), [1+0.5+0], ( 1 + 2 + 3 )]") == ["ff8000", "010203"]
    assert hexes("[1+1+0]\\2") == ["000000", "ffff00"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("red", "ff0000"),  # CSS, as for ink and paper
        ("xkcd:red", "e50000"),
        ("mat:red", "ff0000"),
        ("mat:r", "ff0000"),
        ("g", "008000"),
        ("tab:blue", "1f77b4"),
        ("C1", "ff7f0e"),
        ("C11", "ff7f0e"),
        ("0.5", "808080"),
        ("rust", "a83c09"),
        ("robin's egg blue", "98eff9"),
        ("Blue/Green", "0f9b8e"),
        ("dark blue gray", "1f3b4d"),
        ("pixel_orange", "ffcc33"),
        ("1a1c2c", "1a1c2c"),
        ("#abc", "aabbcc"),
        ("#abcd", "aabbcc"),
        ("#11223344", "112233"),
    ],
)
def test_names_of_colors(name: str, wanted: str) -> None:
    color = color_of(name)
    assert color is not None
    assert "{:02x}{:02x}{:02x}".format(*color) == wanted


def test_the_survey_is_whole() -> None:
    assert len(xkcd()) == 949
    assert xkcd()["cloudy blue"] == (172, 194, 217)


def test_legends_name_colors_politely() -> None:
    assert nearest_name((229, 0, 0)) == "red"
    for name, color in xkcd().items():
        given = nearest_name(color)
        assert not any(word in given for word in ("poo", "shit", "puke", "vomit", "snot")), name


@pytest.mark.parametrize(
    ("text", "said", "at"),
    [
        ("red, blurpl", "'blurpl' is no color", 5),
        ("[red, blue", "closing ']'", 0),
        ("(1+2+3", "closing ')'", 0),
        ("red]", "']' closes nothing", 3),
        ("[red)", "')' closes nothing", 4),
        ("red->->blue", "missing beside '->'", 3),
        ("red;;blue", "a part is empty", 4),
        ("red\\x", "a count from 2 to 256", 3),
        ("red\\257", "a count from 2 to 256", 3),
        ("red\\1", "a count from 2 to 256", 3),
        ("blue;(300+1+1)", "reach from 0 to 255", 5),
        ("[1+2+0]", "reach from 0 to 1", 0),
        ("(1+1)", "written (255+128+0)", 0),
        ("[red->blue, green]", "a ramp cannot stand in a list", 1),
        ("red,blue\\4", "list in brackets", 8),
        ("PICO-8->red", "no place in a ramp", 0),
        ("colors.gpl", "@colors.gpl", 0),
        ("red;@ ", "@ needs the name of a file", 4),
        ("ff0000 00ff00\\4", "list in brackets", 13),
        ("[ff0000 00ff00, blue]", "'ff0000 00ff00' is no color", 1),
    ],
)
def test_a_caret_points_at_the_fault(text: str, said: str, at: int) -> None:
    with pytest.raises(PaletteError) as caught:
        parse_palette(text)
    assert said in str(caught.value)
    assert (caught.value.source, caught.value.at) == (text, at)
    line, caret = caught.value.pointer.splitlines()
    assert (line, caret) == (text, " " * at + "^")


PIECES = st.sampled_from(
    ["red", "#1a1c2c", "PICO-8", "->", "\\", "8", ";", ",", "[", "]", "(", ")", "+", "1", " ", "@",
     "a.gpl", "mat:", "xkcd:", ".5", "0x", "\0", "\ud800", "\n"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=24).map("".join)))
@example("\\")
@example("[")
@example("@\0")
@example("(" * 3000)
@example("[1+1+0" * 500)
@example(";" * 20_000)
@example("; @" * 5000)
@example("c99999999999999999999999")
def test_any_text_is_a_palette_or_a_settings_error(text: str) -> None:
    try:
        colors = parse_palette(text)
    except SettingsError:
        return
    assert colors == [] or 2 <= len(colors) <= 256
    assert all(0 <= level <= 255 for color in colors for level in color)


def test_checking_opens_no_file() -> None:
    check_palette("@nowhere.gpl; red->blue")
    assert files_of("@nowhere.gpl\\8; red; @https://example.org/a.png") == [
        "nowhere.gpl", "https://example.org/a.png",
    ]  # fmt: skip
    with pytest.raises(PaletteError):
        check_palette("@nowhere.gpl; blurpl")
    with pytest.raises(InputFileError, match=r"'nowhere\.gpl' is not there"):
        parse_palette("@nowhere.gpl; red->blue")


def test_files_come_from_the_reader() -> None:
    asked = []

    def read(name: str) -> bytes:
        asked.append(name)
        return b"ff0000\n00ff00\n0000ff\n"

    assert len(parse_palette("@https://lospec.com/a.hex; @b [1].hex\\2", read=read)) == 3
    assert asked == ["https://lospec.com/a.hex", "b [1].hex"]


def test_oklab_is_that_of_torch() -> None:
    colors = [(0, 0, 0), (255, 255, 255), (255, 0, 77), (1, 2, 3), (128, 128, 128)]
    theirs = torch_oklab(torch.tensor(colors, dtype=torch.float64) / 255)
    ours = torch.tensor([oklab(color) for color in colors], dtype=torch.float64)
    # At black torch's is kept off zero, for the sake of its gradient.
    assert torch.allclose(ours[1:], theirs[1:], atol=1e-6)
    assert torch.allclose(ours[0], theirs[0], atol=0.02)
