"""Palette files: every format in and out, readers of others, and files that mean harm."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import png
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.GimpPaletteFile import GimpPaletteFile

from text2art.errors import InputFileError, OutputError, SettingsError
from text2art.palettes import BUILTIN, Color, parse_palette
from text2art.palettes.files import PaletteFileError, colors_of_file, read_file
from text2art.palettes.reduce import colors_in, reduce_colors
from text2art.palettes.write import WRITTEN, format_palette

COLOR = st.tuples(*[st.integers(0, 255)] * 3)
PALETTE = st.lists(COLOR, min_size=1, max_size=256, unique=True)
SOME: list[Color] = [(26, 28, 44), (244, 244, 244), (0, 0, 0), (255, 0, 77)]


def png_of(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


# ---- out and in --------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", WRITTEN)
@given(colors=PALETTE)
@settings(max_examples=25)
def test_palettes_come_back_in_their_order(ending: str, colors: list[Color]) -> None:
    data = format_palette(colors, ending, "a; name,\nof two lines")
    assert colors_of_file(data, f"x{ending}", 256) == colors


@pytest.mark.parametrize("name", BUILTIN)
@pytest.mark.parametrize("ending", [".gpl", ".hex", ".pal", ".png", ".aseprite"])
def test_builtin_palettes_go_to_aseprite_and_back(name: str, ending: str, tmp_path: Path) -> None:
    colors = parse_palette(name)
    path = tmp_path / f"palette{ending}"
    path.write_bytes(format_palette(colors, ending, name))
    assert parse_palette(f"@{path}") == colors


def test_other_readers_read_them() -> None:
    colors = parse_palette("PICO-8")
    levels, mode = GimpPaletteFile(io.BytesIO(format_palette(colors, ".gpl", "x"))).getpalette()
    assert mode == "RGB"
    assert bytes(levels[:48]) == b"".join(map(bytes, colors))
    width, height, rows, info = png.Reader(bytes=format_palette(colors, ".png")).read()
    assert (width, height) == (16, 1)
    assert info["palette"] == colors
    assert [list(row) for row in rows] == [list(range(16))]
    jasc = format_palette(colors, ".pal").decode().split("\r\n")
    assert jasc[:4] == ["JASC-PAL", "0100", "16", "0 0 0"]
    assert json.loads(format_palette(colors, ".json"))["colors"][8] == "ff004d"
    act = format_palette(colors, ".act")
    assert len(act) == 772
    assert act[24:27] == bytes(colors[8])
    assert struct.unpack(">HH", act[768:]) == (16, 0xFFFF)


def test_unknown_endings_are_refused() -> None:
    for ending in (".xyz", ""):
        with pytest.raises(OutputError, match=r"use \.gpl or \.hex"):
            format_palette(SOME, ending)


# ---- in ----------------------------------------------------------------------------------------


def riff(colors: list[Color]) -> bytes:
    entries = b"".join(bytes([*color, 0]) for color in colors)
    data = struct.pack("<HH", 0x0300, len(colors)) + entries
    chunk = b"offs" + struct.pack("<I", 1) + b"\0\0" + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"PAL " + chunk


def ase(*swatches: tuple[bytes, list[float]]) -> bytes:
    blocks = struct.pack(">HI", 0xC001, 4) + struct.pack(">H", 1) + b"\0\0"
    for model, values in swatches:
        body = struct.pack(">H", 2) + b"\0a\0\0" + model + struct.pack(f">{len(values)}f", *values)
        body += struct.pack(">H", 0)
        blocks += struct.pack(">HI", 1, len(body)) + body
    return b"ASEF" + struct.pack(">HHI", 1, 0, len(swatches) + 1) + blocks


def aseprite(colors: list[Color], *, old: bool = False) -> bytes:
    if old:
        body = struct.pack("<HBB", 1, 0, len(colors)) + b"".join(map(bytes, colors))
    else:
        entries = [struct.pack("<H4B", 1, *color, 255) + b"\x02\0ab" for color in colors]
        body = struct.pack("<III8x", len(colors), 0, len(colors) - 1) + b"".join(entries)
    chunk = struct.pack("<IH", len(body) + 6, 0x0004 if old else 0x2019) + body
    other = struct.pack("<IH", 10, 0x2007) + b"\0" * 4
    frame = struct.pack("<IHHHHI", 16 + len(other + chunk), 0xF1FA, 2, 100, 0, 2) + other + chunk
    header = struct.pack("<IHHHHH", 128 + len(frame), 0xA5E0, 1, 8, 8, 8).ljust(128, b"\0")
    return header + frame


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.gpl", b"GIMP Palette\r\n#x\r\n 26 28 44 a\r\n244 244 244\r\n0 0 0\r\n255 0 77\tRed: 1"),
        ("a.pal", b"JASC-PAL\n0100\n4\n26 28 44\n244 244 244\n0 0 0\n255 0 77\n"),
        ("a.pal", riff(SOME)),
        ("a.hex", b"\xef\xbb\xbf1a1c2c\nF4F4F4\n\n000000\nff004d"),
        ("a.txt", b"; Paint.NET\nFF1A1C2C\nFFF4F4F4 ; light\nFF000000\nFFFF004D\n"),
        ("a.csv", b"Name,author,1a1c2c,f4f4f4,000000,ff004d\n"),
        ("a.csv", b"#1a1c2c,#f4f4f4,black,xkcd:black,#ff004d\n"),
        ("a.json", b'{"name": "a", "colors": ["1a1c2c", "f4f4f4", "000000", "ff004d"]}'),
        ("a.json", b'["#1a1c2c", "#f4f4f4", "#000", "#ff004d"]'),
        ("a.aseprite", aseprite(SOME)),
        ("a.ase", aseprite(SOME)),
        ("a.ase", aseprite(SOME, old=True)),
        ("a.ase", ase(*[(b"RGB ", [level / 255 for level in color]) for color in SOME])),
        ("a.act", b"".join(map(bytes, SOME)).ljust(768, b"\0")),
    ],
)  # fmt: skip
def test_formats_of_others(name: str, data: bytes) -> None:
    assert colors_of_file(data, name, 256) == SOME


def test_swatches_of_other_models() -> None:
    """Gray, ideal inks, and CIE Lab: D50's red of sRGB is L 54.29, a 80.81, b 69.89."""
    data = ase(
        (b"Gray", [0.5]), (b"CMYK", [1, 0, 0, 0]), (b"CMYK", [0, 0, 0, 0.2]),
        (b"LAB ", [0.5429, 80.81, 69.89]), (b"LAB ", [1.0, 0.0, 0.0]),
    )  # fmt: skip
    gray, cyan, light, lab_red, white = colors_of_file(data, "a.ase", 256)
    assert (gray, cyan, light) == ((128, 128, 128), (0, 255, 255), (204, 204, 204))
    assert all(abs(a - b) <= 2 for a, b in zip(lab_red, (255, 0, 0), strict=True))
    assert white == (255, 255, 255)


def test_pictures_give_their_colors_in_order() -> None:
    strip = Image.new("RGB", (4, 1))
    strip.putdata(SOME)
    assert colors_of_file(png_of(strip), "a.png", 256) == SOME
    clear = Image.new("RGBA", (2, 1), (9, 9, 9, 255))
    clear.putpixel((1, 0), (200, 0, 0, 10))
    assert colors_of_file(png_of(clear), "a.png", 256) == [(9, 9, 9)]
    indexed = Image.new("P", (2, 1))
    indexed.putpalette([level for color in SOME for level in color])
    indexed.putdata([3, 1])  # what is used, in the palette's order
    assert colors_of_file(png_of(indexed), "a.png", 256) == [SOME[1], SOME[3]]


# ---- files that mean harm ----------------------------------------------------------------------


@given(
    data=st.binary(max_size=400), name=st.sampled_from(["a.act", "a.ase", "a.pal", "a.gpl", "a"])
)
def test_any_bytes_are_colors_or_an_error(data: bytes, name: str) -> None:
    try:
        colors = colors_of_file(data, name, 256)
    except InputFileError:
        return
    assert 1 <= len(colors) <= 256


@pytest.mark.parametrize(
    "make", [lambda: riff(SOME), lambda: ase((b"RGB ", [0, 0, 0])), lambda: aseprite(SOME),
             lambda: aseprite(SOME, old=True), lambda: format_palette(SOME, ".png")],
)  # fmt: skip
@given(data=st.data())
@settings(max_examples=60)
def test_damaged_files_are_colors_or_an_error(
    make: Callable[[], bytes], data: st.DataObject
) -> None:
    whole = bytearray(make())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with suppress(InputFileError):
        assert 1 <= len(colors_of_file(cut, "a.ase", 256)) <= 256


def huge_png() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.gpl", b"", "is empty"),
        ("a.gpl", b"GIMP Palette\n300 0 0\n", "line 2 is not red, green and blue"),
        ("a.gpl", b"GIMP Palette\n", "holds no colors"),
        ("a.pal", b"JASC-PAL\n0100\n9\n1 2 3\n", "promises 9 colors and has 1"),
        ("a.pal", b"JASC-PAL\n0100\n" + b"9" * 5000 + b"\n", "the number of colors"),
        ("a.hex", b"1a1c2c\nhello\n", "line 2: 'hello' is no color"),
        ("a.hex", b"\0\1\2\xff", "in no format that is known"),
        ("a.json", b"[" * 100_000, "is broken"),
        ("a.json", b'{"colors": 3}', "no list of colors"),
        ("a.act", b"\0" * 700, "768 or 772 bytes"),
        ("a.ase", b"ASEF\0\1\0\0\xff\xff\xff\xff", "states 4294967295 blocks"),
        ("a.ase", ase((b"HSV ", [0, 0, 0])), "unknown model"),
        ("a.ase", ase((b"RGB ", [float("nan"), 0, 0])), "is no number"),
        ("a.png", b"\x89PNG\r\n\x1a\nrest", "broken picture"),
        ("a.png", huge_png(), "pixel"),
        ("a.txt", b"1a1c2c\n" * 600_000, "larger than 4 MB"),
    ],
)  # fmt: skip
def test_bad_files_are_refused_with_a_reason(name: str, data: bytes, said: str) -> None:
    with pytest.raises(InputFileError) as caught:
        colors_of_file(data, name, 256)
    assert said in str(caught.value)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data", "line", "at"),
    [
        ("a.gpl", b"GIMP Palette\nName: x\n#\n  1 2 3 x\n  12  300 0 y\n", "12  300 0 y", 4),
        ("a.gpl", b"GIMP Palette\n12 30\n", "12 30", 5),
        ("a.gpl", b"GIMP Palette\n1 -2 3\n", "1 -2 3", 2),
        ("a.pal", b"JASC-PAL\r\n0100\r\n2\r\n1 2 3\r\n1 2 x\r\n", "1 2 x", 4),
        ("a.hex", b"1a1c2c\n  hello ; a note\n", "hello ; a note", 0),
        ("a.csv", b"Sweetie,, ff0000,  00ff0g\n", "Sweetie,, ff0000,  00ff0g", 19),
        ("a.csv", b"ff0000,00ff00,zz", "ff0000,00ff00,zz", 14),
        ("a.json", b'{\n "colors": ["ff0000" "00ff00"]}', ' "colors": ["ff0000" "00ff00"]}', 21),
        ("a.json", b'["ff0000", "nope"]', "nope", 0),
    ],
)
def test_a_caret_points_into_the_line_at_fault(name: str, data: bytes, line: str, at: int) -> None:
    with pytest.raises(PaletteFileError) as caught:
        parse_palette(f"@{name}", read=lambda _: data)
    assert repr(name) in str(caught.value)
    assert (caught.value.source, caught.value.at) == (line, at)
    assert caught.value.pointer.splitlines() == [line, " " * at + "^"]


def test_a_web_page_is_no_palette() -> None:
    page = b"\n<!DOCTYPE html>\n<html><body>Sweetie 16</body></html>"
    with pytest.raises(InputFileError, match=r"is a web page; .* as https://lospec\.com/"):
        parse_palette("@https://lospec.com/palette-list/sweetie-16", read=lambda _: page)


def test_files_that_are_none(tmp_path: Path) -> None:
    for name, said in [
        (str(tmp_path), "is not a file"),
        ("nowhere.gpl", "is not there"),
        ("a\0b", "is not there|cannot be read"),
        ("https://example.org/a.gpl", "is a URL"),
    ]:
        with pytest.raises(InputFileError, match=said):
            read_file(name)
        with pytest.raises(SettingsError):
            parse_palette(f"@{name}")


# ---- few colors for many -----------------------------------------------------------------------


def test_as_many_colors_as_wanted_are_taken_from_a_file() -> None:
    grays = "\n".join(f"{v:02x}{v:02x}{v:02x}" for v in range(256)).encode()
    colors = parse_palette("@a.hex\\5", read=lambda _: grays)
    assert len(colors) == 5
    assert colors == sorted(colors)
    assert len(parse_palette("@a.hex", read=lambda _: grays)) == 255  # pixray's count


def test_clusters_are_found_exactly() -> None:
    """Tight clusters around far apart colors: each gives its own, whatever the seed."""
    centers = [(20, 20, 30), (220, 30, 40), (40, 200, 60), (60, 80, 220), (240, 240, 230)]
    counts = {}
    for red, green, blue in centers:
        for off in (-4, 0, 4):
            counts[red + off, green + off, blue + off] = 5 if off == 0 else 1
    for seed in range(5):
        assert set(reduce_colors(counts, 5, seed=seed)) == set(centers)


def test_extraction_is_as_good_as_a_plain_lloyd() -> None:
    """Against numpy's brute force from many starts: at most a tenth more error."""
    import numpy as np

    from text2art.palettes.colors import oklab

    noise = np.random.default_rng(3)
    pixels = noise.integers(0, 256, (600, 3))
    sizes = noise.integers(1, 9, 600)
    counts: dict[Color, int] = {
        (int(r), int(g), int(b)): int(w) for (r, g, b), w in zip(pixels, sizes, strict=True)
    }
    labs = np.array([oklab(color) for color in counts])
    weights = np.array(list(counts.values()))

    def error(centers: np.ndarray) -> float:
        apart = ((labs[:, None] - centers) ** 2).sum(-1)
        return float((apart.min(1) * weights).sum())

    best = np.inf
    for start in range(8):
        centers = labs[np.random.default_rng(start).choice(len(labs), 8, replace=False)]
        for _ in range(40):
            owner = ((labs[:, None] - centers) ** 2).sum(-1).argmin(1)
            centers = np.array([
                np.average(labs[owner == n], axis=0, weights=weights[owner == n])
                if (owner == n).any() else centers[n] for n in range(8)
            ])  # fmt: skip
        best = min(best, error(centers))
    ours = reduce_colors(counts, 8)
    assert len(ours) == 8
    assert set(ours) <= set(counts)
    assert error(np.array([oklab(color) for color in ours])) < 1.1 * best


@given(st.dictionaries(COLOR, st.integers(1, 1000), min_size=1, max_size=60), st.integers(1, 20))
@settings(max_examples=50)
def test_reduced_colors_were_there(counts: dict[Color, int], most: int) -> None:
    colors = reduce_colors(counts, most, seed="x")
    assert 1 <= len(colors) <= most
    assert len(colors) == len(set(colors)) == min(most, len(counts))
    assert set(colors) <= set(counts)
    assert colors == reduce_colors(counts, most, seed="x")


def test_large_pictures_are_sampled() -> None:
    image = Image.new("RGB", (3000, 2000), "red")
    image.paste((0, 0, 255), (0, 0, 1500, 2000))
    counts = colors_in(image)
    assert set(counts) == {(255, 0, 0), (0, 0, 255)}
    assert sum(counts.values()) <= 1_000_000
