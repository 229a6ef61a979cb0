"""Aseprite's own files, read by a reader that knows the published format and nothing of ours.

The reader takes every field by the specification (docs/ase-file-specs.md of Aseprite), refuses what
it does not say, and paints as Aseprite does: the transparent index is drawn on a background layer.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.cli_tools import Cli, draw
from text2art.errors import OutputError
from text2art.media.exports import PixelExports
from text2art.media.pixelart import enlarged
from text2art.media.png import encode_picture
from text2art.media.quantize import indexed
from text2art.palettes import BUILTIN, parse_palette
from text2art.palettes.aseprite import encode_aseprite
from text2art.palettes.write import format_palette

Rgba = tuple[int, int, int, int]


@dataclass
class Ase:
    """What an independent reader found in a file."""

    size: tuple[int, int] = (0, 0)
    depth: int = 0
    clear: int = 0
    background: bool = False
    palette: list[Rgba] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    tags: list[tuple[str, int, int]] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    frames: list[dict[tuple[int, int], Rgba]] = field(default_factory=list)
    indices: list[bytes] = field(default_factory=list)


def read_ase(data: bytes) -> Ase:
    file, ase = BytesIO(data), Ase()
    total, magic, count, *size, ase.depth, flags = struct.unpack("<LHHHHHL", file.read(18))
    assert (total, magic, flags) == (len(data), 0xA5E0, 1)
    ase.size = (size[0], size[1])
    _, zero, also_zero = struct.unpack("<HLL", file.read(10))  # the speed is deprecated
    assert zero == also_zero == 0
    (ase.clear,) = file.read(1)
    file.read(3)
    colors, pixel_width, pixel_height = struct.unpack("<HBB", file.read(4))
    assert pixel_width == pixel_height == 1
    assert file.read(92)[8:] == bytes(84)
    assert file.tell() == 128
    for _ in range(count):
        start = file.tell()
        length, magic, old, time, chunks = struct.unpack("<LHHH2xL", file.read(16))
        assert magic == 0xF1FA
        assert old == chunks
        ase.times.append(time)
        for _ in range(chunks):
            chunk_size, kind = struct.unpack("<LH", file.read(6))
            chunk = BytesIO(file.read(chunk_size - 6))
            CHUNKS[kind](chunk, ase)
            assert chunk.read() == b""
        assert file.tell() == start + length
    assert file.read() == b""
    assert colors == len(ase.palette)
    return ase


def text(file: BytesIO) -> str:
    (length,) = struct.unpack("<H", file.read(2))
    return file.read(length).decode()


def profile(file: BytesIO, ase: Ase) -> None:
    assert struct.unpack("<HHL", file.read(8)) == (1, 0, 0)  # sRGB
    file.read(8)


def layer(file: BytesIO, ase: Ase) -> None:
    flags, kind, level, _, _, blend, opacity = struct.unpack("<HHHHHHB3x", file.read(16))
    assert (kind, level, blend, opacity) == (0, 0, 0, 255)
    assert flags & 3 == 3  # shown, and not locked against drawing
    ase.background = bool(flags & 8)
    assert text(file)


def palette(file: BytesIO, ase: Ase) -> None:
    count, first, last = struct.unpack("<LLL8x", file.read(20))
    assert (first, last) == (0, count - 1)
    for _ in range(count):
        flags, *color = struct.unpack("<HBBBB", file.read(6))
        ase.palette.append((color[0], color[1], color[2], color[3]))
        if flags & 1:
            ase.names.append(text(file))


def tags(file: BytesIO, ase: Ase) -> None:
    (count,) = struct.unpack("<H8x", file.read(10))
    for _ in range(count):
        first, last, direction, repeat = struct.unpack("<HHBH6x", file.read(13))
        assert (direction, repeat) == (0, 0)  # forward, for ever
        file.read(4)
        ase.tags.append((text(file), first, last))


def cel(file: BytesIO, ase: Ase) -> None:
    number, left, top, opacity, kind, depth = struct.unpack("<HhhBHh5x", file.read(16))
    assert (number, opacity, kind, depth) == (0, 255, 2, 0)
    width, height = struct.unpack("<HH", file.read(4))
    pixels = zlib.decompress(file.read())
    assert len(pixels) == width * height * ase.depth // 8
    shown: dict[tuple[int, int], Rgba] = {}
    for n in range(width * height):
        place = left + n % width, top + n // width
        if ase.depth == 32:
            red, green, blue, alpha = pixels[4 * n : 4 * n + 4]
            shown[place] = (red, green, blue, alpha)
        elif ase.background or pixels[n] != ase.clear:
            red, green, blue, _ = ase.palette[pixels[n]]
            shown[place] = (red, green, blue, 255)
    ase.frames.append(shown)
    ase.indices.append(pixels)


CHUNKS = {0x2004: layer, 0x2005: cel, 0x2007: profile, 0x2018: tags, 0x2019: palette}


def picture(ase: Ase, frame: int = 0) -> Image.Image:
    image = Image.new("RGBA", ase.size)
    for place, color in ase.frames[frame].items():
        image.putpixel(place, color)
    return image


def colored(width: int, height: int, seed: int = 0, name: str = "PICO-8") -> Image.Image:
    rows = bytes((7 * n * n + 31 * n + seed * 101) % 256 for n in range(3 * width * height))
    return indexed(Image.frombytes("RGB", (width, height), rows), parse_palette(name))


def holed(width: int, height: int, name: str = "PICO-8") -> Image.Image:
    image = colored(width, height, name=name).convert("RGBA")
    image.putpixel((1, 1), (9, 9, 9, 0))
    return indexed(image, parse_palette(name))


# ---- what is written ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILTIN)
def test_every_pixel_and_the_palettes_order_are_read(name: str) -> None:
    image = colored(9, 7, name=name)
    ase = read_ase(encode_aseprite([image], [100]))
    assert (ase.size, ase.depth, ase.background) == ((9, 7), 8, True)
    assert ase.palette == [(*color, 255) for color in parse_palette(name)]
    assert ase.indices == [image.tobytes()]
    assert picture(ase).tobytes() == image.convert("RGBA").tobytes()


def test_what_is_transparent_is_the_index_of_its_own() -> None:
    image = holed(5, 4)
    ase = read_ase(encode_aseprite([image], [100]))
    assert (ase.background, ase.clear, len(ase.palette)) == (False, 16, 17)
    assert ase.palette[16] == (0, 0, 0, 0)
    assert picture(ase).getpixel((1, 1)) == (0, 0, 0, 0)
    assert picture(ase).getchannel("A").tobytes() == image.convert("RGBA").getchannel("A").tobytes()


@given(
    count=st.integers(1, 4),
    times=st.lists(st.integers(1, 65_535), min_size=4, max_size=4),
    tag=st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    mode=st.sampled_from(["P", "RGB", "RGBA"]),
)
@settings(max_examples=40)
def test_frames_times_and_tags_are_read(count: int, times: list[int], tag: str, mode: str) -> None:
    images = [colored(4, 3, seed=n) for n in range(count)]
    images = images if mode == "P" else [image.convert(mode) for image in images]
    ase = read_ase(encode_aseprite(images, times[:count], tag=tag))
    assert ase.depth == (8 if mode == "P" else 32)
    assert ase.times == times[:count]
    assert ase.tags == ([(tag, 0, count - 1)] if tag else [])
    for n, image in enumerate(images):
        assert picture(ase, n).tobytes() == image.convert("RGBA").tobytes()


def test_frames_of_several_sizes_leave_the_rest_empty() -> None:
    images = [colored(6, 2), colored(3, 5, seed=1)]
    ase = read_ase(encode_aseprite(images, [100, 100]))
    assert (ase.size, ase.background, ase.depth, ase.clear) == ((6, 5), False, 8, 16)
    for n, image in enumerate(images):
        wanted = Image.new("RGBA", (6, 5))
        wanted.paste(image.convert("RGBA"))
        assert picture(ase, n).tobytes() == wanted.tobytes()


def test_frames_of_several_palettes_are_rgba() -> None:
    images = [colored(3, 3), colored(3, 3, name="Game Boy")]
    ase = read_ase(encode_aseprite(images, [100, 100]))
    assert (ase.depth, ase.palette) == (32, [])
    assert picture(ase, 1).tobytes() == images[1].convert("RGBA").tobytes()


def test_a_palette_is_a_row_of_its_named_colors() -> None:
    colors = parse_palette("PICO-8")
    ase = read_ase(format_palette(colors, ".aseprite"))
    assert ase.size == (16, 1)
    assert ase.palette == [(*color, 255) for color in colors]
    assert ase.names[8] == "red pink"
    assert ase.indices == [bytes(range(16))]


@pytest.mark.parametrize("images", [[], [Image.new("P", (70_000, 1))]])
def test_what_the_format_cannot_say(images: list[Image.Image]) -> None:
    with pytest.raises(OutputError, match=r"an \.aseprite file"):
        encode_aseprite(images, [100] * len(images))


# ---- results and commands ----------------------------------------------------------------------


class Made(PixelExports):
    def __init__(self) -> None:
        self.native = colored(8, 8)
        self.image = enlarged(self.native, 4).convert("RGB")
        self.frames = [enlarged(colored(8, 8, seed=n), 4).convert("RGB") for n in range(3)]
        self.record = {}


def test_a_result_is_saved_as_a_sprite(tmp_path: Path) -> None:
    made = Made()
    still = read_ase(made.save_pixels(tmp_path / "a.aseprite", times=2).read_bytes())
    assert still.size == (16, 16)
    assert picture(still).tobytes() == enlarged(colored(8, 8), 2).convert("RGBA").tobytes()
    moving = read_ase(made.save_sprites(tmp_path / "b.aseprite", milliseconds=40).read_bytes())
    assert (moving.times, moving.tags) == ([40] * 3, [("making", 0, 2)])
    assert [color[:3] for color in moving.palette] == parse_palette("PICO-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.aseprite", "b.aseprite"]


def test_commands_write_sprites(cli: Cli) -> None:
    frames = [colored(6, 6, seed=n).convert("RGB") for n in range(3)]
    frames[0].save("walk.gif", save_all=True, append_images=frames[1:], duration=[80, 120, 200])
    answer = cli("export", "sprites", "walk.gif", "-o", "w.aseprite", "--tag=walk")
    assert answer.out.split() == ["w.aseprite"], answer.err
    ase = read_ase(Path("w.aseprite").read_bytes())
    assert (ase.times, ase.tags) == ([80, 120, 200], [("walk", 0, 2)])
    for n, frame in enumerate(frames):
        assert picture(ase, n).tobytes() == frame.convert("RGBA").tobytes()
    assert cli("export", "sprites", "walk.gif", "-o", "w.png", "--duration=50").code == 0
    about: Any = json.loads(Path("w.json").read_text())
    assert [frame["duration"] for frame in about["frames"].values()] == [50] * 3
    assert cli("export", "sprites", "walk.gif", "-o", "w.png").code == 0
    about = json.loads(Path("w.json").read_text())
    assert [frame["duration"] for frame in about["frames"].values()] == [80, 120, 200]
    Path("a.png").write_bytes(encode_picture(enlarged(colored(8, 8), 4), ".png"))
    assert cli("export", "native", "a.png", "-o", "a.aseprite").last == "a.aseprite"
    assert read_ase(Path("a.aseprite").read_bytes()).indices == [colored(8, 8).tobytes()]
    assert cli("palette", "convert", "a.aseprite", "p.hex").code == 0
    assert parse_palette("@p.hex") == parse_palette("PICO-8")


def test_a_drawing_keeps_the_order_of_its_palette_afterwards(cli: Cli) -> None:
    wanted = "Sweetie-16"
    answer = draw(cli, f"--palette={wanted}", "--out=a.png", "--native", "--frames=steps")
    assert answer.code == 0, answer.err
    before = Path("a.native.png").read_bytes()
    for name in ("b.png", "b.aseprite"):
        assert cli("export", "native", "a.png", "-o", name).code == 0
    with Image.open("b.png") as image, Image.open(BytesIO(before)) as native:
        assert image.mode == "P"
        assert image.getpalette("RGB") == native.getpalette("RGB")
        assert image.tobytes() == native.tobytes()
    ase = read_ase(Path("b.aseprite").read_bytes())
    assert [color[:3] for color in ase.palette] == parse_palette(wanted)
    assert cli("export", "sprites", "steps", "--native", "-o", "c.aseprite").code == 0
    ase = read_ase(Path("c.aseprite").read_bytes())
    assert [color[:3] for color in ase.palette] == parse_palette(wanted)
    assert len(ase.frames) == len(list(Path("steps").iterdir()))
