"""Pictures of filled blobs: few large ones, then many small ones on top."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from text2art.core import Canvas
from text2art.drawers.vector import FAINT_START, Paths, VectorDrawer, Ways, stage_of
from text2art.options.drawers import ShapesOptions

_RAGGED = 0.15  # how far points of a new blob lie off its circle, of the radius


class ShapesDrawer(VectorDrawer):
    """Closed outlines of cubic curves, filled. New ones start as circles that cover the picture.

    Large to small as LIVE adds its paths (arXiv:2206.04655), but by a fixed plan: without a target
    picture there is no error to place them by.
    """

    def __init__(self, canvas: Canvas, options: ShapesOptions) -> None:
        percent = canvas.height / 100
        count = options.shapes
        draw = canvas.stream("shapes/start")
        stage = stage_of(count, options.stages)
        alike = torch.bincount(stage)[stage]  # how many come in together
        area = canvas.width * canvas.height / alike
        radius = options.size * (area / math.pi).sqrt()
        center = torch.rand(count, 2, generator=draw) * torch.tensor([canvas.width, canvas.height])
        ragged = 1 + _RAGGED * torch.randn(count, 3 * options.segments, 1, generator=draw)
        outline = radius[:, None, None] * ragged * _circle(options.segments)
        colors = torch.rand(count, 4, generator=draw)
        faint = canvas.transparent and canvas.palette is None
        colors[:, 3] = FAINT_START if faint else options.opacity
        paths = Paths(
            points=(center[:, None] + outline).flatten(0, 1),
            segments=(options.segments,) * count,
            widths=torch.zeros(count),
            colors=colors,
            closed=True,
        )
        rates = {"points": options.points_rate * percent, "colors": options.colors_rate}
        if options.learn_background:
            rates["background"] = options.colors_rate
        ways = Ways(
            rates=rates, softness=options.softness, stages=options.stages, revive=options.revive
        )
        super().__init__(canvas, paths, options.background, ways)


def _circle(segments: int) -> Tensor:
    """Return the points of a unit circle of cubic segments, `(3 * segments, 2)`."""
    angle = torch.arange(segments) * (2 * math.pi / segments)
    on = torch.stack([angle.cos(), angle.sin()], dim=-1)
    along = torch.stack([-angle.sin(), angle.cos()], dim=-1) * (
        4 / 3 * math.tan(math.pi / (2 * segments))
    )
    after = torch.cat([on - along, (on - along)[:1]])[1:]  # the control before the next point
    return torch.stack([on, on + along, after], dim=1).flatten(0, 1)
