"""Draw scenes: the choice of a backend, and what is put behind the picture."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from text2art.errors import MissingExtra
from text2art.raster import compose
from text2art.raster.scene import Scene

Backend = Literal["auto", "reference", "cpu", "diffvg"]
Background = Sequence[float] | Tensor


def render(
    scene: Scene | Sequence[Scene],
    *,
    background: Background | None = None,
    backend: Backend = "auto",
    softness: float = 1.0,
) -> Tensor:
    """Draw scenes, differentiably in their points, stroke widths and colors.

    Args:
        scene: what to draw, or several of one size.
        background: None for nothing; a color `(3,)`, or one per scene `(N or 1, 3, 1, 1)`, in
            [0, 1]; a tensor may require gradients.
        backend: "reference" (plain torch, slow), "cpu" (compiled), "diffvg" (needs pydiffvg), or
            "auto" for the fastest that fits.
        softness: width in pixels over which edges fade; 1 is exact antialiasing, more carries
            gradients further.

    Returns:
        `(N, 4, H, W)` float32 in [0, 1], straight alpha, N = 1 for a single scene. Where alpha is
        0, so is the color; with a background, alpha is 1.

    Raises:
        ValueError: an argument is unknown or out of range.
        MissingExtra: the package of the backend is not installed.
    """
    scenes = [scene] if isinstance(scene, Scene) else list(scene)
    if not scenes:
        raise ValueError("there is no scene to draw")
    if len({(each.width, each.height) for each in scenes}) > 1:
        raise ValueError("scenes of different sizes cannot be drawn at once")
    if not (math.isfinite(softness) and softness > 0):
        raise ValueError(f"softness must be above 0, not {softness}")
    draw = _drawing(backend, scenes[0])
    drawn = [draw(each, float(softness)).float() for each in scenes]
    picture = torch.stack(drawn) if len(drawn) > 1 else drawn[0][None]
    return compose.straight(picture) if background is None else _over(picture, background)


def available(backend: str) -> bool:
    """Whether what a backend needs is installed."""
    needs = {"cpu": "numba", "diffvg": "pydiffvg"}
    return backend not in needs or importlib.util.find_spec(needs[backend]) is not None


def _drawing(backend: str, scene: Scene) -> Callable[[Scene, float], Tensor]:
    """Return a backend's function: scene and softness to `(4, H, W)`, color times alpha."""
    if backend not in get_args(Backend):
        raise ValueError(f"backend {backend!r} is unknown: use {', '.join(get_args(Backend))}")
    if backend == "auto":
        on_cpu = scene.points.device.type == "cpu"
        backend = "cpu" if on_cpu and available("cpu") else "reference"
    if not available(backend):
        package = {"cpu": "numba: pip install numba", "diffvg": "pydiffvg, built from source"}
        raise MissingExtra(f"the {backend} backend needs {package[backend]}; or use 'reference'")
    # Loaded when asked for: each backend brings a package of its own.
    if backend == "cpu":
        from text2art.raster.cpu import draw
    elif backend == "diffvg":
        from text2art.raster.diffvg import draw
    else:
        from text2art.raster.reference import draw
    return draw


def _over(picture: Tensor, background: Background) -> Tensor:
    """Put a color behind the picture."""
    behind = torch.as_tensor(background, dtype=picture.dtype, device=picture.device)
    if behind.shape == (3,):
        behind = behind[None, :, None, None]
    if behind.shape not in ((1, 3, 1, 1), (len(picture), 3, 1, 1)):
        raise ValueError(
            f"background must be (3,) or ({len(picture)}, 3, 1, 1), not {tuple(behind.shape)}"
        )
    return compose.over(picture, behind)
