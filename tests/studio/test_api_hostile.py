"""What strangers try: server files through settings, oversized and odd bodies, scripts, headers."""

from __future__ import annotations

import io
import json
import re
import socket
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from pydantic import BaseModel, Field

from tests.studio.site import Site, ended, site, submitted
from text2art import asking, fields, palettes
from text2art.errors import SettingsError
from text2art.serving import references
from text2art.serving.references import Names
from text2art.settings import Settings
from text2art.studio import intake
from text2art.studio.config import Caps

XSS = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
KEY = f"uploads/{'a' * 64}.png"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, prepared_file: Path) -> Iterator[Site]:
    data = tmp_path_factory.mktemp("site")
    (data / "studio.db").write_bytes(prepared_file.read_bytes())
    url = f"sqlite:///{data / 'studio.db'}"
    with site(data, url, workers=1, caps={"upload_bytes": 300_000}) as one:
        yield one


@pytest.fixture
def client(running: Site) -> Iterator[httpx.Client]:
    with running.client() as one:
        yield one


# ---- server files through settings ----------------------------------------------------------

TEXTS = [row for row in fields.rows() if row.kind in ("text", "texts", "weights", "numbers")]
PATHS = (
    "/etc/passwd",
    "../../etc/passwd",
    "~/.ssh/id_rsa",
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "C:\\Windows\\win.ini",
    "\\\\host\\share\\x.png",
    "/proc/self/environ",
    "cat.png",
    "*.png",
    "!/etc/passwd",
    " /etc/passwd",
    f"{KEY}/../../../etc/passwd",
    f"{KEY},/etc/passwd",
    f"/etc/passwd {KEY}",
    f"x{KEY}",
    f"./{KEY}",
    KEY.replace("uploads", "upl\\oads"),
    "jobs/../../etc/passwd",
    "data:image/png;base64,aGVsbG8=",
    "ftp://example.org/x.png",
    "s3://bucket/x.png",
    "\x00/etc/passwd",
)
WRAPPED = ("{}", "@{}", "@{}:0.5", "a cat [@{}]", "a cat [!@{}]", "red;@{}", "@{}\\4", "starter@{}")
CHOICES = ("{{@|}}{}", "{{|@}}{}", "{{@{}|a cat}}", "a {{cat|dog}} | @{}")


def test_every_setting_of_text_stands_in_the_table() -> None:
    assert {row.name for row in TEXTS} == set(references.TABLE)


def nested(name: str, value: Any) -> dict[str, Any]:
    for part in reversed(name.split(".")):
        value = {part: value}
    return dict(value)


@pytest.mark.parametrize("row", TEXTS, ids=lambda row: row.name)
def test_no_setting_names_a_file_of_the_server(row: fields.Row) -> None:
    """Whatever a stranger writes where, nothing that is accepted reads a file of the server."""
    rich = row.name in asking.KINDS or "palette" in row.name
    asked = [(form, path, 0) for path in PATHS for form in (WRAPPED if rich else WRAPPED[:2])]
    asked += [(form, path, seed) for path in PATHS[:3] for form in CHOICES for seed in range(3)]
    for form, path, seed in asked:
        text = form.format(path)
        value: Any = {text: 1.0} if row.kind == "weights" else text
        try:
            settings = intake.read(
                {"prompts": "a cat", "seed": seed, **nested(row.name, value)}, Caps()
            )
        except SettingsError:
            continue
        for name, source in read_by_the_engine(settings):
            own = source in intake.keys_of(settings.given())
            assert own or source.startswith(("http://", "https://")), (name, text, source)


def read_by_the_engine(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield what a worker would open: read off the engine's own ways, not off the table."""
    assert settings.seed is not None
    chosen: Any = settings.chosen(settings.seed)
    yield from asking.files_of(chosen)
    for name in ("init_image", "protect", "overlay_image", "animation_dir"):
        if getattr(chosen, name):
            yield name, getattr(chosen, name)
    for name, option in (
        ("edge", "image"),
        ("edge", "mask"),
        ("style", "file"),
        ("style", "vgg"),
        ("aesthetic", "weights"),
        ("vqgan", "config"),
    ):
        if getattr(getattr(chosen, name), option):
            yield f"{name}.{option}", getattr(getattr(chosen, name), option)
    for text in (chosen.palette, chosen.lookup.palette):
        yield from (("palette", file) for file in palettes.files_of(text))
    if chosen.vqgan.model not in ("", "starter"):
        yield "vqgan.model", chosen.vqgan.model
    for one in (*chosen.perceptor.split(","), chosen.aesthetic.perceptor):
        if "@" in one or one.strip().startswith(("/", ".", "~")) or "\\" in one:
            yield "perceptor", one


@pytest.mark.parametrize(
    "arguments",
    [
        "style:1->/etc/passwd",
        "style->file=/etc/passwd",
        "edge->image=/etc/passwd",
        "aesthetic->x.pt",
    ],
)
def test_arguments_of_losses_name_no_file_either(client: httpx.Client, arguments: str) -> None:
    response = client.post("/api/v1/jobs", json={"prompts": "x", "losses": arguments})
    assert (response.status_code, "names a file" in response.json()["error"]) == (422, True)
    assert (
        "lookup"
        in client.post(
            "/api/v1/jobs", json={"prompts": "x", "filters": "lookup->@/etc/passwd"}
        ).json()["error"]
    )


def test_each_seed_of_a_batch_is_looked_at(client: httpx.Client) -> None:
    """One seed makes words of it, the next one a file."""
    body = {"prompts": "{@|}/etc/passwd", "count": 12}
    answers = {
        client.post("/api/v1/jobs", json={**body, "seed": seed}).status_code for seed in range(4)
    }
    assert answers == {422}


def test_an_option_that_nobody_vouches_for_may_be_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    class Options(BaseModel):
        plain: str = Field("", json_schema_extra={"names": "nothing"})
        picture: str = Field("", json_schema_extra={"names": "picture"})
        other: str = ""

    references._declared.cache_clear()
    monkeypatch.setattr(references, "option_models", lambda: {"plug": Options})
    assert references.names("plug.plain") is Names.NOTHING
    assert references.names("plug.picture") is Names.PICTURE
    assert references.names("plug.other") is Names.FILE
    references._declared.cache_clear()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x.png",
        "http://localhost/x.png",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/x.png",
        "http://2130706433/x.png",
        "http://0x7f.1/x.png",
        "http://user@example.org/x.png",
        "https://studio.internal/x.png",
    ],
)
def test_nothing_is_fetched_from_within_the_network(client: httpx.Client, url: str) -> None:
    for path, body in (
        ("/api/v1/jobs", {"prompts": "x", "init_image": url}),
        ("/api/v1/jobs", {"prompts": f"x | @{url}"}),
        ("/api/v1/jobs", {"prompts": "x", "webhook_url": url}),
        ("/api/v1/uploads", {"url": url}),
    ):
        response = client.post(path, json=body)
        assert response.status_code == 422, (path, body)
        assert "allowed" in response.json()["error"] or "asked" in response.json()["error"]


@pytest.mark.parametrize("name", ["palette", "vector_prompts"])
def test_only_pictures_are_fetched(client: httpx.Client, name: str) -> None:
    value = "@https://example.org/x.gpl" if name == "palette" else "https://example.org/x.npy"
    response = client.post("/api/v1/jobs", json={"prompts": "x", name: value})
    assert (response.status_code, "pictures only" in response.json()["error"]) == (422, True)


# ---- bodies ---------------------------------------------------------------------------------


def test_bodies_are_bounded(running: Site, client: httpx.Client) -> None:
    large = b'{"prompts": "' + b"a" * 200_000 + b'"}'
    kind = {"Content-Type": "application/json"}
    stated = client.post("/api/v1/jobs", content=large, headers=kind)
    assert stated.status_code == 413
    chunked = client.post(
        "/api/v1/jobs", content=iter([large[:100_000], large[100_000:]]), headers=kind
    )
    assert (chunked.status_code, bool(chunked.json()["error"])) == (413, True)
    picture = client.post("/api/v1/uploads", content=b"x" * 400_000)
    assert picture.status_code == 413
    form = client.post("/api/v1/uploads", files={"file": ("x.png", b"x" * 310_000)})
    assert form.status_code == 413
    for length in ("-1", "x", "99999999999999999999"):
        assert raw(running, f"POST /api/v1/jobs HTTP/1.1\r\nContent-Length: {length}") in (400, 413)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[1, 2]", "application/json", 422),
        (b'"text"', "application/json", 422),
        (b'{"prompts": NaN}', "application/json", 400),
        (b'{"prompts": "x", "scale": 1e999}', "application/json", 400),
        (b'{"prompts": "x", "scale": Infinity}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"a":' * 30 + b"1" + b"}" * 30, "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"prompts": "\\ud800"}', "application/json", 422),
        (b'{"prompts": "a\\u0000b"}', "application/json", 422),
        (b'{"prompts": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b'{"prompts": "x"}', "text/plain", 415),
        (b'{"prompts": "x"}', "", 415),
        (b"prompts=x", "application/x-www-form-urlencoded", 415),
    ],
)
def test_odd_bodies(client: httpx.Client, content: bytes, kind: str, status: int) -> None:
    headers = {"Content-Type": kind} if kind else {}
    response = client.post("/api/v1/jobs", content=content, headers=headers)
    assert response.status_code == status, response.text
    assert response.json()["error"]


def bomb() -> bytes:
    """Return a PNG whose header says 50000 x 50000 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")
        )

    size = (50_000).to_bytes(4, "big")
    head = chunk(b"IHDR", size + size + b"\x08\x02\0\0\0")
    return (
        b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"<html><script>1</script>", b"%PDF-1.4", b"GIF89a", bomb()]
)
def test_uploads_that_are_no_pictures(client: httpx.Client, data: bytes) -> None:
    for response in (
        client.post("/api/v1/uploads", content=data, headers={"Content-Type": "image/png"}),
        client.post("/api/v1/uploads", files={"file": ("../../x.png", data)}),
        client.post("/api/v1/recall", files={"file": ("x.png", data)}),
    ):
        assert response.status_code in (400, 422), response.text
        assert response.json()["error"]
    assert client.post("/api/v1/uploads", files={"other": ("x.png", b"x")}).status_code == 422


def test_what_hides_in_a_picture_is_not_kept(client: httpx.Client) -> None:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, "PNG")
    polyglot = file.getvalue() + b"<script>alert(document.domain)</script>"
    upload = client.post("/api/v1/uploads", files={"file": ("x.html", polyglot)}).json()
    kept = client.get(upload["url"])
    assert b"script" not in kept.content
    assert kept.headers["content-type"] == "image/png"
    assert kept.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in kept.headers["content-security-policy"]


def test_settings_out_of_a_hostile_picture(client: httpx.Client) -> None:
    from PIL.PngImagePlugin import PngInfo

    given = {"prompts": [XSS], "init_image": "/etc/passwd", "seed": 4, "cuts": "${oc.env:HOME}"}
    info = PngInfo()
    record = {"version": "9", "settings": given}
    info.add_itxt("text2art", json.dumps(record))
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=info)
    answer = client.post("/api/v1/recall", files={"file": ("x.png", file.getvalue())})
    assert answer.status_code == 200, answer.text
    assert answer.json()["settings"] == {"prompts": [XSS], "seed": 4}
    assert {one["name"] for one in answer.json()["ignored"]} == {"init_image", "cuts"}


# ---- pages ----------------------------------------------------------------------------------


def test_scripts_in_prompts_stay_text(client: httpx.Client) -> None:
    job = ended(client, submitted(client, prompts=XSS, iterations=2, public=True))
    page = client.get(f"/a/{job['id']}")
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "onerror=alert" not in re.sub(r"&lt;img src=x onerror", "", page.text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&gt;" in page.text
    assert 'property="og:image" content="http://127.0.0.1:' in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for url in re.findall(r'(?:src|href)="([^"]*)"', page.text):
        assert url.startswith("/"), url
    listed = client.get("/api/v1/gallery")
    assert listed.headers["content-type"] == "application/json"
    assert XSS in [one["prompt"] for one in listed.json()["jobs"]]


def test_pages_ask_nobody_else(client: httpx.Client) -> None:
    docs = client.get("/docs")
    assert "http" not in docs.text.replace("http-equiv", "")
    for url in re.findall(r'(?:src|href)="(/[^"]+)"', docs.text):
        assert client.get(url).status_code == 200, url
    assert "SwaggerUIBundle" in client.get("/assets/swagger/swagger-ui-bundle.js").text
    assert client.get("/openapi.json").json()["openapi"].startswith("3.1")


@pytest.mark.parametrize(
    "path",
    ["/", "/docs", "/api/v1/me", "/api/v1/jobs", "/nothing", "/a/nothing", "/assets/plain.css"],
)
def test_headers_that_keep_pages_safe(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-request-id"]
    assert "server" not in headers or headers["server"] == "uvicorn"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../config.py",
        "/static/%2e%2e/config.py",
        "/static/..%2fconfig.py",
        "/static//etc/passwd",
        "/static/%00",
        "/assets/swagger/../../docs.js",
        "/assets/..%5c..%5capp.py",
        "/api/v1/uploads/..%2f..%2fstudio.db.png",
        "/api/v1/jobs/..%2f..%2f/result.png",
    ],
)
def test_paths_lead_nowhere_else(running: Site, path: str) -> None:
    assert raw(running, f"GET {path} HTTP/1.1") in (400, 404)


def test_names_of_files_make_no_headers(client: httpx.Client) -> None:
    prompt = 'a"\\; filename=x.exe'
    job = ended(client, submitted(client, prompts=prompt, iterations=1, seed='s"; x=\\'))
    header = client.get(job["result"]["files"]["png"], params={"download": True}).headers
    assert re.fullmatch(
        r'attachment; filename="[\w.-]+"; filename\*=UTF-8\'\'[\w.%-]+',
        header["content-disposition"],
    )


def test_mail_pages_need_a_press_and_a_token(client: httpx.Client) -> None:
    for path in ("/mail/confirm", "/mail/unsubscribe"):
        asked = client.get(path, params={"token": XSS})
        assert asked.status_code == 200
        assert "<script>alert" not in asked.text
        assert '<form method="post"' in asked.text
        assert client.post(path, data={"token": "x"}).status_code == 404
        assert client.post(path).status_code == 404


def test_the_web_process_is_free_of_torch() -> None:
    code = (
        "import sys, text2art.studio.api.serve, text2art.cli.studio; "
        "from text2art.studio.api.choices import all_styles, settings_table; "
        "from text2art.studio.config import Caps; settings_table(Caps()); all_styles(); "
        "print([name for name in ('torch', 'open_clip', 'numba') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def raw(running: Site, head: str) -> int:
    """Send a request as it stands; return the status."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
        host = f"Host: 127.0.0.1:{running.port}\r\nConnection: close"
        connection.sendall(f"{head}\r\n{host}\r\n\r\n".encode())
        return int(connection.makefile("rb").readline().split()[1])
