"""Settings of what is asked for beyond plain prompts, and how all of them are read.

All of them share the grammar of prompts (`text2art.prompts`): weights, stops, windows of the run,
regions, choices by the seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field, JsonValue, field_validator

from text2art.errors import PromptError, SettingsError
from text2art.prompts import Prompt, parse_prompts, parse_story, wildcards
from text2art.prompts.regions import Mask
from text2art.prompts.wordings import TEXTOFF

# Settings that hold prompts, and whether each of their prompts names a picture.
KINDS: Mapping[str, bool] = {
    "prompts": False,
    "image_prompts": True,
    "target_images": True,
    "spot_prompts": False,
    "spot_prompts_off": False,
    "labels": False,
    "vector_prompts": False,
    "noise_prompts": False,
    "image_labels": True,
}
_NONE = frozenset({"none", "0"})  # pixray's ways to have no vector prompt


def _in(default: Any, description: str, **limits: Any) -> Any:
    extra: dict[str, JsonValue] = {"group": "prompts"}
    return Field(default, description=description, json_schema_extra=extra, **limits)


class AskingSettings(BaseModel):
    """The part of the core settings that says what is asked for, beyond `prompts`."""

    image_prompts: tuple[str, ...] = _in(
        (),
        "Pictures to resemble, looked at in the same views as the drawing: cat.png:0.5, also "
        "several with |, or with * in the name.",
    )
    image_prompt_weight: float = _in(1.0, "Multiplies the weights of image_prompts.", ge=0, le=1e6)
    image_prompt_shuffle: bool = _in(
        False, "Look at image_prompts in views of their own, so that places do not count."
    )
    target_images: tuple[str, ...] = _in(
        (), "Pictures to resemble as a whole, each seen once: cat.png:0.5 | photos/*.jpg."
    )
    spot_prompts: tuple[str, ...] = _in((), "Prompts for the inside of spot_mask alone.")
    spot_prompts_off: tuple[str, ...] = _in((), "Prompts for the outside of spot_mask alone.")
    spot_mask: str = _in(
        "",
        "Mask of the spot (a file or URL): white is inside; !FILE: black is. Default: an ellipse "
        "in the middle.",
    )
    labels: tuple[str, ...] = _in(
        (), "Things to draw, read in several wordings at once, as classifiers read their labels."
    )
    vector_prompts: tuple[str, ...] = _in(
        (),
        "Directions from vector files, at a tenth of their weights: my.safetensors:2; textoff is "
        "built in and keeps written text out.",
    )
    noise_prompts: tuple[str, ...] = _in(
        (), "Seeds of random targets, with weights: 1:0.5 | 2:0.5; variety at little weight."
    )
    image_labels: tuple[str, ...] = _in(
        (), "Pictures whose mean latents to come near to, for drawers with latents (vqgan)."
    )
    image_label_weight: float = _in(1.0, "How much image_labels count.", ge=0, le=1e6)

    @field_validator(*(name for name in KINDS if name != "prompts"), mode="before")
    @classmethod
    def _asked(cls, value: Any, info: Any) -> Any:
        strings = strings_of(value, info.field_name)
        if info.field_name == "vector_prompts":
            strings = tuple(s for s in strings if s.strip().lower() not in _NONE)
        check(strings, info.field_name)
        return strings

    def asked(self, name: str) -> tuple[Prompt, ...]:
        """Return the prompts of a setting, whose choices are made."""
        strings: Sequence[str] = getattr(self, name)
        return parse_prompts(strings, images=KINDS[name]) if strings else ()


def strings_of(value: Any, name: str) -> tuple[str, ...]:
    """Read one text or a list of texts; empty text is none.

    Raises:
        SettingsError: it is neither.
    """
    value = [] if value is None or value == "" else value
    strings = [value] if isinstance(value, str | int) and not isinstance(value, bool) else value
    strings = [str(s) if type(s) is int else s for s in strings] if _is_list(strings) else strings
    if not _is_list(strings) or not all(isinstance(s, str) for s in strings):
        raise SettingsError(f"{name} must be text or a list of texts, not {value!r}")
    return tuple(strings)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def check(strings: Sequence[str], name: str) -> None:
    """Check prompt strings as far as that is possible before the seed has chosen.

    Raises:
        PromptError: they cannot be read.
    """
    if not strings:
        return
    wildcards.combinations(strings)
    first = wildcards.combination(strings, 0)
    if name == "prompts":
        parse_story(first)
    else:
        parse_prompts(first, images=KINDS[name])


def chosen(settings: Any, seed: int | str) -> dict[str, tuple[str, ...]]:
    """Return the settings whose choices a seed makes, with the choices made.

    Raises:
        PromptError: what comes out cannot be read.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name in KINDS:
        strings: tuple[str, ...] = getattr(settings, name)
        expanded = wildcards.expand(strings, seed, purpose=name)
        if expanded != strings:
            found[name] = expanded
    return found


def story_of(settings: Any) -> tuple[tuple[Prompt, ...], ...]:
    """Return the scenes of `prompts`, whose choices are made; one without any where none is needed.

    Raises:
        PromptError: nothing at all is asked for.
    """
    require(settings)
    return parse_story(settings.prompts) if settings.prompts else ((),)


def require(settings: Any) -> None:
    """Make sure that something is asked for.

    Raises:
        PromptError: there is not a single prompt of any kind.
    """
    if not any(getattr(settings, name) for name in KINDS):
        raise PromptError("no prompt was given: say what to draw, for example 'a red apple'")


def files_of(settings: Any) -> Iterator[tuple[str, str]]:
    """Yield the settings and the files or URLs that they name, once choices are made."""
    for name in KINDS:
        scenes = story_of(settings) if name == "prompts" else [settings.asked(name)]
        for prompt in (prompt for scene in scenes for prompt in scene):
            vector = name == "vector_prompts" and prompt.text != TEXTOFF
            if prompt.is_image or vector:
                yield name, prompt.text
            if isinstance(prompt.region, Mask):
                yield name, prompt.region.source
    if settings.spot_mask:
        yield "spot_mask", settings.spot_mask.lstrip("!")
