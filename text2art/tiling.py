"""Tiles: how they lie beside each other, and how visible their seams are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from text2art.options.filters import Repeat

_LEVEL = 1 / 255  # one step of an 8-bit channel: no difference below it can be seen
_WIDEST = 16  # bands beside a seam are compared up to this part of the picture


def unit(image: Tensor, repeat: Repeat) -> Tensor:
    """Return the smallest block of tiles that repeats in a plain grid.

    Args:
        image: `(..., H, W)`, the tile.
        repeat: how tiles lie; see `options.filters.TilerOptions`.
    """
    height, width = image.shape[-2:]
    if repeat == "brick":
        return torch.cat([image, image.roll(width // 2, -1)], dim=-2)
    if repeat == "half-drop":
        return torch.cat([image, image.roll(height // 2, -2)], dim=-1)
    if repeat == "mirror":
        row = torch.cat([image, image.flip(-1)], dim=-1)
        return torch.cat([row, row.flip(-2)], dim=-2)
    return image


def window(image: Tensor, repeat: Repeat, draw: torch.Generator) -> Tensor:
    """Return what a frame of the tile's size shows that lies anywhere on the tiling."""
    height, width = image.shape[-2:]
    block = unit(image, repeat)
    down = 0 if repeat == "horizontal" else _below(block.shape[-2], draw)
    across = 0 if repeat == "vertical" else _below(block.shape[-1], draw)
    return block.roll((-down, -across), (-2, -1))[..., :height, :width]


def _below(count: int, draw: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=draw))


def preview(image: Tensor, repeat: Repeat, columns: int = 2, rows: int = 2) -> Tensor:
    """Return columns x rows tiles as they lie, one row or column where they only go that way."""
    height, width = image.shape[-2:]
    columns = 1 if repeat == "vertical" else columns
    rows = 1 if repeat == "horizontal" else rows
    block = unit(image, repeat)
    plain = block.repeat(*[1] * (image.dim() - 2), rows, columns)
    return plain[..., : rows * height, : columns * width]


@dataclass(frozen=True)
class Seams:
    """How visible the seams of a tile are; 1 = as any two neighboring lines of pixels.

    Attributes:
        across: of the seam between tiles side by side, None where there is none.
        down: of the seam between tiles one above the other.
    """

    across: float | None
    down: float | None

    @property
    def score(self) -> float:
        """The more visible one."""
        return max(seam for seam in (self.across, self.down) if seam is not None)


def bands(image: Tensor, dim: int) -> list[int]:
    """Return the widths at which both sides of a seam are compared: 1, 2, 4, ... pixels."""
    widest = max(1, image.shape[dim] // _WIDEST)
    return [2**power for power in range(widest.bit_length())]


def meetings(image: Tensor, repeat: Repeat, band: int = 1) -> tuple[Tensor | None, Tensor | None]:
    """Return the differences of what meets at the seams of `(1, C, H, W)`.

    Args:
        image: the tile.
        repeat: how tiles lie.
        band: how many lines on each side are averaged before they are compared.

    Returns:
        across the seam between tiles side by side, `(1, C, H)`, and that between tiles one above
        the other, `(1, C, W)`; None where there is no such seam.
    """
    height, width = image.shape[-2:]
    right, bottom = image[..., -band:].mean(dim=-1), image[..., -band:, :].mean(dim=-2)
    if repeat == "mirror":  # each tile goes on as it ends
        return right - right, bottom - bottom
    left, top = image[..., :band].mean(dim=-1), image[..., :band, :].mean(dim=-2)
    if repeat == "half-drop":
        left = left.roll(height // 2, -1)
    if repeat == "brick":
        top = top.roll(width // 2, -1)
    return (
        None if repeat == "vertical" else left - right,
        None if repeat == "horizontal" else top - bottom,
    )


@torch.no_grad()
def seams(image: Tensor, repeat: Repeat = "grid") -> Seams:
    """Measure the seams of `(1, 3 or 4, H, W)`.

    A seam's score is the mean difference of the lines of pixels that meet there, over that of all
    neighboring lines; and the same of bands of 2, 4, ... lines up to a sixteenth of the picture, so
    that a jump is found that a few lines hide; the largest counts. Lines equal to the one before
    them are passed over: pixel art is measured by its cells. Both means are raised by one 8-bit
    level, below which nothing is seen.
    """
    if image.shape[1] == 4:  # what is transparent has no color
        image = torch.cat([image[:, :3] * image[:, 3:], image[:, 3:]], dim=1)
    scores: list[list[float]] = [[], []]
    for place, dim in enumerate((-1, -2)):
        single = _without_repeats(image, dim)
        for band in bands(single, dim):
            meeting = meetings(single, repeat, band)[place]
            if meeting is not None:
                scores[place].append(_score(meeting, single, dim, band))
    across, down = (max(found) if found else None for found in scores)
    return Seams(across, down)


def _without_repeats(image: Tensor, dim: int) -> Tensor:
    """Leave out columns (or rows) that equal the one before them."""
    others = [d for d in range(image.dim()) if d != image.dim() + dim]
    new = (image.diff(dim=dim).abs().amax(dim=others) > 0).nonzero()[:, 0] + 1
    return image.index_select(dim, torch.cat([new.new_zeros(1), new]))


def _score(meeting: Tensor, image: Tensor, dim: int, band: int) -> float:
    """Compare what meets at a seam with what meets anywhere in the picture."""
    lines = image.transpose(dim, -1).unfold(-1, band, 1).mean(dim=-1)
    apart = lines[..., band:] - lines[..., :-band]
    ordinary = apart.abs().mean() if apart.numel() else torch.zeros(())
    return float((meeting.abs().mean() + _LEVEL) / (ordinary + _LEVEL))
