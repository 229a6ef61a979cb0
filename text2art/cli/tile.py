"""`text2art tile`: how visible the seams of a tile are, and how it looks repeated."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from text2art.cli.boundary import emit
from text2art.media.load import load_picture
from text2art.media.png import check_picture_target, save_picture

if TYPE_CHECKING:
    from torch import Tensor

    from text2art.options.filters import Repeat

_LARGEST = 8192  # pixels: longer sides of previews are reduced
File = Annotated[Path, typer.Argument(metavar="FILE", help="The tile: a picture.")]


class Way(str, Enum):
    """How tiles lie: `options.filters.Repeat`."""

    grid = "grid"
    horizontal = "horizontal"
    vertical = "vertical"
    brick = "brick"
    half_drop = "half-drop"
    mirror = "mirror"


def tile(
    file: File,
    *,
    repeat: Annotated[
        Way,
        typer.Option(
            "--repeat", help="How tiles lie, as tiler.repeat; in a grid unless said otherwise."
        ),
    ] = Way.grid,
    preview: Annotated[
        Path | None,
        typer.Option("--preview", metavar="FILE", help="Also 2x2 tiles as they lie, as a picture."),
    ] = None,
    unit: Annotated[
        Path | None,
        typer.Option(
            "--unit",
            metavar="FILE",
            help="Also the block that repeats in a plain grid: two tiles of bricks, four mirrored.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Print how visible the seams of a tile are.

    The score is the difference of the pixels that meet there over that of neighboring pixels
    nearby: about 1, or less, cannot be told from the rest of the picture; from 2 on it shows.
    """
    targets = [path for path in (preview, unit) if path is not None]
    for path in targets:
        check_picture_target(path)
    picture = load_picture(str(file))
    from text2art import tiling  # torch comes in here, after the cheap checks
    from text2art.media.convert import to_tensor

    image = to_tensor(picture, *picture.size)
    way: Repeat = repeat.value
    found = tiling.seams(image, way)
    if preview is not None:
        _save(tiling.preview(image, way), preview)
    if unit is not None:
        _save(tiling.unit(image, way), unit)
    if as_json:
        numbers: dict[str, Any] = {
            "score": found.score, "across": found.across, "down": found.down, "repeat": way,
        }  # fmt: skip
        emit({name: round(n, 4) if isinstance(n, float) else n for name, n in numbers.items()})
        return
    parts = (("side by side", found.across), ("one above the other", found.down))
    words = ", ".join(f"{name} {seam:.2f}" for name, seam in parts if seam is not None)
    print(f"seam {found.score:.2f} ({words}; 1 = as any two neighboring lines of pixels)")


def _save(image: Tensor, path: Path) -> None:
    from text2art.media.convert import to_pil

    picture = to_pil(image)
    if max(picture.size) > _LARGEST:
        picture.thumbnail((_LARGEST, _LARGEST))
    save_picture(picture, path, None)
