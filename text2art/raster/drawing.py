"""One drawing by compiled loops: which pixels each path covers, the picture, and its gradients.

Covered pixels are kept path by path, and row by row within a path. A stage goes over paths
(flatten, cover, and back) or over rows of the image (blend, and back), each item on its own, so
threads only decide who does what, never what comes out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from text2art.raster.kernels import blend, outline, tiles
from text2art.raster.kernels import fills as _fills
from text2art.raster.kernels import strokes as _strokes
from text2art.raster.kernels.compiling import BLOCK
from text2art.raster.scene import Scene
from text2art.raster.sharing import share, starts

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
# Called with what they share unpacked, which is more than type checkers follow.
fills: Any = _fills
strokes: Any = _strokes


class Drawing:
    """A scene, flattened, with the coverage of all pixels.

    Sizes: n paths, S segments, V vertices, R rows of paths, F covered pixels with their padding.
    """

    def __init__(
        self,
        scene: Scene,
        points: Floats,
        radius: Floats,
        color: Floats,
        *,
        lines: Ints,
        tiled: Bools,
        softness: float,
    ) -> None:
        """Flatten the paths and cover the pixels.

        Args:
            scene: how points make up paths, the canvas and the fill rule.
            points: `(P, 2)`, in place of the scene's.
            radius: `(n,)`, half the stroke widths.
            color: `(n, 4)`.
            lines: `(S,)`, how many lines each segment is cut into.
            tiled: `(n,)`, which fills are tiles.
            softness: side of the box that coverage is averaged over, in pixels.
        """
        self._layout, self._closed = scene.layout, scene.layout.closed
        self._size = (scene.height, scene.width)
        self._radius, self._color, self._lines, self._tiled = radius, color, lines, tiled
        self._softness = np.float32(softness)
        self._flatten(points)
        self._place()
        self._cover(even_odd=scene.fill_rule == "evenodd")
        self._sort()

    def _flatten(self, points: Floats) -> None:
        layout = self._layout
        before = starts(self._lines)
        # A path has one vertex more than lines.
        self._first = before[layout.first_segment] + np.arange(len(self._radius) + 1)
        self._first_line = before[:-1] + layout.path_of_segment
        self._vertices = np.empty((int(self._first[-1]), 2), np.float32)
        outline.flatten(
            points,
            layout.controls,
            self._lines,
            self._first_line,
            self._vertices,
            0,
            before.size - 1,
        )

    def _place(self) -> None:
        """Find the rows of each path, and the columns of each row."""
        self._top, self._rows = self._find_rows()
        rows = int(self._rows[-1])
        self._low, high = np.empty(rows, np.int64), np.empty(rows, np.int64)
        self._strips = np.empty((len(self._vertices), 9), np.float32)

        def place(start: int, stop: int) -> None:
            shape = (self._vertices, self._first, self._closed)
            where = (self._top, self._rows, self._size[1], self._low, high)
            strokes.spans(*shape, self._radius, self._softness, *where, self._strips, start, stop)
            fills.spans(*shape, self._softness, *where, start, stop)

        share(place, self._first)
        self._high = np.maximum(self._low, high)
        self._at = starts(-((self._low - self._high) // BLOCK) * BLOCK)

    def _find_rows(self) -> tuple[Ints, Ints]:
        """Return the first image row of each path, `(n,)`, and where each path's rows begin."""
        if len(self._radius) == 0:
            return np.zeros(0, np.int64), np.zeros(1, np.int64)
        low = np.minimum.reduceat(self._vertices[:, 1], self._first[:-1])
        high = np.maximum.reduceat(self._vertices[:, 1], self._first[:-1])
        reach = np.where(self._closed, 0, self._radius) + self._softness
        top = np.clip(np.floor(low - reach), 0, self._size[0]).astype(np.int64)
        bottom = np.clip(np.ceil(high + reach), 0, self._size[0]).astype(np.int64)
        return top, starts(bottom - top)

    def _cover(self, *, even_odd: bool) -> None:
        """Cover the pixels; keep what gradients need: nearest lines of strokes, signs of fills."""
        size = int(self._at[-1])
        self._coverage, self._hints = np.empty(size, np.float32), np.empty(size, np.int32)

        def cover(start: int, stop: int) -> None:
            shape = (self._vertices, self._first, self._closed)
            where = (self._top, self._rows, self._low, self._high, self._at)
            out = (self._coverage, self._hints, start, stop)
            strokes.cover(*shape, self._radius, self._softness, *where, self._strips, *out)
            fills.cover(*shape, self._softness, even_odd, *where, *out)

        share(cover, self._at[self._rows])

    def _sort(self) -> None:
        """Find the rows of paths that lie in each row of the image."""
        rows = int(self._rows[-1])
        self._begin = np.zeros(self._size[0] + 1, np.int64)
        self._order, self._owner = np.empty(rows, np.int64), np.empty(rows, np.int64)
        blend.by_image_row(self._top, self._rows, self._begin, self._order, self._owner)
        self._row_load = starts(np.diff(self._at)[self._order])[self._begin]

    def paint(self) -> Floats:
        """Return the picture, `(4, H, W)`, color times alpha."""
        picture = np.empty((4, *self._size), np.float32)

        def paint(start: int, stop: int) -> None:
            sorting = (self._begin, self._order, self._owner, self._low, self._at)
            out = (self._coverage, picture, start, stop)
            if self._tiled.any():
                tiles.forward(self._color, self._tiled, *sorting, *out)
            else:
                blend.forward(self._color, *sorting, *out)

        share(paint, self._row_load)
        return picture

    def gradients(self, grad: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the gradients of points, radii and colors, given those of the picture."""
        grad_coverage, grad_color = self._unpaint(grad)
        return *self._uncover(grad_coverage), grad_color

    def _unpaint(self, grad: Floats) -> tuple[Floats, Floats]:
        """Return the gradients of coverage, `(F,)`, and color."""
        grad_coverage = np.empty_like(self._coverage)
        grad_rows = np.empty((int(self._rows[-1]), 4), np.float32)

        def unpaint(start: int, stop: int) -> None:
            sorting = (self._begin, self._order, self._owner, self._low, self._at, self._coverage)
            rows = (start, stop)
            if self._tiled.any():
                tiles.backward(
                    self._color, self._tiled, *sorting, grad, grad_coverage, grad_rows, *rows
                )
            else:
                blend.backward(self._color, *sorting, grad, grad_coverage, grad_rows, *rows)

        share(unpaint, self._row_load)
        grad_color = np.zeros_like(self._color)
        seen = np.flatnonzero(np.diff(self._rows))
        if len(seen):
            grad_color[seen] = np.add.reduceat(grad_rows, self._rows[seen], axis=0)
        return grad_coverage, grad_color

    def _uncover(self, grad: Floats) -> tuple[Floats, Floats]:
        """Return the gradients of points and radii, given those of coverage; uses them up."""
        layout = self._layout
        grad_vertices = np.zeros_like(self._vertices)
        turn = np.zeros(len(self._vertices), np.float32)
        grad_radius = np.zeros_like(self._radius)
        grad_points = np.zeros((int(layout.offsets[-1]), 2), np.float32)

        def uncover(start: int, stop: int) -> None:
            shape = (self._vertices, self._first, self._closed)
            where = (self._top, self._rows, self._low, self._high, self._at)
            strokes.backward(
                *shape, self._radius, self._softness, *where, self._strips, self._hints, grad,
                turn, grad_vertices, grad_radius, start, stop,
            )  # fmt: skip
            fills.backward(
                *shape, self._softness, *where, self._hints, grad, grad_vertices, start, stop
            )
            segments = (int(layout.first_segment[start]), int(layout.first_segment[stop]))
            outline.unflatten(
                grad_vertices,
                layout.controls,
                self._lines,
                self._first_line,
                grad_points,
                *segments,
            )

        share(uncover, self._at[self._rows])
        return grad_points, grad_radius
