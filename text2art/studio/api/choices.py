"""What there is to choose from: settings, styles and palettes, as a form is made from them."""

from __future__ import annotations

import functools
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, Field, JsonValue

from text2art import asking, fields, registry
from text2art.palettes import BUILTIN
from text2art.presets import PRESETS
from text2art.serving import references
from text2art.serving.references import Names
from text2art.sizes import size_of
from text2art.studio.api import wishes
from text2art.studio.api.vocabulary import vocabulary
from text2art.studio.config import Caps
from text2art.styles.catalog import CATEGORIES, styles

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


@functools.lru_cache(maxsize=4)
def settings_table(caps: Caps) -> SettingsShape:
    """Return everything that a form is made from, of a studio with these caps."""
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
def all_styles() -> Styles:
    """Return all styles by category."""
    words = vocabulary()
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


def all_palettes() -> Palettes:
    """Return all palettes that have a name."""
    return Palettes(
        palettes=[
            PaletteShape(name=name, colors=[f"#{color}" for color in colors.split()])
            for name, colors in BUILTIN.items()
        ]
    )
