"""Exact versions for the container: what text2art needs, and what that needs, as installed here.

CUDA's own packages are left out: torch pins them itself, to the digit, and other platforms have
others.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXTRAS = ("video",)  # what the container offers beyond the plain installation
HEADER = """\
# The container's packages, all of them, exactly: written by `python -m scripts.generate --pins`.
# Cog wants torch pinned; its CUDA libraries come with it, pinned by torch itself.
"""
BY_TORCH = ("nvidia-", "cuda-", "triton")


def project(pyproject: Path) -> dict[str, Any]:
    """Return the table `project` of pyproject.toml."""
    return dict(tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"])


def runtime_requirements(pyproject: Path) -> list[Requirement]:
    """Return what the container needs directly, from pyproject.toml."""
    table = project(pyproject)
    words = list(table["dependencies"])
    for extra in EXTRAS:
        words += table["optional-dependencies"][extra]
    return [r for r in map(Requirement, words) if r.marker is None or r.marker.evaluate()]


def closure(requirements: Iterable[Requirement]) -> dict[str, str]:
    """Return every package that is needed, directly or not, and its version installed here.

    Raises:
        importlib.metadata.PackageNotFoundError: one is not installed.
    """
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(r, extra) for r in requirements for extra in ("", *r.extras)]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name.startswith(BY_TORCH) or (name, extra) in seen:
            continue
        seen.add((name, extra))
        distribution = importlib.metadata.distribution(name)
        found[name] = distribution.version.partition("+")[0]
        waiting += [(r, e) for r in needs(distribution, extra) for e in ("", *r.extras)]
    return found


def needs(distribution: importlib.metadata.Distribution, extra: str = "") -> Iterator[Requirement]:
    """Return what a package needs on this platform, plainly or for one of its extras."""
    for requirement in map(Requirement, distribution.requires or ()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def text(pyproject: Path) -> str:
    """Return the text of requirements-cog.txt."""
    pinned = closure(runtime_requirements(pyproject))
    return HEADER + "".join(f"{name}=={pinned[name]}\n" for name in sorted(pinned))
