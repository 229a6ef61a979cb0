"""`curve`: the judge's score of the picture as it stands, against the seconds spent on it.

Steps cost different recipes different times, so they are compared by the clock. Pictures are kept
while one is drawn and judged afterwards: judging takes nothing from the drawing's time.
"""

from __future__ import annotations

import argparse
import bisect
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.quality.chart import chart
from benchmarks.quality.drawing import Row, overrides, say, variant
from benchmarks.quality.figures import table
from benchmarks.quality.judge import Eye, common, guides_taught, load_judge, taught
from benchmarks.quality.questions import TUNING, Choices, Question, about_subjects
from benchmarks.quality.stats import Share, rank_of
from text2art.configfile import merge
from text2art.errors import OutputError, SettingsError
from text2art.media.convert import to_pil
from text2art.models import Models
from text2art.runtime import pick
from text2art.session import Session
from text2art.settings import Settings

_FRAMES = 40  # pictures that are judged of one drawing, at most, evenly over its steps
_MOMENTS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 450, 600)


@dataclass(frozen=True)
class Course:
    """How one drawing went.

    Attributes:
        seconds: since its beginning, at each judged picture, rising.
        scores: the judge's, of the truth.
        first: whether the truth was the judge's first choice.
    """

    seconds: Sequence[float]
    scores: Sequence[float]
    first: Sequence[bool]

    def at(self, moment: float) -> int:
        """Return the place of the picture that was there at a moment; the first one before it."""
        return max(0, bisect.bisect_right(self.seconds, moment) - 1)


@dataclass(frozen=True)
class Line:
    """The drawings of one variant."""

    label: str
    courses: Sequence[Course]

    def score(self, moment: float) -> float:
        """Return the mean score of what was there at a moment."""
        return statistics.fmean(c.scores[c.at(moment)] for c in self.courses)

    def first(self, moment: float) -> Share:
        """Return how many were recognized then."""
        return Share(sum(c.first[c.at(moment)] for c in self.courses), len(self.courses))

    @property
    def end(self) -> float:
        """Mean seconds of a whole drawing."""
        return statistics.fmean(c.seconds[-1] for c in self.courses)

    @property
    def moments(self) -> list[float]:
        """When its mean score changes."""
        return sorted({second for c in self.courses for second in c.seconds})

    def reaches(self, score: float) -> float | None:
        """Return the first moment from which the mean score is never below `score` again."""
        reached = None
        for moment in self.moments:
            if self.score(moment) < score:
                reached = None
            elif reached is None:
                reached = moment
        return reached


def curve(given: argparse.Namespace) -> None:
    """Draw the same subjects with some variants, print a table and write a chart."""
    models = Models(pick(given.device))
    judge = load_judge(given.judge, models.runtime)
    rows = [variant(text, overrides(given.set)) for text in given.variant]
    if len({row.label for row in rows}) < len(rows):
        raise SettingsError(f"variants need different names, given {[row.label for row in rows]}")
    known = [known for row in rows for known in guides_taught(row.guides(models))]
    choices = common([taught(given.judge), *known])
    asked = about_subjects(choices["subject"], given.subjects, given.seed, TUNING)
    lines = []
    for row in rows:
        courses = []
        for number, question in enumerate(asked):
            courses.append(_draw(row, question, given.seed + number, models, judge, choices))
            say(f"{number + 1}/{len(asked)} {row.label}: {courses[-1].seconds[-1]:.1f} s")
        lines.append(Line(row.label, courses))
    print(f"Judge: {given.judge} ({judge.digests[0][:12]}); {len(asked)} subjects; ", end="")
    print(f"{models.runtime.description}\n\n{_times(lines)}\n\n{_summary(lines)}", flush=True)
    if given.chart:
        _write(given.chart, lines)


def _draw(
    row: Row, question: Question, seed: int, models: Models, judge: Eye, choices: Choices
) -> Course:
    settings = Settings.of(prompts=question.prompt, **merge(row.settings, {"seed": seed}))
    began = time.perf_counter()
    with Session(settings, models=models) as session:
        shown = [(time.perf_counter() - began, frame.image) for frame in session.frames()]
    values = question.values(choices)
    truth = values.index(question.truth)
    kept = shown[:: max(1, len(shown) // _FRAMES)]
    if kept[-1] is not shown[-1]:
        kept.append(shown[-1])
    scores = judge.scores([to_pil(image) for _, image in kept], question, values)
    return Course(
        [second for second, _ in kept],
        scores[:, truth].tolist(),
        [rank_of(line, truth) == 1 for line in scores],
    )


def _times(lines: Sequence[Line]) -> str:
    """Return the table of scores over time; a variant that is done stays as it is."""
    longest = max(line.end for line in lines)
    moments = [moment for moment in _MOMENTS if moment <= longest]
    head = ("s", *(line.label for line in lines))
    cells = [[f"{m}", *(f"{line.score(m):.3f}" for line in lines)] for m in moments]
    last = ["end", *(f"{line.score(line.courses[0].seconds[-1] + 1e9):.3f}" for line in lines)]
    return table(head, [*cells, last])


def _summary(lines: Sequence[Line]) -> str:
    """Return when each is as good as the first variant at its end, and how much sooner that is."""
    goal = lines[0].score(float("inf"))
    own = lines[0].reaches(goal)
    assert own is not None  # it ends there
    cells = []
    for line in lines:
        when = line.reaches(goal)
        cells.append(
            [
                line.label, f"{line.end:.1f}", str(line.first(float("inf"))),
                f"{line.score(float('inf')):.3f}",
                "not reached" if when is None else f"{when:.1f}",
                "" if when is None else f"{own / when:.1f}",
            ]
        )  # fmt: skip
    head = ("variant", "s/picture", "top-1", "judge's score", "s to the first's", "times as fast")
    return table(head, cells)


def _write(path: Path, lines: Sequence[Line]) -> None:
    longest = max(line.end for line in lines)
    drawn = {}
    for line in lines:
        moments = [m for m in line.moments if m <= line.end]
        drawn[line.label] = [(m, line.score(m)) for m in [*moments, longest]]
    try:
        path.write_text(chart(drawn, "seconds", "judge's score"), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
