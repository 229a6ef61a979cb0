"""Loaded models, kept by whoever draws: loading once serves any number of sessions."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from text2art import registry
from text2art.core import Perceptor
from text2art.errors import SettingsError
from text2art.perceptors.ensemble import Ensemble
from text2art.presets import PRESETS, Preset
from text2art.runtime import Runtime
from text2art.weights import catalog

AUTO = "auto"
STARTER = "starter"
_CLIP = "open_clip"


class Models:
    """A cache of frozen perceptors on one runtime. Safe to share between sessions and threads."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._perceptors: dict[str, Perceptor] = {}
        self._lock = threading.Lock()

    def perceptor(self, reference: str) -> Perceptor:
        """Return a perceptor by reference, loading it at first use.

        Args:
            reference: "starter", "toy", a model of open_clip ("ViT-B-32", "ViT-B/32",
                "ViT-B-32@FILE", also behind "open_clip/"), or a plug-in's "NAME" or "NAME/MODEL".

        Raises:
            UnknownComponent: nothing goes by this name.
            WeightsMissing, WeightsCorrupt: its weights cannot be used.
        """
        with self._lock:  # also while loading: two threads must not load one model twice
            if reference not in self._perceptors:
                name, model = resolve(reference)
                build = registry.find("perceptors", name).load()
                self._perceptors[reference] = build(model, self.runtime)
            return self._perceptors[reference]

    def ensemble(self, wish: str, preset: Preset) -> Ensemble:
        """Return the perceptors of a `perceptor` setting.

        Args:
            wish: "auto", or references with optional weights: "ViT-B-32:1,ViT-B-16:0.5".
            preset: names the CLIP models that "auto" prefers.
        """
        if wish.strip().lower() == AUTO:
            references, choice = automatic(preset)
            parsed = [(reference, 1.0) for reference in references]
        else:
            parsed, choice = parse_references(wish), "as set"
        return Ensemble([(self.perceptor(r), weight) for r, weight in parsed], choice)


def resolve(reference: str) -> tuple[str, str]:
    """Split a reference into the component and the model it is asked for, "" for its only one."""
    name, _, model = reference.partition("/")
    # OpenAI's own names hold a slash too ("ViT-B/32"); no component is called "ViT-B".
    return (name, model) if name in registry.components("perceptors") else (_CLIP, reference)


def automatic(preset: Preset) -> tuple[Sequence[str], str]:
    """Choose perceptors by what is on this machine.

    Returns:
        references, and why in words: the preset's CLIP models whose weights are here; else one that
        another preset names; else the starter.
    """
    here = [model for model in preset.clip if catalog.find_clip(model) is not None]
    missing = [model for model in preset.clip if model not in here]
    if here:
        without = f", those of {' and '.join(missing)} are not" if missing else ""
        return here, f"CLIP weights are here{without}"
    others = dict.fromkeys(model for other in PRESETS.values() for model in other.clip)
    for model in others:
        if catalog.find_clip(model) is not None:
            return [model], f"CLIP weights are here, in place of {' and '.join(missing)}"
    # The folder is not named: over HTTP this line is read by strangers. `doctor` names it.
    return [STARTER], "no CLIP weights in the weights folder"


def parse_references(wish: str) -> list[tuple[str, float]]:
    """Read "a:0.5,b" into references and weights.

    The weight is what follows the last colon, if it is a number: the colon of a drive letter stays.

    Raises:
        SettingsError: nothing named, or a weight that is not positive.
    """
    result: list[tuple[str, float]] = []
    for part in filter(None, (p.strip() for p in wish.split(","))):
        head, colon, tail = part.rpartition(":")
        try:
            reference, weight = (head.strip(), float(tail)) if colon else (part, 1.0)
        except ValueError:
            reference, weight = part, 1.0
        if not 0 < weight < float("inf") or not reference:
            raise SettingsError(f"perceptor {part!r}: the weight must be a positive number")
        result.append((reference, weight))
    if not result:
        raise SettingsError("perceptor is empty: use auto, starter or an open_clip model")
    if any(reference.lower() == AUTO for reference, _ in result):
        raise SettingsError(f"perceptor {wish!r}: auto stands alone, it chooses all of them")
    return result
