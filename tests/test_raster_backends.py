"""The compiled rasterizer draws what the reference draws, and bad input harms neither."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.test_raster import BACKENDS, gradients, scene_of
from text2art.raster import Scene, render
from text2art.raster.render import Backend, available
from text2art.runtime import stream

needs_numba = pytest.mark.skipif(not available("cpu"), reason="numba is not installed")
SIZE = (22, 17)


def drawn_at_random(seed: int, paths: int, *, spread: float, wide: float, whole: bool) -> Scene:
    """Return strokes and fills of random shape.

    Args:
        seed: of the random numbers.
        paths: how many.
        spread: how far points lie beyond the canvas, in canvases.
        wide: the largest stroke width.
        whole: put all points on pixel corners, where everything has a kink.
    """
    generator = stream(seed, "scene")

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    segments = torch.randint(1, 4, (paths,), generator=generator)
    closed = uniform(paths) < 0.5
    counts = 3 * segments + (~closed).long()
    points = (uniform(int(counts.sum()), 2) * (1 + 2 * spread) - spread) * torch.tensor(SIZE)
    return Scene(
        *SIZE,
        (points.round() if whole else points).requires_grad_(),
        torch.cat([torch.zeros(1, dtype=torch.long), counts.cumsum(0)]),
        segments,
        closed,
        (uniform(paths) * wide).requires_grad_(),
        uniform(paths, 4).requires_grad_(),
        fill_rule="evenodd" if seed % 2 else "nonzero",
    )


@needs_numba
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10_000),
    paths=st.integers(1, 7),
    spread=st.sampled_from([0.0, 0.3, 30.0]),
    wide=st.sampled_from([0.0, 0.5, 3.0, 40.0]),
    softness=st.sampled_from([0.5, 1.0, 3.0]),
    whole=st.booleans(),
)
@example(seed=10_000, paths=6, spread=0.0, wide=0.0, softness=3.0, whole=False)  # steep edges
def test_compiled_code_draws_what_the_reference_draws(
    seed: int, paths: int, spread: float, wide: float, softness: float, whole: bool
) -> None:
    """Within rounding in float32: 1e-4 in the picture, a thousandth of the gradients.

    Points on pixel corners have kinks everywhere, where rounding decides: pictures alone there.
    """
    scene = drawn_at_random(seed, paths, spread=spread, wide=wide, whole=whole)
    weight = torch.randn(1, 4, *SIZE[::-1], generator=stream(seed, "weight"))
    how: dict[str, Any] = {"background": (1.0, 0.5, 0.2), "softness": softness}
    truth, *wanted = gradients(scene, weight, backend="reference", **how)
    picture, *found = gradients(scene, weight, backend="cpu", **how)
    assert torch.allclose(picture, truth, atol=1e-4)
    if not whole:
        for ours, theirs in zip(found, wanted, strict=True):
            scale = max(float(theirs.norm()), 0.1)
            assert float((ours - theirs).norm()) < 2e-3 * scale


@needs_numba
@pytest.mark.parametrize("alpha", [1.0, 0.6])
def test_compiled_code_draws_tiles_as_the_reference_does(alpha: float) -> None:
    """Cells with common edges, one of which is missing, between a stroke and another."""
    x, y = [1.3 + 4.1 * i for i in range(5)], [0.7 + 3.3 * i for i in range(5)]
    cells: list[Any] = [
        [(x[c], y[r]), (x[c + 1], y[r]), (x[c + 1], y[r + 1]), (x[c], y[r + 1])]
        for r in range(4)
        for c in range(4)
        if (r, c) != (2, 1)
    ]
    strokes: list[Any] = [[(0, 1), (24, 15)], [(0, 15), (24, 1)]]
    paths = [strokes[0], *cells, strokes[1]]
    colors = torch.rand(len(paths), 4, generator=stream(9, "colors"))
    colors[:, 3] = alpha
    scene = scene_of(*paths, closed=[False] + [True] * len(cells) + [False], color=colors.tolist())
    weight = torch.randn(1, 4, 16, 24, generator=stream(9, "weight"))
    truth, *wanted = gradients(scene, weight, backend="reference", background=(1, 1, 0))
    picture, *found = gradients(scene, weight, backend="cpu", background=(1, 1, 0))
    assert torch.allclose(picture, truth, atol=1e-5)
    for ours, theirs in zip(found, wanted, strict=True):
        assert float((ours - theirs).norm()) < 1e-4 * float(theirs.norm())


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@needs_numba
def test_bits_do_not_depend_on_threads(threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("text2art.raster.sharing.SMALL", 0)  # share even this little
    scene = drawn_at_random(3, 40, spread=0.3, wide=5.0, whole=False)
    weight = torch.randn(1, 4, *SIZE[::-1], generator=stream(3, "weight"))
    results = []
    for count in (1, 2, 3, 7):
        torch.set_num_threads(count)
        results.append(gradients(scene, weight, backend="cpu"))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_the_reference_takes_few_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = drawn_at_random(4, 5, spread=0.2, wide=6.0, whole=False)
    weight = torch.randn(1, 4, *SIZE[::-1], generator=stream(4, "weight"))
    whole = gradients(scene, weight, backend="reference", background=(1, 1, 1))
    monkeypatch.setattr("text2art.raster.reference.AT_ONCE", 500)
    parts = gradients(scene, weight, backend="reference", background=(1, 1, 1))
    for ours, theirs in zip(parts, whole, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@needs_numba
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_types_are_drawn_in_float32(dtype: torch.dtype) -> None:
    single = scene_of([(2.0, 8.0), (20.0, 9.0)])
    with torch.no_grad():  # to what all types can say
        single.points.copy_(single.points.to(dtype))
    other = Scene(
        single.width,
        single.height,
        single.points.detach().to(dtype).requires_grad_(),
        single.layout.offsets.tolist(),
        single.layout.segments.tolist(),
        False,
        single.stroke_width.to(dtype),
        single.color.to(dtype),
    )
    picture = render(other, backend="cpu")
    assert picture.dtype == torch.float32
    assert torch.equal(picture, render(single, backend="cpu"))
    torch.autograd.backward(picture[:, 3, 6].sum())
    assert other.points.grad is not None
    assert other.points.grad.dtype == dtype


def assert_sane(scene: Scene, backend: Backend, **how: Any) -> Tensor:
    """Assert that nothing is NaN or out of range; return the gradients of the points."""
    weight = torch.ones(1, 4, scene.height, scene.width)
    picture, *found = gradients(scene, weight, backend=backend, **how)
    assert picture.min() >= 0
    assert picture.max() <= 1
    for grad in found:
        assert bool(torch.isfinite(grad).all())
    return found[0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("field", ["points", "stroke_width", "color"])
def test_a_broken_path_is_left_out(field: str, bad: float, backend: Backend) -> None:
    paths: list[list[tuple[float, float]]] = [[(2, 3), (20, 9)], [(2, 12), (20, 4)]]
    scene, whole = scene_of(*paths), scene_of(paths[1])
    with torch.no_grad():
        getattr(scene, field)[0] = bad
    grad = assert_sane(scene, backend)
    assert bool((grad[:4] == 0).all())
    assert bool((grad[4:] != 0).any())
    assert torch.equal(render(scene, backend=backend), render(whole, backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_strange_shapes_do_no_harm(backend: Backend) -> None:
    dot = [(7.5, 7.5)] * 4
    flat = [(3.0, 5.0), (18.0, 5.0), (3.0, 5.0)]
    huge = [(-9e4, -3e4), (5.0, 8e4), (9e4, -9e4)]
    beyond = [(3e30, 1.0), (2.0, -2e38), (4.0, 4.0)]
    paths = [dot, flat, huge, beyond]
    for closed in (False, True):
        for width in (0.0, 1e-9, 2.0, 1e30, -3.0):
            for softness in (0.01, 1.0, 30.0):
                scene = scene_of(*paths, closed=closed, width=width)
                assert_sane(scene, backend, softness=softness)
                assert_sane(scene, backend, softness=softness, background=(1, 1, 1))


@pytest.mark.parametrize("backend", BACKENDS)
def test_colors_out_of_range_are_limited(backend: Backend) -> None:
    scene = scene_of([(2, 3), (20, 9)], color=[(1.5, -0.5, 0.5, 2.0)])
    assert_sane(scene, backend)
    same = scene_of([(2, 3), (20, 9)], color=[(1.0, 0.0, 0.5, 1.0)])
    assert torch.equal(render(scene, backend=backend), render(same, backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stroke_of_no_width_is_not_seen_but_can_grow(backend: Backend) -> None:
    scene = scene_of([(2, 8.3), (20, 8.3)], width=0.0)
    weight = torch.zeros(1, 4, 16, 24)
    weight[:, 3] = 1
    picture, _, width, _ = gradients(scene, weight, backend=backend)
    assert picture.max() == 0
    assert width[0] == pytest.approx(18, rel=0.1)  # its length


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_lies_outside_is_not_seen(backend: Backend) -> None:
    generator = stream(1, "outside")
    start = torch.rand(3000, 1, 2, generator=generator) * 300 + 60
    ends = start + torch.rand(3000, 2, 2, generator=generator) * 8
    sign = torch.where(torch.rand(3000, 1, 1, generator=generator) < 0.5, -1.0, 1.0)
    scene = scene_of(*(sign * ends).tolist())
    grad = assert_sane(scene, backend, background=(1, 1, 1))
    assert bool((grad == 0).all())
    assert bool((render(scene, backend=backend) == 0).all())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_scene_without_paths_is_empty(backend: Backend) -> None:
    none = torch.zeros(0, dtype=torch.long)
    scene = Scene(
        5,
        4,
        torch.zeros(0, 2),
        torch.zeros(1, dtype=torch.long),
        none,
        True,
        torch.zeros(0),
        torch.zeros(0, 4),
    )
    assert torch.equal(render(scene, backend=backend), torch.zeros(1, 4, 4, 5))


GOOD: dict[str, Any] = {
    "width": 8,
    "height": 8,
    "points": torch.zeros(4, 2),
    "offsets": torch.tensor([0, 4]),
    "segments": torch.tensor([1]),
    "closed": False,
    "stroke_width": torch.ones(1),
    "color": torch.ones(1, 4),
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "width must be a whole number of pixels from 1, not 0"),
        ({"height": 2.5}, "height must be"),
        ({"points": torch.zeros(4, 3)}, r"points must have shape \(4, 2\), not \(4, 3\)"),
        ({"points": torch.zeros(5, 2)}, r"points must have shape \(4, 2\)"),
        ({"points": torch.zeros(4, 2, dtype=torch.complex64)}, "points must be real"),
        ({"points": torch.zeros(4, 2, device="meta")}, "different devices"),
        ({"offsets": torch.tensor([0.0, 4.0])}, "offsets must be a row of integers"),
        ({"offsets": torch.tensor([1, 4])}, "offsets must be 2 numbers from 0 for 1 paths"),
        ({"offsets": torch.tensor([4])}, "offsets must be 2 numbers"),
        ({"segments": torch.tensor([0])}, "at least one segment"),
        ({"closed": True}, "path 0 has 4 points: closed with 1 segments it needs 3"),
        ({"segments": torch.tensor([2])}, "open with 2 segments it needs 7"),
        ({"closed": torch.tensor([1])}, "closed must be 1 booleans, or one"),
        ({"closed": torch.tensor([True, False])}, "closed must be 1 booleans"),
        ({"stroke_width": torch.ones(2)}, "stroke_width must have shape"),
        ({"color": torch.ones(1, 3)}, "color must have shape"),
        ({"fill_rule": "odd"}, "fill_rule 'odd' is unknown: use 'nonzero' or 'evenodd'"),
    ],
)
def test_scenes_that_do_not_fit_together(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Scene(**{**GOOD, **changes})


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"softness": 0.0}, "softness must be above 0"),
        ({"softness": float("nan")}, "softness must be above 0"),
        ({"background": (1, 1)}, r"background must be \(3,\) or \(1, 3, 1, 1\), not \(2,\)"),
        ({"background": torch.ones(2, 3, 1, 1)}, "background must be"),
    ],
)
def test_ways_of_drawing_that_make_no_sense(how: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render(Scene(**GOOD), **how)


def test_batches_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="no scene"):
        render([])
    with pytest.raises(ValueError, match="different sizes"):
        render([Scene(**GOOD), Scene(**{**GOOD, "width": 9})])


@needs_numba
def test_without_a_folder_to_keep_code_in_it_is_compiled_anew() -> None:
    """As where neither the user's cache nor the package's own folder can be written to."""
    program = (
        "import text2art.raster.kernels.compiling as c\n"
        "import numba.core.caching as caching\n"
        "caching.CacheImpl._locator_classes = []\n"
        "def f(x: float) -> float: return x + 1\n"
        "print(c.compiled(f)(1.0))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "2.0", done.stderr


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_cuda_device_draws_what_the_cpu_draws() -> None:
    scene = drawn_at_random(2, 6, spread=0.3, wide=5.0, whole=False)
    weight = torch.randn(1, 4, *SIZE[::-1], generator=stream(2, "weight"))
    there = Scene(
        *SIZE,
        scene.points.detach().cuda().requires_grad_(),
        scene.offsets,
        scene.segments,
        scene.closed,
        scene.stroke_width.detach().cuda().requires_grad_(),
        scene.color.detach().cuda().requires_grad_(),
    )
    truth = gradients(scene, weight, backend="reference", background=(1, 1, 1))
    found = gradients(there, weight.cuda(), background=(1, 1, 1))
    for ours, theirs in zip(found, truth, strict=True):
        assert ours.is_cuda
        assert float((ours.cpu() - theirs).norm()) < 2e-3 * float(theirs.norm())
