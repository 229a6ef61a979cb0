"""Cutouts: geometry against kornia and plain arithmetic, sampling ranges, determinism."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import kornia
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from text2art.cutouts.choices import Uniform, homography, jitter, perspective
from text2art.cutouts.cut import atlas_of, cut, footprints, project
from text2art.cutouts.recipes import PixraySampler, ViewSampler
from text2art.looks import Border, Cutouts, Looks
from text2art.options.cutouts import ViewOptions
from text2art.runtime import stream

SQUARE = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
ASPECTS = [(64, 64), (96, 54), (54, 96), (120, 24), (33, 47)]


def uniform(count: int, seed: int = 0) -> Uniform:
    return Uniform(stream(seed, "test"), count)


def looks_of(matrices: Tensor, *, border: Border = Border.MIRROR, fill: float = 0.25) -> Looks:
    n = len(matrices)
    return Looks(
        matrices=matrices,
        border=torch.full((n,), border),
        color=torch.eye(3, 4).expand(n, 3, 4),
        noise=torch.zeros(n),
        fill=torch.full((3,), fill),
        stream=lambda purpose, which: stream(0, f"{purpose}/{which}"),
    )


def still(looks: Looks) -> Looks:
    """Return the same looks without color changes and noise."""
    plain = torch.eye(3, 4).expand(looks.color.shape[0], 3, 4)
    return replace(looks, color=plain, noise=torch.zeros_like(looks.noise))


def random_picture(height: int, width: int, channels: int = 3, seed: int = 0) -> Tensor:
    return torch.rand(1, channels, height, width, generator=stream(seed, "picture"))


def scaled(x: float, y: float, cx: float = 0, cy: float = 0) -> Tensor:
    return torch.tensor([[[x, 0, cx], [0, y, cy], [0, 0, 1]]])


def corners_of(looks: Looks) -> Tensor:
    """Where the corners of every look lie in the picture, `(N, 4, 2)`."""
    points = torch.cat([SQUARE, torch.ones(4, 1)], dim=1)
    at = points @ looks.matrices.transpose(1, 2)
    return at[..., :2] / at[..., 2:]


# ---- homographies ------------------------------------------------------------------------------


def test_homography_agrees_with_kornia() -> None:
    draw = uniform(7)
    source = SQUARE * (1 - 0.5 * draw.corners())
    target = SQUARE * (1 - 0.5 * draw.corners())
    theirs = kornia.geometry.transform.get_perspective_transform(source, target)
    assert torch.allclose(homography(source, target), theirs, atol=1e-4)


def test_perspective_shows_the_square_inside_the_moved_corners() -> None:
    matrices = perspective(uniform(50), 0.4)
    inverse = torch.linalg.inv(matrices)
    points = torch.cat([SQUARE, torch.ones(4, 1)], dim=1) @ inverse.transpose(1, 2)
    moved = points[..., :2] / points[..., 2:]
    inward = 1 - moved * SQUARE  # every corner moved inward by 0 to 0.4 along each axis
    assert inward.min() > -1e-4
    assert inward.max() < 0.4 + 1e-4
    assert inward.amin() < 0.05
    assert inward.amax() > 0.35


def test_no_perspective_is_the_identity() -> None:
    assert torch.allclose(perspective(uniform(3), 0.0), torch.eye(3).expand(3, 3, 3), atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_projection_agrees_with_kornia(seed: int) -> None:
    looks = ViewSampler(ViewOptions(rotation=30, perspective=0.3), 4, seed).choose(0, 0.5, 80, 60)
    line = (torch.arange(8) + 0.5) / 8 * 2 - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    points = torch.stack([x, y], dim=-1).reshape(1, -1, 2).expand(4, -1, -1)
    theirs = kornia.geometry.linalg.transform_points(looks.matrices, points)
    assert torch.allclose(project(looks.matrices, 8).reshape(4, -1, 2), theirs, atol=1e-4)


@pytest.mark.parametrize(
    ("mode", "padding"), [(Border.MIRROR, "reflection"), (Border.SMEAR, "border")]
)
def test_a_random_look_agrees_with_plain_sampling(mode: Border, padding: str) -> None:
    picture = random_picture(40, 56)
    looks = still(ViewSampler(ViewOptions(perspective=0.3), 5, 3).choose(2, 0.9, 56, 40))
    looks = replace(looks, border=torch.full((5,), mode))
    size = 64  # finer than the picture: no level but the picture itself is read
    plain = F.grid_sample(
        picture.expand(5, -1, -1, -1),
        project(looks.matrices, size),
        padding_mode=padding,
        align_corners=False,
    )
    assert torch.allclose(cut(picture, looks, size), plain, atol=1e-4)


# ---- cutting -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 32])
def test_the_identity_look_is_the_picture(size: int) -> None:
    picture = random_picture(size, size)
    assert torch.allclose(cut(picture, looks_of(torch.eye(3)[None]), size), picture, atol=1e-5)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_reduced_identity_look_is_the_area_average(factor: int) -> None:
    picture = random_picture(16 * factor, 16 * factor)
    crop = cut(picture, looks_of(torch.eye(3)[None]), 16)
    assert torch.allclose(crop, F.avg_pool2d(picture, factor), atol=1e-5)


def test_a_constant_picture_stays_constant_at_any_scale() -> None:
    """Neither the atlas's neighbors nor its padding shine through at the borders."""
    picture = torch.full((1, 3, 50, 70), 0.7)
    scales = torch.cat([scaled(s, s, 0.1, -0.1) for s in (0.1, 0.6, 1.0, 1.2)])
    for size in (4, 9, 40):
        crops = cut(picture, looks_of(scales), size)
        assert torch.allclose(crops, torch.full_like(crops, 0.7), atol=1e-5)


def test_each_look_reads_the_level_of_its_scale() -> None:
    matrices = torch.cat([scaled(s, s) for s in (1.0, 0.5, 0.25, 0.1)])
    spread = footprints(matrices, 128, 128, 32)
    assert torch.allclose(spread, torch.tensor([4.0, 2.0, 1.0, 0.4]), atol=1e-4)
    # A checkerboard of single pixels is gray to every look that cannot resolve it.
    board = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(64, 64).expand(1, 3, 128, 128)
    crops = cut(board, looks_of(matrices), 32)
    assert torch.allclose(crops[:2], torch.full_like(crops[:2], 0.5), atol=1e-5)
    assert crops[2].std() > 0.4


def test_the_atlas_holds_the_halvings() -> None:
    picture = random_picture(21, 34)
    atlas, boxes = atlas_of(picture, 3)
    for level, (left, top, width, height) in enumerate(boxes.int().tolist()):
        held = atlas[..., top : top + height, left : left + width]
        small = picture
        for _ in range(level):
            small = F.interpolate(
                small, size=((small.shape[-2] + 1) // 2, (small.shape[-1] + 1) // 2), mode="area"
            )
        assert torch.equal(held, small)
    assert torch.equal(atlas_of(picture, 0)[0], picture)


def test_very_wide_pictures_run_out_of_levels_gracefully() -> None:
    crops = cut(random_picture(16, 512), looks_of(scaled(1, 1)), 4)
    assert crops.shape == (1, 3, 4, 4)
    assert bool(crops.isfinite().all())


def test_beyond_the_border_the_picture_is_mirrored() -> None:
    ramp = torch.linspace(0, 1, 16).expand(1, 3, 16, 16)
    crop = cut(ramp, looks_of(scaled(1, 1, 1.0)), 16)[0, 0]  # left half inside, right half beyond
    assert torch.allclose(crop[:, :8], ramp[0, 0, :, 8:], atol=1e-5)
    assert torch.allclose(crop[:, 8:], crop[:, :8].flip(-1), atol=1e-5)


def test_beyond_a_fading_border_the_ground_goes_on() -> None:
    """Left and right halves of two colors go on as they are; a thin line at the edge fades."""
    picture = torch.zeros(1, 3, 32, 32)
    picture[:, 0, :, :16] = 1.0
    picture[:, 2, :, 16:] = 1.0
    picture[:, 1, :2] = 1.0  # along the top edge
    crop = cut(picture, looks_of(scaled(2, 2), border=Border.FADE, fill=0.5), 32)[0]
    assert torch.allclose(crop[:, 20, :6].mean(-1), torch.tensor([1.0, 0.0, 0.0]), atol=1e-3)
    assert torch.allclose(crop[:, 20, -6:].mean(-1), torch.tensor([0.0, 0.0, 1.0]), atol=1e-3)
    assert torch.allclose(crop[1, :5].mean(), torch.tensor(2 / 8), atol=1e-3), "a quarter of it"
    inside = cut(picture, looks_of(torch.eye(3)[None], border=Border.FADE), 32)[0]
    assert torch.allclose(inside, picture[0], atol=1e-3), "the picture itself is as it was"


def test_fading_and_filled_looks_go_together() -> None:
    picture = random_picture(24, 40)
    parts = [
        cut(picture, looks_of(scaled(1.5, 1.5), border=border, fill=0.3), 16)
        for border in (Border.FADE, Border.FILL, Border.SMEAR)
    ]
    both = looks_of(scaled(1.5, 1.5).expand(3, 3, 3), fill=0.3)
    both = replace(both, border=torch.tensor([Border.FADE, Border.FILL, Border.SMEAR]))
    assert torch.allclose(cut(picture, both, 16), torch.cat(parts), atol=1e-6)


def test_beyond_the_border_there_is_the_fill() -> None:
    picture = torch.ones(1, 3, 16, 16)
    crop = cut(picture, looks_of(scaled(1, 1, 1.0), border=Border.FILL, fill=0.25), 16)[0, 0]
    assert torch.allclose(crop[4:12, :7], torch.ones(8, 7), atol=1e-5)
    assert torch.allclose(crop[:, 9:], torch.full((16, 7), 0.25), atol=1e-5)


def test_a_letterboxed_look_holds_the_whole_picture() -> None:
    """Twice as wide as high: half the look is picture, the rest fill, with soft edges."""
    picture = torch.ones(1, 3, 32, 64)
    crop = cut(picture, looks_of(scaled(1, 2), border=Border.FILL, fill=0.0), 32)[0, 0]
    assert torch.allclose(crop.mean(), torch.tensor(0.5), atol=0.03)
    assert crop[16].min() > 0.4
    assert crop[16, 8:24].min() > 0.999
    assert crop[:7].max() < 1e-5
    assert crop[-7:].max() < 1e-5


def test_alpha_shows_the_fill() -> None:
    picture = random_picture(16, 16, channels=4)
    crop = cut(picture, looks_of(torch.eye(3)[None], fill=0.25), 16)
    wanted = picture[:, :3] * picture[:, 3:] + 0.25 * (1 - picture[:, 3:])
    assert torch.allclose(crop, wanted, atol=1e-5)


def test_color_and_noise_are_applied() -> None:
    picture = torch.full((1, 3, 8, 8), 0.5)
    looks = looks_of(torch.eye(3).expand(2, 3, 3))
    color = torch.tensor([[0.0, 0, 1, 0.1], [0, 1, 0, 0], [1, 0, 0, -0.2]]).expand(2, 3, 4)
    crops = cut(picture, replace(looks, color=color, noise=torch.tensor([0.0, 0.3])), 8)
    assert torch.allclose(crops[0, :, 0, 0], torch.tensor([0.6, 0.5, 0.3]), atol=1e-5)
    assert 0.2 < (crops[1] - crops[0]).std() < 0.4


@pytest.mark.parametrize("border", list(Border))
def test_gradients_of_cutting_are_true(border: Border) -> None:
    picture = random_picture(6, 9).requires_grad_()
    angled = ViewSampler(ViewOptions(rotation=20, noise=0), 2, 5).choose(0, 0, 9, 6).matrices
    looks = looks_of(torch.cat([angled, scaled(1.2, 1.7)]), border=border)
    weights = torch.randn(3, 3, 4, 4, generator=stream(0, "weights"))
    (gradient,) = torch.autograd.grad((cut(picture, looks, 4) * weights).sum(), picture)
    # The crops are linear in the picture: a step changes them by exactly the gradient's product.
    step = torch.randn(picture.shape, generator=stream(0, "step"))
    with torch.no_grad():
        change = ((cut(picture + step, looks, 4) - cut(picture, looks, 4)) * weights).sum()
    assert torch.allclose(change, (gradient * step).sum(), rtol=1e-3, atol=1e-4)


# ---- choosing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [lambda s: ViewSampler(ViewOptions(), 9, s), lambda s: PixraySampler(9, s)]
)
@pytest.mark.parametrize("size", ASPECTS)
def test_looks_depend_on_seed_and_step_alone(
    make: Callable[[str], Cutouts], size: tuple[int, int]
) -> None:
    first, again = make("a").choose(3, 0.5, *size), make("a").choose(3, 0.5, *size)
    picture = random_picture(size[1], size[0])
    assert torch.equal(cut(picture, first, 12), cut(picture, again, 12))
    assert torch.equal(cut(picture, first, 20), cut(picture, first, 20))
    for other in (make("a").choose(4, 0.5, *size), make("b").choose(3, 0.5, *size)):
        assert not torch.equal(first.matrices, other.matrices)
    assert cut(picture, first, 12).shape == (9, 3, 12, 12)


@pytest.mark.parametrize("recipe", [ViewSampler(ViewOptions(), 9, 3), PixraySampler(9, 3)])
def test_one_of_so_many_looks_is_taken(recipe: Cutouts) -> None:
    looks = recipe.choose(4, 0.5, 40, 30)
    fewer = looks.thinned(2)
    assert len(fewer.matrices) == 5
    picture = random_picture(30, 40)
    torch.testing.assert_close(
        recipe.cut(picture, still(fewer), 12), recipe.cut(picture, still(looks), 12)[::2]
    )
    assert looks.thinned(1) is looks


def test_looks_chosen_for_a_window_see_it_and_what_is_around() -> None:
    picture = random_picture(40, 60)
    window = (0.25, 0.1, 0.75, 0.9)
    inner = picture[..., 4:36, 15:45]
    inside = looks_of(scaled(0.5, 0.6, 0.3, -0.2))
    torch.testing.assert_close(
        cut(picture, inside.within(window), 30), cut(inner, inside, 30), atol=1e-5, rtol=0
    )
    # Twice as large as the window, it is as large as the picture across, and larger down.
    around = looks_of(scaled(2, 1.25)).within(window)
    torch.testing.assert_close(cut(picture, around, 10), cut(picture, looks_of(scaled(1, 1)), 10))
    assert inside.within((0, 0, 1, 1)) is inside


def test_views_shift_from_wholes_to_zooms() -> None:
    options = ViewOptions(zoom_start=0.25, zoom_end=0.75, zoom_max=0.5, rotation=0, perspective=0)
    sampler = ViewSampler(options, 40, 1)
    for progress, share in ((0.0, 0.25), (0.5, 0.5), (1.0, 0.75)):
        looks = sampler.choose(0, progress, 64, 64)
        assert int((looks.matrices[:, 0, 0] < 0.6).sum()) == round(40 * share)


@pytest.mark.parametrize("size", ASPECTS)
def test_views_are_square_windows_in_range(size: tuple[int, int]) -> None:
    options = ViewOptions(rotation=0, perspective=0, zoom_start=0.5, zoom_min=0.3, zoom_max=0.6)
    looks = ViewSampler(options, 200, 1).choose(0, 0, *size)
    short, long = min(size), max(size)
    sides = looks.matrices[:, [0, 1], [0, 1]] * torch.tensor(size, dtype=torch.float32)
    assert torch.allclose(sides[:, 0], sides[:, 1], rtol=1e-4)
    zooms, wholes = sides[:100, 0] / short, sides[100:, 0]
    assert zooms.min() >= 0.3 - 1e-4
    assert zooms.max() <= 0.6 + 1e-4
    assert wholes.min() >= options.whole_min * short - 1e-3
    assert wholes.max() <= options.whole_max * long + 1e-3
    assert corners_of(looks)[:100].abs().max() <= 1 + 1e-4  # zooms stay inside
    assert bool((looks.border[:100] == Border.SMEAR).all())
    beyond = looks.border[100:][wholes > 1.15 * short + 1e-3]
    assert bool((beyond == Border.FADE).all())
    # Every part of the picture is looked at.
    assert corners_of(looks)[..., 0].min() < -0.9
    assert corners_of(looks)[..., 0].max() > 0.9


def test_mirrored_and_turned_views() -> None:
    options = ViewOptions(zoom_start=0, perspective=0, rotation=0, flip=1)
    mirrored = ViewSampler(options, 5, 1).choose(0, 0, 64, 64).matrices
    assert bool((mirrored[:, 0, 0] < 0).all())
    assert bool((mirrored[:, 1, 1] > 0).all())
    options = ViewOptions(zoom_start=0, perspective=0, rotation=10)
    turned = ViewSampler(options, 300, 1).choose(0, 0, 64, 64).matrices
    angles = torch.atan2(turned[:, 1, 0], turned[:, 0, 0]).rad2deg()
    assert angles.min() < -8
    assert angles.max() > 8
    assert angles.abs().max() <= 10.001


def test_turned_views_of_wide_pictures_are_not_sheared() -> None:
    options = ViewOptions(zoom_start=0, perspective=0, rotation=45)
    looks = ViewSampler(options, 20, 1).choose(0, 0, 120, 40)
    corners = corners_of(looks) * torch.tensor([60.0, 20.0])  # in pixels
    edges = (corners - corners.roll(1, dims=1)).norm(dim=-1)
    assert torch.allclose(edges, edges[:, :1].expand(-1, 4), rtol=1e-3)


def test_no_jitter_is_no_change_and_gray_stays_gray() -> None:
    plain = jitter(uniform(4), 0, 0, 0, 0)
    assert torch.allclose(plain, torch.eye(3, 4).expand(4, 3, 4), atol=1e-6)
    turned = jitter(uniform(50), 0, 0, 0.5, 0.5)
    gray = turned[:, :, :3] @ torch.full((3,), 0.4)
    assert torch.allclose(gray, torch.full((50, 3), 0.4), atol=1e-5)


def test_pixray_recipe_on_a_square() -> None:
    looks = PixraySampler(1000, 2).choose(0, 0, 90, 90)
    zooms = looks.border != Border.FILL
    assert int(zooms.sum()) == 600
    assert bool(zooms[:600].all())
    assert looks.noise.max() <= 0.1
    assert looks.noise.min() >= 0
    assert len(set(looks.fill.tolist())) == 1
    plain = looks.matrices[:, 2, :2].abs().amax(dim=1) < 1e-6  # no perspective: 30 %
    assert 0.22 < plain.float().mean() < 0.38
    width, height = looks.matrices[:, 0, 0], looks.matrices[:, 1, 1]
    area, ratio = (width * height)[plain & zooms], (width / height)[plain & zooms]
    assert area.min() >= 0.2
    assert area.max() <= 0.95 + 1e-4
    assert ratio.min() >= 0.85 - 1e-3
    assert ratio.max() <= 1.2 + 1e-3
    wide = looks.matrices[plain & ~zooms]
    assert torch.allclose(wide[:, 0, 0], torch.tensor(1 / 0.95))
    moved = wide[:, :2, 2].abs() * 0.95  # in halves of the look
    assert 0.04 < moved.max() <= 0.05 + 1e-4
    jittered = (looks.color - torch.eye(3, 4)).abs().amax(dim=(1, 2)) > 1e-6
    assert 0.75 < jittered.float().mean() < 0.85


@pytest.mark.parametrize("size", [(96, 54), (54, 96)])
def test_pixray_recipe_beyond_squares(size: tuple[int, int]) -> None:
    looks = PixraySampler(1000, 2).choose(0, 0, *size)
    flat = looks.matrices[:, 2, :2].abs().amax(dim=1) < 1e-6
    zoomed, wide_ones = flat & (looks.border != Border.FILL), flat & (looks.border == Border.FILL)
    pixels = torch.tensor(size, dtype=torch.float32)
    sides = looks.matrices[:, [0, 1], [0, 1]] * pixels
    zooms = sides[zoomed]
    ratio = zooms[:, 0] / zooms[:, 1]
    whole_height = looks.matrices[zoomed][:, [0, 1], [0, 1]].amax(dim=1) > 0.9999
    assert ratio[~whole_height].min() >= 0.85 - 1e-3
    assert ratio[~whole_height].max() <= 1.2 + 1e-3
    assert corners_of(looks)[zoomed].abs().max() <= 1 + 1e-4
    wide = sides[wide_ones]
    assert torch.allclose(wide[:, 0], wide[:, 1], rtol=1e-4)  # letterboxed, not squeezed
    assert wide.min() >= max(size) - 1e-3
    assert wide.max() <= max(size) / 0.9 + 1e-3
    # The picture never leaves the look: its long side fits, its short side moves within.
    inverse = torch.linalg.inv(looks.matrices[wide_ones])
    points = torch.cat([SQUARE, torch.ones(4, 1)], dim=1) @ inverse.transpose(1, 2)
    assert (points[..., :2] / points[..., 2:]).abs().max() <= 1.001


def test_still_looks_have_neither_jitter_nor_noise() -> None:
    looks = ViewSampler(ViewOptions(jitter=0.5, noise=0.5), 6, 1).choose(0, 0, 32, 32)
    quiet = still(looks)
    picture = torch.full((1, 3, 32, 32), 0.3)
    assert torch.allclose(cut(picture, quiet, 8), torch.full((6, 3, 8, 8), 0.3), atol=1e-5)
    assert torch.equal(quiet.matrices, looks.matrices)
