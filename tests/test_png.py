"""Pictures with their recipe inside: what is written, and what is refused when read."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import stat
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from text2art.errors import InputFileError, OutputError
from text2art.media import files
from text2art.media.png import check_picture_target, parameters, read_record, save_picture

RECORD: dict[str, Any] = {
    "version": "0.1.0",
    "settings": {"prompts": ["a red apple 🍎"], "drawer": "pixel", "iterations": 50, "seed": 7},
    "seed": 7,
    "perceptors": [{"name": "starter", "weight": 1.0, "sha256": "ab" * 32}],
    "device": "cpu",
    "torch": "2.6.0",
}


def picture(mode: str = "RGB") -> Image.Image:
    gradient = Image.linear_gradient("L").resize((24, 16))
    image = Image.merge("RGB", (gradient, gradient.transpose(Image.Transpose.ROTATE_180), gradient))
    if mode == "RGBA":
        image.putalpha(gradient)
        return image
    return image.convert(mode)


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.jpg", "a.JPEG"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_record_comes_back_from_every_format(tmp_path: Path, name: str, mode: str) -> None:
    path = save_picture(picture(mode), tmp_path / name, RECORD)
    assert read_record(path) == RECORD
    with Image.open(path) as image:
        assert image.size == (24, 16)
        assert b"trainedAlgorithmicMedia" in path.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def test_png_keeps_pixels_and_the_alpha(tmp_path: Path) -> None:
    for mode in ("RGB", "RGBA"):
        path = save_picture(picture(mode), tmp_path / f"{mode}.png", RECORD)
        with Image.open(path) as image:
            assert image.mode == mode
            assert image.tobytes() == picture(mode).tobytes()


def test_indexed_picture_stays_indexed(tmp_path: Path) -> None:
    path = save_picture(picture().quantize(4), tmp_path / "a.png", RECORD)
    with Image.open(path) as image:
        assert image.mode == "P"
        assert len(image.getcolors() or ()) <= 4


def test_jpeg_puts_transparent_on_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    with Image.open(save_picture(clear, tmp_path / "a.jpg")) as image:
        assert image.getpixel((4, 4)) == (255, 255, 255)


def test_png_chunks_are_those_other_tools_look_for(tmp_path: Path) -> None:
    chunks = dict(chunks_of(save_picture(picture(), tmp_path / "a.png", RECORD).read_bytes()))
    keyword, rest = chunks[b"iTXt:text2art"].split(b"\0", 1)
    assert keyword == b"text2art"
    assert json.loads(rest.split(b"\0")[-1].decode()) == RECORD
    assert b"iTXt:XML:com.adobe.xmp" in chunks
    text = chunks[b"iTXt:parameters"].split(b"\0")[-1].decode()
    assert text.splitlines() == [
        "a red apple 🍎",
        "Steps: 50, Seed: 7, Size: 24x16, Model: starter, Drawer: pixel, Version: text2art 0.1.0",
    ]


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    """Read a PNG by its specification, independently of Pillow."""
    found, at = [], 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + length :][:4])[0]
        named = kind in (b"tEXt", b"iTXt", b"zTXt")
        found.append((kind + b":" + body.split(b"\0")[0] if named else kind, body))
        at += 12 + length
    return found


def test_parameters_say_what_the_quality_stands_for() -> None:
    record = {**RECORD, "settings": {"prompts": ["a", "b:-0.5"], "quality": "draft"}}
    assert parameters(record, (8, 9)).startswith("a | b:-0.5\nSteps: 200, Seed: 7, Size: 8x9, ")


@pytest.mark.parametrize("ending", ["png", "webp", "jpg"])
def test_equal_pictures_give_equal_bytes(tmp_path: Path, ending: str) -> None:
    once = save_picture(picture(), tmp_path / f"a.{ending}", RECORD)
    shuffled = dict(reversed(RECORD.items()))
    again = save_picture(picture(), tmp_path / f"b.{ending}", shuffled)
    assert once.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("ending", ["png", "webp", "jpg"])
def test_no_record_leaves_no_trace(tmp_path: Path, ending: str) -> None:
    path = save_picture(picture(), tmp_path / f"a.{ending}")
    data = path.read_bytes()
    assert b"text2art" not in data
    assert b"xmp" not in data
    with pytest.raises(InputFileError, match="holds no text2art settings"):
        read_record(path)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80).filter(
        lambda s: (
            s.strip(" |:\\@") and "|" not in s and "\\" not in s and s.strip()[:1] not in ("", "@")
        )
    ),
    ending=st.sampled_from(["png", "webp", "jpg"]),
)
def test_any_words_survive(tmp_path: Path, words: str, ending: str) -> None:
    from text2art.errors import PromptError

    record = {**RECORD, "settings": {"prompts": [words]}}
    try:
        path = save_picture(picture(), tmp_path / f"a.{ending}", record)
    except PromptError:
        return  # such words are refused long before there is a picture
    assert read_record(path) == record


# ---- refused when read -----------------------------------------------------------------------


def png_with(text: str, folder: Path, *, compressed: bool = False) -> Path:
    chunks = PngInfo()
    chunks.add_itxt("text2art", text, zip=compressed)
    path = folder / "hostile.png"
    picture().save(path, pnginfo=chunks)
    return path


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"settings": 1}', '"x"', "[" * 100_000, '{"settings": {}' + " " * 10],
)
def test_broken_record(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputFileError):
        read_record(png_with(text, tmp_path))


def test_text_bomb(tmp_path: Path) -> None:
    path = png_with(
        '{"settings": {"prompts": ["' + "a" * 40_000_000 + '"]}}', tmp_path, compressed=True
    )
    assert path.stat().st_size < 100_000
    with pytest.raises(InputFileError):
        read_record(path)


def test_pixel_bomb(tmp_path: Path) -> None:
    data = bytearray(save_picture(picture(), tmp_path / "a.png", RECORD).read_bytes())
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputFileError, match="pixels"):
        read_record(tmp_path / "a.png")


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_no_picture(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputFileError):
        read_record(tmp_path / "a.png")


def test_every_cut_short_file_is_refused_or_read(tmp_path: Path) -> None:
    for ending in ("png", "webp", "jpg"):
        whole = save_picture(picture(), tmp_path / f"a.{ending}", RECORD).read_bytes()
        for length in range(0, len(whole), 37):
            cut = tmp_path / f"cut.{ending}"
            cut.write_bytes(whole[:length])
            with contextlib.suppress(InputFileError):
                assert read_record(cut) == RECORD


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="no file"):
        read_record(tmp_path / "a.png")
    with pytest.raises(InputFileError):
        read_record(tmp_path)


# ---- refused when written --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.bmp", "a", "a.png.txt"])
def test_unknown_ending(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"use \.png or \.webp"):
        save_picture(picture(), tmp_path / name)


def test_path_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OutputError, match="it is a folder"):
        save_picture(picture(), tmp_path / "a.png")


def test_parent_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(OutputError, match="not a folder"):
        save_picture(picture(), tmp_path / "a.png" / "b.png")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc, where nothing is made")
def test_folder_that_cannot_be_made() -> None:
    with pytest.raises(OutputError, match="choose another folder"):
        check_picture_target(Path("/proc/nowhere/a.png"))


def test_folder_not_writable(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    root = os.geteuid() == 0  # root may write anywhere: be nobody for a moment
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(OutputError, match="permission denied"):
            check_picture_target(tmp_path / "a.png")
    finally:
        if root:
            os.seteuid(0)


def test_record_too_long_for_jpeg_is_told_before_the_work(tmp_path: Path) -> None:
    record = {**RECORD, "settings": {"prompts": ["é" * 1900] * 30}}
    check_picture_target(tmp_path / "a.png", record)
    with pytest.raises(OutputError, match="too long"):
        check_picture_target(tmp_path / "a.jpg", record)
    assert list(tmp_path.iterdir()) == []


def test_disk_full_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_picture(picture(), tmp_path / "a.png", RECORD)
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with self.open("xb") as file:
            file.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="disk is full"):
        save_picture(picture(), path, RECORD)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", ["png", "webp", "jpg"])
def test_a_file_that_may_not_grow_for_real(tmp_path: Path, ending: str) -> None:
    """The system stops the writing in the middle, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400, limits[1]))
    try:
        with pytest.raises(OutputError, match="larger than files may be"):
            save_picture(picture(), tmp_path / f"a.{ending}", RECORD)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_interrupt_while_writing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), files.whole(tmp_path / "deep" / "a.bin") as part:
        part.write_bytes(b"half")
        raise KeyboardInterrupt
    assert list((tmp_path / "deep").iterdir()) == []


# ---- names -----------------------------------------------------------------------------------


@given(st.text(max_size=300))
def test_slug_is_a_short_safe_file_name(text: str) -> None:
    name = files.slug(text)
    assert 0 < len(name) <= files.SLUG_LENGTH
    assert len(name.encode()) <= 200
    assert Path(name).name == name
    assert not name.startswith((".", "-"))
    assert files.slug(text) == name


def test_slugs_of_long_texts_differ() -> None:
    long = "a very long prompt " * 10
    assert files.slug(long + "1") != files.slug(long + "2")
    assert files.slug("A Red Apple!") == "a-red-apple"
    assert files.slug("красное яблоко") == "красное-яблоко"
    assert files.slug("../../etc/passwd") == "etc-passwd"


def test_free_path_never_names_a_file_that_is_there(tmp_path: Path) -> None:
    taken = [files.free_path(tmp_path, "a", ".png") for _ in range(1)]
    taken[0].touch()
    second = files.free_path(tmp_path, "a", ".png")
    second.touch()
    assert [second.name, files.free_path(tmp_path, "a", ".png").name] == ["a-2.png", "a-3.png"]
