"""Recipes: which looks are taken at a picture in one step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from text2art.cutouts.choices import (
    Uniform,
    jitter,
    perspective,
    place,
    rotate,
    streams_of,
)
from text2art.cutouts.cut import cut
from text2art.looks import Border, Looks
from text2art.options.cutouts import ViewOptions
from text2art.runtime import stream


class ViewSampler:
    """Whole views and zooms, in a share that shifts from composition to detail.

    A whole view is a square window about as large as the short side up to one that holds the whole
    picture; a zoom is a smaller square window anywhere in the picture. Where a window is larger
    than the picture, its ground goes on: any color put there would be taken for the background that
    was asked for, and the picture's own would no longer be drawn.
    """

    def __init__(self, options: ViewOptions, count: int, seed: int | str) -> None:
        self._options = options
        self._count = count
        self._seed = seed

    def choose(self, step: int, progress: float, width: int, height: int) -> Looks:
        """See `looks.Cutouts.choose`."""
        o, n = self._options, self._count
        draw = Uniform(stream(self._seed, f"cutouts/{step}"), n)
        share = o.zoom_start + (o.zoom_end - o.zoom_start) * progress
        zooms = torch.arange(n) < round(share * n)
        short, long = min(width, height), max(width, height)

        whole_side = draw.between(short, long) * draw.between(
            min(o.whole_min, o.whole_max), o.whole_max
        )
        zoom_side = draw.between(min(o.zoom_min, o.zoom_max), o.zoom_max) * short
        side = torch.where(zooms, zoom_side, whole_side)
        # A zoom is anywhere inside; a whole view moves by what is left over, and a little more.
        center = torch.stack(
            [
                draw.between(-1, 1) * ((extent - side).clamp(min=0) / 2 + ~zooms * 0.03 * extent)
                for extent in (width, height)
            ],
            dim=-1,
        )
        size = torch.tensor([width, height], dtype=torch.float32)
        placed = place(center / (size / 2), side[:, None] / size)
        turned = placed @ rotate(draw.between(-o.rotation, o.rotation), draw.below(o.flip))
        matrices = turned @ perspective(draw, o.perspective)
        return Looks(
            matrices=matrices,
            # A mirrored border would let half a subject at the edge pass for a whole one; smeared
            # further out it would be stripes.
            border=torch.where(side <= 1.15 * short, Border.SMEAR, Border.FADE),
            color=jitter(draw, *[o.jitter] * 4),
            noise=draw.between(0, o.noise),
            fill=draw.between(0, 1)[:1].expand(3),
            stream=streams_of(self._seed, step),
        )

    def cut(self, image: Tensor, looks: Looks, size: int) -> Tensor:
        """See `looks.Cutouts.cut`."""
        return cut(image, looks, size)


class PixraySampler:
    """pixray's recipe (`pixray.py` 400-511), by formula.

    60 % zooms: perspective 0.4 (p 0.7), crop of 25-95 % of the area with ratio 0.85-1.2; 40 % wide:
    the whole picture at 90-100 % (moving only along the short side) on the step's random gray,
    perspective 0.2 (p 0.7). All: hue and saturation jitter 0.1 (p 0.8), noise up to 0.1. The
    border of zooms is mirrored and smeared by turns. Departures: views are read from the full
    picture rather than from one pooled to the crop size, and a crop taller or wider than the
    picture is cut to it rather than drawn again.
    """

    def __init__(self, count: int, seed: int | str) -> None:
        self._count = count
        self._seed = seed

    def choose(self, step: int, progress: float, width: int, height: int) -> Looks:
        """See `looks.Cutouts.choose`."""
        n = self._count
        draw = Uniform(stream(self._seed, f"cutouts/{step}"), n)
        zooms = torch.arange(n) < int(0.6 * n)
        fill = draw.between(0, 1)[:1].expand(3)
        aspect = width / height

        # A crop of an area share and a width/height ratio, anywhere inside.
        area, ratio = draw.between(0.25, 0.95), draw.between(math.log(0.85), math.log(1.2)).exp()
        sides = torch.tensor([max(aspect, 1.0), max(1 / aspect, 1.0)])  # the short side is 1
        pixels = area * sides.prod()
        crop = torch.stack([(pixels * ratio).sqrt(), (pixels / ratio).sqrt()], dim=-1)
        crop = (crop / sides).clamp(max=1)
        offset = torch.stack([draw.between(-1, 1), draw.between(-1, 1)], dim=-1) * (1 - crop)
        zoomed = perspective(draw, 0.4 * draw.below(0.7)) @ place(offset, crop)

        # The whole picture, letterboxed into the square, shifted along the padded side (a square
        # one by 2.5 % of its side, which is 0.05 in coordinates from -1 to 1).
        long = max(aspect, 1 / aspect)
        scale = torch.full((n,), 0.95) if aspect == 1 else draw.between(0.9, 1)
        shift = draw.between(-0.05, 0.05) if aspect == 1 else draw.between(-1, 1) * (1 - 1 / long)
        across = draw.between(-0.05, 0.05) if aspect == 1 else torch.zeros(n)
        window = torch.tensor([max(1 / aspect, 1.0), max(aspect, 1.0)]) / scale[:, None]
        moved = torch.stack([across, shift] if aspect >= 1 else [shift, across], dim=-1)
        wide = place(moved * window, window) @ perspective(draw, 0.2 * draw.below(0.7))

        jittered = draw.below(0.8) * 0.1
        return Looks(
            matrices=torch.where(zooms[:, None, None], zoomed, wide),
            border=torch.where(zooms, Border.SMEAR if step % 2 else Border.MIRROR, Border.FILL),
            color=jitter(draw, 0.0, 0.0, jittered, jittered),
            noise=draw.between(0, 0.1),
            fill=fill,
            stream=streams_of(self._seed, step),
        )

    def cut(self, image: Tensor, looks: Looks, size: int) -> Tensor:
        """See `looks.Cutouts.cut`."""
        return cut(image, looks, size)


def pixray_sampler(options: None, count: int, seed: int | str) -> PixraySampler:
    """Build pixray's recipe; it has no options."""
    return PixraySampler(count, seed)
