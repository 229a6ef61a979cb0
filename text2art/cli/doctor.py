"""`text2art doctor`: is everything here that drawing needs?"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from text2art import __version__, environment
from text2art.cli.boundary import FAILED
from text2art.cli.naming import FOLDER
from text2art.errors import Text2ArtError
from text2art.media.files import check_folder
from text2art.weights import catalog

EXTRAS = {
    "video": "av",
    "svg": "resvg_py",
    "serve": "cog",
    "preview": "textual_image",
    "notebook": "ipywidgets",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        state: "ok", "missing" (can be lived without) or "broken" (drawing will fail).
        detail: what was found, or what to do.
    """

    name: str
    state: str
    detail: str


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Check this installation; exit code 1 when drawing would fail."""
    findings = list(examine())
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2))
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            print(f"{finding.state:<8}{finding.name:<{width}}  {finding.detail}")
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(FAILED)


def examine() -> Iterator[Finding]:
    """Look at everything, cheap things first."""
    yield Finding("text2art", "ok", __version__)
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()}")
    for package in ("torch", "open-clip-torch", "pillow", "pydantic", "safetensors"):
        yield _package(package)
    yield _essential("device", _device)
    yield _essential("starter", _starter)
    yield from _weights()
    for extra, module in EXTRAS.items():
        yield _extra(extra, module)
    yield _essential("outputs", lambda: _writable(FOLDER.parent.resolve()))
    yield _home()


def _essential(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, "ok", look())
    except Text2ArtError as error:
        return Finding(name, "broken", " ".join(str(error).split()))
    except ImportError as error:
        return Finding(name, "broken", f"{error}: install text2art again")


def _package(name: str) -> Finding:
    try:
        return Finding(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "broken", f"not installed: {sys.executable} -m pip install {name}")


def _device() -> str:
    from text2art.runtime import pick

    return pick().description


def _starter() -> str:
    from text2art.models import Models
    from text2art.runtime import pick

    for entry in catalog.entries():
        if entry.ships:
            catalog.verify(entry)
    perceptor = Models(pick("cpu")).perceptor("starter")
    return f"{catalog.starter_folder()} (sha256 {perceptor.digest[:12]})"


def _weights() -> Iterator[Finding]:
    from text2art.perceptors.reference import local_models

    try:
        clip = list(local_models())
        others = [e for e in catalog.entries() if not e.ships and catalog.is_here(e)]
    except Text2ArtError as error:
        yield Finding("CLIP weights", "missing", str(error))
        return
    vqgan = [e.name for e in others if e.name not in clip]
    for name, here in (("CLIP weights", clip), ("VQGAN weights", vqgan)):
        detail = ", ".join(here) or f"none in {catalog.folder()}: the starter's are used"
        yield Finding(name, "ok" if here else "missing", detail)


def _extra(name: str, module: str) -> Finding:
    if importlib.util.find_spec(module) is not None:
        return Finding(f"[{name}]", "ok", module)
    return Finding(f"[{name}]", "missing", f"pip install 'text2art[{name}]'")


def _writable(folder: Path) -> str:
    check_folder(folder)
    return f"{folder} is writable"


def _home() -> Finding:
    try:
        return Finding("home", "ok", _writable(environment.home()))
    except Text2ArtError as error:
        return Finding("home", "missing", f"{error} (set TEXT2ART_HOME)")
