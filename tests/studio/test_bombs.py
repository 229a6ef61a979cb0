"""Small requests that cost much to answer: each is refused, soon, and the studio lives on."""

from __future__ import annotations

import gzip
import io
import json
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.studio.site import Site, ended, site, submitted
from text2art.errors import InputFileError
from text2art.media import rasterize
from text2art.studio.api import vocabulary
from text2art.studio.api.app import create_app
from text2art.studio.config import Caps, StudioConfig
from text2art.studio.intake import MAX_CHOICES, MAX_PERCEPTORS, MAX_SETTINGS
from text2art.studio.uploads import reencode

JOBS = "/api/v1/jobs"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, prepared_file: Path) -> Iterator[Site]:
    data = tmp_path_factory.mktemp("site")
    (data / "studio.db").write_bytes(prepared_file.read_bytes())
    with site(data, f"sqlite:///{data / 'studio.db'}", workers=1) as one:
        yield one


@pytest.fixture
def client(running: Site) -> Iterator[httpx.Client]:
    with running.client() as one:
        yield one


# ---- pictures -------------------------------------------------------------------------------


def svg(inner: str, box: str = "0 0 1000 1000") -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{inner}</svg>'.encode()


def anew(data: bytes) -> Any:
    return reencode(data, "x.svg", max_bytes=20_000_000, max_pixels=40_000_000)


DASHES = '<path d="M0 0L1000 1000" stroke="red" stroke-dasharray="0.001"/>' * 500
PATTERNS = "".join(
    f'<pattern id="p{n}" width="1e6" height="1e6" patternUnits="userSpaceOnUse">'
    f'<rect width="1e6" height="1e6" fill="url(#p{n - 1})"/></pattern>'
    for n in range(1, 30)
)
USES = "".join(f'<g id="g{n}">' + f'<use href="#g{n - 1}"/>' * 10 + "</g>" for n in range(1, 12))
ENTITIES = (
    b'<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    b'<svg xmlns="http://www.w3.org/2000/svg"><desc>&b;</desc></svg>'
)


@pytest.mark.parametrize(
    "data",
    [
        svg(DASHES),
        svg(f'<defs>{PATTERNS}</defs><rect width="1000" height="1000" fill="url(#p29)"/>'),
        svg(f'<defs><g id="g0"><rect width="1" height="1"/></g>{USES}</defs><use href="#g11"/>'),
        svg('<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>'),
        svg("<g>" * 5000 + "</g>" * 5000),
        svg('<image href="http://127.0.0.1/x.png"/>'),
        svg("<style>@import url(http://127.0.0.1/x.css);</style>"),
        ENTITIES,
    ],
    ids=["dashes", "patterns", "uses", "a loop", "depth", "a picture", "an import", "entities"],
)
def test_an_svg_that_would_never_end_is_refused(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("resvg_py")
    monkeypatch.setattr(rasterize, "CPU_SECONDS", 1)
    with pytest.raises(InputFileError, match=r"x\.svg"):
        anew(data)


@pytest.mark.parametrize("box", ["0 0 1e30 1e30", "0 0 1 100000000", "0 0 0 0", "0 0 -5 NaN"])
def test_an_svg_is_never_larger_than_we_draw(box: str) -> None:
    try:
        picture = anew(svg('<rect width="9" height="9"/>', box))
    except InputFileError:
        return
    assert max(picture.width, picture.height) <= 1024


def test_an_svg_that_is_fine_is_drawn_by_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("resvg_py")
    picture = anew(svg('<rect width="500" height="1000" fill="teal"/>'))
    image = Image.open(io.BytesIO(picture.png))
    assert (image.size, image.mode) == ((1024, 1024), "RGBA")
    assert image.getpixel((100, 500)) == (0, 128, 128, 255)
    assert image.getpixel((900, 500))[3] == 0  # type: ignore[index]
    monkeypatch.setattr(rasterize, "_drawn", None)  # in this process nothing is drawn
    assert anew(svg('<rect width="500" height="1000" fill="teal"/>')).png == picture.png


def packed(kind: str) -> bytes:
    if kind == "gzip":
        return gzip.compress(b"0" * 20_000_000)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.png", b"0" * 20_000_000)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["gzip", "zip"])
def test_archives_are_no_pictures(client: httpx.Client, kind: str) -> None:
    answer = client.post("/api/v1/uploads", files={"file": ("x.png", packed(kind))})
    assert (answer.status_code, answer.json()["field"]) == (422, "file")


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "TIFF", "GIF"])
def test_of_many_frames_one_is_kept(client: httpx.Client, kind: str) -> None:
    frames = [Image.new("RGB", (64, 48), (n, 255 - n, 0)) for n in range(0, 250, 5)]
    file = io.BytesIO()
    options = {} if kind == "TIFF" else {"loop": 0}
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], **options)
    upload = client.post("/api/v1/uploads", content=file.getvalue()).json()
    kept = Image.open(io.BytesIO(client.get(upload["url"]).content))
    assert (kept.format, getattr(kept, "n_frames", 1), kept.size) == ("PNG", 1, (64, 48))


def test_a_canvas_larger_than_its_picture_is_refused(client: httpx.Client) -> None:
    """The header of an animated WebP may claim any canvas for a tiny frame."""
    file = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    data = bytearray(file.getvalue())
    at = data.index(b"VP8X") + 12
    data[at : at + 6] = (16_383).to_bytes(3, "little") * 2
    answer = client.post("/api/v1/uploads", content=bytes(data))
    assert (answer.status_code, answer.json()["field"]) == (422, "file")


def test_a_record_whose_names_clash_is_read_all_the_same(client: httpx.Client) -> None:
    info = PngInfo()
    record = {"version": "9", "settings": {"pixel": 5, "pixel.cells": "4x4", "prompts": ["a"]}}
    info.add_itxt("text2art", json.dumps(record))
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=info)
    answer = client.post("/api/v1/recall", content=file.getvalue())
    assert answer.status_code == 200, answer.text
    assert answer.json()["settings"]["prompts"] == ["a"]
    assert "pixel" in [one["name"] for one in answer.json()["ignored"]]


# ---- settings -------------------------------------------------------------------------------

MANY: dict[str, tuple[dict[str, Any], str]] = {
    "settings": ({f"x{n}": 1 for n in range(MAX_SETTINGS + 1)}, "settings"),
    "options": ({"pixel": {f"x{n}": 1 for n in range(MAX_SETTINGS + 1)}}, "settings"),
    "losses": ({"losses": {f"x{n}": 1 for n in range(MAX_SETTINGS + 1)}}, "settings"),
    "choices": ({"prompts": ["{a|b}" * (MAX_CHOICES + 1)]}, "choices"),
    "choices in choices": ({"prompts": "{a|" * 40 + "b" + "}" * 40}, "deep"),
    "open braces": ({"prompts": "{" * 1900}, "brace"),
    "models": ({"perceptor": ",".join(["starter"] * (MAX_PERCEPTORS + 1))}, "models"),
    "prompts": ({"prompts": ["a"] * 5000}, "at most 32"),
    "scenes": ({"prompts": " ^ ".join(["a"] * 400)}, "at most 64"),
    "a long curve": ({"prompts": "a:{" + "t+" * 150 + "t}"}, "at most 200"),
    "a deep curve": ({"prompts": "a:{" + "(" * 90 + "t" + ")" * 90 + "}"}, "deep"),
    "a power": ({"prompts": "a:{9^9^9^9^9}"}, "no finite value"),
    "exponents": ({"prompts": "a:{exp(exp(exp(exp(t))))}"}, "no finite value"),
    "signs": ({"prompts": "a:{" + "-" * 150 + "t}"}, "deep"),
    "colors": ({"palette": "red->blue\\100000000"}, "256"),
    "ramps": ({"palette": "red->blue\\256;" * 1000}, "sections"),
    "palette": ({"palette": "#" * 30_000}, "characters"),
    "cells": ({"drawer": "pixel", "pixel": {"cells": "99999x99999"}}, "out of range"),
    "strokes": ({"drawer": "clipdraw", "clipdraw": {"strokes": 10**9}}, "less than"),
    "digits": ({"iterations": 10**400}, "less than"),
    "sides": ({"size": [10**30, 10**30]}, "out of range"),
    "styles": ({"styles": ["watercolor"] * 500}, "twice"),
    "words of seed": ({"seed": "x" * 5000}, "characters"),
    "keyframes": ({"animation_frames": 4, "animation_zoom": "0:(1)," * 2000}, "parts"),
}


@pytest.mark.parametrize("name", MANY)
def test_too_much_is_refused_in_words(client: httpx.Client, name: str) -> None:
    body, says = MANY[name]
    response = client.post(JOBS, json={"prompts": "a cat", **body})
    assert response.status_code == 422, response.text
    assert says in response.json()["error"]
    assert response.json()["field"]


def test_few_unknown_words_are_looked_up(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finding what a mistyped word is near to takes long, and a prompt has room for hundreds."""
    looked: list[str] = []
    near = vocabulary._near

    def noted(word: str, words: frozenset[str]) -> list[str]:
        looked.append(word)
        return near(word, words)

    monkeypatch.setattr(vocabulary, "_near", noted)
    letters = "bcdfghjklm"
    words = [f"zq{a}{b}{c}" for a in letters for b in letters for c in letters]
    texts = [" ".join(words[start : start + 300]) for start in (0, 300, 600)]
    answer = client.post("/api/v1/prompt", json={"prompts": [*texts, "x" * 1900]})
    assert answer.status_code == 200, answer.text
    assert len(looked) <= 10
    assert max(map(len, looked)) <= 40
    notices = [part["notices"][-1] for part in answer.json()["scenes"][0]]
    assert all(notice.startswith("the starter does not know") for notice in notices)
    assert max(map(len, notices)) < 1000


@pytest.mark.parametrize("kind", ["application/yaml", "text/yaml", "application/x-yaml"])
def test_yaml_is_not_read(client: httpx.Client, kind: str) -> None:
    bomb = b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nprompts: *c\n"
    response = client.post(JOBS, content=bomb, headers={"Content-Type": kind})
    assert response.status_code == 415
    job = submitted(client, prompts="a cat &a [*a] ${oc.env:HOME} !!python/object:x", iterations=1)
    assert job["prompt"] == "a cat &a [*a] ${oc.env:HOME} !!python/object:x"


def test_bounds_are_those_of_any_sensible_request() -> None:
    assert MAX_SETTINGS > 200
    assert Caps().settings_bytes >= 20 * 2000


# ---- requests -------------------------------------------------------------------------------

_APP = create_app(StudioConfig())
_PATHS = [
    (method.upper(), path)
    for path, methods in _APP.openapi()["paths"].items()
    for method in methods
    if "{" in path
]


@pytest.mark.parametrize(("method", "path"), _PATHS, ids=lambda value: str(value))
def test_no_name_in_a_path_leads_anywhere(running: Site, method: str, path: str) -> None:
    head, _, rest = path.partition("{")
    tail = rest.partition("}")[2].replace("{step}", "1").replace("{ending}", "png")
    for name in ("..%2f..%2fetc%2fpasswd", "%00", "%ff%fe", "..", ".", "x" * 3000, "%2e%2e%2f"):
        status = raw(running, f"{method} {head}{name}{tail} HTTP/1.1\r\nX-Text2Art: 1")
        assert status in (307, 400, 404, 405, 415, 422), (name, status)  # 307: without its slash


def test_slow_clients_hold_up_nobody(running: Site, client: httpx.Client) -> None:
    slow = []
    for n in range(120):
        connection = socket.create_connection(("127.0.0.1", running.port), timeout=30)
        host = f"Host: 127.0.0.1:{running.port}\r\n"
        if n % 3 == 0:
            connection.sendall(b"GET /health HTTP/1.1\r\nHo")  # and no more
        elif n % 3 == 1:
            head = f"POST {JOBS} HTTP/1.1\r\n{host}Content-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: 5000\r\n\r\n{{".encode())
        else:
            connection.sendall(f"GET /api/v1/events HTTP/1.1\r\n{host}\r\n".encode())  # unread
        slow.append(connection)
    job = ended(client, submitted(client, iterations=1))
    assert job["state"] == "done"
    for connection in slow:
        connection.close()


@pytest.mark.parametrize(
    ("asked", "status", "length"),
    [
        ("bytes=0-9", 206, 10),
        ("bytes=-5", 206, 5),
        ("bytes=0-99999999", 200, None),
        ("bytes=" + ",".join(f"{n}-{n}" for n in range(500)), 200, None),
        ("bytes=0-0,-1", 200, None),
        ("bytes=99999999-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=9-3", 416, None),
        ("bytes=" + "9" * 400 + "-", 200, None),
        ("bytes=a-b", 200, None),
        ("lines=1-2", 200, None),
    ],
)
def test_ranges(client: httpx.Client, asked: str, status: int, length: int | None) -> None:
    job = ended(client, submitted(client, iterations=1))
    response = client.get(job["result"]["files"]["png"], headers={"Range": asked})
    assert response.status_code == status
    if length is not None:
        assert len(response.content) == length


def test_odd_names_of_files_stay_names(client: httpx.Client) -> None:
    """A form whose file has line breaks, quotes and other parts' heads in its name."""
    name = 'x"\r\nContent-Type: text/html\r\n\r\n<script>1</script>.png'
    answer = client.post("/api/v1/uploads", files={"file": (name, b"no picture", "image/png")})
    assert answer.status_code == 422
    assert "\n" not in answer.json()["error"]
    assert answer.headers["content-type"] == "application/json"


def raw(running: Site, head: str) -> int:
    """Send a request as it stands; return the status."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
        host = f"Host: 127.0.0.1:{running.port}\r\nConnection: close"
        connection.sendall(f"{head}\r\n{host}\r\n\r\n".encode())
        return int(connection.makefile("rb").readline().split()[1])
