"""Cog containers as runners: the real server, and a stand-in for all that containers do wrong."""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.cog_server import ROOT, Server, children, environment, free_port, until
from text2art.media.png import encode_picture, read_record
from text2art.studio.config import StudioConfig
from text2art.studio.gallery import JobView
from text2art.studio.model import EventType, State
from text2art.studio.net import Web
from text2art.studio.service import LOCAL, Studio
from text2art.studio.uploads import Uploads
from text2art.studio.worker import slot
from text2art.studio.worker.cog import CogRunner
from text2art.studio.worker.cogstream import Broken, events
from text2art.studio.worker.fake import FakeRunner
from text2art.studio.worker.supervisor import Supervisor

JOB: dict[str, Any] = {
    "prompts": ["a red apple | a green pear:0.5"],
    "perceptor": "toy",
    "drawer": "pixel",
    "size": "32x32",
    "iterations": 4,
    "cuts": 2,
    "starts": 1,
    "seed": 7,
    "display_every": 2,
}
# Some seconds of drawing for a container, and not many pictures for a fake.
LONG: dict[str, Any] = {"iterations": 200, "size": "128x128", "cuts": 24, "display_every": 1}


def view(studio: Studio, job_id: str) -> JobView:
    return studio.get(job_id, LOCAL)


def submit(studio: Studio, **changes: Any) -> str:
    return studio.submit({**JOB, **changes}, LOCAL)[0].id


def ended(studio: Studio, job_id: str) -> JobView:
    until(lambda: view(studio, job_id).job.state.ended, f"the end of {job_id}")
    return view(studio, job_id)


def open_studio(folder: Path, **values: Any) -> Studio:
    return Studio.open(StudioConfig(data=folder, lease_seconds=3, **values))


# ---- the real server ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run Cog's server on `tests.studio.container`."""
    folder = tmp_path_factory.mktemp("container")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    own = {"PATH": path, "PYTHONPATH": str(ROOT), "PORT": str(free_port())}
    own["COG_PREDICT_TYPE_STUB"] = f"{Path(__file__).with_name('container.py')}:Predictor"
    words = [sys.executable, "-m", "cog.server.http", "--host", "127.0.0.1"]
    server = Server(words, int(own["PORT"]), folder, {**environment(folder), **own})
    try:
        server.wait_for("READY")
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("studio"))
    yield studio
    studio.close()


@pytest.fixture
def workers(
    studio: Studio, container: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Supervisor]:
    """Let the container draw, as long as the test lasts."""
    monkeypatch.setattr(slot, "_WAIT", 0.05)
    with Supervisor(studio, [CogRunner(studio.config, str(container.http.base_url))]) as workers:
        yield workers


def test_a_container_draws(studio: Studio, workers: Supervisor, tmp_path: Path) -> None:
    png = io.BytesIO()
    Image.new("RGB", (32, 32), "teal").save(png, "PNG")
    key = (
        Uploads(studio.engine, studio.store, studio.config.caps, Web())
        .receive(LOCAL, png.getvalue())
        .key
    )
    job_id = submit(studio, init_image=key, make_video=True, video_format="gif")
    found = ended(studio, job_id)
    assert (found.job.state, found.job.error) == (State.DONE, "")
    assert found.job.result is not None
    files = found.job.result["files"]
    assert set(files) == {"png", "gif"}
    local = studio.store.local(files["png"])
    assert local is not None
    record = read_record(local)
    assert record["settings"]["init_image"] == key, "and not a file of the container"
    assert record["settings"]["prompts"] == JOB["prompts"]
    assert (found.job.result["width"], found.job.result["seed"]) == (32, 7)
    assert list(found.frames) == [0, 2, 4]
    assert (found.job.step, found.job.steps) == (4, 4)
    assert found.job.score is not None
    logs = [dict(e.data) for e in studio.events_since(job_id, LOCAL)]
    assert any(e.get("step") == 2 and "score" in e for e in logs)
    with studio.store.open(files["gif"]) as file, Image.open(file) as film:
        assert film.format == "GIF"
    assert studio.workers()[0].runner == "cog"


def test_mistakes_come_back_in_one_line(studio: Studio, workers: Supervisor) -> None:
    job = ended(studio, submit(studio, init_weight=1.0)).job
    assert (job.state, job.attempt) == (State.FAILED, 1)
    assert job.error == "init_weight needs an init_image to keep to"


def test_a_cancel_keeps_the_last_picture(
    studio: Studio, workers: Supervisor, container: Server
) -> None:
    job_id = submit(studio, iterations=1000, size="64x64", display_every=1)
    until(lambda: view(studio, job_id).frames, "a picture")
    studio.cancel(job_id, LOCAL)
    job = ended(studio, job_id).job
    assert job.state is State.CANCELED
    assert job.result is not None
    assert studio.store.exists(job.result["files"]["png"])
    container.wait_for("READY")


def test_stopping_frees_the_container(
    studio: Studio, workers: Supervisor, container: Server
) -> None:
    job_id = submit(studio, **LONG)
    until(lambda: view(studio, job_id).job.step, "some steps")
    container.wait_for("BUSY")
    workers.stop()
    assert view(studio, job_id).job.state is State.QUEUED
    container.wait_for("READY")
    studio.cancel(job_id, LOCAL)


def test_a_container_whose_worker_dies_is_marked_down_and_the_job_moves(
    studio: Studio, workers: Supervisor, container: Server
) -> None:
    """Its worker is killed: UNHEALTHY for ever. Then all of it is killed."""
    job_id = submit(studio, **LONG)
    until(lambda: view(studio, job_id).job.step, "some steps")
    (worker,) = children(container.process.pid)
    os.kill(worker, signal.SIGKILL)
    until(lambda: view(studio, job_id).job.state is State.QUEUED, "its return")
    container.wait_for("UNHEALTHY")
    until(lambda: studio.workers() == [], "that it is known to be down")
    said = [dict(e.data) for e in studio.events_since(job_id, LOCAL) if e.type is EventType.STATE]
    assert said[-1]["reason"] == "failed"
    with Supervisor(studio, [FakeRunner(0.0)]):
        job = ended(studio, job_id).job
    assert (job.state, job.attempt) == (State.DONE, 2)
    container.process.kill()


# ---- a stand-in --------------------------------------------------------------------------------


def sse(name: str, data: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def picture(side: int = 8, color: str = "red") -> str:
    record = {"settings": {"seed": 7}, "seed": 7, "perceptors": [], "version": "0"}
    data = encode_picture(Image.new("RGB", (side, side), color), ".png", record)
    return "data:image/png;base64," + base64.b64encode(data).decode()


GOOD = [
    sse("start", {"id": "x"}),
    sse("metric", {"name": "step", "value": 4}),
    sse("output", {"chunk": picture(), "index": 0}),
    sse("completed", {"status": "succeeded"}),
]


class Stand:
    """A container that answers as its script says, one entry per prediction, then GOOD."""

    def __init__(self) -> None:
        self.status = "READY"
        self.script: list[int | list[bytes]] = []
        self.asked: list[dict[str, Any]] = []
        self.canceled: list[str] = []
        self.hold = threading.Event()
        stand = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer(200, json.dumps({"status": stand.status}).encode())

            def do_POST(self) -> None:
                stand.canceled.append(self.path)
                self.answer(200, b"{}")

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                stand.asked.append(json.loads(body))
                turn = stand.script.pop(0) if stand.script else GOOD
                if isinstance(turn, int):
                    self.answer(turn, b'{"detail": "no"}')
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                for block in turn:
                    if block == b"hold":
                        stand.hold.wait(30)
                    else:
                        self.wfile.write(block)
                        self.wfile.flush()
                self.close_connection = True

            def answer(self, code: int, data: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Quiet(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    monkeypatch.setattr(slot, "_WAIT", 0.02)
    monkeypatch.setattr(slot, "_RETRY", 0.01)
    monkeypatch.setattr(slot, "_BACKOFF", (0.02,))
    for name in ("_BUSY_SECONDS", "_DOWN_SECONDS", "_CANCEL_SECONDS"):
        monkeypatch.setattr(f"text2art.studio.worker.cog.{name}", 0.05)
    stand = Stand()
    yield stand
    stand.close()


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[Studio]:
    studio = open_studio(tmp_path / "studio", hang_seconds=1)
    yield studio
    studio.close()


def serve(studio: Studio, *stands: Stand) -> Supervisor:
    return Supervisor(studio, [CogRunner(studio.config, stand.url) for stand in stands])


def test_settings_travel_whole(stand: Stand, mine: Studio) -> None:
    with serve(mine, stand):
        job = ended(mine, submit(mine, prompts=['\u00e9\U0001f34e \u2028 "x" ${a}', "b"])).job
    assert job.state is State.DONE
    body = stand.asked[0]
    assert body["id"].endswith("-1")
    assert body["input"]["prompts"] == ""
    assert json.loads(body["input"]["settings"]) == job.settings


@pytest.mark.parametrize("code", [409, 503, 500, 404])
def test_a_container_that_takes_no_job_counts_no_attempt(
    code: int, stand: Stand, mine: Studio
) -> None:
    stand.script = [code, code]
    with serve(mine, stand):
        job = ended(mine, submit(mine)).job
    assert (job.state, job.attempt, job.max_attempts) == (State.DONE, 3, 5)


def test_refused_inputs_are_the_jobs_own(stand: Stand, mine: Studio) -> None:
    stand.script = [422]
    with serve(mine, stand):
        job = ended(mine, submit(mine)).job
    assert job.state is State.FAILED
    assert "refuses the settings" in job.error


@pytest.mark.parametrize("status", ["STARTING", "BUSY", "UNHEALTHY", "SETUP_FAILED", "DEFUNCT"])
def test_containers_that_are_not_ready_get_no_job_until_they_are(
    status: str, stand: Stand, mine: Studio
) -> None:
    stand.status = status
    job_id = submit(mine)
    with serve(mine, stand):
        time.sleep(0.3)
        assert stand.asked == []
        assert mine.workers() == []
        stand.status = "READY"
        assert ended(mine, job_id).job.state is State.DONE


def test_several_containers_share_the_jobs(stand: Stand, mine: Studio) -> None:
    other, dead = Stand(), Stand()
    dead.close()
    ids = [submit(mine) for _ in range(8)]
    hold = [*GOOD[:1], b"hold", *GOOD[1:]]
    stand.script, other.script = [hold], [hold]
    with serve(mine, stand, other, dead):
        until(lambda: stand.asked and other.asked, "a job for each")
        assert len(mine.workers()) == 2
        stand.hold.set()
        other.hold.set()
        assert all(ended(mine, job_id).job.state is State.DONE for job_id in ids)
    other.close()
    asked = [body["id"] for body in stand.asked + other.asked]
    assert sorted(asked) == sorted(f"{job_id}-1" for job_id in ids)


def failed(error: str) -> bytes:
    return sse("completed", {"status": "failed", "error": error})


START = sse("start", {"id": "x"})


@pytest.mark.parametrize(
    "turn",
    [
        pytest.param([START], id="breaks off"),
        pytest.param([START, b"hold"], id="hangs"),
        pytest.param([START, b"event: output\ndata: {nonsense\n\n"], id="no JSON"),
        pytest.param([failed("Worker crashed")], id="crash"),
        pytest.param([failed("ValueError: x")], id="bug"),
        pytest.param([sse("completed", {"status": "succeeded"})], id="no picture"),
        pytest.param([sse("completed", {})], id="no status"),
        pytest.param([sse("output", {"chunk": "data:text/html;base64,PGI+"})], id="HTML"),
        pytest.param([sse("output", {"chunk": "data:image/png;base64,PGI+"})], id="no PNG"),
        pytest.param([sse("output", {"chunk": "data:image/png;base64,@@"})], id="no base64"),
        pytest.param([sse("output", {"chunk": "file:///etc/passwd"})], id="a file"),
        pytest.param([sse("output", {"chunk": "http://10.0.0.1/x.png"})], id="a private URL"),
        pytest.param([sse("output", {"chunk": picture(2000)})], id="too large"),
        pytest.param([sse("output", {"chunk": picture()})] * 65, id="too many"),
    ],
)
def test_what_goes_wrong_in_a_container_is_tried_again(
    turn: list[bytes], stand: Stand, mine: Studio
) -> None:
    stand.script = [turn]
    with serve(mine, stand):
        job = ended(mine, submit(mine)).job
    assert (job.state, job.attempt) == (State.DONE, 2)


def test_what_goes_wrong_every_time_is_given_up(stand: Stand, mine: Studio) -> None:
    crash = [failed("Worker crashed")]
    stand.script = [crash] * 5
    with serve(mine, stand):
        job = ended(mine, submit(mine)).job
    assert (job.state, job.attempt) == (State.FAILED, 3)
    assert job.error == "the container's worker has died: Worker crashed"


def test_a_cancel_is_sent_on(stand: Stand, mine: Studio) -> None:
    end = sse("completed", {"status": "canceled"})
    stand.script = [[START, GOOD[2], b"hold", end]]
    job_id = submit(mine)
    with serve(mine, stand):
        until(lambda: view(mine, job_id).frames, "a picture")
        mine.cancel(job_id, LOCAL)
        until(lambda: stand.canceled, "the cancel")
        stand.hold.set()
        job = ended(mine, job_id).job
    assert job.state is State.CANCELED
    assert job.result is not None
    assert mine.store.exists(job.result["files"]["png"])
    assert stand.canceled == [f"/predictions/{job_id}-1/cancel"]


def test_files_by_url_come_from_the_container_itself(stand: Stand, mine: Studio) -> None:
    """With --upload-url the container names its files by URL; its own host may be asked."""
    data = base64.b64decode(picture().partition(",")[2])

    class Shelf(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    shelf = ThreadingHTTPServer(("127.0.0.1", 0), Shelf)
    threading.Thread(target=shelf.serve_forever, daemon=True).start()
    host = f"127.0.0.1:{shelf.server_port}"
    output = sse("output", {"chunk": f"http://{host}/7_00004.png"})
    config = mine.config.model_copy(update={"allow_hosts": (host,)})
    stand.script = [[output, GOOD[3]]]
    with Supervisor(mine, [CogRunner(config, stand.url)]):
        job = ended(mine, submit(mine)).job
    shelf.shutdown()
    shelf.server_close()
    assert (job.state, job.attempt) == (State.DONE, 1)


def test_uploads_in_prompts_cannot_be_sent(stand: Stand, mine: Studio) -> None:
    png = io.BytesIO()
    Image.new("RGB", (8, 8)).save(png, "PNG")
    uploads = Uploads(mine.engine, mine.store, mine.config.caps, Web())
    key = uploads.receive(LOCAL, png.getvalue()).key
    with serve(mine, stand):
        job = ended(mine, submit(mine, image_prompts=[key])).job
    assert job.state is State.FAILED
    assert "only init_image and protect" in job.error


# ---- the stream --------------------------------------------------------------------------------


@given(cuts=st.lists(st.integers(0, 400), max_size=12), crlf=st.booleans())
def test_events_are_the_same_however_they_are_cut(cuts: list[int], crlf: bool) -> None:
    text = b": keep-alive\n\n" + sse("a", {"x": 1}) + b'data: {\ndata: "y": [2]}\n\n'
    text += sse("b", [1]) + sse("c", {"z": "\u2028"}) + b"event: d\ndata: {}"
    text = text.replace(b"\n", b"\r\n") if crlf else text
    places = sorted({0, len(text), *(cut % len(text) for cut in cuts)})
    blocks = [text[a:b] for a, b in itertools.pairwise(places)]
    expected = [("a", {"x": 1}), ("", {"y": [2]}), ("c", {"z": "\u2028"})]
    assert list(events(blocks)) == expected


def test_long_lines_are_broken() -> None:
    endless: Iterator[bytes] = iter(lambda: b"x" * 1000, b"")
    with pytest.raises(Broken, match="too long"):
        list(events(endless, most=10_000))
    many: Callable[[], bytes] = lambda: b"data: " + b"x" * 100 + b"\n"  # noqa: E731
    with pytest.raises(Broken, match="too long"):
        list(events(iter(many, b""), most=10_000))
