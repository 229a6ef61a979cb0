"""Which settings can name a file, by a table: the one place that decides what strangers may name.

Whoever asks over HTTP is a stranger, and nothing in a request may make the server, or a worker of
it, read one of its own files. Every setting that holds text stands in the table; a setting that
does not (an option of a plug-in) is refused unless its package says what it names, with
`json_schema_extra={"names": "nothing"}` or `{"names": "picture"}`.

Numbers, switches and choices name nothing; arguments in `losses` and `filters` are options of the
components by the time settings are read.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from text2art import asking, environment, fields, palettes, registry
from text2art.errors import InputFileError, SettingsError
from text2art.settings import Settings, option_models
from text2art.weights import catalog


class Names(str, enum.Enum):
    """What the text of a setting can name."""

    NOTHING = "nothing"
    PROMPT = "prompt"  # pictures, masks and vectors, behind @ or as the setting's kind
    PICTURE = "picture"
    PALETTE = "palette"  # behind @
    PERCEPTOR = "perceptor"  # a model's name, and perhaps a file behind it
    VQGAN = "vqgan"  # a model's name, or a file or folder
    FILE = "file"  # of weights, of settings, or a folder: never a stranger's to name


TABLE: Mapping[str, Names] = {
    **dict.fromkeys(asking.KINDS, Names.PROMPT),
    **dict.fromkeys(
        (
            "aspect",
            "styles",
            "filters",
            "losses",
            "learning_rate_drops",
            "overlay_every",
            "overlay_offset",
            "overlay_until",
            "animation_zoom",
            "animation_angle",
            "animation_shift_x",
            "animation_shift_y",
            "save_every",
            "clipdraw.background",
            "line.ink",
            "line.paper",
            "shapes.background",
            "edge.color",
            "edge.margins",
            "gaussian.color",
        ),
        Names.NOTHING,
    ),
    **dict.fromkeys(
        (
            "init_image",
            "protect",
            "spot_mask",
            "overlay_image",
            "edge.image",
            "edge.mask",
            "style.file",
        ),
        Names.PICTURE,
    ),
    "palette": Names.PALETTE,
    "lookup.palette": Names.PALETTE,
    "perceptor": Names.PERCEPTOR,
    "aesthetic.perceptor": Names.PERCEPTOR,
    "vqgan.model": Names.VQGAN,
    "vqgan.config": Names.FILE,
    "style.vgg": Names.FILE,
    "aesthetic.weights": Names.FILE,
    "animation_dir": Names.FILE,
}
_TEXTS = ("text", "texts", "weights", "numbers")  # kinds of rows that hold a stranger's text
_URLS = ("http://", "https://")
_SEGMENT = r"[A-Za-z0-9][\w.-]*"
_WEIGHT = re.compile(r"\s*:\s*[\d.eE+-]+\Z")
_REFERENCE = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*(?::[\d.eE+-]+)?\Z")
ONLY_URLS = "over HTTP only http(s) URLs are accepted"


@dataclass(frozen=True)
class Rules:
    """What a face accepts in place of a file of the server.

    Attributes:
        is_own: whether a name is one that the face itself gave out, as for an upload.
        advice: what to do instead of naming a file.
    """

    is_own: Callable[[str], bool] = lambda _: False
    advice: str = ONLY_URLS

    def accepts(self, source: str) -> bool:
        """Whether a stranger may name this picture."""
        return is_url(source) or self.is_own(source)


def refuse_files(settings: Settings, rules: Rules | None = None) -> None:
    """Make sure that settings from a stranger name no file of this machine.

    What `TEXT2ART_PRELOAD` names, strangers may name too: the server's owner put it there.

    Args:
        settings: with the choices in prompts made: only what comes out can be judged, as
            "{@|}/etc/a.png" shows.
        rules: of the face.

    Raises:
        SettingsError: they do.
    """
    rules = rules or Rules()
    for name, value in texts_of(settings):
        kind = names(name)
        if kind is Names.PROMPT:
            continue  # below, as they are read
        if kind is Names.PICTURE:
            _refuse_picture(name, value, rules)
        elif kind is Names.PALETTE:
            _refuse_palette(name, value, rules)
        elif kind is Names.PERCEPTOR:
            _refuse_perceptors(name, value)
        elif kind is Names.VQGAN:
            _refuse_vqgan(value)
        elif kind is not Names.NOTHING:
            raise InputFileError(f"{name} names a file or folder: over HTTP none is accepted")
    for name, source in asking.files_of(settings):
        if not rules.accepts(source):
            raise InputFileError(f"{name}: {source!r} names a file: {rules.advice}")


def pictures_of(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the settings and the pictures and other files that they name, choices made."""
    yield from (pair for pair in asking.files_of(settings) if pair[0] != "spot_mask")
    for name, value in texts_of(settings):
        if names(name) is Names.PICTURE:
            yield name, _bare(name, value)
        elif names(name) is Names.PALETTE:
            yield from ((name, source) for source in palettes.files_of(value))


def names(name: str) -> Names:
    """Return what a setting of text can name; of one that nobody vouches for, a file."""
    return TABLE.get(name) or _declared().get(name, Names.FILE)


def texts_of(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the settings that hold text other than their default, part by part."""
    for name, default in _text_rows():
        value: Any = settings
        for part in name.split("."):
            value = getattr(value, part)
        if value == default or value is None:
            continue
        parts = [value] if isinstance(value, str) else list(value)
        yield from ((name, str(part)) for part in parts if str(part).strip())


def is_url(text: str) -> bool:
    """Whether a text is an http(s) URL."""
    return text.strip().lower().startswith(_URLS)


@functools.cache
def _text_rows() -> tuple[tuple[str, Any], ...]:
    return tuple((row.name, row.default) for row in fields.rows() if row.kind in _TEXTS)


@functools.cache
def _declared() -> Mapping[str, Names]:
    """Return what packages say of the options of their components."""
    found: dict[str, Names] = {}
    for component, model in option_models().items():
        for option, info in model.model_fields.items():
            extra = info.json_schema_extra
            if isinstance(extra, Mapping) and extra.get("names") in ("nothing", "picture"):
                found[f"{component}.{option}"] = Names(extra["names"])
    return found


def _bare(name: str, value: str) -> str:
    return value.lstrip("!") if name == "spot_mask" else value


def _refuse_picture(name: str, value: str, rules: Rules) -> None:
    if not rules.accepts(_bare(name, value)):
        raise InputFileError(f"{name} names a file: {rules.advice}")


def _refuse_palette(name: str, value: str, rules: Rules) -> None:
    for source in palettes.files_of(value):
        if not rules.accepts(source):
            raise InputFileError(f"{name} names the file {source!r}: {rules.advice}")


def _refuse_vqgan(model: str) -> None:
    offered = environment.preload()
    if model != "starter" and f"vqgan:{model}" not in offered and not _is_in_catalog(model):
        raise SettingsError(
            "vqgan.model may name a file: over HTTP only names that weights list knows are "
            "accepted, as starter or imagenet_f16_16384"
        )


def _refuse_perceptors(setting: str, value: str) -> None:
    offered = environment.preload()
    for reference in value.split(","):
        name = _WEIGHT.sub("", reference.strip())
        if name in offered or f"perceptor:{name}" in offered:
            continue
        head, slash, _ = reference.strip().partition("/")
        own = head in registry.components("perceptors") and head != "open_clip"
        if not _REFERENCE.match(reference.strip()) or (slash and own):
            raise SettingsError(
                f"{setting} {reference.strip()!r} may name a file: over HTTP only model names are "
                "accepted, as starter or ViT-B/32"
            )


def _is_in_catalog(name: str) -> bool:
    return any(entry.answers_to(name) for entry in catalog.entries())
