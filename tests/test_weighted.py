"""Lists of losses and filters: weights, arguments, and faults shown in place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2art import registry
from text2art.configfile import merge, parse_settings
from text2art.errors import ListError, SettingsError, UnknownComponent
from text2art.settings import Settings
from text2art.weighted import Item, read_items, spread, write_items

NAMES = sorted(registry.components("losses"))
WEIGHTS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 6))


def test_names_weights_and_arguments() -> None:
    text = " smoothness : 0.5 , symmetry->vertical,edge:-2->8 -> color=#123,"
    assert read_items(text, "losses") == [
        Item("smoothness", 0.5, {}),
        Item("symmetry", 1.0, {"kind": "vertical"}),
        Item("edge", -2.0, {"thickness": "8", "color": "#123"}),
    ]
    assert read_items("", "losses") == read_items([], "losses") == []
    (style,) = read_items(r"style->https://a.b/c\,d.png?x=1->size=2", "losses")
    assert style.options == {"file": "https://a.b/c,d.png?x=1", "size": "2"}


@given(st.lists(st.tuples(st.sampled_from(NAMES), WEIGHTS), unique_by=lambda item: item[0]))
def test_what_is_written_reads_back(pairs: list[tuple[str, float]]) -> None:
    items = [Item(name, weight, {}) for name, weight in pairs]
    assert read_items(write_items(items), "losses") == items


PIECES = ["->", ",", ":", "-", ">", "=", "\\", " ", "0.5", "1e999", "nan", "edge", "style", "kind"]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=12).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        items = read_items(text, "losses")
    except SettingsError:
        return  # any other error is a fault
    assert all(item.name in NAMES and abs(item.weight) < float("inf") for item in items)


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("smothness:1", "Did you mean 'smoothness'?", 0),
        ("edge, smothness", "unknown loss 'smothness'", 6),
        ("edge:x", "weight 'x' of 'edge' is not a number", 5),
        ("edge:", "weight '' of 'edge' is not a number", 5),
        ("edge: 1e999", "weight '1e999'", 6),
        (",edge", "the name of a loss is missing", 0),
        ("edge->->2", "an argument of 'edge' is missing after '->'", 6),
        ("palette->3", "'palette' has no such argument: it takes none", 9),
        ("edge->shade=red", "it takes thickness, color, margins", 6),
        ("edge->5->thickness=6", "edge.thickness is given twice", 9),
        ("edge->color=red->5", "every argument needs its option", 17),
    ],
)
def test_faults_are_shown_in_place(text: str, message: str, at: int) -> None:
    with pytest.raises(ListError) as caught:
        Settings.of(prompts="a", losses=text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    source, caret = caught.value.pointer.split("\n")
    assert source == text
    assert caret == " " * at + "^"


def test_unknown_names_are_of_their_own_kind() -> None:
    with pytest.raises(UnknownComponent, match="unknown filter 'tyler'"):
        Settings.of(prompts="a", filters="tyler")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"losses": "edge,edge:2"}, "'edge' is listed twice"),
        ({"losses": {"edge": "much"}}, "weight 'much' of 'edge' is not a number"),
        ({"losses": {"edge": True}}, "weight True of 'edge' is not a number"),
        ({"losses": 3}, "write name:weight"),
        ({"losses": "edge," * 5000}, "characters, at most"),
        ({"losses": "symmetry->sideways"}, "symmetry.kind"),
        ({"losses": "edge->5", "edge": {"thickness": 6}}, "give one"),
        ({"filters": "tiler:1.5"}, "0 (not at all) to 1 (fully)"),
        ({"filters": "tiler:-1"}, "out of range"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.of(prompts="a", **values)
    assert message in str(caught.value)


def test_arguments_become_options() -> None:
    given = {"losses": "smoothness:2->log,symmetry->vertical", "filters": "lookup,tiler:0.5->brick"}
    settings = Settings.of(prompts="a", **given)
    assert settings.losses == {"smoothness": 2.0, "symmetry": 1.0}
    assert settings.filters == "lookup,tiler:0.5"
    assert settings.options("smoothness").kind == "log"
    assert settings.options("symmetry").kind == "vertical"
    assert settings.options("tiler").repeat == "brick"
    assert Settings.of(**parse_settings(settings.to_json())) == settings
    assert spread({"losses": {"edge": 1}}) == {"losses": {"edge": 1}}


def test_later_layers_win_over_arguments() -> None:
    below = {"losses": "symmetry->vertical", "prompts": "a"}
    settings = Settings.of(**merge(below, {"symmetry": {"kind": "both"}}))
    assert settings.options("symmetry").kind == "both"
    settings = Settings.of(**merge(below, {"losses": "edge->9"}))
    assert settings.losses == {"edge": 1.0}
    assert settings.options("edge").thickness == 9


def test_filters_keep_their_order() -> None:
    first = Settings.of(prompts="a", filters="wallpaper,lookup:1")
    assert first.filters == "wallpaper,lookup"
    assert Settings.of(**parse_settings(first.to_json())).filters == "wallpaper,lookup"
    assert Settings.of(prompts="a", filters=["lookup", "wallpaper:0.5"]).filters == (
        "lookup,wallpaper:0.5"
    )


@pytest.mark.parametrize("margins", ["5 5 0 10", "5,5,0,10", [5, 5, 0, 10]])
def test_margins_are_four_percents(margins: object) -> None:
    settings = Settings.of(prompts="a", edge={"margins": margins})
    assert settings.options("edge").margins == (5, 5, 0, 10)
    for wrong in ("5 5", "5 5 0 x", "5 5 0 101", 7):
        with pytest.raises(SettingsError, match="four percents"):
            Settings.of(prompts="a", edge={"margins": wrong})


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(SettingsError, match="odd number"):
        Settings.of(prompts="a", losses="smoothness->log->4")


def test_d10_there_is_a_setting_for_bricks() -> None:
    """pixray's own tilers named a setting that it did not have."""
    assert Settings.of(prompts="a", filters="tiler->brick").options("tiler").repeat == "brick"
    with pytest.raises(SettingsError, match=r"unknown setting 'wallpaper\.shift'"):
        Settings.of(prompts="a", wallpaper={"shift": True})


def test_d11_options_of_one_component_cannot_be_those_of_another() -> None:
    """pixray's resmem claimed symmetry's setting; here options nest under a component's name."""
    names = [
        component.name
        for kind in registry.KINDS
        for component in registry.components(kind).values()
        if component.options
    ]
    assert len(names) == len(set(names))
    assert not set(names) & {"palette", "size", "scale"}
