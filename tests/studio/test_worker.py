"""Workers around a runner that draws nothing: claims, reports, ends, and what goes wrong."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import update

from tests.cog_server import until
from tests.studio.tools import ended, view
from text2art.errors import SettingsError
from text2art.studio import events
from text2art.studio.config import StudioConfig
from text2art.studio.db.tables import jobs
from text2art.studio.model import Claim, EventType, Progress, State
from text2art.studio.net import Web
from text2art.studio.service import LOCAL, Studio
from text2art.studio.store import frame_key
from text2art.studio.uploads import Uploads
from text2art.studio.worker import slot
from text2art.studio.worker.devices import share
from text2art.studio.worker.fake import FakeRunner
from text2art.studio.worker.inputs import gather
from text2art.studio.worker.report import Report
from text2art.studio.worker.runner import (
    Ended,
    Frame,
    JobFailed,
    Runner,
    RunnerDied,
    Sink,
    Task,
    Wish,
)
from text2art.studio.worker.supervisor import Supervisor, runners_of

Open = Callable[..., Studio]
JOB: dict[str, Any] = {"prompts": ["a red apple"], "iterations": 10, "seed": 7}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let idle workers end soon; that they hear of jobs is for the tests of the queue."""
    monkeypatch.setattr(slot, "_WAIT", 0.1)


@pytest.fixture
def one(new_url: Callable[[str], str], open_studio: Open) -> Studio:
    """Open a studio on SQLite, with short leases."""
    return open_studio(new_url("sqlite"), lease_seconds=2)


def submit(studio: Studio, **changes: Any) -> str:
    return studio.submit({**JOB, **changes}, LOCAL)[0].id


def kinds(studio: Studio, job_id: str, kind: EventType) -> list[dict[str, Any]]:
    found = studio.events_since(job_id, LOCAL)
    return [dict(event.data) for event in found if event.type is kind]


class Scripted(FakeRunner):
    """A runner that does as each of its acts says, one per job, and then draws as its base."""

    def __init__(self, *acts: Callable[[Task, Sink], Ended | None], pause: float = 0.01) -> None:
        super().__init__(pause)
        self._acts = list(acts)
        self.tasks: list[Task] = []
        self.closed = 0

    def run(self, task: Task, sink: Sink) -> Ended:
        self.tasks.append(task)
        done = self._acts.pop(0)(task, sink) if self._acts else None
        return super().run(task, sink) if done is None else done

    def close(self) -> None:
        self.closed += 1


def test_a_job_is_drawn_told_of_and_published(studio: Studio) -> None:
    job_id = submit(studio)
    with Supervisor(studio, [FakeRunner()]) as workers:
        job = ended(studio, job_id).job
        there = studio.workers()
        assert [(w.runner, w.device) for w in there] == [("fake", "nothing")]
        assert there[0].id == workers.slots[0].name
    assert studio.workers() == [], "it has said that it is gone"
    assert (job.state, job.attempt, job.progress, job.error) == (State.DONE, 1, 1.0, "")
    assert job.result is not None
    key = job.result["files"]["png"]
    assert key == f"jobs/{job_id}/1/result.png"
    assert (job.result["width"], job.result["steps"], job.result["seed"]) == (32, 10, 7)
    with studio.store.open(key) as file:
        assert Image.open(file).size == (32, 32)
    assert list(view(studio, job_id).frames) == list(range(10))
    assert all(studio.store.exists(key) for key in view(studio, job_id).frames.values())
    assert [point["step"] for point in kinds(studio, job_id, EventType.SCORE)] == list(range(10))
    assert "fake" in kinds(studio, job_id, EventType.NOTICE)[0]["text"]
    assert (job.step, job.steps) == (9, 10)


def test_many_jobs_on_several_slots_end_once_each(one: Studio) -> None:
    ids = [submit(one, iterations=3) for _ in range(12)]
    runners = [Scripted(pause=0.001) for _ in range(3)]
    with Supervisor(one, runners):
        for job_id in ids:
            assert ended(one, job_id).job.state is State.DONE
    drawn = [task.claim.job_id for runner in runners for task in runner.tasks]
    assert sorted(drawn) == sorted(ids)


def test_a_canceled_job_keeps_its_last_picture(studio: Studio) -> None:
    job_id = submit(studio, iterations=1000)
    with Supervisor(studio, [FakeRunner()]):
        until(lambda: view(studio, job_id).frames, "a picture")
        studio.cancel(job_id, LOCAL)
        job = ended(studio, job_id).job
    assert job.state is State.CANCELED
    assert job.result is not None
    assert studio.store.exists(job.result["files"]["png"])
    assert job.step < 999


def test_a_failed_job_says_why_and_is_not_repeated(one: Studio) -> None:
    job_id = submit(one, prompts=["fail"])
    with Supervisor(one, [FakeRunner()]):
        job = ended(one, job_id).job
    assert (job.state, job.attempt) == (State.FAILED, 1)
    assert job.error == "the prompt says that it fails"
    assert job.result is None


def test_pausing_lets_running_jobs_end_and_starts_none(one: Studio) -> None:
    first, second = submit(one, iterations=30), submit(one)
    with Supervisor(one, [FakeRunner()]):
        until(lambda: view(one, first).job.state is State.RUNNING, "the first")
        one.pause()
        assert ended(one, first).job.state is State.DONE
        time.sleep(0.3)
        assert view(one, second).job.state is State.QUEUED
        one.resume()
        assert ended(one, second).job.state is State.DONE


def test_stopping_gives_the_job_back_with_a_checkpoint(one: Studio) -> None:
    job_id = submit(one, iterations=200)
    with Supervisor(one, [FakeRunner()]):
        until(lambda: view(one, job_id).job.step > 3, "some steps")
    job = view(one, job_id).job
    assert job.state is State.QUEUED
    assert job.checkpoint is not None
    assert 3 < job.checkpoint["step"] < 199
    assert one.store.exists(job.checkpoint["key"])
    assert kinds(one, job_id, EventType.STATE)[-1]["reason"] == "stopped"
    runner = Scripted(pause=0.001)
    with Supervisor(one, [runner]):
        done = ended(one, job_id).job
    assert (done.state, done.attempt) == (State.DONE, 2)
    assert runner.tasks[0].checkpoint is not None
    steps = [p["step"] for p in kinds(one, job_id, EventType.SCORE)]
    assert sorted(set(steps)) == list(range(200)), "nothing was left out"
    assert steps.count(job.checkpoint["step"] - 1) == 1, "and nothing drawn twice"


def died(task: Task, sink: Sink) -> Ended:
    file = task.folder / "x.ckpt"
    file.write_text("4")
    sink.checkpoint(file, 4)
    raise RunnerDied("it was killed")


def test_a_job_whose_runner_died_goes_on_from_its_checkpoint(one: Studio) -> None:
    job_id = submit(one)
    runner = Scripted(died)
    with Supervisor(one, [runner]):
        job = ended(one, job_id).job
    assert (job.state, job.attempt) == (State.DONE, 2)
    assert [p["step"] for p in kinds(one, job_id, EventType.SCORE)] == [4, 5, 6, 7, 8, 9]
    assert kinds(one, job_id, EventType.STATE)[2]["reason"] == "failed"
    assert job.result is not None
    assert job.result["files"]["png"].startswith(f"jobs/{job_id}/2/")


def test_a_job_that_kills_every_runner_is_given_up(
    one: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot, "_RETRY", 0.01)
    poison, good = submit(one), submit(one)
    with Supervisor(one, [_Poisoned(poison)]):
        assert ended(one, good).job.state is State.DONE, "others are drawn meanwhile"
        job = ended(one, poison).job
    assert (job.state, job.attempt, job.error) == (State.FAILED, 3, "it was killed")


class _Poisoned(FakeRunner):
    def __init__(self, poison: str) -> None:
        super().__init__(0.001)
        self._poison = poison

    def run(self, task: Task, sink: Sink) -> Ended:
        return died(task, sink) if task.claim.job_id == self._poison else super().run(task, sink)


def test_a_runner_that_takes_no_job_counts_no_attempt(one: Studio) -> None:
    def busy(task: Task, sink: Sink) -> Ended:
        raise RunnerDied("busy", blame=False)

    job_id = submit(one)
    with Supervisor(one, [Scripted(*[busy] * 5)]):
        job = ended(one, job_id).job
    assert (job.state, job.attempt, job.max_attempts) == (State.DONE, 6, 8)


def test_a_bug_in_a_runner_is_no_end_of_the_worker(one: Studio) -> None:
    def bug(task: Task, sink: Sink) -> Ended:
        raise ZeroDivisionError("oh")

    job_id = submit(one)
    runner = Scripted(bug)
    with Supervisor(one, [runner]):
        job = ended(one, job_id).job
        assert runner.closed == 1, "what was drawing may still be"
    assert (job.state, job.attempt) == (State.DONE, 2)


def test_what_was_lost_publishes_nothing(one: Studio) -> None:
    """The lease ran out while nobody could send heartbeats, and another has drawn it meanwhile."""
    taken = threading.Event()

    def slow(task: Task, sink: Sink) -> Ended:
        taken.set()
        until(lambda: sink.wish is Wish.LOST, "the loss")
        path = task.folder / "late.png"
        path.write_bytes(b"late")
        return Ended(State.DONE, {"png": path}, {})

    job_id = submit(one)
    with Supervisor(one, [Scripted(slow)]):
        taken.wait(30)
        claim = _stolen(one, job_id)
        until(lambda: not one.store.exists(f"jobs/{job_id}/1/result.png"), "nothing", 1)
        with Supervisor(one, [FakeRunner(0.001)]):
            one.queue.give_back(claim)
            job = ended(one, job_id).job
    assert job.result is not None
    assert "/1/" not in job.result["files"]["png"]
    assert not one.store.exists(f"jobs/{job_id}/1/result.png")


def _stolen(studio: Studio, job_id: str) -> Claim:
    """Take a running job away, as a sweep and another worker's claim do."""
    with studio.engine.begin() as connection:
        changed = update(jobs).where(jobs.c.id == job_id)
        connection.execute(changed.values(state="queued", worker=None, lease_until=None))
    claim = studio.queue.claim("thief", ("gpu",))
    assert claim is not None
    assert claim.job_id == job_id
    return claim


def test_a_runner_that_is_down_takes_no_job_until_it_is_back(
    one: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot, "_BACKOFF", (0.02,))
    there = [True]

    class Shaky(FakeRunner):
        def ready(self) -> bool:
            return there[0]

    with Supervisor(one, [Shaky(0.001)]):
        assert ended(one, submit(one)).job.state is State.DONE
        there[0] = False
        until(lambda: one.workers() == [], "that it is known to be down")
        waiting = submit(one)
        time.sleep(0.2)
        assert view(one, waiting).job.state is State.QUEUED
        there[0] = True
        assert ended(one, waiting).job.state is State.DONE


# ---- what a job needs --------------------------------------------------------------------------


def test_settings_files_lie_in_the_folder_under_their_keys(one: Studio, tmp_path: Path) -> None:
    png = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(png, "PNG")
    key = Uploads(one.engine, one.store, one.config.caps, Web()).receive(LOCAL, png.getvalue()).key
    submit(one, init_image=key)
    claim = one.queue.claim("w", ("gpu",))
    assert claim is not None
    task = gather(one, claim, tmp_path)
    assert (tmp_path / key).read_bytes() == one.store.get(key)
    assert (task.checkpoint, task.parent, task.frames) == (None, None, {})
    one.store.delete(key)
    with pytest.raises(JobFailed, match="no longer here"):
        gather(one, claim, tmp_path)


def test_a_job_that_draws_on_gets_checkpoint_and_picture(one: Studio, tmp_path: Path) -> None:
    first = submit(one)

    def kept(task: Task, sink: Sink) -> Ended | None:
        file = task.folder / "x.ckpt"
        file.write_text("10")
        sink.checkpoint(file, 10)
        return None

    with Supervisor(one, [Scripted(kept)]):
        ended(one, first)
    one.continue_from(first, LOCAL, {"iterations": 5})
    claim = one.queue.claim("w", ("gpu",))
    assert claim is not None
    task = gather(one, claim, tmp_path)
    assert task.checkpoint is not None
    assert task.checkpoint.read_text() == "10"
    assert task.parent == f"jobs/{first}/1/result.png"
    assert (tmp_path / task.parent).exists()
    # A checkpoint that is gone or damaged leaves the picture.
    assert claim.checkpoint is not None
    one.store.put(claim.checkpoint["key"], b"11")
    assert gather(one, claim, tmp_path).checkpoint is None


# ---- reports -----------------------------------------------------------------------------------


@pytest.fixture
def claim(one: Studio) -> Claim:
    submit(one)
    claim = one.queue.claim("w", ("gpu",))
    assert claim is not None
    return claim


def test_reports_keep_a_claim_that_says_nothing(one: Studio, claim: Claim) -> None:
    with Report(one.queue, one.store, claim) as report:
        time.sleep(1.2 * claim.lease_seconds)
        assert one.queue.sweep() == []
        assert report.wish is Wish.GO
    until(one.queue.sweep, "the end of the lease")


def test_only_the_latest_checkpoint_is_kept(one: Studio, claim: Claim, tmp_path: Path) -> None:
    with Report(one.queue, one.store, claim) as report:
        for step in (3, 5, 5, 8):
            file = tmp_path / "a.ckpt"
            file.write_text(f"{step}")
            report.checkpoint(file, step)
            if step == 3:
                report.flush()
        report.flush()
    named = view(one, claim.job_id).job.checkpoint
    assert named is not None
    there = [f.key for f in one.store.walk() if "checkpoint" in f.key]
    assert there == [named["key"]]
    assert (named["step"], one.store.get(named["key"])) == (8, b"8")


def test_more_events_than_fit_a_heartbeat_all_arrive(one: Studio, claim: Claim) -> None:
    with Report(one.queue, one.store, claim) as report:
        for step in range(250):
            report.score(step, 0.5, None)
        report.progress(Progress(249, 250))
        report.flush()
    points = kinds(one, claim.job_id, EventType.SCORE)
    assert [point["step"] for point in points] == list(range(250))


def test_a_database_that_is_away_too_long_is_a_lost_claim(
    one: Studio, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any, **values: Any) -> Any:
        raise OSError("no database")

    with Report(one.queue, one.store, claim) as report:
        monkeypatch.setattr(one.queue, "heartbeat", away)
        monkeypatch.setattr(one.queue, "look", away)
        until(lambda: report.wish is Wish.LOST, "giving up", 60)


def test_frames_are_files_before_they_are_events(one: Studio, claim: Claim) -> None:
    frame = Frame(3, b"RIFF", "webp", 8, 9, tryout=True)
    with Report(one.queue, one.store, claim) as report:
        report.frame(frame)
        assert one.store.exists(frame_key(claim.job_id, claim.attempt, 3))
        report.flush()
    with one.engine.connect() as connection:
        last = events.last_frame(connection, claim.job_id)
    key = frame_key(claim.job_id, claim.attempt, 3)
    assert last == {"step": 3, "key": key, "width": 8, "height": 9, "tryout": True}


# ---- which runners -----------------------------------------------------------------------------


def test_runners_are_as_configured(tmp_path: Path) -> None:
    def names(**values: Any) -> list[str]:
        found: list[Runner] = runners_of(StudioConfig(data=tmp_path, **values))
        return [f"{one.name} {one.device}" for one in found]

    assert names(workers=2) == ["local cpu", "local cpu"]
    assert names(workers=0) == []
    assert names(runner="cog=http://a:5000, b:5001/") == ["cog a:5000", "cog b:5001"]
    assert names(runner="fake", workers=1) == ["fake nothing"]
    for wrong in ("gpu", "cog", "cog=", "cog=ftp://a", "cog=http://", "cog=http://a:99999"):
        with pytest.raises(SettingsError, match="runner"):
            names(runner=wrong)


def test_devices_are_shared_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TEXT2ART_DEVICE", "cuda:1, cuda:3")
    assert [device for device, _ in share(3)] == ["cuda:1", "cuda:3", "cuda:1"]
    monkeypatch.delenv("TEXT2ART_DEVICE")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert [device for device, _ in share(2)] == ["cuda:0", "cuda:1"]
    assert share(1) == [("cuda:0", 0)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert [device for device, _ in share(2)] == ["", ""]


def test_the_supervisor_never_imports_torch() -> None:
    program = (
        "import sys, text2art.studio.worker.supervisor, text2art.studio.worker.cog\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
