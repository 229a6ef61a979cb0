"""How cells come by their colors: snapped, chosen by chance, learned, in ramps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from text2art.color import from_oklab, oklab
from text2art.core import Canvas
from text2art.drawers.paints import HardPaint, LearnedPaint
from text2art.drawers.pixel import PixelDrawer
from text2art.drawers.tones import Ramps, Tones
from text2art.errors import SettingsError
from text2art.media.convert import to_indexed, to_pil
from text2art.options.drawers import PixelOptions
from text2art.palettes import parse_palette
from text2art.runtime import stream
from text2art.testing import check_drawer

MODES: dict[str, dict[str, Any]] = {
    "hard": {"palette_mode": "hard"},
    "learned": {"palette_mode": "learned", "colors": 6},
    "ramps": {"palette_mode": "learned", "colors": 12, "shades": 4},
}


def canvas(
    size: tuple[int, int] = (32, 24), palette: str = "", *, seed: int = 1, **more: Any
) -> Canvas:
    colors = parse_palette(palette)
    return Canvas(
        width=size[0],
        height=size[1],
        device=torch.device("cpu"),
        stream=lambda purpose: stream(seed, purpose),
        palette=torch.tensor(colors) / 255 if colors else None,
        **more,
    )


def make(mode: str, palette: str = "", **more: Any) -> PixelDrawer:
    palette = palette or ("PICO-8" if mode == "hard" else "")
    return PixelDrawer(canvas(palette=palette, **more), PixelOptions(cells=(8, 6), **MODES[mode]))


def picture(seed: int = 0) -> Tensor:
    return torch.rand(1, 3, 24, 32, generator=stream(seed, "picture"))


def descend(drawer: PixelDrawer, wanted: Tensor, steps: int = 60) -> None:
    optimizer = torch.optim.Adam(drawer.groups())  # type: ignore[arg-type]
    for step in range(steps):
        drawer.at_(step / steps)
        optimizer.zero_grad()
        loss: Tensor = (drawer()[:, :3] - wanted).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    drawer.eval()


@pytest.mark.parametrize(("mode", "cell"), [("learned", "hex"), ("ramps", "rect")])
def test_contract(mode: str, cell: Any) -> None:
    check_drawer(PixelDrawer, PixelOptions(cell=cell, **MODES[mode]))


@pytest.mark.parametrize("name", ["PICO-8", "Game Boy", "Endesga-32", "1-bit"])
@pytest.mark.parametrize("mode", MODES)
def test_every_pixel_of_every_step_is_on_the_palette(mode: str, name: str) -> None:
    drawer = make(mode, name)
    optimizer = torch.optim.Adam(drawer.groups())  # type: ignore[arg-type]
    for step in range(4):
        drawer.at_(step / 4)
        image = drawer()
        cells = drawer.cells()
        colors = {color for _, color in to_pil(image).getcolors() or []}
        levels = cells.getpalette("RGB") or []
        palette = {tuple(levels[i : i + 3]) for i in range(0, len(levels), 3)}
        assert colors <= palette
        if mode == "hard":
            assert levels == [level for color in parse_palette(name) for level in color]
        optimizer.zero_grad()
        (image - picture()).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("mode", MODES)
def test_the_result_is_what_the_cells_say(mode: str) -> None:
    drawer = make(mode)
    descend(drawer, picture(), 5)
    cells = drawer.cells()
    assert cells.mode == "P"
    large = cells.convert("RGB").resize((32, 24), Image.Resampling.NEAREST)
    assert to_pil(drawer()).tobytes() == large.tobytes()


@pytest.mark.parametrize("mode", MODES)
def test_descent_finds_what_the_palette_can_show(mode: str) -> None:
    """Four areas of PICO-8's colors: a hard palette gets them exactly, a learned one nearly."""
    pico = torch.tensor(parse_palette("PICO-8")) / 255
    wanted = torch.zeros(1, 3, 24, 32)
    for n, k in enumerate((8, 12, 10, 1)):
        wanted[:, :, n // 2 * 12 :][:, :, :12, n % 2 * 16 :][..., :16] = pico[k].view(1, 3, 1, 1)
    drawer = make(mode)
    descend(drawer, wanted, 150)
    error = (drawer() - wanted).square().mean()
    assert error < (0.02 if mode == "hard" else 0.01)


@pytest.mark.parametrize("mode", MODES)
def test_fits_resemble_the_picture(mode: str) -> None:
    drawer = make(mode)
    wanted = torch.zeros(1, 3, 24, 32)
    wanted[..., :16] = 0.9
    wanted[:, 0, :12] = 0.7
    drawer.fit_(wanted)
    assert (drawer() - wanted).abs().mean() < 0.12


@pytest.mark.parametrize("mode", MODES)
def test_the_same_seed_gives_the_same_course(mode: str) -> None:
    one, same = make(mode), make(mode)
    for drawer in (one, same):
        descend(drawer, picture(), 8)
    assert torch.equal(one(), same())
    fresh = make(mode, seed=2)
    fresh.load_state_dict(one.state_dict())
    for drawer in (one, fresh):  # noise and all
        drawer.train()
    assert torch.equal(one(), fresh())


def test_a_hard_palettes_gradient_is_the_softmaxs() -> None:
    """Against the formula of arXiv:1611.01144: y = onehot, dy = d softmax((logits + g) / tau)."""
    drawer = make("hard")
    paint = drawer._paint
    assert isinstance(paint, HardPaint)
    drawer.at_(0.3)
    weights = torch.randn(1, 3, 6, 8, generator=stream(0, "weights"))
    (paint() * weights).sum().backward()
    ours = [grid.grad.clone() for grid in paint.layers.grids if grid.grad is not None]
    for grid in paint.layers.grids:
        grid.grad = None
    noise, tau = paint._noise, 3.0 * 0.1**0.3
    soft = torch.softmax((4.0 * paint.layers.total() + noise) / tau, dim=1)
    mean = (soft[:, :, None] * paint._palette[None, :, :, None, None]).sum(dim=1)
    (mean * weights).sum().backward()  # type: ignore[no-untyped-call]
    for mine, grid in zip(ours, paint.layers.grids, strict=True):
        assert grid.grad is not None
        assert torch.allclose(mine, grid.grad, atol=1e-5)


def test_noise_is_gumbels_and_comes_to_rest() -> None:
    options = PixelOptions(cells=(32, 24), palette_mode="hard")
    paint = PixelDrawer(canvas(palette="DB32"), options)._paint
    assert isinstance(paint, HardPaint)
    paint.at_(0.0)
    # A Gumbel variable's mean is Euler's constant, its variance pi^2 / 6.
    assert float(paint._noise.mean()) == pytest.approx(0.5772, abs=0.03)
    assert float(paint._noise.var()) == pytest.approx(np.pi**2 / 6, abs=0.08)
    first = paint._noise.clone()
    paint.at_(0.3)
    assert float(paint._noise.std()) == pytest.approx(float(first.std()) / 2, rel=0.05)
    paint.at_(0.0)
    assert torch.equal(paint._noise, first)
    paint.at_(0.7)
    assert not paint._noise.any()
    assert float(paint._temperature) == pytest.approx(3.0 * 0.1**0.7)


def test_what_cannot_be_hard_is_said() -> None:
    options = PixelOptions(palette_mode="hard")
    with pytest.raises(SettingsError, match="hard needs a palette"):
        PixelDrawer(canvas(), options)
    many = PixelOptions(palette_mode="hard", cells=(512, 512))
    grays = "[" + ",".join(f"#{v:02x}{v:02x}{v:02x}" for v in range(256)) + "]"
    with pytest.raises(SettingsError, match="too many for"):
        PixelDrawer(canvas((512, 512), grays), many)
    shaded = PixelOptions(palette_mode="learned", shades=16)
    with pytest.raises(SettingsError, match="at most 256"):
        PixelDrawer(canvas(palette="DB32"), shaded)


# ---- learned palettes --------------------------------------------------------------------------


def test_unused_colors_are_moved_to_where_they_are_missed() -> None:
    tones = Tones(torch.tensor([[0.5, 0.5, 0.5], [0.9, 0.1, 0.1]]))
    colors = torch.tensor([[0.5, 0.5, 0.5], [0.1, 0.2, 0.9], [0.5, 0.5, 0.6]])
    with torch.no_grad():
        tones.move_(torch.tensor([False, True]), colors)
    assert torch.allclose(tones()[1], colors[1], atol=0.01)
    assert torch.allclose(tones()[0], colors[0], atol=0.01)


def test_ramps_go_from_dark_to_light_whatever_is_learned() -> None:
    ramps = Ramps(torch.rand(3, 3, generator=stream(0, "colors")), 5)
    with torch.no_grad():
        ramps.sums.add_(torch.randn(ramps.sums.shape, generator=stream(1, "wild")))
    # Before clamping to what sRGB has, lightness rises along each ramp.
    share = torch.sigmoid(4.0 * ramps.sums[..., 0])
    middle = share[:, 1]
    assert bool((middle * share[:, 0] < middle).all())
    assert ramps().shape == (15, 3)
    assert bool(((ramps() >= 0) & (ramps() <= 1)).all())
    tame = Ramps(torch.tensor([[0.8, 0.3, 0.3], [0.2, 0.4, 0.8]]), 4)
    lightness = oklab(tame().detach())[:, 0].reshape(2, 4)
    assert bool((lightness.diff(dim=1) > 0.02).all())


def test_a_ramps_middle_is_its_color() -> None:
    start = torch.tensor([[0.8, 0.3, 0.3], [0.2, 0.4, 0.7]])
    ramps = Ramps(start, 5)
    assert torch.allclose(ramps().detach().reshape(2, 5, 3)[:, 2], start, atol=0.02)


def test_a_learned_palette_is_ordered_from_dark_to_light() -> None:
    drawer = make("learned")
    descend(drawer, picture(), 10)
    assert isinstance(drawer._paint, LearnedPaint)
    levels = drawer.cells().getpalette("RGB") or []
    colors = torch.tensor(levels).reshape(-1, 3) / 255
    lightness = oklab(colors)[:, 0]
    assert bool((lightness.diff() >= -1e-3).all())
    assert len(colors) == 6


def test_oklab_and_back() -> None:
    colors = torch.rand(500, 3, generator=stream(0, "colors"))
    assert torch.allclose(from_oklab(oklab(colors)), colors, atol=2e-4)
    beyond = from_oklab(torch.tensor([[0.5, 0.4, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    assert bool(((beyond >= 0) & (beyond <= 1)).all())


# ---- transparency ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_cells_may_be_clear(mode: str) -> None:
    drawer = make(mode, transparent=True)
    wanted = torch.cat([picture(), torch.ones(1, 1, 24, 32)], dim=1)
    wanted[:, 3, :, :16] = 0
    drawer.fit_(wanted)
    image = drawer().detach()
    assert image.shape == (1, 4, 24, 32)
    assert float(image[:, 3, :, 20:].min()) > 0.9
    assert float(image[:, 3, :, :12].max()) < 0.1
    cells = drawer.cells()
    count = len(cells.getpalette("RGB") or []) // 3
    assert cells.info["transparency"] == count - 1
    alpha = np.asarray(cells.convert("RGBA"))[..., 3]
    assert alpha[:, :4].max() == 0
    assert alpha[:, 4:].min() == 255


def test_a_full_palette_leaves_clear_cells_to_alpha() -> None:
    palette = torch.arange(256).repeat(3, 1).T / 255
    index = torch.arange(256).reshape(16, 16)
    clear = index < 3
    image = to_indexed(index, palette, clear)
    assert image.mode == "RGBA"
    assert [image.getpixel((x, 0)) for x in (2, 3)] == [(2, 2, 2, 0), (3, 3, 3, 255)]
    assert to_indexed(index, palette).mode == "P"
