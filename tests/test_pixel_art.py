"""Pictures onto palettes, dither, native size, enlarging, swapping: pixel by pixel."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import png
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from text2art.errors import OutputError, SettingsError
from text2art.media import pixelart
from text2art.media.load import load_frames, load_picture
from text2art.media.pixelart import (
    cell_size,
    enlarged,
    hard_alpha,
    in_order_of,
    native,
    natives,
    swapped,
)
from text2art.media.png import encode_picture
from text2art.media.quantize import DITHERS, Dither, bayer, indexed, light_of, mixable, to_levels
from text2art.palettes import BUILTIN, Color, parse_palette
from text2art.palettes.colors import TO_LAB, TO_LMS, linear, oklab

TEN = [name for name in BUILTIN if name != "1-bit"][:10]
assert len(TEN) == 10


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
    return Image.fromarray(levels.astype(np.uint8))


def ramp(width: int = 64, height: int = 24) -> Image.Image:
    levels = np.zeros((height, width, 3))
    levels[..., 0] = levels[..., 1] = np.linspace(0, 255, width)
    levels[..., 2] = np.linspace(255, 40, height)[:, None]
    return Image.fromarray(levels.astype(np.uint8))


def pixels(image: Image.Image) -> list[object]:
    return [image.getpixel((x, y)) for y in range(image.height) for x in range(image.width)]


def plte(data: bytes) -> tuple[list[Color], bytes]:
    """The palette and transparency chunks, read by hand."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, found = 8, {}
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found[data[at + 4 : at + 8]] = data[at + 8 : at + 8 + length]
        at += 12 + length
    levels = found[b"PLTE"]
    colors = [(levels[i], levels[i + 1], levels[i + 2]) for i in range(0, len(levels), 3)]
    return colors, found.get(b"tRNS", b"")


# ---- onto a palette ----------------------------------------------------------------------------


@pytest.mark.parametrize("dither", DITHERS)
@pytest.mark.parametrize("name", TEN)
def test_every_pixel_is_on_the_palette_and_the_file_has_its_order(
    name: str, dither: Dither
) -> None:
    palette = parse_palette(name)
    data = encode_picture(indexed(ramp(), palette, dither=dither), ".png")
    assert plte(data) == (palette, b"")
    width, height, rows, info = png.Reader(bytes=data).read()
    assert (width, height) == (64, 24)
    assert info["palette"] == palette
    places = {place for row in rows for place in row}
    assert places <= set(range(len(palette)))
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "P"
        assert {color for _, color in image.convert("RGB").getcolors() or []} <= set(palette)


@pytest.mark.parametrize("dither", DITHERS)
def test_transparency_is_an_index_of_its_own(dither: Dither) -> None:
    image = ramp().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    palette = parse_palette("Game Boy")
    data = encode_picture(indexed(image, palette, dither=dither), ".png")
    colors, clear = plte(data)
    assert colors == [*palette, (0, 0, 0)]
    assert clear == b"\xff\xff\xff\xff\0"
    alpha = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))[..., 3]
    assert np.array_equal(alpha, np.where(np.asarray(image)[..., 3] >= 128, 255, 0))


def test_a_full_palette_has_no_room_for_transparency() -> None:
    grays = [(v, v, v) for v in range(256)]
    assert indexed(ramp(), grays).mode == "P"
    with pytest.raises(SettingsError, match="leaves no index"):
        indexed(Image.new("RGBA", (2, 2)), grays)


def nearest(color: tuple[float, ...], palette: list[Color]) -> int:
    """By the pure Oklab of `palettes.colors`, one at a time."""
    lab = oklab(color)  # type: ignore[arg-type]
    return min(
        range(len(palette)),
        key=lambda n: sum((a - b) ** 2 for a, b in zip(lab, oklab(palette[n]), strict=True)),
    )


def test_without_dither_each_pixel_is_the_nearest() -> None:
    image, palette = noise(20, 10), parse_palette("DB16")
    places = np.asarray(indexed(image, palette)).reshape(-1)
    wanted = [
        nearest(tuple(map(int, color)), palette) for color in np.asarray(image).reshape(-1, 3)
    ]
    assert places.tolist() == wanted


def lab_of(light: list[float]) -> list[float]:
    def times(rows: tuple[tuple[float, ...], ...], values: list[float]) -> list[float]:
        return [sum(m * v for m, v in zip(row, values, strict=True)) for row in rows]

    return times(TO_LAB, [cone ** (1 / 3) for cone in times(TO_LMS, light)])


def floyd_steinberg(levels: NDArray[np.uint8], palette: list[Color]) -> NDArray[np.int64]:
    """Pixel by pixel, as it was published; in linear light."""
    height, width = levels.shape[:2]
    light = mixable(levels, light_of(np.array(palette, dtype=np.uint8))).tolist()
    inks = [[linear(v) for v in color] for color in palette]
    labs = [lab_of(ink) for ink in inks]
    found = np.zeros((height, width), dtype=np.int64)
    for y in range(height):
        for x in range(width):
            wanted = [min(max(v, -0.25), 1.25) for v in light[y][x]]
            lab = lab_of([min(max(v, 0.0), 1.0) for v in wanted])
            apart = [sum((a - b) ** 2 for a, b in zip(lab, other, strict=True)) for other in labs]
            found[y, x] = n = apart.index(min(apart))
            for dx, dy, share in ((1, 0, 7), (-1, 1, 3), (0, 1, 5), (1, 1, 1)):
                if 0 <= x + dx < width and y + dy < height:
                    for c in range(3):
                        light[y + dy][x + dx][c] += (wanted[c] - inks[n][c]) * share / 16
    return found


@pytest.mark.parametrize("size", [(13, 9), (1, 7), (7, 1), (2, 2)])
def test_error_diffusion_is_floyd_and_steinbergs(size: tuple[int, int]) -> None:
    image, palette = noise(*size, seed=1), parse_palette("PICO-8")
    ours = np.asarray(indexed(image, palette, dither="floyd-steinberg"))
    assert np.array_equal(ours, floyd_steinberg(np.asarray(image), palette))


@pytest.mark.parametrize("name", ["Game Boy", "1-bit", "PICO-8"])
def test_what_a_palette_cannot_mix_becomes_the_nearest_that_it_can(name: str) -> None:
    """Against many random mixtures: none is nearer, and mixtures themselves stay where they are."""
    palette = light_of(np.array(parse_palette(name), dtype=np.uint8))
    eye = np.sqrt([0.3, 0.59, 0.11])
    image = np.asarray(noise(12, 4, seed=2))
    moved = mixable(image, palette)
    shares = np.random.default_rng(0).dirichlet(np.full(len(palette), 0.4), 4000)
    mixtures = shares @ palette
    off = light_of(image)[..., None, :] - mixtures
    best = np.linalg.norm(off * eye, axis=-1).min(axis=-1)
    # Colors are moved as the middle of their steps of 8 levels is.
    assert (np.linalg.norm((light_of(image) - moved) * eye, axis=-1) < best + 0.05).all()
    mixed = to_levels(mixtures[:200]).reshape(10, 20, 3)
    assert np.abs(mixable(mixed, palette) - light_of(mixed)).max() < 0.06


@pytest.mark.parametrize("dither", ["bayer", "floyd-steinberg"])
@pytest.mark.parametrize("gray", [40, 128, 188, 230])
def test_dither_keeps_the_light(dither: Dither, gray: int) -> None:
    """From afar, black and white dots give the light of the gray that they stand for."""
    image = Image.new("RGB", (64, 64), (gray, gray, gray))
    dots = np.asarray(indexed(image, parse_palette("1-bit"), dither=dither))
    # Bayer's matrix has 16 steps.
    assert abs(dots.mean() - linear(gray)) < (1 / 16 if dither == "bayer" else 0.015)
    plain = np.asarray(indexed(image, parse_palette("1-bit")))
    assert plain.min() == plain.max()
    weak = np.asarray(indexed(image, parse_palette("1-bit"), dither=dither, strength=0))
    assert np.array_equal(weak, plain)


def test_bayers_matrix() -> None:
    assert bayer(2).tolist() == [[0, 2], [3, 1]]
    assert bayer(4).tolist() == [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]


def test_ordered_dither_is_one_pattern() -> None:
    """A plain picture gives one tile of 4 x 4 again and again, ordered by Bayer's thresholds."""
    image = Image.new("RGB", (16, 12), (188, 188, 188))
    dots = np.asarray(indexed(image, parse_palette("1-bit"), dither="bayer"))
    assert np.array_equal(dots, np.tile(dots[:4, :4], (3, 4)))
    white = int(dots[:4, :4].sum())
    assert np.array_equal(dots[:4, :4] == 1, bayer(4) >= 16 - white)


def test_light_and_back() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_levels(light_of(levels)), levels)
    assert light_of(levels)[188] == pytest.approx(linear(188))


# ---- cells -------------------------------------------------------------------------------------


@given(
    columns=st.integers(1, 9), rows=st.integers(1, 9), times=st.integers(1, 8),
    seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=40)
def test_enlarged_and_back(columns: int, rows: int, times: int, seed: int) -> None:
    small = indexed(noise(columns, rows, seed), parse_palette("PICO-8"))
    large = enlarged(small, times)
    assert large.size == (columns * times, rows * times)
    assert large.mode == "P"
    assert large.getpalette() == small.getpalette()
    again = native(large, (columns, rows))
    assert again.tobytes() == small.tobytes()
    width, height = cell_size(large)
    if len(set(small.tobytes())) > 1:
        assert width % times == height % times == 0
        assert enlarged_by(native(large), width, height).tobytes() == large.tobytes()
    else:
        assert (width, height) == (1, 1)


def enlarged_by(image: Image.Image, width: int, height: int) -> Image.Image:
    return image.resize((image.width * width, image.height * height), Image.Resampling.NEAREST)


def test_cells_need_not_be_square() -> None:
    image = noise(6, 5).resize((6 * 4, 5 * 3), Image.Resampling.NEAREST)
    assert cell_size(image) == (4, 3)
    assert native(image).tobytes() == noise(6, 5).tobytes()
    stripes = Image.new("RGB", (24, 12))
    stripes.paste("red", (0, 4, 24, 8))
    assert cell_size(stripes) == (4, 4)


def test_uneven_cells_of_few_colors_are_their_middle() -> None:
    small = indexed(noise(40, 40), parse_palette("DB32"))
    uneven = small.resize((288, 288), Image.Resampling.NEAREST)
    assert native(uneven, (40, 40)).tobytes() == small.tobytes()


def test_photographs_are_averaged_in_light() -> None:
    levels = np.zeros((4, 4, 3), dtype=np.uint8)
    levels[:2] = 255
    levels[0, 0] = (1, 2, 3)
    many = Image.fromarray(np.concatenate([levels, np.asarray(noise(300, 4))], axis=1))
    small = native(many, (76, 1))
    wanted = to_levels(light_of(levels).reshape(-1, 3).mean(axis=0))
    assert small.getpixel((0, 0)) == tuple(wanted.tolist())
    clear = many.convert("RGBA")
    clear.putalpha(0)
    clear.paste((10, 200, 30, 255), (0, 0, 2, 4))
    red, green, blue, alpha = native(clear, (76, 1)).getpixel((0, 0))  # type: ignore[misc]
    assert (red, green, blue, alpha) == (10, 200, 30, 128)  # what is transparent has no color


def test_frames_share_their_cells() -> None:
    """A frame that happens to be coarser is not made smaller than the others."""
    fine = enlarged(noise(8, 8), 4)
    coarse = enlarged(noise(2, 2), 16)
    plain = Image.new("RGB", (32, 32), "red")
    assert [image.size for image in natives([fine, coarse, plain])] == [(8, 8)] * 3


def test_limits() -> None:
    with pytest.raises(SettingsError, match="finer than the picture"):
        native(noise(4, 4), (5, 4))
    for times in (0, 65):
        with pytest.raises(OutputError, match="times are too many"):
            enlarged(noise(4, 4), times)
    with pytest.raises(OutputError, match="million pixels"):
        enlarged(Image.new("P", (2000, 2000)), 8)


def test_alpha_is_hard() -> None:
    image = Image.new("RGBA", (2, 1), (9, 8, 7, 127))
    image.putpixel((1, 0), (9, 8, 7, 128))
    assert pixels(hard_alpha(image)) == [(0, 0, 0, 0), (9, 8, 7, 255)]
    assert hard_alpha(noise(3, 3)).mode == "RGB"


def test_the_alpha_of_an_indexed_picture_is_hard(tmp_path: Path) -> None:
    image = Image.new("P", (5, 1))
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    for x in range(5):
        image.putpixel((x, 0), x)
    image.save(tmp_path / "soft.png", transparency=bytes([255, 127, 128, 0]))
    soft = load_picture(str(tmp_path / "soft.png"), keep_palette=True)
    hard = hard_alpha(soft)
    assert hard.getpalette("RGB") == image.getpalette("RGB")
    assert pixels(hard) == [0, 1, 2, 1, 4]  # of the two that are not there, the first
    assert hard.convert("RGBA").getchannel("A").tobytes() == bytes([255, 0, 255, 0, 255])
    assert pixels(soft) == [0, 1, 2, 3, 4]
    image.save(tmp_path / "all.png", transparency=bytes([255, 200]))
    there = hard_alpha(load_picture(str(tmp_path / "all.png"), keep_palette=True))
    assert pixels(there) == [0, 1, 2, 3, 4]
    assert there.convert("RGBA").getchannel("A").getextrema() == (255, 255)


@pytest.mark.parametrize("name", TEN)
def test_a_picture_that_kept_to_a_palette_is_indexed_in_its_order(name: str) -> None:
    palette = parse_palette(name)
    wanted = indexed(noise(12, 9), palette)
    found = in_order_of(wanted.convert("RGB"), palette)
    assert plte(encode_picture(found, ".png"))[0] == palette
    assert found.tobytes() == wanted.tobytes()


def test_a_picture_that_did_not_keep_to_a_palette_stays_as_it_is() -> None:
    palette = parse_palette("Game Boy")
    image = indexed(noise(4, 4), palette).convert("RGBA")
    image.putpixel((0, 0), (1, 2, 3, 127))  # that is not there
    found = in_order_of(image, palette)
    assert (found.mode, found.getpixel((0, 0)), found.info["transparency"]) == ("P", 4, 4)
    image.putpixel((0, 0), (1, 2, 3, 128))
    assert in_order_of(image, palette) is image
    assert in_order_of(image, []) is image
    full = [(n, n, n) for n in range(256)]
    assert in_order_of(Image.new("RGBA", (2, 2)), full).mode == "RGBA"  # no index is left


# ---- swapping ----------------------------------------------------------------------------------


@given(st.permutations(range(16)))
@settings(max_examples=20)
def test_a_swap_by_index_keeps_the_indices(order: list[int]) -> None:
    pico = parse_palette("PICO-8")
    image = indexed(noise(12, 7), pico)
    other = [pico[n] for n in order]
    done = swapped(image, other)
    assert done.tobytes() == image.tobytes()
    assert plte(encode_picture(done, ".png"))[0] == other
    back = swapped(done, pico)
    assert back.convert("RGB").tobytes() == image.convert("RGB").tobytes()


def test_swaps_by_nearest_and_by_lightness() -> None:
    image = Image.new("RGB", (3, 1))
    image.putdata([(250, 5, 5), (0, 0, 0), (255, 255, 255)])
    near = swapped(image, parse_palette("white,black,red"), matching="nearest")
    assert pixels(near) == [2, 1, 0]
    light = swapped(image, parse_palette("#888888,#eeeeee,#222222"), matching="lightness")
    assert pixels(light) == [0, 2, 1]
    known = swapped(
        image, parse_palette("blue,green,gold"), old=parse_palette("white,black,red"),
        matching="index",
    )  # fmt: skip
    assert pixels(known) == [2, 1, 0]


def test_swaps_keep_what_is_transparent() -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (255, 0, 0, 255))
    done = swapped(image, parse_palette("Game Boy"))
    assert done.info["transparency"] == 4
    assert pixels(done)[0] == 4
    # And once more, now that it is indexed.
    again = swapped(done, parse_palette("CGA"))
    assert pixels(again)[0] == 4
    assert pixelart.palette_of(again) == parse_palette("CGA")
    nothing = swapped(Image.new("RGBA", (3, 2)), parse_palette("CGA"))
    assert pixels(nothing) == [4] * 6


def test_swaps_that_cannot_be() -> None:
    with pytest.raises(SettingsError, match="uses 16 colors and the new palette has 4"):
        swapped(
            indexed(ramp(), parse_palette("PICO-8"), dither="bayer"),
            parse_palette("CGA"),
            matching="index",
        )
    with pytest.raises(SettingsError, match="at most 256 can be swapped"):
        swapped(noise(40, 40), parse_palette("CGA"))


# ---- reading -----------------------------------------------------------------------------------


def test_indexed_pictures_may_stay_indexed(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    small = indexed(noise(5, 4), parse_palette("CGA"))
    path.write_bytes(encode_picture(small, ".png"))
    assert load_picture(str(path)).mode == "RGB"
    kept = load_picture(str(path), keep_palette=True)
    assert kept.mode == "P"
    assert kept.tobytes() == small.tobytes()
    assert [frame.mode for frame in load_frames(str(path))] == ["P"]


def test_frames_of_an_animation(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "lime", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    read = load_frames(str(path))
    assert [frame.getpixel((1, 1)) for frame in read] == [
        (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255),
    ]  # fmt: skip
    with pytest.raises(SettingsError, match="has 3 pictures"):
        load_frames(str(path), most=2)
