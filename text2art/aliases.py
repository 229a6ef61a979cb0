"""Old names of settings, from pixray, clipit and VQGAN-CLIP, and what they are called here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

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
}

# What a boolean of the ancestors means when it is true.
SWITCHES: Mapping[str, Mapping[str, Any]] = {
    "use_pixeldraw": {"drawer": "pixel"},
    "use_clipdraw": {"drawer": "clipdraw"},
    "use_vqgandraw": {"drawer": "vqgan"},
}

# Component names of the ancestors.
DRAWERS: Mapping[str, str] = {
    "pixeldraw": "pixel",
    "fast_pixel": "pixel",
    "vqgandraw": "vqgan",
    "line_sketch": "line",
}

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


def modernize(values: Mapping[str, Any], clash: Callable[[str, str], Exception]) -> dict[str, Any]:
    """Return `values` under today's names.

    Args:
        values: settings by any accepted name.
        clash: makes the error when an old and a new name are both given.
    """
    result: dict[str, Any] = {}
    switched: dict[str, Any] = {}
    for name, value in values.items():
        key = name.replace("-", "_")
        if key in SWITCHES:
            if truth(value):
                switched.update(SWITCHES[key])
            continue
        key = RENAMED.get(key, key)
        if key in result:
            raise clash(name, key)
        result[key] = value
    for name, value in switched.items():
        result.setdefault(name, value)
    if isinstance(result.get("drawer"), str):
        result["drawer"] = DRAWERS.get(result["drawer"], result["drawer"])
    return result
