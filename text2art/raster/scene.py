"""What is to be drawn: paths of cubic Bezier segments, in painter's order."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FillRule = Literal["nonzero", "evenodd"]
# Further out than any canvas, and near enough for squares and differences in float32 to mean
# something. Coordinates and widths are limited to it.
FAR = 1e5


@dataclass(frozen=True, eq=False)
class Scene:
    """Strokes and filled shapes in painter's order: the first path lies at the bottom.

    A path of `s` cubic segments has `3s + 1` points when it is open (point, two controls, point,
    ...), and `3s` when it is closed, since its last segment returns to its first point. Open paths
    are stroked with round caps and joins, closed ones filled. `cubics_from_lines` and
    `cubics_from_quadratics` give the points of other segments.

    Attributes:
        width: of the canvas in pixels.
        height: of the canvas in pixels.
        points: `(P, 2)`, x and y in pixels, of all paths one after another; pixel (0, 0) covers
            [0, 1] x [0, 1].
        offsets: `(n + 1,)` integers, where each path begins in `points`, and P.
        segments: `(n,)` integers, number of segments of each path, at least 1.
        closed: `(n,)` booleans, or one for all paths.
        stroke_width: `(n,)`, full painted width in pixels; of no effect on fills.
        color: `(n, 4)`, straight-alpha RGBA in [0, 1].
        fill_rule: which windings are inside: "nonzero" or "evenodd".
        layout: how points make up paths, derived from the above.

    Raises:
        ValueError: shapes, types or devices do not fit together.
    """

    width: int
    height: int
    points: Tensor
    offsets: Tensor
    segments: Tensor
    closed: Tensor | bool
    stroke_width: Tensor
    color: Tensor
    fill_rule: FillRule = "nonzero"
    layout: Layout = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("points", "stroke_width", "color"):
            object.__setattr__(self, name, _real(name, getattr(self, name)))
        _check_canvas(self.width, self.height)
        if self.fill_rule not in get_args(FillRule):
            known = " or ".join(map(repr, get_args(FillRule)))
            raise ValueError(f"fill_rule {self.fill_rule!r} is unknown: use {known}")
        segments = _whole("segments", self.segments)
        offsets = _whole("offsets", self.offsets)
        closed = _truths(self.closed, len(segments))
        _check_shape("points", self.points, (int(offsets[-1]) if len(offsets) else 0, 2))
        _check_shape("stroke_width", self.stroke_width, (len(segments),))
        _check_shape("color", self.color, (len(segments), 4))
        if not self.points.device == self.stroke_width.device == self.color.device:
            raise ValueError("points, stroke_width and color are on different devices")
        object.__setattr__(self, "layout", Layout(offsets, segments, closed))


@dataclass(frozen=True, eq=False)
class Layout:
    """How points make up paths: the part of a scene that does not change as it is optimized.

    Attributes:
        offsets: `(n + 1,)`, where each path begins among the points.
        segments: `(n,)`, how many segments each path has.
        closed: `(n,)`, which paths are filled.

    Raises:
        ValueError: a path has another number of points than its segments need.
    """

    offsets: NDArray[np.int64]
    segments: NDArray[np.int64]
    closed: NDArray[np.bool_]

    def __post_init__(self) -> None:
        n = len(self.segments)
        if len(self.offsets) != n + 1 or self.offsets[0] != 0:
            raise ValueError(f"offsets must be {n + 1} numbers from 0 for {n} paths")
        if n and self.segments.min() < 1:
            raise ValueError("a path must have at least one segment")
        wanted = 3 * self.segments + ~self.closed
        wrong = np.flatnonzero(np.diff(self.offsets) != wanted)
        if len(wrong):
            i = int(wrong[0])
            kind = "closed" if self.closed[i] else "open"
            raise ValueError(
                f"path {i} has {self.offsets[i + 1] - self.offsets[i]} points: {kind} with "
                f"{self.segments[i]} segments it needs {wanted[i]}"
            )

    @functools.cached_property
    def path_of_point(self) -> NDArray[np.int64]:
        """Which path each point belongs to, `(P,)`."""
        return np.repeat(np.arange(len(self.segments)), np.diff(self.offsets))

    @functools.cached_property
    def path_of_segment(self) -> NDArray[np.int64]:
        """Which path each segment belongs to, `(S,)`."""
        return np.repeat(np.arange(len(self.segments)), self.segments)

    @functools.cached_property
    def first_segment(self) -> NDArray[np.int64]:
        """Where each path begins among all segments, and their number, `(n + 1,)`."""
        return np.concatenate([[0], np.cumsum(self.segments)])

    @functools.cached_property
    def controls(self) -> NDArray[np.int64]:
        """The four points of each segment, `(4, S)`."""
        path = self.path_of_segment
        within = np.arange(len(path)) - self.first_segment[path]
        first = self.offsets[path]
        local = 3 * within[:, None] + np.arange(4)
        ends = self.closed[path] & (within == self.segments[path] - 1)
        local[ends, 3] = 0  # back to the first point
        return np.ascontiguousarray((first[:, None] + local).T, dtype=np.int64)


def cubics_from_lines(corners: Tensor, *, closed: bool = False) -> Tensor:
    """Return the points of straight segments as those of cubics that draw the same.

    Args:
        corners: `(..., k, 2)`, along the path.
        closed: whether the last corner is joined to the first.

    Returns:
        `(..., 3s + 1, 2)` points for `s = k - 1` segments, `(..., 3k, 2)` when closed.
    """
    if closed:
        corners = torch.cat([corners, corners[..., :1, :]], dim=-2)
    a, b = corners[..., :-1, :], corners[..., 1:, :]
    inner = torch.stack([a, (2 * a + b) / 3, (a + 2 * b) / 3], dim=-2).flatten(-3, -2)
    return inner if closed else torch.cat([inner, corners[..., -1:, :]], dim=-2)


def cubics_from_quadratics(points: Tensor, *, closed: bool = False) -> Tensor:
    """Return the points of quadratic segments as those of cubics that draw the same.

    Args:
        points: `(..., 2s + 1, 2)`, or `(..., 2s, 2)` when closed: point, control, point, ...
        closed: whether the last segment returns to the first point.

    Returns:
        `(..., 3s + 1, 2)` points, `(..., 3s, 2)` when closed.
    """
    if closed:
        points = torch.cat([points, points[..., :1, :]], dim=-2)
    a, control, b = points[..., :-1:2, :], points[..., 1::2, :], points[..., 2::2, :]
    # Degree elevation: the inner controls lie two thirds of the way to the quadratic's one.
    first, second = a + (control - a) * (2 / 3), b + (control - b) * (2 / 3)
    inner = torch.stack([a, first, second], dim=-2).flatten(-3, -2)
    return inner if closed else torch.cat([inner, points[..., -1:, :]], dim=-2)


def _real(name: str, given: Any) -> Tensor:
    """Return `given` as a tensor of real numbers, float32 unless it has a type of its own."""
    tensor = torch.as_tensor(given)
    if tensor.is_complex() or tensor.dtype == torch.bool:
        raise ValueError(f"{name} must be real numbers, not {tensor.dtype}")
    return tensor if tensor.is_floating_point() else tensor.float()


def _whole(name: str, given: Tensor | Sequence[int]) -> NDArray[np.int64]:
    tensor = torch.as_tensor(given)
    if tensor.dim() != 1 or tensor.is_floating_point() or tensor.is_complex():
        raise ValueError(f"{name} must be a row of integers, not {_words(tensor)}")
    return np.asarray(tensor.cpu().numpy(), dtype=np.int64)


def _truths(given: Tensor | bool, count: int) -> NDArray[np.bool_]:
    tensor = torch.as_tensor(given)
    if tensor.dtype != torch.bool or tensor.shape not in ((), (count,)):
        raise ValueError(f"closed must be {count} booleans, or one, not {_words(tensor)}")
    return np.array(np.broadcast_to(tensor.cpu().numpy(), (count,)), dtype=np.bool_)


def _check_canvas(width: int, height: int) -> None:
    for name, side in (("width", width), ("height", height)):
        if isinstance(side, bool) or not isinstance(side, int | np.integer) or side < 1:
            raise ValueError(f"{name} must be a whole number of pixels from 1, not {side!r}")


def _check_shape(name: str, tensor: Tensor, wanted: tuple[int, ...]) -> None:
    if tensor.shape != wanted:
        raise ValueError(f"{name} must have shape {wanted}, not {tuple(tensor.shape)}")


def _words(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} of {tensor.dtype}"
