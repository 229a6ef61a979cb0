"""Options of the built-in filters; their order is that of arguments ("tiler->brick")."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from text2art.options import Options
from text2art.sizes import parse_size

Repeat = Literal["grid", "horizontal", "vertical", "brick", "half-drop", "mirror"]
Group = Literal[
    "p1", "p2", "pm", "pg", "cm", "pmm", "pmg", "pgg", "cmm",
    "p4", "p4m", "p4g", "p3", "p3m1", "p31m", "p6", "p6m",
]  # fmt: skip


Seam = Annotated[float, Field(ge=0, le=1000)]


class LookupOptions(Options):
    """Every pixel in a color of the palette."""

    palette: str = Field("", description="Its colors; default: those of the setting palette.")
    commitment: float = Field(
        1.5, ge=0, le=100, description="How strongly colors are drawn to the one they are shown as."
    )


class TilerOptions(Options):
    """A picture whose edges meet."""

    repeat: Repeat = Field(
        "grid",
        description="How the tiles lie: in a grid, only side by side (horizontal) or one above the "
        "other (vertical), as bricks, as columns that drop by half, or mirrored.",
    )
    seam: Seam = Field(0.1, description="How much the edges are drawn together.")


class WallpaperOptions(Options):
    """A picture that one of the 17 wallpaper groups leaves as it is."""

    group: Group = Field("pmm", description="The group, by its crystallographic name.")
    cells: tuple[int, int] | None = Field(
        None,
        description="Cells of the pattern in the picture, columns x rows; default: the fewest in "
        "which the group's angles come out about right.",
    )
    method: Literal["copy", "mean"] = Field(
        "copy",
        description="Copies of one part of the picture, crisp; or the mean of all its parts, which "
        "has no seams between them.",
    )
    seam: Seam = Field(0.1, description="How much the picture's edges are drawn together.")

    @field_validator("cells", mode="before")
    @classmethod
    def _cells(cls, value: object) -> object:
        return parse_size(value, "wallpaper.cells", smallest=1, largest=64)
