"""The 17 wallpaper groups: that they are those groups, and that pictures come out symmetric."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from text2art.core import Canvas
from text2art.errors import SettingsError
from text2art.filters.groups import HEXAGONAL, SQUARE, Motion, aspect, motions
from text2art.filters.wallpaper import WallpaperFilter, cells_for
from text2art.options.filters import Group, WallpaperOptions
from text2art.runtime import pick, stream

CPU = pick("cpu")
GROUPS: tuple[Group, ...] = get_args(Group)


def noise(*shape: int, seed: str = "filters") -> Tensor:
    return torch.rand(*shape, generator=stream(seed, "noise"))


def canvas(width: int = 32, height: int = 24, palette: Any = None) -> Canvas:
    colors = None if palette is None else torch.tensor(palette)
    return Canvas(width, height, CPU.device, lambda p: stream("test", p), colors)


def wallpaper(group: Group, image: Tensor, *, weight: float = 1.0, **options: Any) -> Tensor:
    height, width = image.shape[-2:]
    table = WallpaperOptions(group=group, **options)
    return WallpaperFilter(weight, table, canvas(width, height))(image)


# ---- the 17 groups -----------------------------------------------------------------------------


def key(motion: Motion) -> tuple[float, ...]:
    (a, b), (c, d) = motion.matrix
    x, y = (round(shift % 1, 6) % 1 for shift in motion.shift)
    return (a, b, c, d, x, y)


def after(one: Motion, other: Motion) -> Motion:
    m = np.array(one.matrix) @ np.array(other.matrix)
    shift = np.array(one.matrix) @ np.array(other.shift) + np.array(one.shift)
    rows = [tuple(float(v) for v in row) for row in m]
    return Motion((rows[0], rows[1]), (float(shift[0]), float(shift[1])))  # type: ignore[arg-type]


@pytest.mark.parametrize("group", GROUPS)
def test_groups_are_groups_of_isometries(group: Group) -> None:
    found = motions(group)
    keys = {key(motion) for motion in found}
    assert len(keys) == len(found)
    assert all(key(after(a, b)) in keys for a in found for b in found)
    scale = np.diag([1.0, 1 / (aspect(group) or 1.0)])  # from the cell's coordinates to lengths
    for motion in found:
        lengths = scale @ np.array(motion.matrix) @ np.linalg.inv(scale)
        np.testing.assert_allclose(lengths @ lengths.T, np.eye(2), atol=1e-12)


# Rotations (largest order), mirrors, glides: the classification of Schattschneider, "The plane
# symmetry groups: their recognition and notation" (1978); and the number of motions in a cell.
KINDS: dict[Group, tuple[int, bool, int]] = {
    "p1": (1, False, 1), "p2": (2, False, 2), "pm": (1, True, 2), "pg": (1, False, 2),
    "cm": (1, True, 4), "pmm": (2, True, 4), "pmg": (2, True, 4), "pgg": (2, False, 4),
    "cmm": (2, True, 8), "p4": (4, False, 4), "p4m": (4, True, 8), "p4g": (4, True, 8),
    "p3": (3, False, 6), "p3m1": (3, True, 12), "p31m": (3, True, 12), "p6": (6, False, 12),
    "p6m": (6, True, 24),
}  # fmt: skip


@pytest.mark.parametrize("group", GROUPS)
def test_groups_have_their_rotations_and_mirrors(group: Group) -> None:
    order, mirrors, count = KINDS[group]
    found = motions(group)
    assert len(found) == count
    turns = [m for m in found if np.linalg.det(np.array(m.matrix)) > 0]
    largest = 1
    for motion in turns:
        power, steps = np.array(motion.matrix), 1
        while not np.allclose(power, np.eye(2)):
            power, steps = power @ np.array(motion.matrix), steps + 1
        largest = max(largest, steps)
    assert largest == order
    # A reflection with a line of fixed points, shifts by whole cells allowed, is a mirror.
    shifts = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    assert mirrors == any(
        _is_mirror(np.array(m.matrix), np.array(m.shift) + shift)
        for m in found if np.linalg.det(np.array(m.matrix)) < 0 for shift in shifts
    )  # fmt: skip


def _is_mirror(matrix: NDArray[np.float64], shift: NDArray[np.float64]) -> bool:
    return bool(np.allclose(matrix @ shift + shift, 0))  # applied twice, nothing has moved


def test_the_two_threefold_groups_with_mirrors_differ() -> None:
    """In p3m1 all three centers of rotation lie on mirrors, in p31m only one."""
    centers = [(0, 0), (1 / 2, 1 / 6), (0, 1 / 3)]  # in the rectangular cell, s and t
    on_mirrors = {
        group: [
            any(
                np.linalg.det(np.array(motion.matrix)) < 0
                and np.allclose((np.array(motion.at(*center)) - center + 0.25) % 1, 0.25)
                for motion in motions(group)
            )
            for center in centers
        ]
        for group in ("p3m1", "p31m")
    }
    assert on_mirrors == {"p3m1": [True, True, True], "p31m": [True, False, False]}
    for group, dim, other in (("p3m1", -1, -2), ("p31m", -2, -1)):
        image = wallpaper(group, noise(1, 3, 98, 56), cells=(1, 1), method="mean")  # type: ignore[arg-type]
        torch.testing.assert_close(image.flip(dim), image, rtol=0, atol=1e-4)
        assert not torch.allclose(image.flip(other), image, atol=1e-2)


SQUARE_IMAGE = (1, 3, 24, 24)
# What must leave a picture of one cell as it is, written with array operations alone.
TESTS: dict[Group, list[Any]] = {
    "p2": [lambda a: a.flip(-1, -2)],
    "pm": [lambda a: a.flip(-1)],
    "pg": [lambda a: a.flip(-1).roll(12, -2)],
    "cm": [lambda a: a.flip(-1), lambda a: a.roll((12, 12), (-1, -2))],
    "pmm": [lambda a: a.flip(-1), lambda a: a.flip(-2)],
    "pmg": [lambda a: a.flip(-1, -2), lambda a: a.flip(-1).roll(12, -1)],
    "pgg": [lambda a: a.flip(-1, -2), lambda a: a.flip(-1).roll((12, 12), (-1, -2))],
    "cmm": [lambda a: a.flip(-1), lambda a: a.flip(-2), lambda a: a.roll((12, 12), (-1, -2))],
    "p4": [lambda a: a.rot90(1, (-2, -1))],
    "p4m": [lambda a: a.rot90(1, (-2, -1)), lambda a: a.flip(-1)],
    "p4g": [lambda a: a.rot90(1, (-2, -1)), lambda a: a.flip(-1).roll((12, 12), (-1, -2))],
}


@pytest.mark.parametrize("method", ["copy", "mean"])
@pytest.mark.parametrize("group", TESTS)
def test_wallpapers_are_symmetric_to_the_bit(group: Group, method: str) -> None:
    image = wallpaper(group, noise(*SQUARE_IMAGE), method=method)
    others = {move for moves in TESTS.values() for move in moves} - set(TESTS[group])
    for move in TESTS[group]:
        torch.testing.assert_close(move(image), image, rtol=0, atol=1e-6 * (method == "mean"))
    broken = sum(not torch.allclose(move(image), image, atol=1e-3) for move in others)
    assert broken > len(others) / 4
    again = wallpaper(group, image, method=method)
    torch.testing.assert_close(again, image, rtol=0, atol=1e-6)  # a projection


@pytest.mark.parametrize("method", ["copy", "mean"])
@pytest.mark.parametrize("group", HEXAGONAL)
def test_hexagonal_wallpapers_are_nearly_symmetric(group: Group, method: str) -> None:
    """Turned by a third about a corner of the cell, with the tiling going on, it looks the same."""
    height, width = 194, 112  # the root of 3 to within one in a thousand
    coarse = F.pad(noise(1, 3, 4, 3), (1, 1, 1, 1), mode="circular")
    smooth = F.interpolate(coarse, size=(6 * 49, 5 * 38), mode="bicubic")[..., 50:244, 39:151]
    image = wallpaper(group, smooth, cells=(1, 1), method=method)
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    turn = 2 * math.pi / 3
    to_x, to_y = (
        math.cos(turn) * x - math.sin(turn) * y,
        math.sin(turn) * x + math.cos(turn) * y,
    )
    tall = image.repeat(1, 1, 3, 3)
    middle = [  # of three tiles beside each other, in [-1, 1]
        (to % side + side) / (1.5 * side) - 1 for to, side in ((to_x, width), (to_y, height))
    ]
    grid = torch.stack(middle, dim=-1)[None]
    turned = F.grid_sample(tall, grid, align_corners=False)
    away = (turned - image).abs()
    spread = (image - image.mean((2, 3), keepdim=True)).abs().mean()
    assert float(away.mean()) < 0.05 * float(spread)
    plain = (F.grid_sample(smooth.repeat(1, 1, 3, 3), grid, align_corners=False) - smooth).abs()
    assert float(away.mean()) < 0.1 * float(plain.mean())


def test_copies_keep_to_the_colors_and_means_do_not() -> None:
    image = (noise(1, 3, 24, 24) > 0.5).float()
    assert set(wallpaper("p4m", image).flatten().tolist()) == {0.0, 1.0}
    assert len(set(wallpaper("p4m", image, method="mean").flatten().tolist())) > 2


def test_wallpapers_repeat_their_cells() -> None:
    image = wallpaper("pgg", noise(1, 3, 24, 36), cells=(3, 2))
    torch.testing.assert_close(image.roll((12, 12), (-2, -1)), image, rtol=0, atol=0)
    half = wallpaper("pgg", noise(1, 3, 24, 36), cells=(3, 2), weight=0.5)
    torch.testing.assert_close(half, (image + noise(1, 3, 24, 36)) / 2)


@pytest.mark.parametrize("group", ["pg", "p4", "p6m"])
def test_cells_may_not_fit_the_picture(group: Group) -> None:
    image = wallpaper(group, noise(1, 3, 50, 37), cells=(3, 4))
    assert image.shape == (1, 3, 50, 37)
    assert image.isfinite().all()


def test_cells_are_few_and_hardly_stretched() -> None:
    assert cells_for("pgg", 300, 100) == (1, 1)
    assert cells_for("p4", 300, 100) == (3, 1)
    assert cells_for("p4", 100, 100) == (1, 1)
    for group in (*SQUARE, *HEXAGONAL):
        for size in ((192, 108), (128, 128), (128, 160)):
            columns, rows = cells_for(group, *size)
            stretch = (size[0] / columns) / (size[1] / rows) / (aspect(group) or 1)
            assert 0.79 < stretch < 1.26
    with pytest.raises(SettingsError, match=r"each would be 1\.\d*x24 pixels"):
        wallpaper("p1", noise(1, 3, 24, 24), cells=(20, 1))
