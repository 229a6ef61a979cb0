"""What a stranger asks for, as settings that are safe, affordable and complete.

Nothing in a request may make a worker read one of its own files: whatever names a picture must be
an http(s) URL, or the key of a file of the studio, as `uploads/<sha256>.png` and
`jobs/<id>/<attempt>/result.png`.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from text2art import asking
from text2art.errors import SettingsError
from text2art.serving import references
from text2art.settings import MAX_SEED, Settings
from text2art.studio import hooks
from text2art.studio.config import Caps

MAX_SETTINGS = 300  # of a request, options of components counted one by one
MAX_CHOICES = 200  # {a|b} in all prompts of a request: each is made for each seed of a batch
MAX_PERCEPTORS = 8  # each is a model in a worker's memory
MAX_PROMPT = 2000  # characters that are shown and searched
_ADVICE = (
    "here only http(s) URLs and uploads are accepted: send the picture to /api/v1/uploads, and "
    "give the key that it answers"
)
_KEY = re.compile(
    r"(?<![\w./-])(uploads/[0-9a-f]{64}\.[a-z0-9]{1,5}"
    r"|jobs/[0-9a-z]{26}/[0-9]{1,6}/(?:frames/)?[A-Za-z0-9_-]{1,40}\.[a-z0-9]{1,5})(?![\w/-])"
)


def read(values: Mapping[str, Any], caps: Caps) -> Settings:
    """Turn what was sent into settings, checked in every way that needs no database.

    Raises:
        SettingsError: with one readable line about what to change.
    """
    text = _text_of(values)
    if len(text) > caps.settings_bytes:
        raise SettingsError(
            f"the settings have {len(text)} characters, at most {caps.settings_bytes} are accepted"
        )
    count = sum(len(value) if isinstance(value, Mapping) else 1 for value in values.values())
    if count > MAX_SETTINGS:
        raise SettingsError(f"there are {count} settings, at most {MAX_SETTINGS} are accepted")
    settings = Settings.of(**values)
    asking.require(settings)
    _require_bounded(settings)
    if settings.seed is None:
        settings = settings.changed(seed=secrets.randbelow(MAX_SEED))
    require_affordable(settings, caps)
    require_no_files(settings)
    return settings


def _require_bounded(settings: Settings) -> None:
    """Make sure that settings take no more time to read, or memory to load, than pictures need."""
    choices = sum(text.count("{") for name in asking.KINDS for text in getattr(settings, name))
    if choices > MAX_CHOICES:
        raise SettingsError(f"there are {choices} choices, at most {MAX_CHOICES} are accepted")
    models = settings.perceptor.count(",") + 1
    if models > MAX_PERCEPTORS:
        raise SettingsError(
            f"perceptor: {models} models are named, at most {MAX_PERCEPTORS} are accepted"
        )


def require_no_files(settings: Settings) -> None:
    """Make sure that settings name no file of a worker, with the choices that their seed makes.

    Raises:
        SettingsError: they do.
    """
    assert settings.seed is not None
    keys = keys_of(settings.given())  # as they stand there: none that choices or escapes make up
    rules = references.Rules(keys.__contains__, _ADVICE)
    references.refuse_files(settings.chosen(settings.seed), rules)


def keys_of(settings: Mapping[str, Any]) -> set[str]:
    """Return the files of the studio that settings name."""
    return set(_KEY.findall(json.dumps(settings)))


def require_affordable(settings: Settings, caps: Caps) -> None:
    """Make sure that settings ask for no more than a single request may.

    Raises:
        SettingsError: they do.
    """
    steps = steps_of(settings)
    width, height = _size_of(settings)
    asked = (
        ("iterations", settings.steps, caps.iterations),
        ("steps altogether", steps * settings.batches, caps.steps),
        ("pixels", width * height, caps.pixels),
        ("cuts", settings.cuts_for(224), caps.cuts),
        ("starts", settings.starts_tried, caps.starts),
        ("seconds of video", settings.video_seconds or 0, caps.video_seconds),
    )
    for name, given, most in asked:
        if given > most:
            raise SettingsError(
                f"{name}: {given:g} is more than this studio allows, which is {most:g}"
            )


def steps_of(settings: Settings) -> int:
    """Return the steps of the whole run, those of all scenes or pictures of an animation."""
    if settings.animation_frames > 1:
        return settings.steps + (settings.animation_frames - 1) * settings.animation_steps
    seed = settings.seed if settings.seed is not None else 0
    return settings.steps * len(settings.chosen(seed).story)


def seeds(settings: Settings, count: int) -> list[Settings]:
    """Return the settings of a batch: the first as it is, the others with the seeds that follow."""
    seed = settings.seed
    assert seed is not None
    varied = [settings]
    for index in range(1, count):
        other = f"{seed} {index + 1}" if isinstance(seed, str) else (seed + index) % (MAX_SEED + 1)
        varied.append(settings.changed(seed=other))
    return varied


def words_of(settings: Settings) -> str:
    """Return the words that a job is shown under."""
    for name in asking.KINDS:
        strings: Sequence[str] = getattr(settings, name)
        if strings:
            return " | ".join(strings)[:MAX_PROMPT]
    return ""


def search_text(settings: Settings) -> str:
    """Return what the gallery's search looks through."""
    parts = [words_of(settings), settings.drawer, *settings.styles, settings.palette[:100]]
    return " ".join(parts).lower()[: MAX_PROMPT + 500]


def require_allowed(settings: Settings, checks: hooks.Checks) -> None:
    """Ask the owner's own checks about everything that is asked for.

    Raises:
        PromptRefused: one objects.
    """
    if not checks:
        return
    assert settings.seed is not None
    chosen = settings.chosen(settings.seed)  # what is really drawn, choices made
    checks.require([text for name in asking.KINDS for text in getattr(chosen, name)])


def _text_of(values: Mapping[str, Any]) -> str:
    """Write what was sent as JSON; refuse what no database and no file can hold."""
    try:
        text = json.dumps(values, ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError:
        raise SettingsError("the settings hold half a character: send proper UTF-8") from None
    except (TypeError, ValueError, RecursionError):
        raise SettingsError(
            "the settings must be JSON of reasonable depth, numbers finite"
        ) from None
    if "\\u0000" in text:
        raise SettingsError("the settings hold a NUL character, which no text needs")
    return text


def _size_of(settings: Settings) -> tuple[int, int]:
    """Return width and height; of "retain" the square's, as the init image is not read here."""
    return settings.canvas_size((1, 1) if settings.aspect.lower() == "retain" else None)
