"""What can be plugged in, by kind and name, without importing it.

A component is one line here (or one entry point of another package): where its class is, where its
options table is, and one sentence about it. Nothing is imported until it is used, so listing and
help stay free of torch. Other packages come in by the same door through the entry point groups
`text2art.drawers`, `text2art.perceptors`, `text2art.losses`, `text2art.filters` and
`text2art.cutouts`; their entry point names a `Component`.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from text2art.errors import SettingsError, UnknownComponent, did_you_mean

SINGULAR: Mapping[str, str] = {
    "drawers": "drawer",
    "perceptors": "perceptor",
    "losses": "loss",
    "filters": "filter",
    "cutouts": "cutout recipe",
}
KINDS = tuple(SINGULAR)


@dataclass(frozen=True)
class Component:
    """One thing that can be plugged in.

    Attributes:
        name: what settings call it; its options nest under this name.
        target: "module:attribute" of the class or factory (may import torch).
        summary: one sentence for lists and help.
        options: "module:attribute" of its pydantic options model (must not import torch), or "".
        owner: the package it comes from.
    """

    name: str
    target: str
    summary: str
    options: str = ""
    owner: str = "text2art"

    def load(self) -> Any:
        """Import and return the class or factory."""
        return _attribute(self.target)

    def load_options(self) -> Any | None:
        """Import and return the options model, or None when it has no options."""
        return _attribute(self.options) if self.options else None


_DRAWERS = "text2art.options.drawers"
_LOSSES = "text2art.options.losses"
_FILTERS = "text2art.options.filters"
BUILTIN: Mapping[str, tuple[Component, ...]] = {
    "drawers": (
        Component(
            "pixel",
            "text2art.drawers.pixel:PixelDrawer",
            "Pixel art: a grid of colored cells, with or without a palette.",
            f"{_DRAWERS}:PixelOptions",
        ),
        Component(
            "pyramid",
            "text2art.drawers.pyramid:PyramidDrawer",
            "Layers of color from coarse to fine, added up: painterly, the starter's best.",
            f"{_DRAWERS}:PyramidOptions",
        ),
        Component(
            "fft",
            "text2art.drawers.fft:FftDrawer",
            "A decorrelated Fourier picture: dense, glowing texture at any size.",
            f"{_DRAWERS}:FftOptions",
        ),
        Component(
            "vqgan",
            "text2art.drawers.vqgan:VqganDrawer",
            "Codes of a VQGAN: the classic VQGAN+CLIP, with the starter's or anybody's weights.",
            f"{_DRAWERS}:VqganOptions",
        ),
        Component(
            "clipdraw",
            "text2art.drawers.strokes:ClipdrawDrawer",
            "Brush strokes on white: CLIPDraw, written as SVG too.",
            f"{_DRAWERS}:ClipdrawOptions",
        ),
        Component(
            "line",
            "text2art.drawers.strokes:LineDrawer",
            "A few long pen lines on paper; for plotters, too.",
            f"{_DRAWERS}:LineOptions",
        ),
        Component(
            "shapes",
            "text2art.drawers.shapes:ShapesDrawer",
            "Filled blobs, few large ones to many small ones: posters, written as SVG too.",
            f"{_DRAWERS}:ShapesOptions",
        ),
    ),
    "perceptors": (
        Component(
            "starter",
            "text2art.perceptors.starter:build",
            "The small perceptor that ships with text2art; knows a few hundred words.",
        ),
        Component(
            "open_clip",
            "text2art.perceptors.open_clip:build",
            "Any open_clip model with a local weight file, OpenAI's archives included.",
        ),
        Component(
            "toy",
            "text2art.perceptors.toy:build",
            "A seeded random projection for tests; understands nothing.",
        ),
    ),
    "losses": (
        Component(
            "smoothness",
            "text2art.losses.smoothness:SmoothnessLoss",
            "Total variation: calms pixel noise.",
            f"{_LOSSES}:SmoothnessOptions",
        ),
        Component(
            "framing",
            "text2art.losses.framing:FramingLoss",
            "Calm edges: subjects inside the picture rather than cut off.",
        ),
        Component(
            "saturation",
            "text2art.losses.saturation:SaturationLoss",
            "Colorfulness (Hasler and Suesstrunk): livelier colors.",
        ),
        Component(
            "symmetry",
            "text2art.losses.symmetry:SymmetryLoss",
            "Mirror symmetry, or that of a half turn.",
            f"{_LOSSES}:SymmetryOptions",
        ),
        Component(
            "palette",
            "text2art.losses.palette:PaletteLoss",
            "Colors near those of the palette.",
        ),
        Component(
            "edge",
            "text2art.losses.edge:EdgeLoss",
            "A border of one color, or like another picture's.",
            f"{_LOSSES}:EdgeOptions",
        ),
        Component(
            "gaussian",
            "text2art.losses.gaussian:GaussianLoss",
            "The picture fades to a color away from its middle.",
            f"{_LOSSES}:GaussianOptions",
        ),
        Component(
            "style",
            "text2art.losses.style:StyleLoss",
            "Colors and textures of another picture.",
            f"{_LOSSES}:StyleOptions",
        ),
        Component(
            "aesthetic",
            "text2art.losses.aesthetic:AestheticLoss",
            "What a head learnt from ratings rates highly.",
            f"{_LOSSES}:AestheticOptions",
        ),
        Component(
            "range",
            "text2art.losses.range:RangeLoss",
            "Colors not too dark and not too bright.",
            f"{_LOSSES}:RangeOptions",
        ),
        Component(
            "tv",
            "text2art.losses.tv:TvLoss",
            "Total variation in squares: blurs hard edges, too.",
        ),
        Component(
            "transparency",
            "text2art.losses.transparency:TransparencyLoss",
            "As little opacity as will do, of pictures with alpha.",
        ),
    ),
    "filters": (
        Component(
            "lookup",
            "text2art.filters.lookup:LookupFilter",
            "Every pixel in a color of the palette.",
            f"{_FILTERS}:LookupOptions",
        ),
        Component(
            "tiler",
            "text2art.filters.tiler:TilerFilter",
            "A seamless tile: edges meet, in a grid, as bricks, mirrored.",
            f"{_FILTERS}:TilerOptions",
        ),
        Component(
            "wallpaper",
            "text2art.filters.wallpaper:WallpaperFilter",
            "A pattern with the symmetry of one of the 17 wallpaper groups.",
            f"{_FILTERS}:WallpaperOptions",
        ),
    ),
    "cutouts": (
        Component(
            "views",
            "text2art.cutouts.recipes:ViewSampler",
            "Whole views and zooms whose share shifts from composition to detail.",
            "text2art.options.cutouts:ViewOptions",
        ),
        Component(
            "pixray",
            "text2art.cutouts.recipes:pixray_sampler",
            "pixray's recipe: 60 % zooms, 40 % padded wide views, jitter and noise.",
        ),
    ),
}


@functools.cache
def components(kind: str) -> Mapping[str, Component]:
    """Return every component of a kind by name: built-in ones, then installed plug-ins.

    Raises:
        SettingsError: two packages claim one name (both are named), or a plug-in cannot be loaded.
    """
    found = {c.name: c for c in BUILTIN[kind]}
    for point in importlib.metadata.entry_points(group=f"text2art.{kind}"):
        add(found, _from_entry_point(point), kind)
    return found


def add(found: dict[str, Component], component: Component, kind: str) -> None:
    """Add a component to `found`; a clash names both owners."""
    there = found.get(component.name)
    if there is not None:
        raise SettingsError(
            f"two packages offer {SINGULAR[kind]} {component.name!r}: "
            f"{there.owner} and {component.owner}. Uninstall one of them."
        )
    found[component.name] = component


def _from_entry_point(point: importlib.metadata.EntryPoint) -> Component:
    owner = point.dist.name if point.dist else point.value
    try:
        component = point.load()
    except Exception as error:  # a plug-in is foreign code: whatever it raises, say whose it is
        raise SettingsError(
            f"plug-in {point.name!r} of {owner} cannot be loaded ({error}): update or uninstall it"
        ) from error
    if not isinstance(component, Component):
        raise SettingsError(
            f"plug-in {point.name!r} of {owner} is a {type(component).__name__}, "
            "not a text2art.registry.Component"
        )
    return replace(component, name=point.name, owner=owner)


def find(kind: str, name: str) -> Component:
    """Return a component by name; an unknown name lists what there is and the nearest."""
    there = components(kind)
    if name not in there:
        raise unknown(kind, name, there)
    return there[name]


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownComponent:
    """Build the error for an unknown component name."""
    names = sorted(known)
    return UnknownComponent(
        f"unknown {SINGULAR[kind]} {name!r}.{did_you_mean(name, names)} "
        f"There are: {', '.join(names)}."
    )


def _attribute(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)
