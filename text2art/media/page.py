"""Pages of plain shapes and words, written as PNG, SVG or PDF. Free of torch.

Lengths are millimeters from the upper left corner. Words are of ASCII and Latin-1, in Helvetica,
which every PDF reader has.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from xml.sax.saxutils import escape

from PIL import Image, ImageDraw, ImageFont

from text2art.errors import OutputError
from text2art.palettes import Color
from text2art.palettes.colors import to_hex

Anchor = Literal["start", "middle", "end"]
POINTS = 72 / 25.4  # to a millimeter
MOST_PIXELS = 100_000_000
_BASE = 0.36  # how far below the middle of its capitals a word's base line is, in letter heights

# Widths of Helvetica's characters from space to tilde, in thousandths of its size, by Adobe.
_WIDTHS = (
    *(278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278),
    *(556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556),
    *(1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778),
    *(667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556),
    *(333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556),
    *(556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584),
)


@dataclass(frozen=True)
class Box:
    """A filled rectangle, or with `round` the ellipse within it."""

    x: float
    y: float
    width: float
    height: float
    fill: Color
    round: bool = False


@dataclass(frozen=True)
class Line:
    """A straight black line of a width."""

    x0: float
    y0: float
    x1: float
    y1: float
    width: float
    color: Color = (0, 0, 0)


@dataclass(frozen=True)
class Words:
    """A line of text, whose capitals have their middle at the height y."""

    x: float
    y: float
    size: float
    text: str
    anchor: Anchor = "start"
    color: Color = (0, 0, 0)


Item = Box | Line | Words


@dataclass
class Page:
    """A white page and what is on it, in the order in which it is laid."""

    width: float
    height: float
    items: list[Item] = field(default_factory=list)


def width_of(text: str, size: float) -> float:
    """Return how wide a text is, in the unit of its size."""
    return sum(_width(letter) for letter in text) * size / 1000


def _width(letter: str) -> int:
    code = ord(letter) - 32
    return _WIDTHS[code] if 0 <= code < len(_WIDTHS) else 556


# ---- PNG ---------------------------------------------------------------------------------------


def to_png(page: Page, dots: float = 8.0) -> Image.Image:
    """Draw a page.

    Args:
        page: the page.
        dots: pixels to a millimeter.

    Raises:
        OutputError: it would have too many pixels.
    """
    size = max(1, round(page.width * dots)), max(1, round(page.height * dots))
    if size[0] * size[1] > MOST_PIXELS:
        raise OutputError(
            f"the page would have {size[0]}x{size[1]} pixels: use fewer cells, or write a .pdf"
        )
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    fonts: dict[float, ImageFont.FreeTypeFont | ImageFont.ImageFont] = {}
    for item in page.items:
        if isinstance(item, Box):
            left, top = round(item.x * dots), round(item.y * dots)
            right, bottom = (
                round((item.x + item.width) * dots),
                round((item.y + item.height) * dots),
            )
            corners = (left, top, max(left, right - 1), max(top, bottom - 1))
            (pen.ellipse if item.round else pen.rectangle)(corners, fill=item.fill)
        elif isinstance(item, Line):
            ends = [round(v * dots) for v in (item.x0, item.y0, item.x1, item.y1)]
            pen.line(ends, fill=item.color, width=max(1, round(item.width * dots)))
        else:
            if item.size not in fonts:
                fonts[item.size] = ImageFont.load_default(size=max(4.0, item.size * dots))
            anchor = {"start": "ls", "middle": "ms", "end": "rs"}[item.anchor]
            at = (item.x * dots, (item.y + _BASE * item.size) * dots)
            pen.text(at, item.text, fill=item.color, font=fonts[item.size], anchor=anchor)
    return image


# ---- SVG ---------------------------------------------------------------------------------------


def to_svg(page: Page, title: str = "") -> str:
    """Write a page as an SVG document in millimeters, without references, styles or scripts."""
    width, height = _n(page.width), _n(page.height)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm" '
            f'viewBox="0 0 {width} {height}" font-family="Helvetica, Arial, sans-serif">'
        ),
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *map(_element, page.items),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _element(item: Item) -> str:
    if isinstance(item, Line):
        return (
            f'<line x1="{_n(item.x0)}" y1="{_n(item.y0)}" x2="{_n(item.x1)}" y2="{_n(item.y1)}" '
            f'stroke="#{to_hex(item.color)}" stroke-width="{_n(item.width)}"/>'
        )
    if isinstance(item, Words):
        return (
            f'<text x="{_n(item.x)}" y="{_n(item.y + _BASE * item.size)}" '
            f'font-size="{_n(item.size)}" text-anchor="{item.anchor}" '
            f'fill="#{to_hex(item.color)}">{escape(item.text)}</text>'
        )
    if item.round:
        rx, ry = item.width / 2, item.height / 2
        return (
            f'<ellipse cx="{_n(item.x + rx)}" cy="{_n(item.y + ry)}" rx="{_n(rx)}" ry="{_n(ry)}" '
            f'fill="#{to_hex(item.fill)}"/>'
        )
    return (
        f'<rect x="{_n(item.x)}" y="{_n(item.y)}" width="{_n(item.width)}" '
        f'height="{_n(item.height)}" fill="#{to_hex(item.fill)}"/>'
    )


def _n(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


# ---- PDF ---------------------------------------------------------------------------------------


def to_pdf(pages: Sequence[Page], title: str = "") -> bytes:
    """Write pages as a PDF 1.4 of shapes and words (ISO 32000-1): sharp at any size."""
    count = len(pages)
    kids = " ".join(f"{5 + 2 * n} 0 R" for n in range(count))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {count} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Producer (text2art) /Title (" + _literal(title) + b") >>",
    ]
    for n, page in enumerate(pages):
        box = f"0 0 {_n(page.width * POINTS)} {_n(page.height * POINTS)}"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] /Contents {6 + 2 * n} 0 R "
            "/Resources << /Font << /F 3 0 R >> >> >>".encode()
        )
        stream = zlib.compress(_content(page), 9)
        head = f"<< /Length {len(stream)} /Filter /FlateDecode >>".encode()
        objects.append(head + b"\nstream\n" + stream + b"\nendstream")
    file = io.BytesIO()
    file.write(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(file.tell())
        file.write(f"{number} 0 obj\n".encode() + body + b"\nendobj\n")
    start = file.tell()
    file.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    file.write(b"".join(f"{place:010d} 00000 n \n".encode() for place in places))
    trailer = f"<< /Size {len(objects) + 1} /Root 1 0 R /Info 4 0 R >>"
    file.write(f"trailer\n{trailer}\nstartxref\n{start}\n%%EOF\n".encode())
    return file.getvalue()


def _content(page: Page) -> bytes:
    """Return the drawing operators of a page, in millimeters; only words turn upright again."""
    scale = _n(POINTS)
    lines = [f"{scale} 0 0 -{scale} 0 {_n(page.height * POINTS)} cm".encode()]
    for item in page.items:
        if isinstance(item, Line):
            ends = f"{_n(item.x0)} {_n(item.y0)} m {_n(item.x1)} {_n(item.y1)} l S"
            lines.append(f"{_shares(item.color)} RG {_n(item.width)} w {ends}".encode())
        elif isinstance(item, Box):
            lines.append(f"{_shares(item.fill)} rg {_outline(item)} f".encode())
        else:
            back = {"start": 0.0, "middle": 0.5, "end": 1.0}[item.anchor]
            x = item.x - back * width_of(item.text, item.size)
            y = item.y + _BASE * item.size
            place = (
                f"{_shares(item.color)} rg BT /F {_n(item.size)} Tf 1 0 0 -1 {_n(x)} {_n(y)} Tm ("
            )
            lines.append(place.encode() + _literal(item.text) + b") Tj ET")
    return b"\n".join(lines)


def _outline(box: Box) -> str:
    if not box.round:
        return f"{_n(box.x)} {_n(box.y)} {_n(box.width)} {_n(box.height)} re"
    rx, ry = box.width / 2, box.height / 2
    x, y, bend = box.x + rx, box.y + ry, 0.5523  # a quarter circle as a cubic curve
    quarters = [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)]
    parts = [f"{_n(x + rx)} {_n(y)} m"]
    for a, b, c, d in quarters:
        points = (
            (x + rx * (a + bend * c), y + ry * (b + bend * d)),
            (x + rx * (c + bend * a), y + ry * (d + bend * b)),
            (x + rx * c, y + ry * d),
        )
        parts.append(" ".join(f"{_n(px)} {_n(py)}" for px, py in points) + " c")
    return " ".join(parts)


def _shares(color: Color) -> str:
    return " ".join(_n(level / 255) for level in color)


def _literal(text: str) -> bytes:
    """Write text as a PDF string; what Latin-1 lacks becomes a question mark."""
    data = text.encode("latin-1", "replace")
    return data.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
