"""Starting is quick because little is imported: what is, and that nothing is lost by it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.cli_tools import PROGRAM, TINY, Cli
from text2art import fields, models, optimizers, registry
from text2art.cli import commands
from text2art.nets.byte_pairs import byte_pairs
from text2art.nets.text_tower import TextTower
from text2art.presets import PRESETS

HEAVY = ("torch", "numpy", "pydantic", "PIL", "yaml", "open_clip")
NAMES = [row.name for row in commands.ROWS]


def imported(code: str, *names: str) -> list[str]:
    """Return which of these modules a process of its own has imported once it ran some code."""
    ending = (
        f"\nimport sys, json\nprint()\nprint(json.dumps([n for n in {names} if n in sys.modules]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code + ending], capture_output=True, text=True, check=True
    )
    found: list[str] = json.loads(answer.stdout.splitlines()[-1])
    return found


def calling(*words: str) -> str:
    """Return code that calls the command line."""
    return (
        "from text2art.cli.main import run\n"
        f"try:\n    run({list(words)!r})\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
    )


# ---- what is not imported ----------------------------------------------------------------------


def imported_by(commands: Sequence[Sequence[str]], *names: str) -> dict[str, list[str]]:
    """Return which of these modules are imported after each command.

    The commands run one after the other in one process: what one imports stays imported.
    """
    code = "import json, sys\nfound = {}\n"
    for words in commands:
        there = f"[n for n in {names} if n in sys.modules]"
        code += calling(*words) + f"found[{' '.join(words)!r}] = {there}\n"
    code += "print()\nprint(json.dumps(found))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    found: dict[str, list[str]] = json.loads(answer.stdout.splitlines()[-1])
    assert len(found) == len(commands)
    return found


def test_help_and_version_import_next_to_nothing() -> None:
    found = imported_by([["--version"], ["--help"]], *HEAVY)
    assert not any(found.values()), found


def test_what_does_not_draw_imports_neither_torch_nor_numpy() -> None:
    commands = [
        ["list", "drawers"], ["list", "settings"], ["draw", "--help"], ["grid", "--help"],
        ["again", "--help"], ["resume", "--help"], ["vary", "--help"], ["weights", "list"],
    ]  # fmt: skip
    found = imported_by(commands, "torch", "numpy")
    assert not any(found.values()), found


def test_lists_of_components_do_without_the_settings() -> None:
    assert imported(calling("list", "drawers"), "text2art.settings") == []


def test_the_package_itself_imports_nothing_heavy() -> None:
    assert imported("import text2art", *HEAVY) == []


@pytest.mark.parametrize("drawer", ["pixel", "vqgan"])
def test_drawing_leaves_open_clip_and_the_compiler_alone(here: Path, drawer: str) -> None:
    words = [word for word in TINY if not re.search("perceptor|drawer", word)]
    words.append(f"--drawer={drawer}")
    code = calling("draw", "a red apple", *words, "--perceptor=starter", "-q", "-o", "a.png")
    heavy = ("torch._dynamo", "torchvision", "open_clip", "timm", "numba")
    assert imported(code, "torch", *heavy) == ["torch"]


# ---- commands ----------------------------------------------------------------------------------


@pytest.mark.parametrize("row", commands.ROWS, ids=NAMES)
def test_the_table_says_what_the_docstrings_say(row: commands.Row) -> None:
    real = commands.load(row)
    assert real.name == row.name
    assert row.help == " ".join(real.help.split("\n\n")[0].split())


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_its_help(cli: Cli, name: str) -> None:
    answer = cli(name, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert re.search(rf"(?i)usage: (text2art )?{name}", answer.out)


def test_help_shows_every_command(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    lines = cli("--help").out.splitlines()
    shown = [line.strip("│ ").split()[0] for line in lines if line.startswith("│ ")]
    assert [name for name in shown if name in NAMES] == NAMES
    assert all(any(row.help in line for line in lines) for row in commands.ROWS)


def test_a_misspelled_command_is_recognized(cli: Cli) -> None:
    answer = cli("drwa", "a red apple")
    assert answer.code == 2
    assert "No such command 'drwa'" in answer.err


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("text2art pal", {"palette"}), ("text2art draw --learning-rate", {"--learning-rate"}),
     ("text2art palette sw", {"swap"})],
)  # fmt: skip
def test_completion(typed: str, expected: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TEXT2ART_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split()) - 1))
    answer = subprocess.run(PROGRAM, capture_output=True, text=True, check=False)
    assert expected <= set(answer.stdout.split()), answer.stderr


@pytest.mark.parametrize("kind", registry.KINDS)
def test_lists_name_the_options_that_settings_have(cli: Cli, kind: str) -> None:
    listed = json.loads(cli("list", kind, "--json").out)
    known = [row.name for row in fields.rows()]
    for entry in listed:
        assert entry["options"] == [n for n in known if n.startswith(f"{entry['name']}.")]
    assert [e["name"] for e in listed] == list(registry.components(kind))


# ---- what is written out so that open_clip need not be imported ---------------------------------


@pytest.fixture(scope="module")
def theirs() -> Any:
    """open_clip's own tokenizer."""
    import open_clip

    return open_clip.SimpleTokenizer()


@pytest.mark.parametrize(
    "text",
    ["", "a red apple", "It's 12 o'clock: DON'T, you'll <start_of_text> see <end_of_text>",
     "naïve Kœln & &amp;amp; \u2019s", "\x1b[31m red\r\n tab\tx", "日本語 🙂 \u017f's \u212a",
     "1234½² ...", "antidisestablishmentarianism" * 3],
)  # fmt: skip
def test_tokens_are_open_clips(theirs: Any, text: str) -> None:
    ours = byte_pairs()
    ids = ours.encode(text)
    assert ids == theirs.encode(text)
    assert ours.decode(ids) == theirs.decode(ids)
    for length in (8, 77):
        assert torch.equal(ours.rows([text, "x"], length), theirs([text, "x"], length))


@given(text=st.one_of(st.text(max_size=30), st.text(st.characters(codec="ascii"), max_size=60)))
def test_tokens_of_any_text_are_open_clips(theirs: Any, text: str) -> None:
    assert byte_pairs().encode(text) == theirs.encode(text)


def test_the_vocabulary_is_open_clips(theirs: Any) -> None:
    assert byte_pairs().decoder == [theirs.decoder[i] for i in range(theirs.vocab_size)]


def test_the_text_tower_is_open_clips() -> None:
    from open_clip.transformer import TextTransformer

    shape = {"context_length": 12, "vocab_size": 90, "width": 32, "heads": 2, "layers": 3,
             "output_dim": 24}  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        theirs = TextTransformer(**shape).eval()
        torch.manual_seed(3)
        ours = TextTower(**shape).eval()
    known = theirs.state_dict()
    assert list(known) == list(ours.state_dict())
    assert all(torch.equal(known[name], value) for name, value in ours.state_dict().items())
    assert torch.equal(theirs.attn_mask, ours.attn_mask)
    x = torch.linspace(-1, 1, 2 * 12 * 32).view(2, 12, 32)
    for gradients in (False, True):  # torch has another way through attention without them
        with torch.set_grad_enabled(gradients):
            one = theirs.transformer(x, attn_mask=theirs.attn_mask)
            assert torch.equal(one, ours.transformer(x, attn_mask=ours.attn_mask))
            rows = torch.arange(24).view(2, 12) * 7 % 90
            assert torch.equal(theirs(rows), ours(rows))


# ---- optimizers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Adam", "AdamW", "Adagrad", "Adamax", "RAdam", "RMSprop"])
def test_updates_are_torchs_own(name: str) -> None:
    def run(make: Any) -> list[torch.Tensor]:
        parameter = nn.Parameter(torch.linspace(-1, 1, 12).view(3, 4))
        optimizer = make([{"params": [parameter], "lr": 0.1}])
        for step in range(5):
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward((parameter**2 * (step - 1.5)).sum())
            optimizer.step()
        state = optimizer.state_dict()
        again = make([{"params": [parameter], "lr": 0.1}])
        again.load_state_dict(state)
        assert again.state_dict()["state"].keys() == state["state"].keys()
        kept = [v for v in state["state"][0].values() if isinstance(v, torch.Tensor)]
        return [parameter.detach(), *kept]

    ours = run(lambda groups: optimizers.make(name, groups))
    theirs = run(getattr(torch.optim, name))
    assert len(ours) == len(theirs)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_step_hooks_are_called() -> None:
    parameter = nn.Parameter(torch.ones(1))
    optimizer = optimizers.make("Adam", [{"params": [parameter], "lr": 0.1, "name": "all"}])
    called: list[str] = []
    optimizer.register_step_post_hook(lambda *_: called.append("after"))
    torch.autograd.backward(parameter.sum())
    optimizer.step()
    assert called == ["after"]


# ---- weights ------------------------------------------------------------------------------------


def test_a_file_of_weights_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXT2ART_HOME", str(tmp_path))
    folder = tmp_path / "weights"
    monkeypatch.setattr("text2art.weights.catalog.search_path", lambda: [folder])
    with monkeypatch.context() as without:  # open_clip, whose import takes seconds, is not asked
        without.setattr("text2art.perceptors.reference.local_models", lambda: ["any"])
        assert models.automatic(PRESETS["normal"])[0] == ["starter"]
        folder.mkdir()
        (folder / "README.md").touch()
        assert models.automatic(PRESETS["normal"])[0] == ["starter"]
    (folder / "RN50-quickgelu@yfcc15m.pt").touch()
    assert models.automatic(PRESETS["normal"])[0] == ["RN50-quickgelu@yfcc15m"]
