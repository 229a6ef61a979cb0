"""What prompts look at in place of the whole picture: boxes, masks, other pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from text2art.errors import SettingsError
from text2art.looks import Cutouts, Sight, Window
from text2art.media.convert import to_tensor
from text2art.media.load import load_picture
from text2art.prompts.regions import Box, Mask, Region

_EVERY = 2  # of the looks at sights beside each other, one of so many is taken
_AROUND = 12.0  # percent of the picture that is seen around a box beside others
_SMALLEST = 8  # pixels: a smaller region shows nothing
_INSIDE = 0.5  # levels of a mask from here on are inside, as those of `protect` are kept


@dataclass(frozen=True)
class Place:
    """The picture that is drawn: its size in pixels, and where it is computed."""

    width: int
    height: int
    device: torch.device  # noqa: TID251 - typed, not chosen


class Sights:
    """Makes sights, each once: prompts that look at the same share their looks.

    Args:
        place: size and device of the picture.
        cutouts: builds the recipe with a seed of its own, for pictures with views of their own.
        fit: how masks fill the picture: see `media.convert.to_tensor`.
    """

    def __init__(self, place: Place, cutouts: Callable[[str], Cutouts], fit: str) -> None:
        self._place, self._cutouts, self._fit = place, cutouts, fit
        self._regions: dict[Region | None, Sight | None] = {None: None}
        self._pictures: dict[str, Sight] = {}

    def region(self, region: Region | None) -> Sight | None:
        """Return what shows a region; the same one for equal regions."""
        if region not in self._regions:
            assert region is not None
            shown = self._box(region) if isinstance(region, Box) else self._masked(region)
            self._regions[region] = shown
        return self._regions[region]

    def of_parts(self, regions: Sequence[Region | None]) -> list[Sight]:
        """Return what shows regions, None for the whole picture, of which each is looked at less.

        They see a little of what lies around a box, so that nothing ends at its edges.
        """
        made: dict[Region | None, Sight] = {}
        for region in regions:
            if region not in made:
                made[region] = replace(self._part(region), every=_EVERY)
        return [made[region] for region in regions]

    def _part(self, region: Region | None) -> Sight:
        if region is None:
            return Sight(lambda image: image, whole=True)
        if isinstance(region, Mask):
            return self._masked(region)
        shown = _grown(region)
        return replace(self._box(shown), window=_window(region, shown))

    def _box(self, box: Box) -> Sight:
        width, height = self._place.width, self._place.height
        left, top = (
            math.floor(n * edge / 100) for n, edge in ((width, box.left), (height, box.top))
        )
        right, bottom = (
            math.ceil(n * edge / 100) for n, edge in ((width, box.right), (height, box.bottom))
        )
        if right - left < _SMALLEST or bottom - top < _SMALLEST:
            raise SettingsError(
                f"the region {box} is {right - left}x{bottom - top} pixels here, at least "
                f"{_SMALLEST}x{_SMALLEST} are needed"
            )
        return Sight(lambda image: image[..., top:bottom, left:right])

    def _masked(self, mask: Mask) -> Sight:
        levels = self._levels(mask)
        if mask.inverted:
            levels = 1 - levels
        rows, columns = ((levels > 0).any(dim).nonzero() for dim in (1, 0))
        if not len(rows):
            raise SettingsError(
                f"the mask {mask.source!r} leaves nothing to look at: it is "
                f"{'white' if mask.inverted else 'black'} everywhere"
            )
        (top, bottom), (left, right) = (
            _at_least(_SMALLEST, int(found.min()), int(found.max()) + 1, limit)
            for found, limit in ((rows, levels.shape[0]), (columns, levels.shape[1]))
        )
        part = levels[None, None, top:bottom, left:right].to(self._place.device)

        def show(image: Tensor) -> Tensor:
            """Show what the mask leaves; the rest takes the color of the looks' filling."""
            inside = image[..., top:bottom, left:right]
            alpha = part * inside[:, 3:] if inside.shape[1] == 4 else part
            return torch.cat([inside[:, :3], alpha], dim=1)

        return Sight(show)

    def _levels(self, mask: Mask) -> Tensor:
        """Return a mask as `(H, W)` of 0 and 1; what is transparent counts as black."""
        width, height = self._place.width, self._place.height
        if not mask.source:
            return _ellipse(width, height)
        picture = to_tensor(load_picture(mask.source), width, height, self._fit)
        gray = picture[:, :3].mean(1)
        levels = (gray * picture[:, 3] if picture.shape[1] == 4 else gray)[0]
        # Crisp, as pixray's: Adam scales its steps and follows faint pulls as far as strong ones.
        return (levels >= _INSIDE).float()

    def picture(self, source: str, *, own_views: bool) -> Sight:
        """Return what shows a picture, in the run's views or in views of its own."""
        key = f"{own_views}/{source}"
        if key not in self._pictures:
            picture = load_picture(source)
            # As large as the drawing in area, whatever its aspect: looks show as much detail.
            scale = math.sqrt(
                self._place.width * self._place.height / (picture.width * picture.height)
            )
            width, height = (max(1, round(n * scale)) for n in picture.size)
            shown = to_tensor(picture, width, height).to(self._place.device)
            cutouts = self._cutouts(f"image prompt {source}") if own_views else None
            self._pictures[key] = Sight(lambda _: shown, cutouts, whole=True, still=True)
        return self._pictures[key]


def _grown(box: Box) -> Box:
    edges = (box.left - _AROUND, box.top - _AROUND, box.right + _AROUND, box.bottom + _AROUND)
    return Box(*(min(100.0, max(0.0, edge)) for edge in edges))


def _window(inner: Box, outer: Box) -> Window:
    """Return where a box lies in another one, in shares of that."""
    width, height = outer.right - outer.left, outer.bottom - outer.top
    return (
        (inner.left - outer.left) / width,
        (inner.top - outer.top) / height,
        (inner.right - outer.left) / width,
        (inner.bottom - outer.top) / height,
    )


def _at_least(length: int, start: int, end: int, limit: int) -> tuple[int, int]:
    """Widen [start, end) to a length, within [0, limit)."""
    missing = max(0, length - (end - start))
    start = max(0, min(start - missing // 2, limit - max(length, end - start)))
    return start, min(limit, max(end, start + length))


def _ellipse(width: int, height: int) -> Tensor:
    """Return the spot where no mask was given: half as wide and high as the picture, `(H, W)`."""
    x, y = ((torch.arange(n) + 0.5) / n * 2 - 1 for n in (width, height))
    inside: Tensor = (x[None] * 2).square() + (y[:, None] * 2).square() <= 1
    return inside.float()
