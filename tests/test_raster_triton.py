"""The Triton rasterizer draws what the reference draws: by Triton's interpreter, and on a GPU.

The interpreter must be chosen before Triton is loaded, so all scenes are drawn by another process:
`TRITON_INTERPRET=1 python -m tests.test_raster_triton FILE`.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.test_raster import gradients, scene_of
from tests.test_raster_backends import drawn_at_random
from text2art.raster import Scene, curves, edges, render
from text2art.raster.render import available
from text2art.runtime import stream

needs_triton = pytest.mark.skipif(not available("triton"), reason="triton cannot be used here")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
WHITE = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Case:
    """A scene, how it is drawn, and what is made small so that little is enough to try all."""

    scene: Callable[[], Scene]
    softness: float = 1.0
    background: tuple[float, float, float] | None = (1.0, 0.5, 0.2)
    kept: int | None = None
    programs: int | None = None


def cells() -> Scene:
    """Return cells with common edges, one of which is missing, between a stroke and another."""
    x, y = [1.3 + 4.1 * i for i in range(4)], [0.7 + 3.3 * i for i in range(4)]
    tiles: list[Any] = [
        [(x[c], y[r]), (x[c + 1], y[r]), (x[c + 1], y[r + 1]), (x[c], y[r + 1])]
        for r in range(3)
        for c in range(3)
        if (r, c) != (2, 1)
    ]
    over: list[Any] = [[(0, 1), (16, 12)], [(0, 12), (16, 1)]]
    colors = torch.rand(10, 4, generator=stream(9, "colors")).tolist()
    closed = [False] + [True] * 8 + [False]
    return scene_of(over[0], *tiles, over[1], closed=closed, color=colors, size=(16, 12))


def broken() -> Scene:
    """Return strokes with a NaN, with too much color, with no width, and one beyond the canvas."""
    beyond = [(300.0, 5.0), (400.0, 9.0)]
    scene = scene_of(
        [(2, 3), (14, 9)], [(2, 12), (14, 4)], [(2, 8.3), (12, 8.3)], beyond,
        width=[2.0, 3.0, 0.0, 4.0], size=(16, 14),
    )  # fmt: skip
    with torch.no_grad():
        scene.points[1, 0] = float("nan")
        scene.color[1] = torch.tensor([1.5, -0.5, 0.5, 0.7])
    return scene


def at_random(seed: int, paths: int, spread: float, wide: float) -> Callable[[], Scene]:
    return lambda: drawn_at_random(seed, paths, spread=spread, wide=wide, whole=False)


CASES: Mapping[str, Case] = {
    "both kinds, nonzero": Case(at_random(2, 3, 0.3, 4.0)),
    "both kinds, even-odd, on nothing": Case(at_random(7, 3, 0.3, 4.0), background=None),
    "soft and wide": Case(at_random(4, 2, 0.1, 40.0), softness=3.0),
    "far beyond the canvas": Case(at_random(4, 3, 30.0, 3.0), softness=0.5),
    "tiles, more than are kept": Case(cells, kept=3, programs=1),
    "broken": Case(broken, background=WHITE),
    "opaque": Case(
        lambda: scene_of([(2, 4), (9, 4)], [(5, 1), (5, 9)], [(1, 1), (9, 8)], size=(11, 10)),
        kept=2,
    ),
}  # fmt: skip


def drawn(case: Case, backend: Any, device: str = "cpu") -> list[Tensor]:
    """Return the picture, and the gradients of points, widths and colors."""
    scene = case.scene()
    if device != "cpu":
        moved = {
            name: getattr(scene, name).detach().to(device).requires_grad_()
            for name in ("points", "stroke_width", "color")
        }
        scene = replace(scene, **moved)
    weight = torch.randn(1, 4, scene.height, scene.width, generator=stream(3, "weight"))
    how: dict[str, Any] = {"background": case.background, "softness": case.softness}
    return list(gradients(scene, weight.to(device), backend=backend, **how))


def shrunk(case: Case, set_attribute: Callable[[Any, str, Any], None]) -> None:
    """Keep few fragments, and draw by few programs."""
    from text2art.raster import triton as backend
    from text2art.raster.gpu import unpaint

    if case.kept:
        set_attribute(unpaint, "KEPT", type(unpaint.KEPT)(case.kept))
        set_attribute(backend, "KEPT", case.kept)
    if case.programs:
        set_attribute(backend, "PROGRAMS", case.programs)


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What the interpreter has drawn, by case."""
    path = tmp_path_factory.mktemp("triton") / "drawn.pt"
    program = [sys.executable, "-m", "tests.test_raster_triton", str(path)]
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run(program, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: Mapping[str, Any] = torch.load(path, weights_only=True)
    return found


def assert_alike(found: list[Tensor], truth: list[Tensor]) -> None:
    """Within rounding in float32: 1e-4 in the picture, a thousandth of the gradients."""
    ours, theirs = found[0].cpu(), truth[0]
    assert torch.allclose(ours[:, 3], theirs[:, 3], atol=1e-4)
    # What is not there has any color.
    assert torch.allclose(ours * ours[:, 3:], theirs * theirs[:, 3:], atol=1e-4)
    for ours, theirs in zip(found[1:], truth[1:], strict=True):
        assert float((ours.cpu() - theirs).norm()) < 1e-3 * max(float(theirs.norm()), 0.1)


@needs_triton
@pytest.mark.parametrize("name", CASES)
def test_the_interpreter_draws_what_the_reference_draws(
    name: str, interpreted: Mapping[str, Any]
) -> None:
    assert_alike(interpreted[name], drawn(CASES[name], "reference"))


@needs_triton
def test_an_empty_scene_and_gradients_that_are_not_finite(interpreted: Mapping[str, Any]) -> None:
    assert torch.equal(interpreted["empty"], torch.zeros(1, 4, 4, 5))
    assert bool(interpreted["not finite"].isnan().all())


@needs_triton
@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="the interpreter may")
def test_scenes_elsewhere_are_refused() -> None:
    with pytest.raises(ValueError, match="draws scenes on CUDA, not on cpu; use backend 'auto'"):
        render(cells(), backend="triton")


@pytest.mark.parametrize("moved", [0.0, 1e-3])
def test_common_edges_are_found_without_the_cpu(moved: float) -> None:
    scene = cells()
    with torch.no_grad():
        scene.points[:40] += moved
    found = curves.tiled(curves.clean(scene), scene)
    their = edges.edges(scene.layout, "cpu")
    assert their is not None
    ours = edges.tiled(scene.points.detach(), their, len(scene.layout.closed))
    assert ours.bool().tolist() == found.tolist()
    assert found.any()


def test_constants_are_those_of_the_reference() -> None:
    pytest.importorskip("triton")
    from text2art.raster import reference
    from text2art.raster.gpu import numbers, outline, paint, strokes
    from text2art.raster.scene import FAR

    assert numbers.MOST_LINES.value == curves.MOST_LINES
    assert numbers.FAR.value == FAR
    assert pytest.approx(0.75 / curves.TOLERANCE) == outline.PER_TOLERANCE.value
    assert paint.FULL.value == reference.FULL
    assert strokes.NEARER.value == reference.NEARER
    assert strokes.SHORTEST2.value == pytest.approx(reference.SHORTEST**2)


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize("architecture", [80, 90])
def test_kernels_compile_for_a_gpu_that_is_not_there(
    architecture: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interpreter takes more than the compiler does."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from text2art.raster.gpu.outline import inward, outline
    from text2art.raster.gpu.paint import paint
    from text2art.raster.gpu.unpaint import unpaint
    from text2art.raster.triton import HOW

    by_type = {
        "*i32": "lines piece corner slot closed count around tiled lists hints",
        "*i64": "vertex_sums path_sums",
        "i32": "paths height across tiles even_odd canvas_width canvas_height",
        "fp32": "softness most",
    }
    types = {name: kind for kind, names in by_type.items() for name in names.split()}
    for kernel in (outline, inward, paint, unpaint):
        names = list(inspect.signature(kernel.fn).parameters)
        large = "strokes" in names
        signature = {name: types.get(name, "*fp32") for name in names}
        constants = {}
        if large:
            signature.update(width="i32", strokes="constexpr", fills="constexpr")
            constants = {(names.index(kind),): True for kind in ("strokes", "fills")}
        source = ASTSource(kernel, signature, constants)
        how = HOW if large else {"num_warps": 4, "enable_fp_fusion": True}
        compiled = triton.compile(source, target=GPUTarget("cuda", architecture, 32), options=how)
        assert compiled.asm["cubin"]
        assert ".atom.add.f" not in compiled.asm["ptx"]
        assert "red.global.gpu.relaxed.add.f" not in compiled.asm["ptx"]


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("name", CASES)
def test_a_gpu_draws_what_the_reference_draws(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert available("triton")
    case = replace(CASES[name], kept=None)  # compiled in
    shrunk(case, monkeypatch.setattr)
    assert_alike(drawn(case, "triton", "cuda"), drawn(case, "reference"))


@pytest.mark.gpu
@needs_cuda
def test_a_gpu_gives_the_same_bits_again_and_more_paths_than_are_kept() -> None:
    case = Case(at_random(5, 300, 0.2, 6.0))
    first = drawn(case, "triton", "cuda")
    for _ in range(5):
        again = drawn(case, "triton", "cuda")
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert_alike(first, drawn(case, "reference"))
    assert torch.equal(drawn(case, "auto", "cuda")[0], first[0])


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("name", ["both kinds, nonzero", "tiles, more than are kept"])
def test_drawing_can_be_part_of_a_cuda_graph(name: str) -> None:
    scene = CASES[name].scene()
    leaves = [
        getattr(scene, part).detach().cuda().requires_grad_()
        for part in ("points", "stroke_width", "color")
    ]
    there = replace(scene, points=leaves[0], stroke_width=leaves[1], color=leaves[2])
    weight = torch.randn(1, 4, scene.height, scene.width, generator=stream(3, "weight")).cuda()

    def step() -> tuple[Tensor, ...]:
        picture = render(there, background=WHITE)
        return picture, *torch.autograd.grad((picture * weight).sum(), leaves)

    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = step()
    for shift in (0.0, 1.7):  # what is drawn may change, its layout may not
        with torch.no_grad():
            leaves[0].add_(shift)
        graph.replay()
        torch.cuda.synchronize()
        found = [part.clone() for part in captured]
        assert all(torch.equal(a, b) for a, b in zip(found, step(), strict=True))


def main(path: str) -> None:
    """Draw all cases, an empty scene, and gradients that are not finite; write them to a file."""
    found: dict[str, Any] = {}
    for name, case in CASES.items():
        with pytest.MonkeyPatch.context() as patch:
            shrunk(case, patch.setattr)
            found[name] = drawn(case, "triton")
    none = torch.zeros(0, dtype=torch.long)
    empty = Scene(
        5, 4, torch.zeros(0, 2), torch.zeros(1, dtype=torch.long), none, True, torch.zeros(0),
        torch.zeros(0, 4),
    )  # fmt: skip
    found["empty"] = render(empty, backend="triton")
    dot = scene_of([(2, 4), (9, 4)], size=(11, 10))
    picture = render(dot, background=WHITE, backend="triton")
    (found["not finite"],) = torch.autograd.grad(picture.sum() * float("inf"), dot.points)
    torch.save(found, path)


if __name__ == "__main__":
    main(sys.argv[1])
