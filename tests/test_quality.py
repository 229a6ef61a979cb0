"""The evaluation: ranks that do not flatter, intervals, blind sheets, and the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from benchmarks.quality.__main__ import main
from benchmarks.quality.blind import natural, painted, pairs
from benchmarks.quality.chart import ticks
from benchmarks.quality.curve import Course, Line
from benchmarks.quality.drawing import Picture, overrides, variant
from benchmarks.quality.figures import compare_table, look, on_front, subject_table, top
from benchmarks.quality.judge import Eye, as_jpeg, blurred, common, taught, whole
from benchmarks.quality.questions import (
    KINDS,
    PROOF,
    TUNING,
    Question,
    about_attribute,
    about_pairs,
    about_subjects,
    article,
    choices_of,
    ground,
    question_of,
)
from benchmarks.quality.sheet import read_answers, read_key, write_sheet
from benchmarks.quality.stats import Share, median_rank, rank_of, wilson
from text2art.errors import InputFileError, SettingsError
from text2art.media.sheet import Tile
from text2art.runtime import pick
from text2art.weights import catalog

Run = Callable[..., tuple[int, str, str]]
QUICK = ("--set", "perceptor=toy", "iterations=3", "size=64x64", "cuts=2")
FEW = ("apple", "star", "sailboat", "owl", "tree", "cactus")
SUBJECTS = ["star", "heart", "tree"]
CHOICES = {
    "subject": SUBJECTS,
    "color": ["red", "blue", "green"],
    "background": ["white", "night"],
    "count": ["1", "2", "3", "4"],
    "style": ["none", "sketch"],
}


@pytest.fixture
def run(here: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        status = main(words)
        return (status, *capfd.readouterr())

    return call


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the starter with few subjects, for speed: a stand-in for the real judge."""
    folder = tmp_path_factory.mktemp("judge")
    there = catalog.starter_folder()
    shutil.copy(there / "perceptor.safetensors", folder)
    card = json.loads((there / "perceptor.json").read_text(encoding="utf-8"))
    card["subjects"] = [name for name in card["subjects"] if name in FEW]
    (folder / "perceptor.json").write_text(json.dumps(card), encoding="utf-8")
    return str(folder)


# ---- figures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    [  # Newcombe 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_the_published_one(
    right: int, of: int, low: float, high: float
) -> None:
    assert wilson(right, of) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("n", "low", "high"), [(10, 2, 9), (20, 6, 15), (25, 8, 18), (6, 1, 6)])
def test_a_medians_interval_takes_the_published_places(n: int, low: int, high: int) -> None:
    found = median_rank(range(1, n + 1), 137)
    assert (found.low, found.high) == (low, high)


def test_few_ranks_bound_no_median() -> None:
    assert str(median_rank([1, 1, 1, 1, 1], 137)) == "1 [1, 137]"


def test_a_rank_counts_ties_and_nan_against_the_truth() -> None:
    assert rank_of(torch.tensor([0.1, 0.9, 0.5]), 1) == 1
    assert rank_of(torch.tensor([0.1, 0.9, 0.5]), 0) == 3
    assert rank_of(torch.tensor([0.5, 0.5, 0.5]), 0) == 3
    assert rank_of(torch.tensor([float("nan"), 0.5, 0.1]), 0) == 3
    assert rank_of(torch.tensor([0.9, float("nan"), 0.1]), 0) == 2


def test_nothing_asked_is_no_share() -> None:
    assert str(Share(0, 0)) == "-"
    assert str(top([None, None], 1)) == "-"
    assert str(Share(5, 10)).startswith("0.50 [0.24, 0.76]")


class ByColor:
    """Sees the mean color; reads "star" as red, "heart" as green and "tree" as blue."""

    name, size, digest = "by color", 8, "d"

    def see(self, crops: Tensor) -> Tensor:
        return torch.nn.functional.normalize(crops.mean((2, 3)), dim=-1)

    def read(self, texts: Sequence[str]) -> Tensor:
        rows = [[float(name in text) for name in SUBJECTS] for text in texts]
        return torch.tensor(rows)

    def notices(self, text: str) -> list[str]:
        return []


def test_the_judge_ranks_by_cosine_with_every_choice() -> None:
    eye = Eye([(ByColor(), 1.0)], pick("cpu"))
    question = Question("subject", "heart", "a {} on a white background", "heart")
    image = Image.new("RGB", (20, 20), (100, 200, 50))  # most like heart, then star, then tree
    judged = look(Picture("fake", question, 1, 0.9, 2.0, image), eye, eye, CHOICES)
    assert (judged.rank, judged.own, judged.said, judged.choices) == (1, 1, "heart", 3)
    assert (judged.jpeg, judged.blur) == (1, 1)
    assert judged.judge == pytest.approx(200 / (100**2 + 200**2 + 50**2) ** 0.5, abs=1e-3)
    other = Question("subject", "tree", question.form, "tree")
    assert look(Picture("fake", other, 1, 0.9, 2.0, image), eye, None, CHOICES).rank == 3
    assert "| fake | 1 | 3 | 1.00 [0.21, 1.00]" in subject_table([judged])


def test_rows_are_compared_picture_by_picture() -> None:
    eye = Eye([(ByColor(), 1.0)], pick("cpu"), crops=True)
    asked = [Question("subject", name, "a {}", name) for name in SUBJECTS[:2]]
    green, red = Image.new("RGB", (9, 9), (9, 200, 5)), Image.new("RGB", (9, 9), (200, 9, 5))
    judged = [
        look(Picture(row, question, 1, 0.5, 1.0, image), eye, None, CHOICES)
        for row, images in (("now", (green, green)), ("new", (red, red)))
        for question, image in zip(asked, images, strict=True)
    ]
    told = compare_table(judged)
    assert "+1 -1" in told
    assert told.splitlines()[0].endswith("| front |")


def test_the_front_is_of_what_nothing_beats_in_time_and_score() -> None:
    points = [(1.0, 0.5), (2.0, 0.6), (2.0, 0.55), (3.0, 0.6), (4.0, 0.7), (0.5, 0.1), (1.0, 0.5)]
    front = [on_front(points, point) for point in points]
    assert front == [True, True, False, False, True, True, True]


def test_pictures_are_seen_whole_and_disturbed_as_said() -> None:
    stripes = Image.new("RGB", (128, 128))
    stripes.paste("white", (64, 0, 128, 128))
    seen = whole(stripes, 64)
    assert seen.shape == (1, 3, 64, 64)
    assert seen[0, 0, 0, 31] == 0
    assert seen[0, 0, 0, 32] == 1
    assert 0 < whole(blurred(stripes), 64)[0, 0, 0, 31] < 0.5
    assert as_jpeg(stripes, 64).size == (64, 64)
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert whole(clear, 8).min() == 1  # transparency lies on white paper


# ---- questions ----------------------------------------------------------------------------------


def test_choices_differ_in_the_asked_attribute_alone() -> None:
    question = Question("color", "octopus", "a {} octopus on a white background", "orange")
    assert question.prompt == "an orange octopus on a white background"
    assert question.texts("red")[1] == "a picture of a red octopus on a white background"
    question = Question("count", "fox", "{} on a blue background", "2")
    assert question.prompt == "two foxes on a blue background"
    assert question.texts("1")[0] == "a fox on a blue background"
    question = Question("style", "cat", "a cat", "sketch")
    assert all("cat" in text and "sketch" in text for text in question.texts("sketch")[:2])
    assert question_of({**question.plain(), "seed": 3}) == question


def test_words_are_english_and_tell_backgrounds_apart() -> None:
    assert article("a unicorn, a owl and a ufo") == "a unicorn, an owl and a ufo"
    assert ground("sea") != ground("underwater")
    assert ground("red") == "on a red background"


def test_subjects_are_drawn_by_the_seed_and_share_their_palette() -> None:
    names = [*SUBJECTS, "cat", "owl", "bee", "snake"]
    assert about_subjects(names, 4, 1) == about_subjects(names, 4, 1)
    assert about_subjects(names, 4, 1) != about_subjects(names, 4, 2)
    asked = about_subjects(names, 99, 1)
    assert [question.truth for question in asked] == names
    forms = {question.form for question in asked}
    assert forms <= {PROOF.colored, *PROOF.plain}
    assert not forms & {TUNING.colored, *TUNING.plain}


def test_pairs_are_of_two_different_subjects_asked_by_turns() -> None:
    choices = choices_of(SUBJECTS, _words())
    asked = about_pairs(SUBJECTS, 3, 5)
    assert asked == about_pairs(SUBJECTS, 3, 5) != about_pairs(SUBJECTS, 3, 6)
    assert [question.form.index("{}") < 4 for question in asked] == [True, False, True]
    for question in asked:
        told = question.prompt.replace("an ", "a ")
        assert question.truth in question.values(choices)
        named = [name for name in SUBJECTS if f"a {name} " in told]
        assert len(named) == 2
        assert set(question.subjects) == set(named)
        assert question.truth in named
    few = about_pairs(SUBJECTS[:3], 3, 5)
    assert all(len({q.subject, *q.prompt.split()} & set(SUBJECTS)) == 2 for q in few)


@pytest.mark.parametrize("kind", [kind for kind in KINDS[1:] if kind != "pair"])
def test_attributes_are_asked_evenly(kind: str) -> None:
    choices = choices_of(SUBJECTS, _words())
    asked = about_attribute(kind, choices, 12, 1)
    truths = [question.truth for question in asked]
    counts = {truths.count(truth) for truth in set(truths)}
    assert max(counts) - min(counts) <= 1
    assert all(question.truth in question.values(choices) for question in asked)
    assert all(not (q.truth == "white" and "on a white" in q.form) for q in asked)


def test_only_known_words_are_asked() -> None:
    known = choices_of(["star"], {"red", "blue", "on", "background", "at", "night"})
    assert known["color"] == ["red", "blue"]
    assert known["background"] == ["red", "blue", "night"]
    with pytest.raises(SettingsError, match="share 1 choices of subject"):
        common([CHOICES, known])
    with pytest.raises(SettingsError, match="unknown to this judge"):
        Question("subject", "cat", "a {}", "cat").values(CHOICES)


def _words() -> set[str]:
    card = json.loads((catalog.starter_folder() / "perceptor.json").read_text(encoding="utf-8"))
    return set(card["vocabulary"])


# ---- blind sheets -------------------------------------------------------------------------------


def fake_sheet(folder: Path) -> dict[str, tuple[str, ...]]:
    truth: dict[str, tuple[str, ...]] = {"1": ("star",), "2": ("heart",), "3": ("tree",)}
    tiles = [Tile(Image.new("RGB", (8, 8), c), str(n)) for n, c in enumerate(("red", "tan", "tan"))]
    write_sheet(folder, tiles, truth, ["tree", "star", "heart"], {"prompts": truth})
    return truth


def test_a_sheet_is_scored(here: Path, run: Run) -> None:
    fake_sheet(here)
    Path("answers.txt").write_text("# mine\n1: Star\n2: tree\n\n3. unknown\n")
    status, out, _ = run("score", ".", "answers.txt")
    assert status == 0
    assert "1 of 3 named right: 0.33 [0.06, 0.79]" in out
    assert "1 unknown" in out
    assert "heart" not in out
    assert "2: heart, said tree" in run("score", ".", "answers.txt", "--reveal")[1]


def test_the_key_is_sealed(here: Path) -> None:
    truth = fake_sheet(here)
    assert read_key(here) == {int(n): names for n, names in truth.items()}
    text = Path("key.json").read_text()
    assert not any(name in text for (name,) in truth.values())
    assert Path("names.txt").read_text().split() == ["tree", "star", "heart"]
    with Image.open("sheet.png") as sheet:
        assert not sheet.info  # no prompts in the file
    Path("key.json").write_text(text.replace('"sha256": "', '"sha256": "0'))
    with pytest.raises(InputFileError, match="does not match its seal"):
        read_key(here)
    Path("key.json").write_text("{}")
    with pytest.raises(InputFileError, match="cannot be read"):
        read_key(here)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("star", "line 1: 'star' is no answer"),
        ("1: sta", "Did you mean 'star'"),
        ("9: star", "no picture 9"),
        ("1: star\n1: tree", "line 2: picture 1 is answered twice"),
        ("", "holds no answers"),
        ("1: star, tree", "picture 1 shows 1, 2 names were given"),
        ("3: star, heart, tree", "picture 3 shows 2, 3 names were given"),
        ("3: star, hart", "Did you mean 'heart'"),
    ],
)
def test_wrong_answers_are_named(here: Path, line: str, said: str) -> None:
    Path("answers.txt").write_text(line)
    with pytest.raises(InputFileError, match=said):
        read_answers(Path("answers.txt"), {1: ("star",), 2: ("tree",), 3: ("tree", "heart")})


def test_of_pairs_every_name_counts(here: Path, run: Run) -> None:
    tiles = [Tile(Image.new("RGB", (8, 8)), str(n)) for n in (1, 2, 3)]
    truth = {"1": ("star", "tree"), "2": ("heart", "cat"), "3": ("owl", "bee")}
    write_sheet(here, tiles, truth, ["owl"], {})
    Path("answers.txt").write_text("1: tree, star\n2: heart, unknown\n3: star, star\n")
    out = run("score", ".", "answers.txt", "--reveal")[1]
    assert "3 of 6 named right" in out
    assert "(1 of 3 pictures wholly); 2 unknown" in out
    assert "1: star, tree, right" in out
    assert "2: heart, cat, said heart" in out


def test_sheets_of_pairs_show_every_subject_once(here: Path, run: Run) -> None:
    status, out, err = run("sheet", "--pairs", "--count", "3", "--out", "blind", *QUICK)
    assert status == 0, err
    assert "'7: NAME, NAME'" in out
    key = read_key(Path("blind"))
    shown = [name for names in key.values() for name in names]
    assert len(set(shown)) == 6
    assert sorted(Path("blind/names.txt").read_text().splitlines()) == sorted(shown)
    with pytest.raises(SettingsError, match="--pairs can ask for 1 pictures, not for 2"):
        pairs(SUBJECTS, 2, 1)


@pytest.mark.parametrize("choose", [painted, natural])
def test_four_pictures_share_a_palette(choose: Callable[..., list[Question]]) -> None:
    names = taught(catalog.starter_folder())["subject"]
    asked = choose(names, 24, 3)
    assert asked == choose(names, 24, 3)
    assert len({question.truth for question in asked}) == 24
    assert {question.truth for question in asked} <= set(names)
    forms = [question.form for question in asked]
    assert all(forms.count(form) % 4 == 0 for form in forms)
    assert forms != sorted(forms)


def test_natural_fours_run_out() -> None:
    with pytest.raises(SettingsError, match="--natural can ask for 4 subjects, not for 5"):
        natural(["pig", "flower", "tulip", "donut", "ghost"], 5, 1)


def test_drawing_a_sheet_leaks_no_name(here: Path, run: Run) -> None:
    status, out, err = run("sheet", "--count", "5", "--seed", "4", "--out", "blind", *QUICK)
    assert status == 0, err
    names = Path("blind/names.txt").read_text().splitlines()
    assert sorted(names) == sorted(name for (name,) in read_key(Path("blind")).values())
    assert len(names) == 5
    assert not any(name in err.split() or f" {name}'" in out for name in names)
    assert sorted(p.name for p in Path("blind").iterdir()) == ["key.json", "names.txt", "sheet.png"]
    assert "holds a sheet already" in run("sheet", "--out", "blind", *QUICK)[2]


# ---- the command line ---------------------------------------------------------------------------


def test_rank_draws_judges_and_judges_again(here: Path, run: Run, judge: str) -> None:
    few = ("--subjects", "2", "--attributes", "2", "--what", "subject,count")
    words = ("rank", "--drawers", "pyramid,pixel", *few, "--judge", judge, "--out", "kept", *QUICK)
    status, out, err = run(*words)
    assert status == 0, err
    assert "| pyramid | 2 |" in out
    assert "| pixel | count | 2 | 4 |" in out
    assert "8/8 pixel" in err
    assert "flatter" not in out
    kept = json.loads(Path("kept/results.json").read_text())
    assert [entry["seed"] for entry in kept["pictures"]] == [1, 2] * 4
    assert len(kept["judged"]) == 8
    again = run("rank", "--from", "kept", "--judge", judge)[1]
    assert again == out
    assert "holds results already" in run(*words)[2]
    resumed = run(*words, "--resume")
    assert resumed[1] == out
    assert "8/8" not in resumed[2]  # nothing was drawn
    assert "rows differ" in run(*words, "cuts=3", "--resume")[2]


def test_scores_are_told_by_the_clock(here: Path, run: Run, judge: str) -> None:
    words = ("curve", "--subjects", "2", "--judge", judge, "--chart", "curve.svg", *QUICK)
    few, many = "few: iterations=2", "many: iterations=9 drawer=pixel"
    status, out, err = run(*words, "--variant", few, "--variant", many)
    assert status == 0, err
    assert "2/2 many" in err
    last = out.strip().splitlines()[-2:]
    assert last[0].startswith("| few | ")
    assert last[0].endswith(" | 1.0 |")
    assert last[1].startswith("| many | ")
    pieces = Path("curve.svg").read_text().split("<polyline")
    assert "few" in pieces[-1] + pieces[-3]
    assert "many" in pieces[-1]


def test_a_line_is_what_was_there_at_the_time() -> None:
    slow = Course([1.0, 4.0, 9.0], [0.1, 0.2, 0.6], [False, False, True])
    quick = Course([2.0, 3.0], [0.3, 0.4], [False, True])
    line = Line("both", [slow, quick])
    assert [line.score(t) for t in (0, 2.5, 3, 5, 100)] == pytest.approx([0.2, 0.2, 0.25, 0.3, 0.5])
    assert (str(line.first(5))[:4], str(line.first(100))[:4]) == ("0.50", "1.00")
    assert line.end == 6.0
    assert line.reaches(0.25) == 3.0
    assert line.reaches(0.5) == 9.0
    assert line.reaches(0.51) is None
    falls = Line("falls", [Course([1.0, 2.0, 3.0], [0.5, 0.1, 0.5], [True] * 3)])
    assert falls.reaches(0.4) == 3.0


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 2.5, 5, 7.5, 10]),
        (0, 38.9, [0, 10, 20, 30, 40]),
        (0.31, 0.66, [0.3, 0.4, 0.5, 0.6, 0.7]),
        (-1, 1, [-1, -0.5, 0, 0.5, 1]),
        (2, 2, [2, 2.25]),
    ],
)
def test_ticks_are_round_and_enclose(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_a_judge_that_guides_is_called_out(here: Path, run: Run, judge: str) -> None:
    few = ("--subjects", "1", "--set", "perceptor=starter", "iterations=1", "size=32x32", "cuts=1")
    _, out, _ = run("compare", "--judge", judge, *few, "--variant", "now:")
    assert "The judge is the guide itself" in out
    assert "prove nothing" in out
    assert "| now | " in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rank", "--drawers", "pyramd"), "unknown drawer 'pyramd'. Did you mean 'pyramid'"),
        (("rank", "--drawers", ","), "no drawer was named"),
        (("rank", "--set", "cutz=3"), "cutz"),
        (("rank", "--set", "hello"), "'hello' is no setting"),
        (("rank", "--from", "nowhere"), "cannot be read"),
        (("rank", "--judge", "nowhere"), "python -m training.make"),
        (("compare", "--variant", "nameless"), "has no name"),
        (("compare", "--variant", "a:", "--variant", "a: cuts=3"), "different names"),
        (("curve", "--variant", "a: cutz=3"), "cutz"),
        (("curve", "--variant", "a:", "--variant", "a: cuts=3"), "different names"),
        (("sheet", "--drawer", "pyramd", "--out", "x"), "unknown drawer"),
        (("sheet", "--count", "100000", "--out", "x"), "subjects can be asked"),
        (("score", "nowhere", "answers.txt"), "cannot be read"),
    ],
)
def test_bad_input_is_one_clear_line(
    run: Run, judge: str, words: tuple[str, ...], said: str
) -> None:
    if words[0] in ("rank", "compare", "curve") and "--judge" not in words:
        words = (*words, "--judge", judge)
    status, out, err = run(*words)
    assert status == 1
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert said in err
    assert not out


def test_variants_lie_over_common_settings() -> None:
    row = variant("slow: learning_rate=0.5 pixel.cells=8x8", {"drawer": "pixel", "cuts": 4})
    assert row.label == "slow"
    assert row.settings["cuts"] == 4
    assert row.checked().learning_rate == 0.5
    assert overrides(["pixel.cells=3x3", "cuts=3"]) == {"pixel": {"cells": "3x3"}, "cuts": "3"}


def test_the_starter_says_what_it_was_taught(judge: str) -> None:
    choices = taught(Path(judge))
    assert sorted(choices["subject"]) == sorted(FEW)
    assert len(choices["color"]) == 12


@pytest.mark.parametrize("package", ["benchmarks", "training", "scripts"])
def test_waiting_threads_sleep(package: str) -> None:
    """Spinning ones made judging seven times as slow beside other work."""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    code = f"import os, {package}; print(os.environ['OMP_WAIT_POLICY'])"
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert said.strip() == "PASSIVE"
