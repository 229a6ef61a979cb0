"""Styles: a sound catalog, how settings name them, what they do to prompts, how they are listed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import text2art
from scripts import styles_table
from scripts.marked import markers
from tests.cli_tools import TINY, Cli
from text2art.errors import SettingsError, WeightsCorrupt
from text2art.media.png import read_record
from text2art.prompts import Prompt, parse_prompts
from text2art.settings import Settings
from text2art.styles import catalog
from text2art.styles.catalog import CATEGORIES, find, styles
from text2art.styles.chosen import MOST, Chosen, behind, parse_styles, styled
from text2art.weights.words import starter_words

NAMES = list(styles())
SEEDS_NAMES = {"thomas-kinkade", "james-gurney"}  # of the article that the site began with


# ---- the catalog ---------------------------------------------------------------------------------


def test_the_catalog_is_large_and_every_category_has_some() -> None:
    assert len(NAMES) >= 120
    for category in CATEGORIES:
        assert sum(style.category == category for style in styles().values()) >= 8, category


@pytest.mark.parametrize("name", NAMES)
def test_every_style_is_sound(name: str) -> None:
    style = styles()[name]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert 2 <= len(style.words) <= 60
    # Separators of the prompt grammar would tear a prompt apart.
    assert not set(style.words) & set("|:@\\{}[]^_\n%")
    assert style.title.strip() == style.title != ""
    Settings.of(prompts="a cat", **style.recommended)


def test_no_two_styles_are_told_apart_by_spelling_alone() -> None:
    keys = [catalog._key(name) for name in NAMES]
    assert len(set(keys)) == len(keys)
    words = [style.words for style in styles().values()]
    assert len(set(words)) == len(words)


def test_artists_are_in_the_public_domain_but_for_the_articles_two() -> None:
    artists = [style for style in styles().values() if style.category == "artist"]
    undated = {style.name for style in artists if style.died is None}
    assert undated == SEEDS_NAMES
    assert all(style.died < 1955 for style in artists if style.died is not None)
    assert all(style.died is None for style in styles().values() if style.category != "artist")


def test_the_modifiers_of_the_articles_and_the_site_are_there() -> None:
    for name in (
        "unreal engine", "deviantart", "artstation", "flickr", "pencil sketch", "low poly",
        "Thomas Kinkade", "James Gurney", "#pixelart", "Trending", "Painting", "Art",
        "2D Game Art", "8K HD", "Matte drawing", "Charcoal drawing",
    ):  # fmt: skip
        assert find(name).words


def test_names_are_found_whatever_their_spelling() -> None:
    for spelling in ("low-poly", "Low Poly", "lowpoly", "LOW_POLY", " #lowpoly "):
        assert find(spelling).name == "low-poly"
    assert find("Dürer").name == find("durer").name == find("Albrecht Durer").name == "durer"


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("pixlart", "pixelart"), ("unreal", "unreal-engine"), ("watercolour", "watercolor")],
)  # fmt: skip
def test_unknown_names_get_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(SettingsError, match=f"unknown style '{wrong}'. Did you mean '{near}'"):
        Settings.of(prompts="a cat", styles=wrong)


def test_an_odd_name_is_told_briefly() -> None:
    with pytest.raises(SettingsError) as raised:
        find("x" * 5000)
    assert len(str(raised.value)) < 200


# ---- what the starter knows ----------------------------------------------------------------------


def test_what_the_starter_knows_is_read_from_its_files() -> None:
    words = starter_words()
    known = {style.name for style in styles().values() if style.is_known(words)}
    # What it was trained on: training/world.py.
    assert {
        "pixelart", "watercolor", "pencil-sketch", "neon", "oil", "black-and-white", "low-poly",
        "vintage", "sepia", "blurry",
    } <= known  # fmt: skip
    assert not {"artstation", "unreal-engine", "van-gogh", "steampunk"} & known


def test_known_styles_raise_no_notice_and_unknown_ones_do(toy: Callable[..., Any]) -> None:
    def notices(style: str) -> str:
        settings = toy(perceptor="starter", styles=style, iterations=1)
        return " ".join(text2art.draw(settings.pop("prompts"), **settings).notices)

    assert "does not know" not in notices("neon")
    assert "does not know 'steampunk'" in notices("steampunk")


def test_damaged_words_are_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsCorrupt, match="holds no words"):
        starter_words(tmp_path)
    (tmp_path / "perceptor.json").write_text("[1]")
    with pytest.raises(WeightsCorrupt, match="holds no words"):
        starter_words(tmp_path)


# ---- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        "pixelart, Low Poly:0.5",
        "pixelart | low-poly:0.5",
        ["pixelart", "low poly:.5"],
        ("#pixelart,low-poly:5e-1",),
    ],
)
def test_styles_are_read_from_text_and_lists(given: Any) -> None:
    assert Settings.of(prompts="a cat", styles=given).styles == ("pixelart", "low-poly:0.5")


def test_weights_by_name_and_none_at_all() -> None:
    assert Settings.of(prompts="a cat", styles={"neon": -1}).styles == ("neon:-1",)
    nothing: list[Any] = ["", None, [], " , "]
    for none in nothing:
        assert Settings.of(prompts="a cat", styles=none).styles == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("neon:x", "no number"),
        ("neon:0", "no number"),
        ("neon:nan", "no number"),
        ("neon:1e9", "no number"),
        ("neon,Neon", "given twice"),
        (7, "must be names"),
        ([7], "must be names"),
        (",".join(NAMES[: MOST + 1]), "at most 16"),
    ],
)
def test_wrong_styles(given: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings.of(prompts="a cat", styles=given)


CHOICES = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.none() | st.sampled_from([-100.0, -1.0, -0.25, 1e-3, 0.5, 1.0, 1.25, 100.0]),
    ),
    max_size=8,
    unique_by=lambda choice: choice[0],
)  # fmt: skip


@given(CHOICES)
def test_what_settings_hold_reads_back(pairs: list[tuple[str, float | None]]) -> None:
    chosen = tuple(Chosen(styles()[name], weight) for name, weight in pairs)
    written = [str(choice) for choice in chosen]
    assert parse_styles(written) == parse_styles(",".join(written)) == chosen


# ---- what they do --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words", "whole"),
    [
        ("a cat", "low poly", "a cat, low poly"),
        ("a cat.", "low poly", "a cat, low poly"),
        ("a cat", "#pixelart", "a cat #pixelart"),
    ],
)
def test_words_follow_the_prompt(text: str, words: str, whole: str) -> None:
    assert behind(text, words) == whole


def test_styles_follow_what_pulls_and_weighted_ones_are_prompts() -> None:
    prompts = parse_prompts("a cat:2:0.5 | a dog:-1 | @me.png")
    got = styled(prompts, parse_styles("low poly, pixelart, neon:0.5"))
    assert got == (
        Prompt("a cat, low poly #pixelart", 2, 0.5),
        Prompt("a dog", -1),
        Prompt("me.png", is_image=True),
        Prompt("neon lights", 0.5),
    )


def test_without_words_to_follow_styles_change_nothing() -> None:
    prompts = parse_prompts("@me.png | a dog:-1")
    assert styled(prompts, parse_styles("low poly, neon:0.5")) == prompts


@given(CHOICES, st.lists(st.sampled_from(["a cat", "a dog:-0.5", "two: cats:3:1"]), min_size=1))
def test_prompts_stay_in_order_with_their_weights(
    pairs: list[tuple[str, float | None]], texts: list[str]
) -> None:
    chosen = [Chosen(styles()[name], weight) for name, weight in pairs]
    prompts = parse_prompts(texts[:10])
    got = styled(prompts, chosen)
    for before, after in zip(prompts, got, strict=False):
        assert after.text.startswith(before.text)
        assert (after.weight, after.stop) == (before.weight, before.stop)


def test_a_style_draws_as_the_prompt_written_out(toy: Callable[..., Any]) -> None:
    def drawn(prompt: str, **more: Any) -> Any:
        return text2art.draw(prompt, **{k: v for k, v in toy(**more).items() if k != "prompts"})

    by_style = drawn("a cat", styles="neon")
    assert by_style.image.tobytes() == drawn("a cat, neon lights").image.tobytes()
    assert by_style.image.tobytes() != drawn("a cat").image.tobytes()
    assert by_style.settings.prompts == ("a cat",)
    weighted = drawn("a cat", styles="neon:0.5")
    assert weighted.image.tobytes() == drawn("a cat | neon lights:0.5").image.tobytes()


def test_styles_and_their_words_are_recorded(cli: Cli) -> None:
    assert (
        cli("draw", "a cat", *TINY, "--styles", "neon,low-poly:0.5", "-q", "-o", "a.png").code == 0
    )
    record = read_record(Path("a.png"))
    assert record["settings"]["styles"] == ["neon", "low-poly:0.5"]
    assert record["styles"] == {"neon": "neon lights", "low-poly": "low poly"}
    assert cli("again", "a.png", "-q", "-o", "b.png").code == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert cli("draw", "a cat", *TINY, "-q", "-o", "c.png").code == 0
    assert "styles" not in read_record(Path("c.png"))


# ---- the commands --------------------------------------------------------------------------------


def test_the_list_is_by_category_and_can_be_searched(cli: Cli) -> None:
    everything = cli("styles").out.splitlines()
    assert [line for line in everything if not line.startswith(" ")] == list(CATEGORIES.values())
    assert len(everything) == len(NAMES) + len(CATEGORIES)
    found = cli("styles", "--search", "poster art").out
    assert "art-deco" in found
    assert "watercolor" not in found
    assert "* neon" in cli("styles", "-c", "lighting").out
    assert "  foggy" in cli("styles", "-c", "lighting").out
    known = cli("styles", "--known").out
    assert "pixelart" in known
    assert "artstation" not in known


def test_the_list_as_json(cli: Cli) -> None:
    entries = json.loads(cli("styles", "--json").out)
    assert [entry["name"] for entry in entries] == NAMES
    pixelart = entries[0]
    assert pixelart == {
        "name": "pixelart", "title": "pixel art", "category": "medium", "words": "#pixelart",
        "died": None, "recommended": {"drawer": "pixel"}, "starter": True,
    }  # fmt: skip


def test_searches_that_find_nothing_and_unknown_categories(cli: Cli) -> None:
    answer = cli("styles", "--search", "zzz")
    assert (answer.code, answer.out) == (1, "")
    assert "no style holds 'zzz'" in answer.err
    assert "Did you mean 'lighting'" in cli("styles", "-c", "lightning").err


def test_a_preview_has_a_picture_for_each_style_and_one_without(cli: Cli) -> None:
    answer = cli(
        "styles", "preview", "a cat", "--styles", "neon,artstation", *TINY, "--seed=3", "--json",
        "--side=32", "--out", "p.png", "--cells", "cells",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    *cells, done = answer.events
    assert [cell["label"] for cell in cells] == ["no style", "neon", "artstation"]
    assert {cell["seed"] for cell in cells} == {3}
    assert done["path"] == "p.png"
    with Image.open("p.png") as sheet:
        assert sheet.width == 2 * 40 + 8
    files = sorted(Path("cells").glob("*.png"))
    assert [read_record(file)["settings"].get("styles") for file in files] == [
        ["artstation"], ["neon"], None,
    ]  # fmt: skip
    again = cli(
        "styles", "preview", "a cat", "styles=neon", *TINY, "--seed=3", "--json", "--cells", "cells"
    )
    assert [cell["reused"] for cell in again.events[:-1]] == [True, True]


def test_a_preview_without_styles_shows_what_the_starter_knows(cli: Cli) -> None:
    tiny = [word for word in TINY if "iterations" not in word]
    answer = cli("styles", "preview", "a cat", *tiny, "--iterations=1", "--json", "--out", "p.png")
    assert answer.code == 0, answer.err
    words = starter_words()
    known = [style.name for style in styles().values() if style.is_known(words)]
    assert [cell["label"] for cell in answer.events[:-1]] == ["no style", *known]


def test_too_many_previews_are_refused_before_any_work(cli: Cli) -> None:
    answer = cli("styles", "preview", "a cat", "--styles", "neon,oil", "--most", "2")
    assert answer.code == 1
    assert "more than 2 pictures" in answer.err


# ---- the document --------------------------------------------------------------------------------


def test_the_document_lists_every_style_once() -> None:
    text = styles_table.tables()
    for name in NAMES:
        assert text.count(f"| `{name}` |") == 1
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.count("|") == 6, line


def test_the_document_needs_its_markers() -> None:
    with pytest.raises(ValueError, match="marker"):
        styles_table.replace_table("nothing\n")
    begin, end = markers("styles")
    page = f"Mine.\n{begin}\nwhat was there\n{end}\nMine too.\n"
    fresh = styles_table.replace_table(page)
    assert fresh.startswith("Mine.\n")
    assert fresh.endswith("Mine too.\n")
    assert "what was there" not in fresh
    assert styles_table.replace_table(fresh) == fresh
