"""Drawing by diffvg, for those who have built it: a cross-check, slow and random.

diffvg (Li et al., SIGGRAPH Asia 2020) is on no package index; see github.com/BachiLi/diffvg. Its
gradients are Monte Carlo estimates, drawn anew from one seed at every call.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch import Tensor

from text2art.raster import curves as _curves
from text2art.raster.scene import Scene

SAMPLES = 2  # per pixel and axis
SEED = 0


def draw(scene: Scene, softness: float) -> Tensor:
    """Return a scene's picture on nothing, `(4, H, W)`, color multiplied by alpha.

    Args:
        scene: what to draw.
        softness: 1, since diffvg knows no other.

    Raises:
        ValueError: the softness is another.
    """
    if softness != 1:
        raise ValueError(f"the diffvg backend draws with softness 1 only, not {softness}")
    pydiffvg = importlib.import_module("pydiffvg")
    pydiffvg.set_use_gpu(scene.points.is_cuda)
    curves = _curves.clean(scene)
    if len(curves.radius) == 0:
        return curves.points.new_zeros(4, scene.height, scene.width)
    shapes, groups = _shapes(pydiffvg, scene, curves)
    arguments = pydiffvg.RenderFunction.serialize_scene(scene.width, scene.height, shapes, groups)

    def render(behind: Tensor | None) -> Tensor:
        drawn: Tensor = pydiffvg.RenderFunction.apply(
            scene.width, scene.height, SAMPLES, SAMPLES, SEED, behind, *arguments
        )
        return drawn.permute(2, 0, 1)

    # On nothing, diffvg divides color by alpha in each sample before it averages, and so darkens
    # edges. On black its color is what is wanted; its alpha is right on nothing.
    black = curves.points.new_zeros(scene.height, scene.width, 4)
    black[..., 3] = 1
    return torch.cat([render(black)[:3], render(None)[3:]])


def _shapes(pydiffvg: Any, scene: Scene, curves: _curves.Curves) -> tuple[list[Any], list[Any]]:
    """Return diffvg's paths, and the groups that give each its color."""
    layout = scene.layout
    shapes, groups = [], []
    for i, closed in enumerate(layout.closed.tolist()):
        points = curves.points[int(layout.offsets[i]) : int(layout.offsets[i + 1])]
        shapes.append(
            pydiffvg.Path(
                num_control_points=torch.full((int(layout.segments[i]),), 2, dtype=torch.int32),
                points=points.float().contiguous(),
                is_closed=closed,
                stroke_width=curves.radius[i].float(),  # half the width, whatever its name
            )
        )
        color = curves.color[i].float()
        groups.append(
            pydiffvg.ShapeGroup(
                shape_ids=torch.tensor([i]),
                fill_color=color if closed else None,
                use_even_odd_rule=scene.fill_rule == "evenodd",
                stroke_color=None if closed else color,
            )
        )
    return shapes, groups
