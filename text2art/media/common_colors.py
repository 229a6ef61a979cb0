"""One palette for many pictures, which are seen once, one by one, and not kept."""

from __future__ import annotations

import numpy as np
from PIL import Image

MOST = 256
_BITS = 5  # per channel: colors are counted in 32 x 32 x 32 boxes
_ROUNDS = 12  # of Lloyd's algorithm; its error hardly falls after eight
_AT_ONCE = 4096  # boxes compared with the palette at a time


class CommonColors:
    """Counts the colors of pictures; memory does not grow with their number."""

    def __init__(self) -> None:
        self._counts = np.zeros(1 << (3 * _BITS), dtype=np.float64)
        self._sums = np.zeros((3, 1 << (3 * _BITS)), dtype=np.float64)
        self._distinct: np.ndarray | None = np.zeros(0, dtype=np.int64)  # None: too many

    def add(self, image: Image.Image) -> None:
        """Count the colors of a picture."""
        pixels = np.asarray(image.convert("RGB"), dtype=np.int64).reshape(-1, 3)
        red, green, blue = pixels.T
        if self._distinct is not None:
            packed = np.unique((red << 16) | (green << 8) | blue)
            union = np.union1d(self._distinct, packed)
            self._distinct = union if len(union) <= MOST else None
        low = 8 - _BITS
        box = ((red >> low) << (2 * _BITS)) | ((green >> low) << _BITS) | (blue >> low)
        self._counts += np.bincount(box, minlength=len(self._counts))
        for channel, level in enumerate((red, green, blue)):
            self._sums[channel] += np.bincount(box, weights=level, minlength=len(self._counts))

    def palette(self) -> Image.Image:
        """Return at most 256 colors, as the palette of a picture in mode P.

        All of them, exactly, when there are no more; else those with little squared error, found by
        k-means over the means of the boxes: Lloyd's algorithm from the boxes that are worst served
        by those before them, so that a color of few pixels, far from all others, is not lost.
        """
        if self._distinct is not None:
            packed = self._distinct
            colors = np.stack([packed >> 16, (packed >> 8) & 255, packed & 255], axis=1)
        else:
            colors = self._few()
        holder = Image.new("P", (1, 1))
        holder.putpalette(np.clip(np.rint(colors), 0, 255).astype(np.uint8).tobytes())
        return holder

    def indexed(self, image: Image.Image, palette: Image.Image) -> Image.Image:
        """Return a picture, which was counted, in the colors of `palette()`, in mode P."""
        if self._distinct is None:
            return image.quantize(palette=palette, dither=Image.Dither.NONE)
        # Pillow looks the nearest color up in a table of boxes: near, but not exact.
        red, green, blue = np.asarray(image, dtype=np.int64).transpose(2, 0, 1)
        indices = np.searchsorted(self._distinct, (red << 16) | (green << 8) | blue)
        exact = Image.fromarray(indices.astype(np.uint8))
        exact.putpalette(palette.getpalette() or [])
        return exact

    def _few(self) -> np.ndarray:
        used = self._counts > 0
        counts = self._counts[used]
        means = (self._sums[:, used] / counts).T.astype(np.float32)  # (B, 3)
        colors = _start(means, counts)
        for _ in range(_ROUNDS):
            nearest = _nearest(means, colors)
            weight = np.bincount(nearest, weights=counts, minlength=len(colors))
            taken = weight > 0  # a color that stands for nothing stays where it is
            for channel in range(3):
                total = np.bincount(
                    nearest, weights=counts * means[:, channel], minlength=len(colors)
                )
                colors[taken, channel] = (total[taken] / weight[taken]).astype(np.float32)
        return colors


def _start(points: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Choose colors among (B, 3) points: the most frequent, then ever the one with most error."""
    chosen = [int(counts.argmax())]
    squares = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < min(MOST, len(points)):
        chosen.append(int((counts * squares).argmax()))
        squares = np.minimum(squares, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return points[chosen]


def _nearest(points: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Return the index of the nearest color of each point."""
    squares = (colors * colors).sum(axis=1)
    return np.concatenate(
        [
            (squares - 2 * points[i : i + _AT_ONCE] @ colors.T).argmin(axis=1)
            for i in range(0, len(points), _AT_ONCE)
        ]
    )
