"""Films of the making: right length and size, bounded memory, nothing half-written."""

from __future__ import annotations

import errno
import gc
import importlib.util
import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from text2art.errors import MissingExtra, OutputError
from text2art.media import video
from text2art.media.pace import frame_rate
from text2art.media.video import VideoWriter, check_encoder, fitted

av = pytest.importorskip("av", reason="needs the extra [video]")
NAMES = ["a.mp4", "a.gif", "a.webp"]


def frames(count: int, size: tuple[int, int] = (32, 24)) -> Iterator[Image.Image]:
    """A bar that grows over a blue ground, so that every frame can be told from its neighbors."""
    for i in range(count):
        image = Image.new("RGB", size, (20, 40, 160))
        image.paste((240, 200, 30), (0, 0, round(size[0] * i / max(count - 1, 1)), size[1]))
        yield image


def write(path: Path, count: int, size: tuple[int, int] = (32, 24), **options: Any) -> Path:
    with VideoWriter(path, options.pop("expected", count), **options) as film:
        for frame in frames(count, size):
            film.add(frame)
    return path


def decode(path: Path) -> tuple[list[Image.Image], list[float]]:
    """Return all frames and how long each is shown, in seconds."""
    if path.suffix == ".mp4":
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


def test_frame_rate_is_pixrays() -> None:
    assert [frame_rate(n) for n in (1, 140, 250, 840, 10_000)] == [10, 10, 18, 60, 60]


@pytest.mark.parametrize("name", NAMES)
def test_first_and_last_frames_and_the_hold(tmp_path: Path, name: str) -> None:
    pictures, times = decode(write(tmp_path / name, 20))
    given = list(frames(20))
    for shown, wanted in ((pictures[0], given[0]), (pictures[-1], given[-1])):
        off = np.abs(np.asarray(shown, dtype=float) - np.asarray(wanted, dtype=float)).mean()
        assert off < 12
    assert sum(times) == pytest.approx(19 / 10 + 1 if name != "a.mp4" else 20 / 10 + 1, abs=0.11)
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_mp4_is_what_every_player_shows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", 5, (33, 25), comment=json.dumps({"seed": 7}))
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # faststart
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (34, 26)
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert json.loads(container.metadata["comment"]) == {"seed": 7}


def test_odd_sides_are_padded_by_their_own_edge(tmp_path: Path) -> None:
    padded = video._padded(next(frames(1, (3, 3))), (4, 4))
    assert padded.getcolors() == [(16, (20, 40, 160))]


@pytest.mark.parametrize(("name", "most", "side"), [("a.gif", 80, 320), ("a.webp", 160, 512)])
def test_frames_and_size_are_bounded(tmp_path: Path, name: str, most: int, side: int) -> None:
    pictures, times = decode(write(tmp_path / name, 200, (600, 30)))
    assert 2 <= len(pictures) <= most + 1
    assert pictures[0].size == fitted((600, 30), side)
    assert max(pictures[0].size) == side
    assert sum(times) == pytest.approx(200 / 14 + 1, abs=0.6)
    assert pictures[-1].getpixel((side - 3, 3)) != pictures[0].getpixel((side - 3, 3))


def test_gif_has_one_palette(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gif", 6)
    with Image.open(path) as film:
        palettes = set()
        for i in range(film.n_frames):
            film.seek(i)
            palettes.add(tuple(film.global_palette.palette))
            assert film.info["loop"] == 0
        assert len(palettes) == 1
    assert path.read_bytes().count(b"\x21\xff\x0bNETSCAPE2.0") == 1


@pytest.mark.parametrize("name", NAMES)
def test_one_frame_and_fewer_than_expected(tmp_path: Path, name: str) -> None:
    pictures, _ = decode(write(tmp_path / name, 1))
    assert pictures[0].size == (32, 24)
    pictures, _ = decode(write(tmp_path / name, 3, expected=500))
    assert len(pictures) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_a_film_of_equal_frames(tmp_path: Path, name: str) -> None:
    with VideoWriter(tmp_path / name, 5) as film:
        for _ in range(5):
            film.add(Image.new("RGB", (16, 16), "red"))
    pictures, _ = decode(tmp_path / name)
    red = pictures[-1].getpixel((8, 8))
    assert isinstance(red, tuple)
    assert red[0] > 240
    assert red[1] < 20


@pytest.mark.parametrize(
    "name",
    [
        # Known defect, cause not found: in some long test runs x264 gave other bytes for one film.
        pytest.param("a.mp4", marks=pytest.mark.xfail(strict=False, reason="x264 bytes vary")),
        "a.gif",
        "a.webp",
    ],
)
def test_equal_films_are_equal_bytes(tmp_path: Path, name: str) -> None:
    assert write(tmp_path / name, 8).read_bytes() == write(tmp_path / f"b{name}", 8).read_bytes()


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".mp4")])
def test_what_is_transparent_is_put_on_white(tmp_path: Path, name: str) -> None:
    with VideoWriter(tmp_path / name, 2) as film:
        for level in (0, 255):
            film.add(Image.new("RGBA", (16, 16), (255, 0, 0, level)))
    pictures, _ = decode(tmp_path / name)
    for shown, wanted in ((pictures[0], (255, 255, 255)), (pictures[-1], (255, 0, 0))):
        color = shown.getpixel((8, 8))
        assert isinstance(color, tuple)
        assert np.abs(np.subtract(color, wanted)).max() < 12


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, BrokenPipeError])
def test_a_failing_block_leaves_nothing_and_keeps_its_error(
    tmp_path: Path, name: str, error: type[BaseException]
) -> None:
    (tmp_path / name).write_bytes(b"older")
    with pytest.raises(error), VideoWriter(tmp_path / name, 9) as film:
        for frame in frames(3):
            film.add(frame)
        raise error
    assert (tmp_path / name).read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [tmp_path / name]


@pytest.mark.parametrize("name", NAMES)
def test_no_frames(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="no frames"), VideoWriter(tmp_path / name, 9):
        pass
    assert list(tmp_path.iterdir()) == []


def test_disk_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Image.Image, *args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match="disk is full"), VideoWriter(tmp_path / "a.gif", 2) as f:
        f.add(next(frames(1)))
        monkeypatch.setattr(Image.Image, "save", full)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_may_not_grow_for_real(tmp_path: Path, name: str) -> None:
    """The system stops the writing in the middle, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(OutputError, match="larger than files may be"):
            write(tmp_path / name, 40, (256, 256))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_unknown_ending_and_missing_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OutputError, match=r"ends in \.mp4 or \.gif or \.webp"):
        check_encoder(tmp_path / "a.avi")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    check_encoder(tmp_path / "a.gif")
    with pytest.raises(MissingExtra, match=r"pip install 'text2art\[video\]'"):
        check_encoder(tmp_path / "a.mp4")


@pytest.mark.parametrize("name", NAMES)
def test_pictures_held_do_not_grow_with_the_film(tmp_path: Path, name: str) -> None:
    def alive() -> int:
        gc.collect()
        kinds = (Image.Image, av.VideoFrame)
        return sum(issubclass(type(thing), kinds) for thing in gc.get_objects())

    before = alive()
    with VideoWriter(tmp_path / name, 60) as film:
        for frame in frames(60):
            film.add(frame)
        assert alive() - before <= 4
