"""Drawers of strokes, lines and shapes: growth, softness, palettes, fits, limits, old names."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.test_drawers import canvas, flag
from text2art.abilities import Annealed, SvgSource
from text2art.api import draw
from text2art.drawers.shapes import ShapesDrawer
from text2art.drawers.strokes import ClipdrawDrawer, LineDrawer
from text2art.drawers.vector import CRISP, GROWN, VectorDrawer, stage_of
from text2art.errors import SettingsError
from text2art.options.drawers import ClipdrawOptions, LineOptions, ShapesOptions
from text2art.palettes import parse_palette
from text2art.session import Session
from text2art.settings import Settings

FEW: dict[str, tuple[type[VectorDrawer], Any]] = {
    "clipdraw": (ClipdrawDrawer, ClipdrawOptions(strokes=24)),
    "original": (ClipdrawDrawer, ClipdrawOptions(strokes=24, parametrization="original")),
    "line": (LineDrawer, LineOptions(strokes=6)),
    "shapes": (ShapesDrawer, ShapesOptions(shapes=24)),
}
TINY: dict[str, Any] = {
    "perceptor": "toy", "size": "32x32", "cuts": 2, "starts": 1, "seed": 3, "iterations": 6,
}  # fmt: skip


def make(name: str, *args: Any, **kwargs: Any) -> Any:
    kind, options = FEW[name]
    build: Any = kind
    return build(canvas(*args, **kwargs), options)


def step_(drawer: VectorDrawer, optimizer: torch.optim.Optimizer, wanted: Tensor) -> float:
    optimizer.zero_grad()
    loss = (drawer() - wanted).square().mean()
    loss.backward()
    optimizer.step()
    drawer.project_()
    return float(loss.detach())


def adam(drawer: VectorDrawer) -> torch.optim.Optimizer:
    return torch.optim.Adam(drawer.groups())  # type: ignore[arg-type]


# ---- the picture -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FEW)
def test_they_are_made_of_shapes_and_annealed(name: str) -> None:
    drawer = make(name)
    assert isinstance(drawer, SvgSource)
    assert isinstance(drawer, Annealed)


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("size", [(32, 32), (50, 31), (31, 50)])
def test_same_seed_same_picture_and_another_one_another(name: str, size: tuple[int, int]) -> None:
    assert torch.equal(make(name, size)(), make(name, size)())
    assert not torch.equal(make(name, size, seed=1)(), make(name, size, seed=2)())
    assert make(name, size)().shape == (1, 3, size[1], size[0])


def edges(picture: Tensor) -> int:
    """How many pixels are neither ink nor paper."""
    gray = picture[0].mean(0)
    low, high = float(gray.min()), float(gray.max())
    return int(((gray > low + 0.02) & (gray < high - 0.02)).sum())


def test_edges_are_soft_at_first_and_crisp_in_the_end_and_in_the_result() -> None:
    drawer = make("line", (96, 96))
    counts = []
    for progress in (0.0, CRISP / 2, CRISP, 1.0):
        drawer.at_(progress)
        counts.append(edges(drawer().detach()))
    assert counts[0] > counts[1] > counts[2] == counts[3]
    drawer.at_(0.0)
    assert edges(drawer.eval()().detach()) == counts[2]


@pytest.mark.parametrize("name", ["clipdraw", "shapes"])
def test_paths_come_in_by_and_by_and_never_go(name: str) -> None:
    drawer = make(name)
    counts = []
    for progress in (0.0, 0.1, GROWN / 2, GROWN, 0.2, 1.0):
        drawer.at_(progress)
        counts.append(len(drawer.scene().stroke_width))
    assert counts[0] < counts[2] < counts[3] == 24
    assert counts[3:] == [24, 24, 24]


def test_what_has_not_come_in_yet_does_not_move() -> None:
    drawer = make("clipdraw")
    drawer.at_(0.0)
    there = len(drawer.scene().points)
    before = drawer.points.detach().clone()
    optimizer = adam(drawer)
    for _ in range(3):
        step_(drawer, optimizer, flag(32, 32))
    assert torch.equal(drawer.points[there:], before[there:])
    assert not torch.equal(drawer.points[:there], before[:there])


def test_new_paths_take_the_colors_that_are_there() -> None:
    """So that the picture does not jump: on white, new strokes are white."""
    drawer = make("clipdraw")
    with torch.no_grad():
        drawer.colors[:6] = 1.0
    drawer.at_(0.0)
    assert bool((drawer() == 1).all())
    drawer.at_(1.0)
    assert drawer().min() > 0.999


def test_stages_double_and_the_first_strokes_are_the_coarsest() -> None:
    assert torch.bincount(stage_of(24, 3)).tolist() == [6, 6, 12]
    assert stage_of(2, 8).tolist() == [0, 1]  # no empty stages
    widths = make("clipdraw").widths.detach()
    assert widths[0] == pytest.approx(2 * float(widths[-1]))
    shapes = make("shapes").points.detach().reshape(24, -1, 2)
    spans = (shapes.amax(1) - shapes.amin(1)).prod(-1)
    assert spans[:3].mean() > 3 * spans[12:].mean()


def test_the_state_tells_how_many_paths_there_are() -> None:
    one, other = make("shapes", seed=1), make("shapes", seed=2)
    one.at_(0.25)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(), other())
    assert len(other.scene().stroke_width) == len(one.scene().stroke_width) < 24


def test_paths_that_show_nothing_start_anew() -> None:
    drawer = make("clipdraw")
    drawer.at_(1.0)
    drawer._progress = 0.19
    with torch.no_grad():
        drawer.colors[0, 3] = 0.0
        drawer.points[drawer._path_of_point == 1] = -5.0
    kept = drawer.points[drawer._path_of_point > 1].detach().clone()
    drawer.at_(0.21)
    assert drawer.colors[0, 3] > 0.5
    second = drawer.points[drawer._path_of_point == 1]
    assert bool(((second > 0) & (second < 32)).any())
    assert torch.equal(drawer.points[drawer._path_of_point > 1], kept)


def test_numbers_that_are_none_leave_their_path_out() -> None:
    drawer = make("clipdraw")
    with torch.no_grad():
        drawer.points[0] = math.nan
        drawer.widths[1] = math.inf
    picture = drawer()
    assert bool(picture.isfinite().all())
    picture.sum().backward()
    assert bool(drawer.points.grad.isfinite().all())
    assert "nan" not in drawer.svg().lower()


# ---- learning ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "share"), [("clipdraw", 0.3), ("shapes", 0.25), ("line", 0.9)])
def test_descent_comes_near_a_picture(name: str, share: float) -> None:
    drawer = make(name)
    wanted = flag(32, 32)
    optimizer = adam(drawer)
    losses = []
    for step in range(80):
        drawer.at_(step / 80)
        losses.append(step_(drawer, optimizer, wanted))
    assert losses[-1] < share * losses[0]


@pytest.mark.parametrize(
    ("build", "limit"),
    [
        (lambda canvas: ClipdrawDrawer(canvas, ClipdrawOptions()), 0.02),
        (lambda canvas: ShapesDrawer(canvas, ShapesOptions()), 0.02),
    ],
)
def test_fitting_resembles_the_picture(build: Any, limit: float) -> None:
    for size in ((32, 32), (50, 31)):
        drawer = build(canvas(size))
        drawer.fit_(flag(*size))
        assert (drawer() - flag(*size)).abs().mean() < limit
        assert len(drawer.scene().stroke_width) == len(drawer.widths)


def test_lines_gather_where_the_picture_is_unlike_the_paper() -> None:
    picture = torch.ones(1, 3, 64, 64) * torch.tensor([0xF2, 0xEE, 0xCB]).view(1, 3, 1, 1) / 255
    picture[..., 40:56, 8:24] = 0
    drawer = LineDrawer(canvas((64, 64)), LineOptions(strokes=12))
    before = (drawer() - picture).square().mean()
    drawer.fit_(picture)
    assert (drawer() - picture).square().mean() < 0.5 * before
    x, y = drawer.points.detach().mean(0).tolist()
    assert 8 < x < 24
    assert 40 < y < 56


def test_widths_and_ends_keep_their_limits() -> None:
    drawer = make("line")
    with torch.no_grad():
        drawer.widths.mul_(100)
        drawer.points.add_(1000)
    drawer.project_()
    assert bool((drawer.widths <= 0.04 * 32 + 1e-6).all())
    ends = drawer.points.reshape(6, -1, 2)[:, ::3]
    assert bool((ends <= 32).all())
    inner = drawer.points.reshape(6, -1, 2)[:, 1::3]
    assert bool((inner > 32).any())


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("palette", ["PICO-8", "black,white"])
def test_a_palette_limits_the_colors(name: str, palette: str) -> None:
    drawer = make(name, palette=palette)
    optimizer = adam(drawer)
    for step in range(5):
        drawer.at_(step / 5)
        step_(drawer, optimizer, flag(32, 32))
    allowed = {"#{:02x}{:02x}{:02x}".format(*color) for color in parse_palette(palette)}
    document = drawer.svg()
    used = set(re.findall(r"#[0-9a-f]{6}", document))
    assert used
    assert used <= allowed
    assert "opacity" not in document


def test_lines_have_one_ink_without_a_palette() -> None:
    colors = LineDrawer(canvas(), LineOptions(ink="#123456")).scene().color
    assert torch.allclose(colors, torch.tensor([0x12, 0x34, 0x56, 255]) / 255)
    names = [group["name"] for group in make("line").groups()]
    assert names == ["points", "widths"]


def test_paper_is_learned_when_asked_to() -> None:
    drawer = LineDrawer(canvas(), LineOptions(learn_paper=True))
    optimizer = adam(drawer)
    for _ in range(20):
        step_(drawer, optimizer, torch.zeros(1, 3, 32, 32))
    assert bool((drawer.background < torch.tensor([0xF2, 0xEE, 0xCB]) / 255 - 0.1).all())


# ---- in a run ----------------------------------------------------------------------------------


@pytest.mark.parametrize("drawer", ["clipdraw", "line", "shapes"])
def test_a_run_is_repeatable_and_ends_with_all_paths(drawer: str) -> None:
    settings = Settings.of(prompts="a red apple", drawer=drawer, **TINY)
    pictures = []
    for _ in range(2):
        with Session(settings) as session:
            last = list(session.frames())[-1]
            shapes = session.drawer
            assert isinstance(shapes, VectorDrawer)
            assert len(shapes.scene().stroke_width) == len(shapes.widths)
        pictures.append(last.image)
    assert torch.equal(*pictures)


def test_a_run_tells_its_drawer_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with Session(Settings.of(prompts="a red apple", drawer="line", **TINY)) as session:
        told: list[float] = []
        drawer = session.drawer
        assert isinstance(drawer, VectorDrawer)
        monkeypatch.setattr(drawer, "at_", told.append)
        list(session.frames())
    assert told == pytest.approx([step / 6 for step in range(6)])  # and the result is not told


def test_the_best_picture_comes_back_with_its_number_of_paths() -> None:
    settings = Settings.of(
        prompts="a red apple", drawer="shapes", keep="best", **{**TINY, "iterations": 14}
    )
    with Session(settings) as session:
        frames = list(session.frames())
        drawer = session.drawer
        assert isinstance(drawer, VectorDrawer)
        assert torch.equal(drawer(), frames[-1].image)


def test_an_init_image_is_what_it_starts_from(tmp_path: Any) -> None:
    from text2art.media.convert import to_pil

    to_pil(flag(32, 32)).save(tmp_path / "flag.png")
    result = draw(
        "a flag",
        drawer="shapes",
        init_image=str(tmp_path / "flag.png"),
        **{**TINY, "iterations": 1},
    )
    red, _, blue = result.image.getpixel((4, 28))  # type: ignore[misc]
    assert red > 150
    assert blue > 80


# ---- options -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"clipdraw": {"strokes": 0}}, r"clipdraw\.strokes"),
        ({"clipdraw": {"strokes": 10**9}}, r"clipdraw\.strokes"),
        ({"clipdraw": {"segments": 99}}, r"clipdraw\.segments"),
        ({"clipdraw": {"min_width": 0}}, r"clipdraw\.min_width"),
        ({"clipdraw": {"max_width": float("nan")}}, r"clipdraw\.max_width"),
        ({"clipdraw": {"min_width": 9, "max_width": 3}}, "min_width 9 is above .*max_width 3"),
        ({"line": {"min_width": 9, "max_width": 3}}, "min_width 9 is above .*max_width 3"),
        ({"clipdraw": {"background": "bleu"}}, "clipdraw.background: no color.*given 'bleu'"),
        ({"line": {"paper": "#12"}}, "line.paper: no color.*given '#12'"),
        ({"shapes": {"segments": 2}}, r"shapes\.segments"),
        ({"shapes": {"softness": 0}}, r"shapes\.softness"),
        ({"strokes": "many"}, r"clipdraw\.strokes"),
        ({"min_stroke_width": "thin"}, r"clipdraw\.min_width"),
    ],
)
def test_absurd_options_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings.of(prompts="a cat", **settings)


def test_a_width_that_is_not_given_makes_room() -> None:
    assert ClipdrawOptions(min_width=20).widths == (20, 20, 20)
    assert LineOptions(max_width=0.5).widths == (0.5, 0.5, 0.5)
    assert ClipdrawOptions().widths == (2, 10, 3)
    low, high, start = ClipdrawOptions(parametrization="original").widths
    assert (low * 224, high * 224) == pytest.approx((200, 10000))
    assert start == low


def test_old_names_are_read() -> None:
    settings = Settings.of(
        prompts="a cat", drawer="line_sketch", strokes=30, stroke_length=5,
        min_stroke_width=1, max_stroke_width="3", allow_paper_color=True,
    )  # fmt: skip
    line, clipdraw = settings.options("line"), settings.options("clipdraw")
    assert (settings.drawer, line.strokes, line.segments, line.learn_paper) == ("line", 30, 5, True)
    assert line.widths[:2] == clipdraw.widths[:2] == (2, 6)  # painted widths, not diffvg's
    assert clipdraw.strokes == 30
    assert Settings.of(prompts="a cat", use_clipdraw=True).drawer == "clipdraw"
    pixel = Settings.of(prompts="a cat", pixel_type="knit", pixel_size=[40, 50]).options("pixel")
    assert (pixel.cell, pixel.cells) == ("knit", (40, 50))
    with pytest.raises(SettingsError, match="strokes"):
        Settings.of(prompts="a cat", strokes=30, line={"strokes": 20})


@pytest.mark.parametrize("size", [(16, 16), (16, 96)])
def test_the_smallest_pictures_can_be_drawn(size: tuple[int, int]) -> None:
    few: list[tuple[Any, Any]] = [
        (ClipdrawDrawer, ClipdrawOptions(strokes=1)),
        (LineDrawer, LineOptions(strokes=1, segments=1)),
        (ShapesDrawer, ShapesOptions(shapes=1, stages=8)),
    ]
    for kind, options in few:
        drawer = kind(canvas(size), options)
        assert drawer().shape == (1, 3, size[1], size[0])
        drawer().sum().backward()
        assert bool(drawer.points.grad.isfinite().all())
