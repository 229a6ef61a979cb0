"""Old names of settings, from pixray, clipit and VQGAN-CLIP, and what they are called here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from text2art.errors import SettingsError

RENAMED: Mapping[str, str] = {
    "prompt": "prompts",
    "text": "prompts",
    "num_cuts": "cuts",
    "clip_models": "perceptor",
    "perceptors": "perceptor",
    "custom_loss": "losses",
    "learning_rate_drop": "learning_rate_drops",
    "init_weight_mse": "init_weight",
    "make_movie": "make_video",
    "save_video": "make_video",
    "steps": "iterations",
    "max_iterations": "iterations",
    "steps_per_scene": "iterations",
    "target_palette": "palette",
    "ezsize": "scale",
}

# What a boolean of the ancestors means when it is true.
SWITCHES: Mapping[str, Mapping[str, Any]] = {
    "use_pixeldraw": {"drawer": "pixel"},
    "use_clipdraw": {"drawer": "clipdraw"},
    "use_vqgandraw": {"drawer": "vqgan"},
}

# What the words of an old setting are under its new name.
WORDS: Mapping[str, Mapping[str, float]] = {"ezsize": {"small": 1, "medium": 2, "large": 4}}

# pixray's settings that count differently: the new name, and what their value is multiplied by.
SCALED: Mapping[str, tuple[str, float]] = {"init_weight_dist": ("init_weight", 0.5)}

# Component names of the ancestors.
DRAWERS: Mapping[str, str] = {
    "pixeldraw": "pixel",
    "fast_pixel": "pixel",
    "vqgandraw": "vqgan",
    "line_sketch": "line",
}

# pixray's `perceptors: clip` are the CLIP models that the quality names.
PERCEPTORS: Mapping[str, str] = {"clip": "preset"}

# Settings of the ancestors that are options of a component here.
NESTED: Mapping[str, tuple[str, str]] = {
    "vqgan_model": ("vqgan", "model"),
    "vqgan_checkpoint": ("vqgan", "model"),
    "vqgan_config": ("vqgan", "config"),
    "pixel_type": ("pixel", "cell"),
    "pixel_size": ("pixel", "cells"),
    "stroke_length": ("line", "segments"),
    "allow_paper_color": ("line", "learn_paper"),
}

# pixray's settings of all drawers of strokes: the option, and what its value is multiplied by
# (pixray's widths are diffvg's: half of what is painted).
STROKES: Mapping[str, tuple[str, float]] = {
    "strokes": ("strokes", 1),
    "min_stroke_width": ("min_width", 2),
    "max_stroke_width": ("max_width", 2),
}
STROKE_DRAWERS = ("clipdraw", "line")


def old_names(name: str) -> tuple[str, ...]:
    """Return the old names of a setting, or of a component's option ("vqgan.model")."""
    nested = {old: ".".join(new) for old, new in NESTED.items()}
    return tuple(old for old, new in {**RENAMED, **nested}.items() if new == name)


_TRUE = frozenset({"yes", "true", "t", "y", "1"})
_FALSE = frozenset({"no", "false", "f", "n", "0", ""})


def truth(value: object) -> bool:
    """Read the spellings of yes and no that pixray accepted."""
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"{value!r} is neither yes nor no")


def number(name: str, value: object) -> float | None:
    """Return the number that a word of an old setting stands for; none stays none.

    Raises:
        SettingsError: the setting has no such word.
    """
    word = "" if value is None else str(value).strip().lower()
    if word and word not in WORDS[name]:
        raise SettingsError(f"{name} {value!r} is not known: use {', '.join(WORDS[name])}")
    return WORDS[name][word] if word else None


def modernize(values: Mapping[str, Any], clash: Callable[[str, str], Exception]) -> dict[str, Any]:
    """Return `values` under today's names.

    Args:
        values: settings by any accepted name.
        clash: makes the error when an old and a new name are both given.
    """
    result: dict[str, Any] = {}
    given: dict[str, str] = {}  # by which name
    switched: dict[str, Any] = {}
    nested: list[tuple[str, str, str, Any]] = []
    for name, value in values.items():
        key = name.replace("-", "_")
        if key in SWITCHES:
            if truth(value):
                switched.update(SWITCHES[key])
            continue
        if key in WORDS:
            value = number(key, value)
        if key in SCALED:
            key, factor = SCALED[key]
            value = _multiplied(value, factor)
        if key in NESTED:
            nested.append((name, *NESTED[key], value))
            continue
        if key in STROKES:
            option, factor = STROKES[key]
            painted = _multiplied(value, factor)
            nested.extend((name, drawer, option, painted) for drawer in STROKE_DRAWERS)
            continue
        key = RENAMED.get(key, key)
        if key in result:
            raise clash(name, given[key])
        result[key], given[key] = value, name
    for name, component, option, value in nested:
        options = result.get(component, {})
        if isinstance(options, Mapping):  # anything else is refused where options are read
            if option in options:
                raise clash(name, f"{component}.{option}")
            result[component] = {**options, option: value}
    for name, value in switched.items():
        result.setdefault(name, value)
    if isinstance(result.get("drawer"), str):
        result["drawer"] = DRAWERS.get(result["drawer"], result["drawer"])
    if isinstance(result.get("perceptor"), str):
        result["perceptor"] = PERCEPTORS.get(result["perceptor"].strip(), result["perceptor"])
    return result


def _multiplied(value: Any, factor: float) -> Any:
    """Multiply what is a number; what is none is refused where options are read."""
    try:
        return value if factor == 1 else factor * float(value)
    except (TypeError, ValueError):
        return value
