"""From judged pictures to figures and tables."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.quality.drawing import Picture
from benchmarks.quality.judge import Eye, as_jpeg, blurred
from benchmarks.quality.questions import KINDS, Choices
from benchmarks.quality.stats import Share, median_rank, rank_of


@dataclass(frozen=True)
class Judged:
    """What the judge made of one picture.

    Attributes:
        row, kind, truth: which picture of which question.
        said: the judge's first choice.
        rank: place of the true choice, of `choices`.
        jpeg, blur: the same after JPEG and after blur.
        own: the same to the guides' own eye, None when they cannot be asked.
        judge, guide: how near the judge, and the guides while drawing, found it to its prompt.
        seconds: time spent drawing.
    """

    row: str
    kind: str
    truth: str
    said: str
    rank: int
    jpeg: int
    blur: int
    own: int | None
    choices: int
    judge: float
    guide: float
    seconds: float


def look(picture: Picture, judge: Eye, guides: Eye | None, choices: Choices) -> Judged:
    """Judge one picture."""
    question, image = picture.question, picture.image
    values = question.values(choices)
    truth = values.index(question.truth)
    scores = judge.scores([image, as_jpeg(image, judge.size), blurred(image)], question, values)
    rank, jpeg, blur = (rank_of(row, truth) for row in scores)
    own = rank_of(guides.scores([image], question, values)[0], truth) if guides else None
    return Judged(
        picture.row, question.kind, question.truth, values[int(scores[0].argmax())],
        rank, jpeg, blur, own, len(values),
        float(scores[0, truth]), picture.score, picture.seconds,
    )  # fmt: skip


def top(ranks: Iterable[int | None], places: int) -> Share:
    """Return how many ranks are among the first places."""
    known = [rank for rank in ranks if rank is not None]
    return Share(sum(rank <= places for rank in known), len(known))


def subject_table(judged: Sequence[Judged]) -> str:
    """Return the table of subject ranks, one line per row."""
    head = (
        "drawer", "pictures", "of", "top-1", "top-5", "median rank", "top-1 after JPEG",
        "top-1 after blur", "median after JPEG", "median after blur", "top-1 to the guide",
        "guide's score", "judge's score", "gap", "s/picture",
    )  # fmt: skip
    return table(head, (_subject_cells(label, row) for label, row in _rows(judged, "subject")))


def _subject_cells(label: str, row: Sequence[Judged]) -> list[str]:
    choices = row[0].choices
    guide, judge = _mean(row, lambda j: j.guide), _mean(row, lambda j: j.judge)
    return [
        label, str(len(row)), str(choices),
        str(top((j.rank for j in row), 1)), str(top((j.rank for j in row), 5)),
        str(median_rank([j.rank for j in row], choices)),
        str(top((j.jpeg for j in row), 1)), str(top((j.blur for j in row), 1)),
        str(median_rank([j.jpeg for j in row], choices)),
        str(median_rank([j.blur for j in row], choices)),
        str(top((j.own for j in row), 1)),
        f"{guide:.3f}", f"{judge:.3f}", f"{guide - judge:+.3f}", f"{_mean(row, _seconds):.1f}",
    ]  # fmt: skip


def attribute_table(judged: Sequence[Judged]) -> str:
    """Return the table of attributes, one line per row and attribute."""
    head = ("drawer", "asked", "pictures", "of", "right", "after JPEG", "after blur",
            "right to the guide", "guide's score", "judge's score", "gap")  # fmt: skip
    lines = []
    for kind in KINDS[1:]:
        for label, row in _rows(judged, kind):
            guide, judge = _mean(row, lambda j: j.guide), _mean(row, lambda j: j.judge)
            shares = [top((getattr(j, name) for j in row), 1) for name in _EYES]
            lines.append(
                [label, kind, str(len(row)), str(row[0].choices), *map(str, shares),
                 f"{guide:.3f}", f"{judge:.3f}", f"{guide - judge:+.3f}"]
            )  # fmt: skip
    return table(head, lines)


def compare_table(judged: Sequence[Judged]) -> str:
    """Return one line per variant, each picture also held against the first variant's.

    The last column marks the Pareto front: no other variant has as good a score in as little time.
    """
    head = ("variant", "top-1", "top-5", "median rank", "better/worse than the first",
            "judge's score", "s/picture", "front")  # fmt: skip
    rows = _rows(judged, "subject")
    points = [(_mean(row, _seconds), _mean(row, lambda j: j.judge)) for _, row in rows]
    lines = []
    for (label, row), (seconds, score) in zip(rows, points, strict=True):
        pairs = list(zip(row, rows[0][1], strict=True))
        better, worse = (sum(sign * (a.rank - b.rank) < 0 for a, b in pairs) for sign in (1, -1))
        ranks = [j.rank for j in row]
        lines.append(
            [label, str(top(ranks, 1)), str(top(ranks, 5)),
             str(median_rank(ranks, row[0].choices)),
             "" if row is rows[0][1] else f"+{better} -{worse}",
             f"{score:.3f}", f"{seconds:.1f}", "*" if on_front(points, (seconds, score)) else ""]
        )  # fmt: skip
    return table(head, lines)


def on_front(points: Iterable[tuple[float, float]], point: tuple[float, float]) -> bool:
    """Whether no other point (seconds, score) is as good in as little time, and better in one."""
    seconds, score = point
    return not any(s <= seconds and q >= score and (s, q) != point for s, q in points)


_EYES = ("rank", "jpeg", "blur", "own")


def _seconds(judged: Judged) -> float:
    return judged.seconds


def _rows(judged: Sequence[Judged], kind: str) -> list[tuple[str, list[Judged]]]:
    """Group the answers to a kind of question by row, in order of appearance."""
    groups: dict[str, list[Judged]] = {}
    for answer in judged:
        if answer.kind == kind:
            groups.setdefault(answer.row, []).append(answer)
    return list(groups.items())


def _mean(row: Sequence[Judged], value: Callable[[Judged], float]) -> float:
    return statistics.fmean(value(j) for j in row)


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table; nothing when it has no lines."""
    cells = [list(line) for line in lines]
    if not cells:
        return ""
    rows = [list(head), ["---"] * len(head), *cells]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
