"""The three drawers: contracts, exact fits, cell geometry, palettes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from text2art.color import oklab
from text2art.core import Canvas, Drawer
from text2art.drawers.enlarging import Enlarged
from text2art.drawers.fft import FftDrawer
from text2art.drawers.lattice import Shape
from text2art.drawers.layers import Layers, squash
from text2art.drawers.pixel import PixelDrawer
from text2art.drawers.pyramid import PyramidDrawer
from text2art.media.convert import to_pil
from text2art.options.drawers import FftOptions, PixelOptions, PyramidOptions
from text2art.palettes import parse_palette
from text2art.runtime import stream

SHAPES: tuple[Shape, ...] = ("rect", "rectshift", "hex", "tri", "diamond", "knit")
SIZES = [(32, 32), (50, 31), (31, 50)]
MAKE: dict[str, tuple[type[Drawer], Any]] = {
    **{f"pixel-{shape}": (PixelDrawer, PixelOptions(cell=shape)) for shape in SHAPES},
    "pixel-7x5": (PixelDrawer, PixelOptions(cells=(7, 5))),
    "pyramid": (PyramidDrawer, PyramidOptions()),
    "pyramid-coarse": (PyramidDrawer, PyramidOptions(finest=9)),
    "fft": (FftDrawer, FftOptions()),
}


def canvas(size: tuple[int, int] = (32, 32), seed: int = 1, palette: str = "") -> Canvas:
    colors = parse_palette(palette)
    return Canvas(
        width=size[0],
        height=size[1],
        device=torch.device("cpu"),
        stream=lambda purpose: stream(seed, purpose),
        palette=torch.tensor(colors) / 255 if colors else None,
    )


def make(name: str, *args: Any, **kwargs: Any) -> Drawer:
    kind, options = MAKE[name]
    return kind(canvas(*args, **kwargs), options)


def flag(width: int, height: int) -> Tensor:
    """A picture of large plain areas."""
    picture = torch.zeros(1, 3, height, width)
    picture[:, 0, :, : width // 2] = 0.9
    picture[:, 2, height // 2 :] = 0.6
    picture[:, 1, : height // 2, width // 2 :] = 0.4
    return picture


# ---- what every drawer keeps -------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("palette", ["", "PICO-8"])
@pytest.mark.parametrize("name", MAKE)
def test_pictures_have_the_canvas_size_and_range(
    name: str, palette: str, size: tuple[int, int]
) -> None:
    drawer = make(name, size, palette=palette)
    with torch.no_grad():
        for parameter in drawer.parameters():  # far out of the way
            parameter.add_(20 * torch.randn(parameter.shape, generator=stream(2, "far")))
        image = drawer()
    assert image.shape == (1, 3, size[1], size[0])
    assert image.dtype == torch.float32
    assert image.min() >= 0
    assert image.max() <= 1
    assert bool(image.isfinite().all())


@pytest.mark.parametrize("name", MAKE)
def test_same_stream_same_picture(name: str) -> None:
    assert torch.equal(make(name, seed=1)(), make(name, seed=1)())
    assert not torch.equal(make(name, seed=1)(), make(name, seed=2)())


@pytest.mark.parametrize("palette", ["", "PICO-8"])
@pytest.mark.parametrize("name", MAKE)
def test_the_state_is_the_picture(name: str, palette: str) -> None:
    one, other = make(name, seed=1, palette=palette), make(name, seed=2, palette=palette)
    one.fit_(flag(32, 32))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(), other())


@pytest.mark.parametrize("palette", ["", "PICO-8"])
@pytest.mark.parametrize("name", MAKE)
def test_groups_hold_every_parameter_once_and_all_learn(name: str, palette: str) -> None:
    drawer = make(name, palette=palette)
    grouped = [p for group in drawer.groups() for p in group["params"]]
    assert {id(p) for p in grouped} == {id(p) for p in drawer.parameters()}
    assert len(grouped) == len(list(drawer.parameters()))
    weights = torch.randn(1, 3, 32, 32, generator=stream(0, "weights"))
    (drawer() * weights).sum().backward()
    for parameter in grouped:
        assert parameter.grad is not None
        assert bool(parameter.grad.isfinite().all())
        assert parameter.grad.abs().max() > 0


@pytest.mark.parametrize("palette", ["", "PICO-8"])
@pytest.mark.parametrize("name", MAKE)
def test_descent_reaches_a_plain_color(name: str, palette: str) -> None:
    drawer = make(name, palette=palette)
    wanted = torch.tensor([1.0, 236 / 255, 39 / 255]).reshape(1, 3, 1, 1)  # PICO-8's yellow
    optimizer = torch.optim.Adam(drawer.groups())  # type: ignore[arg-type]
    for _ in range(200):  # a draft's
        optimizer.zero_grad()
        (drawer() - wanted).square().mean().backward()
        optimizer.step()
    assert (drawer() - wanted).square().mean() < 0.03


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", MAKE)
def test_fitting_resembles_the_picture(name: str, size: tuple[int, int]) -> None:
    drawer = make(name, size)
    picture = flag(*size)
    drawer.fit_(picture)
    limit = 0.09 if name == "pixel-7x5" else 0.06
    assert (drawer() - picture).abs().mean() < limit


@pytest.mark.parametrize("name", ["fft", "pyramid", "pixel-rect"])
def test_fits_are_exact_where_they_can_be(name: str) -> None:
    """A cell or grid point per pixel, and the Fourier transform: nothing is lost."""
    picture = 0.02 + 0.96 * torch.rand(1, 3, 33, 40, generator=stream(0, "picture"))
    drawer = make(name, (40, 33))
    drawer.fit_(picture)
    assert torch.allclose(drawer(), picture, atol=2e-3)


def test_near_the_edge_fourier_pictures_are_long_waves() -> None:
    """However hard its edge is pulled, no dotted rim comes of it."""
    drawer = FftDrawer(canvas((160, 144)), FftOptions())
    with torch.no_grad():
        drawer.spectrum.mul_(5)
    waves = drawer._waves().detach()
    speckles = (waves - torch.nn.functional.avg_pool2d(waves, 3, 1, 1)).square().mean((0, 1)).sqrt()
    rim = torch.cat([speckles[1, 8:-8], speckles[-2, 8:-8], speckles[8:-8, 1], speckles[8:-8, -2]])
    inside = speckles[20:-20, 20:-20]
    assert float(rim.mean()) < 0.25 * float(inside.mean())
    # What is fitted has its edge as it is; from there on, only long waves change it.
    picture = 0.02 + 0.96 * torch.rand(1, 3, 144, 160, generator=stream(0, "picture"))
    drawer.fit_(picture)
    again = FftDrawer(canvas((160, 144)), FftOptions())
    again.load_state_dict(drawer.state_dict())
    assert torch.allclose(again(), picture, atol=2e-3)


def test_fitting_a_plain_picture_is_finite() -> None:
    for name in MAKE:
        drawer = make(name)
        drawer.fit_(torch.zeros(1, 3, 32, 32))
        assert drawer().max() < 0.03, name


# ---- layers ------------------------------------------------------------------------------------


def test_starts_are_faint_blobs_of_color_evenly_made() -> None:
    """Faint enough to go anywhere, and far enough apart to go different ways."""
    starts = [Layers(128, 128, stream(seed, "layers")) for seed in range(24)]
    drawn = torch.cat([squash(layers.total()) for layers in starts]).detach()
    coarse = torch.nn.functional.avg_pool2d(drawn, 16)
    assert 0.06 < float(coarse.std(dim=0).mean()) < 0.14  # of one place, from start to start
    speckles = drawn - torch.nn.functional.avg_pool2d(drawn, 5, 1, 2, count_include_pad=False)
    assert float(speckles.std()) < 0.01


def test_layers_double_up_to_the_finest() -> None:
    layers = Layers(48, 64, stream(0, "layers"))
    assert [tuple(g.shape[-2:]) for g in layers.grids] == [
        (1, 1), (2, 3), (4, 5), (8, 11), (16, 21), (32, 43), (48, 64),
    ]  # fmt: skip
    rates = [group["lr"] for group in layers.groups(0.1, 0.5)]
    assert rates[:4] == [0.1] * 4
    assert rates[4] == pytest.approx(0.1 / math.sqrt(2))
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("sizes", [(8, 11, 16, 22), (48, 64, 144, 192), (16, 16, 31, 50)])
def test_enlarging_is_cubic_convolution(sizes: tuple[int, int, int, int]) -> None:
    """As torch's antialiased one, which has the same a, where its rule for edges plays no part."""
    rows, columns, height, width = sizes
    grid = torch.randn(1, 3, rows, columns, generator=stream(0, "grid"))
    enlarged = Enlarged(rows, columns, height, width)(grid)
    expected = torch.nn.functional.interpolate(
        grid.double(), size=(height, width), mode="bicubic", antialias=True
    )
    down, across = (2 * (-(-height // rows)), 2 * (-(-width // columns)))
    inside = (..., slice(down, -down), slice(across, -across))
    assert enlarged[inside].numel() > 100
    torch.testing.assert_close(enlarged[inside], expected[inside].float(), rtol=1e-5, atol=1e-5)


def test_enlarged_grids_go_on_beyond_their_edge() -> None:
    grid = torch.randn(1, 3, 5, 7, generator=stream(0, "grid"))
    larger = torch.nn.functional.pad(grid, (2, 2, 2, 2), mode="replicate")
    inner = Enlarged(9, 11, 27, 33)(larger)[..., 6:-6, 6:-6]
    torch.testing.assert_close(Enlarged(5, 7, 15, 21)(grid), inner, rtol=1e-5, atol=1e-5)
    assert torch.equal(Enlarged(5, 7, 5, 7)(grid), grid)
    one = torch.full((1, 3, 1, 1), 0.3)
    torch.testing.assert_close(Enlarged(1, 1, 4, 6)(one), torch.full((1, 3, 4, 6), 0.3))


def test_staggered_rows_read_half_a_cell_apart() -> None:
    """A smooth ramp in the coarse layers is as smooth across staggered cells."""
    layers = Layers(16, 16, stream(0, "layers"), staggered=True)
    with torch.no_grad():
        for grid in layers.grids:
            grid.zero_()
        layers.grids[3].copy_(torch.arange(8.0).expand(1, 3, 8, 8))
    total = layers.total()[0, 0]
    middle = total[:, 4:12]  # the ramp ends at the edges
    steps = torch.arange(4.0, 12.0)
    for row in range(16):
        centers = (steps + (0.25 if row % 2 == 0 else 0.75)) / 2 - 0.5
        assert torch.allclose(middle[row], centers, atol=1e-5)


# ---- palettes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("palette", ["PICO-8", "black,white", "Game Boy"])
def test_every_pixel_is_exactly_on_the_palette(name: str, palette: str) -> None:
    drawer = make(name, (50, 31), palette=palette)
    drawer.fit_(torch.rand(1, 3, 31, 50, generator=stream(0, "picture")))
    colors = {color for _, color in to_pil(drawer()).getcolors() or []}
    assert colors
    assert colors <= set(parse_palette(palette))


@pytest.mark.parametrize("shape", SHAPES)
def test_cells_are_indexed_in_the_palettes_order(shape: Shape) -> None:
    drawer = PixelDrawer(canvas((40, 40), palette="DB16"), PixelOptions(cell=shape, cells=(8, 8)))
    drawer.fit_(torch.rand(1, 3, 40, 40, generator=stream(0, "picture")))
    cells = drawer.cells()
    assert cells.mode == "P"
    assert cells.size == (8, 8)
    assert cells.getpalette() == [v for color in parse_palette("DB16") for v in color]
    picture = to_pil(drawer())
    assert picture.getpixel((22, 22)) in {cells.convert("RGB").getpixel((c, 4)) for c in (3, 4)}
    # And the colors are those nearest to what the cells had without a palette.
    free = PixelDrawer(canvas((40, 40)), PixelOptions(cell=shape, cells=(8, 8)))
    free.load_state_dict(drawer.state_dict())
    plain = torch.tensor(list(free.cells().tobytes())).reshape(-1, 3) / 255
    wanted = torch.cdist(oklab(plain), oklab(torch.tensor(parse_palette("DB16")) / 255))
    chosen = wanted.gather(1, torch.tensor(list(cells.tobytes()))[:, None])[:, 0]
    assert torch.allclose(chosen, wanted.amin(dim=1), atol=0.01)


def test_native_cells_survive_a_png(tmp_path: Path) -> None:
    drawer = PixelDrawer(canvas((48, 48), palette="Game Boy"), PixelOptions(cells=(12, 12)))
    drawer.cells().save(tmp_path / "cells.png")
    with Image.open(tmp_path / "cells.png") as image:
        assert image.mode == "P"
        assert image.size == (12, 12)
        assert {c for _, c in image.convert("RGB").getcolors()} <= set(parse_palette("Game Boy"))
