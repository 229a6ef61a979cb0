"""Documentation that is code: its examples run, and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from text2art import registry
from text2art.core import Asking, Context, View
from text2art.errors import SettingsError
from text2art.options import Options
from text2art.testing import check_drawer, check_filter, check_loss
from text2art.view import Ask

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: str, language: str = "python") -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def run(source: str, **known: Any) -> dict[str, Any]:
    module = ModuleType("example")
    module.__dict__.update(known)
    exec(compile(source, "example", "exec"), module.__dict__)
    return module.__dict__


def test_the_drawer_of_the_guide_keeps_the_contract() -> None:
    drawer, options, line = blocks("docs/add-a-drawer.md")
    # The guide adds the options to an existing module; here they get one of their own.
    source = "from pydantic import Field\n" + options
    model = run(source, Options=Options)["StripesOptions"]
    drawer = drawer.replace("from text2art.options.drawers import StripesOptions\n", "")
    known = run(drawer, StripesOptions=model)
    check_drawer(known["StripesDrawer"], model())
    # The registry line ends in the comma of the tuple it is added to.
    known = run(f"found = {line}", Component=registry.Component, _DRAWERS=registry._DRAWERS)
    assert known["found"][0].name == "stripes"


def test_the_loss_of_the_guide_keeps_the_contract() -> None:
    loss, _, preparing, asking, _ = blocks("docs/add-a-loss.md")
    known = run(loss, Context=Context, SettingsError=SettingsError)
    check_loss(known["DarknessLoss"])
    indented = preparing.replace("\n", "\n    ").rstrip(" ")
    more = run(f"class Prepared(DarknessLoss):\n    {indented}", **known)
    check_loss(more["Prepared"])
    indented = asking.replace("\n", "\n    ").rstrip(" ")
    source = f"class Saying(DarknessLoss):\n    _looking = ()\n\n    {indented}"
    told = run(source, **{**known, "Ask": Ask, "View": View})["Saying"]
    check_loss(told)
    assert isinstance(told(1.0), Asking)


def test_the_filter_of_the_guide_keeps_the_contract() -> None:
    made, line = blocks("docs/add-a-filter.md")
    check_filter(run(made)["MonoFilter"])
    found = run(f"found = {line}", Component=registry.Component)["found"]
    assert found[0].name == "mono"


def test_the_readme_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import text2art

    monkeypatch.chdir(tmp_path)
    drawn = text2art.draw

    def quick(prompts: str, **settings: Any) -> Any:
        return drawn(prompts, perceptor="toy", size="24x24", iterations=2, cuts=2, **settings)

    monkeypatch.setattr(text2art, "draw", quick)
    one_call, several, by_frames = blocks("README.md")
    tiny = "perceptor='toy', size='24x24', iterations=2, cuts=2"
    run(one_call.replace("result.image.show()", "assert result.native.size == (24, 24)"))
    assert (tmp_path / "apple.png").exists()
    run(several.replace("iterations=100", tiny))
    assert len(list(tmp_path.glob("apple-*.png"))) == 8
    run(by_frames.replace("iterations=100", tiny))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
