"""Loaded models, kept by whoever draws: loading once serves any number of sessions."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from text2art import registry
from text2art.core import Perceptor
from text2art.errors import SettingsError
from text2art.perceptors.ensemble import Ensemble
from text2art.presets import Preset
from text2art.runtime import Runtime
from text2art.weights import catalog


class Models:
    """A cache of frozen perceptors on one runtime. Safe to share between sessions and threads."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._perceptors: dict[str, Perceptor] = {}
        self._lock = threading.Lock()

    def perceptor(self, reference: str) -> Perceptor:
        """Return a perceptor by reference, loading it at first use.

        Args:
            reference: "starter", "toy", "MODEL" or "MODEL@FILE" of open_clip, or a plug-in's
                "name" or "name/MODEL".
        """
        with self._lock:
            if reference not in self._perceptors:
                name, _, model = reference.partition("/")
                if name not in registry.components("perceptors"):
                    name, model = "open_clip", reference
                build = registry.find("perceptors", name).load()
                self._perceptors[reference] = build(model, self.runtime)
            return self._perceptors[reference]

    def ensemble(self, wish: str, preset: Preset) -> Ensemble:
        """Return the perceptors of a `perceptor` setting.

        Args:
            wish: "auto", or references with optional weights: "ViT-B-32:1,ViT-B-16:0.5".
            preset: names the CLIP models that "auto" prefers.
        """
        if wish.strip() == "auto":
            references, choice = automatic(preset)
            parsed = [(reference, 1.0) for reference in references]
        else:
            parsed, choice = parse_references(wish), "as set"
        return Ensemble([(self.perceptor(r), weight) for r, weight in parsed], choice)


def automatic(preset: Preset) -> tuple[Sequence[str], str]:
    """Choose the preset's CLIP models whose weights are here, else the starter."""
    there = [model for model in preset.clip if catalog.find_clip(model) is not None]
    if there:
        missing = [model for model in preset.clip if model not in there]
        note = f" (not here: {', '.join(missing)})" if missing else ""
        return there, f"CLIP weights found in the weights folder{note}"
    return ["starter"], "no CLIP weights in the weights folder"


def parse_references(wish: str) -> list[tuple[str, float]]:
    """Read "a:0.5,b" into references and weights; a path may hold colons that no number follows.

    Raises:
        SettingsError: nothing named, or a weight that is not positive.
    """
    result: list[tuple[str, float]] = []
    for part in filter(None, (p.strip() for p in wish.split(","))):
        head, colon, tail = part.rpartition(":")
        try:
            reference, weight = (head, float(tail)) if colon else (part, 1.0)
        except ValueError:
            reference, weight = part, 1.0
        if not 0 < weight < float("inf") or not reference:
            raise SettingsError(f"perceptor {part!r}: the weight must be a positive number")
        result.append((reference, weight))
    if not result:
        raise SettingsError("perceptor is empty: use auto, starter or an open_clip model")
    return result
