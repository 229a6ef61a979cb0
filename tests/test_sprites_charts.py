"""Sprite sheets, tiles and charts, read again by readers that are not ours; and the commands."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import png
import pypdfium2
import pytest
from PIL import Image, ImageOps

from tests.cli_tools import Cli, draw, left
from tests.test_pixel_art import noise, plte, ramp
from text2art.errors import OutputError, SettingsError
from text2art.media.chart import Chart
from text2art.media.exports import PixelExports
from text2art.media.page import Box, Item, Line, Page, Words, to_pdf, to_png, to_svg, width_of
from text2art.media.pixelart import enlarged
from text2art.media.png import encode_picture
from text2art.media.quantize import indexed
from text2art.media.sprites import Sprite, sprite_sheet, tile_set
from text2art.media.yarns import CRAFTS, SYMBOLS, Craft, gauge_of
from text2art.palettes import parse_palette
from text2art.palettes.colors import to_hex

PICO = parse_palette("PICO-8")


def small(width: int = 8, height: int = 6, seed: int = 0, palette: str = "PICO-8") -> Image.Image:
    return indexed(noise(width, height, seed), parse_palette(palette))


def opened(name: str) -> Image.Image:
    return Image.open(io.BytesIO(Path(name).read_bytes()))


# ---- sprites -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["hash", "array"])
@pytest.mark.parametrize("padding", [0, 2])
def test_frames_are_where_the_json_says(form: Any, padding: int) -> None:
    sprites = [Sprite(f"step {n}", small(seed=n), 50 + n) for n in range(5)]
    sheet, about = sprite_sheet(
        sprites, "a.png", columns=3, padding=padding, form=form, tag="making"
    )
    about = json.loads(json.dumps(about))
    frames = about["frames"]
    named = frames if form == "hash" else {frame["filename"]: frame for frame in frames}
    assert list(named) == [f"step {n}" for n in range(5)]
    for n, frame in enumerate(named.values()):
        place = frame["frame"]
        box = (place["x"], place["y"], place["x"] + place["w"], place["y"] + place["h"])
        assert sheet.crop(box).tobytes() == sprites[n].image.tobytes()
        assert frame["duration"] == 50 + n
        assert frame["sourceSize"] == {"w": 8, "h": 6}
    meta = about["meta"]
    assert meta["size"] == {"w": sheet.width, "h": sheet.height}
    assert (meta["image"], meta["format"], meta["scale"]) == ("a.png", "I8", "1")
    assert meta["frameTags"] == [{"name": "making", "from": 0, "to": 4, "direction": "forward"}]
    # One palette: the sheet has it, in its order, and one more index for what is empty.
    assert plte(encode_picture(sheet, ".png"))[0] == [*PICO, (0, 0, 0)]
    assert sheet.convert("RGBA").getpixel((sheet.width - 1, sheet.height - 1)) == (0, 0, 0, 0)


def test_sheets_without_gaps_have_the_palette_alone() -> None:
    sheet, _ = sprite_sheet([Sprite(str(n), small(seed=n)) for n in range(4)], "a.png")
    assert sheet.size == (16, 12)
    assert plte(encode_picture(sheet, ".png")) == (PICO, b"")


def test_sprites_of_other_palettes_and_sizes_make_a_sheet_with_alpha() -> None:
    images = [small(), small(4, 4, palette="Game Boy"), noise(3, 9).convert("RGBA")]
    sheet, about = sprite_sheet([Sprite(str(n), i) for n, i in enumerate(images)], "a.png")
    assert sheet.mode == "RGBA"
    assert about["meta"]["format"] == "RGBA8888"
    for n, image in enumerate(images):
        place = about["frames"][str(n)]["frame"]
        box = (place["x"], place["y"], place["x"] + place["w"], place["y"] + place["h"])
        assert sheet.crop(box).tobytes() == image.convert("RGBA").tobytes()


def test_sheets_that_cannot_be() -> None:
    with pytest.raises(SettingsError, match="given are 0"):
        sprite_sheet([], "a.png")
    with pytest.raises(SettingsError, match="same name"):
        sprite_sheet([Sprite("a", small()), Sprite("a", small())], "a.png")
    with pytest.raises(OutputError, match="at most 64 million"):
        sprite_sheet([Sprite(str(n), Image.new("P", (5000, 5000))) for n in range(4)], "a.png")


@pytest.mark.parametrize("flips", [False, True])
def test_tiles_and_map_give_the_picture_again(flips: bool) -> None:
    tile = small(4, 4)
    image = Image.new("P", (16, 8))
    image.putpalette(tile.getpalette("RGB") or [])
    turned = [tile, ImageOps.mirror(tile), ImageOps.flip(tile), small(4, 4, seed=3)]
    for n in range(8):
        image.paste(turned[n % 4], (n % 4 * 4, n // 4 * 4))
    sheet, about = tile_set(image, (4, 4), "t.png", flips=flips)
    assert sheet.mode == "P"
    (tiles,) = about["tilesets"]
    assert tiles["tilecount"] == (2 if flips else 4)
    made = Image.new("RGBA", image.size)
    for n, code in enumerate(about["layers"][0]["data"]):
        number = (code & 0x1FFFFFFF) - tiles["firstgid"]
        x, y = number % tiles["columns"] * 4, number // tiles["columns"] * 4
        piece = sheet.convert("RGBA").crop((x, y, x + 4, y + 4))
        piece = ImageOps.mirror(piece) if code & 1 << 31 else piece
        piece = ImageOps.flip(piece) if code & 1 << 30 else piece
        made.paste(piece, (n % about["width"] * 4, n // about["width"] * 4))
    assert made.tobytes() == image.convert("RGBA").tobytes()
    with pytest.raises(SettingsError, match="no whole number of tiles of 5x4"):
        tile_set(image, (5, 4), "t.png")


# ---- pages -------------------------------------------------------------------------------------


def page() -> Page:
    items: list[Item] = [
        Box(10, 10, 20, 10, (255, 0, 77)),
        Box(40, 10, 10, 10, (41, 173, 255), round=True),
        Line(10, 30, 50, 30, 1.0, (0, 135, 81)),
        Words(30, 45, 6, "Hamburg (50%) \\ <&>", "middle"),
    ]
    return Page(60, 55, items)


def rendered(data: bytes, page: int = 0, dots: float = 8.0) -> Image.Image:
    """A page of a PDF, drawn by pdfium."""
    document = pypdfium2.PdfDocument(data)
    try:
        bitmap = document[page].render(scale=dots * 25.4 / 72)
        image: Image.Image = bitmap.to_pil()
        return image.convert("RGB")
    finally:
        document.close()


def apart(one: Image.Image, other: Image.Image, at: tuple[int, int]) -> int:
    return int(
        np.abs(np.asarray(one, dtype=int)[at[::-1]] - np.asarray(other, dtype=int)[at[::-1]]).max()
    )


def test_a_pdf_shows_what_the_png_shows() -> None:
    theirs, ours = rendered(to_pdf([page()], "a (title)")), to_png(page())
    assert abs(theirs.width - ours.width) <= 1
    assert abs(theirs.height - ours.height) <= 1
    for x, y in [(20, 15), (45, 15), (30, 30), (5, 5), (40.6, 10.6)]:
        at = round(x * 8), round(y * 8)
        assert apart(theirs, ours, at) < 6, (x, y)


def test_a_pdf_holds_its_words() -> None:
    document = pypdfium2.PdfDocument(to_pdf([page(), page()], "a (title)"))
    assert len(document) == 2
    assert document.get_metadata_value("Title") == "a (title)"
    text = document[1].get_textpage()
    assert text.get_text_bounded() == "Hamburg (50%) \\ <&>"
    left, _, right, _ = text.get_rect(0) if text.count_rects() else (0, 0, 0, 0)
    # It is centered: Helvetica's widths are as Adobe has them.
    assert (left + right) / 2 / 72 * 25.4 == pytest.approx(30, abs=0.6)
    assert width_of("iW", 10) == pytest.approx(11.66)
    document.close()


def test_an_svg_shows_what_the_png_shows() -> None:
    resvg = pytest.importorskip("resvg_py")
    text = to_svg(page(), "a & b")
    root = ElementTree.fromstring(text)
    assert root.attrib["width"] == "60mm"
    data = resvg.svg_to_bytes(svg_string=text, width=480, height=440, dpi=96)
    theirs = Image.open(io.BytesIO(bytes(data))).convert("RGB")
    ours = to_png(page())
    for x, y in [(20, 15), (45, 15), (30, 30), (5, 5)]:
        at = round(x * 8), round(y * 8)
        assert apart(theirs, ours, at) < 6, (x, y)


# ---- charts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("craft", CRAFTS)
def test_counts_are_those_of_the_picture(craft: Craft) -> None:
    image = small(20, 12)
    chart = Chart(image, craft)
    places, counts = np.unique(np.asarray(image), return_counts=True)
    assert [yarn.color for yarn in chart.yarns] == [PICO[n] for n in places]
    assert [yarn.count for yarn in chart.yarns] == counts.tolist()
    assert sum(yarn.count for yarn in chart.yarns) == 240
    colors = np.array([yarn.color for yarn in chart.yarns])[chart.index]
    assert np.array_equal(colors, np.asarray(image.convert("RGB")))
    assert len({yarn.symbol for yarn in chart.yarns}) == len(chart.yarns)
    assert len(set(SYMBOLS)) == len(SYMBOLS)


def test_every_cell_is_drawn_in_its_color(tmp_path: Path) -> None:
    image = small(12, 8)
    chart = Chart(image, "cross-stitch", symbols=False, title="A <test> (1)")
    chart.save(tmp_path / "c.pdf")
    chart.save(tmp_path / "c.svg")
    chart.save(tmp_path / "c.png")
    with Image.open(tmp_path / "c.png") as drawn:
        boxes = [i for i in chart.page().items if isinstance(i, Box)][: 12 * 8]
        for n, box in enumerate(boxes):
            middle = round((box.x + box.width / 2) * 8), round((box.y + box.height / 2) * 8)
            assert drawn.getpixel(middle) == image.convert("RGB").getpixel((n % 12, n // 12))
    pdf = rendered((tmp_path / "c.pdf").read_bytes())
    first = chart.pages()[0]
    boxes = [item for item in first.items if isinstance(item, Box)][: 12 * 8]
    for n, box in enumerate(boxes):
        middle = round((box.x + box.width / 2) * 8), round((box.y + box.height / 2) * 8)
        wanted = Image.new("RGB", pdf.size, image.convert("RGB").getpixel((n % 12, n // 12)))
        assert apart(pdf, wanted, middle) <= 2
    document = pypdfium2.PdfDocument(tmp_path / "c.pdf")
    words = document[0].get_textpage().get_text_bounded()
    document.close()
    for yarn in chart.yarns:
        assert yarn.name in words
        assert f"#{to_hex(yarn.color)}" in words
    assert "A <test> (1)" in words
    ElementTree.parse(tmp_path / "c.svg")


def test_large_charts_take_several_pages_without_losing_a_cell() -> None:
    chart = Chart(small(130, 90), "cross-stitch")
    pages = chart.pages()
    assert len(pages) > 2
    cells = [
        w
        for page in pages[:-1]
        for w in page.items
        if isinstance(w, Words) and w.anchor == "middle"
    ]
    assert sum(w.text in SYMBOLS and len(w.text) == 1 and w.size > 2.4 for w in cells) == 130 * 90
    assert all((page.width, page.height) == (210, 297) for page in pages)
    for page in pages:
        boxes = [item for item in page.items if isinstance(item, Box)]
        assert all(box.x + box.width <= 210 and box.y + box.height <= 297 for box in boxes)


def test_knitting_starts_below_on_the_right_and_is_as_wide_as_it_will_be() -> None:
    chart = Chart(small(22, 30), "knit", gauge=gauge_of("knit", stitches=22, rows=30))
    assert "finished 10.0 x 10.0 cm" in chart.facts
    words = [i for i in chart.page().items if isinstance(i, Words)]
    columns = [w for w in words if w.anchor == "middle" and w.text == "1"]
    assert columns
    assert all(
        w.x > max(v.x for v in words if v.text == "20" and v.anchor == "middle") for w in columns
    )
    rows = [w for w in words if w.anchor == "end" and w.text in ("1", "30")]
    first = next(w for w in rows if w.text == "1")
    last = next(w for w in rows if w.text == "30")
    assert first.y > last.y
    box = next(i for i in chart.page().items if isinstance(i, Box))
    assert box.height / box.width == pytest.approx(22 / 30)
    assert gauge_of("cross-stitch", aida=14).width == pytest.approx(1.814, abs=1e-3)
    assert gauge_of("beads", bead=2.6, board=15).block == 15


def test_empty_cells_stay_empty() -> None:
    image = Image.new("RGBA", (3, 2), (0, 0, 0, 0))
    image.putpixel((1, 1), (255, 0, 0, 255))
    chart = Chart(image, "beads")
    assert chart.index.tolist() == [[-1, -1, -1], [-1, 0, -1]]
    assert [yarn.count for yarn in chart.yarns] == [1]


def test_charts_that_cannot_be() -> None:
    with pytest.raises(SettingsError, match=r"colors, a chart at most \d+"):
        Chart(noise(20, 20), "knit")
    with pytest.raises(SettingsError, match="nothing to chart"):
        Chart(Image.new("RGBA", (2, 2)), "knit")
    with pytest.raises(SettingsError, match="too large"):
        Chart(Image.new("RGB", (1001, 2)), "knit")
    with pytest.raises(SettingsError, match="shows nothing"):
        Chart(small(), "knit", symbols=False, colored=False)
    with pytest.raises(OutputError, match=r"use \.pdf or \.svg or \.png"):
        Chart(small(), "knit").save(Path("a.jpg"))


# ---- results and commands ----------------------------------------------------------------------


class Made(PixelExports):
    def __init__(self) -> None:
        self.native = small(8, 8)
        self.image = enlarged(self.native, 4).convert("RGB")
        self.frames = [enlarged(small(8, 8, seed=n), 4).convert("RGB") for n in range(4)]
        self.record = {}


def test_a_result_is_saved_as_pixels_sprites_and_charts(tmp_path: Path) -> None:
    made = Made()
    with Image.open(made.save_pixels(tmp_path / "a.png")) as image:
        assert image.size == (8, 8)
        assert image.tobytes() == small(8, 8).tobytes()
    assert plte((tmp_path / "a.png").read_bytes())[0] == PICO
    with Image.open(made.save_pixels(tmp_path / "b.png", "Game Boy", times=3)) as image:
        assert image.size == (24, 24)
    assert plte((tmp_path / "b.png").read_bytes())[0] == parse_palette("Game Boy")
    made.save_sprites(tmp_path / "s.png", milliseconds=40)
    assert plte((tmp_path / "s.png").read_bytes())[0] == PICO  # the frames keep to it, too
    about = json.loads((tmp_path / "s.json").read_text())
    assert len(about["frames"]) == 4
    assert about["meta"]["size"] == {"w": 16, "h": 16}
    assert made.save_chart(tmp_path / "c.pdf", "beads").stat().st_size > 1000


def test_a_drawing_with_a_palette_is_indexed_in_its_order(cli: Cli) -> None:
    answer = draw(cli, "--palette=Sweetie-16", "--out=a.png", "--native")
    assert answer.code == 0, answer.err
    assert plte(Path("a.native.png").read_bytes())[0] == parse_palette("Sweetie-16")


def test_commands_of_export(cli: Cli) -> None:
    Path("a.png").write_bytes(encode_picture(enlarged(small(8, 8), 4), ".png"))
    assert cli("export", "native", "a.png").last == "a.native.png"
    assert png.Reader(bytes=Path("a.native.png").read_bytes()).read()[3]["palette"] == PICO
    assert cli("export", "scaled", "a.png", "-x", "2", "-x", "3").out.split() == [
        "a@2x.png", "a@3x.png",
    ]  # fmt: skip
    assert opened("a@3x.png").size == (24, 24)
    sheet = cli("export", "sprites", "a.png", "a@2x.png", "--native", "--json=array", "-o", "s.png")
    assert sheet.out.split() == ["s.png", "s.json"]
    frames = json.loads(Path("s.json").read_text())["frames"]
    assert [frame["frame"]["w"] for frame in frames] == [8, 8]
    assert cli("export", "tiles", "a.png", "--native", "--tile=4x4").out.split() == [
        "a.tiles.png", "a.tiles.tmj",
    ]  # fmt: skip
    assert cli("export", "chart", "a.png", "--craft=knit").last == "a.chart.pdf"
    Path("b.png").write_bytes(encode_picture(ramp(), ".png"))
    dithered = cli(
        "export", "native", "b.png", "--palette=Game Boy", "--dither=floyd-steinberg",
        "--cells=16x6", "-o", "c.png",
    )  # fmt: skip
    assert dithered.code == 0, dithered.err
    assert opened("c.png").size == (16, 6)
    assert plte(Path("c.png").read_bytes())[0] == parse_palette("Game Boy")
    assert cli("export", "chart", "b.png", "--colors=5", "-o", "b.svg").code == 0


def test_commands_of_palette(cli: Cli) -> None:
    assert "PICO-8" in cli("palette", "show").out
    assert json.loads(cli("palette", "show", "Game Boy", "--json").out) == {
        "Game Boy": ["0f380f", "306230", "8bac0f", "9bbc0f"]
    }
    assert "#ffd700" in cli("palette", "show", "black->gold\\3").out
    assert cli("palette", "convert", "PICO-8", "p.gpl").last == "p.gpl"
    assert cli("palette", "convert", "p.gpl", "p.hex").last == "p.hex"
    assert parse_palette("@p.hex") == PICO
    Path("a.png").write_bytes(encode_picture(small(8, 8), ".png"))
    assert len(cli("palette", "extract", "a.png", "-n", "5").out.split()) == 5
    assert cli("palette", "extract", "a.png", "-o", "e.pal").last == "e.pal"
    assert cli("palette", "swap", "a.png", "DB16", "-o", "d.png").last == "d.png"
    assert plte(Path("d.png").read_bytes())[0] == parse_palette("DB16")
    assert opened("d.png").tobytes() == small(8, 8).tobytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["palette", "show", "red, blurpl"], "Did you mean 'blurple'?\nred, blurpl\n     ^\n"),
        (["palette", "show", "nowhere.gpl"], "'nowhere.gpl' is not there"),
        (["palette", "convert", "PICO-8", "a.doc"], "use .gpl or .hex"),
        (["export", "native", "nowhere.png"], "'nowhere.png' is not there"),
        (["export", "native", "a.png", "--dither=bayer"], "--dither needs --palette or --colors"),
        (["export", "native", "a.png", "--palette=CGA", "--colors=4"], "give one of them"),
        (["export", "scaled", "a.png", "-o", "b.png"], "--out names one file"),
        (["export", "tiles", "a.png", "--tile=5x5"], "no whole number of tiles"),
        (["export", "chart", "a.png", "-o", "a.doc"], "use .pdf or .svg or .png"),
        (["export", "sprites", "empty"], "no picture in the folder 'empty'"),
        (["draw", "a", "--palette=red, blurpl"], "red, blurpl\n     ^\n"),
        (["draw", "a", "--drawer=fft", "--native"], "the drawer 'fft' has no cells"),
    ],
)
def test_refusals(cli: Cli, arguments: list[str], said: str) -> None:
    Path("a.png").write_bytes(encode_picture(small(8, 8), ".png"))
    Path("empty").mkdir()
    before = left()
    answer = cli(*arguments)
    assert answer.code == 1
    assert said in answer.err
    assert answer.out == ""
    assert left() == before
