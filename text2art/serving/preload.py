"""What is made ready before the first request comes: models, and on CUDA the graphs of networks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from text2art import graphs
from text2art.errors import SettingsError, Text2ArtError, UnknownComponent, did_you_mean
from text2art.models import Models
from text2art.presets import PRESETS
from text2art.runtime import recorder
from text2art.session import Session
from text2art.settings import Settings


def preload(names: Iterable[str], models: Models, say: Callable[[str], None]) -> None:
    """Load models and keep them.

    Args:
        names: each a quality ("normal": the CLIP models it names), a perceptor ("ViT-L-14",
            "ViT-B-32@laion2b_s34b_b79k", "starter") or a VQGAN ("vqgan:NAME"). "quality:" and
            "perceptor:" may stand before the first two.
        models: keeps them.
        say: takes a line for the logs for each.

    Raises:
        Text2ArtError: one is unknown or missing; the message says which and what to do.
    """
    for name in names:
        started = time.perf_counter()
        try:
            _load(name, models)
        except Text2ArtError as error:
            near = did_you_mean(name, PRESETS) if isinstance(error, UnknownComponent) else ""
            raise type(error)(f"TEXT2ART_PRELOAD names {name!r}: {error}{near}") from error
        say(f"loaded: {name} ({time.perf_counter() - started:.1f} s)")


def rehearse(models: Models, settings: Settings) -> None:
    """Record the networks of a picture as graphs, where there are any: see `graphs`.

    It is drawn until each has been asked often enough, those of its tryouts and of later steps.
    """
    if recorder(models.runtime.device) is None:
        return
    later = graphs.AFTER + 1
    with Session(settings, models=models) as session:
        for frame in session.frames():
            later -= not frame.tryout
            if not later:
                return


def _load(name: str, models: Models) -> None:
    kind, colon, rest = name.partition(":")
    if colon and kind in LOADERS:
        LOADERS[kind](models, rest.strip())
    elif name in PRESETS:
        _load_quality(models, name)
    else:
        _load_perceptor(models, name)


def _load_quality(models: Models, name: str) -> None:
    if name not in PRESETS:
        raise SettingsError(f"there is no quality {name!r}. There are: {', '.join(PRESETS)}")
    models.ensemble("preset", PRESETS[name])


def _load_perceptor(models: Models, name: str) -> None:
    models.ensemble(name, PRESETS["normal"])  # the quality matters to "auto" and "preset" alone


def _load_vqgan(models: Models, name: str) -> None:
    """Set up a picture that needs it: whatever the drawer loads is kept in `models`."""
    tiny = {"prompts": "a", "perceptor": "toy", "size": "32x32", "cuts": 1, "starts": 1}
    with Session(Settings.of(drawer="vqgan", vqgan={"model": name}, **tiny), models=models):
        pass


# What may stand before a colon. A drive letter is none: "ViT-B-32@C:\\clip.pt" is a perceptor.
LOADERS: Mapping[str, Callable[[Models, str], object]] = {
    "perceptor": _load_perceptor,
    "quality": _load_quality,
    "vqgan": _load_vqgan,
}
