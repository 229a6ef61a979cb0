"""A studio's web server in a thread, on a real port, its jobs drawn by a fake."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from text2art.studio.api.app import create_app
from text2art.studio.api.context import Context
from text2art.studio.api.serve import Server
from text2art.studio.config import StudioConfig
from text2art.studio.service import Studio
from text2art.studio.worker.fake import FakeRunner
from text2art.studio.worker.supervisor import Supervisor

SECONDS = 60.0


@dataclass
class Said:
    """A server-sent event."""

    event: str
    id: str
    data: Any


class Site:
    """A running web server; close it when done."""

    def __init__(self, config: StudioConfig, *, workers: int = 0, pause: float = 0.01) -> None:
        self._socket = socket.create_server((config.host, 0))
        self.port = self._socket.getsockname()[1]
        self.config = config.model_copy(update={"port": self.port})
        self._workers, self._pause = workers, pause
        self.app = create_app(self.config, beside=self._beside)
        settings = uvicorn.Config(
            self.app,
            log_config=None,
            log_level="error",
            timeout_graceful_shutdown=5,
            ws="none",
            lifespan="on",
        )
        self.server = Server(settings)
        self._thread = threading.Thread(target=self.server.run, args=([self._socket],))
        self._thread.start()
        until = time.monotonic() + SECONDS
        while not self.server.started:
            assert self._thread.is_alive(), "the server did not start"
            assert time.monotonic() < until
            time.sleep(0.01)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def studio(self) -> Studio:
        context: Context = self.app.state.context
        return context.studio

    def client(self, **headers: str) -> httpx.Client:
        """Return a new visitor: a browser's session of its own where the studio has sessions."""
        return httpx.Client(base_url=self.url, headers=headers, timeout=SECONDS)

    def close(self) -> None:
        self.server.should_exit = True
        self._thread.join(timeout=SECONDS)
        assert not self._thread.is_alive()
        self._socket.close()

    def _beside(self, studio: Studio) -> Any:
        runners = [FakeRunner(self._pause) for _ in range(self._workers)]
        supervisor = Supervisor(studio, runners).start()
        return supervisor.stop


@contextlib.contextmanager
def site(
    data: Path, url: str, *, workers: int = 0, pause: float = 0.01, **config: Any
) -> Iterator[Site]:
    """Run a site on a database."""
    values = {"data": data, "database": url, "files": str(data / "files"), **config}
    running = Site(StudioConfig(**values), workers=workers, pause=pause)
    try:
        yield running
    finally:
        running.close()


def submitted(client: httpx.Client, **settings: Any) -> dict[str, Any]:
    """Hand in a job; return its JSON."""
    response = client.post("/api/v1/jobs", json={"prompts": "a red apple", **settings})
    assert response.status_code == 202, response.text
    job: dict[str, Any] = response.json()
    return job


def ended(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    """Wait for a job to end; return its JSON."""
    until = time.monotonic() + SECONDS
    after = 0
    while time.monotonic() < until:
        answer = client.get(f"{job['url']}/events", params={"after": after, "wait": 5}).json()
        after = answer["next"]
        if answer["ended"]:
            found: dict[str, Any] = client.get(job["url"]).json()
            return found
    raise AssertionError("the job does not end")


def stream(
    client: httpx.Client, path: str, last: str | None = None, **params: Any
) -> Iterator[Said]:
    """Yield server-sent events until the server ends the stream."""
    headers = {"Accept": "text/event-stream"}
    if last is not None:
        headers["Last-Event-ID"] = last
    with client.stream("GET", path, headers=headers, params=params) as response:
        assert response.status_code == 200, response.status_code
        assert response.headers["content-type"].startswith("text/event-stream")
        yield from events_of(response.iter_lines())


def events_of(lines: Iterator[str]) -> Iterator[Said]:
    """Read server-sent events, by the standard's rules."""
    event, mark = "message", ""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield Said(event, mark, json.loads("\n".join(data)))
            event, data = "message", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "id":
            mark = value
        elif name == "data":
            data.append(value)


def seqs(said: Sequence[Said]) -> list[int]:
    """Return the numbers of the job's own events."""
    return [int(one.data["seq"]) for one in said if one.event not in ("end", "hello")]
