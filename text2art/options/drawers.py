"""Options of the built-in drawers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from text2art.options import Options
from text2art.sizes import parse_size


class PixelOptions(Options):
    """Pixel art."""

    cells: tuple[int, int] | None = Field(
        None, description="Columns x rows, as 48x48; default: 48 along the short side."
    )
    cell: Literal["rect", "rectshift", "hex", "tri", "diamond"] = Field(
        "rect", description="Shape of the cells; they are regular unless cells says otherwise."
    )
    learning_rate: float = Field(0.025, gt=0, le=10, description="Adam step of the layers.")
    decay: float = Field(
        1.0, ge=0, le=2, description="How much slower finer layers learn; 0 = all the same."
    )

    @field_validator("cells", mode="before")
    @classmethod
    def _cells(cls, value: object) -> object:
        return parse_size(value, "pixel.cells", smallest=2, largest=512)


class PyramidOptions(Options):
    """Layers of color from coarse to fine."""

    finest: int = Field(
        128, ge=4, le=2048, description="Cells along the short side of the finest layer."
    )
    learning_rate: float = Field(0.025, gt=0, le=10, description="Adam step of the layers.")
    decay: float = Field(
        0.5, ge=0, le=2, description="How much slower finer layers learn; 0 = all the same."
    )


class FftOptions(Options):
    """A decorrelated Fourier picture."""

    decay: float = Field(2.0, ge=0, le=4, description="Fall of the spectrum with frequency.")
    contrast: float = Field(1.5, gt=0, le=10, description="Contrast of the picture.")
    colors: float = Field(1.8, gt=0, le=10, description="Colorfulness; larger is more colorful.")
    learning_rate: float = Field(0.1, gt=0, le=10, description="Adam step of the spectrum.")


class VqganOptions(Options):
    """Codes of a VQGAN."""

    model: str = Field(
        "", description="Which VQGAN: empty for the starter's, a name (imagenet_f16_16384), a "
        "checkpoint or its folder.",
    )  # fmt: skip
    config: str = Field(
        "", description="Its configuration, taming's YAML; default: what lies beside it."
    )
    start: Literal["codes", "perlin", "gradient", "snow"] = Field(
        "codes", description="Where it starts without an init image: random codes, or noise."
    )
    learning_rate: float = Field(0.1, gt=0, le=10, description="Adam step of the latents.")
    average: float = Field(
        0.0, ge=0, lt=1, description="The result is a running average of the latents, 0.9 of the "
        "last ten or so updates; 0 = the last latents.",
    )  # fmt: skip
    codes: Literal["latents", "logits"] = Field(
        "latents", description="What is optimized: latents drawn as the nearest codes, or "
        "(experimental) a preference over all codes.",
    )  # fmt: skip
    temperature: float = Field(
        1.0, gt=0, le=100, description="Of the preferences over codes: lower is more decided."
    )
