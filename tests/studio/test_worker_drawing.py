"""What a worker's drawing tells on its way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from text2art.models import Models
from text2art.runtime import pick
from text2art.session import Session
from text2art.settings import Settings
from text2art.studio.worker.drawing import _Drawing


@pytest.mark.parametrize("starts", [1, 4])
def test_scores_are_of_one_start_at_a_time(starts: int, here: Path) -> None:
    settings = Settings.of(
        prompts="a red apple", perceptor="toy", drawer="pixel", size="32x32", iterations=40,
        cuts=4, starts=starts, seed=1,
    )  # fmt: skip
    told: list[dict[str, Any]] = []
    job = {"frames_per_second": 1000.0, "checkpoint_seconds": 1e9}
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
