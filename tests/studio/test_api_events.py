"""Streams of events on a real server, on both databases: nothing missing, nothing twice."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, create_engine

from tests.studio.conftest import BOTH
from tests.studio.site import Said, Site, ended, seqs, site, stream, submitted


@pytest.fixture(scope="module", params=BOTH)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    data = tmp_path_factory.mktemp("site")
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("prepared_file"), data / "studio.db")
        url = f"sqlite:///{data / 'studio.db'}"
    else:
        url = request.getfixturevalue("server").url("events")
        with admin(request.getfixturevalue("server")) as connection:
            connection.exec_driver_sql("CREATE DATABASE events TEMPLATE prepared")
    with site(data, url, workers=2, pause=0.02, mode="public") as one:
        yield one


@contextlib.contextmanager
def admin(server: Any) -> Iterator[Connection]:
    engine = create_engine(server.url("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def client(running: Site) -> Iterator[httpx.Client]:
    with running.client() as one:
        yield one


def test_a_stream_tells_the_whole_story_and_ends(client: httpx.Client) -> None:
    job = submitted(client, iterations=5)
    said = list(stream(client, f"{job['url']}/events"))
    assert said[-1].event == "end"
    numbers = seqs(said)
    assert numbers == sorted(set(numbers))
    states = [one.data["data"]["state"] for one in said if one.event == "state"]
    assert (states[0], states[-1]) == ("queued", "done")
    frames = [one.data["data"] for one in said if one.event == "frame"]
    assert [frame["step"] for frame in frames] == [0, 1, 2, 3, 4]
    assert all("key" not in frame for frame in frames)
    assert client.get(frames[2]["url"]).headers["content-type"] == "image/webp"
    assert [one.id for one in said if one.event != "end"] == [
        str(one.data["seq"]) for one in said if one.event != "end"
    ]


def test_broken_connections_go_on_where_they_were(client: httpx.Client) -> None:
    job = submitted(client, iterations=40)
    path, last, said = f"{job['url']}/events", None, list[Said]()
    while not said or said[-1].event != "end":
        some = itertools.islice(stream(client, path, last), 7)  # then hang up
        said += list(some)
        last = next(one.id for one in reversed(said) if one.id)
    numbers = seqs(said)
    assert numbers == sorted(set(numbers))
    frames = [one.data["data"]["step"] for one in said if one.event == "frame"]
    assert frames == list(range(40))
    over = client.get(path, headers={"Accept": "text/event-stream", "Last-Event-ID": last or ""})
    assert (over.status_code, over.content) == (204, b"")
    afresh = list(stream(client, path))  # from the beginning: what was kept
    assert kept(afresh) == kept(said)


def test_a_retried_job_is_followed_again(client: httpx.Client) -> None:
    job = submitted(client, prompts="fail")
    first = list(stream(client, f"{job['url']}/events"))
    assert first[-1].event == "end"
    client.post(f"{job['url']}/retry")
    second = list(stream(client, f"{job['url']}/events", first[-2].id))
    states = [one.data["data"]["state"] for one in second if one.event == "state"]
    assert (states[0], states[-1]) == ("queued", "failed")
    assert min(seqs(second)) > max(seqs(first))


def test_polling_gives_the_same(client: httpx.Client) -> None:
    job = submitted(client, iterations=6)
    found, after = [], 0
    while True:
        answer = client.get(f"{job['url']}/events", params={"after": after, "wait": 10}).json()
        found += answer["events"]
        after = answer["next"]
        if answer["ended"]:
            break
    numbers = [event["seq"] for event in found]
    assert numbers == sorted(set(numbers))
    assert [e["data"]["step"] for e in found if e["type"] == "frame"] == list(range(6))
    none = client.get(f"{job['url']}/events", params={"after": after, "wait": 20}).json()
    assert none == {"events": [], "next": after, "ended": True}  # at once: nothing will come


def test_one_stream_for_all_of_my_jobs_and_nobody_elses(running: Site) -> None:
    with running.client() as mine, running.client() as other:
        assert mine.get("/api/v1/me").json()["owner"]["kind"] == "session"
        made: list[str] = []
        said: list[Said] = []

        def submit() -> None:
            submitted(other, iterations=3)
            made.extend(submitted(mine, iterations=3)["id"] for _ in range(3))

        done: set[str] = set()
        last: str | None = None
        thread = threading.Thread(target=submit)
        while len(done) < 3:
            for one in itertools.islice(stream(mine, "/api/v1/events", last), 9):
                if one.event == "hello" and last is None:
                    thread.start()
                said.append(one)
                last = one.id
                data = one.data.get("data", {})
                if data.get("state") == "done":
                    done.add(one.data["job_id"])
                if len(done) == 3:
                    break
        thread.join()
        told = [one for one in said if one.event != "hello"]
        assert {one.data["job_id"] for one in told} == set(made) == done
        for job_id in made:
            numbers = [one.data["seq"] for one in told if one.data["job_id"] == job_id]
            assert numbers == sorted(set(numbers))
            afresh = list(stream(mine, f"/api/v1/jobs/{job_id}/events"))
            assert kept(afresh) == kept([one for one in told if one.data["job_id"] == job_id])


def test_polling_all(client: httpx.Client) -> None:
    begin = client.get("/api/v1/events", params={"after": ""}).json()
    assert begin["events"] == []
    job = submitted(client, iterations=2)
    ended(client, job)
    answer = client.get("/api/v1/events", params={"after": "", "wait": 5}).json()
    assert answer["events"][0]["seq"] == 1
    rest = client.get("/api/v1/events", params={"after": answer["next"]}).json()
    assert rest == {"events": [], "next": answer["next"]}
    odd = client.get("/api/v1/events", params={"after": "nonsense"})  # from here on
    assert (odd.status_code, odd.json()["events"]) == (200, [])


def test_streams_end_when_the_server_stops(tmp_path: Path, prepared_file: Path) -> None:
    (tmp_path / "studio.db").write_bytes(prepared_file.read_bytes())
    began = threading.Event()
    with site(tmp_path, f"sqlite:///{tmp_path / 'studio.db'}") as one:
        client = one.client()

        def listen() -> None:
            for _ in stream(client, "/api/v1/events"):
                began.set()

        thread = threading.Thread(target=listen)
        thread.start()
        assert began.wait(20)
    thread.join(20)
    assert not thread.is_alive()
    client.close()


def kept(said: list[Said]) -> list[int]:
    """Return the numbers of those events that are not dropped once a job is over."""
    lasting = ("state", "frame", "score", "notice")
    return [one.data["seq"] for one in said if one.event in lasting]
