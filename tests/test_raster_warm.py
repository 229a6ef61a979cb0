"""Compiling beforehand: everything that drawers call is there afterwards, until sources change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")

# What follows is run in a process of its own. Drawers may call no loop that is not kept by then.
DRAWS = """
from tests.test_raster import scene_of
from tests.test_raster_backends import drawn_at_random
from text2art.raster import render, warm
import torch
for seed in range(4):
    scene = drawn_at_random(seed, 5, spread=0.2, wide=3.0, whole=False)
    picture = render(scene, softness=1 + seed)
    torch.autograd.grad(picture.sum(), scene.points)
print(*warm.warm())
"""


def run(*program: str, cache: Path) -> str:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, *program], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_what_was_compiled_is_kept_and_nothing_else_is_needed(tmp_path: Path) -> None:
    first = run("-m", "text2art.raster.warm", cache=tmp_path)
    assert "loops compiled" in first
    assert " 0 of " not in first
    again = run("-m", "text2art.raster.warm", cache=tmp_path)
    assert "rasterizer: 0 of " in again
    called, compiled = map(int, run("-c", DRAWS, cache=tmp_path).split())
    assert called > 10
    assert compiled == 0


def test_other_sources_are_kept_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from text2art.raster.kernels import compiling

    source = tmp_path / "kernels"
    source.mkdir()
    monkeypatch.setattr(compiling, "__file__", str(source / "compiling.py"))
    (source / "a.py").write_text("x = 1")
    before = compiling._folder(str(tmp_path / "cache"))
    assert before.is_relative_to(tmp_path / "cache")
    assert compiling._folder(str(tmp_path / "cache")) == before
    (source / "a.py").write_text("x = 2")
    assert compiling._folder(str(tmp_path / "cache")) != before
    assert not compiling._folder("").is_relative_to(tmp_path)
