"""What all tests share: one thread, a folder of their own, tiny settings, and honest skips."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.cli_tools import Answer, Cli

TOY: dict[str, Any] = {
    "prompts": ["a red apple"],
    "perceptor": "toy",
    "drawer": "pixel",
    "size": "32x32",
    "iterations": 3,
    "cuts": 4,
    "starts": 1,  # tests of starts say so
    "seed": 7,
}

_LEFT_OUT = pytest.StashKey[int]()


def pytest_configure() -> None:
    """Compute on one thread, since many tests run side by side, and time nothing."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # read when torch is imported, later than this
    os.environ["TEXT2ART_DTYPE"] = "float32"  # bounds are for it; number types have their own tests
    hypothesis.settings.register_profile("text2art", deadline=None)  # machines are busy at times
    hypothesis.settings.load_profile("text2art")


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any) -> None:
    """Keep what lies on the machine (weights, devices, settings of its user) out of the tests."""
    for name in [name for name in os.environ if name.startswith("TEXT2ART_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TEXT2ART_DEVICE", "cpu")
    monkeypatch.setenv("TEXT2ART_DTYPE", "float32")
    monkeypatch.setenv("TEXT2ART_HOME", str(tmp_path_factory.getbasetemp() / "home"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run the test in an empty folder of its own; return it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def toy() -> Callable[..., dict[str, Any]]:
    """Return a maker of tiny settings that draw in a blink: `toy(drawer="fft")`."""
    return lambda **changes: {**TOY, **changes}


@pytest.fixture
def cli(here: Path, capfd: pytest.CaptureFixture[str]) -> Cli:
    """Call the command line in this process, in an empty folder."""

    def call(*arguments: str) -> Answer:
        from text2art.cli.main import run

        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            run(arguments)
        out, err = capfd.readouterr()
        return Answer(int(ended.value.code or 0), out, err)

    return call


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that prints how many tests were left out, where there are several."""
    told = getattr(session.config, "workeroutput", None)
    if told is not None:
        reporter = session.config.pluginmanager.getplugin("terminalreporter")
        told["left_out"] = len(reporter.stats.get("deselected", []))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear it: each process leaves out the same ones."""
    node.config.stash[_LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", 0)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say in one line each what was skipped and why."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        longrepr = report.longrepr
        reasons[str(longrepr[2] if isinstance(longrepr, tuple) else longrepr)] += 1
    left_out = len(terminalreporter.stats.get("deselected", [])) or config.stash.get(_LEFT_OUT, 0)
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"skipped {count}: {reason.removeprefix('Skipped: ')}")
    if left_out:
        terminalreporter.write_line(f"left out {left_out}: deselected by -m or -k")
