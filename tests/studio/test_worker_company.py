"""Jobs drawn together: who may be, that each ends on its own, and whom a death is blamed on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat
from sqlalchemy import update

from tests.cog_server import until
from tests.studio.tools import ended, view
from text2art.api import draw
from text2art.errors import SettingsError
from text2art.media.png import read_record
from text2art.studio.config import StudioConfig
from text2art.studio.db.tables import jobs as rows
from text2art.studio.ids import new_id
from text2art.studio.model import Claim, EventType, Job, Outcome, State
from text2art.studio.service import LOCAL, Studio
from text2art.studio.worker import slot
from text2art.studio.worker.company import keeps_company, may_have_company
from text2art.studio.worker.fake import FakeRunner
from text2art.studio.worker.inputs import gather
from text2art.studio.worker.local import LocalRunner
from text2art.studio.worker.runner import Ending, JobFailed, Order, RunnerDied
from text2art.studio.worker.supervisor import Supervisor

Open = Callable[..., Studio]
KEY = f"uploads/{'a' * 64}.png"
JOB: dict[str, Any] = {
    "prompts": ["a red apple"],
    "perceptor": "toy",
    "drawer": "pixel",
    "size": "48x32",
    "iterations": 60,
    "cuts": 4,
    "starts": 3,
    "seed": 7,
    "display_every": 10,
}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot, "_WAIT", 0.1)
    monkeypatch.setattr(slot, "_RETRY", 0.01)


@pytest.fixture
def one(new_url: Callable[[str], str], open_studio: Open) -> Studio:
    return open_studio(new_url("sqlite"), lease_seconds=5, checkpoint_seconds=0)


def submit(studio: Studio, **changes: Any) -> str:
    return studio.submit({**JOB, **changes}, LOCAL)[0].id


def reasons(studio: Studio, job_id: str) -> list[str]:
    """Return why a job went back to the queue, each time that it did."""
    said = [e.data for e in studio.events_since(job_id, LOCAL) if e.type is EventType.STATE]
    return [state["reason"] for state in said if "reason" in state]


def saved(studio: Studio, job_id: str) -> int:
    """Return the step of a job's last checkpoint, 0 while it has none."""
    job = view(studio, job_id).job
    return int((job.checkpoint or {"step": 0})["step"])


# ---- who may be -----------------------------------------------------------------------------


def claim(**changes: Any) -> Claim:
    settings = {**JOB, **changes.pop("settings", {})}
    return Claim(new_id(), **{"attempt": 1, "worker": "w", "lease_seconds": 5, "owner_id": "o",
                              "lane": "gpu", "settings": settings, **changes})  # fmt: skip


def job(**changes: Any) -> Job:
    settings = {**JOB, **changes.pop("settings", {})}
    return Job(**{"id": new_id(), "owner_id": "p", "state": State.QUEUED, "settings": settings,
                  "prompt": "", "drawer": "pixel", "lane": "gpu", "priority": 0, "public": False,
                  "created": 0.0, "not_before": 0.0, "attempt": 0, "max_attempts": 3,
                  **changes})  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"seed": 8},
        {"prompts": ["a cat", "the sea:0.5"]},
        {"image_prompts": ["https://example.org/cat.png"]},
    ],
)
def test_what_is_asked_for_may_differ(settings: dict[str, Any]) -> None:
    assert may_have_company(claim())
    assert keeps_company(claim(), job(settings=settings))


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"iterations": 61}},
        {"settings": {"size": "64x32"}},
        {"settings": {"drawer": "fft"}},
        {"settings": {"make_video": True}},
        {"settings": {"prompts": ["a cat ^ a dog"]}},  # twice the steps
        {"settings": {"prompts": ["{a|"]}},  # of another version, say
        {"settings": {"image_prompts": [KEY]}},
        {"attempt": 1},
        {"checkpoint": {"key": "x", "sha256": "y"}},
        {"parent_id": "x"},
    ],
)
def test_all_else_may_not(changes: dict[str, Any]) -> None:
    assert not keeps_company(claim(), job(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"attempt": 2},
        {"checkpoint": {"key": "x"}},
        {"parent_id": "x"},
        {"settings": {"init_image": KEY}},
    ],
)
def test_what_was_begun_or_needs_files_is_drawn_alone(changes: dict[str, Any]) -> None:
    assert not may_have_company(claim(**changes))


# ---- slots ----------------------------------------------------------------------------------


class Social(FakeRunner):
    """A runner that takes three jobs at a time and dies of the prompt "poison"."""

    together = 3

    def __init__(self) -> None:
        super().__init__(0.001)
        self.orders: list[list[str]] = []

    def draw(self, orders: Sequence[Order]) -> Iterator[tuple[int, Ending]]:
        self.orders.append([str(task.settings["prompts"][0]) for task, _ in orders])
        if "poison" in self.orders[-1]:
            for number in range(len(orders)):
                yield number, RunnerDied("killed", blame=len(orders) == 1)
            return
        for number in reversed(range(len(orders))):  # they end in any order
            yield from ((number, ending) for _, ending in super().draw([orders[number]]))


def test_what_waits_is_drawn_together_as_far_as_turns_allow(one: Studio) -> None:
    asked = [submit(one, prompts=[text]) for text in ("a", "b", "fail", "c")]
    asked += [submit(one, prompts=["large"], size="64x32"), submit(one, prompts=["d"])]
    runner = Social()
    with Supervisor(one, [runner]):
        jobs = [ended(one, job_id).job for job_id in asked]
    assert runner.orders == [["a", "b", "fail"], ["c"], ["large"], ["d"]]
    assert [j.state for j in jobs].count(State.DONE) == 5
    assert (jobs[2].state, jobs[2].error) == (State.FAILED, "the prompt says that it fails")
    assert {j.attempt for j in jobs} == {1}


def test_a_death_is_blamed_on_none_of_several_and_then_on_whose_it_was(one: Studio) -> None:
    texts = ("a", "poison", "b")
    asked = [submit(one, prompts=[text]) for text in texts]
    runner = Social()
    with Supervisor(one, [runner]):
        jobs = [ended(one, job_id).job for job_id in asked]
    assert runner.orders[0] == list(texts)
    assert all(len(order) == 1 for order in runner.orders[1:])
    assert [j.state for j in jobs] == [State.DONE, State.FAILED, State.DONE]
    assert jobs[1].error == "killed"
    assert runner.orders.count(["poison"]) == one.config.max_attempts
    assert [reasons(one, j.id) for j in (jobs[0], jobs[2])] == [["stopped"], ["stopped"]]


def test_what_is_claimed_is_drawn_though_the_database_goes_away(
    one: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = one.queue.claim

    def failing(*given: Any) -> Claim | None:
        if len(given) > 2:
            raise ConnectionError("gone")
        return claim(*given)

    monkeypatch.setattr(one.queue, "claim", failing)
    asked = [submit(one, prompts=[text]) for text in "ab"]
    runner = Social()
    with Supervisor(one, [runner]):
        states = [ended(one, job_id).job.state for job_id in asked]
    assert states == [State.DONE, State.DONE]
    assert runner.orders == [["a"], ["b"]]


def test_a_job_that_cannot_begin_leaves_the_others(
    one: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def picky(studio: Studio, claim: Claim, folder: Path) -> Any:
        if claim.settings["prompts"] == ["b"]:
            raise JobFailed("not this one")
        return gather(studio, claim, folder)

    monkeypatch.setattr(slot, "gather", picky)
    asked = [submit(one, prompts=[text]) for text in "abc"]
    runner = Social()
    with Supervisor(one, [runner]):
        states = [ended(one, job_id).job.state for job_id in asked]
    assert states == [State.DONE, State.FAILED, State.DONE]
    assert runner.orders == [["a", "c"]]


def test_estimates_count_the_time_of_several_once(one: Studio) -> None:
    """Three that a worker draws in a minute are twenty seconds each."""
    for text in "abc":
        submit(one, prompts=[text])
    taken = [one.queue.claim("w") for _ in range(3)]
    for number, held in enumerate(taken):
        assert held is not None
        one.queue.finish(held, Outcome(State.DONE, {"files": {}}))
        times = {"started": 1000.0 + number, "finished": 1060.0 + number / 10}
        with one.engine.begin() as connection:
            connection.execute(update(rows).where(rows.c.id == held.job_id).values(**times))
    waiting = view(one, submit(one))
    assert waiting.eta_seconds == pytest.approx(20, abs=0.1)


# ---- the real thing -------------------------------------------------------------------------


@pytest.fixture
def sociable(new_url: Callable[[str], str], open_studio: Open) -> Studio:
    return open_studio(
        new_url("sqlite"), lease_seconds=5, checkpoint_seconds=0, frames_per_second=30, together=3
    )


def result(studio: Studio, job_id: str) -> Image.Image:
    found = view(studio, job_id).job.result
    assert found is not None
    with studio.store.open(found["files"]["png"]) as file:
        picture: Image.Image = Image.open(file).convert("RGB")
    return picture


def distance(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two pictures' levels, in [0, 255]."""
    means: list[float] = ImageStat.Stat(ImageChops.difference(one, other)).mean
    return sum(means) / len(means)


def test_pictures_drawn_together_are_each_as_alone(sociable: Studio) -> None:
    texts = ("a red apple", "a green leaf", "the sea")
    asked = [submit(sociable, prompts=[text], make_video=True) for text in texts]
    with Supervisor(sociable, [LocalRunner(sociable.config)]):
        jobs = [ended(sociable, job_id).job for job_id in asked]
    assert [(j.state, j.attempt, j.error) for j in jobs] == [(State.DONE, 1, "")] * 3
    pictures = [result(sociable, job_id) for job_id in asked]
    for drawn, one in zip(pictures, jobs, strict=True):
        alone = draw(**{**one.settings, "make_video": False}).image.convert("RGB")
        assert distance(drawn, alone) < 1
        assert one.result is not None
        file = sociable.store.local(one.result["files"]["png"])
        assert file is not None
        assert read_record(file)["together"] == 3
        assert set(one.result["files"]) == {"png", "svg", "mp4"}
        assert {0, 60} <= set(view(sociable, one.id).frames)
        curve = [e for e in sociable.events_since(one.id, LOCAL) if e.type is EventType.SCORE]
        assert curve[-1].data["step"] == 60
    assert min(distance(pictures[0], other) for other in pictures[1:]) > 5


def test_each_of_several_ends_on_its_own(sociable: Studio) -> None:
    good, dropped = (submit(sociable, iterations=400, prompts=[text]) for text in "ab")
    runner = LocalRunner(sociable.config)
    with Supervisor(sociable, [runner]):
        until(lambda: view(sociable, dropped).job.step > 5, "some steps")
        pid = runner.pid
        sociable.cancel(dropped, LOCAL)
        assert ended(sociable, dropped).job.state is State.CANCELED
        assert view(sociable, good).job.state is State.RUNNING
        assert ended(sociable, good).job.state is State.DONE
        assert runner.pid == pid


def test_a_process_killed_with_several_jobs_loses_none(sociable: Studio) -> None:
    asked = [submit(sociable, iterations=300, prompts=[text]) for text in ("a red apple", "b")]
    runner = LocalRunner(sociable.config)
    with Supervisor(sociable, [runner]):
        until(lambda: all(saved(sociable, job_id) > 60 for job_id in asked), "checkpoints")
        assert runner.pid is not None
        os.kill(runner.pid, signal.SIGKILL)
        jobs = [ended(sociable, job_id).job for job_id in asked]
    assert [(j.state, j.attempt) for j in jobs] == [(State.DONE, 2)] * 2
    for one in jobs:
        assert reasons(sociable, one.id) == ["stopped"]
        alone = draw(**one.settings).image.convert("RGB")
        assert distance(result(sociable, one.id), alone) < 3


def test_a_stopped_worker_keeps_where_each_had_got_to(sociable: Studio) -> None:
    asked = [submit(sociable, iterations=900, prompts=[text]) for text in ("a", "b")]
    with Supervisor(sociable, [LocalRunner(sociable.config)]):
        until(lambda: all(view(sociable, j).job.step > 30 for j in asked), "some steps")
    for job_id in asked:
        job = view(sociable, job_id).job
        assert (job.state, job.attempt) == (State.QUEUED, 1)
        assert saved(sociable, job_id) >= 30


@pytest.mark.parametrize("together", ["0", "17", "some"])
def test_nonsense_is_refused(together: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="together"):
        StudioConfig.load(environ={"TEXT2ART_STUDIO_TOGETHER": together}, data=tmp_path)
