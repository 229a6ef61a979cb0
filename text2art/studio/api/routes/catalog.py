"""What there is to choose from, and how what was written is read: the form's other half."""

from __future__ import annotations

import difflib
import functools
import re
from dataclasses import asdict
from typing import Any

import anyio
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, JsonValue

from text2art import asking, fields, registry
from text2art.errors import PaletteError, WeightsError
from text2art.palettes import BUILTIN, files_of, parse_palette
from text2art.palettes.colors import to_hex
from text2art.presets import PRESETS
from text2art.prompts import lint, number_notices, parse_story, wildcards
from text2art.prompts.grammar import Prompt
from text2art.serving import references
from text2art.serving.references import Names
from text2art.settings import Settings
from text2art.sizes import size_of
from text2art.studio.api import wishes
from text2art.studio.api.bodies import file_body
from text2art.studio.api.context import Ctx
from text2art.studio.config import Caps
from text2art.studio.faults import about, fault, reading
from text2art.studio.restore import restore
from text2art.styles.catalog import CATEGORIES, styles
from text2art.weights.words import starter_words

router = APIRouter(tags=["catalog"])
_LONGEST_PROMPTS = 20_000  # characters
_MOST_UNKNOWN = 10  # words of a prompt that are told, and of a request that are compared
_LONGEST_WORD = 40  # characters
_WORD = re.compile(r"[^\W\d_]+")
_KEPT = {"Cache-Control": "private, max-age=300"}
_TITLES = {
    "picture": "Picture",
    "prompts": "More prompts",
    "start": "What it starts from",
    "guidance": "Guidance",
    "optimization": "Optimization",
    "overlay": "Overlay",
    "transparency": "Transparency",
    "animation": "Animation",
    "output": "Output",
}


class FieldShape(BaseModel):
    """A setting, as a form shows it."""

    name: str
    kind: str = Field(
        description="text, texts, integer, number, switch, choice, size, numbers, weights or seed"
    )
    default: JsonValue
    help: str
    group: str
    choices: list[str]
    minimum: float | None
    maximum: float | None
    above: bool = Field(description="Whether the minimum itself is excluded.")
    aliases: list[str]
    upload: bool = Field(description="Whether it takes the key of an upload, or a URL.")


class Named(BaseModel):
    """Something with a name and a title or sentence."""

    name: str
    title: str


class PresetShape(BaseModel):
    """What a quality stands for."""

    iterations: int
    scale: float
    cuts: int
    starts: int
    size: tuple[int, int] = Field(description="Of the aspect square.")


class SettingsShape(BaseModel):
    """Everything that a form is made from."""

    groups: list[Named]
    fields: list[FieldShape]
    options: list[FieldShape]
    drawers: list[Named]
    presets: dict[str, PresetShape]
    caps: dict[str, float]
    schema_: dict[str, Any] = Field(alias="schema", description="JSON schema of POST /jobs.")


class StyleShape(BaseModel):
    """Words that change how a picture looks."""

    name: str
    title: str
    category: str
    words: str
    died: int | None
    recommended: dict[str, JsonValue]
    starter: bool = Field(description="Whether the starter knows all of its words.")


class Styles(BaseModel):
    """All styles."""

    categories: list[Named]
    styles: list[StyleShape]


class PaletteShape(BaseModel):
    """Colors."""

    name: str
    colors: list[str]


class Palettes(BaseModel):
    """All palettes that have a name."""

    palettes: list[PaletteShape]


class PaletteText(BaseModel):
    """A palette in words."""

    palette: str = Field(max_length=20_000)


class Colors(BaseModel):
    """What a palette in words stands for."""

    colors: list[str]


class PromptText(BaseModel):
    """Prompts, as somebody is writing them."""

    prompts: str | list[str]
    seed: int | str | None = Field(None, description="Makes the choices; default: 0.")
    styles: str | list[str] = Field("", description="Styles whose words follow every prompt.")


class PromptShape(BaseModel):
    """How one prompt is read."""

    kind: str
    text: str
    weight: float | str
    stop: float | None
    window: str | None
    region: str | None
    explain: str
    notices: list[str]


class PromptReading(BaseModel):
    """How prompts are read."""

    combinations: int
    seed: int | str
    prompts: list[str] = Field(description="With the choices of the seed made.")
    scenes: list[list[PromptShape]]


class LeftOutShape(BaseModel):
    """A setting that was not taken over."""

    name: str
    reason: str


class Recalled(BaseModel):
    """What a picture says about how it was drawn."""

    settings: dict[str, Any]
    ignored: list[LeftOutShape]
    version: str


@router.get("/settings")
def settings_table(context: Ctx, response: Response) -> SettingsShape:
    """Return every setting: its kind, default, limits, help and group."""
    response.headers.update(_KEPT)
    return _settings_table(context.config.caps)


@router.get("/styles")
def styles_list(response: Response) -> Styles:
    """Return all styles by category."""
    response.headers.update(_KEPT)
    return _styles()


@router.get("/palettes")
def palettes_list(response: Response) -> Palettes:
    """Return all palettes that have a name."""
    response.headers.update(_KEPT)
    return Palettes(
        palettes=[
            PaletteShape(name=name, colors=[f"#{color}" for color in colors.split()])
            for name, colors in BUILTIN.items()
        ]
    )


@router.post("/palettes/read")
def palette_read(asked: PaletteText) -> Colors:
    """Read a palette in words into colors."""
    with about("palette"):
        named = files_of(asked.palette)
        if named:
            raise PaletteError(f"the palette names the file {named[0][:80]!r}: write its colors")
        return Colors(colors=["#" + to_hex(color) for color in parse_palette(asked.palette)])


@router.post("/prompt")
def prompt(asked: PromptText) -> PromptReading:
    """Say how prompts are read: what the seed chooses, weights, windows, regions, unknown words."""
    texts = [asked.prompts] if isinstance(asked.prompts, str) else asked.prompts
    if sum(map(len, texts)) > _LONGEST_PROMPTS:
        raise fault("prompts", f"prompts: more than {_LONGEST_PROMPTS} characters")
    said = {"prompts": texts, "styles": asked.styles, "seed": asked.seed}
    settings = reading(said, lambda given: Settings.of(**given))
    seed = settings.seed if settings.seed is not None else 0
    told = _Unknown(_vocabulary())
    with about("prompts"):  # what the choices come to may be no prompts
        chosen = wildcards.expand(settings.prompts, seed)
        return PromptReading(
            combinations=wildcards.combinations(settings.prompts),
            seed=seed,
            prompts=list(chosen),
            scenes=[[_prompt(one, told) for one in scene] for scene in parse_story(chosen)],
        )


@router.post(
    "/recall",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {"file": {"type": "string", "format": "binary"}},
                        "required": ["file"],
                    }
                },
                "image/*": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
)
async def recall(request: Request, context: Ctx) -> Recalled:
    """Return the settings inside a picture of text2art: PNG, WebP, JPEG or SVG.

    What does not fit here is left out and said; files of the machine that drew it always are.
    """
    most = context.config.caps.upload_bytes
    sent = await file_body(request, most)

    def read() -> Recalled:
        found = restore(
            sent.data,
            sent.name,
            max_bytes=most,
            exists=lambda key: context.uploads.find(key) is not None,
        )
        return Recalled(
            settings=found.settings,
            ignored=[LeftOutShape(name=one.name, reason=one.reason) for one in found.left_out],
            version=found.version,
        )

    with about("file"):
        return await anyio.to_thread.run_sync(read)


@functools.lru_cache(maxsize=4)
def _settings_table(caps: Caps) -> SettingsShape:
    rows = fields.rows()
    groups = list(dict.fromkeys(row.group for row in rows))
    return SettingsShape(
        groups=[Named(name=name, title=_TITLES.get(name, name.capitalize())) for name in groups],
        fields=[_field(row) for row in rows],
        options=[_field(row) for row in fields.rows_of(wishes.Options, "options")],
        drawers=[
            Named(name=name, title=one.summary)
            for name, one in registry.components("drawers").items()
        ],
        presets={
            name: PresetShape(
                iterations=one.iterations,
                scale=one.scale,
                cuts=one.cuts,
                starts=one.starts,
                size=size_of("square", one.scale, None, one.base),
            )
            for name, one in PRESETS.items()
        },
        caps=caps.model_dump(),
        schema=wishes.schema(),
    )


def _field(row: fields.Row) -> FieldShape:
    pictured = references.TABLE.get(row.name) is Names.PICTURE or asking.KINDS.get(row.name, False)
    shape = {name: value for name, value in asdict(row).items() if name in FieldShape.model_fields}
    default = row.default
    shape["default"] = list(default) if isinstance(default, tuple) else default
    shape["choices"], shape["aliases"] = list(row.choices), list(row.aliases)
    return FieldShape(**shape, upload=pictured or row.name == "prompts")


@functools.cache
def _styles() -> Styles:
    words = _vocabulary()
    return Styles(
        categories=[Named(name=name, title=title) for name, title in CATEGORIES.items()],
        styles=[
            StyleShape(
                name=one.name,
                title=one.title,
                category=one.category,
                words=one.words,
                died=one.died,
                recommended=dict(one.recommended),
                starter=one.is_known(words),
            )
            for one in styles().values()
        ],
    )


@functools.cache
def _vocabulary() -> frozenset[str]:
    """Return the words the starter knows; none where it is not installed."""
    try:
        return starter_words()
    except WeightsError:
        return frozenset()


def _prompt(one: Prompt, told: _Unknown) -> PromptShape:
    notices = list(number_notices([one]))
    unknown = [] if one.is_image else told.of(one.text)
    if unknown:
        notices.append(f"the starter does not know {', '.join(unknown)}")
    return PromptShape(**lint.as_values(one), explain=lint.explain(one), notices=notices)


class _Unknown:
    """Tells which words the starter does not know, and of the first few what they are near to.

    Looking for what is near takes long: as often as people mistype, not as often as they can.
    """

    def __init__(self, words: frozenset[str]) -> None:
        self._words = words
        self._described: dict[str, str] = {}

    def of(self, text: str) -> list[str]:
        """Return words of a text as messages give them; none where no word is known at all."""
        found = dict.fromkeys(_WORD.findall(text.lower())) if self._words else ()
        unknown = [word for word in found if word not in self._words][:_MOST_UNKNOWN]
        return [self._describe(word) for word in unknown]

    def _describe(self, word: str) -> str:
        if word not in self._described and len(self._described) < _MOST_UNKNOWN:
            near = _near(word[:_LONGEST_WORD], self._words)
            self._described[word] = f" (nearest: {', '.join(near)})" if near else ""
        return repr(word[:_LONGEST_WORD]) + self._described.get(word, "")


def _near(word: str, words: frozenset[str]) -> list[str]:
    return difflib.get_close_matches(word, (known for known in words if len(known) > 2), n=3)
