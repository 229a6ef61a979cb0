"""Pictures of paths: what the drawers of strokes and of shapes have in common."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from PIL import ImageColor
from torch import Tensor, nn
from torch.nn import functional as F

from text2art.abilities import PLAIN_SVG, SvgStyle
from text2art.color import Snap, premultiplied, taken
from text2art.core import Canvas, Drawer, ParamGroup
from text2art.media.svg import Drawing, document, scene_drawing
from text2art.raster import Scene, render
from text2art.runtime import move, placed

CRISP = 0.75  # of the run is over when edges are as sharp as they get
GROWN = 0.4  # of the run is over when the last paths come in
_REVIVED = 0.7  # of the run is over when paths that show nothing are left alone
_FAINT = 0.05  # opacity below which a path shows nothing
FAINT_START = 0.3  # opacity of new paths on nothing: opaque ones would cover all of it
_MARGIN = 0.25  # of a side: how far out of the picture points may go
_FIT_STEPS = 30


@dataclass(frozen=True)
class Paths:
    """How paths start.

    Attributes:
        points: `(P, 2)` in pixels, as in `raster.Scene`.
        segments: number of segments of each path; it must not depend on the seed.
        widths: `(n,)` painted widths in pixels.
        colors: `(n, 4)`.
        closed: whether they are filled shapes, else strokes.
    """

    points: Tensor
    segments: tuple[int, ...]
    widths: Tensor
    colors: Tensor
    closed: bool = False


@dataclass(frozen=True)
class Ways:
    """How paths learn, and between which limits.

    Attributes:
        rates: Adam steps of what is learned, by name: points and widths in pixels, colors,
            background. What is not named stays as it is.
        widths: smallest and largest painted width in pixels.
        softness: pixels over which edges fade at the start of a run.
        stages: in how many steps paths come in; each doubles their number.
        revive: whether paths that show nothing start anew.
    """

    rates: Mapping[str, float]
    widths: tuple[float, float] = (0.0, 0.0)
    softness: float = 1.0
    stages: int = 1
    revive: bool = False


class VectorDrawer(Drawer):
    """Paths in painter's order on a background, drawn by `text2art.raster`.

    Edges are soft at the start of a run, so that gradients reach further, and crisp at its end.
    Paths come in by and by, coarse ones first. With a palette, every path and the background have
    exactly one of its colors, and a path is either opaque or not there. On a transparent canvas
    there is no background.
    """

    has_alpha = True

    def __init__(self, canvas: Canvas, paths: Paths, background: str, ways: Ways) -> None:
        super().__init__()
        if canvas.transparent:
            rates = {name: rate for name, rate in ways.rates.items() if name != "background"}
            ways = replace(ways, rates=rates)
        self._ways = ways
        self._channels = 4 if canvas.transparent else 3
        self._size = (canvas.width, canvas.height)
        self._closed = paths.closed
        self._segments = torch.tensor(paths.segments)
        points = 3 * self._segments + (0 if paths.closed else 1)
        self._offsets = torch.cat([torch.zeros(1, dtype=torch.long), points.cumsum(0)])
        path = torch.repeat_interleave(points)
        self._path_of_point: Tensor
        self.register_buffer("_path_of_point", path, persistent=False)
        self._stage = _stages(len(paths.segments), ways.stages)
        self._present = self._stage[0]
        self._progress = 0.0
        self._draw = canvas.stream("vector/anew")
        self.points: Tensor
        self.widths: Tensor
        self.colors: Tensor
        self.background: Tensor
        behind = torch.tensor(ImageColor.getrgb(background)[:3]) / 255
        for name, value in (
            ("points", paths.points),
            ("widths", paths.widths),
            ("colors", paths.colors),
            ("background", behind),
        ):
            if name in ways.rates:
                self.register_parameter(name, nn.Parameter(value.clone()))
            else:
                self.register_buffer(name, value.clone())
        self._snap = None if canvas.palette is None else Snap(canvas.palette)
        self.to(canvas.device)
        self.project_()

    # ---- the picture -----------------------------------------------------------------------

    def forward(self) -> Tensor:
        """See `core.Drawer.forward`."""
        behind = self._behind() if self._channels == 3 else None
        drawn = render(self.scene(), background=behind, softness=self._softness)
        return drawn[:, : self._channels]

    def scene(self) -> Scene:
        """Return the paths that are there by now."""
        n = self._present
        width, height = self._size
        return Scene(
            width=width,
            height=height,
            points=self.points[: int(self._offsets[n])],
            offsets=self._offsets[: n + 1],
            segments=self._segments[:n],
            closed=self._closed,
            stroke_width=self.widths[:n],
            color=self._inks()[:n],
        )

    def svg(self, style: SvgStyle = PLAIN_SVG) -> str:
        """See `abilities.SvgSource.svg`."""
        return document(self.drawing(), style)

    @torch.no_grad()
    def drawing(self) -> Drawing:
        """See `media.svg.DrawingSource.drawing`."""
        behind = self._behind()[0, :, 0, 0].tolist() if self._channels == 3 else None
        return scene_drawing(self.scene(), behind)

    @property
    def _softness(self) -> float:
        left = max(0.0, 1 - self._progress / CRISP) if self.training else 0.0
        return 1 + (self._ways.softness - 1) * left

    def _inks(self) -> Tensor:
        if self._snap is None:
            return self.colors
        color, alpha = self.colors[:, :3], self.colors[:, 3:]
        snapped = self._snap(color.T[None, :, None])[0, :, 0].T
        return torch.cat([snapped, alpha + (alpha.round() - alpha).detach()], dim=1)

    def _behind(self) -> Tensor:
        behind = self.background[None, :, None, None]
        return behind if self._snap is None else self._snap(behind)

    # ---- learning --------------------------------------------------------------------------

    def groups(self) -> list[ParamGroup]:
        """See `core.Drawer.groups`."""
        named = dict(self.named_parameters())
        return [
            ParamGroup(name=name, params=[named[name]], lr=rate, weight_decay=0.0)
            for name, rate in self._ways.rates.items()
        ]

    @torch.no_grad()
    def project_(self) -> None:
        """See `core.Drawer.project_`."""
        size = placed(self._size, self.points)
        low, high = -_MARGIN * size, (1 + _MARGIN) * size
        self.points.copy_(torch.maximum(torch.minimum(self.points, high), low))
        self.widths.clamp_(*self._ways.widths)
        self.colors.clamp_(0, 1)
        self.background.clamp_(0, 1)

    @torch.no_grad()
    def at_(self, progress: float) -> None:
        """See `abilities.Annealed.at_`."""
        before, self._progress = self._progress, progress
        stage = min(int(len(self._stage) * progress / GROWN), len(self._stage) - 1)
        if self._stage[stage] > self._present:
            born = torch.arange(self._present, self._stage[stage])
            picture = self()
            self._present = self._stage[stage]
            self._take_colors_(picture, born)
        tenths = int(10 * before), int(10 * progress)
        if self._ways.revive and tenths[0] < tenths[1] and progress <= _REVIVED:
            self._revive_()

    def _revive_(self) -> None:
        """Move what shows nothing to some other place, in the colors found there."""
        x, y = self.points.unbind(-1)
        width, height = self._size
        outside = (x < 0) | (y < 0) | (x > width) | (y > height)
        inside = self._per_path((~outside).float()[:, None])[:, 0] > 0
        dead = (~inside | (self.colors[:, 3] < _FAINT))[: self._present].nonzero()[:, 0]
        if not len(dead):
            return
        picture = self()
        anywhere = torch.rand(len(self._segments), 2, generator=self._draw)
        self._move_(anywhere * torch.tensor(self._size), dead)
        self._take_colors_(picture, dead)

    def _move_(self, centers: Tensor, paths: Tensor) -> None:
        """Move some paths, as they are, to their place among all `centers`, `(n, 2)` in pixels."""
        away = move(centers.to(self.points.dtype), self.points) - self._per_path(self.points)
        shift = torch.zeros_like(away)
        shift[paths] = away[paths]
        self.points.add_(shift[self._path_of_point])

    def _per_path(self, values: Tensor) -> Tensor:
        """Return the mean over each path's points, `(n, C)` from `(P, C)`."""
        count = move(torch.diff(self._offsets).to(values.dtype), values)
        sums = values.new_zeros(len(count), values.shape[1])
        return sums.index_add_(0, self._path_of_point, values) / count[:, None]

    def _take_colors_(self, picture: Tensor, paths: Tensor) -> Tensor:
        """Give paths the mean color of a picture at their points; opaque enough to matter.

        Returns:
            the means of all paths, `(n, 3 or 4)`.
        """
        at = 2 * self.points / placed(self._size, self.points) - 1
        found = F.grid_sample(
            picture, at[None, None], mode="bilinear", padding_mode="border", align_corners=False
        )
        colors = self._per_path(found[0, :, 0].T)
        if "colors" in self._ways.rates:
            self.colors[paths, :3] = colors[paths, :3]
            # On a palette, what is less than half opaque is not there.
            faint = self._channels == 4 and self._snap is None
            low = FAINT_START if faint else 0.6
            self.colors[paths, 3] = self.colors[paths, 3].clamp(min=low)
        return colors

    # ---- starting from a picture -----------------------------------------------------------

    @torch.no_grad()
    def fit_(self, picture: Tensor) -> None:
        """See `core.Drawer.fit_`: colors from the picture, then a short descent."""
        picture = taken(picture, self._channels)
        self._present = len(self._segments)  # there is no time for coarse ones first
        self.background.copy_(self._background_of(picture[:, :3]))
        self._place_(picture[:, :3])
        found = self._take_colors_(picture, torch.arange(self._present))
        if "colors" in self._ways.rates:
            self.colors[:, 3] = 1.0 if found.shape[1] == 3 else found[:, 3]
        self._descend_(picture)

    @torch.no_grad()
    def adjust_(self, picture: Tensor) -> None:
        """See `core.Drawer.adjust_`: a short descent from where the paths are."""
        self._descend_(taken(picture, self._channels))

    @torch.no_grad()
    def move_(self, matrix: Tensor) -> None:
        """See `abilities.Movable.move_`."""
        matrix = matrix.to(self.points)
        self.points.copy_(self.points @ matrix[:, :2].T + matrix[:, 2])
        self.widths.mul_(torch.linalg.det(matrix[:, :2]).abs().sqrt())
        self.project_()

    def _background_of(self, picture: Tensor) -> Tensor:
        return picture.mean((0, 2, 3)) if "background" in self._ways.rates else self.background

    def _place_(self, picture: Tensor) -> None:
        """Move paths to where the picture wants them: evenly over it, each stage by itself."""
        stage = stage_of(len(self._segments), self._ways.stages)
        within = torch.arange(len(stage)) - torch.searchsorted(stage, stage)
        # The plastic number's lattice: any number of its first points covers a square evenly.
        even = (0.5 + (within[:, None] + 1) * torch.tensor([0.7548776662, 0.5698402910])) % 1
        self._move_(even * torch.tensor(self._size), torch.arange(len(stage)))

    def _descend_(self, picture: Tensor) -> None:
        """Follow the gradient of the squared error for some steps; keep the best."""
        learned = list(self.parameters())
        optimizer = torch.optim.Adam(self.groups())  # type: ignore[arg-type]
        least, best = math.inf, self.state_dict()
        for step in range(_FIT_STEPS + 1):
            with torch.enable_grad():
                error = self._distance(picture)
            if float(error) < least:
                least, best = float(error), copy.deepcopy(self.state_dict())
            if step == _FIT_STEPS:
                break
            for parameter, slope in zip(
                learned, torch.autograd.grad(error, learned, allow_unused=True), strict=True
            ):
                parameter.grad = slope
            optimizer.step()
            self.project_()
        for parameter in learned:
            parameter.grad = None
        self.load_state_dict(best)

    def _distance(self, picture: Tensor) -> Tensor:
        drawn = self()
        if self._channels == 4:  # colors count as far as they are seen
            drawn, picture = premultiplied(drawn), premultiplied(picture)
        error: Tensor = (drawn - picture).square().mean()
        return error

    # ---- state -----------------------------------------------------------------------------

    def get_extra_state(self) -> Tensor:
        """Return what belongs to the picture beside its tensors: paths present, and progress."""
        return torch.tensor([float(self._present), self._progress], dtype=torch.float64)

    def set_extra_state(self, state: Tensor) -> None:
        """Take over what `get_extra_state` gave."""
        self._present = min(max(int(state[0]), 1), len(self._segments))
        self._progress = float(state[1])


def _stages(count: int, stages: int) -> list[int]:
    """Return how many paths are there in each stage, doubling up to `count`."""
    return sorted({math.ceil(count / 2**k) for k in range(stages)})


def stage_of(count: int, stages: int) -> Tensor:
    """Return in which stage each path comes in, `(count,)`, 0 = from the start."""
    present = torch.tensor(_stages(count, stages))
    return torch.searchsorted(present, torch.arange(count), right=True)
