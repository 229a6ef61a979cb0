"""The real thing: a process that draws, killed, hung and stopped, and the bits that come of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.cog_server import children, until
from tests.studio.tools import ended, view
from text2art.api import draw
from text2art.media.png import read_record
from text2art.starts import rounds_of, steps_of
from text2art.studio.config import StudioConfig
from text2art.studio.model import EventType, State
from text2art.studio.service import LOCAL, Studio
from text2art.studio.worker.local import LocalRunner
from text2art.studio.worker.supervisor import Supervisor

JOB: dict[str, Any] = {
    "prompts": ["a red apple"],
    "perceptor": "toy",
    "drawer": "pixel",
    "size": "48x32",
    "iterations": 250,
    "cuts": 4,
    "starts": 3,
    "seed": 7,
    "display_every": 10,
}
CONFIG: dict[str, Any] = {
    "checkpoint_seconds": 0,
    "frames_per_second": 30,
    "lease_seconds": 3,
    "max_attempts": 10,
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> StudioConfig:
    return StudioConfig(data=tmp_path_factory.mktemp("studio"), **CONFIG)


@pytest.fixture(scope="module")
def studio(config: StudioConfig) -> Iterator[Studio]:
    studio = Studio.open(config)
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def runner(studio: Studio) -> LocalRunner:
    return LocalRunner(studio.config)


@pytest.fixture(scope="module")
def workers(studio: Studio, runner: LocalRunner) -> Iterator[Supervisor]:
    """Keep one drawing process for all tests: starting it takes longer than they do."""
    with Supervisor(studio, [runner]) as workers:
        yield workers


def submit(studio: Studio, **changes: Any) -> str:
    return studio.submit({**JOB, **changes}, LOCAL)[0].id


def reaches(studio: Studio, job_id: str, step: int) -> None:
    """Wait until a job has a checkpoint of at least so many steps."""

    def there() -> bool:
        job = view(studio, job_id).job
        assert not job.state.ended, (job.state, job.error)
        return job.checkpoint is not None and job.checkpoint["step"] >= step

    until(there, f"a checkpoint at {step}")


def check_result(studio: Studio, job_id: str, folder: Path) -> None:
    """Compare with what a run that nothing has broken off draws: to the last byte."""
    job = view(studio, job_id).job
    assert (job.state, job.error) == (State.DONE, "")
    assert job.result is not None
    whole = draw(**job.settings).save(folder / "whole.png")
    assert studio.store.get(job.result["files"]["png"]) == whole.read_bytes()


def events(studio: Studio, job_id: str, kind: EventType) -> list[dict[str, Any]]:
    return [dict(e.data) for e in studio.events_since(job_id, LOCAL) if e.type is kind]


@pytest.mark.parametrize(
    "step", [100, pytest.param(20, marks=pytest.mark.slow, id="while starts are tried")]
)
def test_a_process_killed_mid_job_costs_no_bit(
    step: int, studio: Studio, workers: Supervisor, runner: LocalRunner, tmp_path: Path
) -> None:
    """With a film of all of it."""
    job_id = submit(studio, make_video=True, video_format="gif")
    reaches(studio, job_id, step)
    assert runner.pid is not None
    os.kill(runner.pid, signal.SIGKILL)
    job = ended(studio, job_id).job
    check_result(studio, job_id, tmp_path)
    assert job.attempt == 2
    said = [state.get("reason") for state in events(studio, job_id, EventType.STATE)]
    assert said.count("failed") == 1
    assert job.result is not None
    with studio.store.open(job.result["files"]["gif"]) as file, Image.open(file) as film:
        frames = [film.seek(n) or film.convert("RGB") for n in range(film.n_frames)]
        assert film.size == (48, 32)
    assert len(frames) > 20
    # The film begins where the start was chosen, in an attempt before the last.
    with studio.store.open(job.result["files"]["png"]) as file, Image.open(file) as last:
        differences = [_difference(frame, last.convert("RGB")) for frame in (frames[0], frames[-1])]
    assert differences[0] > 3 * differences[1]


def _difference(one: Image.Image, other: Image.Image) -> float:
    pairs = zip(one.tobytes(), other.tobytes(), strict=True)
    return sum(abs(a - b) for a, b in pairs) / len(one.tobytes())


def test_what_a_job_leaves_behind(studio: Studio, workers: Supervisor, tmp_path: Path) -> None:
    job_id = submit(studio, drawer="clipdraw", clipdraw={"strokes": 6}, iterations=20)
    view_ = ended(studio, job_id)
    assert view_.job.result is not None
    files = view_.job.result["files"]
    assert set(files) == {"png", "svg"}
    assert studio.store.get(files["svg"]).startswith(b"<?xml") or b"<svg" in studio.store.get(
        files["svg"]
    )
    local = studio.store.local(files["png"])
    assert local is not None
    record = read_record(local)
    assert record["settings"]["seed"] == 7
    assert (view_.job.step, view_.job.steps) == (20, 20)
    assert {0, 20} <= set(view_.frames)
    for key in view_.frames.values():
        with studio.store.open(key) as file, Image.open(file) as image:
            assert (image.format, image.size) == ("WEBP", (48, 32))
    tried = [f["step"] for f in events(studio, job_id, EventType.FRAME) if f.get("tryout")]
    assert tried == [0]
    curve = events(studio, job_id, EventType.SCORE)
    trying = steps_of(rounds_of(JOB["starts"], 20))
    steps = [point["step"] for point in curve]
    assert steps[0] == 0
    assert 1 < len([step for step in steps if step < trying]) < trying  # of one of the starts
    assert [step for step in steps if step >= trying] == list(range(trying, 21))
    assert all(-1 <= point["score"] <= 1 for point in curve)


def test_pixels_of_a_making_are_sharp(studio: Studio, workers: Supervisor) -> None:
    job_id = submit(studio, iterations=4, pixel={"cells": "6x4"}, starts=1, palette="PICO-8")
    last = ended(studio, job_id)
    assert last.job.result is not None
    with studio.store.open(last.frames[4]) as file, Image.open(file) as frame:
        drawn = frame.convert("RGB")
    with studio.store.open(last.job.result["files"]["png"]) as file, Image.open(file) as result:
        assert drawn.tobytes() == result.convert("RGB").tobytes()


def test_a_cancel_takes_a_step_and_keeps_the_picture(
    studio: Studio, workers: Supervisor, runner: LocalRunner
) -> None:
    pid = runner.pid
    job_id = submit(studio, iterations=1000, size="128x128")
    until(lambda: view(studio, job_id).job.step > 5, "some steps")
    studio.cancel(job_id, LOCAL)
    job = ended(studio, job_id).job
    assert job.state is State.CANCELED
    assert job.result is not None
    assert job.result["steps"] < 900
    with studio.store.open(job.result["files"]["png"]) as file, Image.open(file) as image:
        assert image.size == (128, 128)
    assert runner.pid == pid, "the process with its models stays"


def test_mistakes_are_the_jobs_own(
    studio: Studio, workers: Supervisor, runner: LocalRunner
) -> None:
    pid = runner.pid
    job_id = submit(studio, init_weight=1.0)
    job = ended(studio, job_id).job
    assert (job.state, job.attempt) == (State.FAILED, 1)
    assert job.error == "init_weight needs an init_image to keep to"
    assert runner.pid == pid


def test_drawing_on_and_its_records(studio: Studio, workers: Supervisor, tmp_path: Path) -> None:
    first = submit(studio, iterations=20, starts=1)
    before = ended(studio, first)
    on = studio.continue_from(first, LOCAL, {"iterations": 6, "prompts": ["a green pear"]}).id
    after = ended(studio, on)
    assert after.job.state is State.DONE
    assert (after.job.step, after.job.steps) == (6, 6)
    with (
        studio.store.open(before.frames[20]) as one,
        studio.store.open(after.frames[0]) as other,
        Image.open(one) as last,
        Image.open(other) as begun,
    ):
        assert last.convert("RGB").tobytes() == begun.convert("RGB").tobytes()
    # Another drawer cannot take over the state; it begins with the picture.
    other_id = studio.continue_from(first, LOCAL, {"iterations": 3, "drawer": "fft"}).id
    job = ended(studio, other_id).job
    assert job.state is State.DONE
    assert job.result is not None
    local = studio.store.local(job.result["files"]["png"])
    assert local is not None
    assert read_record(local)["settings"]["init_image"] == f"jobs/{first}/1/result.png"


@pytest.mark.slow
def test_a_process_that_hangs_is_replaced(
    studio: Studio, workers: Supervisor, runner: LocalRunner, tmp_path: Path
) -> None:
    config = runner._config
    job_id = submit(studio, iterations=300)
    reaches(studio, job_id, 40)
    pid = runner.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    runner._config = config.model_copy(update={"hang_seconds": 0.5})
    until(lambda: runner.pid not in (None, pid), "another process")
    runner._config = config
    ended(studio, job_id)
    check_result(studio, job_id, tmp_path)


@pytest.mark.slow
def test_supervisors_take_jobs_over_from_each_other(tmp_path: Path) -> None:
    """One is stopped in the middle of a job; the next, a process of its own, is killed."""
    config = StudioConfig(data=tmp_path / "studio", **CONFIG)
    studio = Studio.open(config)
    job_id = submit(studio, iterations=900)
    with Supervisor(studio, [LocalRunner(config)]):
        reaches(studio, job_id, 30)
    job = view(studio, job_id).job
    assert (job.state, job.attempt) == (State.QUEUED, 1)
    assert events(studio, job_id, EventType.STATE)[-1]["reason"] == "stopped"
    assert job.checkpoint is not None
    begun = job.checkpoint["step"]

    program = (
        "import sys; from pathlib import Path; from text2art.studio.config import StudioConfig\n"
        "from text2art.studio.worker.supervisor import run\n"
        f"sys.exit(run(StudioConfig(data=Path(sys.argv[1]), **{CONFIG!r})))"
    )
    words = [sys.executable, "-c", program, str(config.data)]
    other = subprocess.Popen(words, start_new_session=True)
    try:
        reaches(studio, job_id, begun + 10)
        drawing = children(other.pid)
        assert len(drawing) == 1
    finally:
        other.kill()
        other.wait()
    until(lambda: not Path(f"/proc/{drawing[0]}").exists(), "the end of its drawing process")
    with Supervisor(studio, [LocalRunner(config)]):
        ended(studio, job_id)
    job = view(studio, job_id).job
    said = [state.get("reason") for state in events(studio, job_id, EventType.STATE)]
    assert "lost" in said
    assert job.attempt == 3
    check_result(studio, job_id, tmp_path)
    studio.close()
