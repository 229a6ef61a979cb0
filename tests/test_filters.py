"""Filters: tiles and their seams, palette lookup, and what results show of them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

import text2art
from tests.cli_tools import TINY, Cli
from text2art.color import oklab
from text2art.core import Canvas
from text2art.errors import OutputError, SettingsError
from text2art.filters.lookup import LookupFilter
from text2art.filters.tiler import TilerFilter
from text2art.media.convert import to_pil, to_tensor
from text2art.models import Models
from text2art.options.filters import LookupOptions, Repeat, TilerOptions
from text2art.runtime import pick, stream
from text2art.session import Session
from text2art.settings import Settings
from text2art.tiling import meetings, preview, seams, unit, window

CPU = pick("cpu")


def noise(*shape: int, seed: str = "filters") -> Tensor:
    return torch.rand(*shape, generator=stream(seed, "noise"))


def canvas(width: int = 32, height: int = 24, palette: Any = None) -> Canvas:
    colors = None if palette is None else torch.tensor(palette)
    return Canvas(width, height, CPU.device, lambda p: stream("test", p), colors)


# ---- tiles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("repeat", get_args(Repeat))
def test_windows_are_parts_of_the_tiling(repeat: Repeat) -> None:
    image = torch.arange(6.0 * 8).reshape(1, 1, 6, 8)
    plane = unit(image, repeat)
    plane = plane.repeat(1, 1, 4, 4)
    seen = {}
    for number in range(12):
        shown = window(image, repeat, stream(number, "window"))
        places = [
            (y, x)
            for y in range(12)
            for x in range(16)
            if torch.equal(plane[..., y : y + 6, x : x + 8], shown)
        ]
        assert places, "a window that is nowhere on the tiling"
        seen[places[0]] = True
    assert len(seen) > 3
    if repeat in ("horizontal", "vertical"):
        fixed = {place[repeat == "vertical"] for place in seen}
        assert fixed == {0}


def test_bricks_lie_half_a_tile_further() -> None:
    image = noise(1, 3, 4, 6)
    bricks = preview(image, "brick")
    torch.testing.assert_close(bricks[..., :4, :6], image)
    torch.testing.assert_close(bricks[..., 4:, 3:9], image)
    drops = preview(image, "half-drop")
    torch.testing.assert_close(drops[..., 2:6, 6:], image)
    mirrored = preview(image, "mirror")
    torch.testing.assert_close(mirrored[..., 4:, 6:], image.flip(-1, -2))
    assert preview(image, "horizontal").shape[-2:] == (4, 12)
    assert preview(image, "vertical").shape[-2:] == (8, 6)


def waves(height: int, width: int, turns_x: float, turns_y: float) -> Tensor:
    y = torch.arange(height)[:, None] / height
    x = torch.arange(width)[None] / width
    wave = (
        0.5
        + 0.2 * torch.sin(2 * math.pi * turns_x * x)
        + 0.2 * torch.sin(2 * math.pi * turns_y * y)
    )
    return wave.expand(1, 3, height, width)


def test_the_seam_score_tells_tiles_from_pictures() -> None:
    whole = seams(waves(60, 80, 2, 3))
    steepest = math.pi / 2  # of a wave, in units of its mean slope: it passes the seam there
    assert whole.across == pytest.approx(steepest, abs=0.1)
    assert whole.down == pytest.approx(steepest, abs=0.15)
    rightly_so = seams(waves(60, 80, 2, 3.5)).across
    assert rightly_so == pytest.approx(whole.across, rel=1e-3)
    cut = seams(waves(60, 80, 2.25, 3))
    assert cut.across is not None
    assert cut.across > 3
    assert cut.score == cut.across
    rough = noise(1, 3, 60, 80)
    assert seams(rough).score == pytest.approx(1, abs=0.15)


def test_the_seam_score_counts_lines_by_hand() -> None:
    image = noise(1, 3, 16, 24).double()
    a = image[0].numpy()
    meeting = np.abs(a[:, :, -1] - a[:, :, 0]).mean()
    ordinary = np.abs(np.diff(a, axis=2)).mean()
    assert seams(image).across == pytest.approx((meeting + 1 / 255) / (ordinary + 1 / 255))


def test_a_jump_beside_the_seam_is_a_seam() -> None:
    image = waves(64, 64, 1, 1) + 0.3 * torch.linspace(0, 1, 64)
    hidden = image.clone()
    hidden[..., 0] = hidden[..., -1]
    plain = seams(hidden, "horizontal").score
    assert plain > 3
    wide = seams(image, "horizontal").score
    assert wide > plain


def test_pixel_art_is_measured_by_its_cells() -> None:
    cells = noise(1, 3, 12, 12)
    large = F.interpolate(cells, scale_factor=8)
    assert seams(large).score == pytest.approx(seams(cells).score, rel=0.3)
    assert seams(torch.full((1, 3, 8, 8), 0.4)).score == 1
    assert seams(torch.zeros(1, 4, 1, 1)).score == 1


def test_seams_follow_how_tiles_lie() -> None:
    image = waves(64, 64, 1, 1)
    broken = image + 0.3 * torch.linspace(0, 1, 64)
    assert seams(broken, "mirror").score < 1
    assert seams(broken, "vertical").across is None
    assert seams(broken, "vertical").score < 2 < 3 < seams(broken, "grid").score
    assert seams(broken, "horizontal").down is None
    matched = noise(1, 3, 64, 64)
    matched[..., -1, :] = matched[..., 0, :].roll(32, -1)  # what lies below in a brick
    brick, grid = (meetings(matched, repeat)[1] for repeat in ("brick", "grid"))
    assert brick is not None
    assert grid is not None
    assert not bool(brick.any())
    assert float(grid.abs().mean()) > 0.1
    transparent = torch.cat([noise(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)], dim=1)
    assert seams(transparent).score == 1


def test_the_weight_of_a_tiler_is_the_share_of_its_steps() -> None:
    image = noise(1, 3, 16, 16)
    moved = {}
    for weight in (0.25, 1.0):
        tiler = TilerFilter(weight, TilerOptions(), canvas())
        moved[weight] = sum(not torch.equal(tiler.look(image, n), image) for n in range(200))
    assert 25 < moved[0.25] < 75
    assert moved[1.0] > 190


# ---- lookup ------------------------------------------------------------------------------------

COLORS = [[0.1, 0.1, 0.2], [0.9, 0.3, 0.2], [0.9, 0.9, 0.8], [0.2, 0.6, 0.3]]


def test_lookup_shows_the_nearest_color_and_keeps_alpha() -> None:
    image = noise(1, 4, 9, 11)
    shown = LookupFilter(1.0, None, canvas(palette=COLORS))(image)
    palette = torch.tensor(COLORS)
    apart = torch.cdist(oklab(image[0, :3].flatten(1).T), oklab(palette))
    expected = palette[apart.argmin(1)].T.reshape(3, 9, 11)
    torch.testing.assert_close(shown[0, :3], expected, rtol=0, atol=0)
    torch.testing.assert_close(shown[:, 3:], image[:, 3:], rtol=0, atol=0)
    half = LookupFilter(0.5, None, canvas(palette=COLORS))(image)
    torch.testing.assert_close(half[0, :3], (expected + image[0, :3]) / 2)


def test_lookup_lets_the_gradient_through_and_pulls() -> None:
    image = noise(1, 3, 6, 6).requires_grad_()
    plain, pulled = (
        torch.autograd.grad(
            LookupFilter(1.0, LookupOptions(commitment=c), canvas(palette=COLORS))(image).sum(),
            image,
        )[0]
        for c in (0.0, 2.0)
    )
    torch.testing.assert_close(plain, torch.ones_like(image))
    with torch.no_grad():
        off = image - LookupFilter(1.0, None, canvas(palette=COLORS))(image)
    assert bool(((pulled - plain) * off > 0).all())


def test_lookup_has_a_palette_of_its_own_or_none() -> None:
    own = LookupFilter(1.0, LookupOptions(palette="black,white"), canvas())
    assert set(own(noise(1, 3, 8, 8)).flatten().tolist()) == {0.0, 1.0}
    with pytest.raises(SettingsError, match="the filter lookup needs colors"):
        LookupFilter(1.0, None, canvas())


# ---- through the session -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(CPU)


def test_filters_are_in_what_is_looked_at_shown_and_saved(models: Models, toy: Any) -> None:
    given = toy(drawer="pyramid", filters="wallpaper->p4m,lookup", palette="PICO-8", starts=2,
                iterations=6)  # fmt: skip
    with Session(Settings.of(**given), models=models) as session:
        assert torch.equal(session.scene.view(0, 6).image, session.scene.view(0, 6).image)
        frames = list(session.frames())
    assert frames[-1].final
    palette = {tuple(color) for color in text2art.palettes.parse_palette("PICO-8")}
    for frame in frames:
        torch.testing.assert_close(frame.image.rot90(1, (-2, -1)), frame.image, rtol=0, atol=0)
        levels = np.asarray(to_pil(frame.image)).reshape(-1, 3)
        assert {tuple(color) for color in levels.tolist()} <= palette


def test_order_matters(models: Models, toy: Any) -> None:
    """The mean of two colors of the palette is none of them."""
    colors_used = "#7d7d7d,#828282"  # what it starts from is gray
    given = toy(drawer="pyramid", palette=colors_used, wallpaper={"method": "mean"}, iterations=1)
    colors = {
        order: len(
            np.unique(np.asarray(text2art.draw(models=models, filters=order, **given).image))
        )
        for order in ("wallpaper,lookup", "lookup,wallpaper")
    }
    assert colors["wallpaper,lookup"] == 2 < colors["lookup,wallpaper"]


def test_tilers_move_what_is_looked_at_and_nothing_else(models: Models, toy: Any) -> None:
    given = toy(filters="tiler", losses="smoothness:0.5,framing:0.1")
    with Session(Settings.of(**given), models=models) as session:
        plain = session.scene.drawer()
        views = [session.scene.view(step, 9) for step in (0, 1)]
        for view in views:
            torch.testing.assert_close(view.image, plain, rtol=0, atol=0)
        assert not torch.equal(views[0].crops(16), views[1].crops(16))
        assert "framing" not in [loss.name for loss in session.scene.losses]
        assert any("framing is left out" in notice for notice in session.notices)
    result = text2art.draw(models=models, **given)
    assert result.native is not None  # the cells are the picture still
    again = text2art.draw(models=models, **given)
    assert result.image.tobytes() == again.image.tobytes()


def test_a_tiler_closes_the_seam(models: Models, toy: Any) -> None:
    """With a loss that sees looks alone: calm crops, of which the seam is one part among others."""

    class CalmCrops:
        name, weight = "calm", 30.0

        def __call__(self, view: Any) -> Tensor:
            crops = view.crops(24)
            return crops.diff(dim=-1).square().mean() + crops.diff(dim=-2).square().mean()  # type: ignore[no-any-return]

    scores = {}
    still = {"noise": 0.0, "jitter": 0.0, "rotation": 0.0, "perspective": 0.0}
    for filters in ("", "tiler"):
        given = toy(
            drawer="pyramid", filters=filters, losses="", iterations=40, cuts=8, views=still
        )
        result = text2art.draw(models=models, extra_losses=[CalmCrops()], **given)
        scores[filters] = seams(to_tensor(result.image, 32, 32)).score
    assert scores["tiler"] < 0.7 * scores[""]


@pytest.mark.parametrize("filters", ["lookup", "wallpaper"])
@pytest.mark.parametrize("drawer", ["pixel", "clipdraw"])
def test_cells_and_shapes_without_filters_are_not_offered(
    models: Models, toy: Any, drawer: str, filters: str, tmp_path: Path
) -> None:
    given = toy(drawer=drawer, filters=filters, palette="PICO-8", iterations=1)
    result = text2art.draw(models=models, **given)
    assert result.native is None
    assert result.svg is None
    with pytest.raises(OutputError, match="or filters change it"):
        result.save_svg(tmp_path / "a.svg")
    off = text2art.draw(models=models, **{**given, "filters": f"{filters}:0"})
    assert off.svg is not None


def test_protected_parts_stay_whatever_filters_do(models: Models, toy: Any, here: Path) -> None:
    photo = (noise(32, 32, 3) * 255).byte().numpy()
    Image.fromarray(photo).save("photo.png")
    mask = np.zeros((32, 32), np.uint8)
    mask[:16] = 255
    Image.fromarray(mask).save("mask.png")
    given = toy(filters="wallpaper", init_image="photo.png", protect="mask.png")
    image = np.asarray(text2art.draw(models=models, **given).image)
    np.testing.assert_array_equal(image[:16], photo[:16])


# ---- on the command line -----------------------------------------------------------------------


def test_cells_are_refused_with_filters_and_kept_with_a_tiler(cli: Cli) -> None:
    words = ("draw", "a boat", *TINY, "drawer=pixel", "-q", "-o", "a.png", "--native")
    refused = cli(*words, "--filters", "wallpaper")
    assert refused.code == 1
    assert "cells cannot hold what the filter wallpaper makes of a picture" in refused.err
    assert cli(*words, "--filters", "tiler->brick").code == 0
    assert Path("a.native.png").exists()
    refused = cli("draw", "a boat", *TINY, "drawer=pixel", "filters=wallpaper", "-o", "a.svg")
    assert "an SVG cannot hold what the filter wallpaper makes" in refused.err


def test_tile_prints_the_seam_and_writes_previews(cli: Cli) -> None:
    to_pil(waves(60, 80, 2.25, 3)).save("t.png")
    answer = cli("tile", "t.png", "--preview", "p.png", "--repeat", "brick", "--unit", "u.png")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("seam ")
    assert "side by side" in answer.out
    for name, size in (("p.png", (160, 120)), ("u.png", (80, 120))):
        with Image.open(name) as picture:
            assert picture.size == size
    numbers = json.loads(cli("tile", "t.png", "--json").out)
    assert numbers["score"] == numbers["across"] > 3
    assert numbers["down"] < 1.7
    assert "one above the other" in answer.out
    assert "one above the other" not in cli("tile", "t.png", "--repeat", "horizontal").out


def test_tile_says_what_it_cannot_do(cli: Cli) -> None:
    assert "is not there" in cli("tile", "gone.png").err
    to_pil(noise(1, 3, 8, 8)).save("t.png")
    assert "use .png" in cli("tile", "t.png", "--preview", "p.txt").err
    assert cli("tile", "t.png", "--repeat", "hexagons").code == 2
    assert set(get_args(Repeat)) == {way.value for way in _ways()}


def _ways() -> Any:
    from text2art.cli.tile import Way

    return Way
