"""Who may do what: sessions, API keys, the machine's own user, foreign pages and hosts."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.studio.site import Site, ended, site, submitted
from text2art.studio import accounts
from text2art.studio.api.callers import Callers, Credentials, is_local, network
from text2art.studio.api.errors import Refusal
from text2art.studio.config import StudioConfig
from text2art.studio.model import NotFound

ADMIN = "an-admin-key-for-tests"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, prepared_file: Path) -> Iterator[Site]:
    data = tmp_path_factory.mktemp("site")
    (data / "studio.db").write_bytes(prepared_file.read_bytes())
    url = f"sqlite:///{data / 'studio.db'}"
    with site(data, url, workers=1, mode="public", admin_key=ADMIN, reads_per_minute=3000) as one:
        yield one


@pytest.fixture
def ada(running: Site) -> Iterator[httpx.Client]:
    with running.client() as one:
        yield one


@pytest.fixture
def bob(running: Site) -> Iterator[httpx.Client]:
    with running.client() as one:
        yield one


def done(client: httpx.Client, **settings: Any) -> dict[str, Any]:
    return ended(client, submitted(client, iterations=2, **settings))


# ---- whose jobs are seen by whom ------------------------------------------------------------


def test_nobody_sees_or_touches_anothers_private_job(ada: httpx.Client, bob: httpx.Client) -> None:
    job = done(ada)
    reads = ["", "/events", "/frames/0", "/frames/last", "/result.png"]
    acts = ["/retry", "/continue", "/undelete", "/like", "/publish"]
    for path in reads:
        assert ada.get(job["url"] + path).status_code == 200, path
        assert bob.get(job["url"] + path).status_code == 404, path
    for path in acts:
        assert bob.post(job["url"] + path).status_code == 404, path
    for path in ("", "?mode=delete", "/like", "/publish"):
        assert bob.delete(job["url"] + path).status_code == 404, path
    assert bob.get("/api/v1/jobs").json() == {"jobs": [], "next": None}
    assert bob.get(f"/a/{job['id']}").status_code == 404
    assert ada.get(f"/a/{job['id']}").status_code == 200
    assert job["id"] not in bob.get("/api/v1/gallery").text
    named = {"prompts": "x", "init_image": f"jobs/{job['id']}/1/result.png"}
    assert bob.post("/api/v1/jobs", json=named).status_code == 422
    assert ada.post("/api/v1/jobs", json=named).status_code == 202


def test_published_pictures_are_seen_and_still_nobody_elses(
    ada: httpx.Client, bob: httpx.Client
) -> None:
    upload = ada.post("/api/v1/uploads", files={"file": ("a.png", _png())}).json()["key"]
    job = done(ada, prompts=f"a secret | @{upload}:0.5", init_image=upload)
    assert job["share"] is None
    published = ada.post(f"{job['url']}/publish").json()
    assert (published["public"], published["share"]) == (True, f"/a/{job['id']}")
    seen = bob.get(job["url"]).json()
    assert (seen["mine"], seen["batch_id"], seen["priority"]) == (False, None, 0)
    assert upload not in bob.get(job["url"]).text + bob.get("/api/v1/gallery").text
    assert upload not in bob.get(f"/a/{job['id']}").text
    assert "init_image" not in seen["settings"]
    assert ada.get(job["url"]).json()["settings"]["init_image"] == upload
    assert bob.get(seen["result"]["files"]["png"]).status_code == 200
    for method, path in [("DELETE", ""), ("POST", "/retry"), ("DELETE", "/publish")]:
        assert bob.request(method, job["url"] + path).status_code == 404
    gone = ada.delete(f"{job['url']}/publish").json()
    assert (gone["public"], bob.get(job["url"]).status_code) == (False, 404)


def test_each_may_like_once(ada: httpx.Client, bob: httpx.Client) -> None:
    job = done(ada, public=True)
    like = f"{job['url']}/like"
    assert bob.post(like).json() == {"liked": True, "likes": 1}
    assert bob.post(like).json() == {"liked": True, "likes": 1}
    assert ada.post(like).json() == {"liked": True, "likes": 2}
    assert bob.get(job["url"]).json()["liked"]
    liked = bob.get("/api/v1/gallery", params={"liked": True}).json()["jobs"]
    assert [one["id"] for one in liked] == [job["id"]]
    assert bob.delete(like).json() == {"liked": False, "likes": 1}
    assert bob.get("/api/v1/gallery", params={"liked": True}).json()["jobs"] == []


def test_the_gallery_is_searched_and_paged(ada: httpx.Client, bob: httpx.Client) -> None:
    made = [done(ada, prompts=f"zeppelin {name}", public=True)["id"] for name in "abc"]
    found = bob.get("/api/v1/gallery", params={"q": "ZEPPELIN pyramid", "limit": 2}).json()
    assert [job["id"] for job in found["jobs"]] == [made[2], made[1]]
    rest = bob.get(
        "/api/v1/gallery", params={"q": "zeppelin", "limit": 2, "cursor": found["next"]}
    ).json()
    assert ([job["id"] for job in rest["jobs"]], rest["next"]) == ([made[0]], None)
    assert bob.get("/api/v1/gallery", params={"q": "100%"}).json()["jobs"] == []
    assert bob.get("/api/v1/gallery", params={"drawer": "pixel"}).json()["jobs"] == []
    assert bob.get("/api/v1/gallery", params={"cursor": "x"}).status_code == 422


def test_the_administrator_hides_and_pauses(
    running: Site, ada: httpx.Client, bob: httpx.Client
) -> None:
    job = done(ada, public=True)
    with running.client(Authorization=f"Bearer {ADMIN}") as admin:
        assert admin.get("/api/v1/me").json()["admin"]
        assert admin.post(f"{job['url']}/hide").json() == {"hidden": True}
        assert bob.get(job["url"]).status_code == 404
        assert ada.get(job["url"]).json()["hidden"]
        assert admin.delete(f"{job['url']}/hide").json() == {"hidden": False}
        assert bob.get(job["url"]).status_code == 200
        assert admin.post("/api/v1/admin/pause").json() == {"paused": True}
        assert bob.get("/health").json()["status"] == "paused"
        assert admin.post("/api/v1/admin/resume").json() == {"paused": False}
        assert "text2art_jobs{" in admin.get("/metrics").text
    for method, path in [
        ("POST", f"{job['url']}/hide"),
        ("POST", "/api/v1/admin/pause"),
        ("POST", "/api/v1/admin/resume"),
        ("GET", "/metrics"),
    ]:
        assert ada.request(method, path).status_code == 403, path


# ---- sessions and keys ----------------------------------------------------------------------


def test_a_session_is_a_signed_cookie(running: Site) -> None:
    with running.client() as client:
        cookie = client.get("/api/v1/me").headers["set-cookie"]
        assert all(part in cookie for part in ("HttpOnly", "SameSite=Lax", "Path=/"))
        assert "Secure" not in cookie  # no https here
        assert "set-cookie" not in client.get("/api/v1/me").headers
        job = submitted(client)
        value = client.cookies["text2art"]
        owner, since, signature = value.split(".")
        other = "01m8et6j42nxc7g1b8d192swdw"
        for forged in (
            f"{other}.{since}.{signature}",
            f"{owner}.{int(since) + 1}.{signature}",
            f"{owner}.{since}.{'0' * 64}",
            f"{owner}.{since}",
            "x" * 5000,
            "\u00e9.1.2",
        ):
            header = {b"Cookie": f"text2art={forged}".encode()}
            assert httpx.get(running.url + job["url"], headers=header).status_code == 404, forged
        with running.client(Cookie=f"other=1; text2art={value}; more=2") as same:
            assert same.get(job["url"]).status_code == 200


def test_visitors_cost_the_database_nothing(running: Site, ada: httpx.Client) -> None:
    ada.get("/")
    ada.get("/api/v1/gallery")
    owner_id = ada.cookies["text2art"].partition(".")[0]
    assert running.studio.find_owner(owner_id) is None
    submitted(ada)
    assert running.studio.find_owner(owner_id) is not None


def test_api_keys_open_their_owners_jobs_until_revoked(running: Site, ada: httpx.Client) -> None:
    key, token = accounts.add_key(running.studio.engine, "robot")
    assert token.startswith("t2a_")
    stored = accounts.list_keys(running.studio.engine)
    assert token not in repr(stored)
    with running.client(Authorization=f"Bearer {token}") as robot:
        me = robot.get("/api/v1/me")
        assert me.json()["owner"] == {"kind": "key", "label": "robot"}
        assert "set-cookie" not in me.headers
        job = submitted(robot)
        assert ada.get(job["url"]).status_code == 404
        # A foreign page cannot send the header, so where it comes from does not matter.
        foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert robot.post("/api/v1/jobs", json={"prompts": "x"}, headers=foreign).status_code == 202
    accounts.revoke_key(running.studio.engine, key.id)
    running.app.state.context.callers._known.clear()  # within seconds, by itself
    with running.client(Authorization=f"Bearer {token}") as robot:
        refused = robot.get("/api/v1/me")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    for wrong in ("t2a_", "t2a_" + "x" * 43, "x", "\u00ff" * 9, "t2a_" + "y" * 5000):
        header = {b"Authorization": f"Bearer {wrong}".encode("latin-1")}
        assert httpx.get(f"{running.url}/api/v1/me", headers=header).status_code == 401
    with pytest.raises(NotFound):
        accounts.revoke_key(running.studio.engine, "nothing")
    with pytest.raises(NotFound):
        accounts.add_key(running.studio.engine, "x", "nobody")


# ---- foreign pages and hosts ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),  # a program
        ({"X-Text2Art": "1", "Sec-Fetch-Site": "cross-site"}, True),  # needs a preflight elsewhere
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),  # another port or a sibling is not us
        ({"Origin": "http://127.0.0.1:{port}"}, True),
        ({"Origin": "http://127.0.0.1:1"}, False),
        ({"Origin": "https://127.0.0.1:{port}"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://127.0.0.1:{port}.evil.example"}, False),
        ({"Origin": "http://[::1"}, False),
    ],
)
def test_foreign_pages_change_nothing(
    running: Site, ada: httpx.Client, headers: dict[str, str], passes: bool
) -> None:
    sent = {name: value.replace("{port}", str(running.port)) for name, value in headers.items()}
    for method, path in [("POST", "/api/v1/jobs"), ("POST", "/generate")]:
        response = ada.request(method, path, json={"prompts": "x"}, headers=sent)
        assert response.status_code == (202 if passes else 403), response.text
    assert ada.get("/api/v1/me", headers=sent).status_code == 200  # looking is free


def test_no_other_origin_may_read(ada: httpx.Client) -> None:
    response = ada.options(
        "/api/v1/jobs",
        headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"},
    )
    assert response.status_code == 405
    assert not [name for name in response.headers if name.startswith("access-control")]


def config(**values: Any) -> StudioConfig:
    return StudioConfig(**values)


def said(host: str = "127.0.0.1:8000", method: str = "GET", **headers: str) -> Credentials:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Credentials({"host": host, **given}, None, "127.0.0.1", method, "http")


@pytest.mark.parametrize(
    ("values", "local"),
    [
        ({}, True),
        ({"host": "::1"}, True),
        ({"host": "localhost"}, True),
        ({"host": "0.0.0.0"}, False),
        ({"mode": "public"}, False),
        ({"public_url": "https://art.example"}, False),
        ({"public_url": "http://localhost:9000"}, True),
    ],
)
def test_only_a_private_studio_on_loopback_is_the_machines_own(
    values: dict[str, Any], local: bool
) -> None:
    assert is_local(config(**values)) is local


def test_names_that_are_not_ours_are_refused(running: Site) -> None:
    engine = running.studio.engine
    local = Callers(config(), engine, "secret")
    for host in ("127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000"):
        local.check_host(said(host))
    for host in ("evil.example", "127.0.0.1.evil.example:8000", "", "evil.example:8000"):
        with pytest.raises(Refusal, match="not called"):
            local.check_host(said(host))
    for header in ("x_forwarded_for", "forwarded", "via", "x_real_ip"):
        with pytest.raises(Refusal, match="proxy"):
            local.check_host(said(**{header: "1.2.3.4"}))
    behind = Callers(config(public_url="https://art.example"), engine, "secret")
    behind.check_host(said("art.example", x_forwarded_for="1.2.3.4"))
    behind.check_origin(said("art.example", "POST", origin="https://art.example"))
    assert "Secure" in behind.cookie_of("x", 0) or behind.secure
    with pytest.raises(Refusal):
        behind.check_host(said("other.example"))
    with pytest.raises(Refusal):
        behind.check_origin(said("art.example", "POST", origin="https://evil.example"))
    Callers(config(host="0.0.0.0"), engine, "secret").check_host(said("any.lan"))


def test_addresses_are_counted_by_network() -> None:
    assert network("192.0.2.7") == "192.0.2.7"
    assert network("2001:db8::1") == network("2001:db8:0:0:ffff::2") == "2001:db8::/64"
    assert network("::ffff:192.0.2.7") == "192.0.2.7"
    assert network("fe80::1%eth0") == "fe80::/64"
    assert network("nonsense") == "unknown"


# ---- how often ------------------------------------------------------------------------------


def test_too_much_is_too_much(tmp_path: Path, prepared_file: Path) -> None:
    (tmp_path / "studio.db").write_bytes(prepared_file.read_bytes())
    url = f"sqlite:///{tmp_path / 'studio.db'}"
    limits = {"requests_per_minute": 5, "reads_per_minute": 10}
    with site(tmp_path, url, mode="public", **limits) as one:
        with one.client() as client:
            assert submitted(client, count=5)
            refused = client.post("/api/v1/jobs", json={"prompts": "x"})
            assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
            assert client.post("/api/v1/jobs", json={"prompts": "x", "count": 6}).status_code == 429
            codes = [client.get("/api/v1/me").status_code for _ in range(45)]
            assert (codes[0], codes[-1]) == (200, 429)
            assert client.get("/health").status_code == 200  # probes are not counted
        fresh = 0
        for _ in range(6):  # new sessions cost nothing: then the address counts
            with one.client() as other:
                fresh += (
                    other.post("/api/v1/jobs", json={"prompts": "x", "count": 5}).status_code == 202
                )
        assert fresh == 2


def _png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, "PNG")
    return file.getvalue()
