"""Names of files from templates: what fields stand for, and what no prompt can make of them."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli_tools import Cli, draw
from text2art.cli import naming
from text2art.errors import OutputError
from text2art.media.files import SLUG_LENGTH, slug
from text2art.media.names import (
    FIELDS,
    MOST_CHARACTERS,
    MOST_FIELDS,
    OLD,
    Field,
    facts_of,
    parse_template,
)
from text2art.media.png import read_record
from text2art.settings import Settings

NOW = datetime.datetime(2026, 8, 7, 14, 3, 5)
ROOT = Path(__file__).parents[1]


def facts(**settings: Any) -> dict[str, Any]:
    values = {"prompts": "A red apple!", "seed": 7, **settings}
    return facts_of(Settings.of(**values), (320, 200), NOW)


def name(template: str, **settings: Any) -> str:
    return str(parse_template(template).filled(facts(**settings)))


# ---- fields --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("cat.png", "cat.png"),
        ("outputs/{date}/{slug}-{seed}.png", "outputs/2026-08-07/a-red-apple-7.png"),
        ("{date:%y%m%d}_{time:%H%M}.png", "260807_1403.png"),
        ("{time}.png", "14-03-05.png"),
        ("{drawer}.{quality}.png", "pyramid.normal.png"),
        ("{width}x{height:04}@{iterations}.png", "320x0200@250.png"),
        ("{seed:06}.png", "000007.png"),
        ("{styles}.png", "plain.png"),
        ("{ Slug }.png", "a-red-apple.png"),
        ("{n}{n:03}.png", "1001.png"),
        ("a{{b}}c.png", "a{b}c.png"),
        ("%DATE%_%SEQ%/%PROMPT%.png", "2026-08-07_01/a-red-apple.png"),
        ("100%.png", "100%.png"),
        ("../up/{slug}.png", "../up/a-red-apple.png"),
    ],
)
def test_fields_are_filled_in(template: str, path: str) -> None:
    assert name(template) == path


def test_fields_of_other_kinds() -> None:
    assert name("{seed:06}.png", seed="My Seed/..") == "my-seed.png"
    assert name("{seed}.png", seed=None) == "picture.png"
    assert name("{styles}.png", styles="neon,low poly:0.5") == "neon-low-poly-0-5.png"
    assert name("{slug:12}.png", prompts="a very long prompt indeed") == "a-very-long.png"
    long = name("{slug:30}.png", prompts="word " * 50)
    assert len(long) <= 34
    assert re.fullmatch(r"[a-z-]+-[0-9a-f]{8}\.png", long)


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_is_filled_and_documented(field: str) -> None:
    assert "{" not in name(f"{{{field}}}.png")
    text = (ROOT / "docs/outputs.md").read_text(encoding="utf-8")
    assert f"`{{{field}}}`" in text
    for old in OLD:
        assert f"`%{old}%`" in text


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{sed}.png", r"unknown field '\{sed\}'.*Did you mean 'seed'.*There are: \{date\}"),
        ("{}.png", r"unknown field '\{\}'"),
        ("{slug.__class__}.png", "unknown field"),
        ("{0}.png", "unknown field"),
        ("{slug!r}.png", "unknown field"),
        ("{slug.png", r"'\{' stands alone"),
        ("slug}.png", r"'\}' stands alone; write '\}\}'"),
        ("{{slug}.png", "stands alone"),
        ("%DTE%.png", r"unknown field '%DTE%'.*%DATE%"),
        ("{n:x}.png", r"cannot write n in the format 'x', as \{n:03\}"),
        ("{n:999}.png", "cannot write n"),
        ("{slug:0}.png", "cannot write slug"),
        ("{width:%d}.png", "cannot write width"),
        ("{date:%d/%m}.png", "cannot write date"),
        ("{date:%n}.png", "cannot write date"),
        ("{n}" * (MOST_FIELDS + 1), "33 fields"),
        ("a" * (MOST_CHARACTERS + 1), "1001 characters"),
        ("a\0.png", "zero character"),
    ],
)
def test_wrong_templates(template: str, message: str) -> None:
    with pytest.raises(OutputError, match=message):
        parse_template(template)


# ---- properties ----------------------------------------------------------------------------------

PLAIN = st.text(st.characters(exclude_characters="{}%\0", codec="utf-8"), max_size=20)
FORMATS = {"n": "03", "width": "5", "slug": "20", "date": "%Y-%j", "time": "%H"}
FIELD = st.sampled_from([*(Field(f) for f in FIELDS), *(Field(f, w) for f, w in FORMATS.items())])


@given(st.lists(PLAIN | FIELD, max_size=12))
def test_what_is_written_reads_back(parts: list[str | Field]) -> None:
    template = parse_template("".join(map(str, parts)))
    assert "".join(map(str, template.parts)) == "".join(map(str, parts))
    assert template.fields == tuple(part for part in parts if isinstance(part, Field))


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_in_a_line(text: str) -> None:
    try:
        template = parse_template(text)
    except OutputError:
        return
    assert len(str(template.filled(facts()))) < 4000


@given(prompt=st.text(min_size=1, max_size=300), seed=st.text(max_size=50))
def test_no_prompt_leaves_its_folder(prompt: str, seed: str) -> None:
    values = {**facts(), "slug": prompt, "seed": slug(seed), "styles": prompt}
    path = parse_template("out/{slug}/{seed}/{styles:9}.png").filled(values)
    assert len(path.parts) == 4
    assert path.parts[0] == "out"
    for part in path.parts[1:]:
        assert re.fullmatch(r"[\w.-]+", part)
        assert not part.startswith(".")
        assert not re.fullmatch(r"(con|nul|aux|prn|com\d|lpt\d)(\..*)?", part.lower())
        assert len(part) <= SLUG_LENGTH + 4


# ---- numbers -------------------------------------------------------------------------------------


def test_a_number_in_a_files_name_is_the_first_that_is_free(here: Path) -> None:
    template = parse_template("a-{n:03}.png")
    Path("a-001.png").touch()
    Path("a-003.png").touch()
    assert template.free(facts()) == Path("a-002.png")


def test_a_number_in_a_folders_name_is_that_of_a_new_folder(here: Path) -> None:
    template = parse_template("out/{date}_{n:02}/deep/{n}.png")
    assert template.free(facts()) == Path("out/2026-08-07_01/deep/1.png")
    Path("out/2026-08-07_01").mkdir(parents=True)
    assert template.free(facts()) == Path("out/2026-08-07_02/deep/2.png")


def test_numbers_end(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("text2art.media.names.MOST_NUMBER", 4)
    for n in (1, 2, 3):
        Path(f"{n}.png").touch()
    with pytest.raises(OutputError, match="every number"):
        parse_template("{n}.png").free(facts())


def test_names_with_fields_never_meet_an_older_file(here: Path) -> None:
    settings = Settings.of(prompts="a cat", seed=7)
    Path("a-cat.png").touch()
    assert naming.filled(Path("{slug}.png"), settings) == Path("a-cat-2.png")
    assert naming.filled(Path("a-cat.png"), settings) == Path("a-cat.png")
    assert naming.filled(Path("{slug}.png"), settings, new=False) == Path("a-cat.png")


def test_the_size_is_that_of_the_picture(here: Path) -> None:
    from PIL import Image

    Image.new("RGB", (40, 20)).save("init.png")
    wide = Settings.of(prompts="a", size="64x32")
    assert naming.filled(Path("{width}x{height}.png"), wide) == Path("64x32.png")
    kept = Settings.of(prompts="a", aspect="retain", init_image="init.png", quality="draft")
    width, height = kept.canvas_size((40, 20))
    assert naming.filled(Path("{width}x{height}.png"), kept) == Path(f"{width}x{height}.png")


# ---- on the command line -------------------------------------------------------------------------


def test_templates_name_all_files_of_a_run(cli: Cli) -> None:
    answer = draw(
        cli, "--outdir", "out/{slug}_%SEQ%", "--out", "{drawer}.png", "--video={seed}.gif",
        "--frames", "steps-{seed}", "-q", "--display-every=2",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert answer.out == "out/a-red-apple_01/pixel.png\n"
    assert sorted(str(p) for p in Path().rglob("*.*")) == [
        "7.gif", "out/a-red-apple_01/pixel.png", "steps-7/00000.png", "steps-7/00002.png",
        "steps-7/00003.png",
    ]  # fmt: skip
    assert (
        draw(cli, "--outdir", "out/{slug}_%SEQ%", "-q").last
        == "out/a-red-apple_02/a-red-apple-7.png"
    )


@pytest.mark.parametrize("option", ["--out", "--outdir", "--frames", "--svg-film", "--video"])
def test_wrong_templates_are_told_before_any_work(cli: Cli, option: str) -> None:
    answer = draw(cli, f"{option}={{sed}}.gif" if option == "--video" else f"{option}={{sed}}.png")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("Error: unknown field '{sed}'")
    assert list(Path().iterdir()) == []


def test_two_folders_are_one_too_many(cli: Cli) -> None:
    answer = draw(cli, "--out", "a/b.png", "--outdir", "c")
    assert "both name a folder" in answer.err


def test_a_traversing_prompt_stays_where_it_is(cli: Cli) -> None:
    answer = cli(
        "draw", "../../etc/passwd \\ C:\\x", "--perceptor=toy", "--drawer=pixel", "--size=16x16",
        "--iterations=1", "--cuts=2", "--starts=1", "--seed=../x", "-q",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert Path(answer.last).parent == Path("outputs")
    assert read_record(Path(answer.last))["seed"] == "../x"
