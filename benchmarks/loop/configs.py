"""What is measured: settings by name, and what the ancestors would do in their place. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from text2art.settings import Settings

PROMPT = "a red apple on a blue background"
RANDOM_VQGAN = "random-f16-16384"  # of the size of taming's VQGAN of ImageNet: `networks.F16`
VIEWS = "views"  # no drawing: the looks alone
_B32, _B16 = "ViT-B-32-quickgelu@random", "ViT-B-16-quickgelu@random"
_RN50, _RN50X4 = "RN50-quickgelu@random", "RN50x4-quickgelu@random"
# "" = no VQGAN, so no arithmetic of the ancestors' is at hand: they draw with diffvg.
Recipe = Literal["", "vqgan-clip", "pixray"]


@dataclass(frozen=True)
class Config:
    """One measured drawing.

    Attributes:
        settings: beside prompt, seed and one start.
        full: whether its networks are of published sizes, so that a step takes seconds on a core.
        recipe: whose looks the ancestors' step takes, "" where there is no such step.
        passes: in how many parts the ancestor takes its looks, drawing anew for each.
        published: median seconds per step of the ancestor itself at these shapes on one core of an
            AMD EPYC (Zen 4), None where nobody measured it.
    """

    settings: Mapping[str, Any]
    full: bool = False
    recipe: Recipe = ""
    passes: int = 1
    published: float | None = None
    steps: int = field(default=250, kw_only=True)

    def made(self, **changes: Any) -> Settings:
        """Return the settings, with changes."""
        given = {"prompts": PROMPT, "seed": 1, "starts": 1, "iterations": self.steps}
        return Settings.of(**{**given, **self.settings, **changes})


def _vqgan(size: str, cuts: int, *perceptors: str) -> dict[str, Any]:
    return {
        "drawer": "vqgan",
        "vqgan": {"model": RANDOM_VQGAN},
        "size": size,
        "cuts": cuts,
        "perceptor": ",".join(perceptors),
    }


def _starter(drawer: str, quality: str = "normal", **more: Any) -> Config:
    return Config({"perceptor": "starter", "quality": quality, "drawer": drawer, **more})


CONFIGS: Mapping[str, Config] = {
    # What is drawn without fetching anything.
    "starter-draft-pyramid": _starter("pyramid", "draft"),
    "starter-normal-pyramid": _starter("pyramid"),
    "starter-pixel-48": _starter("pixel"),
    "starter-pixel-hex": _starter("pixel", pixel={"cell": "hex"}),
    "starter-pixel-palette": _starter("pixel", palette="PICO-8"),
    "starter-fft": _starter("fft"),
    "starter-normal-1024": _starter("pyramid", size="1024x1024"),
    "starter-vqgan": _starter("vqgan", vqgan={"sketch": 0}),  # its own steps, not those of a sketch
    "toy-normal-pyramid": Config(
        {"perceptor": "toy", "quality": "normal", "drawer": "pyramid"},
    ),
    "clip-b32-random-pyramid": Config(
        {"perceptor": _B32, "quality": "normal", "drawer": "pyramid", "cuts": 8}, full=True
    ),
    # What the ancestors draw, at their sizes (pixray's rows, rounded to the VQGAN's cells).
    "vqgan-256-b32-32": Config(
        _vqgan("256x256", 32, _B32), full=True, recipe="vqgan-clip", published=15.6
    ),
    "vqgan-256-b32-32-half": Config(
        {**_vqgan("256x256", 32, _B32), "token_drop": 0.5}, full=True
    ),
    "pixray-draft": Config(
        _vqgan("192x96", 24, _B16), full=True, recipe="pixray", published=39.2, steps=200
    ),
    "normal": Config(
        _vqgan("384x208", 30, _B32, _B16), full=True, recipe="pixray", published=77.1
    ),
    "better": Config(
        _vqgan("576x320", 36, _RN50, _B32, _B16), full=True, recipe="pixray", steps=300
    ),
    "best": Config(
        _vqgan("768x432", 24, _RN50X4, _B32, _B16),
        full=True, recipe="pixray", passes=2, steps=350,
    ),
    "pixel": Config(
        {
            "drawer": "pixel", "pixel": {"cells": "80x45"}, "size": "384x216", "cuts": 8,
            "perceptor": _B32,
        },
        full=True, published=3.97,
    ),
    "clipdraw-256": Config(
        {
            "drawer": "clipdraw", "clipdraw": {"strokes": 256, "parametrization": "original"},
            "size": "224x224", "cuts": 4, "perceptor": _B32,
        },
        full=True,
    ),
    "clipdraw-1024": Config(
        {
            "drawer": "clipdraw", "clipdraw": {"strokes": 1024}, "size": "384x216", "cuts": 8,
            "perceptor": _B32,
        },
        full=True, published=9.23,
    ),
}  # fmt: skip
GROUPS: Mapping[str, tuple[str, ...]] = {
    "all": (*CONFIGS, VIEWS),
    "starter": tuple(name for name, config in CONFIGS.items() if not config.full),
    "full": tuple(name for name, config in CONFIGS.items() if config.full),
}


def chosen(words: Iterable[str]) -> list[str]:
    """Return the names that names and groups stand for, each once, in the order of the table."""
    wanted = {name for word in words for name in GROUPS.get(word, (word,))}
    return [name for name in GROUPS["all"] if name in wanted]
