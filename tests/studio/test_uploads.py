"""Pictures from strangers: bombs, polyglots, metadata; and settings out of dropped pictures."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import Engine, select

from tests.studio.sinks import http_sink, says
from tests.studio.tools import Bench
from text2art.errors import InputFileError
from text2art.media.png import encode_picture
from text2art.studio.config import Caps
from text2art.studio.db.tables import uploads
from text2art.studio.net import Web
from text2art.studio.restore import Restored, restore
from text2art.studio.store import Store
from text2art.studio.uploads import LONGEST_SIDE, Picture, Uploads, reencode
from text2art.studio.urls import UrlRefused


def noise(width: int = 9, height: int = 6, mode: str = "RGB") -> Image.Image:
    levels = np.arange(width * height * 4, dtype=np.uint32).reshape(height, width, 4) * 7 % 251
    return Image.fromarray(levels.astype(np.uint8), "RGBA").convert(mode)


def file_of(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def anew(data: bytes, **limits: int) -> Picture:
    return reencode(data, "x", **{"max_bytes": 20_000_000, "max_pixels": 40_000_000, **limits})


def pixels_of(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# ---- written anew --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_pixels_stay_and_all_else_goes(mode: str) -> None:
    image = noise(mode=mode)
    info = PngInfo()
    info.add_text("Comment", "GPS 48.85, 2.35")
    exif = Image.Exif()
    exif[0x010F] = "Secret Camera"
    data = file_of(image, pnginfo=info, exif=exif, icc_profile=b"\0" * 200, dpi=(300, 300))
    picture = anew(data)
    assert pixels_of(picture.png).tobytes() == image.tobytes()
    kinds = [kind for kind, _ in chunks_of(picture.png)]
    assert set(kinds) == {b"IHDR", b"IDAT", b"IEND"}
    assert b"Secret" not in picture.png
    assert (picture.width, picture.height) == image.size


def chunks_of(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length
    assert at == len(png)  # nothing behind the end


@pytest.mark.parametrize(
    "tail", [b"PK\x03\x04 a zip", b"<script>alert(1)</script>", b"\x7fELF", b"%PDF-1.7"]
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_polyglots_lose_their_tail(kind: str, tail: bytes) -> None:
    picture = anew(file_of(noise(), kind) + tail * 20)
    assert tail not in picture.png
    list(chunks_of(picture.png))


def test_a_script_within_the_pixels_metadata_is_gone() -> None:
    gif = file_of(noise(), "GIF", comment=b"*/=1;alert(document.cookie)/*")
    assert b"alert" not in anew(gif).png


def test_pixel_art_keeps_its_palette() -> None:
    image = noise().quantize(5)
    kept = pixels_of(anew(file_of(image)).png)
    assert kept.mode == "P"
    assert kept.convert("RGB").tobytes() == image.convert("RGB").tobytes()
    clear = pixels_of(anew(file_of(image, transparency=0)).png)
    assert clear.convert("RGBA").getchannel("A").getextrema()[0] == 0


def test_pictures_stand_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = anew(file_of(noise(9, 6), "JPEG", exif=exif))
    assert (picture.width, picture.height) == (6, 9)


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_large_pictures_are_made_smaller(mode: str) -> None:
    image = Image.new("RGB", (LONGEST_SIDE * 2, 10), "red").convert(mode)
    picture = anew(file_of(image))
    assert (picture.width, picture.height) == (LONGEST_SIDE, 5)
    assert pixels_of(picture.png).convert("RGB").getpixel((99, 2)) == (255, 0, 0)


def test_the_same_picture_has_the_same_name() -> None:
    one, other = anew(file_of(noise(), compress_level=1)), anew(file_of(noise(), compress_level=9))
    assert one.sha256 == other.sha256
    assert one.png == other.png


# ---- bombs ---------------------------------------------------------------------------------------


def bomb(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 10_000_000, 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(30_000, 30_000), (8000, 6000), (2**31 - 1, 1), (0, 0)])
def test_bombs_are_refused_by_their_header(size: tuple[int, int]) -> None:
    with pytest.raises(InputFileError):
        anew(bomb(*size))


def test_a_gif_of_a_huge_screen_is_refused() -> None:
    data = bytearray(file_of(noise(), "GIF"))
    data[6:10] = struct.pack("<HH", 65535, 65535)
    with pytest.raises(InputFileError, match="pixels"):
        anew(bytes(data))


def test_a_text_bomb_is_refused_or_ignored_but_not_unpacked() -> None:
    text = b"Comment\0\0" + zlib.compress(b"A" * 200_000_000, 9)
    plain = file_of(noise())
    data = plain[:33] + chunk(b"zTXt", text) + plain[33:]
    with pytest.raises(InputFileError):
        anew(data)


def test_only_the_first_of_many_frames_is_decoded() -> None:
    frames = [Image.new("P", (4, 4), index % 200) for index in range(400)]
    for frame in frames:
        frame.putpalette([value for level in range(256) for value in (level, 0, 0)])
    data = file_of(frames[0], "GIF", save_all=True, append_images=frames[1:], optimize=False)
    assert pixels_of(data).n_frames > 300  # type: ignore[attr-defined]
    only = pixels_of(anew(data).png)
    assert getattr(only, "n_frames", 1) == 1
    assert only.convert("RGB").getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        b"<html><script>alert(1)</script></html>",
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>',
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        b'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>',
        b"%!PS-Adobe-3.0 EPSF\n",
        b"\x00\x00\x01\x00",
    ],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(InputFileError):
        anew(data)


def test_too_many_bytes_and_the_name_in_messages() -> None:
    with pytest.raises(InputFileError, match="larger than"):
        anew(b"x" * 11, max_bytes=10)
    with pytest.raises(InputFileError) as caught:
        reencode(b"x", "C:\\home\\../../etc/\x1b[31mcat\n.png", max_bytes=9, max_pixels=9)
    assert "etc" not in str(caught.value)
    assert str(caught.value).isprintable()


@given(st.binary(max_size=200), st.integers(0, 300))
def test_broken_files_are_refused_and_nothing_else(noise_bytes: bytes, at: int) -> None:
    data = file_of(noise())
    at = min(at, len(data))
    try:
        anew(data[:at] + noise_bytes + data[at + len(noise_bytes) :])
    except InputFileError:
        return


# ---- into the store ------------------------------------------------------------------------------


@pytest.fixture
def takes(engine: Engine, tmp_path: Path) -> tuple[Uploads, Store, Engine]:
    Bench(engine).owner("ann")
    Bench(engine).owner("bob")
    store = Store(str(tmp_path / "files"))
    web = Web(allow=["127.0.0.1"])
    return Uploads(engine, store, Caps(upload_bytes=100_000), web), store, engine


def test_uploads_lie_under_their_hash_and_once(takes: tuple[Uploads, Store, Engine]) -> None:
    uploads_, store, engine = takes
    first = uploads_.receive("ann", file_of(noise()), "cat.png")
    again = uploads_.receive("bob", file_of(noise(), compress_level=0), "other.png")
    assert first == again
    assert first.key == f"uploads/{first.sha256}.png"
    assert pixels_of(store.get(first.key)).tobytes() == noise().tobytes()
    with engine.connect() as connection:
        (row,) = connection.execute(select(uploads)).all()
    assert (row.owner_id, row.width, row.height, row.bytes) == ("ann", 9, 6, first.bytes)
    assert row.used >= row.created
    assert uploads_.find(first.key) == first
    assert uploads_.find("uploads/none.png") is None


def test_pictures_by_url_go_the_same_way(takes: tuple[Uploads, Store, Engine]) -> None:
    uploads_, store, _ = takes

    def fetch(url: str) -> Any:
        return anyio.run(uploads_.fetch, "ann", url)

    with http_sink() as sink:
        sink.replies = [says(200, file_of(noise(), "JPEG") + b"tail", content_type="text/html")]
        facts = fetch(sink.url("/cat.jpg?token=secret"))
        assert b"tail" not in store.get(facts.key)
        sink.replies = [says(200, b"<html>secret")]
        with pytest.raises(InputFileError, match=r"cat\.jpg"):
            fetch(sink.url("/cat.jpg?token=secret"))
        sink.replies = [says(200, b"x" * 100_001)]
        with pytest.raises(InputFileError, match="larger"):
            fetch(sink.url())
        sink.replies = [says(302, location="http://169.254.169.254/latest/")]
        with pytest.raises(UrlRefused, match="private"):
            fetch(sink.url())


# ---- settings out of pictures --------------------------------------------------------------------

RECORD: dict[str, Any] = {
    "version": "0.1.0",
    "seed": 7,
    "settings": {"prompts": ["a red apple"], "drawer": "pixel", "pixel": {"cells": "32x32"}},
    "perceptors": [{"name": "toy"}],
}


def drawn(settings: Any) -> bytes:
    info = PngInfo()
    info.add_itxt("text2art", json.dumps({**RECORD, "settings": settings}))
    return file_of(noise(), pnginfo=info)


def names(restored: Restored) -> set[str]:
    return {item.name for item in restored.left_out}


@pytest.mark.parametrize("ending", [".png", ".webp", ".jpg"])
def test_settings_come_back_from_every_format(ending: str) -> None:
    restored = restore(encode_picture(noise(), ending, RECORD), "any.name")
    assert restored.settings["prompts"] == ["a red apple"]
    assert restored.settings["pixel"]["cells"] in ("32x32", [32, 32])
    assert restored.version == "0.1.0"
    assert restored.left_out == ()


def test_what_is_unknown_is_said_and_the_rest_taken() -> None:
    restored = restore(
        drawn(
            {
                "prompts": ["a cat"],
                "iterations": -3,
                "drawer": "holographic",
                "future": {"deep": [1, 2]},
                "iteratoins": 9,
                "pixel": {"cells": "9x9", "glow": 3},
                "seed": 5,
            }
        )
    )
    assert names(restored) == {"iterations", "drawer", "future", "iteratoins", "pixel.glow"}
    assert restored.settings["prompts"] == ["a cat"]
    assert restored.settings["seed"] == 5
    assert "pixel" in restored.settings
    reasons = {item.name: item.reason for item in restored.left_out}
    assert "Did you mean 'iterations'" in reasons["iteratoins"]
    assert "-3" in reasons["iterations"]


def test_old_names_are_read() -> None:
    assert restore(drawn({"text": "a cat", "use_pixeldraw": True})).settings["drawer"] == "pixel"


def test_nothing_is_interpolated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    words = "${oc.env:SECRET} ${seed}"
    restored = restore(drawn({"prompts": [words], "title": words}))
    assert restored.settings["prompts"] == [words]
    assert "hunter2" not in repr(restored)


@pytest.mark.parametrize(
    "settings",
    [
        {"init_image": "/etc/passwd"},
        {"init_image": "cat.png"},
        {"image_prompts": ["/home/ada/cat.png:0.5"]},
        {"prompts": ["a dog", "@~/.ssh/id_rsa"]},
        {"overlay_image": "C:\\cat.png"},
        {"animation_dir": "/var"},
        {"init_image": f"uploads/{'0' * 64}.png"},
        {"init_image": "uploads/../../etc/passwd"},
        {"init_image": "file:///etc/passwd"},
    ],
)
def test_files_of_other_machines_are_left_out(settings: dict[str, Any]) -> None:
    restored = restore(drawn({"drawer": "pixel", **settings}))
    assert names(restored) == set(settings)
    assert restored.settings == {"drawer": "pixel"}


def test_uploads_that_are_still_here_and_urls_are_kept() -> None:
    key = f"uploads/{'a' * 64}.png"
    settings = {"init_image": key, "image_prompts": ["https://example.org/a.png", f"{key}:0.5"]}
    assert restore(drawn(settings), exists=lambda name: name == key).settings == settings
    assert names(restore(drawn(settings))) == {"init_image", "image_prompts"}


@pytest.mark.parametrize(
    "value", ["\ud800", float("nan"), float("inf"), {"a": "\udfff"}, "a" * 100_000, ["x"] * 10_000]
)
def test_values_that_no_database_holds_are_left_out(value: Any) -> None:
    restored = restore(drawn({"drawer": "pixel", "palette": value}))
    assert restored.settings == {"drawer": "pixel"}
    assert names(restored) == {"palette"}
    assert all(len(item.reason) <= 300 and item.reason.isprintable() for item in restored.left_out)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        file_of(noise()),
        drawn("no mapping"),
        drawn({f"name{n}": n for n in range(301)}),
        file_of(noise(), pnginfo=None) + json.dumps(RECORD).encode(),
    ],
)
def test_what_holds_no_settings_is_refused(data: bytes) -> None:
    with pytest.raises(InputFileError):
        restore(data)


def test_records_out_of_bounds_are_refused() -> None:
    with pytest.raises(InputFileError, match="larger"):
        restore(drawn({}), max_bytes=10)
    info = PngInfo()
    info.add_itxt("text2art", '{"settings": ' + "[" * 100_000)
    with pytest.raises(InputFileError):
        restore(file_of(noise(), pnginfo=info))
    info = PngInfo()
    info.add_itxt("text2art", "x" * 2_000_000, zip=True)
    with pytest.raises(InputFileError):
        restore(file_of(noise(), pnginfo=info))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)
NAMES = st.sampled_from(["prompts", "pixel", "losses", "size", "seed", "drawer", "text"]) | st.text(
    max_size=8
)


@given(st.dictionaries(NAMES, JSON_VALUES, max_size=5))
def test_no_record_breaks_the_reader(settings: dict[str, Any]) -> None:
    restored = restore(drawn(settings))
    json.dumps(restored.settings, allow_nan=False).encode()
