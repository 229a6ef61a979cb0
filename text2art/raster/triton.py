"""The fast way on CUDA: Triton programs that draw 16x16 tiles, and their gradients.

Nothing waits for the device, and sizes depend on the scene's layout alone, so drawing can be part
of a CUDA graph. The same scene gives the same bits: there are no sums of floating-point numbers
whose order is left to chance. What the device does is in `text2art.raster.gpu`.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import triton
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from text2art.raster import edges as _edges
from text2art.raster.curves import MOST_LINES
from text2art.raster.gpu.numbers import TILE as _TILE
from text2art.raster.gpu.outline import inward, outline
from text2art.raster.gpu.paint import paint
from text2art.raster.gpu.unpaint import KEPT as _KEPT
from text2art.raster.gpu.unpaint import unpaint
from text2art.raster.scene import Layout, Scene
from text2art.runtime import on_device_of

TILE, KEPT = int(_TILE.value), int(_KEPT.value)
# Programs that draw at a time: some for each of a large device's processors. Each keeps fragments.
PROGRAMS = 512
# How the large programs are compiled. Few registers each, so that two run on a processor at once.
HOW: dict[str, Any] = {"num_warps": 8, "enable_fp_fusion": True}
if torch.version.hip is None:
    HOW["maxnreg"] = 128
# What a gradient may exceed the largest of the picture's by, within a tile, before it is limited:
# 256 pixels times a few for what coverage does with it.
HEADROOM = 2**16
INTERPRETED = not isinstance(paint, triton.JITFunction)


def draw(scene: Scene, softness: float) -> Tensor:
    """Return a scene's picture on nothing, `(4, H, W)` float32, color multiplied by alpha.

    Args:
        scene: what to draw, on a CUDA device.
        softness: side of the box that coverage is averaged over, in pixels.

    Raises:
        ValueError: the scene is on another device.
    """
    if scene.points.device.type != "cuda" and not INTERPRETED:
        raise ValueError(
            f"the triton backend draws scenes on CUDA, not on {scene.points.device.type}; "
            "use backend 'auto'"
        )
    parts = (scene.points, scene.stroke_width, scene.color)
    picture = _Draw.apply(*(part.float().contiguous() for part in parts), scene, softness)
    assert isinstance(picture, Tensor)
    return picture


class _Draw(torch.autograd.Function):
    """The picture as a function of points, widths and colors."""

    @staticmethod
    def forward(
        ctx: Any, points: Tensor, width: Tensor, color: Tensor, scene: Scene, softness: float
    ) -> Tensor:
        if len(width) == 0:
            ctx.drawing = None
            return points.new_zeros(4, scene.height, scene.width)
        with on_device_of(points):
            drawing = Drawing(scene, points, width, color, softness)
            ctx.drawing = drawing
            ctx.save_for_backward(points, width, color)
            return drawing.paint()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.drawing is None:
            return grad.new_zeros(0, 2), grad.new_zeros(0), grad.new_zeros(0, 4), None, None
        with on_device_of(grad):
            return *ctx.drawing.gradients(*ctx.saved_tensors, grad.contiguous()), None, None


@dataclass(frozen=True)
class Plan:
    """How points make up paths, on the device: see `raster.gpu` for the names."""

    corner: Tensor
    piece: Tensor
    slot: Tensor
    closed: Tensor
    strokes: bool
    fills: bool
    edges: _edges.Edges | None


def plan(layout: Layout, device: Any) -> Plan:
    """Return a layout's plan, copied to the device once: not while a CUDA graph is captured."""
    arrays = (layout.offsets, layout.segments, layout.closed)
    return _plan(*(array.tobytes() for array in arrays), device)


# One for each number of paths and segments that was drawn. Far more are kept than are in use at a
# time, since CUDA graphs go on reading what they were captured with.
@functools.lru_cache(maxsize=512)
def _plan(offsets: bytes, segments: bytes, closed: bytes, device: Any) -> Plan:
    layout = Layout(
        np.frombuffer(offsets, np.int64),
        np.frombuffer(segments, np.int64),
        np.frombuffer(closed, np.bool_),
    )
    n = len(layout.segments)
    # As many places as a path can have lines, and one more for its end.
    slot = MOST_LINES * layout.first_segment[:-1] + np.arange(n)

    def there(part: NDArray[Any]) -> Tensor:
        return torch.from_numpy(part.astype(np.int32)).to(device)

    fills = bool(layout.closed.any())
    return Plan(
        corner=there(layout.offsets),
        piece=there(layout.first_segment),
        slot=there(slot),
        closed=there(layout.closed),
        strokes=not layout.closed.all(),
        fills=fills,
        edges=_edges.edges(layout, device) if fills else None,
    )


class Drawing:
    """A scene on the device, cut into lines."""

    def __init__(
        self, scene: Scene, points: Tensor, width: Tensor, color: Tensor, softness: float
    ) -> None:
        """Cut the paths into lines, and find the pixels that each can touch.

        Args:
            scene: how points make up paths, the canvas and the fill rule.
            points: `(P, 2)`, in place of the scene's.
            width: `(n,)`.
            color: `(n, 4)`.
            softness: side of the box that coverage is averaged over, in pixels.
        """
        self._size = (scene.height, scene.width)
        self._even_odd = int(scene.fill_rule == "evenodd")
        self._softness = softness
        self._plan = plan(scene.layout, points.device)
        n, pieces = len(width), int(scene.layout.first_segment[-1])
        self._places = MOST_LINES * pieces + n
        self._radius, self._ink = points.new_empty(n), points.new_empty(n, 4)
        self._vertices, self._box = points.new_empty(self._places, 2), points.new_empty(n, 4)
        self._lines = torch.empty(pieces, dtype=torch.int32, device=points.device)
        self._count, self._around = self._lines.new_empty(n), self._lines.new_empty(n)
        clean = torch.empty_like(points)
        outline[(n,)](
            points, width, color, *self._where(), clean, self._radius, self._ink, self._lines,
            self._vertices, self._count, self._box, self._around, scene.width, scene.height,
            softness, num_warps=4, enable_fp_fusion=True,
        )  # fmt: skip
        edges = self._plan.edges
        none = torch.zeros_like(self._count)
        self._tiled = none if edges is None else _edges.tiled(clean, edges, n)

    def _where(self) -> tuple[Tensor, ...]:
        return self._plan.corner, self._plan.piece, self._plan.slot, self._plan.closed

    def _shapes(self) -> tuple[Tensor, ...]:
        """Return what a program needs to cover its pixels, and room to list paths in."""
        lists = self._count.new_empty(self._programs, len(self._radius))
        return (
            self._vertices, self._plan.slot, self._count, self._plan.closed, self._radius,
            self._ink, self._box, self._around, self._tiled, lists,
        )  # fmt: skip

    @property
    def _across(self) -> int:
        return -(-self._size[1] // TILE)

    @property
    def _tiles(self) -> int:
        return self._across * -(-self._size[0] // TILE)

    @property
    def _programs(self) -> int:
        return min(self._tiles, PROGRAMS)

    def _canvas(self) -> tuple[int, ...]:
        return len(self._radius), self._size[1], self._size[0], self._across, self._tiles

    def _kinds(self) -> dict[str, Any]:
        return {"strokes": self._plan.strokes, "fills": self._plan.fills, **HOW}

    def paint(self) -> Tensor:
        """Return the picture, `(4, H, W)`, color times alpha."""
        picture = self._vertices.new_empty(4, *self._size)
        paint[(self._programs,)](
            *self._shapes(), picture, *self._canvas(), self._softness, self._even_odd,
            **self._kinds(),
        )  # fmt: skip
        return picture

    def gradients(
        self, points: Tensor, width: Tensor, color: Tensor, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of what was given, given those of the picture."""
        n = len(width)
        most = 2.0 ** (60 - math.ceil(math.log2(self._tiles)))
        scale = _steps(grad, most / HEADROOM * min(1.0, self._softness))
        vertex_sums = torch.zeros(self._places, 2, dtype=torch.int64, device=grad.device)
        path_sums = vertex_sums.new_zeros(n, 5)
        kept = (self._programs, KEPT, TILE * TILE)
        shares, unders = grad.new_empty(kept), grad.new_empty(kept)
        hints = torch.empty(kept, dtype=torch.int32, device=grad.device)
        marks = grad.new_empty(self._programs, -(-n // KEPT), 3, TILE * TILE)
        unpaint[(self._programs,)](
            *self._shapes(), grad, shares, unders, hints, marks, vertex_sums, path_sums, scale,
            *self._canvas(), self._softness, most, self._even_odd, **self._kinds(),
        )  # fmt: skip
        grads = torch.empty_like(points), torch.empty_like(width), torch.empty_like(color)
        inward[(n, 2)](
            points, width, color, *self._where(), self._lines, vertex_sums, path_sums, scale,
            *grads, num_warps=4, enable_fp_fusion=True,
        )  # fmt: skip
        return grads


def _steps(grad: Tensor, largest: float) -> Tensor:
    """Return how many steps a gradient of 1 has in sums of whole numbers, and one over it.

    The largest of `grad` has `largest` steps or half of that. Where one is not finite all gradients
    become NaN.
    """
    most = torch.linalg.vector_norm(grad, math.inf)
    _, exponent = torch.frexp(most)
    # Powers of two, so that nothing is lost but what lies below a step.
    steps = torch.ldexp(torch.full_like(most, largest), -exponent.clamp(-60, 60))
    per_step = torch.where(torch.isfinite(most), 1 / steps, math.nan)
    return torch.stack([steps, per_step])
