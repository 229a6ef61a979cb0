"""Settings: names old and new, limits, readable errors, and the rows that faces are made from."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from text2art import explain, fields, registry
from text2art.errors import PromptError, SettingsError, UnknownComponent
from text2art.presets import PRESETS
from text2art.settings import MAX_SEED, Settings


def test_the_floor_does_not_import_torch() -> None:
    code = (
        "import sys, text2art.fields, text2art.settings, text2art.palettes, text2art.prompts; "
        "print(sorted({'torch', 'numpy', 'open_clip'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("values", "name", "expected"),
    [
        ({"use_pixeldraw": True}, "drawer", "pixel"),
        ({"use_pixeldraw": "yes"}, "drawer", "pixel"),
        ({"use_pixeldraw": "no"}, "drawer", "pyramid"),
        ({"num_cuts": 12}, "cuts", 12),
        ({"num-cuts": 12}, "cuts", 12),
        ({"clip_models": "ViT-B/32,ViT-B/16"}, "perceptor", "ViT-B/32,ViT-B/16"),
        ({"perceptors": "clip"}, "perceptor", "preset"),
        ({"ezsize": "small"}, "scale", 1.0),
        ({"ezsize": "Medium"}, "scale", 2.0),
        ({"ezsize": " LARGE "}, "scale", 4.0),
        ({"ezsize": None}, "scale", None),
        ({"ezsize": ""}, "scale", None),
        ({"size": "800x200"}, "size", (800, 200)),
        ({"size": [800, 200]}, "size", (800, 200)),
        ({"size": "800,200"}, "size", (800, 200)),
        ({"size": 256}, "size", (256, 256)),
        ({"seed": "7"}, "seed", 7),
        ({"seed": 7.0}, "seed", 7),
        ({"seed": "a word"}, "seed", "a word"),
        ({"iterations": 50.0}, "iterations", 50),
        ({"losses": "smoothness:2,symmetry"}, "losses", {"smoothness": 2.0, "symmetry": 1.0}),
        ({"losses": ""}, "losses", {}),
        ({"learning_rate_drops": "50%,75"}, "learning_rate_drops", (50.0, 75.0)),
        ({"learning_rate_drops": ""}, "learning_rate_drops", ()),
        ({"prompts": ["a", "b"]}, "prompts", ("a", "b")),
    ],
)
def test_reads_every_spelling(values: dict[str, object], name: str, expected: object) -> None:
    assert getattr(Settings.of(**values), name) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"drawr": "pixel"}, "unknown setting 'drawr'. Did you mean 'drawer'?"),
        ({"pixel": {"cels": 3}}, "unknown setting 'pixel.cels'. Did you mean 'cells'?"),
        ({"drawer": "pixl"}, "Did you mean 'pixel'?"),
        ({"losses": "smothness"}, "Did you mean 'smoothness'?"),
        ({"losses": "smoothness:much"}, "weight 'much' of 'smoothness' is not a number"),
        ({"cutouts": "dango"}, "There are: pixray, views"),
        ({"size": "1x1"}, "each side must be 16 to 8192"),
        ({"size": "8000x8000"}, "64000000 pixels"),
        ({"size": "big"}, "write WIDTHxHEIGHT"),
        ({"size": [1.5, 2]}, "write WIDTHxHEIGHT"),
        ({"size": True}, "write WIDTHxHEIGHT"),
        ({"aspect": "1:99"}, "too narrow"),
        ({"aspect": "wide"}, "not known"),
        ({"iterations": 0}, "iterations"),
        ({"iterations": 1.5}, "iterations"),
        ({"iterations": 10**9}, "iterations"),
        ({"quality": "ultra"}, "or 'clipit-best', given 'ultra'"),
        ({"seed": -1}, "out of range"),
        ({"seed": MAX_SEED + 1}, "out of range"),
        ({"seed": True}, "not true or false"),
        ({"scale": float("nan")}, "scale"),
        ({"learning_rate_drops": "150"}, "percents from 0 to 100"),
        ({"prompts": 5}, "prompts must be text"),
        ({"num_cuts": 3, "cuts": 4}, "'cuts' and 'num_cuts' are the same setting"),
        ({"scale": 3, "ezsize": "small"}, "'ezsize' and 'scale' are the same setting"),
        ({"ezsize": "small", "scale": 3}, "'scale' and 'ezsize' are the same setting"),
        ({"ezsize": "huge"}, "ezsize 'huge' is not known: use small, medium, large"),
        ({"ezsize": 2}, "ezsize 2 is not known"),
        ({"use_pixeldraw": "perhaps"}, "neither yes nor no"),
        ({"iterations": 0, "quality": "ultra"}, "; "),
    ],
)
def test_says_what_is_wrong_in_one_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.of(**values)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_near_names_are_looked_for_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking among hundreds of names takes milliseconds, and a request has room for hundreds."""
    looked: list[str] = []

    def noted(given: str, known: object) -> str:
        looked.append(given)
        return " Did you mean 'x'?"

    monkeypatch.setattr(explain, "did_you_mean", noted)
    with pytest.raises(SettingsError) as caught:
        Settings.of(**{f"unknown{n}": 1 for n in range(40)}, pixel={"cels": 1})
    assert len(looked) == 5
    told = str(caught.value)
    assert told.count("Did you mean") == 5
    assert all(f"unknown setting 'unknown{n}'." in told for n in range(40))


def test_a_mistyped_name_among_few_is_told() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.of(iteratons=1, pixel={"cels": 1})
    assert "'iteratons'. Did you mean 'iterations'?" in str(caught.value)
    assert "'pixel.cels'. Did you mean 'cells'?" in str(caught.value)


def test_errors_keep_their_kind() -> None:
    with pytest.raises(UnknownComponent):
        Settings.of(drawer="pixl")
    with pytest.raises(PromptError):
        Settings.of(prompts="a || b")


def test_settings_are_frozen_and_comparable() -> None:
    settings = Settings.of(prompts="a", drawer="pixel", pixel={"cells": "8x8"})
    with pytest.raises(ValidationError):
        settings.drawer = "fft"  # type: ignore[misc]
    assert settings == Settings.of(prompts=["a"], drawer="pixel", pixel={"cells": [8, 8]})
    assert settings.options("pixel").cells == (8, 8)
    assert settings.options("saturation") is None


def test_given_holds_only_what_differs_and_reads_back() -> None:
    settings = Settings.of(prompts="a | b:-1", size="64x32", losses="", fft={"decay": 1})
    given_ = settings.given()
    assert set(given_) == {"prompts", "size", "losses", "fft"}
    assert Settings.of(**json.loads(settings.to_json())) == settings
    assert settings.changed(seed=3).seed == 3
    assert settings.changed(seed=3).size == (64, 32)


def test_old_switch_does_not_override_a_named_drawer() -> None:
    assert Settings.of(drawer="fft", use_pixeldraw=True).drawer == "fft"


# Sizes of square, portrait and widescreen: pixray's base sizes (144x144, 128x160, 192x108)
# times 1 to 5, and clipit's (150x150, 128x160, 160x90) times 1 to 4.
SIZES = {
    "draft": ((144, 144), (128, 160), (192, 108)),
    "normal": ((288, 288), (256, 320), (384, 216)),
    "better": ((432, 432), (384, 480), (576, 324)),
    "best": ((576, 576), (512, 640), (768, 432)),
    "supreme": ((720, 720), (640, 800), (960, 540)),
    "clipit-draft": ((150, 150), (128, 160), (160, 90)),
    "clipit-normal": ((300, 300), (256, 320), (320, 180)),
    "clipit-better": ((450, 450), (384, 480), (480, 270)),
    "clipit-best": ((600, 600), (512, 640), (640, 360)),
}


@pytest.mark.parametrize("quality", PRESETS)
def test_sizes_follow_aspect_and_quality(quality: str) -> None:
    for aspect, expected in zip(("square", "portrait", "widescreen"), SIZES[quality], strict=True):
        assert Settings.of(aspect=aspect, quality=quality).canvas_size() == expected
    square = SIZES[quality][0][0]
    for aspect, expected in (
        ("1:1", (square, square)),
        ("4:1", (2 * square, square // 2)),
        ("1:4", (square // 2, 2 * square)),
    ):
        assert Settings.of(aspect=aspect, quality=quality).canvas_size() == expected
    retained = Settings.of(aspect="retain", quality=quality).canvas_size((400, 200))
    assert retained == (square, square // 2)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"scale": 2.5, "aspect": "widescreen"}, (480, 270)),
        ({"scale": 2.5, "quality": "supreme"}, (360, 360)),
        ({"scale": 2.5, "aspect": "widescreen", "quality": "clipit-draft"}, (400, 225)),
        ({"ezsize": "small", "aspect": "widescreen"}, (192, 108)),
        ({"ezsize": "medium", "aspect": "portrait"}, (256, 320)),
        ({"ezsize": "large", "quality": "draft"}, (576, 576)),
        ({"size": (800, 200), "aspect": "portrait", "scale": 3}, (800, 200)),
        ({"aspect": "16:9", "quality": "draft"}, (192, 108)),  # as pixray's widescreen
    ],
)
def test_scale_beats_quality_and_size_beats_all(
    values: dict[str, object], expected: tuple[int, int]
) -> None:
    assert Settings.of(**values).canvas_size() == expected


def test_retain_takes_the_init_images_aspect() -> None:
    settings = Settings.of(aspect="retain", scale=2)
    assert settings.canvas_size((400, 200)) == (288, 144)
    with pytest.raises(SettingsError, match="needs an init_image"):
        settings.canvas_size()


def test_explicit_values_beat_the_preset() -> None:
    settings = Settings.of(quality="draft")
    assert (settings.steps, settings.cuts_for(224)) == (200, PRESETS["draft"].cuts)
    assert settings.cuts_for(64) == PRESETS["draft"].small_cuts < PRESETS["draft"].cuts
    settings = settings.changed(iterations=7, cuts=3)
    assert (settings.steps, settings.cuts_for(224), settings.cuts_for(64)) == (7, 3, 3)


def test_every_setting_has_a_row_with_help_and_a_group() -> None:
    rows = fields.rows()
    names = [row.name for row in rows]
    assert len(names) == len(set(names))
    assert {"prompts", "drawer", "pixel.cells", "views.zoom_start"} <= set(names)
    assert all(row.help and row.group for row in rows)
    by_name = {row.name: row for row in rows}
    assert set(by_name["drawer"].choices) == set(registry.components("drawers"))
    assert by_name["iterations"].minimum == 1
    assert by_name["pixel.cells"].kind == "size"
    assert by_name["iterations"].bounds == "1 to 10000"
    assert by_name["scale"].bounds == "above 0 to 20"
    assert by_name["patience"].bounds == "2 or more"
    assert by_name["aspect"].bounds == ""
    assert "num_cuts" in by_name["cuts"].aliases


def test_defaults_written_as_text_read_back_as_defaults() -> None:
    for row in fields.rows():
        if row.default is None or row.name == "prompts":
            continue
        nested: dict[str, object] = {}
        *path, last = row.name.split(".")
        inner = nested
        for part in path:
            inner = inner.setdefault(part, {})  # type: ignore[assignment]
        inner[last] = fields.as_text(row.default)
        assert Settings.of(**nested) == Settings.of(), row.name


@given(st.dictionaries(st.text(max_size=12), st.integers() | st.text(max_size=12), max_size=3))
def test_any_mapping_is_read_or_refused_clearly(values: dict[str, object]) -> None:
    with contextlib.suppress(SettingsError):
        Settings.of(**values)
