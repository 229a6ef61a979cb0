"""Measure the rasterizer: forward and backward, time and memory, for named scenes and backends.

`python -m benchmarks.raster [--scene NAME ...] [--backend NAME ...]` prints a table beside what
diffvg takes on one core of the same kind of machine. `--check` compares gradients with finite
differences of a finely supersampled picture instead, which is drawn here by other means.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import itertools
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from text2art import __version__
from text2art.raster import Scene, cubics_from_lines, render
from text2art.raster.render import available
from text2art.runtime import pick, stream

Floats = NDArray[np.float64]
# Seconds for forward and backward of diffvg on one core, from its measurement for issue 5.
DIFFVG: Mapping[str, float] = {
    "strokes-256": 1.12,
    "wide-1024": 5.1,
    "strokes-1024": 13.6,
    "blobs-256": 2.07,
    "sketch-24": 0.55,
    "grid-80x45": 3.0,
}


def strokes(count: int, size: int, *, seed: int, width: float = 5.0, step: float = 0.1) -> Scene:
    """Return strokes as CLIPDraw begins: 1 to 3 cubics, each point a short step from the last.

    Args:
        count: of strokes.
        size: side of the canvas.
        seed: of the random numbers.
        width: the largest painted width; the least is 1.
        step: the range of a step, in canvases.
    """
    random = stream(seed, "strokes")
    segments = torch.randint(1, 4, (count,), generator=random)
    steps = (torch.rand(count, 10, 2, generator=random) - 0.5) * step
    steps[:, 0] = torch.rand(count, 2, generator=random)
    points = steps.cumsum(dim=1) * size
    used = torch.arange(10) <= 3 * segments[:, None]
    widths = 1 + torch.rand(count, generator=random) * (width - 1)
    colors = torch.rand(count, 4, generator=random)
    return _scene(size, size, points[used], 3 * segments + 1, segments, False, widths, colors)


def blobs(count: int, size: int, *, seed: int, reach: float = 0.15, turns: int = 1) -> Scene:
    """Return filled shapes of 3 to 6 cubics.

    Args:
        count: of shapes.
        size: side of the canvas.
        seed: of the random numbers.
        reach: the largest radius, in canvases; the least is a third.
        turns: how often they go around their centers.
    """
    random = stream(seed, "blobs")
    segments = torch.randint(3, 7, (count,), generator=random)
    turn = torch.arange(18)[None] / (3 * segments[:, None]) * 2 * torch.pi * turns
    radius = reach * (1 + 2 * torch.rand(count, 18, generator=random)) / 3
    around = torch.stack([turn.cos(), turn.sin()], dim=-1) * radius[..., None]
    points = (torch.rand(count, 1, 2, generator=random) + around) * size
    used = torch.arange(18) < 3 * segments[:, None]
    colors = torch.rand(count, 4, generator=random)
    widths = torch.zeros(count)
    return _scene(size, size, points[used], 3 * segments, segments, True, widths, colors)


def grid(columns: int, rows: int, width: int, height: int, *, seed: int) -> Scene:
    """Return opaque rectangles that cover the canvas."""
    x = torch.linspace(0, width, columns + 1).repeat(rows, 1)
    y = torch.linspace(0, height, rows + 1)[:, None].repeat(1, columns)
    left, right, top, bottom = x[:, :-1], x[:, 1:], y[:-1], y[1:]
    corners = torch.stack([left, top, right, top, right, bottom, left, bottom], dim=-1)
    points = cubics_from_lines(corners.reshape(-1, 4, 2), closed=True).reshape(-1, 2)
    count = columns * rows
    colors = torch.rand(count, 4, generator=stream(seed, "colors"))
    colors[:, 3] = 1
    segments = torch.full((count,), 4)
    widths = torch.zeros(count)
    return _scene(width, height, points, 3 * segments, segments, True, widths, colors)


def _scene(
    width: int,
    height: int,
    points: Tensor,
    counts: Tensor,
    segments: Tensor,
    closed: bool,
    widths: Tensor,
    colors: Tensor,
) -> Scene:
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    leaves = [leaf.clone().requires_grad_() for leaf in (points, widths, colors)]
    return Scene(width, height, leaves[0], offsets, segments, closed, leaves[1], leaves[2])


SCENES: Mapping[str, Callable[[], Scene]] = {
    "strokes-256": lambda: strokes(256, 224, seed=1),
    "wide-1024": lambda: strokes(1024, 256, seed=2, width=40),
    "strokes-1024": lambda: strokes(1024, 512, seed=3),
    "blobs-256": lambda: blobs(256, 224, seed=4),
    "sketch-24": lambda: strokes(24, 224, seed=5, width=4, step=0.6),
    "grid-80x45": lambda: grid(80, 45, 640, 360, seed=6),
    "strokes-1024-large": lambda: strokes(1024, 1024, seed=7),
}


def measure(
    scene: Scene, backend: Any, repeats: int, clock: Callable[[], float]
) -> tuple[float, float, float]:
    """Return the median seconds of forward and of backward, and the peak memory in MiB."""
    leaves = (scene.points, scene.stroke_width, scene.color)
    weight = torch.randn(1, 4, scene.height, scene.width, generator=stream(0, "weight"))
    weight = weight.to(scene.points.device)
    cuda = scene.points.is_cuda
    forward, backward = [], []

    def now() -> float:
        if cuda:
            torch.cuda.synchronize()
        return clock()

    memory = _Memory(cuda=cuda)
    for repeat in range(repeats + 1):
        if repeat == 1:  # the first one compiles
            memory.reset()
        started = now()
        picture = render(scene, background=(1, 1, 1), backend=backend)
        between = now()
        torch.autograd.grad(picture, leaves, weight, allow_unused=True)
        forward.append(between - started)
        backward.append(now() - between)
        del picture
    return statistics.median(forward[1:]), statistics.median(backward[1:]), memory.peak()


def measure_graph(scene: Scene, backend: Any, repeats: int) -> tuple[float, float]:
    """Return the median seconds of both as one CUDA graph, and the peak memory in MiB."""
    leaves = (scene.points, scene.stroke_width, scene.color)
    weight = torch.ones(1, 4, scene.height, scene.width, device=scene.points.device)

    def step() -> None:
        picture = render(scene, background=(1, 1, 1), backend=backend)
        torch.autograd.grad(picture, leaves, weight, allow_unused=True)

    memory = _Memory(cuda=True)
    memory.reset()
    side: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # kernels are compiled, and layouts copied, before it is captured
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    times = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        started = time.perf_counter()
        graph.replay()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return statistics.median(times), memory.peak()


class _Memory:
    """The peak of memory in MiB above what is held at `reset`: torch's on CUDA, else Linux's."""

    def __init__(self, *, cuda: bool) -> None:
        self._cuda, self._before = cuda, 0.0

    def reset(self) -> None:
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated() / 2**20
        elif Path("/proc/self/clear_refs").exists():
            with contextlib.suppress(AttributeError):  # what is free goes back, where libc can
                ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")
            self._before = self._linux("VmRSS:")

    def peak(self) -> float:
        if self._cuda:
            return torch.cuda.max_memory_allocated() / 2**20 - self._before
        return self._linux("VmHWM:") - self._before

    @staticmethod
    def _linux(name: str) -> float:
        status = Path("/proc/self/status")
        lines = status.read_text().splitlines() if status.exists() else []
        return next((int(line.split()[1]) / 1024 for line in lines if name in line), float("nan"))


def supersampled(scene: Scene, samples: int = 16) -> Callable[[int, Floats], Floats]:
    """Return a function that draws the scene by points, with one path's points replaced.

    Args:
        scene: of few paths on a small canvas.
        samples: per pixel and axis.

    Returns:
        A function of a path and its points, `(k, 2)`, to the picture on white, `(H, W, 3)`.
    """
    shape = (scene.height * samples, scene.width * samples)
    layout, offsets = scene.layout, scene.layout.offsets
    points = scene.points.detach().double().numpy()
    colors = scene.color.detach().double().numpy()
    radius = scene.stroke_width.detach().double().numpy() / 2

    def inside(path: int, own: Floats) -> NDArray[np.bool_]:
        t = np.linspace(0, 1, 33)[:, None]
        corners = np.concatenate([own, own[:1]]) if layout.closed[path] else own
        basis = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
        curves = [basis @ corners[3 * s : 3 * s + 4] for s in range(layout.segments[path])]
        polyline = np.concatenate(curves)
        found = np.zeros(shape, dtype=bool)
        # Only points within the path's box.
        low = np.floor((polyline.min(axis=0) - radius[path]) * samples).astype(int)
        high = np.ceil((polyline.max(axis=0) + radius[path]) * samples).astype(int)
        rows, columns = (slice(max(low[a], 0), max(high[a], 0)) for a in (1, 0))
        y, x = ((axis[rows, columns] + 0.5) / samples for axis in np.indices(shape))
        winding, square = np.zeros(x.shape, np.int64), np.full(x.shape, np.inf)
        for (ax, ay), (bx, by) in itertools.pairwise(polyline):
            if layout.closed[path]:
                if ay != by:
                    left = x > ax + (y - ay) * (bx - ax) / (by - ay)
                    winding += left & (ay <= y) & (y < by)
                    winding -= left & (by <= y) & (y < ay)
            elif (length := (bx - ax) ** 2 + (by - ay) ** 2) > 0:
                u = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1)
                away = (x - ax - u * (bx - ax)) ** 2 + (y - ay - u * (by - ay)) ** 2
                square = np.minimum(square, away)
        if layout.closed[path]:
            odd = scene.fill_rule == "evenodd"
            found[rows, columns] = winding % 2 != 0 if odd else winding != 0
        else:
            found[rows, columns] = square < radius[path] ** 2
        return found

    whole = [inside(p, points[offsets[p] : offsets[p + 1]]) for p in range(len(colors))]

    def draw(path: int, own: Floats) -> Floats:
        picture = np.ones((*shape, 3))
        for p, color in enumerate(colors):
            mask = inside(p, own) if p == path else whole[p]
            picture[mask] += color[3] * (color[:3] - picture[mask])
        blocks = picture.reshape(scene.height, samples, scene.width, samples, 3)
        return np.asarray(blocks.mean(axis=(1, 3)))

    return draw


def check(scene: Scene, backends: Sequence[Any], *, step: float = 0.25) -> dict[str, float]:
    """Return the cosine of each backend's point gradients with central finite differences."""
    weight = torch.randn(scene.height, scene.width, 3, generator=stream(7, "weight")).numpy()
    draw, offsets = supersampled(scene), scene.layout.offsets
    points = scene.points.detach().double().numpy()
    truth = np.zeros_like(points)
    for path, (begin, end) in enumerate(itertools.pairwise(offsets)):
        for i in range(begin, end):
            for axis in range(2):
                moved = []
                for sign in (1, -1):
                    own = points[begin:end].copy()
                    own[i - begin, axis] += sign * step
                    moved.append(float((draw(path, own) * weight).sum()))
                truth[i, axis] = (moved[0] - moved[1]) / (2 * step)
    found = {}
    for backend in backends:
        picture = render(scene, background=(1, 1, 1), backend=backend)
        loss = (picture[0, :3].permute(1, 2, 0) * torch.from_numpy(weight)).sum()
        (grad,) = torch.autograd.grad(loss, scene.points)
        ours = grad.double().numpy()
        norms = np.linalg.norm(ours) * np.linalg.norm(truth)
        found[backend] = float((ours * truth).sum() / norms)
    return found


CHECKED: Mapping[str, Callable[[], Scene]] = {
    "strokes": lambda: strokes(5, 32, seed=11, width=4, step=0.8),
    "thin strokes": lambda: strokes(5, 32, seed=12, width=1, step=0.8),
    "wide strokes": lambda: strokes(4, 32, seed=13, width=16, step=0.8),
    "blobs": lambda: blobs(3, 32, seed=14, reach=0.3),
    "crossing fills": lambda: _closed(strokes(4, 32, seed=15, step=1.2)),
    "double turns, nonzero": lambda: blobs(3, 32, seed=16, reach=0.4, turns=2),
    "double turns, even-odd": lambda: replace(
        blobs(3, 32, seed=16, reach=0.4, turns=2), fill_rule="evenodd"
    ),
}


def _closed(scene: Scene) -> Scene:
    """Return a scene of strokes as fills: their last points are left out."""
    keep = np.ones(len(scene.points), dtype=bool)
    keep[scene.layout.offsets[1:] - 1] = False
    points = scene.points.detach()[torch.from_numpy(keep)].requires_grad_()
    offsets = torch.from_numpy(scene.layout.offsets - np.arange(len(scene.layout.offsets)))
    return replace(scene, points=points, offsets=offsets, closed=True)


def main(arguments: Sequence[str] | None = None) -> None:
    known = [name for name in ("auto", "cpu", "reference", "triton", "diffvg") if available(name)]
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.raster")
    parser.add_argument("--scene", nargs="+", choices=list(SCENES), default=list(SCENES))
    parser.add_argument(
        "--backend",
        nargs="+",
        choices=known,
        default=["auto"],
        help="default: the device's fastest",
    )
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; 0 for all")
    parser.add_argument(
        "--busy", action="store_true", help="count the processor's time: others use it too"
    )
    parser.add_argument("--device", help="default: cpu", default="cpu")
    parser.add_argument(
        "--graph", action="store_true", help="on CUDA, replay both as one captured graph"
    )
    parser.add_argument("--check", action="store_true", help="compare with finite differences")
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    if given.check:
        print("cosine of point gradients with finite differences of a supersampled picture")
        for name, make in CHECKED.items():
            cosines = check(make(), given.backend)
            print(f"{name:<26}" + "".join(f"{b:>12} {c:.4f}" for b, c in cosines.items()))
        return
    runtime = pick(given.device)
    if given.graph and runtime.device.type != "cuda":
        parser.error("--graph is for --device cuda")
    clock = time.process_time if given.busy else time.perf_counter
    print(
        f"text2art {__version__}, torch {torch.__version__}, {runtime.description}, "
        f"{platform.machine()} {platform.system()}; medians of {given.repeats}, milliseconds"
    )
    heads = ("forward", "backward", "both", "diffvg", "factor", "MiB")
    print(f"{'scene':<20}{'backend':<11}" + "".join(f"{head:>10}" for head in heads))
    for name in given.scene:
        scene = SCENES[name]()
        moved = {
            part: getattr(scene, part).detach().to(runtime.device).requires_grad_()
            for part in ("points", "stroke_width", "color")
        }
        for backend in given.backend:
            there = replace(scene, **moved)
            forward = backward = float("nan")
            if given.graph:
                both, memory = measure_graph(there, backend, given.repeats)
            else:
                forward, backward, memory = measure(there, backend, given.repeats, clock)
                both = forward + backward
            theirs = DIFFVG.get(name, float("nan"))
            row = "".join(f"{1e3 * t:>10.2f}" for t in (forward, backward, both, theirs))
            row += f"{theirs / both:>9.0f}x{memory:>10.1f}"
            print(
                f"{name:<20}{backend:<11}{row.replace('nanx', '   -').replace('nan', '  -')}",
                flush=True,
            )


if __name__ == "__main__":
    main()
