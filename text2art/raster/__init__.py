"""A differentiable rasterizer: Bezier strokes and fills in, a picture with gradients out."""

from text2art.raster.render import render
from text2art.raster.scene import Scene, cubics_from_lines, cubics_from_quadratics

__all__ = ["Scene", "cubics_from_lines", "cubics_from_quadratics", "render"]
