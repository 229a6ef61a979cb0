"""What a worker's drawing tells on its way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from text2art import loop
from text2art.errors import OutOfMemory
from text2art.models import Models
from text2art.runtime import pick
from text2art.session import Session
from text2art.settings import Settings
from text2art.studio.worker.drawing import _Drawing, draw


@pytest.mark.parametrize("starts", [1, 4])
def test_scores_are_of_one_start_at_a_time(starts: int, here: Path) -> None:
    settings = Settings.of(
        prompts="a red apple", perceptor="toy", drawer="pixel", size="32x32", iterations=40,
        cuts=4, starts=starts, seed=1,
    )  # fmt: skip
    told: list[dict[str, Any]] = []
    job = {"folder": str(here), "frames_per_second": 1000.0, "checkpoint_seconds": 1e9}
    with Session(settings, models=Models(pick("cpu"))) as session:
        drawing = _Drawing(session, job, lambda said: told.append(dict(said)), lambda: "")
        frames = list(session.frames())
        for frame in frames:
            drawing._report(frame)
    first = {frame.step: frame.score for frame in frames if frame.beside}
    points = {one["step"]: one["score"] for one in told if one["say"] == "score"}
    assert points == {step: pytest.approx(score) for step, score in first.items()}
    assert frames[-1].step in points
    progress = [one["step"] for one in told if one["say"] == "progress"]
    assert progress == sorted(points)
    beside = [frame.step for frame in frames if frame.tryout and not frame.beside]
    assert bool(beside) == (starts > 1)


def orders(folder: Path, *changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Return jobs as a child hears of them."""
    tiny = {"prompts": ["a"], "perceptor": "toy", "drawer": "pixel", "size": "24x24",
            "iterations": 6, "cuts": 4, "starts": 1, "seed": 1}  # fmt: skip
    made = []
    for number, change in enumerate(changes):
        place = folder / str(number)
        place.mkdir()
        made.append(
            {"settings": {**tiny, **change}, "folder": str(place), "checkpoint": None,
             "parent": None, "frames": {}, "pixels": 10**6, "checkpoint_seconds": 1e9,
             "frames_per_second": 1.0}
        )  # fmt: skip
    return made


def ends(told: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Return which jobs ended, and how."""
    found = [one for one in told if one["say"] in ("done", "stopped", "failed")]
    return [(one["job"], one.get("kind", one["say"])) for one in found]


def drawn(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    draw(jobs, Models(pick("cpu")), lambda said: told.append(dict(said)), lambda number: "")
    return told


def test_a_mistake_in_one_of_several_is_its_own(here: Path) -> None:
    told = drawn(orders(here, {"seed": 1}, {"init_weight": 1.0}, {"seed": 2}))
    assert ends(told) == [(1, "job"), (0, "done"), (2, "done")]
    assert all((here / number / "result.png").exists() for number in "02")


@pytest.mark.parametrize(
    ("error", "said"),
    [(OutOfMemory("no room"), [(0, "memory"), (1, "memory")]), (TypeError("a bug"), [(0, "bug")])],
)
def test_what_goes_wrong_in_a_step_of_all_is_told_of_each(
    error: Exception, said: list[tuple[int, str]], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull, left = loop.pull, [3]

    def failing(waiting: Any) -> None:
        left[0] -= 1
        if not left[0]:
            raise error
        pull(waiting)

    monkeypatch.setattr(loop, "pull", failing)
    told: list[dict[str, Any]] = []
    jobs = orders(here, {"make_video": True}, {"make_video": True, "seed": 2})

    def take() -> None:
        draw(jobs, Models(pick("cpu")), lambda one: told.append(dict(one)), lambda number: "")

    if isinstance(error, OutOfMemory):
        take()
    else:  # the process goes down with it
        with pytest.raises(TypeError, match="a bug"):
            take()
    assert ends(told) == said


def test_a_bug_in_one_of_several_ends_the_process(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = _Drawing._report

    def failing(self: _Drawing, frame: Any) -> None:
        if self._session.settings.seed == 2 and frame.step == 3:
            raise TypeError("a bug")
        report(self, frame)

    monkeypatch.setattr(_Drawing, "_report", failing)
    told: list[dict[str, Any]] = []
    jobs = orders(here, {"seed": 1}, {"seed": 2})
    with pytest.raises(TypeError, match="a bug"):
        draw(jobs, Models(pick("cpu")), lambda one: told.append(dict(one)), lambda number: "")
    assert ends(told) == [(1, "bug"), (0, "bug")]
