"""Fetching against a server that stalls, resets, lies, redirects and changes its mind."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import socket
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from text2art.errors import WeightsCorrupt, WeightsError, WeightsMissing
from text2art.weights import catalog, download, fetch, pins
from text2art.weights.catalog import Entry, WeightFile

CONTENT = bytes(range(256)) * 4000
OTHER = CONTENT[::-1]
HALF = len(CONTENT) // 2


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, no other weights, no proxy of the machine."""
    monkeypatch.setenv("TEXT2ART_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TEXT2ART_OFFLINE", raising=False)
    monkeypatch.setattr(catalog, "search_path", lambda: [catalog.folder()])
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    return tmp_path / "home"


class Server:
    """Serves one content. What it does wrong is set on it.

    Attributes:
        content: what it serves.
        headers: sent with it, as ETag; a range is honored when If-Range is one of their values.
        cut: bytes after which it does `fault`.
        fault: "close", "reset" or "stall".
        length: what it says of the length; None: the truth, "": nothing, "chunked": in pieces.
        always_partial: answer a range whatever If-Range says.
        redirects: where each path leads.
        asked: path and headers of each request.
    """

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.headers: dict[str, str] = {}
        self.cut: int | None = None
        self.fault = "close"
        self.length: str | None = None
        self.always_partial = False
        self.redirects: dict[str, str] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.over = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.close_connection = True
                with suppress(OSError):  # the client may hang up
                    server._answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._httpd.daemon_threads = True
        self._thread = threading.Thread(target=self._httpd.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._httpd.server_address[1]}"
        self.url = f"{self.address}/a.bin"

    @property
    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for _, headers in self.asked]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append((handler.path, dict(handler.headers)))
        if handler.path in self.redirects:
            handler.send_response(302)
            handler.send_header("Location", self.redirects[handler.path])
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        start = int((handler.headers["Range"] or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        known = handler.headers["If-Range"]
        if known and known not in self.headers.values() and not self.always_partial:
            start = 0
        body = self.content[start:]
        handler.send_response(206 if start else 200)
        if start:
            end = f"{start}-{len(self.content) - 1}/{len(self.content)}"
            handler.send_header("Content-Range", f"bytes {end}")
        for name, value in self.headers.items():
            handler.send_header(name, value)
        if self.length == "chunked":
            handler.send_header("Transfer-Encoding", "chunked")
        elif self.length != "":
            handler.send_header("Content-Length", self.length or str(len(body)))
        handler.end_headers()
        if self.length == "chunked":
            for piece in (body[: self.cut][:10], body[: self.cut][10:]):
                handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            handler.wfile.write(b"0\r\n\r\n" if self.cut is None else b"")
        else:
            handler.wfile.write(body[: self.cut])
        if self.cut is not None:
            self._fail(handler)

    def _fail(self, handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.flush()
        if self.fault == "stall":
            self.over.wait(60)
        elif self.fault == "reset":
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.connection.close()

    def close(self) -> None:
        self.over.set()
        self._httpd.shutdown()
        self._httpd.server_close()
        self._thread.join()


@pytest.fixture
def servers() -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def make(content: bytes = CONTENT) -> Server:
        made.append(Server(content))
        return made[-1]

    yield make
    for server in made:
        server.close()


Make = Callable[..., Server]


def entry(*urls: str, known: bool = False) -> Entry:
    """An entry with or without a checksum."""
    digest = hashlib.sha256(CONTENT).hexdigest() if known else ""
    size = len(CONTENT) if known else None
    return Entry("thing", "A thing.", (WeightFile("deep/a.bin", urls, digest, size),))


def target() -> Path:
    return catalog.folder() / "deep/a.bin"


def part() -> Path:
    return catalog.folder() / "deep/a.bin.part"


def nothing_half_is_left() -> bool:
    return [p.name for p in catalog.folder().rglob("*") if ".part" in p.name] == []


# ---- pins --------------------------------------------------------------------------------------


def test_a_first_fetch_pins_what_came(servers: Make) -> None:
    server = servers()
    assert fetch.fetch(entry(server.url)) == [target()]
    pin = pins.read()["deep/a.bin"]
    assert (pin.sha256, pin.bytes) == (hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    assert pin.url == server.url
    (file,) = catalog.pinned(entry(server.url)).files
    assert (file.sha256, file.size, file.pinned) == (pin.sha256, pin.bytes, True)
    assert fetch.fetch(entry(server.url)) == [target()]
    assert len(server.asked) == 1
    assert nothing_half_is_left()


def test_a_damaged_file_is_found_by_its_pin_and_fetched_again(servers: Make) -> None:
    server = servers()
    fetch.fetch(entry(server.url))
    target().write_bytes(OTHER)
    with pytest.raises(WeightsCorrupt, match="sha256"):
        catalog.verify(entry(server.url))
    target().write_bytes(CONTENT[:-1])
    with pytest.raises(WeightsCorrupt, match=f"{len(CONTENT) - 1} bytes instead of"):
        catalog.verify(entry(server.url))
    fetch.fetch(entry(server.url))
    assert target().read_bytes() == CONTENT


def test_content_that_changed_against_its_pin_is_refused(servers: Make) -> None:
    server = servers()
    fetch.fetch(entry(server.url))
    target().unlink()
    server.content = OTHER
    with pytest.raises(WeightsCorrupt, match=r"not that of the first fetch.*pins\.json"):
        fetch.fetch(entry(server.url))
    assert not target().exists()
    assert nothing_half_is_left()


def test_a_file_that_lay_here_is_pinned_as_it_is(servers: Make) -> None:
    server = servers()
    target().parent.mkdir(parents=True)
    target().write_bytes(OTHER)
    assert catalog.verify(entry(server.url)) == [target()]
    fetch.fetch(entry(server.url))
    assert pins.read()["deep/a.bin"].sha256 == hashlib.sha256(OTHER).hexdigest()
    assert server.asked == []


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"a": 1}', '{"a": {"sha256": "x"}}', "\xff", "[" * 9999]
)
def test_damaged_pins_are_told_and_never_overwritten(servers: Make, text: str) -> None:
    pins.location().parent.mkdir(parents=True)
    pins.location().write_text(text, encoding="latin-1")
    with pytest.raises(WeightsCorrupt, match=r"pins\.json.*delete"):
        fetch.fetch(entry(servers().url))
    with pytest.raises(WeightsCorrupt, match=r"pins\.json"):
        catalog.verify(entry())
    assert pins.location().read_text(encoding="latin-1") == text
    assert catalog.pinned(entry(known=True)) == entry(known=True)  # which needs no pins


def test_pins_are_kept_beside_each_other() -> None:
    digest = "0" * 64
    pins.add("b", pins.Pin(digest, 1, "http://b", "2026-01-31"))
    pins.add("a", pins.Pin(digest, 2, "", "2026-01-31"))
    assert {name: pin.bytes for name, pin in pins.read().items()} == {"a": 2, "b": 1}
    assert [path.name for path in pins.location().parent.iterdir()] == ["pins.json"]


# ---- stalls, resets, lengths -------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("fault", ["close", "reset", "stall"])
def test_what_came_before_a_fault_is_kept_and_gone_on_with(
    servers: Make, monkeypatch: pytest.MonkeyPatch, fault: str, *, known: bool
) -> None:
    server = servers()
    server.headers = {"ETag": '"one"'}
    server.cut, server.fault = HALF, fault
    with monkeypatch.context() as patch, pytest.raises(WeightsError, match="run it again to go on"):
        patch.setattr(download, "SILENCE_SECONDS", 1.0)
        fetch.fetch(entry(server.url, known=known))
    kept = part().stat().st_size
    assert kept == HALF if fault == "stall" else 0 < kept <= HALF
    assert not target().exists()
    server.cut = None
    fetch.fetch(entry(server.url, known=known))
    assert target().read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={kept}-"]
    assert server.asked[1][1]["If-Range"] == '"one"'
    assert nothing_half_is_left()


def test_a_server_that_never_answers_is_given_up_for_the_next(
    servers: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "SILENCE_SECONDS", 2.0)
    good = servers()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.bin"
        fetch.fetch(entry(url, good.url))
    assert target().read_bytes() == CONTENT


@pytest.mark.parametrize("known", [True, False])
def test_a_length_that_is_too_long_is_found(servers: Make, *, known: bool) -> None:
    server = servers()
    server.length = str(len(CONTENT) + 5)
    with pytest.raises(WeightsError, match=f"ended after {len(CONTENT)} of {len(CONTENT) + 5}"):
        fetch.fetch(entry(server.url, known=known))
    assert not target().exists()


def test_a_length_that_is_too_short_gives_another_file(servers: Make) -> None:
    server = servers()
    server.length = str(len(CONTENT) - 5)
    with pytest.raises(WeightsCorrupt, match="sha256"):
        fetch.fetch(entry(server.url, known=True))
    assert not target().exists()


def test_without_length_and_checksum_an_end_proves_nothing(servers: Make) -> None:
    server = servers()
    server.length = ""
    with pytest.raises(WeightsError, match="does not say how long"):
        fetch.fetch(entry(server.url))
    fetch.fetch(entry(server.url, known=True))
    assert target().read_bytes() == CONTENT


def test_pieces_tell_their_end(servers: Make) -> None:
    server = servers()
    server.length, server.cut = "chunked", 1000
    with pytest.raises(WeightsError, match="cannot be fetched"):
        fetch.fetch(entry(server.url))
    assert not target().exists()
    server.cut = None
    fetch.fetch(entry(server.url))
    assert target().read_bytes() == CONTENT


def test_a_file_of_unknown_length_has_a_bound(
    servers: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MOST_BYTES", HALF)
    server = servers()
    with pytest.raises(WeightsError, match="are the most"):
        fetch.fetch(entry(server.url))
    server.length = "chunked"  # nothing announced
    with pytest.raises(WeightsError, match="longer than it may be"):
        fetch.fetch(entry(server.url))
    assert nothing_half_is_left()


def test_room_is_asked_for_when_the_length_is_announced(
    servers: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 10

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(WeightsError, match="make room"):
        fetch.fetch(entry(servers().url))


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Content-Type": "text/html; charset=utf-8"}, "web page"),
        ({"Content-Encoding": "gzip"}, "encoded"),
    ],
)
def test_what_is_no_file_is_not_pinned(servers: Make, headers: dict[str, str], reason: str) -> None:
    server = servers()
    server.headers = headers
    with pytest.raises(WeightsError, match=reason):
        fetch.fetch(entry(server.url))
    assert pins.read() == {}


# ---- changed meanwhile -------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("always_partial", [True, False])
@pytest.mark.parametrize("header", ["ETag", "Last-Modified"])
def test_two_versions_are_never_joined(
    servers: Make, header: str, *, always_partial: bool, known: bool
) -> None:
    server = servers(OTHER)
    server.headers = {header: '"one"' if header == "ETag" else "Fri, 27 Nov 2026 10:00:00 GMT"}
    server.cut = HALF
    with pytest.raises(WeightsError):
        fetch.fetch(entry(server.url, known=known))
    server.content, server.cut, server.always_partial = CONTENT, None, always_partial
    server.headers = {header: '"two"' if header == "ETag" else "Fri, 27 Nov 2026 11:00:00 GMT"}
    fetch.fetch(entry(server.url, known=known))
    assert target().read_bytes() == CONTENT


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}])
def test_without_checksum_and_version_a_part_is_not_gone_on_with(
    servers: Make, headers: dict[str, str]
) -> None:
    server = servers()
    server.headers, server.cut = headers, HALF
    with pytest.raises(WeightsError):
        fetch.fetch(entry(server.url))
    server.cut = None
    fetch.fetch(entry(server.url))
    assert server.ranges == [None, None]


def test_without_checksum_a_mirror_begins_anew_and_with_one_goes_on(servers: Make) -> None:
    for known in (False, True):
        broken, good = servers(), servers()
        broken.headers = good.headers = {"ETag": '"one"'}
        broken.cut = HALF
        fetch.fetch(entry(broken.url, good.url, known=known))
        assert target().read_bytes() == CONTENT
        assert [r is not None for r in good.ranges] == [known]
        shutil.rmtree(catalog.folder())


@pytest.mark.parametrize("note", ["", "{", "[]", '{"url": 1}', '{"url": "x", "version": "a\\nb"}'])
def test_a_note_that_is_broken_is_no_note(servers: Make, note: str) -> None:
    server = servers()
    part().parent.mkdir(parents=True)
    part().write_bytes(OTHER[:HALF])
    part().with_name("a.bin.part.json").write_text(note.replace('"x"', json.dumps(server.url)))
    fetch.fetch(entry(server.url))
    assert target().read_bytes() == CONTENT
    assert server.ranges == [None]


def test_a_part_that_is_whole_already(servers: Make) -> None:
    """The program may have been killed between the last byte and the renaming."""
    for left, expected in ((CONTENT, 1), (CONTENT + b"more", 2)):
        server = servers()
        server.headers = {"ETag": '"one"'}
        part().parent.mkdir(parents=True)
        part().write_bytes(left)
        row = {"url": server.url, "version": '"one"'}
        part().with_name("a.bin.part.json").write_text(json.dumps(row))
        answer = functools.partial(_refuse_beyond, server, server._answer)
        server._answer = answer  # type: ignore[method-assign]
        fetch.fetch(entry(server.url))
        assert target().read_bytes() == CONTENT
        assert len(server.asked) == expected
        shutil.rmtree(catalog.folder())


def _refuse_beyond(
    server: Server, usual: Callable[[BaseHTTPRequestHandler], None], handler: BaseHTTPRequestHandler
) -> None:
    start = int((handler.headers["Range"] or "bytes=0-").removeprefix("bytes=").rstrip("-"))
    if start < len(server.content):
        usual(handler)
        return
    server.asked.append((handler.path, dict(handler.headers)))
    handler.send_response(416)
    handler.send_header("Content-Range", f"bytes */{len(server.content)}")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


# ---- redirects, schemes, proxies ---------------------------------------------------------------


def test_redirects_are_followed_with_the_range(servers: Make) -> None:
    server = servers()
    server.headers = {"ETag": '"one"'}
    server.redirects = {"/a.bin": "/b.bin", "/b.bin": "/c.bin"}
    server.cut = HALF
    with pytest.raises(WeightsError):
        fetch.fetch(entry(server.url))
    server.cut = None
    fetch.fetch(entry(server.url))
    assert target().read_bytes() == CONTENT
    assert server.asked[-1][0] == "/c.bin"
    assert server.ranges[-1] is not None
    assert pins.read()["deep/a.bin"].url == server.url


@pytest.mark.parametrize("leads", [["/a.bin"], ["/b", "/a.bin"], [f"/{i}" for i in range(30)]])
def test_redirects_without_end_are_given_up(servers: Make, leads: list[str]) -> None:
    server = servers()
    server.redirects = dict(zip(["/a.bin", *leads], leads, strict=False))
    with pytest.raises(WeightsError, match="infinite loop"):
        fetch.fetch(entry(server.url))
    assert len(server.asked) < 15


@pytest.mark.parametrize("leads", ["file:///etc/hosts", "ftp://127.0.0.1/a", "data:,hello"])
def test_nothing_but_the_web_is_fetched_from(servers: Make, leads: str) -> None:
    with pytest.raises(WeightsError, match="only http"):
        fetch.fetch(entry(leads))
    server = servers()
    server.redirects = {"/a.bin": leads}
    with pytest.raises(WeightsError, match="cannot be fetched"):
        fetch.fetch(entry(server.url))
    assert not target().exists()


def test_https_never_leads_to_http() -> None:
    request = urllib.request.Request("https://a.example/x")
    redirects = download.Redirects()
    with pytest.raises(urllib.error.URLError, match="not as safe"):
        redirects.redirect_request(request, None, 302, "Found", {}, "http://a.example/y")
    followed = redirects.redirect_request(request, None, 302, "Found", {}, "https://b.example/y")
    assert followed is not None
    assert followed.full_url == "https://b.example/y"


def test_the_proxy_of_the_environment_is_used(
    servers: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = servers()
    monkeypatch.setenv("http_proxy", proxy.address)
    fetch.fetch(entry("http://weights.invalid/a.bin"))
    assert target().read_bytes() == CONTENT
    assert proxy.asked[0][0] == "http://weights.invalid/a.bin"
    direct = servers()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    target().unlink()
    fetch.fetch(entry(direct.url))
    assert len(proxy.asked) == len(direct.asked) == 1


def test_what_is_only_here_needs_no_source() -> None:
    with pytest.raises(WeightsError, match="no source"):
        fetch.fetch(entry())
    with pytest.raises(WeightsMissing):
        catalog.verify(entry())
    target().parent.mkdir(parents=True)
    target().write_bytes(CONTENT)
    assert fetch.fetch(entry(known=True)) == [target()]
