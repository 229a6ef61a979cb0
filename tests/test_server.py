"""predict.py behind a real Cog server, over HTTP, in every way a client can ask."""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.cog_server import (
    PATIENCE,
    Server,
    Sink,
    children,
    cog_server,
    data_url,
    environment,
    events,
    free_port,
    picture,
    until,
)

TOY = "perceptor: toy\ncuts: 4"
SMALL: dict[str, Any] = {"prompts": "a red apple", "size": "64x64", "settings": TOY, "seed": 7}
QUICK = {**SMALL, "iterations": 7, "display_every": 3}
LONG = {**SMALL, "iterations": 10000, "display_every": 1000}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with cog_server(tmp_path_factory.mktemp("cog")) as running:
        yield running


@pytest.fixture
def sink() -> Iterator[Sink]:
    taking = Sink()
    yield taking
    taking.close()


@pytest.fixture(autouse=True)
def _rest(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave the shared server idle, so that each test starts with a free slot."""
    yield
    if "server" in request.fixturenames:
        request.getfixturevalue("server").wait_for("READY")


# ---- asking and waiting ---------------------------------------------------------------------


def test_the_schema_is_served_though_nobody_made_it(server: Server) -> None:
    spec = server.http.get("/openapi.json").json()
    assert spec["paths"]["/predictions"]["post"]["x-cog-streaming"] is True
    assert spec["components"]["schemas"]["Input"]["required"] == ["prompts"]


def test_a_sync_request_gets_the_intermediates_and_the_result_last(server: Server) -> None:
    answer = server.post(QUICK).json()
    assert answer["status"] == "succeeded", answer
    pictures = [picture(url) for url in answer["output"]]
    assert len(pictures) == 4  # before the updates 1, 4 and 7, and the result
    assert all(image.size == (64, 64) for image in pictures)
    record = json.loads(pictures[-1].info["text2art"])
    assert record["seed"] == 7
    assert record["settings"]["perceptor"] == "toy"
    assert "text2art" not in pictures[0].info  # not finished: nothing to draw again from
    assert answer["metrics"]["step"] == 7
    assert answer["metrics"]["seed"] == 7
    assert isinstance(answer["metrics"]["loss"], float)
    assert -1 <= answer["metrics"]["score"] <= 1
    assert "step 3/7" in answer["logs"]
    assert answer["logs"].endswith("\n")  # else its last line would end in the next one's logs


def test_the_same_seed_gives_the_same_bytes(server: Server) -> None:
    first, second = (server.post(QUICK).json()["output"] for _ in range(2))
    assert first == second
    other = server.post({**QUICK, "seed": 8}).json()["output"]
    assert other[-1] != first[-1]


def test_no_intermediates_when_none_are_wanted(server: Server) -> None:
    answer = server.post({**QUICK, "display_every": 0}).json()
    assert len(answer["output"]) == 1
    assert "step 3/7" in answer["logs"]  # still told


def test_no_more_than_twenty_intermediates(server: Server) -> None:
    answer = server.post({**SMALL, "iterations": 45, "display_every": 1}).json()
    # Every third of 45 and the result. Starts are tried by turns of 8, 4, 2 and 2 steps, of which
    # the first is shown where a third one is among them: 0, 9, 12, 15; then come 18 to 42.
    assert len(answer["output"]) == 4 + 9 + 1


def test_a_video_comes_just_before_the_result(server: Server) -> None:
    inputs = {**QUICK, "make_video": True, "settings": TOY + "\nvideo_format: gif"}
    answer = server.post(inputs).json()
    assert answer["status"] == "succeeded", answer
    *_, film, result = answer["output"]
    assert film.startswith("data:image/gif")
    assert getattr(picture(film), "n_frames", 1) > 1
    assert result.startswith("data:image/png")


@pytest.mark.parametrize(("wanted", "kind"), [("webp", "WEBP"), ("jpg", "JPEG")])
def test_other_formats(server: Server, wanted: str, kind: str) -> None:
    answer = server.post({**QUICK, "iterations": 1, "output_format": wanted}).json()
    assert picture(answer["output"][-1]).format == kind


def test_shapes_may_be_an_svg(server: Server) -> None:
    inputs = {**QUICK, "drawer": "line", "output_format": "svg"}
    *frames, result = server.post(inputs).json()["output"]
    assert all(frame.startswith("data:image/png") for frame in frames)
    head, _, body = result.partition(",")
    assert head == "data:image/svg+xml;base64"
    document = base64.b64decode(body).decode()
    assert "<path" in document
    assert "a red apple" in document  # the settings
    answer = server.post({**inputs, "drawer": "fft"}).json()
    assert answer["status"] == "failed"
    assert "InputError: output_format svg: the drawer 'fft' makes no shapes" in answer["error"]


def test_a_float_may_stand_for_an_integer(server: Server) -> None:
    answer = server.post({**SMALL, "iterations": 2.0, "display_every": 1.0}).json()
    assert answer["status"] == "succeeded", answer
    assert len(answer["output"]) == 3


def test_an_uploaded_picture_is_started_from(server: Server) -> None:
    red = data_url(Image.new("RGB", (40, 20), (250, 10, 10)))
    inputs = {"prompts": "a red apple", "init_image": red, "aspect": "retain", "settings": TOY}
    answer = server.post({**inputs, "quality": "draft", "iterations": 1}).json()
    assert answer["status"] == "succeeded", answer
    first = picture(answer["output"][0]).convert("RGB")
    assert first.size == (144, 72)
    r, g, b = first.resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    assert r > 180 > 100 > max(g, b)


def test_an_uploaded_mask_keeps_the_picture(server: Server) -> None:
    levels = bytes(range(0, 250, 10)) * 32 * 3
    photo = Image.frombytes("RGB", (32, 25), levels[: 32 * 25 * 3])
    mask = Image.new("L", (32, 25), 0)
    mask.paste(255, (0, 0, 16, 25))
    inputs = {"init_image": data_url(photo), "protect": data_url(mask), "size": "32x25"}
    answer = server.post({**QUICK, **inputs, "settings": TOY}).json()
    assert answer["status"] == "succeeded", answer
    left = (0, 0, 16, 25)
    assert picture(answer["output"][-1]).convert("RGB").crop(left).tobytes() == (
        photo.crop(left).tobytes()
    )


def test_inputs_win_over_the_yaml_and_options_are_reached(server: Server) -> None:
    yaml = TOY + "\nsize: 32x32\ndrawer: pixel\npixel: {cells: 8x8}"
    answer = server.post({**QUICK, "settings": yaml}).json()
    result = picture(answer["output"][-1])
    record = json.loads(result.info["text2art"])
    assert result.size == (64, 64)
    assert record["settings"]["drawer"] == "pixel"
    assert record["settings"]["pixel"] == {"cells": [8, 8]}


# ---- refusing -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "where", "words"),
    [
        ({}, "prompts", "required"),
        ({**SMALL, "iterations": 0}, "iterations", "minimum"),
        ({**SMALL, "iterations": 10001}, "iterations", "maximum"),
        ({**SMALL, "iterations": "ten"}, "iterations", "integer"),
        ({**SMALL, "iterations": None}, "iterations", "integer"),  # leave out, never send null
        ({**SMALL, "seed": -1}, "seed", "minimum"),
        ({**SMALL, "drawer": "oil"}, "drawer", "not one of"),
        ({**SMALL, "prompts": ["a", "b"]}, "prompts", "string"),
    ],
)
def test_the_schema_refuses(server: Server, inputs: Any, where: str, words: str) -> None:
    response = server.post(inputs)
    assert response.status_code == 422
    found = {item["loc"][-1]: item["msg"] for item in response.json()["detail"]}
    assert words in found[where]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prompts": ""}, "prompt"),
        ({"prompts": "apple || pear"}, "empty"),
        ({"prompts": "@/etc/passwd"}, "names a file"),
        ({"prompts": "apple | @../secret.png:0.5"}, "names a file"),
        ({"prompts": "@file:///etc/passwd"}, "names a file"),
        ({"init_image": "/etc/passwd"}, "upload"),
        ({"init_image": "file:///etc/passwd"}, "upload"),
        ({"protect": "/etc/passwd"}, "upload"),
        ({"settings": "vqgan: {model: /etc/passwd}"}, "may name a file"),
        ({"init_image": "data:image/png;base64,aGVsbG8="}, "not a picture"),
        ({"size": "9x9"}, "out of range"),
        ({"size": "huge"}, "not a size"),
        ({"aspect": "16/9"}, "aspect"),
        ({"palette": "reddishest"}, "reddish"),
        ({"settings": "drawr: pixel"}, "did you mean 'drawer'"),
        ({"settings": "cuts: [1"}, "settings"),
        ({"settings": "- a list"}, "names and values"),
        ({"settings": "a: &x [1]\nb: *x"}, "anchors"),
        ({"settings": "a: !!python/object:os.system {}"}, "tags"),
        ({"settings": "init_image: /etc/passwd"}, "init_image"),
        ({"settings": "perceptor: ViT-B-32@/etc/passwd"}, "may name a file"),
        ({"settings": "perceptor: starter/etc"}, "may name a file"),
        ({"settings": "cuts: 100000"}, "cuts"),
        ({"settings": "seed: no way", "seed": 2**31 - 1, "aspect": "retain", "size": ""}, "retain"),
    ],
)
def test_we_refuse_with_one_line(server: Server, changes: dict[str, Any], words: str) -> None:
    answer = server.post({**QUICK, **changes}).json()
    assert answer["status"] == "failed"
    head, _, message = answer["error"].rpartition("InputError: ")
    assert head, answer["error"]
    assert words.lower() in message.lower()
    assert "\n" not in message
    assert "root:" not in json.dumps(answer)  # nothing of /etc/passwd


# ---- not waiting ----------------------------------------------------------------------------


def test_webhooks_tell_the_whole_story(server: Server, sink: Sink) -> None:
    response = server.http.post(
        "/predictions",
        json={"id": "hooked", "input": QUICK, "webhook": sink.url},
        headers={"Prefer": "respond-async"},
    )
    assert response.status_code == 202
    assert response.json()["status"] == "starting"
    until(sink.last, "the last webhook")
    end = sink.last()
    assert end is not None
    assert end["status"] == "succeeded"
    assert end["id"] == "hooked"
    assert len(end["output"]) == 4
    assert picture(end["output"][-1]).size == (64, 64)
    assert any(event["status"] == "processing" for event in sink.events)


def test_polling_busy_and_cancel(server: Server, sink: Sink) -> None:
    assert server.start("long", LONG, webhook=sink.url).status_code == 202

    def seen() -> Any:
        state = server.start("long", LONG)  # a PUT of a running id tells how it is going
        assert state.status_code == 202
        return state.json() if state.json().get("output") else None

    state = until(seen, "a first picture")
    assert state["status"] == "processing"
    assert picture(state["output"][0]).size == (64, 64)
    assert server.status() == "BUSY"
    busy = server.http.post("/predictions", json={"input": QUICK})
    assert busy.status_code == 409
    assert server.http.post("/predictions/other/cancel").status_code == 404
    assert server.http.post("/predictions/long/cancel").status_code == 200
    until(sink.last, "the last webhook")
    end = sink.last()
    assert end is not None
    assert end["status"] == "canceled"
    assert end["output"]  # what was drawn so far is kept
    server.wait_for("READY")
    after = server.post(QUICK).json()
    assert after["status"] == "succeeded"
    assert "/10000" not in after["logs"]  # nothing of the cancelled run leaks into the next


def test_sse_gives_each_picture_as_it_is_drawn(server: Server) -> None:
    with server.http.stream(
        "POST",
        "/predictions",
        json={"input": QUICK},
        headers={"Accept": "text/event-stream"},
    ) as response:
        assert response.status_code == 200
        story = list(events(response))
    names = [name for name, _ in story]
    assert names[0] == "start"
    assert names[-1] == "completed"
    assert [body["index"] for name, body in story if name == "output"] == [0, 1, 2, 3]
    logs = [i for i, (name, body) in enumerate(story) if "step " in str(body.get("data"))]
    assert names.index("output") < logs[-1]  # between the reports, not after them
    metrics = {body["name"] for name, body in story if name == "metric"}
    assert metrics == {"step", "seed", "loss", "score"}
    assert story[-1][1]["status"] == "succeeded"


def test_sse_pictures_arrive_while_it_runs_and_leaving_cancels(server: Server) -> None:
    with server.http.stream(
        "POST",
        "/predictions",
        json={"input": LONG},
        headers={"Accept": "text/event-stream"},
    ) as response:
        story = events(response)  # held on to: an iterator that is given up closes the connection
        first = next(body for name, body in story if name == "output")
        assert picture(first["chunk"]).size == (64, 64)
        assert server.status() == "BUSY"
    server.wait_for("READY")


# ---- housekeeping ---------------------------------------------------------------------------


def test_only_the_files_of_the_last_run_stay(server: Server) -> None:
    def folders() -> list[Path]:
        return sorted((server.folder / "tmp").glob("text2art-*"))

    server.post(QUICK)
    before = folders()
    assert len(before) == 1
    assert len(list(before[0].iterdir())) == 4
    server.post({**QUICK, "seed": 9})
    after = folders()
    assert len(after) == 1
    assert after != before
    server.post({**QUICK, "prompts": "@/etc/passwd"})
    assert folders() == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the worker in /proc")
def test_serve_runs_it_and_a_dead_worker_is_reported(tmp_path: Path, sink: Sink) -> None:
    port = free_port()
    code = f"from text2art.serving import serve; raise SystemExit(serve(port={port}))"
    env = environment(tmp_path)
    env["PATH"] = os.defpath  # `python` is not ours there: serve has to put that right
    server = Server([sys.executable, "-c", code], port, tmp_path, env)
    try:
        server.wait_for("READY")
        assert server.post(QUICK).json()["status"] == "succeeded"
        assert len(list((tmp_path / "tmp").glob("text2art-serve-*"))) == 1
        accepted = until(
            lambda: server.start("doomed", LONG, webhook=sink.url).status_code == 202, "a slot"
        )
        assert accepted
        until(lambda: sink.events, "the start")
        (cog,) = children(server.process.pid)
        (worker,) = children(cog)
        os.kill(worker, signal.SIGKILL)
        until(sink.last, "the last webhook")
        end = sink.last()
        assert end is not None
        assert end["status"] == "failed"
        server.wait_for("UNHEALTHY")  # for good: a probe has to restart the server
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(PATIENCE) == 130
        until(lambda: not Path(f"/proc/{cog}").exists(), "the server's end")
        assert list((tmp_path / "tmp").iterdir()) == []
    finally:
        server.stop()
