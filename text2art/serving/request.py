"""What a remote caller asks for, as settings.

The caller is a stranger: nothing in a request may make the server read one of its own files. Cog
itself hands any string that is no URL through to us where it promises a `Path`, and does not check
limits when its schema file is missing; all of that is caught here.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Mapping
from typing import Any

from text2art import configfile, environment, registry
from text2art.errors import InputFileError, SettingsError
from text2art.prompts import parse_prompts
from text2art.serving import render
from text2art.settings import Settings
from text2art.weights import catalog

_URLS = ("http://", "https://")
_SEGMENT = r"[A-Za-z0-9][\w.-]*"
_WEIGHT = re.compile(r"\s*:\s*[\d.eE+-]+\Z")
_REFERENCE = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*(?::[\d.eE+-]+)?\Z")


class InputError(Exception):
    """What Cog reports when the caller has to change something: `InputError: ...`."""


def settings_of(inputs: Mapping[str, Any]) -> Settings:
    """Turn Cog's inputs into settings.

    The YAML of `settings` is the lower layer; inputs that differ from their default win over it.

    Args:
        inputs: by name, as `predict` got them; None stands for "not given".

    Raises:
        SettingsError: with one readable line about what to change.
    """
    values = dict(inputs)
    pictures = {name: values.pop(name, None) for name in render.PICTURES}
    pictures = {name: picture for name, picture in pictures.items() if picture is not None}
    for name, picture in pictures.items():
        if not isinstance(picture, pathlib.Path):
            raise InputFileError(f"{name} must be an upload or an http(s) URL, not a path or text")
    extra = values.pop(render.EXTRA, None) or ""
    if not isinstance(extra, str):
        raise SettingsError(f"settings must be YAML text, not {type(extra).__name__}")
    defaults = render.defaults()
    chosen = {
        name: value
        for name, value in values.items()
        if value is not None and value != defaults.get(name)
    }
    settings = Settings.of(**configfile.merge(configfile.parse_settings(extra), chosen))
    if not settings.prompts:
        raise SettingsError("no prompt was given: say what to draw, for example 'a red apple'")
    refuse_files(settings)
    return settings.changed(**{name: str(path) for name, path in pictures.items()})


def refuse_files(settings: Settings) -> None:
    """Make sure that settings from a stranger name no file of this machine.

    What `TEXT2ART_PRELOAD` names, strangers may name too: the server's owner put it there.

    Raises:
        SettingsError: they do.
    """
    for prompt in parse_prompts(settings.prompts):
        if prompt.is_image and not _is_url(prompt.text):
            raise InputFileError(
                f"prompt '@{prompt.text}' names a file: over HTTP only http(s) URLs are accepted"
            )
    for name in render.PICTURES:
        if getattr(settings, name) and not _is_url(getattr(settings, name)):
            raise InputFileError(
                f"{name} in settings must be an http(s) URL: upload a file as the input {name}"
            )
    offered = environment.preload()
    vqgan = settings.options("vqgan")
    known = vqgan.model in ("", "starter") or f"vqgan:{vqgan.model}" in offered
    if vqgan.config or not (known or _is_in_catalog(vqgan.model)):
        raise SettingsError(
            "vqgan.model or vqgan.config may name a file: over HTTP only names that weights list "
            "knows are accepted, as starter or imagenet_f16_16384"
        )
    for reference in settings.perceptor.split(","):
        name = _WEIGHT.sub("", reference.strip())
        if name in offered or f"perceptor:{name}" in offered:
            continue
        head, slash, _ = reference.strip().partition("/")
        own = head in registry.components("perceptors") and head != "open_clip"
        if not _REFERENCE.match(reference.strip()) or (slash and own):
            raise SettingsError(
                f"perceptor {reference.strip()!r} may name a file: over HTTP only model names are "
                "accepted, as starter or ViT-B/32"
            )


def _is_in_catalog(name: str) -> bool:
    return any(entry.answers_to(name) for entry in catalog.entries())


def _is_url(text: str) -> bool:
    return text.strip().lower().startswith(_URLS)
