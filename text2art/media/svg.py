"""SVG documents: strokes, shapes and cells as plain paths that browsers, editors and plotters read.

No style sheets, no scripts, no transforms, no references: what every reader understands. Numbers
are finite, with few decimals; text is escaped; equal pictures give equal documents.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from text2art.abilities import PLAIN_SVG, SvgStyle
from text2art.media.markup import RECORD_ELEMENT, RECORD_NAMESPACE
from text2art.media.png import SOURCE_TYPE
from text2art.raster import Scene

_DECIMALS = 2
_MOST_SORTED = 20_000  # marks: the time to order them grows with their square
_FAR = 1e5  # what lies further out is not drawn anywhere
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 §2.2
_RIGHTS = f"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/>
</rdf:RDF>
"""


@dataclass(frozen=True)
class Mark:
    """One element of a document.

    Attributes:
        points: `(m, 2)`: of cubic segments as in `raster.Scene`, or the corners of a polygon.
        color: straight-alpha RGBA in [0, 1].
        width: of a stroke; None for what is filled.
        straight: whether it is a polygon.
    """

    points: NDArray[np.float64]
    color: Sequence[float]
    width: float | None = None
    straight: bool = False

    @property
    def kind(self) -> str:
        """Which paint it has: "fill" or "stroke"."""
        return "fill" if self.width is None else "stroke"

    @property
    def paint(self) -> str:
        """The color without its opacity, as #rrggbb."""
        return hexadecimal(self.color)

    @property
    def opacity(self) -> str:
        """How opaque it is, from 0 to 1."""
        return _number(min(1.0, max(0.0, float(self.color[3]))), 3)

    @property
    def thickness(self) -> str:
        """The width of a stroke, 0 of what is filled."""
        return _number(self.width or 0.0, 3)

    def path(self, *, turned: bool = False) -> str:
        """Return the path data, of a stroke from its end to its start if that is wished."""
        points = self.points[::-1] if turned else self.points
        start, *rest = (f"{_number(x)} {_number(y)}" for x, y in points.tolist())
        if self.straight:
            return f"M{start}L{' '.join(rest)}Z"
        if self.width is None:  # the last segment returns to the first point
            return f"M{start}C{' '.join([*rest, start])}Z"
        return f"M{start}C{' '.join(rest)}"

    @property
    def ends(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where a pen that draws it goes down and up."""
        return self.points[0], self.points[-1] if self.width is not None else self.points[0]

    def visible(self) -> bool:
        """Whether it can be drawn and shows anything."""
        numbers = np.concatenate([self.points.ravel(), np.asarray(self.color)])
        if not np.isfinite(numbers).all() or np.abs(self.points).max(initial=0) > _FAR:
            return False
        drawn = self.width is None or (np.isfinite(self.width) and self.width > 0)
        return bool(drawn and self.color[3] > 0)


@dataclass(frozen=True)
class Drawing:
    """All that a document shows.

    Attributes:
        marks: the lowest first.
        width: of the picture in pixels, the units of the document.
        height: likewise.
        background: RGB in [0, 1] of a rectangle behind it, None for none.
        fill_rule: which windings are inside, "nonzero" or "evenodd".
    """

    marks: Sequence[Mark]
    width: int
    height: int
    background: Sequence[float] | None = None
    fill_rule: str = "nonzero"


@runtime_checkable
class DrawingSource(Protocol):
    """A drawer whose picture is a drawing; its marks keep their places as it is optimized."""

    def drawing(self) -> Drawing:
        """Return the picture as it is now."""
        ...


def scene_drawing(scene: Scene, background: Sequence[float] | None = None) -> Drawing:
    """Return what a scene shows.

    Args:
        scene: strokes and shapes.
        background: RGB in [0, 1] behind them, None for none.
    """
    points = scene.points.detach().double().cpu().numpy()
    colors = scene.color.detach().double().cpu().tolist()
    widths = scene.stroke_width.detach().double().cpu().tolist()
    offsets = scene.layout.offsets
    marks = [
        Mark(points[start:end], color, None if closed else width)
        for start, end, color, width, closed in zip(
            offsets[:-1], offsets[1:], colors, widths, scene.layout.closed, strict=True
        )
    ]
    rule = scene.fill_rule if bool(scene.layout.closed.any()) else "nonzero"
    return Drawing(marks, scene.width, scene.height, background, rule)


def document(drawing: Drawing, style: SvgStyle = PLAIN_SVG) -> str:
    """Write a drawing as an SVG document; what cannot be drawn or shows nothing is left out."""
    numbered = [(number, mark) for number, mark in enumerate(drawing.marks) if mark.visible()]
    return "".join(
        [
            *head(drawing.width, drawing.height, style),
            *_behind(drawing),
            *_groups(numbered, style, drawing.fill_rule),
            "</svg>\n",
        ]
    )


def head(width: int, height: int, style: SvgStyle) -> Iterator[str]:
    """Begin a document: its size, title and metadata."""
    size = f'width="{width}" height="{height}"'
    if style.millimeters is not None:
        tall = style.millimeters * height / width
        size = f'width="{_number(style.millimeters)}mm" height="{_number(tall)}mm"'
    more = ""
    if style.layers:
        more = ' xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"'
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<svg xmlns="http://www.w3.org/2000/svg"{more} {size} viewBox="0 0 {width} {height}">\n'
    if style.record is not None:
        yield f"<title>{_text(_prompts(style.record))}</title>\n"
        # JSON in ASCII: whatever the prompts hold, XML can hold it.
        text = _text(json.dumps(style.record, sort_keys=True))
        yield "<metadata>\n"
        yield f'<{RECORD_ELEMENT} xmlns="{RECORD_NAMESPACE}">{text}</{RECORD_ELEMENT}>\n'
        yield _RIGHTS
        yield "</metadata>\n"


def _prompts(record: Any) -> str:
    given = record.get("settings", {}).get("prompts", [])
    return " | ".join([given] if isinstance(given, str) else map(str, given))


def _behind(drawing: Drawing) -> Iterator[str]:
    if drawing.background is not None:
        yield f"{background_rect(drawing)}/>\n"


def background_rect(drawing: Drawing) -> str:
    """Begin the rectangle behind a drawing that has a background."""
    fill = hexadecimal(drawing.background or ())
    size = f'width="{drawing.width}" height="{drawing.height}"'
    return f'<rect id="background" {size} fill="{fill}"'


def _groups(marks: list[tuple[int, Mark]], style: SvgStyle, fill_rule: str) -> Iterator[str]:
    layers: dict[str, list[tuple[int, Mark]]] = {}
    for number, mark in marks:
        layers.setdefault(mark.paint if style.layers else "", []).append((number, mark))
    common = group_attributes(fill_rule)
    for number, (paint, some) in enumerate(layers.items(), start=1):
        if style.layers:
            label = quoteattr(f"{number}-{paint}")
            yield f'<g id="layer-{number}" inkscape:groupmode="layer" inkscape:label={label} '
            yield f"{common}>\n"
        else:
            yield f'<g id="picture" {common}>\n'
        for index, mark, turned in _ordered(some, style.travel):
            yield _element(index, mark, turned=turned)
        yield "</g>\n"


def group_attributes(fill_rule: str) -> str:
    """Return what all marks of a group have in common."""
    common = 'stroke-linecap="round" stroke-linejoin="round"'
    return common if fill_rule == "nonzero" else f'{common} fill-rule="{fill_rule}"'


def _ordered(marks: list[tuple[int, Mark]], travel: bool) -> Iterator[tuple[int, Mark, bool]]:
    """Give the marks in their order, or, of not too many, each time the one nearest to the pen.

    Yields:
        number, mark, and whether it is drawn from its end to its start.
    """
    if not travel or len(marks) > _MOST_SORTED:
        yield from ((number, mark, False) for number, mark in marks)
        return
    starts = np.array([mark.ends[0] for _, mark in marks])
    ends = np.array([mark.ends[1] for _, mark in marks])
    left = np.ones(len(marks), dtype=bool)
    pen = np.zeros(2)
    for _ in marks:
        to_start = np.where(left, ((starts - pen) ** 2).sum(-1), np.inf)
        to_end = np.where(left, ((ends - pen) ** 2).sum(-1), np.inf)
        turned = bool(to_end.min() < to_start.min())
        chosen = int((to_end if turned else to_start).argmin())
        left[chosen] = False
        pen = starts[chosen] if turned else ends[chosen]
        yield (*marks[chosen], turned)


def _element(number: int, mark: Mark, *, turned: bool) -> str:
    return f"{element(number, mark, turned=turned)}/>\n"


def element(number: int, mark: Mark, *, turned: bool = False) -> str:
    """Begin the element of a mark.

    Args:
        number: its place in the painter's order.
        mark: what to write.
        turned: whether a stroke is written from its end to its start.
    """
    kind = mark.kind
    paint = f'{kind}="{mark.paint}"'
    if mark.opacity != "1":
        paint += f' {kind}-opacity="{mark.opacity}"'
    if mark.width is not None:
        paint = f'fill="none" {paint} stroke-width="{mark.thickness}"'
    return f'<path id="path-{number}" d="{mark.path(turned=turned)}" {paint}'


def _number(value: float, decimals: int = _DECIMALS) -> str:
    """Write a number with few decimals and no exponent."""
    text = f"{value:.{decimals}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def hexadecimal(color: Sequence[float]) -> str:
    """Write a color in [0, 1], without its opacity, as #rrggbb."""
    levels = (round(255 * min(1.0, max(0.0, float(level)))) for level in color[:3])
    return "#" + "".join(f"{level:02x}" for level in levels)


def _text(text: str) -> str:
    """Escape text; characters that XML cannot hold become question marks."""
    return escape(_FORBIDDEN.sub("?", text))
