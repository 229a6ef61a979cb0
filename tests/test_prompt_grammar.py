"""What a prompt can carry: regions, windows, curves, scenes, choices; and how it is refused."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2art.errors import PromptError, pointer
from text2art.prompts import Prompt, expand, lint, number_notices, parse_prompts, parse_story
from text2art.prompts import source as texts
from text2art.prompts.expressions import MAX_LENGTH, Curve, parse_curve
from text2art.prompts.regions import NAMES, Box, Mask, Window
from text2art.prompts.wildcards import BUILTIN, MOST_COUNTED, combination, combinations
from text2art.settings import Settings

LEFT = NAMES["left"]


def curve(text: str) -> Curve:
    return parse_curve(text)


# ---- the grammar ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("an apple [left]", Prompt("an apple", region=LEFT)),
        ("an apple [Top-Left]:2", Prompt("an apple", 2.0, region=NAMES["top left"])),
        ("an apple [centre]", Prompt("an apple", region=NAMES["center"])),
        ("an apple [0,0,50%,100%]", Prompt("an apple", region=LEFT)),
        ("an apple [ 0 , 0 , 50 , 100 ]", Prompt("an apple", region=LEFT)),
        ("an apple [@mask.png]", Prompt("an apple", region=Mask("mask.png"))),
        (r"a [!@C:\masks\m.png]:2", Prompt("a", 2.0, region=Mask(r"C:\masks\m.png", True))),
        ("a photo [2022]", Prompt("a photo [2022]")),
        ("a photo [lefft]", Prompt("a photo [lefft]")),
        (r"a photo \[left]", Prompt("a photo [left]")),
        ("[left] of it", Prompt("[left] of it")),
        ("a@20%-80%", Prompt("a", window=Window(20, 80))),
        ("a @ 20 - 80%", Prompt("a", window=Window(20, 80))),
        ("a@-30%:2", Prompt("a", 2.0, window=Window(0, 30))),
        ("a:2@50%-", Prompt("a", 2.0, window=Window(50, 100))),
        ("me@home", Prompt("me@home")),
        ("a@20-80", Prompt("a@20-80")),
        (r"a\@20%-80%", Prompt("a@20%-80%")),
        ("@cat.png@-50%", Prompt("cat.png", is_image=True, window=Window(0, 50))),
        ("@cat.png [right]:0.5", Prompt("cat.png", 0.5, is_image=True, region=NAMES["right"])),
        ("a:{1-t}", Prompt("a", curve("1-t"))),
        ("a:{ 1 - t ^ 2 }:0.4", Prompt("a", curve("1-t^2"), 0.4)),
        ("a [left]@10%-20%:{t}", Prompt("a", curve("t"), window=Window(10, 20), region=LEFT)),
        ("a:{t}@10%-20% [left]", Prompt("a", curve("t"), window=Window(10, 20), region=LEFT)),
        (r"a \{b\}", Prompt("a {b}")),
        (r"a \^ b", Prompt("a ^ b")),
        (r"\__init__", Prompt("__init__")),
        (r"C:\__x", Prompt("C:__x")),
        (r"a\b", Prompt(r"a\b")),
    ],
)
def test_reads(source: str, expected: Prompt) -> None:
    assert parse_prompts(source) == (expected,)


@pytest.mark.parametrize(
    ("source", "message", "at"),
    [
        ("a [0,0,50]", "four percents", 3),
        ("a | b [0,0,192,128]", "not pixels", 11),
        ("a [50,0,20,100]", "from left to right", 8),
        ("a [@]", "names no picture", 3),
        ("a@80%-20%", "starts before it ends", 6),
        ("a@20%-180%", "ends at 100", 6),
        ("a:{1-q}", "'q' is not known", 5),
        ("a:{1-}", "not the end", 5),
        ("a | b:{sin(t}", "a '\\)' belongs here", 12),
        ("a:{min()}", "not '\\)'", 7),
        ("a:{sin(t, t)}", "takes 1 numbers, not 2", 11),
        ("a:{2 t}", "unexpected 't'", 5),
        ("a:{1/t}", "no finite value within|has no finite value at t=0", 3),
        ("a:{9^9^9^9}", "no finite value", 3),
        ("a:2:{t}", "a stop is a number", 4),
        ("a {red} cat", "braces hold choices", 2),
        ("a {red", "never closed", 2),
        ("a } b", "closes nothing", 2),
        ("a | | b", "empty", 4),
        ("a ^ ^ b", "empty", 4),
        (f"a:{{{'(' * 60}", "never closed", 2),
        (f"a:{{{'(' * 60}t{')' * 60}}}", "nested more than 20", 24),
        (f"a:{{{'-' * 60}t}}", "nested more than 20", 24),
        (f"a:{{{'1+' * 120}1}}", f"at most {MAX_LENGTH}", 3),
        ("{" * 30 + "a" + "}" * 30, "nested more than 20", 20),
    ],
)
def test_refuses_with_a_caret_under_the_fault(source: str, message: str, at: int) -> None:
    with pytest.raises(PromptError, match=message) as caught:
        parse_prompts(source)
    assert (caught.value.source, caught.value.at) == (source, at)
    assert caught.value.pointer.splitlines()[1].index("^") == at


def test_the_caret_stands_under_wide_characters_and_in_long_texts() -> None:
    assert pointer("\u732b {", 2) == "\u732b {\n   ^"
    line, caret = pointer("x" * 300 + "!" + "y" * 300, 300).splitlines()
    assert line[caret.index("^")] == "!"
    assert len(line) < 80


def test_scenes() -> None:
    story = parse_story("a | b:2 ^ c ^")
    assert story == ((Prompt("a"), Prompt("b", 2.0)), (Prompt("c"),))
    assert parse_story("a:{t^2} ^ b") == ((Prompt("a", curve("t^2")),), (Prompt("b"),))


def test_a_string_of_one_scene_belongs_to_every_scene() -> None:
    story = parse_story(["a ^ b", "style", "c ^ d"])
    assert [[p.text for p in scene] for scene in story] == [
        ["a", "style", "c"],
        ["b", "style", "d"],
    ]
    with pytest.raises(PromptError, match="2 scenes where another prompt has 3"):
        parse_story(["a ^ b", "c ^ d ^ e"])


def test_one_scene_is_wanted_where_there_can_be_no_story() -> None:
    with pytest.raises(PromptError, match="one scene"):
        parse_prompts("a ^ b")
    with pytest.raises(PromptError, match="65 scenes"):
        parse_story("^".join("a" * 65))
    with pytest.raises(PromptError, match="33 prompts"):
        parse_story(["a"] * 33)


def test_settings_take_several_scenes_and_record_them() -> None:
    s = Settings.of(prompts="a ^ b")
    assert s.story == ((Prompt("a"),), (Prompt("b"),))
    assert s.given() == {"prompts": ["a ^ b"]}


plain = st.text(min_size=1, max_size=40).map(str.strip).filter(bool)
percents = st.floats(0, 100).map(lambda p: round(p, 6))


@st.composite
def boxes(draw: Callable[..., Any]) -> Box:
    left, right = sorted(draw(st.lists(percents, min_size=2, max_size=2, unique=True)))
    top, bottom = sorted(draw(st.lists(percents, min_size=2, max_size=2, unique=True)))
    return Box(left, top, right, bottom)


windows = st.lists(percents, min_size=2, max_size=2, unique=True).map(
    lambda pair: Window(min(pair), max(pair))
)
curves = st.sampled_from(["1-t", "sin(2*pi*t)^2", "ramp(20%,80%)", "-t", "min(step/100,1)"])
prompts = st.builds(
    Prompt,
    text=plain,
    weight=st.floats(allow_nan=False, allow_infinity=False) | curves.map(curve),
    stop=st.just(-math.inf) | st.floats(allow_nan=False, allow_infinity=False),
    is_image=st.booleans(),
    window=st.none() | windows,
    region=st.none() | boxes() | st.builds(Mask, plain, st.booleans()),
)


@given(prompts)
def test_what_is_written_is_read_back(prompt: Prompt) -> None:
    assert parse_prompts(str(prompt)) == (prompt,)


@given(st.lists(st.lists(prompts, min_size=1, max_size=3), min_size=1, max_size=3))
def test_stories_are_read_back(scenes: list[list[Prompt]]) -> None:
    written = " ^ ".join(" | ".join(map(str, scene)) for scene in scenes)
    if len(written) <= texts.MAX_CHARACTERS:
        assert parse_story(written) == tuple(map(tuple, scenes))


grammar = st.text(st.sampled_from("ab 19.%|:@\\^{}[]!_-+*/(),t\0\n\u732b"), max_size=60)


@given(st.text(max_size=200) | grammar)
def test_any_text_is_read_or_refused(source: str) -> None:
    try:
        story = parse_story(source)
    except PromptError:
        return
    for prompt in (prompt for scene in story for prompt in scene):
        assert prompt.text.strip()
        assert math.isfinite(prompt.weight_at(0.5, 10)) or isinstance(prompt.weight, Curve)
        assert parse_prompts(str(prompt)) == (prompt,)
        assert lint.explain(prompt)


@pytest.mark.parametrize(
    "piece", ["{", "}", "a:1", "[0,", "@2%-", "\\", "__a", "{a|", ":{", "^|", " "]
)
def test_no_long_text_blows_up(piece: str) -> None:
    """Counts steps rather than time: the recursion limit and the number of choices are bounds."""
    source = (piece * 2000)[: texts.MAX_CHARACTERS]
    try:
        expanded = expand([source], 1)
        parse_story(expanded)
    except PromptError:
        return


def test_a_lookalike_of_a_region_is_pointed_out() -> None:
    (notice,) = number_notices(parse_prompts("a cat [lefft]"))
    assert "'left'" in notice
    assert number_notices(parse_prompts("a photo [2022]")) == []


# ---- curves --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1-t", 0.75),
        ("-t^2", -0.0625),
        ("2^3^2", 512.0),
        ("2^-1", 0.5),
        ("8/4/2", 1.0),
        ("1-2-3", -4.0),
        ("1+2*3", 7.0),
        ("(1+2)*3", 9.0),
        ("+-+1", -1.0),
        ("20%", 0.2),
        ("1e-2", 0.01),
        (".5", 0.5),
        ("step", 25.0),
        ("sin(pi/2)", 1.0),
        ("cos(0)", 1.0),
        ("min(3,t,2)", 0.25),
        ("max(3,t,2)", 3.0),
        ("abs(-2)", 2.0),
        ("sqrt(4)", 2.0),
        ("exp(0)", 1.0),
        ("ramp(0,50%)", 0.5),
        ("ramp(50%,100%)", 0.0),
        ("ramp(0,10%)", 1.0),
        ("ramp(1-t,0,1)", 0.75),
        ("ramp(20%,20%)", 1.0),
    ],
)
def test_curves_compute(text: str, expected: float) -> None:
    assert curve(text).at(0.25, 25) == pytest.approx(expected)


_SIGNS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
trees = st.recursive(
    st.sampled_from([("t", 0.25), ("2", 2.0), ("0.5", 0.5), ("pi", math.pi)]),
    lambda inner: st.tuples(inner, st.sampled_from(sorted(_SIGNS)), inner).map(
        lambda found: (
            f"({found[0][0]}{found[1]}{found[2][0]})",
            _SIGNS[found[1]](found[0][1], found[2][1]),
        )
    ),
    max_leaves=8,
)


@given(trees)
def test_curves_agree_with_a_tree_of_python(tree: tuple[str, float]) -> None:
    text, value = tree
    assert curve(text).at(0.25, 0) == pytest.approx(value)


@given(st.text(st.sampled_from("0123.e+-*/^(),% tspinmaxrcoq"), max_size=80))
def test_any_formula_is_read_or_refused(text: str) -> None:
    try:
        read = parse_curve(text)
    except PromptError:
        return
    assert parse_curve(read.text) == read
    assert math.isfinite(read.at(0.5, 50))


def test_a_curve_without_a_value_later_is_refused_for_longer_runs() -> None:
    read = curve("1/(150.5-step)")
    read.check(400)
    with pytest.raises(PromptError, match="no finite value"):
        curve("1/(150-step)").check(400)


def test_windows_hold() -> None:
    early, late = Window(0, 50), Window(50, 100)
    for progress in (0.0, 0.2, 0.499, 0.5, 0.7, 1.0):
        assert early.holds(progress) != late.holds(progress)
    prompt = Prompt("a", curve("2*t"), window=Window(20, 80))
    assert [prompt.weight_at(t, 0) for t in (0.1, 0.2, 0.5, 0.8)] == [0, 0.4, 1.0, 0]


# ---- choices -------------------------------------------------------------------------------------


def test_a_seed_chooses_the_same_again_and_others_choose_otherwise() -> None:
    source = ["a {red|green|blue} {cat|dog} in a __place__"]
    told = [expand(source, seed) for seed in range(60)]
    assert told == [expand(source, seed) for seed in range(60)]
    assert {word for (text,) in told for word in ("red", "green", "blue") if word in text} == {
        "red",
        "green",
        "blue",
    }
    assert len(set(told)) > 30


def test_strings_and_settings_choose_by_themselves() -> None:
    wide = "{" + "|".join(map(str, range(100))) + "}"
    one, other = expand([wide, wide], 1)
    (alone,) = expand([wide], 1)
    (elsewhere,) = expand([wide], 1, purpose="labels")
    assert one == alone
    assert len({one, other, elsewhere}) == 3


def test_choices_nest_and_leave_curves_and_escapes_alone() -> None:
    for seed in range(20):
        (text,) = expand([r"{a|{b|c} d}:{1-t} \{x\|y\}"], seed)
        assert text in {rf"{start}:{{1-t}} \{{x\|y\}}" for start in ("a", "b d", "c d")}
        (weight,) = expand(["a:{1|2}"], seed)
        assert weight in ("a:1", "a:2")


def test_combinations_are_counted_and_all_different() -> None:
    source = ["{a|b {c|d}} {e|f|g}", "__shape__"]
    count = combinations(source)
    assert count == 3 * 3 * len(BUILTIN["shape"].split())
    assert len({combination(source, n) for n in range(count)}) == count
    assert combinations([" ".join(["{a|b|c|d|e|f|g|h|i|j}"] * 12)]) == MOST_COUNTED


def test_lists_are_read_from_here_then_from_home(
    here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("TEXT2ART_HOME", str(home))
    for folder, word in ((home, "yak"), (here, "gnu")):
        (folder / "wildcards").mkdir()
        (folder / "wildcards" / "animal.txt").write_text(f"# mine\n\n{word}\n", encoding="utf-8")
    (home / "wildcards" / "pet.txt").write_text("a {big|small} __animal__\n", encoding="utf-8")
    assert expand(["__animal__"], 0) == ("gnu",)
    assert expand(["__pet__"], 0)[0] in ("a big gnu", "a small gnu")
    (here / "wildcards" / "animal.txt").unlink()
    assert expand(["__animal__"], 0) == ("yak",)


def test_lists_that_are_missing_circular_or_too_long_are_refused(here: Path) -> None:
    folder = here / "wildcards"
    folder.mkdir()
    (folder / "one.txt").write_text("x __two__", encoding="utf-8")
    (folder / "two.txt").write_text("y __one__", encoding="utf-8")
    (folder / "many.txt").write_text("a\n" * 10_001, encoding="utf-8")
    (folder / "none.txt").write_text("# nothing\n", encoding="utf-8")
    (folder / "bytes.txt").write_bytes(b"\xff\xfe\xff")
    (folder / "bomb.txt").write_text("{a|b} " * 300, encoding="utf-8")
    for source, message in {
        "a __anmal__": "Did you mean 'animal'",
        "__one__": "circles",
        "__many__": "10001 entries",
        "__none__": "0 entries",
        "__bytes__": "not UTF-8",
        "__bomb__ __bomb__": "500 choices",
        "{_|_}{_|_}animal__": "side by side",
        "__../../etc/passwd__ {a|": "never closed",
    }.items():
        with pytest.raises(PromptError, match=message):
            expand([source], 0)
    assert expand(["__../../etc/passwd__"], 0) == ("__../../etc/passwd__",)


@given(grammar | st.text(st.sampled_from("ab{}|:\\_ __shape__"), max_size=60), st.integers(0, 9))
def test_expanding_what_is_expanded_changes_nothing(source: str, seed: int) -> None:
    try:
        once = expand([source], seed)
    except PromptError:
        return
    assert expand(once, seed) == once
    assert combinations(once) == 1


def test_settings_resolve_choices_once_for_the_record() -> None:
    s = Settings.of(prompts="a {red|green} __animal__", labels="a {b|c}", seed=3)
    chosen = s.chosen(3)
    assert chosen == s.chosen(3)
    assert chosen.chosen(99).prompts == chosen.prompts
    assert not any(c in str(chosen.given()["prompts"] + chosen.given()["labels"]) for c in "{_")


@pytest.mark.parametrize("source", ["a {b", "a __nothing__", "{a|} | {|b}", "a {b|c}:{q}"])
def test_settings_refuse_what_no_seed_could_mend(source: str) -> None:
    with pytest.raises(PromptError):
        Settings.of(prompts=source).chosen(1).story  # noqa: B018 - it raises


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a cat [lefft]", "Did you mean 'left'?"),
        ("a cat [left", "Did you mean '[left]'?"),
        ("a cat [ top left ", "Did you mean '[top left]'?"),
        ("a [left] cat", ""),
        ("a cat left]", ""),
    ],
)
def test_brackets_that_are_no_region_are_pointed_out(text: str, hint: str) -> None:
    notices = number_notices(parse_prompts(text))
    assert [hint in notice for notice in notices] == ([True] if hint else [])


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a cat@20%", "Did you mean '@20%-'?"),
        ("a cat @ 20-80", "Did you mean '@20%-80%'?"),
        ("a cat@20-", "Did you mean '@20%-'?"),
        ("a cat@80-20", ""),
        ("me@home", ""),
        ("a cat@20%-80%", ""),
        ("a cat@2022", ""),
        ("@20", ""),
    ],
)
def test_an_at_that_is_no_window_is_pointed_out(text: str, hint: str) -> None:
    notices = number_notices(parse_prompts(text))
    assert [hint in notice for notice in notices] == ([True] if hint else [])


@pytest.mark.skipif(sys.version_info < (3, 11), reason="errors take notes from Python 3.11 on")
def test_tracebacks_show_the_caret() -> None:
    with pytest.raises(PromptError) as caught:
        parse_prompts("a {cat")
    assert vars(caught.value)["__notes__"] == [pointer("a {cat", 2)]
