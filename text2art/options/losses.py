"""Options of the built-in losses. Their order is that of arguments in `losses` ("edge->10")."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from text2art.errors import SettingsError
from text2art.options import Options
from text2art.options.drawers import ColorText

_MARGINS = re.compile(r"[\s,x]+")


def _margins(value: object) -> object:
    """Read "5 5 0 10" into four numbers; nothing stays nothing."""
    parts = [p for p in _MARGINS.split(value.strip()) if p] if isinstance(value, str) else value
    if parts is None or parts == []:
        return None
    try:
        numbers = tuple(float(part) for part in parts)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 4 or not all(0 <= n <= 100 for n in numbers):
        raise SettingsError(
            f"edge.margins {value!r}: give four percents, left right top bottom, as '5 5 0 10'"
        )
    return numbers


def _odd(value: int) -> int:
    if value and value % 2 == 0:
        raise SettingsError(f"smoothness.kernel {value}: give an odd number of pixels, or 0")
    return value


Margins = Annotated[tuple[float, ...] | None, BeforeValidator(_margins)]


class SmoothnessOptions(Options):
    """How unevenness is measured."""

    kind: Literal["isotropic", "anisotropic", "vectorial", "clipped", "log"] = Field(
        "isotropic",
        description="Total variation, alike in all directions; anisotropic, which makes blocks; "
        "vectorial, pixray's default; clipped, which leaves sharp edges alone; log, which minds "
        "them less.",
    )
    kernel: Annotated[int, AfterValidator(_odd)] = Field(
        0, ge=0, le=99, description="Side of a Gaussian blur before, in pixels, odd; 0 = none."
    )
    std: float = Field(1.0, gt=0, le=50, description="Standard deviation of that blur, pixels.")
    spacing: float = Field(
        1.0, gt=0, le=100, description="What differences are divided by (pixray's kinds)."
    )
    edge_order: int = Field(
        1,
        ge=1,
        le=2,
        description="Order of the differences at the picture's edge (pixray's kinds).",
    )


class SymmetryOptions(Options):
    """Which halves look alike."""

    kind: Literal["horizontal", "vertical", "both", "rotational"] = Field(
        "horizontal",
        description="Left equals right, top equals bottom, both, or the picture equals itself "
        "turned upside down.",
    )


class EdgeOptions(Options):
    """A border of one color, or of another picture."""

    thickness: float = Field(
        5.0, gt=0, le=50, description="Thickness of the border, percent of width and height."
    )
    color: ColorText = Field("white", description="Color of the border, #rrggbb or a CSS name.")
    margins: Margins = Field(
        None, description="Thickness of each side in place of that: left right top bottom."
    )
    color_weight: float = Field(0.1, ge=0, le=1000, description="How much the border counts.")
    global_weight: float = Field(
        0.05, ge=0, le=1000, description="How much the whole picture counts beside the border."
    )
    image: str = Field(
        "", description="Picture that the border resembles in place of a color: a file or URL."
    )
    mask: str = Field(
        "", description="Mask in place of the border: where it is black, the color is wanted."
    )


class GaussianOptions(Options):
    """A color that the picture fades to, away from its middle."""

    color: ColorText = Field("white", description="Color at the edge, #rrggbb or a CSS name.")
    width: float = Field(
        40.0, gt=0, le=1000, description="Standard deviation across, percent of the width."
    )
    height: float = Field(
        40.0, gt=0, le=1000, description="Standard deviation down, percent of the height."
    )


class StyleOptions(Options):
    """A picture whose colors and textures are taken over, not what it shows."""

    file: str = Field("", description="Picture of the style: a file or http(s) URL.")
    size: float = Field(
        1.0, ge=0.1, le=4, description="How large its textures come out; 1 = as at equal areas."
    )
    levels: int = Field(
        4, ge=1, le=8, description="Octaves of textures, from the finest to coarser ones."
    )
    vgg: str = Field(
        "", description="Weights of a VGG network (a file) whose features are compared instead."
    )


class AestheticOptions(Options):
    """A taste learnt from ratings: a head on the embeddings of one perceptor."""

    weights: str = Field(
        "", description="Weights of the head: a .safetensors or .pt file of linear layers."
    )
    target: float = Field(
        10.0, ge=-1000, le=1000, description="Rating to reach; LAION's go from 1 to 10."
    )
    perceptor: str = Field(
        "", description="Whose embeddings it rates; default: all whose size it fits."
    )


class RangeOptions(Options):
    """Colors that are not too dark and not too bright."""

    low: float = Field(0.05, ge=0, le=1, description="Below this, channels cost.")
    high: float = Field(0.95, ge=0, le=1, description="Above this, channels cost.")
