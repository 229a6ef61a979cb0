"""cog.yaml, requirements-cog.txt and .dockerignore: what goes into the container."""

from __future__ import annotations

import ast
import fnmatch
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from scripts import pins
from text2art.serving import schema

ROOT = Path(__file__).resolve().parents[1]
COG: dict[str, Any] = yaml.safe_load((ROOT / "cog.yaml").read_text(encoding="utf-8"))


def test_cog_yaml_has_no_unknown_or_clashing_keys() -> None:
    top = {"build", "environment", "image", "model", "predict", "run", "train", "weights"}
    assert set(COG) <= top
    assert ("predict" in COG) != ("run" in COG)
    build = COG["build"]
    assert set(build) <= {
        "gpu", "cuda", "cudnn", "python_version", "python_requirements", "sdk_version", "run",
        "system_packages",
    }  # fmt: skip


def test_cog_yaml_versions_are_text() -> None:
    build = COG["build"]
    assert build["gpu"] is True
    for key in ("cuda", "python_version", "sdk_version"):
        assert isinstance(build[key], str), f"{key} has to be quoted"
    assert re.fullmatch(r"1[1-9]\.\d+", build["cuda"])
    assert build["python_version"] in ("3.10", "3.11", "3.12", "3.13")
    wanted = pins.project(ROOT / "pyproject.toml")
    assert build["python_version"] in SpecifierSet(wanted["requires-python"])
    (cog,) = [Requirement(r) for r in wanted["optional-dependencies"]["serve"] if "cog" in r]
    assert build["sdk_version"] in cog.specifier
    assert build["sdk_version"] == schema.COG_VERSION


def test_cog_yaml_names_what_is_there() -> None:
    file, _, name = COG["predict"].partition(":")
    module = ast.parse((ROOT / file).read_text())
    assert name in {node.name for node in module.body if isinstance(node, ast.ClassDef)}
    assert (ROOT / COG["build"]["python_requirements"]).is_file()
    for word in COG["environment"]:
        assert re.fullmatch(r"[A-Za-z_]\w*=.*", word)
    assert "TEXT2ART_HOME=/src" in COG["environment"]  # where Cog copies weights/ to


def requirements() -> dict[str, Requirement]:
    lines = (ROOT / "requirements-cog.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(r.name): r for r in found}


def test_requirements_are_pinned_and_cover_what_the_package_needs() -> None:
    pinned = requirements()
    for requirement in pinned.values():
        (only,) = requirement.specifier
        assert only.operator == "==", requirement
        assert "*" not in only.version
        assert "+" not in only.version  # PyPI has no local versions
    for needed in pins.runtime_requirements(ROOT / "pyproject.toml"):
        name = canonicalize_name(needed.name)
        assert name in pinned, f"{name}: run python -m scripts.generate --pins"
        (only,) = pinned[name].specifier
        assert needed.specifier.contains(only.version, prereleases=True), needed


def test_requirements_hold_together() -> None:
    """What the pinned packages say they need is pinned too, at a version they accept."""
    pinned = {name: next(iter(r.specifier)).version for name, r in requirements().items()}
    for name, version in pinned.items():
        distribution = importlib.metadata.distribution(name)
        if distribution.version.partition("+")[0] != version:
            continue  # another version is installed here: its needs are not known
        for needed in pins.needs(distribution):
            other = canonicalize_name(needed.name)
            if not other.startswith(pins.BY_TORCH):
                assert other in pinned, f"{name} needs {other}"
                assert needed.specifier.contains(pinned[other], prereleases=True), needed


def left_out(path: str) -> bool:
    """Whether .dockerignore names a path: its first part, or with **/ any part of it."""
    parts = path.split("/")
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        assert not line.startswith("!")
        anywhere = line.startswith("**/")
        candidates = parts if anywhere else parts[:1]
        if any(fnmatch.fnmatchcase(part, line.removeprefix("**/")) for part in candidates):
            return True
    return False


@pytest.mark.parametrize(
    "path",
    [
        "predict.py",
        "pyproject.toml",
        "requirements-cog.txt",
        "weights/weights.toml",
        "weights/starter/perceptor.safetensors",
        "weights/ViT-B-32.pt",
        "weights/ViT-B-32@laion2b_s34b_b79k.safetensors",
        "weights/tokenizers/timm/ViT-B-16-SigLIP/tokenizer.json",
        "weights/vqgan/imagenet_f16_16384/last.ckpt",
        "text2art/api.py",
        "text2art/weights/catalog.py",
        "text2art/perceptors/open_clip.py",
    ],
)
def test_the_image_gets(path: str) -> None:
    assert not left_out(path)


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".venv/bin/python",
        "tests/test_predict.py",
        "docs/http.md",
        "outputs/a.png",
        "training/make.py",
        "text2art/__pycache__/api.cpython-311.pyc",
        "weights/ViT-B-32.pt.part",
    ],
)
def test_the_image_does_not_get(path: str) -> None:
    assert left_out(path)


def test_weights_are_found_where_the_image_has_them(tmp_path: Path) -> None:
    """In the image, `weights/` lies beside the package, as in a checkout, under /src."""
    (tmp_path / "weights").mkdir()
    for name in ("ViT-B-32.pt", "ViT-B-16@laion2b_s34b_b88k.bin"):
        (tmp_path / "weights" / name).touch()
    shutil.copy(ROOT / "weights/weights.toml", tmp_path / "weights")
    shutil.copytree(ROOT / "text2art", tmp_path / "text2art")
    code = (
        "from text2art.weights.catalog import find_clip as f; "
        "print(f('ViT-B/32')); print(f('ViT-B-16@laion2b_s34b_b88k'))"
    )
    env = {**os.environ, "TEXT2ART_HOME": str(tmp_path / "home")}
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    found = [Path(line).relative_to(tmp_path) for line in told.stdout.splitlines()]
    assert [str(path) for path in found] == [
        "weights/ViT-B-32.pt",
        "weights/ViT-B-16@laion2b_s34b_b88k.bin",
    ]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no checkout")
def test_weights_put_there_stay_out_of_git_and_the_starter_in_it() -> None:
    ignored = ["weights/ViT-B-32.pt", "weights/vqgan/last.ckpt", "weights/a@b.safetensors"]
    kept = ["weights/starter/perceptor.safetensors", "weights/weights.toml", "weights/README.md"]
    told = subprocess.run(
        ["git", "check-ignore", *ignored, *kept], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert told.stdout.split() == ignored
    tracked = subprocess.run(
        ["git", "ls-files", "weights"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(kept) <= set(tracked)
    assert not [path for path in tracked if path.endswith((".pt", ".ckpt", ".bin"))]
