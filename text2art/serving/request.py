"""What a remote caller asks for, as settings.

The caller is a stranger: nothing in a request may make the server read one of its own files. Cog
itself hands any string that is no URL through to us where it promises a `Path`, and does not check
limits when its schema file is missing; all of that is caught here.
"""

from __future__ import annotations

import pathlib
import secrets
from collections.abc import Mapping
from typing import Any

from text2art import asking, configfile
from text2art.documents import reason_against
from text2art.errors import InputFileError, SettingsError
from text2art.serving import references, render
from text2art.settings import MAX_SEED, Settings


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
        if value is not None and value != defaults.get(name) and (name, value) != ("prompts", "")
    }
    settings = Settings.of(**configfile.merge(configfile.parse_settings(extra), chosen))
    asking.require(settings)
    settings = _chosen(settings)
    refuse_files(settings)
    settings = settings.changed(**{name: str(path) for name, path in pictures.items()})
    reason = reason_against(settings) if settings.output_format == "svg" else None
    if reason is not None:
        raise SettingsError(f"output_format svg: {reason}, or choose another format")
    return settings


def _chosen(settings: Settings) -> Settings:
    """Make the choices in prompts: only what comes out can be judged, as "{@|}/etc/a.png" shows."""
    if not asking.chosen(settings, 0):
        return settings
    seed = secrets.randbelow(MAX_SEED) if settings.seed is None else settings.seed
    return settings.chosen(seed)


def refuse_files(settings: Settings) -> None:
    """Make sure that settings from a stranger name no file of this machine: see `references`.

    Raises:
        SettingsError: they do.
    """
    for name in render.PICTURES:
        if getattr(settings, name) and not references.is_url(getattr(settings, name)):
            raise InputFileError(
                f"{name} in settings must be an http(s) URL: upload a file as the input {name}"
            )
    references.refuse_files(settings)
