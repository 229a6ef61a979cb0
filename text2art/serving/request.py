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

from text2art import configfile, registry
from text2art.errors import InputFileError, SettingsError
from text2art.prompts import parse_prompts
from text2art.serving import render
from text2art.settings import Settings

_URLS = ("http://", "https://")
_SEGMENT = r"[A-Za-z0-9][\w.-]*"
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
    image = values.pop("init_image", None)
    if image is not None and not isinstance(image, pathlib.Path):
        raise InputFileError("init_image must be an upload or an http(s) URL, not a path or text")
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
    return settings if image is None else settings.changed(init_image=str(image))


def refuse_files(settings: Settings) -> None:
    """Make sure that settings from a stranger name no file of this machine.

    Raises:
        SettingsError: they do.
    """
    for prompt in parse_prompts(settings.prompts):
        if prompt.is_image and not _is_url(prompt.text):
            raise InputFileError(
                f"prompt '@{prompt.text}' names a file: over HTTP only http(s) URLs are accepted"
            )
    if settings.init_image and not _is_url(settings.init_image):
        raise InputFileError(
            "init_image in settings must be an http(s) URL: upload a file as the input init_image"
        )
    for reference in settings.perceptor.split(","):
        head, slash, _ = reference.strip().partition("/")
        own = head in registry.components("perceptors") and head != "open_clip"
        if not _REFERENCE.match(reference.strip()) or (slash and own):
            raise SettingsError(
                f"perceptor {reference.strip()!r} may name a file: over HTTP only model names are "
                "accepted, as starter or ViT-B/32"
            )


def _is_url(text: str) -> bool:
    return text.strip().lower().startswith(_URLS)
