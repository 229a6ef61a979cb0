"""Loaded models, kept by whoever draws: loading once serves any number of sessions."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

from torch import nn

from text2art import memory, registry
from text2art.core import Net, Perceptor
from text2art.errors import SettingsError, WeightsMissing
from text2art.perceptors.ensemble import Ensemble
from text2art.presets import PRESETS, Preset
from text2art.runtime import Runtime, freeze
from text2art.weights import catalog

AUTO = "auto"
PRESET = "preset"
STARTER = "starter"
_CLIP = "open_clip"
_LOADERS = 4  # models at a time: each holds its file and its network in memory for a while
T = TypeVar("T")


class NotedNetworks:
    """Networks from a cache, and which of them a picture depends on.

    Attributes:
        used: their digests by name.
    """

    def __init__(self, models: Models) -> None:
        self._models = models
        self.used: dict[str, str] = {}

    def __call__(self, key: str, load: Callable[[], Net], /) -> Net:
        """See `core.Networks`."""
        net = self._models.network(key, load)
        self.used[str(getattr(net, "name", key))] = str(getattr(net, "digest", ""))
        return net


class Models:
    """A cache of frozen perceptors on one runtime. Safe to share between sessions and threads."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._perceptors: dict[str, Perceptor] = {}
        self._networks: dict[str, nn.Module] = {}
        self._costs: dict[int, tuple[Perceptor, int]] = {}
        self._lock = threading.Lock()
        self._loading: dict[tuple[int, str], threading.Lock] = {}

    def perceptor(self, reference: str) -> Perceptor:
        """Return a perceptor by reference, loading it at first use.

        Args:
            reference: "starter", "toy", a model of open_clip ("ViT-B-32", "ViT-B/32",
                "ViT-B-32@FILE", also behind "open_clip/"), or a plug-in's "NAME" or "NAME/MODEL".

        Raises:
            UnknownComponent: nothing goes by this name.
            WeightsMissing, WeightsCorrupt: its weights cannot be used.
        """
        reference = canonical(reference)

        def load() -> Perceptor:
            name, model = resolve(reference)
            build = registry.find("perceptors", name).load()
            perceptor: Perceptor = build(model, self.runtime)
            return perceptor

        return self._once(self._perceptors, reference, load)

    def perceptors(self, references: Sequence[str]) -> list[Perceptor]:
        """Return several perceptors; those not here yet are loaded side by side.

        While one is read and checked, another is built.

        Raises:
            UnknownComponent, WeightsMissing, WeightsCorrupt: the first that fails, see `perceptor`.
        """
        if len(references) < 2:
            return [self.perceptor(reference) for reference in references]
        with ThreadPoolExecutor(min(len(references), _LOADERS), "loading") as pool:
            return list(pool.map(self.perceptor, references))

    def network(self, key: str, load: Callable[[], Net], /) -> Net:
        """Return the frozen network of a key, loading it at first use: see `core.Networks`."""
        net = self._once(self._networks, key, lambda: freeze(load()).to(self.runtime.device))
        return cast("Net", net)

    def _once(self, kept: dict[str, T], key: str, load: Callable[[], T]) -> T:
        """Return what is kept by a key; of threads that want it first, one loads it."""
        with self._lock:
            mine = self._loading.setdefault((id(kept), key), threading.Lock())
        with mine:
            if key not in kept:
                kept[key] = load()
            return kept[key]

    def crop_bytes(self, perceptor: Perceptor) -> int:
        """Return what one crop costs a perceptor, measured at first use: `memory.crop_bytes`."""
        key = id(perceptor)  # the perceptor is kept with it, so that its id stays its own
        with self._lock:
            if key not in self._costs:
                self._costs[key] = (perceptor, memory.crop_bytes(perceptor, self.runtime))
            return self._costs[key][1]

    def ensemble(self, wish: str, preset: Preset) -> Ensemble:
        """Return the perceptors of a `perceptor` setting.

        Args:
            wish: "auto", "preset", or references with optional weights:
                "ViT-B-32:1,ViT-B-16:0.5".
            preset: names the CLIP models that "auto" prefers and "preset" insists on.

        Raises:
            SettingsError: no such perceptor, or a weight that is none.
            WeightsMissing, WeightsCorrupt: the weights of one cannot be used.
        """
        word = wish.strip().lower()
        if word in (AUTO, PRESET):
            references, choice = automatic(preset) if word == AUTO else insisted(preset)
            parsed = [(reference, 1.0) for reference in references]
        else:
            parsed, choice = parse_references(wish), "as set"
        seers = self.perceptors([reference for reference, _ in parsed])
        return Ensemble(list(zip(seers, (weight for _, weight in parsed), strict=True)), choice)


def resolve(reference: str) -> tuple[str, str]:
    """Split a reference into the component and the model it is asked for, "" for its only one."""
    name, _, model = reference.partition("/")
    # OpenAI's own names hold a slash too ("ViT-B/32"); no component is called "ViT-B".
    return (name, model) if name in registry.components("perceptors") else (_CLIP, reference)


def canonical(reference: str) -> str:
    """Return the one name of a CLIP model that goes by several, so that it is loaded once."""
    name, model = resolve(reference)
    if name != _CLIP:
        return reference
    return next((e.name for e in catalog.entries() if e.answers_to(model)), model)


# ---- choosing ----------------------------------------------------------------------------------


def automatic(preset: Preset) -> tuple[Sequence[str], str]:
    """Choose perceptors by what is on this machine.

    Returns:
        references, and why in words, with what to fetch for the models the preset names: those of
        them whose weights are here; else those of the preset nearest in scale that has any; else
        any one CLIP model that is here; else the starter.
    """
    here, missing = _divided(preset)
    if not missing:
        return here, "CLIP weights are here"
    if here:
        return here, f"not all of the quality's CLIP models are here: {_how_to_get(missing)}"
    instead = _nearest(preset)
    if instead:
        return instead, f"in place of the quality's CLIP models: {_how_to_get(missing)}"
    # The folder is not named: over HTTP this line is read by strangers. `doctor` names it.
    return [STARTER], f"no CLIP weights are here: {_how_to_get(missing)}"


def insisted(preset: Preset) -> tuple[Sequence[str], str]:
    """Return the CLIP models of a preset, all of them, and why in words.

    Raises:
        WeightsMissing: what to fetch, and what would be used instead.
    """
    here, missing = _divided(preset)
    if missing:
        instead, _ = automatic(preset)
        raise WeightsMissing(
            f"not all of the quality's CLIP models are here: {_how_to_get(missing)}. "
            f"perceptor=auto draws with the nearest that is here: {_listed(instead)}"
        )
    return here, "those of the quality"


def _divided(preset: Preset) -> tuple[list[str], list[str]]:
    """Return the CLIP models of a preset that are on this machine, and those that are not."""
    here = [model for model in preset.clip if catalog.find_clip(model) is not None]
    return here, [model for model in preset.clip if model not in here]


def _nearest(preset: Preset) -> list[str]:
    """Return what comes nearest to a preset whose CLIP models are all missing, or nothing."""
    for other in sorted(PRESETS.values(), key=lambda other: abs(other.scale - preset.scale)):
        here, _ = _divided(other)
        if here:
            return here
    if not _any_weights():
        return []
    from text2art.perceptors.reference import local_models  # open_clip takes its time to import

    return list(itertools.islice(local_models(), 1))


def _any_weights() -> bool:
    """Whether the weights folders hold a file that may be a CLIP model's."""
    named = (file.path for entry in catalog.entries() if not entry.ships for file in entry.files)
    return any(catalog.find(path) for path in named) or any(
        path.is_file() and path.suffix not in (".json", ".md", ".toml")
        for folder in catalog.search_path()
        if folder.is_dir()
        for path in folder.iterdir()
    )


def _listed(models: Sequence[str]) -> str:
    *most, last = models
    return f"{', '.join(most)} and {last}" if most else last


def _how_to_get(models: Sequence[str]) -> str:
    """Say what to run for CLIP models, how much each is, and under which license."""
    entries = [catalog.entry(model) for model in models]
    licenses = list(dict.fromkeys(entry.license for entry in entries))
    facts = []
    for entry in entries:
        size = [f"{entry.size / 1e6:.0f} MB"] if entry.size else []
        terms = [f"license: {entry.license or 'unknown'}"] if len(licenses) > 1 else []
        facts.append(f"{entry.name} ({', '.join(size + terms)})" if size + terms else entry.name)
    common = f", license: {licenses[0] or 'unknown'}" if len(licenses) == 1 else ""
    names = " ".join(entry.name for entry in entries)
    return f"'text2art weights fetch {names}' gets {_listed(facts)}{common}"


# ---- reading references ------------------------------------------------------------------------


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
    for word in (AUTO, PRESET):
        if any(reference.lower() == word for reference, _ in result):
            raise SettingsError(f"perceptor {wish!r}: {word} stands alone, it names all of them")
    return result
