"""How what was written is read: prompts and palettes in words."""

from __future__ import annotations

from pydantic import BaseModel, Field

from text2art.errors import PaletteError
from text2art.palettes import files_of, parse_palette
from text2art.palettes.colors import to_hex
from text2art.prompts import lint, number_notices, parse_story, wildcards
from text2art.prompts.grammar import Prompt
from text2art.settings import Settings
from text2art.studio.api.vocabulary import Unknown, vocabulary
from text2art.studio.faults import about, fault, reading

_LONGEST_PROMPTS = 20_000  # characters


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


def read_palette(asked: PaletteText) -> Colors:
    """Read a palette in words into colors.

    Raises:
        PaletteError: it cannot be read, or names a file.
    """
    with about("palette"):
        named = files_of(asked.palette)
        if named:
            raise PaletteError(f"the palette names the file {named[0][:80]!r}: write its colors")
        return Colors(colors=["#" + to_hex(color) for color in parse_palette(asked.palette)])


def read_prompt(asked: PromptText) -> PromptReading:
    """Say how prompts are read.

    Raises:
        Text2ArtError: they cannot be; it is blamed on its field.
    """
    texts = [asked.prompts] if isinstance(asked.prompts, str) else asked.prompts
    if sum(map(len, texts)) > _LONGEST_PROMPTS:
        raise fault("prompts", f"prompts: more than {_LONGEST_PROMPTS} characters")
    said = {"prompts": texts, "styles": asked.styles, "seed": asked.seed}
    settings = reading(said, lambda given: Settings.of(**given))
    seed = settings.seed if settings.seed is not None else 0
    told = Unknown(vocabulary())
    with about("prompts"):  # what the choices come to may be no prompts
        chosen = wildcards.expand(settings.prompts, seed)
        return PromptReading(
            combinations=wildcards.combinations(settings.prompts),
            seed=seed,
            prompts=list(chosen),
            scenes=[[_prompt(one, told) for one in scene] for scene in parse_story(chosen)],
        )


def _prompt(one: Prompt, told: Unknown) -> PromptShape:
    notices = list(number_notices([one]))
    unknown = [] if one.is_image else told.of(one.text)
    if unknown:
        notices.append(f"the starter does not know {', '.join(unknown)}")
    return PromptShape(**lint.as_values(one), explain=lint.explain(one), notices=notices)
