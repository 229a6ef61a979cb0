"""`rank` and `compare`: draw, judge, print."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.quality.drawing import Folder, Row, draw_all, how_made, overrides, say, variant
from benchmarks.quality.figures import (
    Judged,
    attribute_table,
    compare_table,
    look,
    subject_table,
)
from benchmarks.quality.judge import (
    Eye,
    common,
    guide_eye,
    guides_taught,
    load_judge,
    taught,
)
from benchmarks.quality.questions import (
    PROOF,
    TUNING,
    Choices,
    Palette,
    Question,
    about_attribute,
    about_pairs,
    about_subjects,
)
from text2art import registry
from text2art.configfile import merge
from text2art.errors import SettingsError
from text2art.models import Models
from text2art.runtime import pick

_ITSELF = "**The judge is the guide itself: these figures flatter. Use another judge.**"
_CHOSEN = (
    "These rows choose settings; they prove nothing about the winner. Its figures come from "
    "`rank`, whose prompts, and with another --seed whose noise, it was not chosen on."
)


@dataclass(frozen=True)
class _Found:
    """Judged pictures, where they lie if they are kept, and the checksums of their guides."""

    folder: Folder | None
    judged: list[Judged]
    guides: set[str]


def rank(given: argparse.Namespace) -> None:
    """Draw questions with some drawers, or take them from a folder, and print the tables."""
    models = Models(pick(given.device))
    judge = load_judge(given.judge, models.runtime, crops=given.crops)
    if given.source is not None:
        folder = Folder.read(given.source)
        judged, guides = _judge_folder(folder, judge, given.judge, models)
        found = _Found(folder, judged, guides)
    else:
        found = _draw_and_judge(given, _drawer_rows(given), judge, models, given.what, PROOF)
    _finish(found, judge, given, [subject_table(found.judged), attribute_table(found.judged)])


def compare(given: argparse.Namespace) -> None:
    """Draw the same subjects with some variants of the settings and print one line for each."""
    models = Models(pick(given.device))
    judge = load_judge(given.judge, models.runtime, crops=given.crops)
    base = merge({"drawer": given.drawer, "quality": given.quality}, overrides(given.set))
    rows = [variant(text, base) for text in given.variant]
    labels = [row.label for row in rows]
    if len(set(labels)) < len(labels):
        raise SettingsError(f"variants need different names, given {', '.join(labels)}")
    found = _draw_and_judge(given, rows, judge, models, ("subject",), TUNING)
    _finish(found, judge, given, [compare_table(found.judged), _CHOSEN])


def _drawer_rows(given: argparse.Namespace) -> list[Row]:
    drawers = dict.fromkeys(name.strip() for name in given.drawers.split(",") if name.strip())
    if not drawers:
        raise SettingsError("no drawer was named: use --drawers pyramid,pixel")
    further = overrides(given.set)
    rows = []
    for drawer in drawers:
        registry.find("drawers", drawer)
        settings = merge({"quality": given.quality}, further, {"drawer": drawer})
        rows.append(Row(drawer, settings))
    return rows


def _draw_and_judge(
    given: argparse.Namespace,
    rows: Sequence[Row],
    judge: Eye,
    models: Models,
    kinds: Sequence[str],
    palette: Palette,
) -> _Found:
    guides = [row.guides(models) for row in rows]
    choices = common([taught(given.judge), *(k for guide in guides for k in guides_taught(guide))])
    questions = _questions(given, choices, kinds, palette)
    folder = None
    if given.out is not None:
        made = how_made(rows, models, given.seed, choices=choices)
        folder = Folder.create(given.out, made, resume=given.resume)
    eyes = {row.label: guide_eye(models, guide) for row, guide in zip(rows, guides, strict=True)}
    subjects = len(choices["subject"])
    say(f"{len(rows)} x {len(questions)} pictures, {subjects} subjects to choose from")
    pictures = draw_all(rows, questions, models, folder)
    judged = [look(picture, judge, eyes[picture.row], choices) for picture in pictures]
    return _Found(folder, judged, {part for eye in eyes.values() for part in eye.parts})


def _questions(
    given: argparse.Namespace, choices: Choices, kinds: Sequence[str], palette: Palette
) -> list[tuple[Question, int]]:
    """Return the questions with their seeds: prompt n of a kind has the n-th seed."""
    result: list[tuple[Question, int]] = []
    subjects = choices["subject"]
    for kind in kinds:
        if kind == "subject":
            asked = about_subjects(subjects, given.subjects or len(subjects), given.seed, palette)
        elif kind == "pair":
            asked = about_pairs(subjects, given.attributes, given.seed)
        else:
            asked = about_attribute(kind, choices, given.attributes, given.seed)
        result += [(question, given.seed + n) for n, question in enumerate(asked)]
    return result


def _judge_folder(
    folder: Folder, judge: Eye, place: Path, models: Models
) -> tuple[list[Judged], set[str]]:
    choices = common([taught(place), folder.made["choices"]])
    eyes: dict[str, Eye | None] = {}
    digests: set[str] = set()
    for made in folder.made["rows"]:
        row = Row(made["label"], made["settings"])
        eye = guide_eye(models, row.guides(models))
        drew = [str(digest) for _, _, digest in made["guides"]]
        digests.update(drew)
        same = eye.digests == drew
        digests.update(eye.parts if same else ())
        if not same:  # another guide's opinion of these pictures would say nothing of their own
            say(f"{row.label}: its guide is no longer here and is not asked")
        eyes[row.label] = eye if same else None
    return [look(picture, judge, eyes[picture.row], choices) for picture in folder], digests


def _finish(found: _Found, judge: Eye, given: argparse.Namespace, parts: Sequence[str]) -> None:
    print(f"Judge: {given.judge} ({judge.digests[0][:12]}); [95 % intervals]\n")
    if found.guides & judge.parts:
        print(_ITSELF + "\n")
    print("\n\n".join(part for part in parts if part), flush=True)
    if found.folder is not None:
        answers: list[dict[str, Any]] = [asdict(answer) for answer in found.judged]
        described = {"folder": str(given.judge), "sha256": judge.digests, "crops": given.crops}
        found.folder.write(judge=described, judged=answers)
