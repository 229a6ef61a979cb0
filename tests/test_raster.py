"""The rasterizer: right pictures and gradients, whichever backend; bad input harms nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from text2art.errors import MissingExtra
from text2art.raster import Scene, cubics_from_lines, cubics_from_quadratics, reference, render
from text2art.raster.curves import bernstein
from text2art.raster.render import Backend, available

BACKENDS: list[Any] = [
    "reference",
    pytest.param(
        "cpu", marks=pytest.mark.skipif(not available("cpu"), reason="numba is not installed")
    ),
]
DATA = Path(__file__).parent / "data" / "diffvg"


def scene_of(
    *paths: Sequence[tuple[float, float]],
    closed: bool | list[bool] = False,
    width: float | list[float] = 4.0,
    color: list[tuple[float, float, float, float]] | None = None,
    size: tuple[int, int] = (24, 16),
    lines: bool = True,
    **how: Any,
) -> Scene:
    """Return a scene of polylines (or, without `lines`, of cubics) with gradients."""
    ends = closed if isinstance(closed, list) else [closed] * len(paths)
    points = [torch.tensor(path, dtype=torch.float32) for path in paths]
    if lines:
        points = [
            cubics_from_lines(path, closed=end) for path, end in zip(points, ends, strict=True)
        ]
    counts = [len(path) for path in points]
    widths = width if isinstance(width, list) else [width] * len(paths)
    return Scene(
        *size,
        torch.cat(points).requires_grad_(),
        torch.tensor([0, *np.cumsum(counts)]),
        torch.tensor([count // 3 for count in counts]),
        torch.tensor(ends),
        torch.tensor(widths).requires_grad_(),
        torch.tensor(color or [(0.0, 0.0, 0.0, 1.0)] * len(paths)).requires_grad_(),
        **how,
    )


def gradients(scene: Scene, weight: Tensor, **how: Any) -> tuple[Tensor, ...]:
    """Return the picture, and the gradients of its weighted sum."""
    picture = render(scene, **how)
    leaves = (scene.points, scene.stroke_width, scene.color)
    return picture.detach(), *torch.autograd.grad((picture * weight).sum(), leaves)


def cosine(a: Any, b: Any) -> float:
    one, other = np.asarray(a, np.float64).ravel(), np.asarray(b, np.float64).ravel()
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


class Known:
    """A scene that diffvg has drawn."""

    def __init__(self, name: str) -> None:
        with np.load(DATA / f"{name}.npz") as file:
            self.data = {key: file[key] for key in file.files}
        data = self.data
        points, offsets = torch.from_numpy(data["points"]), torch.from_numpy(data["offsets"])
        if data["kind"] == "grid":
            points = cubics_from_lines(points.reshape(-1, 4, 2), closed=True).reshape(-1, 2)
            offsets = 3 * offsets
        self.scene = Scene(
            int(data["W"]),
            int(data["H"]),
            points.requires_grad_(),
            offsets,
            torch.from_numpy(data["nseg"]),
            bool(data["kind"] != "strokes"),
            torch.from_numpy(2 * data["width"]).requires_grad_(),
            torch.from_numpy(data["color"]).requires_grad_(),
        )

    def difference(self, backend: Backend) -> float:
        """Return the mean absolute difference of the pictures on white, in steps of 255."""
        with torch.no_grad():
            picture = render(self.scene, background=(1, 1, 1), backend=backend)[0, :3]
        wanted = self.data["image"].transpose(2, 0, 1) / 65535
        ours = picture.numpy()[:, : wanted.shape[1], : wanted.shape[2]]
        return float(np.abs(ours - wanted).mean() * 255)

    def gradients(self, backend: Backend) -> dict[str, Tensor]:
        weight = torch.zeros(4, self.scene.height, self.scene.width)
        weight[:3] = torch.from_numpy(self.data["loss_weight"].astype(np.float32)).permute(2, 0, 1)
        _, *found = gradients(self.scene, weight, background=(1, 1, 1), backend=backend)
        return dict(zip(("points", "width", "color"), found, strict=True))


SMALL = ["stroke1_64", "strokes16_96", "strokes16thin_96", "blob1_64", "blobs16_96"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SMALL)
def test_pictures_are_diffvgs(name: str, backend: Backend) -> None:
    assert Known(name).difference(backend) < 0.35


@pytest.mark.parametrize("backend", BACKENDS[1:])  # 1600 cells take the reference a while
def test_grids_are_diffvgs(backend: Backend) -> None:
    """Plain compositing is 6 steps of 255 off here, where cells do not end between pixels."""
    assert Known("grid40x40_256").difference(backend) < 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_shared_edges_let_nothing_through(backend: Backend) -> None:
    below = [(3.3, 2.2), (19.1, 13.7), (3.3, 13.7)]
    above = [(3.3, 2.2), (19.1, 2.2), (19.1, 13.7)]
    red, blue = (1.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 0.5)
    scene = scene_of(below, above, closed=True, color=[red, red])
    assert bool((render(scene, backend=backend)[0, 3, 3:13, 4:19] > 1 - 1e-5).all())
    # A shape between the two in painter's order shows, and what lies on both is blended as ever.
    bar = [(0.0, 8.0), (24.0, 8.0)]
    scene = scene_of(below, above, bar, closed=[True, True, False], color=[red, red, blue])
    picture = render(scene, background=(1, 1, 1), backend=backend)[0, :3, 8, 4:19].detach()
    assert torch.allclose(picture, torch.tensor([[0.5], [0.0], [0.5]]).expand(3, 15), atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "least"), [("stroke1_64", 0.99), ("strokes16_96", 0.98)])
def test_gradients_of_stroke_points_are_true(name: str, least: float, backend: Backend) -> None:
    """Against finite differences; diffvg's own reach 0.97 and 0.95."""
    known = Known(name)
    assert cosine(known.gradients(backend)["points"], known.data["fd_points"]) > least


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SMALL)
def test_other_gradients_are_diffvgs(name: str, backend: Backend) -> None:
    known = Known(name)
    found = known.gradients(backend)
    assert cosine(found["color"], known.data["grad_color"]) > 0.999
    if known.data["kind"] == "strokes":
        assert cosine(found["width"], known.data["grad_width"]) > 0.999
    else:
        assert cosine(found["points"], known.data["grad_points"]) > 0.998


@pytest.mark.parametrize(("rule", "softness"), [("nonzero", 1.0), ("evenodd", 2.5)])
def test_gradcheck(rule: Any, softness: float) -> None:
    generator = torch.Generator().manual_seed(5)
    scene = scene_of(
        [(1, 2), (3, 7), (6, 1), (7, 6)],
        [(2, 1), (8, 2), (5, 8), (1, 6), (4, 0), (3, 3)],
        [(0, 5), (4, 4), (5, 5), (9, 4)],
        closed=[False, True, False],
        width=[1.3, 0.0, 0.4],
        color=torch.rand(3, 4, generator=generator).tolist(),
        size=(9, 8),
        lines=False,
        fill_rule=rule,
    )

    def draw(points: Tensor, width: Tensor, color: Tensor) -> Tensor:
        exact = replace(scene, points=points, stroke_width=width, color=color)
        return reference.draw(exact, softness)

    leaves = (scene.points, scene.stroke_width, scene.color)
    doubles = [leaf.detach().double().requires_grad_() for leaf in leaves]
    assert torch.autograd.gradcheck(draw, doubles, eps=1e-7, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_rectangles_have_exact_areas(backend: Backend) -> None:
    corners = [(2.25, 1.5), (7.0, 1.5), (7.0, 4.75), (2.25, 4.75)]
    alpha = render(scene_of(corners, closed=True), backend=backend)[0, 3].detach()
    across = torch.tensor([0, 0, 0.75, 1, 1, 1, 1, 0, 0])
    down = torch.tensor([0, 0.5, 1, 1, 0.75, 0])
    assert torch.allclose(alpha[:6, :9], down[:, None] * across, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("edge", [7.0, 7.25])
def test_edges_on_pixel_borders_have_the_slope_of_both_sides(edge: float, backend: Backend) -> None:
    """Where neither side is exact, the gradient is the mean, that of central differences."""
    corners = [(2.0, 1.0), (edge, 1.0), (edge, 5.0), (2.0, 5.0)]
    scene = scene_of(corners, closed=True)
    weight = torch.zeros(4, 16, 24)
    weight[3, 2, 6], weight[3, 2, 7] = 1, 3
    _, points, *_ = gradients(scene, weight, backend=backend)
    assert points[:, 0].sum() == pytest.approx(2 if edge == 7 else 3, abs=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_wide_stroke_has_its_width_and_round_caps(backend: Backend) -> None:
    alpha = render(scene_of([(8, 8), (16, 8)], width=6.0), backend=backend)[0, 3].detach()
    assert alpha[:, 12].sum() == pytest.approx(6, abs=1e-5)
    assert alpha.sum() == pytest.approx(8 * 6 + math.pi * 9, rel=2e-3)


@pytest.mark.parametrize("width", [1.0, 2.0, 3.0])
def test_caps_are_too_large_by_so_much(width: float) -> None:
    """By pi/12 on average, since edges are straight within a pixel (docs/raster.md)."""
    excess = []
    for step in range(16):
        turn = step * math.pi / 16
        x, y = 5 * math.cos(turn), 5 * math.sin(turn)
        path = [(12.3 - x, 8.2 - y), (12.3 + x, 8.2 + y)]
        area = float(render(scene_of(path, width=width))[0, 3].detach().sum())
        excess.append(area - 10 * width - math.pi * width**2 / 4)
    assert np.mean(excess) == pytest.approx(math.pi / 12, abs=0.01)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_thin_strokes_are_faint_not_broken(slope: float, backend: Backend) -> None:
    path = [(-5.0, 8.3 - 17 * slope), (29.0, 8.3 + 17 * slope)]
    alpha = render(scene_of(path, width=0.2), backend=backend)[0, 3].detach()
    area = 0.2 * math.hypot(1, slope)
    assert torch.allclose(alpha[:, 10:14].sum(dim=0), torch.full((4,), area), rtol=2e-2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stroke_that_crosses_itself_is_painted_once(backend: Backend) -> None:
    path = [(2.0, 8.0), (20.0, 8.0), (20.0, 2.0), (8.0, 14.0)]
    scene = scene_of(path, width=3.0, color=[(1.0, 0.0, 0.0, 0.5)])
    assert render(scene, backend=backend)[0, 3].detach().max() == pytest.approx(0.5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("rule", "inside"), [("nonzero", 1.0), ("evenodd", 0.0)])
def test_fill_rules(rule: Any, inside: float, backend: Backend) -> None:
    twice = [(2, 2), (14, 2), (14, 14), (2, 14), (2, 2), (5, 5), (11, 5), (11, 11), (5, 11), (5, 5)]
    alpha = render(scene_of(twice, closed=True, fill_rule=rule), backend=backend)[0, 3].detach()
    assert alpha[8, 8] == pytest.approx(inside, abs=1e-6)
    assert alpha[3, 8] == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_later_paths_lie_on_top(backend: Backend) -> None:
    square = [(2.0, 2.0), (10.0, 2.0), (10.0, 10.0), (2.0, 10.0)]
    bar = [(0.0, 6.0), (20.0, 6.0)]
    colors = [(1.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 0.5)]
    scene = scene_of(square, bar, closed=[True, False], color=colors)
    picture = render(scene, background=(1, 1, 1), backend=backend)[0]
    assert picture[:3, 6, 6].tolist() == pytest.approx([0.5, 0, 0.5])
    assert picture[:3, 6, 15].tolist() == pytest.approx([0.5, 0.5, 1])
    assert picture[:3, 3, 3].tolist() == pytest.approx([1, 0, 0])
    assert bool((picture[3] == 1).all())


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_a_background_edges_are_not_darkened(backend: Backend) -> None:
    color = (0.9, 0.5, 0.2, 0.7)
    circle = [(8 + 6 * math.cos(t), 8 + 6 * math.sin(t)) for t in np.arange(12) * math.pi / 6]
    scene = scene_of(circle, [(3.0, 14.0), (22.0, 3.0)], closed=[True, False], color=[color] * 2)
    picture = render(scene, backend=backend)[0].detach()
    seen = picture[3] > 0
    edges = seen & (picture[3] < 0.69)
    assert edges.sum() > 40
    for channel in range(3):
        expected = torch.full((int(seen.sum()),), color[channel])
        assert torch.allclose(picture[channel][seen], expected, atol=1e-5)
    assert bool((picture[:, ~seen] == 0).all())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_background_may_be_learned(backend: Backend) -> None:
    scene = scene_of([(2.0, 8.0), (20.0, 8.0)])
    flat = torch.tensor([0.2, 0.4, 0.6], requires_grad=True)
    shaped = flat.detach()[None, :, None, None].requires_grad_()
    for background in (flat, shaped):
        picture = render(scene, background=background, backend=backend)
        torch.autograd.backward(picture[:, :3].sum())
        assert background.grad is not None
        alpha = render(scene, backend=backend)[0, 3].detach()
        assert background.grad.flatten().tolist() == pytest.approx([float((1 - alpha).sum())] * 3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_several_scenes_make_a_batch(backend: Backend) -> None:
    scenes = [scene_of([(2.0, 8.0), (20.0, y)]) for y in (3.0, 8.0, 12.0)]
    both = render(scenes, background=(1, 1, 0), backend=backend)
    assert both.shape == (3, 4, 16, 24)
    for one, scene in zip(both, scenes, strict=True):
        assert torch.equal(one, render(scene, background=(1, 1, 0), backend=backend)[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_softness_carries_gradients_further(backend: Backend) -> None:
    scene = scene_of([(2.0, 8.0), (20.0, 8.0)], width=2.0)
    weight = torch.zeros(4, 16, 24)
    weight[3, 10] = 1  # the row is 1.5 pixels below the stroke's edge
    _, sharp, *_ = gradients(scene, weight, backend=backend)
    picture, soft, *_ = gradients(scene, weight, backend=backend, softness=4.0)
    assert sharp.abs().max() == 0
    assert soft[:, 1].sum() > 0.1
    # What is painted in all remains.
    assert picture[0, 3, :, 12].sum() == pytest.approx(2, abs=1e-3)


@pytest.mark.parametrize("closed", [False, True])
def test_other_segments_are_raised_to_cubics(closed: bool) -> None:
    t = torch.linspace(0, 1, 9)[:, None]
    a, b, c = torch.tensor([[1.0, 2.0], [7.0, 9.0], [13.0, 4.0]])
    quadratic = (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
    given = torch.stack([a, b, c, a + b - c][: 4 if closed else 3])
    cubic = cubics_from_quadratics(given, closed=closed)
    assert len(cubic) == (6 if closed else 4)
    raised = bernstein(8, t) @ cubic[:4]
    assert torch.allclose(raised, quadratic, atol=1e-5)
    line = cubics_from_lines(torch.stack([a, b, c]), closed=closed)
    assert len(line) == (9 if closed else 7)
    assert torch.allclose(line[:4], a + (b - a) * torch.tensor([[0, 1 / 3, 2 / 3, 1]]).T, atol=1e-5)


def test_unknown_or_missing_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = scene_of([(2.0, 8.0), (20.0, 8.0)])
    with pytest.raises(ValueError, match="backend 'gpu' is unknown: use auto, reference"):
        render(scene, backend="gpu")  # type: ignore[arg-type]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="numba"):
        render(scene, backend="cpu")
    with pytest.raises(MissingExtra, match="pydiffvg"):
        render(scene, backend="diffvg")
    assert torch.equal(render(scene), render(scene, backend="reference"))


@pytest.mark.skipif(not available("diffvg"), reason="pydiffvg is not installed")
@pytest.mark.parametrize("name", SMALL)
def test_diffvg_agrees(name: str) -> None:
    known = Known(name)
    assert known.difference("diffvg") < 3
    ours, theirs = known.gradients("reference"), known.gradients("diffvg")
    assert cosine(ours["color"], theirs["color"]) > 0.99
