"""What charts are made with: yarns (or beads) and how often each is there, and measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from text2art.errors import SettingsError
from text2art.media.pixelart import palette_of
from text2art.palettes import Color
from text2art.palettes.colors import nearest_name, oklab

Craft = Literal["knit", "cross-stitch", "beads"]
CRAFTS: tuple[Craft, ...] = ("knit", "cross-stitch", "beads")
SYMBOLS = "XO/+=Z#VTN%SLHCAUEKP&DWRYB3279465FGJMQ$*<>?@cenosuvxz"


@dataclass(frozen=True)
class Yarn:
    """One color of a chart.

    Attributes:
        symbol: a character.
        color: what it looks like.
        name: the xkcd survey's name of the nearest color.
        count: how many cells have it.
    """

    symbol: str
    color: Color
    name: str
    count: int


@dataclass(frozen=True)
class Gauge:
    """How large the finished piece is.

    Attributes:
        width: millimeters of a stitch or bead.
        height: millimeters of a row.
        block: cells between heavy lines: 10 stitches, or a pegboard's side.
    """

    width: float
    height: float
    block: int = 10


def gauge_of(
    craft: Craft,
    *,
    stitches: float = 22,
    rows: float = 30,
    aida: float = 14,
    bead: float = 5,
    board: int = 29,
) -> Gauge:
    """Return the measures of a craft.

    Args:
        craft: which.
        stitches: knitted stitches over 10 cm.
        rows: knitted rows over 10 cm.
        aida: cross stitches over an inch.
        bead: millimeters from bead to bead.
        board: beads along a pegboard's side.
    """
    if craft == "knit":
        return Gauge(100 / stitches, 100 / rows)
    if craft == "cross-stitch":
        return Gauge(25.4 / aida, 25.4 / aida)
    return Gauge(bead, bead, board)


def gathered(image: Image.Image) -> tuple[NDArray[np.int64], list[Yarn]]:
    """Return which yarn each cell has, and the yarns that are used."""
    rgba = np.asarray(image.convert("RGBA"))
    clear = rgba[..., 3] < 128
    packed = rgba[..., :3].astype(np.int64) @ (65536, 256, 1)
    codes, place, counts = np.unique(packed[~clear], return_inverse=True, return_counts=True)
    if not len(codes):
        raise SettingsError("the picture is transparent everywhere: there is nothing to chart")
    if len(codes) > len(SYMBOLS):
        raise SettingsError(
            f"the picture has {len(codes)} colors, a chart at most {len(SYMBOLS)}: give a palette, "
            "or the number of colors to bring it down to"
        )
    colors: list[Color] = [(int(c) >> 16, int(c) >> 8 & 255, int(c) & 255) for c in codes]
    wanted = palette_of(image) if image.mode == "P" else sorted(colors, key=oklab)
    order = sorted(range(len(colors)), key=lambda n: wanted.index(colors[n]))
    yarns = [
        Yarn(SYMBOLS[rank], colors[n], nearest_name(colors[n]), int(counts[n]))
        for rank, n in enumerate(order)
    ]
    ranks = np.argsort(np.array(order))
    index = np.full(clear.shape, -1, dtype=np.int64)
    index[~clear] = ranks[place.reshape(-1)]
    return index, yarns


def ink_on(color: Color) -> Color:
    """Return black or white, whichever can be read on a color."""
    return (0, 0, 0) if oklab(color)[0] > 0.6 else (255, 255, 255)
