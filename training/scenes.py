"""Background scenes, drawn with numpy into a bank from which pictures take random crops."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from training.world import SCENE_NAMES

BANK_SIDE = 96
BANK_REACH = 1.3  # covers [-1.3, 1.3] of a picture's [-1, 1]: views may look past its edge
Picture = NDArray[np.float32]  # (96, 96, 3)
Rng = np.random.Generator

_Y, _X = np.meshgrid(
    np.linspace(-BANK_REACH, BANK_REACH, BANK_SIDE, dtype=np.float32),
    np.linspace(-BANK_REACH, BANK_REACH, BANK_SIDE, dtype=np.float32),
    indexing="ij",
)


def _color(rng: Rng, *rgb: float, jitter: float = 0.05) -> Picture:
    return np.clip(np.array(rgb) + rng.normal(0, jitter, 3), 0, 1).astype(np.float32)


def _smooth(rng: Rng, cells: int) -> Picture:
    """Return smooth noise of about unit variance, (96, 96)."""
    small = Image.fromarray(rng.normal(0, 1, (cells, cells)).astype(np.float32))
    return np.asarray(small.resize((BANK_SIDE, BANK_SIDE), Image.Resampling.BICUBIC))


def _ramp(stops: list[Picture], low: float = -1.2, high: float = 1.2) -> Picture:
    t = np.clip((_Y - low) / (high - low), 0, 1) * (len(stops) - 1)
    i = np.minimum(t.astype(int), len(stops) - 2)
    table = np.stack(stops)
    f = (t - i)[..., None]
    return np.asarray(table[i] * (1 - f) + table[i + 1] * f, dtype=np.float32)


def _over(base: Picture, mask: NDArray[Any], color: Picture) -> Picture:
    return np.asarray(base + mask[..., None] * (color - base), dtype=np.float32)


def _below(height: Picture, edge: float = 0.03) -> Picture:
    """Return a soft mask of what lies under a curve y = height(x)."""
    return np.asarray(np.clip((_Y - height) / edge + 0.5, 0, 1), dtype=np.float32)


def _hills(rng: Rng, level: float, amount: float) -> Picture:
    wave = sum(rng.normal(0, 1) * np.sin(k * _X * 1.6 + rng.uniform(0, 6.3)) / k for k in (1, 2, 3))
    return np.asarray(level + amount * wave, dtype=np.float32)


def _disc(x: float, y: float, r: float, edge: float = 0.05) -> Picture:
    distance = np.sqrt((_X - x) ** 2 + (_Y - y) ** 2)
    return np.asarray(np.clip((r - distance) / edge + 0.5, 0, 1), dtype=np.float32)


def _stars(rng: Rng, picture: Picture, count: int, lowest: float = 2.0) -> Picture:
    for _ in range(count):
        x, y = rng.uniform(-1.3, 1.3), rng.uniform(-1.3, min(lowest, 1.3))
        r = rng.uniform(0.008, 0.03)
        picture = _over(picture, _disc(x, y, r, 0.03), _color(rng, 1, 1, 0.85))
    return picture


def _clouds(rng: Rng, picture: Picture, count: int, color: Picture) -> Picture:
    for _ in range(count):
        x, y = rng.uniform(-1.3, 1.3), rng.uniform(-1.2, 0.0)
        for _ in range(4):
            r = rng.uniform(0.08, 0.2)
            mask = _disc(x + rng.uniform(-0.3, 0.3), y + rng.uniform(-0.05, 0.05), r, 0.1)
            picture = _over(picture, mask * 0.9, color)
    return picture


def _night(rng: Rng) -> Picture:
    sky = _ramp([_color(rng, 0.01, 0.01, 0.1), _color(rng, 0.08, 0.09, 0.32)])
    sky = _stars(rng, sky, int(rng.integers(8, 26)), 0.5)
    if rng.random() < 0.4:
        x, y, r = rng.uniform(-1, 1), rng.uniform(-1, -0.5), rng.uniform(0.12, 0.22)
        sky = _over(sky, _disc(x, y, r), _color(rng, 1, 0.96, 0.78))
        if rng.random() < 0.5:
            sky = _over(sky, _disc(x + r * 0.5, y - r * 0.2, r), _color(rng, 0.03, 0.04, 0.16))
    ground = _color(rng, 0.03, 0.04, 0.07, jitter=0.03)
    return _over(sky, _below(_hills(rng, rng.uniform(0.5, 0.9), 0.06)), ground)


def _sunset(rng: Rng) -> Picture:
    sky = _ramp(
        [_color(rng, 0.32, 0.14, 0.42, jitter=0.08), _color(rng, 0.88, 0.32, 0.32, jitter=0.08),
         _color(rng, 1.0, 0.62, 0.18), _color(rng, 1.0, 0.84, 0.4)], -1.2, 0.6,
    )  # fmt: skip
    level = rng.uniform(0.35, 0.7)
    if rng.random() < 0.7:
        sky = _over(
            sky, _disc(rng.uniform(-0.8, 0.8), level - rng.uniform(-0.1, 0.3),
                       rng.uniform(0.18, 0.36)), _color(rng, 1, 0.92, 0.5),
        )  # fmt: skip
    sky = _clouds(rng, sky, int(rng.integers(0, 3)), _color(rng, 0.75, 0.3, 0.4))
    if rng.random() < 0.4:  # over water, which mirrors the sky
        sea = sky[::-1] * 0.72 * (1 + 0.12 * np.sin(_Y * 40 + _smooth(rng, 6)))[..., None]
        return _over(sky, _below(np.full_like(_X, level)), np.clip(sea, 0, 1))
    return _over(sky, _below(_hills(rng, level, 0.06)), _color(rng, 0.12, 0.06, 0.1))


def _field(rng: Rng) -> Picture:
    sky = _ramp([_color(rng, 0.35, 0.65, 0.98), _color(rng, 0.75, 0.9, 1.0)], -1.2, 0.4)
    sky = _clouds(rng, sky, int(rng.integers(0, 4)), _color(rng, 1, 1, 1))
    grass = _ramp([_color(rng, 0.4, 0.78, 0.25), _color(rng, 0.15, 0.5, 0.12)], 0, 1.2)
    grass = np.clip(grass * (1 + 0.1 * _smooth(rng, 24))[..., None], 0, 1)
    return _over(sky, _below(_hills(rng, rng.uniform(-0.1, 0.5), 0.1)), grass)


def _sea(rng: Rng) -> Picture:
    sky = _ramp([_color(rng, 0.4, 0.7, 0.98), _color(rng, 0.85, 0.94, 1.0)], -1.2, 0.3)
    sky = _clouds(rng, sky, int(rng.integers(0, 4)), _color(rng, 1, 1, 1))
    waves = np.sin(_Y * rng.uniform(18, 34) + 1.3 * np.sin(_X * rng.uniform(4, 9)))
    water = _ramp([_color(rng, 0.12, 0.42, 0.75), _color(rng, 0.03, 0.18, 0.5)], 0, 1.2)
    water = np.clip(water + (0.07 * waves)[..., None], 0, 1)
    return _over(sky, _below(np.full_like(_X, rng.uniform(0.0, 0.55))), water)


def _underwater(rng: Rng) -> Picture:
    water = _ramp([_color(rng, 0.2, 0.65, 0.9), _color(rng, 0.02, 0.2, 0.5)])
    rays = np.sin(_X * 7 + _Y * rng.uniform(-3, 3) + _smooth(rng, 4)) * np.clip(0.6 - _Y, 0, 1)
    water = np.clip(water + (0.06 * rays)[..., None], 0, 1)
    for _ in range(int(rng.integers(0, 9))):
        x, y, r = rng.uniform(-1.2, 1.2), rng.uniform(-1.2, 1.2), rng.uniform(0.02, 0.07)
        ring = _disc(x, y, r, 0.03) - 0.7 * _disc(x, y, r * 0.6, 0.03)
        water = _over(water, ring * 0.7, _color(rng, 0.8, 0.95, 1.0))
    if rng.random() < 0.4:
        sand = _color(rng, 0.65, 0.6, 0.4)
        water = _over(water, _below(_hills(rng, 0.85, 0.08)), sand)
    return water


def _snow(rng: Rng) -> Picture:
    sky = _ramp([_color(rng, 0.62, 0.75, 0.9), _color(rng, 0.88, 0.92, 0.97)], -1.2, 0.4)
    white = _ramp([_color(rng, 0.97, 0.98, 1, jitter=0.02), _color(rng, 0.85, 0.9, 0.97)], 0, 1.3)
    picture = _over(sky, _below(_hills(rng, rng.uniform(-0.1, 0.5), 0.1)), white)
    for _ in range(int(rng.integers(0, 30))):
        mask = _disc(rng.uniform(-1.3, 1.3), rng.uniform(-1.3, 1.3), rng.uniform(0.01, 0.04), 0.03)
        picture = _over(picture, mask, _color(rng, 1, 1, 1, jitter=0.0))
    return picture


def _desert(rng: Rng) -> Picture:
    picture = _ramp([_color(rng, 0.4, 0.7, 0.97), _color(rng, 0.95, 0.9, 0.75)], -1.2, 0.4)
    for level in (rng.uniform(-0.05, 0.2), rng.uniform(0.3, 0.5), rng.uniform(0.6, 0.9)):
        sand = _color(rng, 0.93, 0.76, 0.42, jitter=0.06)
        picture = _over(picture, _below(_hills(rng, level, 0.12)), sand)
    return picture


def _space(rng: Rng) -> Picture:
    black = _color(rng, 0.01, 0.01, 0.03, jitter=0.01)
    base = np.zeros((BANK_SIDE, BANK_SIDE, 3), np.float32) + black
    if rng.random() < 0.6:
        cloud = np.clip(_smooth(rng, 4), 0, 2) * rng.uniform(0.05, 0.25)
        base = _over(base, cloud, _color(rng, 0.4, 0.15, 0.6, jitter=0.2))
    base = _stars(rng, base, int(rng.integers(15, 50)))
    if rng.random() < 0.35:
        x, y = rng.choice([-1, 1], 2) * rng.uniform(0.6, 1.1, 2)
        planet = _color(rng, 0.6, 0.4, 0.35, jitter=0.2)
        base = _over(base, _disc(float(x), float(y), rng.uniform(0.15, 0.4)), planet)
    return base


def _sky(rng: Rng) -> Picture:
    sky = _ramp([_color(rng, 0.25, 0.55, 0.95), _color(rng, 0.65, 0.85, 1.0)])
    sky = _clouds(rng, sky, int(rng.integers(2, 6)), _color(rng, 1, 1, 1, jitter=0.02))
    return _clouds(rng, sky[::-1].copy(), int(rng.integers(1, 4)), _color(rng, 1, 1, 1))[::-1]


def _forest(rng: Rng) -> Picture:
    light = _color(rng, 0.3, 0.5, 0.22)
    picture = _ramp([light, _color(rng, 0.12, 0.3, 0.1), _color(rng, 0.1, 0.2, 0.06)])
    leaves = np.clip(_smooth(rng, 14), 0, 2) * 0.3
    picture = _over(picture, leaves, _color(rng, 0.1, 0.38, 0.1))
    for _ in range(int(rng.integers(4, 9))):
        x, half = rng.uniform(-1.3, 1.3), rng.uniform(0.04, 0.12)
        trunk = np.clip((half - np.abs(_X - x - 0.03 * np.sin(_Y * 3))) / 0.03 + 0.5, 0, 1)
        trunk = trunk * (rng.uniform(0.5, 0.9) > _Y)
        picture = _over(picture, trunk * 0.9, _color(rng, 0.24, 0.15, 0.08))
    crown = _below(-_hills(rng, rng.uniform(0.7, 1.0), 0.1), 0.15)
    picture = _over(picture, 1 - crown, _color(rng, 0.08, 0.35, 0.1))
    ground = _color(rng, 0.2, 0.34, 0.1)
    return _over(picture, _below(_hills(rng, rng.uniform(0.6, 0.9), 0.05), 0.1), ground)


def _city(rng: Rng) -> Picture:
    dark = rng.random() < 0.35
    top = _color(rng, 0.08, 0.08, 0.25) if dark else _color(rng, 0.5, 0.7, 0.95)
    low = _color(rng, 0.3, 0.2, 0.4) if dark else _color(rng, 0.85, 0.88, 0.92)
    picture = _ramp([top, low])
    x = -1.35
    while x < 1.3:
        width, roof = rng.uniform(0.2, 0.45), rng.uniform(-0.8, 0.3)
        wall = _color(rng, *((0.12, 0.12, 0.18) if dark else (0.5, 0.48, 0.5)), jitter=0.1)
        inside = ((x < _X) & (x + width > _X) & (roof < _Y)).astype(np.float32)
        picture = _over(picture, inside, wall)
        windows = inside * (np.sin(_X * 38) > 0.1) * (np.sin(_Y * 30) > 0.1) * (roof + 0.06 < _Y)
        lit = _color(rng, 1, 0.85, 0.4) if dark else _color(rng, 0.75, 0.85, 0.95)
        picture = _over(picture, windows * (_smooth(rng, 12) > -0.3), lit)
        x += width + rng.uniform(0.0, 0.08)
    street = _color(rng, 0.25, 0.25, 0.27)
    return _over(picture, _below(np.full_like(_X, rng.uniform(0.75, 1.0))), street)


def _beach(rng: Rng) -> Picture:
    level = rng.uniform(-0.1, 0.3)
    sky = _ramp([_color(rng, 0.35, 0.68, 0.98), _color(rng, 0.85, 0.95, 1.0)], -1.2, level)
    sky = _clouds(rng, sky, int(rng.integers(0, 3)), _color(rng, 1, 1, 1))
    sky = _over(sky, _below(np.full_like(_X, level)), _color(rng, 0.12, 0.55, 0.78))
    shore = _hills(rng, level + rng.uniform(0.25, 0.5), 0.05)
    sky = _over(sky, _below(shore - 0.06, 0.06), _color(rng, 0.9, 0.97, 1.0, jitter=0.02))
    return _over(sky, _below(shore, 0.05), _color(rng, 0.94, 0.84, 0.6))


def _ridge(rng: Rng, level: float, height: float) -> Picture:
    """Return the outline of a mountain range: peaks with straight flanks, (96, 96)."""
    line = np.full_like(_X, level)
    for x in np.arange(-1.6, 1.7, 0.5) + rng.uniform(-0.25, 0.25):
        peak = level - height * rng.uniform(0.5, 1.0)
        slope = rng.uniform(0.8, 1.4)
        line = np.minimum(line, peak + slope * np.abs(_X - x - rng.uniform(-0.12, 0.12)))
    return np.asarray(line + 0.025 * np.sin(_X * 19 + rng.uniform(0, 6.3)), dtype=np.float32)


def _mountains(rng: Rng) -> Picture:
    picture = _ramp([_color(rng, 0.38, 0.66, 0.96), _color(rng, 0.85, 0.92, 0.98)], -1.2, 0.4)
    picture = _clouds(rng, picture, int(rng.integers(0, 3)), _color(rng, 1, 1, 1))
    level = rng.uniform(0.35, 0.6)
    far = _ridge(rng, level, rng.uniform(0.7, 1.1))
    picture = _over(picture, _below(far), _color(rng, 0.55, 0.62, 0.74))
    near = _ridge(rng, level + 0.1, rng.uniform(0.8, 1.3))
    rock = np.clip(1 + 0.14 * _smooth(rng, 16), 0, 2)[..., None] * _color(rng, 0.38, 0.4, 0.46)
    cap = near + 0.15 + 0.05 * np.sin(_X * 23 + rng.uniform(0, 6.3))
    rock = _over(np.clip(rock, 0, 1), 1 - _below(cap), _color(rng, 0.96, 0.97, 1, jitter=0.02))
    picture = _over(picture, _below(near), rock)
    grass = _color(rng, 0.28, 0.5, 0.24)
    return _over(picture, _below(_hills(rng, level + 0.08, 0.05)), grass)


def _room(rng: Rng) -> Picture:
    wall = np.broadcast_to(_color(rng, 0.86, 0.78, 0.64, jitter=0.09), (BANK_SIDE, BANK_SIDE, 3))
    if rng.random() < 0.4:  # striped wallpaper
        stripes = (np.sin(_X * rng.uniform(14, 26)) > 0).astype(np.float32)
        wall = _over(wall, stripes * 0.35, _color(rng, 0.75, 0.6, 0.5, jitter=0.1))
    level = rng.uniform(0.4, 0.7)
    if rng.random() < 0.75:  # a window with its cross
        x, y = float(rng.choice([-0.72, 0.72])) + rng.uniform(-0.12, 0.12), rng.uniform(-0.6, -0.3)
        wide, tall = rng.uniform(0.26, 0.38), rng.uniform(0.3, 0.42)
        across, down = np.abs(_X - x), np.abs(_Y - y)
        frame = _color(rng, 0.97, 0.95, 0.9, jitter=0.03)
        wall = _over(wall, ((across < wide + 0.06) & (down < tall + 0.06)).astype(float), frame)
        pane = (across < wide) & (down < tall) & (across > 0.025) & (down > 0.025)
        wall = _over(wall, pane.astype(float), _color(rng, 0.6, 0.82, 0.98))
    boards = _ramp([_color(rng, 0.5, 0.32, 0.18), _color(rng, 0.62, 0.42, 0.25)], level, 1.3)
    depth = 1 + 1.6 * np.clip(_Y - level, 0, 1)
    seams = np.abs(np.sin(_X / depth * 9)) < 0.12
    boards = _over(boards, 0.45 * seams, _color(rng, 0.25, 0.15, 0.08))
    picture = _over(wall, _below(np.full_like(_X, level)), boards)
    rail = (np.abs(_Y - level + 0.04) < 0.04).astype(float)
    return _over(picture, rail, _color(rng, 0.95, 0.92, 0.86, jitter=0.03))


def _rain(rng: Rng) -> Picture:
    sky = _ramp([_color(rng, 0.3, 0.34, 0.42), _color(rng, 0.55, 0.6, 0.66)])
    sky = _clouds(rng, sky, int(rng.integers(4, 8)), _color(rng, 0.36, 0.39, 0.46, jitter=0.02))
    ground = _color(rng, 0.3, 0.36, 0.34)
    picture = _over(sky, _below(_hills(rng, rng.uniform(0.65, 0.95), 0.05)), ground)
    slant, streak = rng.uniform(-0.35, 0.35), _color(rng, 0.78, 0.86, 0.96)
    for _ in range(int(rng.integers(35, 80))):
        x, y, long = rng.uniform(-1.4, 1.4), rng.uniform(-1.3, 1.3), rng.uniform(0.06, 0.14)
        on = (np.abs(_Y - y) < long) & (np.abs(_X - x + slant * (_Y - y)) < 0.015)
        picture = _over(picture, 0.75 * on, streak)
    return picture


_DRAW: dict[str, Callable[[Rng], Picture]] = {
    "night": _night, "sunset": _sunset, "field": _field, "sea": _sea, "underwater": _underwater,
    "snow": _snow, "desert": _desert, "space": _space, "sky": _sky, "forest": _forest,
    "city": _city, "beach": _beach, "mountains": _mountains, "room": _room, "rain": _rain,
}  # fmt: skip


def draw_scenes(seed: int, variants: int = 40) -> Tensor:
    """Return the bank of scenes, (scenes, variants, 3, 96, 96), in the order of SCENE_NAMES."""
    rng = np.random.default_rng(seed)
    bank = np.stack(
        [[_DRAW[name](rng).transpose(2, 0, 1) for _ in range(variants)] for name in SCENE_NAMES]
    )
    return torch.from_numpy(np.clip(bank, 0, 1).astype(np.float32))
