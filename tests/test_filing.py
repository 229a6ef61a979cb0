"""What a run leaves on its way: pictures in between, and how its film passes."""

from __future__ import annotations

import importlib.util
import itertools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import text2art
from tests.cli_tools import Cli, draw, left
from text2art.errors import OutputError, SettingsError
from text2art.media.common_colors import CommonColors
from text2art.media.convert import to_pil
from text2art.media.pace import Pace
from text2art.media.video import ENDINGS, VideoWriter
from text2art.runtime import stream
from text2art.serving.request import settings_of
from text2art.settings import Settings

NAMES = ["a.mp4", "a.gif", "a.webp"]


def shades(count: int, size: tuple[int, int] = (32, 24)) -> list[Image.Image]:
    """Grays from dark to light."""
    return [Image.new("RGB", size, (20 + 200 * i // max(count - 1, 1),) * 3) for i in range(count)]


def write(path: Path, images: list[Image.Image], **pace: Any) -> Path:
    with VideoWriter(path, len(images), pace=Pace(**pace)) as film:
        for image in images:
            film.add(image)
    return path


def decode(path: Path) -> tuple[list[Image.Image], list[float]]:
    """Return all frames and how long each is shown, in seconds, by another reader."""
    if path.suffix == ".mp4":
        av = pytest.importorskip("av", reason="needs the extra [video]")
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            pictures = [frame.to_image() for frame in container.decode(stream)]
            return pictures, [float(1 / stream.average_rate)] * len(pictures)
    with Image.open(path) as film:
        pictures, times = [], []
        for i in range(getattr(film, "n_frames", 1)):
            film.seek(i)
            pictures.append(film.convert("RGB"))
            times.append(film.info["duration"] / 1000)
        return pictures, times


def levels(pictures: list[Image.Image]) -> list[int]:
    return [int(np.asarray(picture, dtype=float).mean()) for picture in pictures]


# ---- how a film passes ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [2, 20, 150])
@pytest.mark.parametrize("ping_pong", [False, True])
def test_a_film_is_as_long_as_asked(tmp_path: Path, name: str, count: int, ping_pong: bool) -> None:
    path = write(tmp_path / name, shades(count), seconds=2.5, hold=0.5, ping_pong=ping_pong)
    pictures, times = decode(path)
    assert sum(times) == pytest.approx(2.5, abs=max(times[0], 0.03))
    assert min(times) >= 1 / 61
    if not ping_pong:
        assert levels(pictures)[-1] == pytest.approx(220, abs=6)


@pytest.mark.parametrize("name", NAMES)
def test_the_frame_rate_is_the_one_asked_for(tmp_path: Path, name: str) -> None:
    _, times = decode(write(tmp_path / name, shades(12), fps=4, hold=2))
    assert times[0] == pytest.approx(1 / 4, abs=1e-3)
    held = 12 / 4 + 2 if name == "a.mp4" else 11 / 4 + 2
    assert sum(times) == pytest.approx(held, abs=0.26)


@pytest.mark.parametrize("name", NAMES)
def test_ping_pong_goes_back_the_way_it_came(tmp_path: Path, name: str) -> None:
    images = shades(6)
    pictures, _ = decode(write(tmp_path / name, images, fps=10, hold=0, ping_pong=True))
    there_and_back = levels(images) + levels(images)[-2::-1]
    assert np.abs(np.subtract(levels(pictures), there_and_back)).max() < 6


@pytest.mark.parametrize("name", NAMES)
def test_the_result_is_held(tmp_path: Path, name: str) -> None:
    images = shades(5)
    pictures, times = decode(write(tmp_path / name, images, fps=10, hold=1.5, ping_pong=True))
    light = sum(t for level, t in zip(levels(pictures), times, strict=True) if level > 214)
    assert light == pytest.approx(1.5, abs=0.11)
    assert levels(pictures)[-1] == pytest.approx(20, abs=6)


@given(
    st.integers(1, 20_000),
    st.sampled_from(ENDINGS),
    st.booleans(),
    st.none() | st.floats(0.2, 600),
    st.none() | st.floats(0.1, 240),
)
def test_no_film_is_faster_or_longer_than_readers_bear(
    frames: int, ending: str, ping_pong: bool, seconds: float | None, fps: float | None
) -> None:
    pace = Pace(fps if seconds is None else None, seconds, 0.1, ping_pong)
    timing = pace.timing(frames, ending)
    assert timing.stride >= 1
    assert 0 < timing.rate <= (50 if ending == ".gif" else 60)
    shown = 1 + math.ceil((frames - 1) / timing.stride)
    assert shown <= {".gif": 81, ".webp": 161}.get(ending, 841 if ping_pong else frames)
    if seconds is not None and shown < frames:
        all_of_them = Fraction(2 * shown - 1 if ping_pong else shown) / timing.rate
        assert float(all_of_them) == pytest.approx(seconds - 0.1, abs=2e-3)


def test_fast_films_leave_frames_out_and_keep_their_speed(tmp_path: Path) -> None:
    timing = Pace(fps=240).timing(480, ".mp4")
    assert (timing.stride, timing.rate) == (4, Fraction(60))
    pictures, _ = decode(write(tmp_path / "a.mp4", shades(49), fps=240, hold=0))
    assert levels(pictures)[-1] == pytest.approx(220, abs=6)
    assert len(pictures) == 13


@pytest.mark.parametrize("name", NAMES)
def test_a_failed_film_leaves_nothing_whatever_its_pace(tmp_path: Path, name: str) -> None:
    pace = Pace(ping_pong=True)
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / name, 9, pace=pace) as film:
        film.add(shades(1)[0])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


# ---- one palette for a GIF -----------------------------------------------------------------------


def color_tables(data: bytes) -> tuple[int, int, int]:
    """Return the colors of a GIF's global table, its frames and its local tables.

    Read by the blocks of the specification (GIF89a), without Pillow.
    """
    assert data[:6] == b"GIF89a"

    def size(flags: int) -> int:
        return 3 * 2 ** ((flags & 7) + 1) if flags & 128 else 0

    colors = size(data[10])
    at, frames, local = 13 + colors, 0, 0
    while data[at] != 0x3B:
        if data[at] == 0x21:  # an extension: label, then sub-blocks
            at += 2
        else:
            assert data[at] == 0x2C
            frames += 1
            local += size(data[at + 9]) > 0
            at += 10 + size(data[at + 9]) + 1
        while data[at]:  # sub-blocks
            at += data[at] + 1
        at += 1
    return colors // 3, frames, local


def noise(count: int, size: int = 48) -> list[Image.Image]:
    return [to_pil(torch.rand(3, size, size, generator=stream(i, "noise"))) for i in range(count)]


def smooth(count: int, size: int = 64) -> Iterator[Image.Image]:
    """Color ramps that turn from picture to picture."""
    across = np.linspace(0, 255, size)
    for i in range(count):
        red, green = np.meshgrid(across, across)
        blue = np.full_like(red, 255 * i / max(count - 1, 1))
        yield Image.fromarray(np.stack([red, green, blue], axis=-1).astype(np.uint8))


@pytest.mark.parametrize("ping_pong", [False, True])
@pytest.mark.parametrize("kind", ["noise", "smooth", "shades"])
def test_a_gif_has_one_color_table(tmp_path: Path, kind: str, ping_pong: bool) -> None:
    images = {"noise": noise(7), "smooth": list(smooth(7)), "shades": shades(7)}[kind]
    path = write(tmp_path / "a.gif", images, fps=5, ping_pong=ping_pong)
    colors, frames, local = color_tables(path.read_bytes())
    assert local == 0
    assert frames == (13 if ping_pong else 7)
    assert colors == (8 if kind == "shades" else 256)


def test_few_colors_are_kept_exactly(tmp_path: Path) -> None:
    """Every frame has its own 16 of 256 colors, one of them in a single pixel."""
    numbers = stream(3, "colors")
    palette = torch.randint(0, 256, (256, 3), generator=numbers).numpy().astype(np.uint8)
    images = []
    for i in range(16):
        field = np.tile(palette[16 * i : 16 * i + 15], (20, 4, 1))
        field[7, 7] = palette[16 * i + 15]
        images.append(Image.fromarray(field))
    pictures, _ = decode(write(tmp_path / "a.gif", images, fps=5))
    for shown, wanted in zip(pictures, images, strict=True):
        assert shown.tobytes() == wanted.tobytes()


def test_a_color_of_a_single_late_frame_is_not_lost(tmp_path: Path) -> None:
    red = []
    for image in smooth(20):  # hardly any blue, but in one corner of one frame
        channels = image.split()
        red.append(Image.merge("RGB", (*channels[:2], channels[2].point(lambda level: level / 4))))
    red[13].paste((0, 0, 255), (0, 0, 20, 20))
    pictures, _ = decode(write(tmp_path / "a.gif", red, fps=5))
    # Frames that come out equal are one, so the thirteenth may be another one here.
    corners = np.array([picture.getpixel((10, 10)) for picture in pictures])
    assert np.abs(corners - (0, 0, 255)).max(axis=1).min() < 16


def test_the_palette_is_nearer_than_the_median_cut_of_all_frames() -> None:
    """Pillow's median cut sees all frames at once; k-means, that saw them one by one, is nearer."""
    images = [*smooth(6), *noise(2, 64)]
    counted = CommonColors()
    for image in images:
        counted.add(image)
    whole = Image.new("RGB", (64, 64 * len(images)))
    for i, image in enumerate(images):
        whole.paste(image, (0, 64 * i))
    cut = whole.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)

    def error(palette: Image.Image) -> float:
        drawn = whole.quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB")
        return float(
            np.square(np.subtract(np.asarray(drawn, float), np.asarray(whole, float))).mean()
        )

    assert error(counted.palette()) < 0.9 * error(cut)


def test_counting_colors_takes_the_same_memory_for_any_number_of_pictures() -> None:
    def held(counted: CommonColors) -> int:
        return sum(part.nbytes for part in vars(counted).values() if isinstance(part, np.ndarray))

    counted = CommonColors()
    counted.add(noise(1)[0])
    once = held(counted)
    for image in noise(5):
        counted.add(image)
    assert held(counted) == once


# ---- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"video_seconds": 5, "video_fps": 10}, "both set"),
        ({"video_seconds": 1}, "leaves no time to move"),
        ({"video_seconds": 1e9}, "less than or equal to 600"),
        ({"video_fps": 0}, "greater than or equal"),
        ({"video_hold": -1}, "greater than or equal"),
        ({"save_every": "often"}, "no moment"),
        ({"save_every": "0.5"}, "1 or more"),
        ({"save_every": -1}, "out of range"),
        ({"display_every": "120%"}, "out of range"),
        ({"display_every": -1}, "greater than or equal"),
    ],
)
def test_wrong_values(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings.of(prompts="a cat", **values)


@pytest.mark.parametrize(
    ("every", "steps"),
    [("10%", 20), ("50 percent", 100), ("25 iter", 25), ("7i", 7), (7, 7), ("0", 0), ("0.1%", 1)],
)
def test_pixrays_units(every: Any, steps: int) -> None:
    settings = Settings.of(prompts="a", iterations=200, display_every=every, save_every=every)
    assert settings.display_every == steps
    assert settings.save_interval(200) == steps
    preset = Settings.of(prompts="a", quality="supreme", display_every="10%")
    assert preset.display_every == 40


def test_python_and_http_set_the_pace(toy: Callable[..., Any], tmp_path: Path) -> None:
    settings = toy(display_every=1, iterations=4, video_hold=0.2)
    result = text2art.draw(settings.pop("prompts"), **settings)
    _, times = decode(result.save_video(tmp_path / "a.gif", seconds=2, ping_pong=True))
    assert sum(times) == pytest.approx(2, abs=0.02)
    _, times = decode(result.save_video(tmp_path / "b.gif", fps=2, hold=1))
    assert (times[0], times[-1]) == (0.5, 1)
    with pytest.raises(SettingsError, match="video_seconds"):
        result.save_video(tmp_path / "c.gif", seconds=0)
    with pytest.raises(OutputError, match="a video ends in"):
        result.save_video(tmp_path / "c.avi")
    asked = settings_of({"prompts": "a cat", "settings": "video_seconds: 4\nvideo_ping_pong: true"})
    assert (asked.video_seconds, asked.video_ping_pong) == (4, True)


# ---- pictures in between -------------------------------------------------------------------------


def test_nothing_is_kept_on_the_way_unless_asked(cli: Cli) -> None:
    assert draw(cli, "--display-every=1", "-q", "-o", "a.png").code == 0
    assert left() == ["a.png"]


def test_d13_intermediates_need_no_encoder_and_no_memory(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    held: list[int] = []
    saved = text2art.cli.outputs.save_picture

    def counted(image: Image.Image, path: Path, record: Any = None) -> Path:
        import gc

        held.append(sum(type(thing) is Image.Image for thing in gc.get_objects()))
        return Path(saved(image, path, record))

    monkeypatch.setattr("text2art.cli.outputs.save_picture", counted)
    answer = draw(
        cli, "--save-intermediates", "--display-every=1", "--iterations=12", "-q", "-o", "a.png"
    )
    assert answer.code == 0, answer.err
    assert left() == ["a-steps", "a.png"]
    assert [p.name for p in sorted(Path("a-steps").iterdir())] == [
        f"{i:05d}.png" for i in range(13)
    ]
    assert max(held) <= held[0] + 2  # pictures alive do not grow with the run


def test_intermediates_are_those_of_save_every(cli: Cli) -> None:
    answer = draw(
        cli, "--save-intermediates", "--save-every=50%", "--iterations=6", "-q", "-o", "a.png"
    )
    assert answer.code == 0, answer.err
    assert [p.name for p in sorted(Path("a-steps").iterdir())] == ["00003.png", "00006.png"]


@pytest.mark.parametrize("name", ["a.png", "a.svg"])
def test_the_picture_is_written_as_far_as_it_got(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    written: list[bytes] = []
    save = text2art.cli.outputs.Outputs.save_picture

    def noted(self: Any, result: Any) -> None:
        save(self, result)
        written.append(Path(name).read_bytes())

    monkeypatch.setattr("text2art.cli.outputs.Outputs.save_picture", noted)
    drawer = "shapes" if name.endswith(".svg") else "pixel"
    answer = draw(cli, "--save-every=2", "--iterations=6", f"--drawer={drawer}", "-q", "-o", name)
    assert answer.code == 0, answer.err
    assert left() == [name]
    assert len(written) == 3  # after 2 and 4 steps, and the result
    assert all(a != b for a, b in itertools.pairwise(written))


def test_saving_on_the_way_does_not_change_the_picture(cli: Cli) -> None:
    assert draw(cli, "-q", "-o", "a.png", "--no-metadata").code == 0
    options = ["--save-every=1", "--save-intermediates", "--no-metadata"]
    assert draw(cli, "-q", "-o", "b.png", *options).code == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
