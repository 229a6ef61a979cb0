"""SVG documents: well formed, faithful, safe to read; layers, sizes and the order of drawing."""

from __future__ import annotations

import io
import json
import math
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import numpy as np
import pytest
import torch
from PIL import Image

from tests.cli_tools import Cli, draw, left
from tests.test_drawers import SHAPES, canvas
from text2art.abilities import PLAIN_SVG, Annealed, SvgStyle
from text2art.api import draw as draw_picture
from text2art.drawers.lattice import Shape
from text2art.drawers.pixel import PixelDrawer
from text2art.drawers.shapes import ShapesDrawer
from text2art.drawers.strokes import ClipdrawDrawer, LineDrawer
from text2art.errors import InputFileError, MissingExtra, OutputError
from text2art.media import svg_film
from text2art.media.load import decode_picture, load_picture
from text2art.media.png import read_record
from text2art.media.svg import Drawing, document, scene_drawing
from text2art.media.svg_film import MOST_FRAMES, SvgFilm
from text2art.options.drawers import (
    ClipdrawOptions,
    LineOptions,
    PixelOptions,
    ShapesOptions,
)
from text2art.raster import Scene
from text2art.runtime import stream

SVG = "{http://www.w3.org/2000/svg}"
INKSCAPE = "{http://www.inkscape.org/namespaces/inkscape}"
HOSTILE = "</title><script>alert('&amp;')</script> ]]> \x00\x1b\ud800\ufffe \"ü\u2028 --> <!--"
RECORD: dict[str, Any] = {
    "version": "1",
    "seed": 7,
    "settings": {"prompts": [HOSTILE, "b"], "seed": 7},
    "perceptors": [],
}
MAKE: dict[str, Any] = {
    "clipdraw": lambda size: ClipdrawDrawer(canvas(size), ClipdrawOptions(strokes=60)),
    # Of lines about as thin as a pixel our raster sees but the nearest one in each pixel.
    "line": lambda size: LineDrawer(canvas(size), LineOptions(min_width=3, segments=4)),
    "shapes": lambda size: ShapesDrawer(canvas(size), ShapesOptions(shapes=40)),
    **{
        f"pixel-{shape}": lambda size, shape=shape: PixelDrawer(
            canvas(size), PixelOptions(cell=shape, cells=(11, 9))
        )
        for shape in SHAPES
    },
}


def rasterized(text: str, zoom: int = 4) -> np.ndarray[Any, Any]:
    """The picture of a document by resvg, averaged over zoom x zoom points per pixel."""
    resvg = pytest.importorskip("resvg_py")
    data = bytes(resvg.svg_to_bytes(svg_string=text, zoom=zoom, dpi=96))
    image = Image.open(io.BytesIO(data)).convert("RGB")
    small = image.resize((image.width // zoom, image.height // zoom), Image.Resampling.BOX)
    return np.asarray(small).astype(float)


def random_picture(width: int, height: int) -> torch.Tensor:
    small = torch.rand(1, 3, 9, 11, generator=stream(0, "picture"))
    return torch.nn.functional.interpolate(small, (height, width), mode="bilinear")


def scene_document(scene: Scene, background: Any = None, style: SvgStyle = PLAIN_SVG) -> str:
    return document(scene_drawing(scene, background), style)


def elements(text: str, name: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(text).iter(SVG + name))


def strokes(*rows: list[tuple[float, float]], color: Any = (0, 0, 0, 1), width: float = 2) -> Scene:
    """A scene of open paths of one segment each."""
    count = len(rows)
    colors = torch.tensor([color] * count if not isinstance(color, list) else color)
    return Scene(
        100, 50, torch.tensor([point for row in rows for point in row]).float(),
        torch.arange(0, 4 * count + 1, 4), torch.ones(count, dtype=torch.long), False,
        torch.full((count,), width), colors.float(),
    )  # fmt: skip


def line(x0: float, y0: float, x1: float, y1: float) -> list[tuple[float, float]]:
    return [(x0, y0), (x0, y0), (x1, y1), (x1, y1)]


# ---- the document is the picture ---------------------------------------------------------------


@pytest.mark.parametrize("name", MAKE)
def test_the_document_shows_the_picture(name: str) -> None:
    """Rasterized by resvg, it differs from our own raster by less than 1.5 of 255 on average."""
    drawer = MAKE[name]((121, 96))
    drawer.fit_(random_picture(121, 96))
    drawer.eval()
    own = drawer()[0].detach().permute(1, 2, 0).numpy() * 255
    other = rasterized(drawer.svg())
    assert other.shape == own.shape
    difference = np.abs(own - other)
    assert difference.mean() < 1.5
    assert np.percentile(difference, 99) < 24  # no seams, no missing parts
    blank = np.abs(own - own.mean((0, 1))).mean()
    assert blank > 5  # or else nothing would be compared


@pytest.mark.parametrize("shape", SHAPES)
def test_cells_leave_no_gaps(shape: Shape) -> None:
    """Cells of one color make a plain picture, though each is antialiased by itself."""
    drawer = PixelDrawer(canvas((77, 53)), PixelOptions(cell=shape, cells=(8, 7)))
    drawer.fit_(torch.full((1, 3, 53, 77), 0.2))
    levels = rasterized(drawer.svg(), zoom=1)
    assert levels.max() - levels.min() <= 2


@pytest.mark.parametrize("rule", ["nonzero", "evenodd"])
def test_fill_rules_are_kept(rule: Any) -> None:
    ring = [(10, 5), (90, 5), (90, 45), (10, 45), (30, 15), (70, 15), (70, 35), (30, 35)]
    corners = torch.tensor([*ring[:4], ring[0], *ring[4:], ring[4], ring[0]]).float()
    from text2art.raster import cubics_from_lines, render

    points = cubics_from_lines(corners, closed=True)
    scene = Scene(
        100, 50, points, torch.tensor([0, len(points)]), torch.tensor([len(corners)]), True,
        torch.zeros(1), torch.tensor([[0.0, 0.0, 0.0, 1.0]]), fill_rule=rule,
    )  # fmt: skip
    own = render(scene, background=(1, 1, 1))[0, :3].permute(1, 2, 0).numpy() * 255
    assert np.abs(own - rasterized(scene_document(scene, (1, 1, 1)))).mean() < 1
    assert (own[25, 50, 0] > 250) == (rule == "evenodd")


def test_svgelements_reads_what_was_written() -> None:
    svgelements = pytest.importorskip("svgelements")
    drawer = ClipdrawDrawer(canvas((80, 60)), ClipdrawOptions(strokes=12, stages=1))
    read = svgelements.SVG.parse(io.StringIO(drawer.svg()))
    paths = [element for element in read.elements() if isinstance(element, svgelements.Path)]
    scene = drawer.scene()
    assert len(paths) == 12
    for i, path in enumerate(paths):
        curves = [part for part in path if isinstance(part, svgelements.CubicBezier)]
        assert len(curves) == int(scene.segments[i])
        start, stop = (int(offset) for offset in scene.offsets[i : i + 2])
        first, last = scene.points[start].tolist(), scene.points[stop - 1].tolist()
        assert (curves[0].start.x, curves[0].start.y) == pytest.approx(first, abs=0.006)
        assert (curves[-1].end.x, curves[-1].end.y) == pytest.approx(last, abs=0.006)
        assert path.stroke_width == pytest.approx(scene.stroke_width[i].item(), abs=6e-4)
        wanted = [round(255 * level) for level in scene.color[i, :3].tolist()]
        assert [path.stroke.red, path.stroke.green, path.stroke.blue] == wanted
        assert path.stroke.opacity == pytest.approx(scene.color[i, 3].item(), abs=0.005)


def test_vpype_reads_layers_and_millimeters(tmp_path: Path) -> None:
    vpype = pytest.importorskip("vpype")
    drawer = LineDrawer(canvas((80, 60), palette="black,red"), LineOptions(strokes=8))
    path = tmp_path / "lines.svg"
    path.write_text(drawer.svg(SvgStyle(millimeters=200, layers=True)))
    read = vpype.read_multilayer_svg(str(path), quantization=0.1)
    assert read.page_size == pytest.approx((200 * 96 / 25.4, 150 * 96 / 25.4))
    assert sum(len(layer) for layer in read.layers.values()) >= 8


# ---- form --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "style", [SvgStyle(), SvgStyle(RECORD, 123.4567, layers=True, travel=True)]
)
@pytest.mark.parametrize("name", MAKE)
def test_documents_are_plain_and_bounded(name: str, style: SvgStyle) -> None:
    text = MAKE[name]((64, 48)).svg(style)
    root = ElementTree.fromstring(text)
    assert root.get("viewBox") == "0 0 64 48"
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for path in elements(text, "path"):
        data = str(path.get("d"))
        assert re.fullmatch(r"M[-\d. ]+[CL][-\d. ]+Z?", data)
        assert all(len(part.partition(".")[2]) <= 2 for part in re.findall(r"[\d.]+", data))
        assert path.get("transform") is path.get("class") is path.get("style") is None
    assert not re.search(r"nan|inf\b|href|<script", text)
    assert text == MAKE[name]((64, 48)).svg(style)  # equal pictures, equal documents


def test_sizes_are_in_millimeters_when_asked_for() -> None:
    plain = ElementTree.fromstring(scene_document(strokes(line(0, 0, 9, 9))))
    assert (plain.get("width"), plain.get("height")) == ("100", "50")
    style = SvgStyle(millimeters=180)
    sized = ElementTree.fromstring(scene_document(strokes(line(0, 0, 9, 9)), style=style))
    assert (sized.get("width"), sized.get("height")) == ("180mm", "90mm")
    assert sized.get("viewBox") == "0 0 100 50"


def test_what_cannot_be_drawn_is_left_out_and_numbers_are_kept() -> None:
    rows = [line(i, i, i + 9, i) for i in range(5)]
    colors: list[tuple[float, ...]] = [(0, 0, 0, 1)] * 5
    colors[1] = (0, 0, 0, 0)
    colors[2] = (math.nan, 0, 0, 1)
    rows[3] = line(math.inf, 0, 1, 1)
    text = scene_document(strokes(*rows, color=colors))
    assert [path.get("id") for path in elements(text, "path")] == ["path-0", "path-4"]
    assert not elements(scene_document(strokes(*rows, width=0.0)), "path")


def test_thousands_of_strokes_far_outside_do_no_harm() -> None:
    rows = [line(1e30, -1e30, 5, 5), *([line(-5e4, 5e4, -6e4, 5e4)] * 2000), line(1, 1, 9, 9)]
    text = scene_document(strokes(*rows), (1, 1, 1))
    assert len(elements(text, "path")) == 2001
    assert rasterized(text, zoom=1).min() < 128


def test_an_empty_document_is_one() -> None:
    text = document(Drawing([], 10, 10, (1, 0, 0)))
    assert [rect.get("fill") for rect in elements(text, "rect")] == ["#ff0000"]


# ---- pens --------------------------------------------------------------------------------------


def test_layers_hold_one_color_each_in_order_of_appearance() -> None:
    red, blue = (1, 0, 0, 1), (0, 0, 1, 1)
    rows = [line(i, i, i + 9, i) for i in range(4)]
    text = scene_document(strokes(*rows, color=[red, blue, red, blue]), style=SvgStyle(layers=True))
    layers = elements(text, "g")
    assert [layer.get(INKSCAPE + "groupmode") for layer in layers] == ["layer", "layer"]
    assert [layer.get(INKSCAPE + "label") for layer in layers] == ["1-#ff0000", "2-#0000ff"]
    inside = [[path.get("id") for path in layer] for layer in layers]
    assert inside == [["path-0", "path-2"], ["path-1", "path-3"]]


def pen_way(text: str) -> float:
    """How far a pen goes in the air, drawing a document's paths in order."""
    way, pen = 0.0, (0.0, 0.0)
    for path in elements(text, "path"):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", str(path.get("d")))]
        way += math.dist(pen, numbers[:2])
        pen = (numbers[-2], numbers[-1])
    return way


def test_travel_is_short_when_asked_for() -> None:
    draws = torch.rand(40, 4, generator=stream(0, "strokes")) * 40
    rows = [line(*row) for row in draws.tolist()]
    kept = scene_document(strokes(*rows))
    assert [p.get("id") for p in elements(kept, "path")] == [f"path-{i}" for i in range(40)]
    sorted_ = scene_document(strokes(*rows), style=SvgStyle(travel=True))
    assert {p.get("id") for p in elements(sorted_, "path")} == {f"path-{i}" for i in range(40)}
    assert pen_way(sorted_) < 0.4 * pen_way(kept)
    # Some are drawn the other way round, which shows the same.
    assert np.array_equal(rasterized(sorted_, zoom=1), rasterized(kept, zoom=1))


# ---- records, and files from anybody -----------------------------------------------------------


def test_the_record_comes_back_whatever_the_prompts_hold(tmp_path: Path) -> None:
    text = document(Drawing([], 10, 10), SvgStyle(RECORD))
    path = tmp_path / "a.svg"
    path.write_bytes(text.encode())
    assert read_record(path) == RECORD
    assert not list(ElementTree.fromstring(text).iter(SVG + "script"))
    assert "text2art" not in document(Drawing([], 10, 10))


BOMB = '<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
BODY = (
    '<svg xmlns="http://www.w3.org/2000/svg">'
    '<text2art xmlns="urn:text2art:record">{}</text2art></svg>'
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB + BODY.format("&b;"), "declares XML entities"),
        (OUTSIDE + BODY.format("&a;"), "declares XML entities"),
        (BODY.format("&a;"), "undefined entity"),
        ("<svg", "is no SVG"),
        ("", "is no SVG"),
        ("\x89PNG", "is no SVG"),
        ('<svg xmlns="http://www.w3.org/2000/svg"/>', "holds no text2art settings"),
        (BODY.format("{"), "broken"),
        (BODY.format("[1]"), "not text2art's"),
        (BODY.format("x" * 2**21), "longer than 1 MB"),
        ("<g>" * 100_000, "is no SVG"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.svg"
    path.write_text(text)
    with pytest.raises(InputFileError, match=message):
        read_record(path)


def test_a_document_type_without_declarations_is_fine(tmp_path: Path) -> None:
    kind = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/svg11.dtd">'
    path = tmp_path / "old.svg"
    path.write_text(kind + BODY.format(escape(json.dumps(RECORD))))
    assert read_record(path) == RECORD


def test_the_record_is_found_wherever_it_lies(tmp_path: Path) -> None:
    """Behind and within tokens that are longer than what is read at a time."""
    path = tmp_path / "far.svg"
    record = escape(json.dumps(RECORD))
    for before in ("<!--" + "x" * 900_000 + "-->", "\n" * 300_000, f'<g a="{"y" * 500_000}"/>'):
        text = BODY.replace("<text2art", before + "<text2art")
        path.write_text(text.format(record) + "<!-- end -->")
        assert read_record(path) == RECORD


# ---- from outside ------------------------------------------------------------------------------

TINY: dict[str, Any] = {
    "perceptor": "toy", "size": "32x32", "cuts": 2, "starts": 1, "seed": 3, "iterations": 2,
}  # fmt: skip


def test_a_result_has_its_document(tmp_path: Path) -> None:
    result = draw_picture("a red apple", drawer="shapes", **TINY)
    text = result.svg
    assert text is not None
    own = np.asarray(result.image).astype(float)
    assert np.abs(own - rasterized(text)).mean() < 1.5
    path = result.save(tmp_path / "a.svg")
    assert path.read_text() == text
    assert read_record(path) == json.loads(json.dumps(result.record))
    bare = result.save_svg(tmp_path / "b.svg", millimeters=90, metadata=False).read_text()
    assert 'width="90mm"' in bare
    assert "metadata" not in bare
    with pytest.raises(OutputError, match=r"use \.svg"):
        result.save_svg(tmp_path / "c.png")


def test_a_result_without_shapes_has_none(tmp_path: Path) -> None:
    result = draw_picture("a red apple", drawer="fft", **TINY)
    assert result.svg is None
    with pytest.raises(OutputError, match="not made of shapes"):
        result.save(tmp_path / "a.svg")


def test_what_is_protected_is_not_in_the_shapes(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), "red").save(tmp_path / "start.png")
    Image.new("L", (32, 32), 255).save(tmp_path / "mask.png")
    start: dict[str, Any] = {
        "init_image": str(tmp_path / "start.png"),
        "protect": str(tmp_path / "mask.png"),
    }
    assert draw_picture("a red apple", drawer="pixel", **start, **TINY).svg is None


def test_the_command_line_writes_svg(cli: Cli) -> None:
    assert draw(cli, "--drawer=line", "--out", "a.svg").out == "a.svg\n"
    assert left() == ["a.svg"]
    assert read_record(Path("a.svg"))["settings"]["drawer"] == "line"
    assert cli("again", "a.svg", "--out", "b.svg").code == 0
    assert Path("b.svg").read_bytes() == Path("a.svg").read_bytes()
    assert cli("show", "a.svg").code == 0
    assert draw(cli, "--drawer=pixel", "--pixel-type=hex", "--out", "hex.svg").code == 0
    assert read_record(Path("hex.svg"))["settings"]["pixel"] == {"cell": "hex"}
    plotted = draw(
        cli, "--drawer=line", "--palette=black,red", "--out", "c.svg", "--no-metadata",
        "--svg-millimeters=120", "--svg-layers", "--svg-travel",
    )  # fmt: skip
    assert plotted.code == 0
    text = Path("c.svg").read_text()
    assert 'width="120mm"' in text
    assert "groupmode" in text
    assert "metadata" not in text


def test_pixels_of_what_has_no_cells_are_refused_before_the_work(cli: Cli) -> None:
    answer = draw(cli, "--drawer=line", "--out", "a.svg", "--native")
    assert answer.code == 1
    assert "the drawer 'line' has no cells, of which --native makes pixels" in answer.err
    assert left() == []


def test_the_format_may_be_a_setting(cli: Cli) -> None:
    answer = draw(cli, "--drawer=line", "--output-format=svg")
    assert answer.code == 0
    assert answer.last.startswith("outputs/")
    assert answer.last.endswith(".svg")
    assert read_record(Path(answer.last))["settings"]["output_format"] == "svg"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--drawer=fft", "--output-format=svg"], "'fft' makes no shapes"),
        (["--drawer=fft", "--out=a.svg"], "'fft' makes no shapes .* use one of pixel, clipdraw"),
        (["--drawer=line", "--out=no/such\0.svg"], "cannot write|null"),
        (["--drawer=line", "--out=a.svg", "--svg-millimeters=0"], "svg-millimeters"),
        (
            ["--drawer=pixel", "--out=a.svg", "--init-image=i.png", "--protect=i.png"],
            "protected part",
        ),
    ],
)
def test_the_command_line_refuses_what_cannot_be(
    cli: Cli, arguments: list[str], message: str
) -> None:
    Image.new("RGB", (32, 32)).save("i.png")
    answer = draw(cli, *arguments)
    assert answer.code in (1, 2)
    assert re.search(message, answer.err)
    assert left() == ["i.png"]


# ---- as a picture to start from ----------------------------------------------------------------

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
OPEN = HEAD + 'viewBox="0 0 40 20">'


def test_an_svg_can_be_loaded_as_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    path = tmp_path / "a.svg"
    path.write_text(
        "\ufeff<?xml version='1.0'?>\n<!-- words -->" + OPEN
        + '<defs><linearGradient id="g"><stop stop-color="#f00"/></linearGradient>'
        '<rect id="r" width="10" height="20" fill="url(#g)"/></defs>'
        '<style>.a { fill: #00f }</style><rect class="a" x="30" width="10" height="20"/>'
        '<use xlink:href="#r"/></svg>'
    )  # fmt: skip
    image = load_picture(str(path))
    assert image.size == (1024, 512)
    assert image.mode == "RGBA"
    assert image.getpixel((100, 100)) == (255, 0, 0, 255)
    assert image.getpixel((900, 100)) == (0, 0, 255, 255)
    assert image.getpixel((500, 100)) == (0, 0, 0, 0)


def test_what_was_drawn_can_be_drawn_on(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    first = draw_picture("a red apple", drawer="shapes", **TINY)
    first.save(tmp_path / "a.svg")
    again = draw_picture(
        "a red apple", drawer="shapes", init_image=str(tmp_path / "a.svg"),
        **{**TINY, "iterations": 1},
    )  # fmt: skip
    difference = np.asarray(again.image).astype(float) - np.asarray(first.image)
    assert np.abs(difference).mean() < 12


def repeated(levels: int) -> str:
    """Groups that use the last one ten times each, so that 10 to the `levels` are drawn."""
    groups = "".join(
        f'<g id="g{i + 1}">' + f'<use xlink:href="#g{i}"/>' * 10 + "</g>" for i in range(levels)
    )
    return OPEN + '<rect id="g0" width="1" height="1"/>' + groups + "</svg>"


def patterns(levels: int) -> str:
    parts = "".join(
        f'<pattern id="p{i + 1}" width="1" height="1">'
        + f'<rect width="1" height="1" style="fill: url( \'#p{i}\')"/>' * 10
        + "</pattern>"
        for i in range(levels)
    )
    return OPEN + f'{parts}<rect width="9" height="9" fill="url(#p{levels})"/></svg>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB + OPEN + "&b;</svg>", "declares XML entities"),
        (OPEN, "no element found|is no SVG"),
        ("<svg/>", "is no SVG: it begins with 'svg'"),
        (OPEN.replace("svg ", "html ", 1) + "<svg/></html>", "is no SVG: it begins with 'html'"),
        (OPEN + "<g>" * 200 + "</g>" * 200 + "</svg>", "nested more than 100 deep"),
        (OPEN + "<g/>" * 60_000 + "</svg>", "more than 50000 elements"),
        (OPEN + '<image href="a.png"/></svg>', "pictures within it"),
        (OPEN + "<text>hello</text></svg>", "turn it into paths"),
        (OPEN + '<filter id="f"/></svg>', "filters"),
        (OPEN + '<use xlink:href="/etc/passwd#a"/></svg>', "refers to '/etc/passwd#a'"),
        (OPEN + '<use href="http://example.com/a.svg#a"/></svg>', "refers to 'http:"),
        (OPEN + '<rect fill="url(file:///a#b)"/></svg>', "refers to 'file:///a#b'"),
        (OPEN + "<marker/></svg>", "markers"),
        (OPEN + '<g mask="url(#m)"/>' * 2001 + "</svg>", "more than 2000 references"),
        (OPEN + "<style>.a{fill:u<![CDATA[rl(#a)]]>}</style></svg>", "style sheet"),
        (OPEN + "<style>.a{fill:url(#a)}<g/></style></svg>", "style sheet"),
        (OPEN + "<style>@import 'a.css';</style></svg>", "style sheet"),
        (repeated(9), "repeats its parts too often"),
        (patterns(9), "repeats its parts too often"),
        (OPEN + '<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g></svg>', "to itself"),
        (HEAD + 'width="0" height="9"/>', "cannot be drawn"),
        (OPEN + " " * 10_000_001 + "</svg>", "more than 10 MB"),
    ],
)
def test_documents_that_do_harm_are_refused(text: str, message: str) -> None:
    pytest.importorskip("resvg_py")
    with pytest.raises(InputFileError, match=message):
        decode_picture(text.encode(), "bad.svg")


def test_a_few_repetitions_are_fine() -> None:
    pytest.importorskip("resvg_py")
    assert decode_picture(repeated(3).encode(), "a.svg").size == (1024, 512)
    assert decode_picture(patterns(2).encode(), "a.svg").size == (1024, 512)


def test_sizes_are_bounded_whatever_a_document_says() -> None:
    pytest.importorskip("resvg_py")
    for size in ('width="1e9" height="1e9"', 'width="1e7" height="1"', 'viewBox="0 0 1e-9 1e-9"'):
        image = decode_picture(f'{HEAD}{size}><path d="M0 0h9"/></svg>'.encode(), "a.svg")
        assert max(image.size) <= 1024


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(MissingExtra, match=r"pip install 'text2art\[svg\]'"):
        decode_picture((OPEN + "</svg>").encode(), "a.svg")


# ---- films -------------------------------------------------------------------------------------


def making(kind: str, steps: int) -> SvgFilm:
    drawer = MAKE[kind]((60, 48))
    optimizer = torch.optim.Adam(drawer.groups())
    film = SvgFilm(steps + 1)
    for step in range(steps):
        if isinstance(drawer, Annealed):
            drawer.at_(step / steps)
        film.add(drawer)
        optimizer.zero_grad()
        drawer().square().mean().backward()
        optimizer.step()
        drawer.project_()
    film.add(drawer, final=True)
    return film


@pytest.mark.parametrize("kind", ["clipdraw", "shapes", "pixel-tri"])
def test_a_film_ends_with_the_result_and_has_few_frames(kind: str) -> None:
    text = making(kind, 60).document(SvgStyle(RECORD, 90))
    animations = elements(text, "animate")
    assert animations
    times = {str(animation.get("keyTimes")) for animation in animations}
    assert len(times) == 1
    moments = [float(time) for time in times.pop().split(";")]
    assert moments[0] == 0
    assert moments[-1] == 1
    assert moments == sorted(set(moments))
    assert 10 < len(moments) <= MOST_FRAMES + 2
    for path in elements(text, "path"):
        for animation in path:
            values = str(animation.get("values")).split(";")
            assert len(values) == len(moments)
            result = path.get(str(animation.get("attributeName")), "1")
            assert values[-1] == values[-2] == result  # what readers show that do not animate
    assert "text2art" in text


def test_a_film_shows_marks_when_they_come_in() -> None:
    text = making("clipdraw", 12).document()
    opacity = {
        str(path.get("id")): str(animation.get("values")).split(";")
        for path in elements(text, "path")
        for animation in path
        if animation.get("attributeName") == "stroke-opacity"
    }
    assert opacity["path-0"][0] != "0"
    assert opacity["path-59"][0] == "0"
    assert opacity["path-59"][-1] != "0"


def test_a_film_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    film = making("shapes", 30)
    full = film.document()
    monkeypatch.setattr(svg_film, "MOST_BYTES", len(full) // 2)
    short = film.document()
    assert len(short) <= len(full) // 2
    assert np.array_equal(rasterized(short, zoom=1), rasterized(full, zoom=1))


def test_the_command_line_makes_films(cli: Cli) -> None:
    answer = draw(cli, "--drawer=shapes", "--out", "a.png", "--svg-film", "b.svg")
    assert answer.code == 0
    assert left() == ["a.png", "b.svg"]
    assert read_record(Path("b.svg"))["settings"]["drawer"] == "shapes"
    assert elements(Path("b.svg").read_text(), "animate")
    assert "makes no shapes" in draw(cli, "--drawer=fft", "--svg-film", "c.svg").err
    same = draw(cli, "--drawer=line", "--out", "d.svg", "--svg-film", "d.svg")
    assert "give them two names" in same.err
    assert "use .svg" in draw(cli, "--drawer=line", "--svg-film", "d.gif").err
