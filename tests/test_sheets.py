"""Sheets, grids and variations: what is drawn, where it lies, what is drawn only once."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFont

from tests.cli_tools import TINY, Cli, draw
from text2art.cli import cells, grid, vary
from text2art.cli.axes import MOST_VALUES, NO_AXIS, parse_axis
from text2art.cli.boundary import Interrupt
from text2art.errors import SettingsError
from text2art.media.grid import Labels, labelled_grid
from text2art.media.png import read_record
from text2art.media.sheet import wrap
from text2art.settings import MAX_SEED, Settings

RED, BLUE = (255, 0, 0), (0, 0, 255)


def plain(color: tuple[int, int, int], size: tuple[int, int] = (20, 20)) -> Image.Image:
    return Image.new("RGB", size, color)


def box_of(sheet: Image.Image, color: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Return where a color is, from the first to behind the last column and row."""
    places = [
        (x, y)
        for x in range(sheet.width)
        for y in range(sheet.height)
        if sheet.getpixel((x, y)) == color
    ]
    xs, ys = [x for x, _ in places], [y for _, y in places]
    return min(xs), min(ys), max(xs) + 1, max(ys) + 1


# ---- axes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("seed=1,2,3", "seed", ["1", "2", "3"]),
        ("seed=1..4", "seed", ["1", "2", "3", "4"]),
        ("seed=3..1", "seed", ["3", "2", "1"]),
        ("scale=1..2..0.25", "scale", ["1", "1.25", "1.5", "1.75", "2"]),
        ("scale=0..0.3..0.1", "scale", ["0", "0.1", "0.2", "0.3"]),
        ("pixel.cells=8x8, 16x16", "pixel.cells", ["8x8", "16x16"]),
        ("learning-rate=.5,1", "learning_rate", [".5", "1"]),
        ("num_cuts=4,8", "num_cuts", ["4", "8"]),
        ("palette=PICO-8;#000,#fff", "palette", ["PICO-8", "#000,#fff"]),
        ("styles=,neon", "styles", ["", "neon"]),
        ("replace=cat,dog,big fox", "replace", ["cat", "dog", "big fox"]),
        ("prompts=a = b;c", "prompts", ["a = b", "c"]),
    ],
)
def test_axes_are_read(text: str, name: str, values: list[str]) -> None:
    axis = parse_axis(text)
    assert (axis.name, list(axis.values), axis.text) == (name, values, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed", "must be a setting and its values"),
        ("=1", "must be a setting and its values"),
        ("a cat=1", "must be a setting and its values"),
        ("sed=1,2", "unknown setting 'sed'. Did you mean 'seed'"),
        ("seed=1,1", "'1' is given twice"),
        ("replace=cat", "a word and what replaces it"),
        ("replace=,cat", "a word and what replaces it"),
        ("seed=1..1000000", "at most 100 values"),
        ("scale=1..2..0", "a step that is not 0"),
        ("seed=" + ",".join(map(str, range(MOST_VALUES + 1))), "at most 100"),
    ],
)
def test_wrong_axes(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_axis(text)


@given(st.text(max_size=80))
def test_any_text_is_an_axis_or_refused(text: str) -> None:
    for given_text in (text, f"seed={text}"):
        try:
            axis = parse_axis(given_text)
        except SettingsError:
            continue
        assert 1 <= len(axis.values) <= MOST_VALUES + 1
        assert len(set(axis.values)) == len(axis.values)


@given(st.integers(-50, 50), st.integers(-50, 50), st.sampled_from([1, 2, 7]))
def test_ranges_are_those_of_python(first: int, last: int, step: int) -> None:
    sign = 1 if last >= first else -1
    wanted = list(range(first, last + sign, sign * step))
    axis = parse_axis(f"seed={first}..{last}..{step}")
    assert [int(value) for value in axis.values] == wanted


def test_orders_are_row_by_row_and_share_the_rest() -> None:
    base = Settings.of(prompts="a cat", seed=5, iterations=3)
    orders = grid.orders_of(base, parse_axis("seed=1,2"), parse_axis("drawer=pixel,fft"), 9)
    assert [label for label, _ in orders] == [
        "seed=1, drawer=pixel", "seed=2, drawer=pixel", "seed=1, drawer=fft", "seed=2, drawer=fft",
    ]  # fmt: skip
    assert [(s.seed, s.drawer, s.iterations) for _, s in orders] == [
        (1, "pixel", 3), (2, "pixel", 3), (1, "fft", 3), (2, "fft", 3),
    ]  # fmt: skip


def test_options_of_parts_and_words_of_prompts_are_axes_too() -> None:
    base = Settings.of(prompts=["a cat", "the cat's hat:0.5"], seed=5, pixel={"decay": 0.5})
    orders = grid.orders_of(
        base, parse_axis("pixel.cells=4x4,8x8"), parse_axis("replace=cat,owl"), 9
    )
    last = orders[-1][1]
    assert last.options("pixel").cells == (8, 8)
    assert last.options("pixel").decay == 0.5
    assert last.prompts == ("a owl", "the owl's hat:0.5")
    both = grid.orders_of(
        base, parse_axis("replace=cat,owl"), parse_axis("prompts=one cat;a cat"), 9
    )
    assert [s.prompts for _, s in both] == [("one cat",), ("one owl",), ("a cat",), ("a owl",)]


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ("seed=1,2", "seed=3", "both axes are 'seed'"),
        ("seed=1..5", "cuts=1..3", "5 x 3 = 15 pictures are more than 9"),
        ("drawer=pixel,fff", None, "drawer=fff: unknown drawer 'fff'"),
        ("cuts=0,1", None, "cuts=0: cuts"),
        ("replace=dog,owl", None, "no prompt holds 'dog'"),
    ],
)
def test_grids_that_cannot_be(x: str, y: str | None, message: str) -> None:
    base = Settings.of(prompts="a cat", seed=5)
    with pytest.raises(SettingsError, match=message):
        grid.orders_of(base, parse_axis(x), parse_axis(y) if y else NO_AXIS, 9)


# ---- the sheet of a grid -------------------------------------------------------------------------


def test_cells_lie_by_row_and_column_beside_their_labels() -> None:
    labels = Labels(["one", "two"], ["first row", "second"], "seed", "drawer", "a cat")
    sheet = labelled_grid([[plain(RED), None], [None, plain(BLUE)]], labels, side=40)
    left, top, right, bottom = box_of(sheet, RED)
    assert (right - left, bottom - top) == (40, 40)
    assert box_of(sheet, BLUE) == (left + 48, top + 48, right + 48, bottom + 48)
    paper = sheet.getpixel((0, 0))

    def is_written(box: tuple[int, int, int, int]) -> bool:
        return len(sheet.crop(box).getcolors() or []) > 1

    assert is_written((0, top, left - 4, bottom))  # beside the rows
    assert is_written((0, top + 48, left - 4, bottom + 48))
    assert is_written((left, top - 14, right, top - 1))  # above the columns
    assert is_written((0, 0, sheet.width, 24))  # the title
    bare = labelled_grid([[plain(RED)]], Labels(), side=40)
    assert box_of(bare, RED) == (8, 8, 48, 48)
    assert bare.size == (56, 56)
    assert paper == bare.getpixel((0, 0))


def test_long_labels_are_wrapped_and_stay_off_the_pictures() -> None:
    long = "a very long prompt about a cat that never ends " * 4
    labels = Labels([long], [long], "prompts", "styles", long)
    sheet = labelled_grid([[plain(RED)]], labels, side=64)
    left, top, right, bottom = box_of(sheet, RED)
    assert (right - left, bottom - top) == (64, 64)
    assert sheet.width < 4 * 64
    assert sheet.crop((left, top, right, bottom)).getcolors() == [(64 * 64, RED)]


@pytest.mark.parametrize("width", [1, 40, 90, 300])
@pytest.mark.parametrize("text", ["(none)", "WWWWWWWWWWWWWWWWWWWW iiii", "a cat\non a mat  now"])
def test_no_line_is_wider_than_asked_for_and_no_letter_is_lost(text: str, width: int) -> None:
    font = ImageFont.load_default(size=14)
    lines = wrap(text, font, width)
    assert all(font.getlength(line) <= width or len(line) == 1 for line in lines)
    assert "".join(lines).replace(" ", "") == "".join(text.split())
    if width == 300:
        assert lines == [" ".join(line.split()) for line in text.splitlines()]


def test_a_short_label_stays_on_its_line() -> None:
    # The room beside the rows is as wide as their longest label, so that none is broken by it.
    for label in ("(none)", "WWW", "pixel"):
        sheet = labelled_grid([[plain(RED)]], Labels(rows=[label]), side=64)
        left = box_of(sheet, RED)[0]
        beside = np.asarray(sheet.crop((0, 0, left, sheet.height)).convert("L"))
        inked = np.flatnonzero((beside < 128).any(axis=1))
        assert inked[-1] - inked[0] < 14  # two lines are 22 high


def test_pictures_of_several_aspects_share_one_box() -> None:
    sheet = labelled_grid([[plain(RED, (40, 20)), plain(BLUE, (20, 40))]], Labels(), side=40)
    assert box_of(sheet, RED) == (8, 18, 48, 38)
    assert box_of(sheet, BLUE) == (66, 8, 86, 48)


def test_huge_grids_are_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("text2art.media.grid.MOST_PIXELS", 10_000)
    sheet = labelled_grid([[plain(RED)] * 4] * 4, Labels(), side=500)
    assert sheet.width * sheet.height < 14_000


@pytest.mark.parametrize("rows", [[], [[]], [[plain(RED)], []]])
def test_a_grid_needs_rows_of_one_length(rows: list[list[Image.Image | None]]) -> None:
    with pytest.raises(ValueError, match="rows of one length"):
        labelled_grid(rows, Labels())


# ---- text2art grid -------------------------------------------------------------------------------


def test_a_grid_is_drawn_recorded_and_gone_on_with(cli: Cli, monkeypatch: Any) -> None:
    words = ["grid", "a cat", *TINY, "--y", "cuts=2,4", "--side=32", "--json", "--out", "g.png"]
    first = cli(*words, "--x", "seed=1,2", "--cells", "cells")
    assert first.code == 0, first.err
    *told, done = first.events
    assert [(c["number"], c["of"], c["label"]) for c in told] == [
        (1, 4, "seed=1, cuts=2"), (2, 4, "seed=2, cuts=2"), (3, 4, "seed=1, cuts=4"),
        (4, 4, "seed=2, cuts=4"),
    ]  # fmt: skip
    assert (done["path"], done["pictures"]) == ("g.png", 4)
    record = read_record(Path("g.png"))
    assert record["grid"] == {"x": "seed=1,2", "y": "cuts=2,4"}
    assert record["settings"]["prompts"] == ["a cat"]
    # Each cell is what draw draws.
    kept = {read_record(p)["settings"]["seed"]: p for p in sorted(Path("cells").glob("*cuts-4*"))}
    settings = read_record(kept[2])["settings"]
    assert settings["cuts"] == 4
    assert cli("again", str(kept[2]), "-q", "-o", "cell.png").code == 0
    assert Path("cell.png").read_bytes() == kept[2].read_bytes()
    # Further values: what is there is not drawn again.
    drawn: list[str] = []
    fresh = cells.Cells._fresh

    def noted(self: Any, missing: list[cells.Cell], *rest: Any) -> Any:
        drawn.extend(cell.label for cell in missing)
        return fresh(self, missing, *rest)

    monkeypatch.setattr(cells.Cells, "_fresh", noted)
    sheet = Path("g.png").read_bytes()
    assert cli(*words, "--x", "seed=1,2", "--cells", "cells").code == 0
    assert drawn == []
    with Image.open("g.png") as again, Image.open(io.BytesIO(sheet)) as before:
        assert again.tobytes() == before.tobytes()
    more = cli(*words, "--x", "seed=1,2,3", "--cells", "cells")
    assert drawn == ["seed=3, cuts=2", "seed=3, cuts=4"]
    assert [c["reused"] for c in more.events[:-1]] == [True, True, False, True, True, False]


def test_cells_of_other_versions_or_perceptors_are_drawn_again(cli: Cli, monkeypatch: Any) -> None:
    words = ["grid", "a cat", *TINY, "--seed=3", "--x", "cuts=2,4", "--json", "--cells", "c"]
    assert cli(*words).code == 0
    for path in Path("c").iterdir():
        path.write_bytes(b"broken")
    assert [c["reused"] for c in cli(*words).events[:-1]] == [False, False]
    assert [c["reused"] for c in cli(*words).events[:-1]] == [True, True]
    monkeypatch.setattr("text2art.perceptors.toy.ToyPerceptor.digest", "ab" * 32, raising=False)
    monkeypatch.setattr(cells, "__version__", "99")
    assert [c["reused"] for c in cli(*words).events[:-1]] == [False, False]


def test_all_cells_share_a_seed_that_was_drawn(cli: Cli) -> None:
    answer = cli("grid", "a cat", *TINY, "--x", "cuts=2,4", "--json", "--no-metadata")
    assert answer.code == 0, answer.err
    seeds = {cell["seed"] for cell in answer.events[:-1]}
    assert seeds == {answer.events[-1]["seed"]}
    path = Path(answer.events[-1]["path"])
    assert path.parent == Path("outputs")
    assert path.name == f"grid-a-cat-{seeds.pop()}.png"
    assert b"a cat" not in path.read_bytes()


def test_progress_is_told_in_lines(cli: Cli) -> None:
    answer = cli("grid", "a cat", *TINY, "--x", "cuts=2,4", "-o", "g.png")
    assert answer.out == "g.png\n"
    lines = answer.err.splitlines()
    assert lines[0].startswith("perceptor: toy")
    assert lines[1].startswith("1/2  cuts=2: score ")
    assert lines[1].endswith(" s left")
    assert lines[2].startswith("2/2  cuts=4: score ")
    assert cli("grid", "a cat", *TINY, "--x", "cuts=2", "-q", "-o", "g.png").err == ""


def test_a_bar_in_a_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert cli("grid", "a cat", *TINY, "--x", "cuts=2,4", "-o", "g.png").out == "g.png\n"


def test_an_interrupt_keeps_the_sheet_as_far_as_it_got(cli: Cli, monkeypatch: Any) -> None:
    tell = cells.Cells._tell

    def interrupted(self: Any, number: int, *rest: Any) -> None:
        tell(self, number, *rest)
        if number == 2:
            os.kill(os.getpid(), 2)

    monkeypatch.setattr(cells.Cells, "_tell", interrupted)
    answer = cli(
        "grid", "a cat", *TINY, "--seed=3", "--x", "cuts=2,4", "--y", "seed=1,2", "--side=32",
        "--json", "-o", "g.png",
    )  # fmt: skip
    assert answer.code == 130
    assert answer.events[-1] == {
        "event": "done", "path": "g.png", "seed": 3, "pictures": 2, "interrupted": True,
    }  # fmt: skip
    with Image.open("g.png") as sheet:
        assert sheet.height > 2 * 32


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a cat", "--x", "seed=1..40", "--y", "cuts=1..4"], "160 pictures are more than 100"),
        (["--x", "seed=1,2"], "no prompt was given"),
        (["a cat", "--x", "seed=1,2", "--out", "g.gif"], "use .png or .webp"),
        (["a cat", "--x", "seed=1,2", "--out", "{x}.png"], "unknown field '{x}'"),
        (
            ["a cat", "--x", "palette=CGA;red, blurpl"],
            "palette=red, blurpl: palette: 'blurpl' is no color",
        ),
        (["a cat", "--x", "palette=CGA;red, blurpl"], "\nred, blurpl\n     ^\n"),
    ],
)
def test_grids_are_checked_before_any_work(cli: Cli, words: list[str], message: str) -> None:
    answer = cli("grid", *words)
    assert (answer.code, answer.out) == (1, "")
    assert message in answer.err
    assert list(Path().iterdir()) == []


# ---- text2art sheet ------------------------------------------------------------------------------


def test_a_sheet_of_files_and_folders(cli: Cli) -> None:
    Path("f").mkdir()
    plain(RED).save("f/b.png")
    plain(BLUE).save("f/a.webp", lossless=True)
    Path("f/notes.txt").write_text("no picture")
    assert draw(cli, "-q", "-o", "cat.png").code == 0
    answer = cli("sheet", "cat.png", "f", "--side=32", "--columns=3", "--out", "f/sheet.png")
    assert answer.code == 0, answer.err
    assert answer.out == "f/sheet.png\n"
    with Image.open("f/sheet.png") as sheet:
        assert sheet.width == 3 * 40 + 8
        assert box_of(sheet.convert("RGB"), BLUE) == (48, 8, 80, 40)
        assert box_of(sheet.convert("RGB"), RED) == (88, 8, 120, 40)
    before = Path("f/sheet.png").read_bytes()
    assert cli("sheet", "cat.png", "f", "--side=32", "--columns=3", "-o", "f/sheet.png").code == 0
    assert Path("f/sheet.png").read_bytes() == before  # it does not hold itself


def test_numbers_in_names_are_sorted_by_their_value(cli: Cli) -> None:
    Path("f").mkdir()
    plain(RED).save("f/10.png")
    plain(BLUE).save("f/9.png")
    plain(RED).save("f/.hidden.png")
    assert cli("sheet", "f", "--side=32", "--columns=2", "--captions=none", "-o", "s.png").code == 0
    with Image.open("s.png") as sheet:
        assert sheet.width == 2 * 40 + 8
        assert box_of(sheet.convert("RGB"), BLUE)[0] == 8
        assert box_of(sheet.convert("RGB"), RED)[0] == 48
    assert cli("export", "sprites", "f", "--columns=2", "-o", "t.png").code == 0
    with Image.open("t.png") as sheet:
        assert sheet.size == (40, 20)
        assert box_of(sheet.convert("RGB"), BLUE) == (0, 0, 20, 20)


def test_captions(cli: Cli) -> None:
    from text2art.cli.sheet import Captions, caption

    assert draw(cli, "-q", "-o", "mine.png", "--styles=neon").code == 0
    plain(RED).save("photo.png")
    mine, photo = Path("mine.png"), Path("photo.png")
    assert caption(mine, Captions.prompt) == "a red apple, neon"
    assert caption(photo, Captions.prompt) == "photo"
    assert (caption(mine, Captions.seed), caption(mine, Captions.name)) == ("7", "mine")
    assert caption(mine, Captions.none) == ""


def test_sheets_that_cannot_be(cli: Cli) -> None:
    Path("empty").mkdir()
    Path("broken.png").write_bytes(b"broken")
    for words, message in (
        (["empty"], "there are no pictures in 'empty'"),
        (["missing.png"], "is not there"),
        (["broken.png"], "not a picture of a known format"),
        (["broken.png", "-o", "s.gif"], "use .png"),
    ):
        answer = cli("sheet", *words)
        assert (answer.code, answer.out) == (1, "")
        assert message in answer.err


# ---- text2art vary -------------------------------------------------------------------------------


def test_variations_start_from_the_picture_with_seeds_of_their_own(cli: Cli) -> None:
    assert draw(cli, "-q", "-o", "cat.png", "--iterations=8").code == 0
    answer = cli(
        "vary", "cat.png", "--count=3", "--strength=0.25", "--out", "v-{seed}.png", "-q",
        "--sheet", "sheet.png",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert answer.out.splitlines() == ["v-8.png", "v-9.png", "v-10.png"]
    for seed in (8, 9, 10):
        settings = read_record(Path(f"v-{seed}.png"))["settings"]
        assert settings["seed"] == seed
        assert settings["init_image"] == "cat.png"
        assert settings["init_alpha"] == 0.75
        assert settings["iterations"] == 2
        assert settings["prompts"] == ["a red apple"]
    assert cli("again", "v-9.png", "-q", "-o", "again.png").code == 0
    assert Path("again.png").read_bytes() == Path("v-9.png").read_bytes()
    with Image.open("sheet.png") as sheet:
        assert sheet.width == 4 * 200 + 8


def test_weaker_variations_are_nearer(cli: Cli) -> None:
    assert draw(cli, "-q", "-o", "cat.png", "--iterations=8").code == 0

    def far(strength: float) -> float:
        name = f"v{strength}.png"
        words = ["--strength", str(strength), "--count=1", "-q", "--out", name]
        words += ["--learning-rate=0.01"]  # what it starts from, not what is drawn on it
        assert cli("vary", "cat.png", *words).code == 0
        with Image.open("cat.png") as before, Image.open(name) as after:
            return float(
                np.abs(np.subtract(np.asarray(before, float), np.asarray(after, float))).mean()
            )

    assert far(0) < far(0.3) < far(0.8)


def test_the_first_seed_and_other_settings_may_be_given(cli: Cli) -> None:
    assert draw(cli, "-q", "-o", "cat.png").code == 0
    words = ["a blue pear", "--seed=40", "cuts=2", "-n", "2", "--json", "--out", "v-{n}.png"]
    answer = cli("vary", "cat.png", *words)
    assert answer.code == 0, answer.err
    assert answer.events[-1]["paths"] == ["v-1.png", "v-2.png"]
    settings = [read_record(Path(p))["settings"] for p in answer.events[-1]["paths"]]
    assert [(s["seed"], s["prompts"], s["cuts"]) for s in settings] == [
        (40, ["a blue pear"], 2), (41, ["a blue pear"], 2),
    ]  # fmt: skip


def test_any_picture_can_be_varied_with_words(cli: Cli) -> None:
    plain(RED, (40, 20)).save("photo.png")
    answer = cli("vary", "photo.png")
    assert answer.code == 1
    assert "holds no settings" in answer.err
    tiny = [word for word in TINY if "size" not in word]
    answer = cli("vary", "photo.png", "a cat", *tiny, "--scale=0.3", "-n1", "-q", "-o", "v.png")
    assert answer.code == 0, answer.err
    with Image.open("v.png") as image:
        assert image.size == (43, 22)  # 0.3 times the square's width, the aspect of the photo


def test_the_seeds_of_variations() -> None:
    assert vary.seeds(None, 7, 3) == [8, 9, 10]
    assert vary.seeds(3, 7, 3) == [3, 4, 5]
    assert vary.seeds(None, MAX_SEED, 2) == [0, 1]
    assert vary.seeds(None, "sea", 2) == ["sea 1", "sea 2"]
    assert vary.seeds("sea", 7, 2) == ["sea", "sea 1"]
    assert len(set(vary.seeds(None, None, 4))) == 4


def test_at_full_strength_nothing_is_left_but_the_settings() -> None:
    base = Settings.of(prompts="a", seed=1, iterations=100)
    assert vary.variation(base, Path("a.png"), 1, 5) == base.changed(seed=5)
    weak = vary.variation(base, Path("a.png"), 0, 5)
    assert (weak.init_alpha, weak.init_noise, weak.iterations) == (1, "none", 20)


def test_variations_that_cannot_be(cli: Cli) -> None:
    assert draw(cli, "-q", "-o", "cat.png").code == 0
    for words, message in (
        (["cat.png", "--out", "one.png"], "put {seed} or {n} in it"),
        (["cat.png", "--out", "v-{n}.svg", "-n1"], "use .png"),
        (["missing.png"], "is not there"),
    ):
        answer = cli("vary", *words)
        assert (answer.code, answer.out) == (1, "")
        assert message in answer.err
    assert sorted(p.name for p in Path().iterdir()) == ["cat.png"]


def test_an_interrupt_gives_up_the_cell_at_hand() -> None:
    cell = cells.Cell("a", Settings.of(prompts="a", perceptor="toy", size="16x16", iterations=5))
    with Interrupt() as interrupt:
        interrupt.wished = True
        assert list(cells.Cells([cell], quiet=True).draw(interrupt)) == []
