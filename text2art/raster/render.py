"""Draw scenes: the choice of a backend, and what is put behind the picture."""

from __future__ import annotations

import importlib.util
import math
import os
import shutil
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from text2art.errors import MissingExtra
from text2art.raster import compose
from text2art.raster.scene import Scene

Backend = Literal["auto", "reference", "cpu", "triton", "diffvg"]
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
        backend: "reference" (plain torch, slow), "cpu" (compiled), "triton" (CUDA), "diffvg" (needs
            pydiffvg), or "auto" for the fastest that fits.
        softness: width in pixels over which edges fade; 1 is exact antialiasing, more carries
            gradients further.

    Returns:
        `(N, 4, H, W)` float32 in [0, 1], straight alpha, N = 1 for a single scene. Where alpha is
        0, so is the color; with a background, alpha is 1.

    Raises:
        ValueError: an argument is unknown or out of range, or the scene on another device than the
            backend draws on.
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
    needs = {"cpu": "numba", "triton": "triton", "diffvg": "pydiffvg"}
    if backend in needs and importlib.util.find_spec(needs[backend]) is None:
        return False
    return backend != "triton" or _can_build()


def _can_build() -> bool:
    """Whether Triton finds what it builds its launchers with: a C compiler, Python's headers."""
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    return bool(compiler) and (Path(sysconfig.get_paths()["include"]) / "Python.h").exists()


def _drawing(backend: str, scene: Scene) -> Callable[[Scene, float], Tensor]:
    """Return a backend's function: scene and softness to `(4, H, W)`, color times alpha."""
    if backend not in get_args(Backend):
        raise ValueError(f"backend {backend!r} is unknown: use {', '.join(get_args(Backend))}")
    if backend == "auto":
        fast = {"cpu": "cpu", "cuda": "triton"}.get(scene.points.device.type, "reference")
        backend = fast if available(fast) else "reference"
    if not available(backend):
        package = {
            "cpu": "numba: pip install numba",
            "triton": "triton (pip install triton), a C compiler and Python's headers",
            "diffvg": "pydiffvg, built from source",
        }
        raise MissingExtra(f"the {backend} backend needs {package[backend]}; or use 'reference'")
    # Loaded when asked for: each backend brings a package of its own.
    if backend == "cpu":
        from text2art.raster.cpu import draw
    elif backend == "triton":
        from text2art.raster.triton import draw
    elif backend == "diffvg":
        from text2art.raster.diffvg import draw
    else:
        from text2art.raster.reference import draw
    return draw


def _over(picture: Tensor, background: Background) -> Tensor:
    """Put a color behind the picture."""
    if isinstance(background, Tensor):
        behind = background.to(picture)
    else:  # filled in, since a copy to the device cannot be part of a CUDA graph
        behind = torch.stack([picture.new_full((), float(value)) for value in background])
    if behind.shape == (3,):
        behind = behind[None, :, None, None]
    if behind.shape not in ((1, 3, 1, 1), (len(picture), 3, 1, 1)):
        raise ValueError(
            f"background must be (3,) or ({len(picture)}, 3, 1, 1), not {tuple(behind.shape)}"
        )
    return compose.over(picture, behind)
