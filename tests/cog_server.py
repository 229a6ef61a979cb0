"""A real Cog server for tests, what it sends, a sink for its webhooks, and bounded waiting."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 180.0  # seconds; far beyond what anything here takes, so that a loaded machine passes


def until(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Wait for a true value and return it."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {patience:g} s in vain for {what}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(folder: Path) -> dict[str, str]:
    """Return what a server is started with: one thread, a private home and temporary folder."""
    (folder / "tmp").mkdir(exist_ok=True)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("COG_", "TEXT2ART_"))}
    return {
        **kept,
        "OMP_NUM_THREADS": "1",
        "TEXT2ART_DEVICE": "cpu",
        "TEXT2ART_HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "LOG_FORMAT": "console",
    }


class Server:
    """A running server: its process, its address and a client."""

    def __init__(self, words: Sequence[str], port: int, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self.log = folder / "server.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(words, cwd=folder, env=env, stdout=log, stderr=log)
        base = f"http://127.0.0.1:{port}"
        self.http = httpx.Client(base_url=base, timeout=PATIENCE, trust_env=False)

    def status(self) -> str:
        """Return what the health check says, "" while nobody answers."""
        try:
            return str(self.http.get("/health-check").json()["status"])
        except httpx.TransportError:
            return ""

    def wait_for(self, status: str) -> None:
        """Wait for a status; a server that ended or failed is an error at once."""

        def there() -> bool:
            now = self.status()
            if now == "SETUP_FAILED" or self.process.poll() is not None:
                raise AssertionError(self.log.read_text()[-3000:])
            return now == status

        until(there, status)

    def post(self, inputs: dict[str, Any], **body: Any) -> httpx.Response:
        """Ask for a prediction and wait for its end; tries again while the slot is busy.

        Cog frees the slot a little after it answers: a client has to expect 409 at any time.
        """

        def answer() -> httpx.Response | None:
            response = self.http.post("/predictions", json={"input": inputs, **body})
            return None if response.status_code == 409 else response

        response = until(answer, "a free slot")
        assert isinstance(response, httpx.Response)
        return response

    def start(self, name: str, inputs: dict[str, Any], **body: Any) -> httpx.Response:
        """Ask for a prediction under an id without waiting, or ask how it is going."""
        return self.http.put(
            f"/predictions/{name}",
            json={"input": inputs, **body},
            headers={"Prefer": "respond-async"},
        )

    def stop(self) -> int:
        """End the server politely; return its exit code."""
        self.http.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


@contextmanager
def cog_server(folder: Path) -> Iterator[Server]:
    """Start Cog's own server on predict.py, as `python -m cog.server.http` does."""
    port = free_port()
    env = environment(folder)
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env["PATH"]])
    env["PYTHONPATH"] = str(ROOT)
    env["PORT"] = str(port)
    env["COG_PREDICT_TYPE_STUB"] = f"{ROOT / 'predict.py'}:Predictor"
    words = [sys.executable, "-m", "cog.server.http", "--host", "127.0.0.1"]
    server = Server(words, port, folder, env)
    try:
        server.wait_for("READY")
        yield server
    finally:
        server.stop()


def children(pid: int) -> list[int]:
    """Return the processes that a process started (Linux)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


class Sink:
    """Takes webhooks in; their bodies are in `events`, in the order of arrival."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.events.append(json.loads(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def last(self) -> dict[str, Any] | None:
        """Return the event that ended the prediction, once it came."""
        ends = ("succeeded", "failed", "canceled")
        return next((e for e in self.events if e["status"] in ends), None)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def picture(url: str) -> Image.Image:
    head, _, data = url.partition(",")
    assert head.startswith("data:image/"), head
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    image.load()
    return image


def data_url(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def events(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
