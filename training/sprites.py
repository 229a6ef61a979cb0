"""Every drawing of every subject, rendered once to small premultiplied textures."""

import colorsys
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from training.icons import IconsMissingError, Role, open_sets
from training.shapes import draw_shape
from training.subjects import SUBJECTS, drawing_name
from training.world import COLORS

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
FONT_PACKAGE = "fonts-noto-color-emoji"
FONT_VARIABLE = "TEXT2ART_EMOJI_FONT"  # names another file of the same font
FONT_SOURCE, OWN_SOURCE = "noto-emoji", "own"
_FONT_SIZE = 109  # the one size of this bitmap font
SIDE = 64
_SAME_HUE = np.cos(np.radians(40))  # hues this near count as one color
_MAIN_SHARE = 1 / 3  # of the ink: a color that covers less is not the drawing's


class FontMissingError(RuntimeError):
    """The emoji font that the subjects are drawn with is not installed."""


@dataclass(frozen=True)
class Sprites:
    """Textures and facts of all N drawings.

    Attributes:
        textures: (N, 6, side, side): channels are premultiplied red, green, blue, then alpha, then
            premultiplied gray stretched to [0, 1], then how much of its own color a place keeps
            when the drawing is repainted (see `_kept`), not premultiplied.
        subject: (N,) index of the subject.
        color: (N,) index of the natural color, -1 where there is no single one.
        plain: (N,) true for white shapes, which are always recolored.
        held_back: (N,) true for drawings kept for evaluation.
        names: what each drawing is.
        source: which set each drawing is from: "noto-emoji", "own" or an icon set.
    """

    textures: Tensor
    subject: NDArray[np.int64]
    color: NDArray[np.int64]
    plain: NDArray[np.bool_]
    held_back: NDArray[np.bool_]
    names: tuple[str, ...]
    source: tuple[str, ...]


def font_path() -> Path:
    """Return the file of the emoji font."""
    return Path(os.environ.get(FONT_VARIABLE) or FONT)


def _glyph(character: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    picture = Image.new("RGBA", (160, 160), (0, 0, 0, 0))
    ImageDraw.Draw(picture).text((10, 10), character, font=font, embedded_color=True)
    return picture


def _square(picture: Image.Image, side: int = SIDE) -> NDArray[np.float32] | None:
    """Crop to the ink, pad to a square, scale to `side`; None where there is no ink.

    Returns:
        (side, side, 4), premultiplied, in [0, 1].
    """
    box = picture.getchannel("A").getbbox()
    if box is None:
        return None
    ink = picture.crop(box)
    edge = round(max(ink.size) * 1.06)
    canvas = Image.new("RGBA", (edge, edge), (0, 0, 0, 0))
    canvas.paste(ink, ((edge - ink.width) // 2, (edge - ink.height) // 2))
    array = np.asarray(canvas, dtype=np.float32) / 255
    array = np.concatenate([array[..., :3] * array[..., 3:], array[..., 3:]], axis=-1)
    planes = [
        Image.fromarray(array[..., i]).resize((side, side), Image.Resampling.BOX) for i in range(4)
    ]
    return np.stack([np.asarray(p, dtype=np.float32) for p in planes], axis=-1)


def _color_of(rgb: NDArray[np.float32]) -> NDArray[np.int64]:
    """Name the color of pixels, (P, 3) -> (P,), by hue: distances in RGB call light greens gray."""
    high, low = rgb.max(1), rgb.min(1)
    saturation = (high - low) / np.maximum(high, 1e-3)
    hue = np.array([colorsys.rgb_to_hsv(*pixel)[0] * 360 for pixel in rgb.tolist()])
    bands = [14, 42, 68, 165, 196, 258, 300, 345, 360]
    names = ["red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "red"]
    order = {name: i for i, name in enumerate(COLORS)}
    named = np.array([order[n] for n in names])[
        np.searchsorted(bands, hue, side="right").clip(0, 8)
    ]
    warm = (hue < 42) | (hue > 345)
    named[warm & (high < 0.68) & (hue > 8)] = order["brown"]
    named[((hue < 14) | (hue > 330)) & (high > 0.85) & (saturation < 0.6)] = order["pink"]
    named[(hue < 42) & (saturation < 0.42) & (high > 0.6)] = len(COLORS)  # skin, cream: no name
    dull = saturation < 0.16
    named[dull & (high > 0.8)] = order["white"]
    named[dull & (high <= 0.8)] = order["gray"]
    named[high < 0.22] = order["black"]
    return np.asarray(named, dtype=np.int64)


def _natural_color(rgba: NDArray[np.float32]) -> int:
    """Return the color of at least 60% of the ink, else -1."""
    ink = rgba[rgba[..., 3] > 0.6]
    named = _color_of(ink[:, :3] / ink[:, 3:])
    share = np.bincount(named, minlength=len(COLORS) + 1) / max(len(named), 1)
    best = int(share[: len(COLORS)].argmax())
    return best if share[best] >= 0.60 else -1


def _kept(rgba: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much of its own color each place keeps when a drawing is repainted, (S, S, 1).

    Who asks for a red mushroom means its cap: the pale stem and the dots stay, or no eye knows it.
    So the main color alone is repainted: strong colors near the commonest hue. A drawing where
    that is less than a third of the ink (a snowman) is repainted whole, or its color could not be
    told.
    """
    alpha = rgba[..., 3]
    rgb = (rgba[..., :3] / np.maximum(alpha, 1e-3)[..., None]).clip(0, 1)
    high, low = rgb.max(-1), rgb.min(-1)
    saturation = (high - low) / np.maximum(high, 1e-3)
    strong = ((saturation - 0.30) / 0.15).clip(0, 1) * ((high - 0.15) / 0.1).clip(0, 1)
    red, green, blue = np.moveaxis(rgb, -1, 0)
    # The hue as a point on a circle: averages need no care at red, where the degrees jump.
    hue = np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)
    near = [np.cos(hue - angle) > _SAME_HUE for angle in np.linspace(-np.pi, np.pi, 72, False)]
    main = near[int(np.argmax([(strong * alpha * here).sum() for here in near]))]
    painted = strong * main
    if (painted * alpha).sum() < _MAIN_SHARE * alpha.sum():
        painted = np.ones_like(alpha)
    return np.asarray(1 - painted[..., None], dtype=np.float32)


def _stretched_gray(rgba: NDArray[np.float32], kept: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return premultiplied gray, (S, S, 1): 4th..96th percentiles of the painted at 0 and 1."""
    alpha = rgba[..., 3]
    gray = (rgba[..., :3] @ np.array([0.3, 0.59, 0.11], dtype=np.float32)) / np.maximum(alpha, 1e-3)
    low, high = np.percentile(gray[(alpha > 0.6) & (kept[..., 0] < 0.5)], (4, 96))
    if high - low < 0.12:  # a flat shape: no shading to keep
        level = np.full_like(gray, 0.62)
    else:
        level = np.clip((gray - low) / (high - low), 0, 1)
    return np.asarray((level * alpha)[..., None], dtype=np.float32)


def render_sprites(role: Role = "guide", icons: Path | None = None, side: int = SIDE) -> Sprites:
    """Render all drawings in the order of the world's table.

    Args:
        role: "guide" draws with the emoji font, our own shapes and, where there is a folder, an
            icon set; "judge" with other icon sets and other shapes alone.
        icons: folder of icon sets (see `training.icons`).
        side: of the textures, even.

    Raises:
        FontMissingError: Where the emoji font is not installed.
        IconsMissingError: Where the icon sets are not in the folder.
    """
    sets = open_sets(icons, role)
    font = _open_font() if role == "guide" else None
    pictures, subjects, colors, plain, held, names, sources = [], [], [], [], [], [], []
    for index, subject in enumerate(SUBJECTS):
        for drawing in (*subject.drawings, *subject.held_back):
            own = drawing.startswith("*")
            drawn: list[tuple[str, Image.Image | None]] = []
            if own:
                drawn = [(OWN_SOURCE, draw_shape(drawing[1:], other=role == "judge"))]
            else:
                if font:
                    drawn = [(FONT_SOURCE, _glyph(drawing, font))]
                drawn += [(icon_set.name, icon_set.render(drawing)) for icon_set in sets]
            for source, picture in drawn:
                rgba = None if picture is None else _square(picture, side)
                if rgba is None:  # an older font, a set without it: fewer drawings, no less named
                    continue
                white = bool(own and (rgba[..., :3] >= rgba[..., 3:] - 1e-3).all())
                kept = _kept(rgba)
                pictures.append(np.concatenate([rgba, _stretched_gray(rgba, kept), kept], axis=-1))
                subjects.append(index)
                colors.append(-1 if white else _natural_color(rgba))
                plain.append(white)
                held.append(drawing in subject.held_back)
                names.append(drawing_name(drawing))
                sources.append(source)
    missing = set(range(len(SUBJECTS))) - {s for s, h in zip(subjects, held, strict=True) if not h}
    if missing:
        lost = ", ".join(SUBJECTS[i].name for i in sorted(missing))
        if font is None:
            raise IconsMissingError(f"The icon sets are too old: they have no drawing of {lost}.")
        raise FontMissingError(f"{font_path()} is too old: it has no drawing of {lost}.")
    textures = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
    return Sprites(
        textures=textures,
        subject=np.array(subjects),
        color=np.array(colors),
        plain=np.array(plain),
        held_back=np.array(held),
        names=tuple(names),
        source=tuple(sources),
    )


def _open_font() -> ImageFont.FreeTypeFont:
    path = font_path()
    if not path.is_file():
        raise FontMissingError(
            f"The subjects are drawn with an emoji font that is missing: {path}. "
            f"Install it: apt-get install {FONT_PACKAGE}"
        )
    return ImageFont.truetype(str(path), _FONT_SIZE)
