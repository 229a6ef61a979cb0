"""Settings from files and words: layers, surprises of YAML, and back into a file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from text2art import fields
from text2art.configfile import (
    dump_settings,
    merge,
    nested,
    parse_override,
    parse_settings,
    read_settings,
)
from text2art.errors import InputFileError, SettingsError
from text2art.media.png import save_picture
from text2art.settings import Settings

# ---- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "drawer: pixel\nseed: 7\npixel:\n  cells: 8x8\n"),
        ("a.yml", "{drawer: pixel, seed: 7, pixel: {cells: 8x8}}"),
        ("a.yaml", "\ufeffdrawer: pixel\r\nseed: 7\r\npixel: {cells: 8x8}"),
        ("a.json", '{"drawer": "pixel", "seed": 7, "pixel": {"cells": "8x8"}}'),
        ("a.JSON", '{\n\t"drawer": "pixel",\n\t"seed": 7,\n\t"pixel": {"cells": "8x8"}}'),
    ],
)
def test_formats_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    assert read_settings(tmp_path / name) == {
        "drawer": "pixel",
        "seed": 7,
        "pixel": {"cells": "8x8"},
    }


@pytest.mark.parametrize("ending", ["png", "webp", "jpg"])
def test_settings_come_out_of_a_picture(tmp_path: Path, ending: str) -> None:
    settings = {"prompts": ["a"], "seed": 3}
    record = {"version": "1", "settings": settings, "seed": 3, "perceptors": []}
    path = save_picture(Image.new("RGB", (8, 8)), tmp_path / f"a.{ending}", record)
    assert read_settings(path) == settings


def test_a_whole_record_may_be_given_as_text() -> None:
    record = {"version": "1", "settings": {"seed": 3}, "seed": 3, "perceptors": []}
    assert parse_settings(json.dumps(record)) == {"seed": 3}


def test_empty_means_no_settings() -> None:
    assert parse_settings("") == parse_settings("# nothing\n") == parse_settings("{}") == {}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("aspect: 16:9", "16:9"),  # YAML 1.1: the number 969
        ("seed: no", "no"),  # YAML 1.1: false
        ("seed: on", "on"),
        ("seed: 2024-01-01", "2024-01-01"),  # YAML 1.1: a date
        ("seed: 010", 10),  # YAML 1.1: eight
        ("seed: 0x10", "0x10"),
        ("seed: 1_000", "1_000"),
        ("scale: 1e-3", 0.001),  # YAML 1.1: text
        ("scale: .5", 0.5),
        ("auto_stop: true", True),
        ("init_image: ~", None),
        ("prompts: =", "="),
        ("prompts: <<", "<<"),
        ("prompts: '${oc.env:HOME}'", "${oc.env:HOME}"),
        ("prompts: a ${ b", "a ${ b"),
        ('prompts: "\\U0001F34E"', "🍎"),
    ],
)
def test_scalars_mean_what_they_look_like(line: str, value: Any) -> None:
    (read,) = parse_settings(line).values()
    assert read == value
    assert type(read) is type(value)


BOMB = "a: &a [x,x,x]\n" + "\n".join(
    f"{new}: &{new} [*{old},*{old},*{old}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "anchors"),
        ("a: &x 1", "anchors"),
        ("a: *x", "anchors"),
        ("a: !!python/object/apply:os.system [ls]", "tags"),
        ("a: !!str 1", "tags"),
        ("a: !include b", "tags"),
        ("seed: 1\nseed: 2", r"'seed' is given twice \(line 2, column 1\)"),
        ('{"seed": 1, "seed": 2}', "'seed' is given twice"),
        ("- a\n- b", "names and values"),
        ("just words", "names and values"),
        ("7", "names and values"),
        ("a: [", r"expected the node content.* \(line 1, column 5\)"),
        ("a: b: c", "mapping values"),
        ("\tseed: 1", "cannot start any token"),
        ("a: \x00", "not allowed"),
        ("[" * 5000, "nested too deeply"),
        ('{"a":' * 5000, "nested too deeply"),
        ("seed: " + "9" * 5000, "digits"),
        ("? [a, b]\n: c", "unhashable key"),
        ("seed: 1\n---\nseed: 2", "another document"),
        ("a" * 2_000_000, "longer than 1 MB"),
    ],
)
def test_surprises_are_one_clear_line(text: str, says: str) -> None:
    with pytest.raises(InputFileError, match="here: .*" + says) as caught:
        parse_settings(text, "here")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@given(st.text(max_size=200))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    try:
        values = parse_settings(text)
    except InputFileError:
        return
    assert isinstance(values, dict)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="there is no settings file"):
        read_settings(tmp_path / "a.yaml")
    with pytest.raises(InputFileError, match=r"ending must be one of \.yaml"):
        read_settings(tmp_path / "a.txt")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputFileError, match="not UTF-8"):
        read_settings(tmp_path / "b.yaml")
    (tmp_path / "c.yaml").mkdir()
    with pytest.raises(InputFileError, match="cannot be read"):
        read_settings(tmp_path / "c.yaml")
    (tmp_path / "d.yaml").write_bytes(b" " * (2**20 + 1))
    with pytest.raises(InputFileError, match="longer than 1 MB"):
        read_settings(tmp_path / "d.yaml")


def test_unknown_names_are_suggested_by_settings() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'iterations'"):
        Settings.of(**merge(parse_settings("iteratons: 3")))


# ---- words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("drawer=pixel", {"drawer": "pixel"}),
        ("pixel.cells=48x48", {"pixel": {"cells": "48x48"}}),
        ("learning-rate=2", {"learning_rate": "2"}),
        ("num_cuts=8", {"num_cuts": "8"}),
        ("use_pixeldraw=yes", {"use_pixeldraw": "yes"}),
        ("palette=#fff,#000", {"palette": "#fff,#000"}),
        ("init_image=", {"init_image": ""}),
        ("prompts=a=b", {"prompts": "a=b"}),
        ("pixel.cels=4x4", {"pixel": {"cels": "4x4"}}),  # for Settings to complain of
        ("draver=pixel", {"draver": "pixel"}),
    ],
)
def test_overrides(word: str, value: dict[str, Any]) -> None:
    assert parse_override(word) == value


@pytest.mark.parametrize(
    "word",
    ["a red apple", "E=mc2", "x=y", "a=b", "the size=large apple", "=", "seed", "", "Star=Wars"],
)
def test_other_words_are_prompts(word: str) -> None:
    assert parse_override(word) is None


def test_every_setting_can_be_overridden() -> None:
    for row in fields.rows():
        assert parse_override(f"{row.name}=x") == nested(row.name, "x")


# ---- layers ----------------------------------------------------------------------------------


def test_later_layers_win_and_options_are_merged_one_by_one() -> None:
    merged = merge(
        {"seed": 1, "quality": "best", "pixel": {"cells": "8x8", "cell": "hex"}},
        {"seed": 2},
        {"pixel": {"cells": "9x9"}},
    )
    assert merged == {"seed": 2, "quality": "best", "pixel": {"cells": "9x9", "cell": "hex"}}


def test_other_mappings_are_replaced() -> None:
    layers = [{"losses": {"smoothness": 1.0}}, {"losses": {"symmetry": 2.0}}]
    assert merge(*layers) == {"losses": {"symmetry": 2.0}}
    assert Settings.of(**merge(*layers, {"losses": ""})).losses == {}


def test_old_names_are_the_same_setting_across_layers_but_clash_within_one() -> None:
    assert merge({"num_cuts": 3}, {"cuts": 4}) == {"cuts": 4}
    assert merge({"cuts": 3}, {"num-cuts": 4}) == {"cuts": 4}
    assert merge({"use_pixeldraw": True}, {"drawer": "fft"}) == {"drawer": "fft"}
    with pytest.raises(SettingsError, match="same setting"):
        merge({"num_cuts": 3, "cuts": 4})


def test_dotted_names_are_nested() -> None:
    assert merge({"pixel.cells": "8x8", "pixel.cell": "hex"}) == {
        "pixel": {"cells": "8x8", "cell": "hex"}
    }
    assert merge({"pixel": {"cell": "hex"}, "pixel.cells": "8x8"}) == {
        "pixel": {"cell": "hex", "cells": "8x8"}
    }


def test_empty_text_unsets_what_has_no_default_of_its_own() -> None:
    settings = Settings.of(
        **merge({"size": "64x64", "iterations": 3}, {"size": "", "iterations": ""})
    )
    assert settings.size is None
    assert settings.iterations is None


def test_layers_are_left_as_they_were() -> None:
    first = {"pixel": {"cells": "8x8"}}
    merge(first, {"pixel": {"cell": "hex"}})
    assert first == {"pixel": {"cells": "8x8"}}


# ---- back into a file ------------------------------------------------------------------------


def _is_prompt(text: str) -> bool:
    return _accepted(prompts=text)  # which knows the wildcards that there are


def _is_seed(text: str) -> bool:
    return _accepted(prompts="a", seed=text)  # digits alone are a number, which may be too large


def _accepted(**values: Any) -> bool:
    try:
        Settings.of(**values)
    except SettingsError:
        return False
    return True


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TRICKY = st.sampled_from(
    ["no", "1e3", "16:9", "0x10", "~", "null", "true", "${a}", "&a", "*a", "!!x", "- a", "a: b",
     "#", "010", "'", '"', "2024-01-01", ".5", "=", "<<", "1_000", "%", "@x", "`", "a\u2028b",
     "\x85"]
)  # fmt: skip
SETTINGS = st.fixed_dictionaries(
    {"prompts": st.lists(st.one_of(TEXT, TRICKY).filter(_is_prompt), min_size=1, max_size=3)},
    optional={
        "drawer": st.sampled_from(["pixel", "pyramid", "fft"]),
        "quality": st.sampled_from(["draft", "best"]),
        "aspect": st.sampled_from(["16:9", "portrait", "2.5:1"]),
        "size": st.tuples(st.integers(16, 512), st.integers(16, 512)),
        "seed": st.one_of(st.integers(0, 2**31 - 1), st.one_of(TEXT, TRICKY).filter(_is_seed)),
        "scale": st.floats(0.001, 20, exclude_min=True),
        "init_image": st.one_of(TEXT, TRICKY),
        "losses": st.dictionaries(
            st.sampled_from(["smoothness", "symmetry", "saturation"]), st.floats(-10, 10)
        ),
        "learning_rate_drops": st.lists(st.floats(0, 100), max_size=3),
        "auto_stop": st.booleans(),
        "stop_score": st.one_of(st.none(), st.floats(-1, 1)),
        "pixel": st.fixed_dictionaries({"cell": st.sampled_from(["rect", "hex"])}),
    },
)


@given(SETTINGS)
def test_dumped_settings_read_back_equal(values: dict[str, Any]) -> None:
    settings = Settings.of(**values)
    text = dump_settings(settings)
    assert Settings.of(**merge(parse_settings(text))) == settings
    assert Settings.of(**merge(parse_settings(settings.to_json()))) == settings


@given(SETTINGS)
def test_dumped_settings_are_safe_for_other_readers(values: dict[str, Any]) -> None:
    """PyYAML's own loader, of YAML 1.1, reads the same texts as texts."""
    settings = Settings.of(**values)
    read = yaml.safe_load(dump_settings(settings))
    assert read["prompts"] == list(settings.prompts)
    if isinstance(settings.seed, str):
        assert read["seed"] == settings.seed


def test_reading_settings_needs_no_torch() -> None:
    code = "import sys, text2art.configfile; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
