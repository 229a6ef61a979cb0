"""Jobs over HTTP: handing in, looking at, canceling, going on; on a real server."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.studio.sinks import http_sink, says
from tests.studio.site import Site, ended, site, submitted

UNKNOWN = "01m8et6j42nxc7g1b8d192swdw"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, prepared_file: Path) -> Iterator[Site]:
    data = tmp_path_factory.mktemp("site")
    url = f"sqlite:///{data / 'studio.db'}"
    (data / "studio.db").write_bytes(prepared_file.read_bytes())
    with site(
        data, url, workers=1, allow_hosts=("127.0.0.1",), caps={"queued_per_owner": 24}
    ) as one:
        yield one


@pytest.fixture
def client(running: Site) -> Iterator[httpx.Client]:
    with running.client() as one:
        yield one


@pytest.fixture
def waiting(running: Site) -> Iterator[None]:
    """Let jobs wait."""
    running.studio.pause()
    yield
    running.studio.resume()


def test_a_job_from_beginning_to_end(client: httpx.Client) -> None:
    response = client.post("/api/v1/jobs", json={"prompts": "a lighthouse", "iterations": 4})
    assert response.status_code == 202
    job = response.json()
    assert response.headers["location"] == job["url"] == f"/api/v1/jobs/{job['id']}"
    assert job["batch"] == [job["id"]]
    assert job["settings"]["prompts"] == ["a lighthouse"]
    assert job["settings"]["seed"] == job["seed"]
    done = ended(client, job)
    assert (done["state"], done["progress"], done["mine"]) == ("done", 1.0, True)
    assert [frame["step"] for frame in done["frames"]] == [0, 1, 2, 3]
    picture = client.get(done["result"]["files"]["png"])
    assert picture.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(picture.content)).size == (32, 32)
    frame = client.get(done["frames"][1]["url"])
    assert frame.headers["content-type"] == "image/webp"
    assert "immutable" in frame.headers["cache-control"]
    last = client.get(f"{job['url']}/frames/last")
    assert last.content == client.get(done["frames"][-1]["url"]).content
    assert "immutable" not in last.headers["cache-control"]


def test_a_failed_job_says_why(client: httpx.Client) -> None:
    failed = ended(client, submitted(client, prompts="please fail"))
    assert failed["state"] == "failed"
    assert failed["error"] == "the prompt says that it fails"
    assert failed["result"] is None
    missing = client.get(f"{failed['url']}/result.png")
    assert missing.status_code == 404
    assert "none yet" in missing.json()["error"]


def test_a_batch_is_jobs_whose_seeds_follow(client: httpx.Client) -> None:
    first = submitted(client, iterations=2, count=3, seed=7)
    assert len(first["batch"]) == 3
    listed = client.get("/api/v1/jobs", params={"batch_id": first["batch_id"]}).json()["jobs"]
    assert {job["id"] for job in listed} == set(first["batch"])
    assert sorted(job["seed"] for job in listed) == [7, 8, 9]


@pytest.mark.usefixtures("waiting")
def test_lists_go_on_where_the_page_ended(client: httpx.Client) -> None:
    made = submitted(client, count=5)["batch"]
    found: list[str] = []
    cursor = None
    for _ in range(3):
        params = {"limit": 2, "batch_id": client.get(f"/api/v1/jobs/{made[0]}").json()["batch_id"]}
        page = client.get(
            "/api/v1/jobs", params={**params, **({"cursor": cursor} if cursor else {})}
        )
        found += [job["id"] for job in page.json()["jobs"]]
        cursor = page.json()["next"]
    assert cursor is None
    assert sorted(found) == sorted(made)
    queued = client.get("/api/v1/jobs", params={"state": "queued", "limit": 200}).json()["jobs"]
    assert set(made) <= {job["id"] for job in queued}
    assert client.get("/api/v1/jobs", params={"state": "done"}).json()["jobs"] == [
        job for job in client.get("/api/v1/jobs").json()["jobs"] if job["state"] == "done"
    ]
    for job_id in made:
        client.delete(f"/api/v1/jobs/{job_id}")


@pytest.mark.usefixtures("waiting")
def test_waiting_jobs_have_a_position_and_can_be_canceled(client: httpx.Client) -> None:
    first, second = submitted(client), submitted(client)
    assert client.get(second["url"]).json()["position"] == first["position"] + 1
    canceled = client.delete(first["url"])
    assert (canceled.status_code, canceled.json()["state"]) == (200, "canceled")
    assert client.delete(first["url"]).status_code == 200  # twice is once
    assert client.delete(second["url"]).json()["state"] == "canceled"
    again = client.post(f"{first['url']}/retry")
    assert (again.status_code, again.json()["state"]) == (202, "queued")
    client.delete(first["url"])


def test_no_preview_is_named_that_is_not_there(client: httpx.Client, waiting: None) -> None:
    job = submitted(client)
    canceled = client.delete(job["url"]).json()
    listed = client.get("/api/v1/jobs").json()["jobs"][0]
    for one in (job, canceled, client.get(job["url"]).json(), listed):
        assert (one["id"], one["preview"]) == (job["id"], None)
    assert client.get(f"{job['url']}/frames/last").status_code == 404


def test_a_preview_that_is_named_is_there(client: httpx.Client) -> None:
    for settings in ({}, {"prompts": "fail"}):
        job = submitted(client, iterations=30, **settings)
        while job["state"] in ("queued", "running"):
            job = client.get(job["url"]).json()
            if job["preview"] is not None:
                assert client.get(job["preview"]).status_code == 200


def test_canceling_a_running_job_keeps_its_picture(client: httpx.Client) -> None:
    job = submitted(client, iterations=500)
    while not client.get(job["url"]).json()["frames"]:
        client.get(f"{job['url']}/events", params={"after": 1, "wait": 1})
    assert client.delete(job["url"]).json()["cancel_requested"]
    canceled = ended(client, job)
    assert canceled["state"] == "canceled"
    assert client.get(canceled["result"]["files"]["png"]).status_code == 200
    gone = client.delete(submitted_and_done(client)["url"])
    assert (gone.status_code, "over already" in gone.json()["error"]) == (409, True)


def test_deleting_can_be_undone(client: httpx.Client) -> None:
    job = submitted_and_done(client)
    assert client.delete(job["url"], params={"mode": "delete"}).status_code == 200
    assert client.get(job["url"]).status_code == 404
    assert client.get(job["result"]["files"]["png"]).status_code == 404
    assert client.post(f"{job['url']}/undelete").json()["state"] == "done"
    assert client.get(job["result"]["files"]["png"]).status_code == 200
    assert client.delete(job["url"], params={"mode": "burn"}).status_code == 422


def test_going_on_from_a_job(client: httpx.Client) -> None:
    job = submitted_and_done(client)
    response = client.post(f"{job['url']}/continue", json={"iterations": 2, "step": 1})
    assert response.status_code == 202, response.text
    made = response.json()
    assert made["parent_id"] == job["id"]
    assert made["settings"]["iterations"] == 2
    assert made["settings"]["init_image"].endswith("/frames/000001.webp")
    assert ended(client, made)["state"] == "done"
    assert client.post(f"{job['url']}/continue").status_code == 202  # as it is, from the end
    for body in ({"step": 99}, {"step": -1}, {"step": "x"}, {"count": 2}, {"nonsense": 1}):
        assert client.post(f"{job['url']}/continue", json=body).status_code in (404, 422), body


def test_the_same_key_gives_the_same_job(client: httpx.Client) -> None:
    body = {"prompts": "a tree", "iterations": 2, "count": 2}

    def ask(_: int) -> tuple[str, ...]:
        response = client.post("/api/v1/jobs", json=body, headers={"Idempotency-Key": "k1"})
        assert response.status_code == 202, response.text
        return (response.json()["id"], *response.json()["batch"])

    with ThreadPoolExecutor(6) as threads:
        assert len(set(threads.map(ask, range(6)))) == 1
    other = client.post(
        "/api/v1/jobs", json={**body, "prompts": "x"}, headers={"Idempotency-Key": "k1"}
    )
    assert (other.status_code, "another request" in other.json()["error"]) == (409, True)
    long = client.post("/api/v1/jobs", json=body, headers={"Idempotency-Key": "k" * 201})
    assert long.status_code == 422


def test_pictures_named_by_url_are_fetched_before_queueing(client: httpx.Client) -> None:
    with http_sink() as server:
        server.replies[:] = [says(200, _png(), content_type="image/png")]
        url = server.url("/cat.png")
        body = {
            "prompts": f"a cat | @{url}:0.5",
            "init_image": url,
            "losses": f"style:1->file={url}",
            "iterations": 2,
        }
        job = client.post("/api/v1/jobs", json=body, headers={"Idempotency-Key": "fetch"}).json()
        settings = job["settings"]
        key = settings["init_image"]
        assert key.startswith("uploads/")
        assert settings["prompts"] == [f"a cat | @{key}:0.5"]
        assert settings["style"]["file"] == key
        assert "http" not in str(settings)
        again = client.post("/api/v1/jobs", json=body, headers={"Idempotency-Key": "fetch"}).json()
        assert again["id"] == job["id"]
        made_up = f"a cat | @{server.url()}{{a|b}}.png"
        refused = client.post("/api/v1/jobs", json={"prompts": made_up})
        assert (refused.status_code, "put together" in refused.json()["error"]) == (422, True)
    gone = client.post("/api/v1/jobs", json={"prompts": "x", "init_image": url})
    assert (gone.status_code, "cannot be loaded" in gone.json()["error"]) == (422, True)


def test_uploads(client: httpx.Client) -> None:
    made = client.post("/api/v1/uploads", files={"file": ("cat.png", _png())})
    assert made.status_code == 201
    upload = made.json()
    assert (upload["width"], upload["height"]) == (8, 8)
    raw = client.post("/api/v1/uploads", content=_png(), headers={"Content-Type": "image/png"})
    assert raw.json()["key"] == upload["key"]
    assert client.get(upload["url"]).headers["content-type"] == "image/png"
    job = submitted(client, init_image=upload["key"], iterations=2)
    assert job["settings"]["init_image"] == upload["key"]
    unknown = {"prompts": "x", "init_image": f"uploads/{'0' * 64}.png"}
    assert "upload it" in client.post("/api/v1/jobs", json=unknown).json()["error"]
    assert client.get(f"/api/v1/uploads/{'0' * 64}.png").status_code == 404


def test_ranges_and_unchanged_files(client: httpx.Client) -> None:
    url = submitted_and_done(client)["result"]["files"]["png"]
    whole = client.get(url)
    part = client.get(url, headers={"Range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, whole.content[2:6])
    assert part.headers["content-range"] == f"bytes 2-5/{len(whole.content)}"
    assert client.get(url, headers={"Range": "bytes=-3"}).content == whole.content[-3:]
    assert client.get(url, headers={"Range": "bytes=5-"}).content == whole.content[5:]
    assert client.get(url, headers={"Range": "bytes=9999999-"}).status_code == 416
    for strange in ("bytes=x", "bytes=1-2,4-5", "bytes=-", "lines=1-2"):
        assert client.get(url, headers={"Range": strange}).content == whole.content
    same = client.get(url, headers={"If-None-Match": whole.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


def test_downloads_have_readable_names(client: httpx.Client) -> None:
    job = ended(client, submitted(client, prompts='Bäume "am"\tSee', iterations=1, seed="a b"))
    response = client.get(job["result"]["files"]["png"], params={"download": True})
    header = response.headers["content-disposition"]
    assert header.startswith('attachment; filename="b_ume-am-see-a-b.png"')
    assert "filename*=UTF-8''b%C3%A4ume-am-see-a-b.png" in header


@pytest.mark.parametrize(
    "send",
    [
        lambda c, v: c.post("/generate", json=v),
        lambda c, v: c.post("/generate", data=v),
        lambda c, v: c.post("/generate", params=v),
    ],
    ids=["json", "form", "query"],
)
def test_the_articles_form(client: httpx.Client, send: Callable[..., httpx.Response]) -> None:
    values: dict[str, Any] = {
        "prompts": "Underwater Castle",
        "quality": "draft",
        "aspect": "square",
    }
    response = send(client, {**values, "style": "Pixel Art", "scale": 2.5, "iterations": 2})
    assert response.status_code == 202, response.text
    assert response.json()["message"] == "Task is processed in the background"
    job = client.get(response.json()["url"]).json()
    assert (job["drawer"], job["prompt"]) == ("pixel", "Underwater Castle")
    assert (job["settings"]["scale"], job["settings"]["quality"]) == (2.5, "draft")
    page = client.get(response.json()["page"])
    assert (page.status_code, page.headers["location"]) == (303, f"/?job={job['id']}")


def test_the_articles_form_can_wait_for_the_picture(client: httpx.Client) -> None:
    body = {"prompts": "a fish", "iterations": 3, "style": "painting"}
    response = client.post("/generate", json=body, headers={"Accept": "image/png"})
    assert (response.status_code, response.headers["content-type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(response.content)).size == (32, 32)
    assert client.get(response.headers["content-location"]).json()["drawer"] == "clipdraw"
    failed = client.post("/generate", json={"prompts": "fail"}, headers={"Accept": "image/png"})
    assert (failed.status_code, failed.json()["error"]) == (422, "the prompt says that it fails")
    for wrong in ({"style": "cubist"}, {"drawer": "pixel"}, {"quality": "superb"}):
        assert client.post("/generate", json=wrong).status_code == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("DELETE", "?mode=delete"),
        ("GET", "/events"),
        ("GET", "/frames/1"),
        ("GET", "/frames/last"),
        ("GET", "/result.png"),
        ("POST", "/continue"),
        ("POST", "/retry"),
        ("POST", "/undelete"),
        ("POST", "/like"),
        ("DELETE", "/like"),
        ("POST", "/publish"),
        ("DELETE", "/publish"),
        ("POST", "/hide"),
    ],
)
@pytest.mark.parametrize(
    "job_id", [UNKNOWN, "x", "..%2f..%2fetc", "%00", "\u20ac" * 26, "1" * 3000]
)
def test_unknown_jobs_are_not_found(
    client: httpx.Client, method: str, path: str, job_id: str
) -> None:
    response = client.request(method, f"/api/v1/jobs/{job_id}{path}")
    assert response.status_code == 404, response.text
    assert response.json()["error"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "prompt"),
        ({"promts": "x"}, "Did you mean 'prompts'"),
        ({"prompts": "a", "count": 0}, "count"),
        ({"prompts": "a", "count": 17}, "count"),
        ({"prompts": "a", "priority": 101}, "priority"),
        ({"prompts": "a", "public": "perhaps"}, "public"),
        ({"prompts": "a", "iterations": 5000}, "allows"),
        ({"prompts": "a", "size": "4000x4000"}, "allows"),
        ({"prompts": "a", "email": "me@example.org"}, "sends no mail"),
        ({"prompts": "a", "webhook_url": "ftp://x.example"}, "http"),
        ({"prompts": "a" * 100_000}, "characters"),
        ({"prompts": "a", "drawer": "pixle"}, "Did you mean"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    client: httpx.Client, body: dict[str, Any], words: str
) -> None:
    response = client.post("/api/v1/jobs", json=body)
    assert response.status_code == 422, response.text
    assert words in response.json()["error"]
    assert response.json()["request_id"] == response.headers["x-request-id"]


def test_faults_in_prompts_are_pointed_at(client: httpx.Client) -> None:
    answer = client.post("/api/v1/jobs", json={"prompts": "a ||b"}).json()
    assert answer["pointer"] == {"source": "a ||b", "at": 3}
    answer = client.post("/api/v1/palettes/read", json={"palette": "red, blu"}).json()
    assert answer["pointer"]["source"] == "red, blu"


def test_the_queue_has_an_end(client: httpx.Client, running: Site) -> None:
    running.studio.pause()
    made: list[str] = []
    while True:
        response = client.post("/api/v1/jobs", json={"prompts": "a", "count": 8})
        if response.status_code != 202:
            break
        made += response.json()["batch"]
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) > 0
    for job_id in made:
        client.delete(f"/api/v1/jobs/{job_id}", params={"mode": "delete"})
    running.studio.resume()


def submitted_and_done(client: httpx.Client) -> dict[str, Any]:
    return ended(client, submitted(client, iterations=3))


def _png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, "PNG")
    return file.getvalue()
