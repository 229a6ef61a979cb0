"""The fast way on the CPU: compiled loops over the pixels that paths touch, on all cores."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from text2art.raster import curves as _curves
from text2art.raster.drawing import Drawing
from text2art.raster.scene import Scene


def draw(scene: Scene, softness: float) -> Tensor:
    """Return a scene's picture on nothing, `(4, H, W)` float32, color multiplied by alpha.

    Scenes on other devices or of other types are drawn here all the same, and cost a copy.

    Args:
        scene: what to draw.
        softness: side of the box that coverage is averaged over, in pixels.
    """
    curves = _curves.clean(scene)
    picture = _Draw.apply(curves.points, curves.radius, curves.color, scene, softness)
    assert isinstance(picture, Tensor)
    return picture


class _Draw(torch.autograd.Function):
    """The picture as a function of points, radii and colors."""

    @staticmethod
    def forward(
        ctx: Any, points: Tensor, radius: Tensor, color: Tensor, scene: Scene, softness: float
    ) -> Tensor:
        curves = _curves.Curves(points, radius, color)
        drawing = Drawing(
            scene,
            _array(points),
            _array(radius),
            _array(color),
            lines=_curves.count_lines(curves, scene, reach=softness),
            tiled=_curves.tiled(curves, scene),
            softness=softness,
        )
        ctx.drawing, ctx.like = drawing, points
        return torch.from_numpy(drawing.paint()).to(points.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grads = ctx.drawing.gradients(_array(grad))
        return (*(torch.from_numpy(g).to(ctx.like) for g in grads), None, None)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor.detach().float().cpu().numpy())
