"""Options of the built-in drawers."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from PIL import ImageColor
from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import Self

from text2art.errors import SettingsError
from text2art.options import Options
from text2art.sizes import parse_size


def _color(value: str) -> str:
    try:
        ImageColor.getrgb(value)
    except ValueError:
        # Of pydantic's own kind, so that the message begins with the name of the option.
        raise PydanticCustomError("color", "no color: write #rrggbb or a CSS name") from None
    return value


ColorText = Annotated[str, AfterValidator(_color)]
Softness = Annotated[float, Field(ge=1, le=16)]


class PixelOptions(Options):
    """Pixel art."""

    cells: tuple[int, int] | None = Field(
        None, description="Columns x rows, as 48x48; default: 48 along the short side."
    )
    cell: Literal["rect", "rectshift", "hex", "tri", "diamond", "knit"] = Field(
        "rect", description="Shape of the cells; they are regular unless cells says otherwise."
    )
    palette_mode: Literal["snap", "hard", "learned"] = Field(
        "snap", description="How cells come by a palette's colors: snap, the nearest one; hard, "
        "one chosen among all by chance, ever more surely; learned, colors found with the picture, "
        "from those of palette on if there is one.",
    )  # fmt: skip
    colors: int = Field(
        16, ge=2, le=256, description="Number of colors of a learned palette, unless palette has "
        "some.",
    )  # fmt: skip
    shades: int = Field(
        1, ge=1, le=16, description="A learned palette is of whole ramps of so many shades, from "
        "dark to light, as many as the number of colors has room for; 1 = each color by itself.",
    )  # fmt: skip
    colors_rate: float = Field(
        0.02, gt=0, le=10, description="Adam step of a learned palette's colors."
    )
    temperature: float = Field(
        3.0, gt=0, le=100, description="How undecided cells of a hard palette are at the start."
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

    decay: float = Field(1.2, ge=0, le=4, description="Fall of the spectrum with frequency.")
    contrast: float = Field(3.0, gt=0, le=10, description="Contrast of the picture.")
    colors: float = Field(1.8, gt=0, le=10, description="Colorfulness; larger is more colorful.")
    learning_rate: float = Field(0.15, gt=0, le=10, description="Adam step of the spectrum.")


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
    sketch: float | None = Field(
        None, ge=0, le=0.95, description="Share of the run that draws layers of color, as the "
        "pyramid's, before the VQGAN takes the picture on; 0 = none, as VQGAN+CLIP always was. "
        "Default: 0.8 with the starter's VQGAN, 0 with others. With start=codes alone.",
    )  # fmt: skip
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


class PathOptions(Options):
    """What drawers of paths have in common."""

    softness: Softness = Field(
        3.0, description="Pixels over which edges fade at the start; at the end they are crisp."
    )
    points_rate: float = Field(
        0.45, gt=0, le=10, description="Adam step of the points, percent of the height."
    )


class StrokeOptions(PathOptions):
    """What drawers of strokes have in common; each describes its own widths."""

    drawer: ClassVar[str]
    min_width: float | None
    max_width: float | None
    widths_rate: float = Field(
        0.05, gt=0, le=10, description="Adam step of the widths, percent of the height."
    )

    @model_validator(mode="after")
    def _widths_in_order(self) -> Self:
        low, high = self.min_width, self.max_width
        if low is not None and high is not None and low > high:
            raise SettingsError(
                f"{self.drawer}.min_width {low:g} is above {self.drawer}.max_width {high:g}: "
                "swap them"
            )
        return self


class ClipdrawOptions(StrokeOptions):
    """Brush strokes."""

    drawer: ClassVar[str] = "clipdraw"
    strokes: int = Field(256, ge=1, le=4096, description="Number of strokes.")
    segments: int = Field(
        3, ge=1, le=16, description="Most curves in a stroke; strokes have 1, 2, ... in turn."
    )
    parametrization: Literal["pixray", "original"] = Field(
        "pixray", description="Whose widths strokes start from and keep to, unless they are given: "
        "pixray's, or the original CLIPDraw's (thin ones that may grow wide).",
    )  # fmt: skip
    min_width: float | None = Field(
        None, gt=0, le=100, description="Least painted width of a stroke, percent of the height."
    )
    max_width: float | None = Field(
        None, gt=0, le=100, description="Largest painted width of a stroke, percent of the height."
    )
    background: ColorText = Field("white", description="Color behind the strokes.")
    learn_background: bool = Field(False, description="Whether the background's color is learned.")
    stages: int = Field(
        3, ge=1, le=8, description="Stages in which strokes come in; each doubles their number, "
        "and the first ones are coarser. 1 = all at once.",
    )  # fmt: skip
    revive: bool = Field(
        True, description="Start strokes anew that are transparent or out of the picture."
    )
    colors_rate: float = Field(0.04, gt=0, le=1, description="Adam step of the colors.")

    @property
    def widths(self) -> tuple[float, float, float]:
        """Least, largest and first painted width, in percent of the height."""
        # pixray's are radii of 1 to 5 percent; CLIPDraw's 1 to 50 of 224 pixels, from 1 on.
        usual = (2.0, 10.0) if self.parametrization == "pixray" else (200 / 224, 10000 / 224)
        low, high = _limits(self.min_width, self.max_width, *usual)
        return low, high, max(low, (low + high) / 4) if self.parametrization == "pixray" else low


class LineOptions(StrokeOptions):
    """Pen lines on paper."""

    drawer: ClassVar[str] = "line"
    strokes: int = Field(24, ge=1, le=4096, description="Number of lines.")
    segments: int = Field(8, ge=1, le=64, description="Curves in a line.")
    min_width: float | None = Field(
        None, gt=0, le=100, description="Least painted width of a line, percent of the height; "
        "default: 0.7.",
    )  # fmt: skip
    max_width: float | None = Field(
        None, gt=0, le=100, description="Largest painted width of a line, percent of the height; "
        "default: 4.",
    )  # fmt: skip
    ink: ColorText = Field("black", description="Color of the lines, unless there is a palette.")
    paper: ColorText = Field("#f2eecb", description="Color of the paper.")
    learn_paper: bool = Field(False, description="Whether the paper's color is learned.")
    colors_rate: float = Field(
        0.03, gt=0, le=1, description="Adam step of the paper's color, and of lines on a palette."
    )

    @property
    def widths(self) -> tuple[float, float, float]:
        """Least, largest and first painted width, in percent of the height."""
        low, high = _limits(self.min_width, self.max_width, 0.7, 4.0)
        return low, high, max(low, (low + high) / 4)


class ShapesOptions(PathOptions):
    """Filled blobs."""

    shapes: int = Field(96, ge=1, le=4096, description="Number of shapes.")
    segments: int = Field(4, ge=3, le=16, description="Curves in an outline.")
    size: float = Field(
        1.0, gt=0, le=4, description="Size of new shapes: 1 = those of a stage would cover the "
        "picture once.",
    )  # fmt: skip
    opacity: float = Field(0.9, gt=0, le=1, description="Opacity that shapes start with.")
    background: ColorText = Field("#808080", description="Color behind the shapes.")
    learn_background: bool = Field(True, description="Whether the background's color is learned.")
    stages: int = Field(
        4, ge=1, le=8, description="Stages in which shapes come in; each doubles their number, "
        "the largest ones first. 1 = all at once, of one size.",
    )  # fmt: skip
    revive: bool = Field(
        True, description="Start shapes anew that are transparent or out of the picture."
    )
    colors_rate: float = Field(0.03, gt=0, le=1, description="Adam step of the colors.")


def _limits(
    low: float | None, high: float | None, usual_low: float, usual_high: float
) -> tuple[float, float]:
    """Return both limits; one that is not given makes room for the one that is."""
    if low is None:
        low = usual_low if high is None else min(usual_low, high)
    return low, max(usual_high, low) if high is None else high
