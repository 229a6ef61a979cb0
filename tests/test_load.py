"""Loading pictures: files and URLs, good, broken, huge and hostile."""

from __future__ import annotations

import io
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from text2art.errors import InputFileError
from text2art.media import rasterize, web
from text2art.media.addresses import is_public
from text2art.media.load import decode_picture, load_picture


def picture(width: int = 7, height: int = 5, mode: str = "RGB") -> Image.Image:
    ramp = np.arange(width * height * 4, dtype=np.uint32).reshape(height, width, 4) % 251
    return Image.fromarray(ramp.astype(np.uint8), "RGBA").convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be as large as wished."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


# ---- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_format_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture"  # the name does not matter, the content does
    path.write_bytes(encoded(picture(), kind))
    loaded = load_picture(str(path))
    assert loaded.size == (7, 5)
    assert loaded.mode in ("RGB", "RGBA")


def test_lossless_pixels_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture().save(path)
    assert load_picture(str(path)).tobytes() == picture().tobytes()


@pytest.mark.parametrize(
    ("mode", "expected"), [("L", "RGB"), ("LA", "RGBA"), ("RGBA", "RGBA"), ("1", "RGB")]
)
def test_modes_become_rgb_or_rgba(mode: str, expected: str) -> None:
    assert decode_picture(encoded(picture(mode=mode)), "x").mode == expected


def test_palette_transparency_becomes_alpha() -> None:
    indexed = picture().quantize(4)
    assert decode_picture(encoded(indexed, transparency=0), "x").mode == "RGBA"
    assert decode_picture(encoded(indexed), "x").mode == "RGB"


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    levels = np.array([[0, 32768, 65535]], dtype=np.uint16)
    loaded = decode_picture(encoded(Image.fromarray(levels)), "x")
    assert [pixel[0] for pixel in np.asarray(loaded)[0].tolist()] == [0, 128, 255]


def test_32_bit_levels_are_refused() -> None:
    data = encoded(Image.fromarray(np.zeros((2, 2), dtype=np.float32)), "TIFF")
    with pytest.raises(InputFileError, match="32-bit"):
        decode_picture(data, "x")


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 270 degrees to stand upright
    assert decode_picture(encoded(picture(7, 5), "JPEG", exif=exif), "x").size == (5, 7)


def test_the_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode_picture(data, "x").convert("RGB").getpixel((0, 0)) == (255, 0, 0)


def test_missing_folder_and_special_files(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="not there"):
        load_picture(str(tmp_path / "no.png"))
    with pytest.raises(InputFileError, match="not a file"):
        load_picture(str(tmp_path))
    with pytest.raises(InputFileError, match="picture"):
        load_picture("a\0b.png")
    with pytest.raises(InputFileError, match="not a file"):
        load_picture("/dev/zero")


def test_too_many_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture().save(path)
    size = path.stat().st_size
    assert load_picture(str(path), max_bytes=size).size == (7, 5)
    with pytest.raises(InputFileError, match="larger than"):
        load_picture(str(path), max_bytes=size - 1)


@pytest.mark.parametrize(
    "size", [(50_000, 50_000), (12_000, 8_000), (9_000, 8_000), (2**31 - 1, 2**31 - 1)]
)
def test_bombs_are_refused_by_their_header(size: tuple[int, int]) -> None:
    with pytest.raises(InputFileError, match=r"pixels|broken"):
        decode_picture(png_header(*size), "bomb.png")


def test_other_formats_are_refused() -> None:
    for kind in ("ICO", "PPM", "TGA"):
        with pytest.raises(InputFileError, match="known format"):
            decode_picture(encoded(picture(32, 32), kind), "x")
    with pytest.raises(InputFileError, match="known format"):
        decode_picture(b"<html></html>", "x.svg")
    with pytest.raises(InputFileError, match="empty"):
        decode_picture(b"", "x")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_truncated_files_are_refused(kind: str) -> None:
    data = encoded(picture(40, 40), kind)
    with pytest.raises(InputFileError, match=r"broken|known format"):
        decode_picture(data[: len(data) // 2], "half")


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_damaged_files_load_or_are_refused(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"]))
    content = bytearray(encoded(picture(20, 20), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        loaded = decode_picture(bytes(content), "damaged")
    except InputFileError:
        return
    assert loaded.mode in ("RGB", "RGBA")


# ---- URLs --------------------------------------------------------------------------------------

Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, dict[str, Answer]]]:
    """A server on loopback whose answers the test writes; loopback is allowed."""
    answers: dict[str, Answer] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers[self.path](self)

        def log_message(self, *args: object) -> None:
            pass

    monkeypatch.setenv("TEXT2ART_ALLOW_PRIVATE_URLS", "1")
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}", answers
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def sends(data: bytes, status: int = 200, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        spelled = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"Content-Length": str(len(data)), **spelled}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def redirects(to: str) -> Answer:
    return sends(b"", 302, Location=to)


def test_a_picture_from_a_url(server: tuple[str, dict[str, Answer]]) -> None:
    url, answers = server
    answers["/a.png?x=1"] = sends(encoded(picture()))
    answers["/moved"] = redirects("/a.png?x=1")
    assert load_picture(f"{url}/a.png?x=1").tobytes() == picture().tobytes()
    assert load_picture(f"{url}/moved").size == (7, 5)


def test_an_svg_from_a_url_is_drawn_apart(
    server: tuple[str, dict[str, Answer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("resvg_py")
    url, answers = server
    head = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10">'
    dashes = b'<path d="M0 0L1000 1000" stroke="red" stroke-dasharray="0.001"/>' * 1000
    answers["/good"] = sends(head + b'<rect width="5" height="5"/></svg>')
    answers["/bad"] = sends(head + dashes + b"</svg>")
    monkeypatch.setattr(rasterize, "_drawn", None)  # it is not drawn in this process
    monkeypatch.setattr(rasterize, "_SECONDS", 5)
    monkeypatch.setattr(rasterize, "CPU_SECONDS", 1)
    assert load_picture(f"{url}/good").size == (1024, 1024)
    with pytest.raises(InputFileError, match="/bad' takes too much time"):
        load_picture(f"{url}/bad")


def test_the_host_header_names_the_host(server: tuple[str, dict[str, Answer]]) -> None:
    url, answers = server
    seen: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["Host"])
        sends(encoded(picture()))(handler)

    answers["/"] = answer
    load_picture(url.replace("127.0.0.1", "localhost"))
    assert seen == [url.replace("127.0.0.1", "localhost").removeprefix("http://")]


def test_paths_are_encoded_and_tls_is_insisted_on(server: tuple[str, dict[str, Answer]]) -> None:
    url, answers = server
    answers["/caf%C3%A9.png?x=%20"] = sends(encoded(picture()))
    assert load_picture(f"{url}/caf\u00e9.png?x=%20").size == (7, 5)
    with pytest.raises(InputFileError, match="cannot be loaded"):
        load_picture(url.replace("http", "https"))


def test_refusals_of_the_server(server: tuple[str, dict[str, Answer]]) -> None:
    url, answers = server
    answers["/gone"] = sends(b"no", 404)
    answers["/broken"] = sends(encoded(picture(40, 40))[:300])
    answers["/page"] = sends(b"<html>a picture, honestly</html>")
    answers["/short"] = sends(encoded(picture()), Content_Length="5000")
    answers["/loop"] = redirects("/loop")
    for path, message in {
        "/gone": "404",
        "/broken": "broken",
        "/page": "known format",
        "/short": "cannot be loaded",
        "/loop": "redirects",
    }.items():
        with pytest.raises(InputFileError, match=message):
            load_picture(url + path)


def test_too_big_announced_or_not(server: tuple[str, dict[str, Answer]]) -> None:
    url, answers = server
    sent = 0

    def endless(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        try:
            while sent < 50_000_000:
                handler.wfile.write(b"\0" * 65536)
                sent += 65536
        except OSError:
            return  # the client hung up, as it should

    answers["/announced"] = sends(b"", Content_Length="999999")
    answers["/endless"] = endless
    for path in ("/announced", "/endless"):
        with pytest.raises(InputFileError, match="larger than"):
            load_picture(url + path, max_bytes=100_000)
    assert sent < 50_000_000


def test_stalled_and_dripping_servers_are_left(
    server: tuple[str, dict[str, Answer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, answers = server
    done = threading.Event()

    def stall(handler: BaseHTTPRequestHandler) -> None:
        done.wait(20)

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        try:
            while not done.wait(0.05):
                handler.wfile.write(b"x")
        except OSError:
            return  # the client hung up, as it should

    answers["/stall"], answers["/drip"] = stall, drip
    monkeypatch.setattr(web, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(web, "TOTAL_SECONDS", 0.6)
    for path in ("/stall", "/drip"):
        started = time.monotonic()
        with pytest.raises(InputFileError, match=r"too slow|ended after"):
            load_picture(url + path)
        assert time.monotonic() - started < 15  # far less than the server would go on
    done.set()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a.png",
        "http://localhost/a.png",
        "http://10.1.2.3/a.png",
        "http://192.168.0.1/a.png",
        "http://169.254.169.254/latest/meta-data",
        "http://100.64.0.1/a.png",
        "http://0.0.0.0/a.png",
        "http://224.0.0.1/a.png",
        "http://[::1]/a.png",
        "http://[fe80::1]/a.png",
        "http://[fd00::1]/a.png",
        "http://[::ffff:127.0.0.1]/a.png",
        "http://[64:ff9b::7f00:1]/a.png",
        "http://[2002:7f00:1::]/a.png",
        "http://2130706433/a.png",
        "http://0x7f.1/a.png",
    ],
)
def test_private_addresses_are_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEXT2ART_ALLOW_PRIVATE_URLS", raising=False)
    with pytest.raises(InputFileError, match=r"private|not known"):
        load_picture(url)


def test_a_redirect_to_a_private_address_is_refused(
    server: tuple[str, dict[str, Answer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, answers = server
    answers["/inward"] = redirects("http://10.0.0.1/secret.png")
    judge = is_public
    monkeypatch.delenv("TEXT2ART_ALLOW_PRIVATE_URLS")
    monkeypatch.setattr(web, "is_public", lambda a: a == "127.0.0.1" or judge(a))
    with pytest.raises(InputFileError, match="private address 10"):
        load_picture(f"{url}/inward")
    answers["/elsewhere"] = redirects("file:///etc/passwd")
    with pytest.raises(InputFileError, match="only http"):
        load_picture(f"{url}/elsewhere")


def test_the_judged_address_is_the_one_asked(
    server: tuple[str, dict[str, Answer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, answers = server
    answers["/"] = sends(encoded(picture()))
    port = int(url.rpartition(":")[2])
    asked: list[str] = []

    def resolve(host: str) -> list[object]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "10.0.0.1"  # it changes its mind
        return [(2, 1, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", _only_for("rebinding.test", resolve))
    assert load_picture(f"http://rebinding.test:{port}/").size == (7, 5)
    assert asked == ["rebinding.test"]


def _only_for(host: str, resolve: Callable[..., Any]) -> Callable[..., Any]:
    real = socket.getaddrinfo

    def chosen(name: str, *rest: Any, **more: Any) -> Any:
        return resolve(name) if name == host else real(name, *rest, **more)

    return chosen


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a.png",
        "file:///etc/passwd",
        "gopher://example.org/",
        "http://",
        "http://user:secret@example.org/a.png",
        "http://example.org:99999/a.png",
        "http://exam ple.org/",
        "http://example.org/a\r\nX-Other: 1",
    ],
)
def test_urls_that_are_never_asked(url: str) -> None:
    with pytest.raises(InputFileError):
        load_picture(url)


def test_offline_asks_nobody(
    server: tuple[str, dict[str, Answer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = server
    monkeypatch.setenv("TEXT2ART_OFFLINE", "1")
    with pytest.raises(InputFileError, match="TEXT2ART_OFFLINE"):
        load_picture(url)
