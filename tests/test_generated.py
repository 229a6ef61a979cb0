"""Generated files are up to date, and the command that checks them notices when they are not."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path

import pytest

from scripts import generate, settings_table
from text2art import fields
from text2art.serving import render


def test_nothing_is_stale() -> None:
    stale = [str(path) for path in generate.stale()]
    assert stale == [], "run python -m scripts.generate"


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in generate.FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(generate.ROOT / name, tmp_path / name)
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    return tmp_path


def test_check_names_what_is_stale_and_writes_nothing(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main(["--check"]) == 0
    changed = (copy / "predict.py").read_text().replace("le=10000", "le=99")
    (copy / "predict.py").write_text(changed)
    assert generate.main(["--check"]) == 1
    assert "predict.py is stale" in capsys.readouterr().err
    assert (copy / "predict.py").read_text() == changed
    assert generate.main([]) == 0
    assert "le=10000" in (copy / "predict.py").read_text()
    assert generate.main(["--check"]) == 0


def test_text_around_the_markers_stays(copy: Path) -> None:
    document = copy / "docs/settings.md"
    document.write_text("Mine.\n" + document.read_text() + "Mine too.\n")
    assert generate.main(["--check"]) == 0


@pytest.mark.parametrize("name", ["predict.py", "docs/settings.md"])
def test_missing_markers_are_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="marker"):
        generate.FILES[name]("nothing\n", generate.ROOT)


def test_every_setting_is_in_the_table() -> None:
    text = settings_table.tables()
    for row in fields.rows():
        assert f"| `{row.name}` |" in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 5, line


def test_the_published_schema_is_the_one_that_is_served() -> None:
    published = json.loads((generate.ROOT / "docs/openapi.json").read_text())
    inputs = published["components"]["schemas"]["Input"]["properties"]
    assert list(inputs) == [*render.NAMES, render.EXTRA]


@pytest.mark.parametrize("text", ["a\\b", "a\nb", "both \" and '"])
def test_texts_that_cog_would_garble_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="as they are written"):
        render.literal(text)


@pytest.mark.parametrize("value", ["it's", 'say "x"', 1, -1.5, None, True, ["a", "b"], "ü → ö"])
def test_literals_read_back(value: object) -> None:
    assert ast.literal_eval(render.literal(value)) == value
