"""The random choices that looks are made of: windows, turns, perspectives, color changes."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from text2art.runtime import stream

_LUMA = (0.299, 0.587, 0.114)


class Uniform:
    """Draws `count` uniform numbers at a time from one stream."""

    def __init__(self, generator: torch.Generator, count: int) -> None:
        self._generator = generator
        self._count = count

    def between(self, low: float, high: float) -> Tensor:
        """Return `(count,)` numbers in [low, high)."""
        return low + (high - low) * torch.rand(self._count, generator=self._generator)

    def below(self, probability: float) -> Tensor:
        """Return `(count,)` ones with a probability, else zeros."""
        return (torch.rand(self._count, generator=self._generator) < probability).float()

    def corners(self) -> Tensor:
        """Return `(count, 4, 2)` numbers in [0, 1): four corners' moves in x and y."""
        return torch.rand(self._count, 4, 2, generator=self._generator)


def streams_of(seed: int | str, step: int) -> Callable[[str, str], torch.Generator]:
    """Return what gives the looks of a step their random streams: see `looks.Looks`."""
    return lambda purpose, which: stream(seed, f"{purpose}/{step}/{which}")


def place(center: Tensor, half: Tensor) -> Tensor:
    """Return homographies that show the window of `half` (N, 2) extents around `center` (N, 2)."""
    m = torch.zeros(center.shape[0], 3, 3)
    m[:, 0, 0], m[:, 1, 1], m[:, 2, 2] = half[:, 0], half[:, 1], 1
    m[:, :2, 2] = center
    return m


def rotate(degrees: Tensor, mirrored: Tensor) -> Tensor:
    """Return homographies that turn by `degrees` (N,) and mirror where `mirrored` (N,) is 1."""
    angle = degrees * (math.pi / 180)
    m = torch.zeros(angle.shape[0], 3, 3)
    sign = 1 - 2 * mirrored
    m[:, 0, 0], m[:, 0, 1] = angle.cos() * sign, -angle.sin()
    m[:, 1, 0], m[:, 1, 1] = angle.sin() * sign, angle.cos()
    m[:, 2, 2] = 1
    return m


def perspective(draw: Uniform, distortion: float | Tensor) -> Tensor:
    """Random perspective: the square's corners each move inward by up to `distortion`, per axis.

    As torchvision's and kornia's RandomPerspective: `distortion` is relative to half the side, the
    square is drawn onto the moved corners, and what lies beyond its border becomes visible.
    """
    square = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    amount = torch.as_tensor(distortion).reshape(-1, 1, 1)
    moved = square * (1 - amount * draw.corners())
    # Output pixels inside the moved corners show the square: map moved -> square.
    return homography(moved, square.expand_as(moved))


def homography(source: Tensor, target: Tensor) -> Tensor:
    """Solve the homographies that take four points to four points, `(N, 4, 2)` -> `(N, 3, 3)`."""
    x, y = source.double().unbind(-1)
    u, v = target.double().unbind(-1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    rows_u = torch.stack([x, y, one, zero, zero, zero, -u * x, -u * y], dim=-1)
    rows_v = torch.stack([zero, zero, zero, x, y, one, -v * x, -v * y], dim=-1)
    known = torch.cat([u, v], dim=-1)
    eight = torch.linalg.solve(torch.cat([rows_u, rows_v], dim=-2), known)
    return torch.cat([eight, torch.ones_like(eight[:, :1])], dim=-1).reshape(-1, 3, 3).float()


def jitter(
    draw: Uniform,
    brightness: float,
    contrast: float,
    saturation: float | Tensor,
    hue: float | Tensor,
) -> Tensor:
    """Affine color changes `(N, 3, 4)`, each drawn evenly within plus or minus its amount.

    Hue is a rotation about the gray axis by that share of a turn, which unlike HSV's is linear.
    """
    gray = torch.tensor(_LUMA).expand(3, 3)
    eye = torch.eye(3)
    level = draw.between(-1, 1) * brightness
    gain = 1 + draw.between(-1, 1) * contrast
    keep = 1 + draw.between(-1, 1) * saturation
    angle = draw.between(-1, 1) * hue * (2 * math.pi)
    saturated = gray + keep[:, None, None] * (eye - gray)
    linear = gain[:, None, None] * (saturated @ _turn_hue(angle))
    offset = 0.5 * (1 - gain) + level
    return torch.cat([linear, offset[:, None, None].expand(-1, 3, 1)], dim=-1)


def _turn_hue(angle: Tensor) -> Tensor:
    """Rotations about (1, 1, 1) by `angle` (N,) radians (Rodrigues' formula)."""
    axis = torch.full((3,), 1 / math.sqrt(3))
    cross = torch.tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    c, s = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return c * torch.eye(3) + s * cross + (1 - c) * axis.outer(axis)
