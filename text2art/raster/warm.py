"""Compile the rasterizer's loops now rather than at the first drawing.

`python -m text2art.raster.warm` draws two small scenes, so that every loop is compiled for the
types that drawers use, and kept where `kernels.compiling` keeps them. What is there is not made
again.
"""

from __future__ import annotations

import time
from types import ModuleType

import torch
from torch import Tensor

from text2art.raster import Scene, cubics_from_lines, render
from text2art.raster.render import available


def warm() -> tuple[int, int]:
    """Draw with every loop; return how many there are, and how many had to be compiled."""
    for closed in (False, True):
        leaves = _scene(closed=closed)
        points = leaves[0]
        count = len(points) // (12 if closed else 4)
        scene = Scene(
            32,
            32,
            points,
            torch.arange(count + 1) * (len(points) // count),
            torch.full((count,), 4 if closed else 1),
            closed,
            *leaves[1:],
        )
        picture = render(scene, background=(1, 1, 1), backend="cpu")
        torch.autograd.grad(picture.sum(), leaves, allow_unused=True)
    return _count()


def _scene(*, closed: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return points, widths and colors of two strokes, or of two squares that share an edge."""
    if closed:
        square = torch.tensor([[4.0, 4.0], [12.0, 4.0], [12.0, 12.0], [4.0, 12.0]])
        both = torch.stack([square, square + torch.tensor([8.0, 0.0])])
        points = cubics_from_lines(both, closed=True).reshape(-1, 2)
    else:
        stroke = torch.tensor([[4.0, 4.0], [12.0, 20.0], [20.0, 4.0], [28.0, 28.0]])
        points = torch.cat([stroke, stroke.flip(0)])
    leaves = points, torch.full((2,), 3.0), torch.full((2, 4), 0.5)
    for leaf in leaves:
        leaf.requires_grad_()
    return leaves


def _count() -> tuple[int, int]:
    """Return how many loops have been called, and how many were in no cache."""
    from text2art.raster.kernels import blend, fills, outline, strokes, tiles

    modules: tuple[ModuleType, ...] = (blend, fills, outline, strokes, tiles)
    loops = {value for module in modules for value in vars(module).values() if _is_loop(value)}
    called = [loop for loop in loops if loop.signatures]
    missed = [loop for loop in called if sum(loop.stats.cache_misses.values())]
    return len(called), len(missed)


def _is_loop(value: object) -> bool:
    return hasattr(value, "signatures") and hasattr(value, "stats")


def main() -> None:
    """Compile, and say how long it took."""
    if not available("cpu"):
        print("numba is not installed: nothing to compile")  # noqa: T201
        return
    started = time.perf_counter()
    loops, compiled = warm()
    seconds = time.perf_counter() - started
    print(f"rasterizer: {compiled} of {loops} loops compiled, {seconds:.1f} s")  # noqa: T201


if __name__ == "__main__":
    main()
