"""Pictures of brush strokes and of pen lines: CLIPDraw (arXiv:2106.14843) and pixray's drawers."""

from __future__ import annotations

import torch
from PIL import ImageColor
from torch import Tensor

from text2art.core import Canvas
from text2art.drawers.vector import Paths, VectorDrawer, Ways, stage_of
from text2art.options.drawers import ClipdrawOptions, LineOptions
from text2art.runtime import move, placed

_STEP = 0.1  # CLIPDraw: a control point is at most half of this from the last one, by axis


class ClipdrawDrawer(VectorDrawer):
    """Translucent strokes of 1 to `segments` cubic curves on a plain background.

    As in CLIPDraw, each stroke is a short random walk from anywhere. Departures: strokes have 1, 2,
    3, 1, ... segments in turn rather than by chance, edges are soft at first, the first strokes are
    coarser than the later ones (`stages`), and colors learn faster (CLIPDraw's Adam steps are 0.01;
    pictures of few steps stayed pale). Widths are painted widths, diffvg's are half of it.
    """

    def __init__(self, canvas: Canvas, options: ClipdrawOptions) -> None:
        percent = canvas.height / 100
        low, high, start = options.widths
        segments = tuple(i % options.segments + 1 for i in range(options.strokes))
        coarse = 2 ** ((options.stages - 1 - stage_of(options.strokes, options.stages)) / 2)
        draw = canvas.stream("clipdraw/start")
        size = torch.tensor([canvas.width, canvas.height])
        first = torch.rand(options.strokes, 1, 2, generator=draw)
        steps = _STEP * (torch.rand(options.strokes, 3 * options.segments, 2, generator=draw) - 0.5)
        walk = torch.cat([first, first + (coarse[:, None, None] * steps).cumsum(1)], dim=1)
        paths = Paths(
            points=_flat(walk * size, segments),
            segments=segments,
            widths=start * percent * coarse,
            colors=torch.rand(options.strokes, 4, generator=draw),
        )
        rates = {
            "points": options.points_rate * percent,
            "widths": options.widths_rate * percent,
            "colors": options.colors_rate,
        }
        if options.learn_background:
            rates["background"] = options.colors_rate
        ways = Ways(
            rates=rates,
            widths=(low * percent, high * percent),
            softness=options.softness,
            stages=options.stages,
            revive=options.revive,
        )
        super().__init__(canvas, paths, options.background, ways)


class LineDrawer(VectorDrawer):
    """A few long lines of one ink on paper: pixray's line_sketch.

    With a palette every line has the color of it that suits best, as from a set of pens.
    """

    def __init__(self, canvas: Canvas, options: LineOptions) -> None:
        percent = canvas.height / 100
        low, high, start = options.widths
        draw = canvas.stream("line/start")
        count, size = options.strokes, torch.tensor([canvas.width, canvas.height])
        first = 0.5 + 0.5 * (torch.rand(count, 1, 2, generator=draw) - 0.5)
        steps = (torch.rand(count, 3 * options.segments, 2, generator=draw) - 0.5) / (
            options.segments + 2
        )
        steps[..., 0] *= canvas.height / canvas.width  # as far across as down
        walk = torch.cat([first, first + steps.cumsum(1)], dim=1)
        self._inner = torch.arange(3 * options.segments + 1) % 3 != 0
        ink = torch.tensor([*ImageColor.getrgb(options.ink)[:3], 255]) / 255
        colors = ink.repeat(count, 1)
        rates = {
            "points": options.points_rate * percent,
            "widths": options.widths_rate * percent,
        }
        if canvas.palette is not None:
            colors[:, :3] = torch.rand(count, 3, generator=draw)
            rates["colors"] = options.colors_rate
        if options.learn_paper:
            rates["background"] = options.colors_rate
        paths = Paths(
            points=(walk * size).flatten(0, 1),
            segments=(options.segments,) * count,
            widths=torch.full((count,), start * percent),
            colors=colors,
        )
        ways = Ways(
            rates=rates,
            widths=(low * percent, high * percent),
            softness=options.softness,
        )
        super().__init__(canvas, paths, options.paper, ways)

    def _place_(self, picture: Tensor) -> None:
        """Spread the lines over what is unlike the paper."""
        far = (picture - self.background[None, :, None, None]).square().sum(1).flatten() + 1e-4
        count, height, width = len(self._segments), *picture.shape[-2:]
        chosen = torch.multinomial(far.cpu(), count, replacement=True, generator=self._draw)
        y, x = chosen // width, chosen % width
        at = torch.stack([x, y], dim=-1) + 0.5
        scale = torch.tensor(self._size) / torch.tensor([width, height])
        self._move_(at * scale, torch.arange(count))

    @torch.no_grad()
    def project_(self) -> None:
        """See `core.Drawer.project_`; the ends of curves stay on the paper."""
        super().project_()
        ends = ~move(self._inner.repeat(len(self._segments)), self.points)
        size = placed(self._size, self.points)
        kept = torch.minimum(self.points.clamp(min=0), size)
        self.points.copy_(torch.where(ends[:, None], kept, self.points))


def _flat(points: Tensor, segments: tuple[int, ...]) -> Tensor:
    """Return the first 3s + 1 of each path's points, one path after another."""
    count = 3 * torch.tensor(segments)[:, None] + 1
    return points[torch.arange(points.shape[1]) < count]
