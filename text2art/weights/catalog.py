"""Which weights there are, where they come from, and where they lie on this machine.

`weights.toml` lists what text2art knows by name: files, sources, checksums, licenses; `added.json`
in the weights folder lists what its user added. Weights are looked for in three folders, in this
order: `weights/` under TEXT2ART_HOME (where `fetch` puts them), `weights/` of a checkout, and what
was installed with the package.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from text2art import environment
from text2art.errors import UnknownComponent, WeightsCorrupt, WeightsMissing, did_you_mean
from text2art.weights import pins

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PACKAGE = Path(__file__).resolve().parents[1]
_ENDINGS = (".safetensors", ".pt", ".bin")


@dataclass(frozen=True)
class WeightFile:
    """One file of an entry.

    Attributes:
        path: where it lies, relative to a weights folder.
        urls: where it can be had, tried in order; empty when it is not fetched.
        sha256: its checksum (hex), "" when unknown.
        size: its length in bytes, None when unknown.
        pinned: whether checksum and length are not its publisher's but those of a first fetch.
    """

    path: str
    urls: tuple[str, ...] = ()
    sha256: str = ""
    size: int | None = None
    pinned: bool = False


@dataclass(frozen=True)
class Entry:
    """Weights known by name.

    Attributes:
        name: what `text2art weights fetch` takes; for CLIP models also what `perceptor` takes.
        summary: one sentence.
        files: what belongs to it.
        license: under which terms it was published, "" when unknown.
        origin: who published it, and where.
        paper: where it is described.
        aliases: other names, as OpenAI's "ViT-B/32".
        ships: whether it comes with text2art and is never fetched.
    """

    name: str
    summary: str
    files: tuple[WeightFile, ...]
    license: str = ""
    origin: str = ""
    paper: str = ""
    aliases: tuple[str, ...] = ()
    ships: bool = False

    @property
    def size(self) -> int | None:
        """Length of all files in bytes, None when one is unknown."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def answers_to(self, name: str) -> bool:
        """Whether it is called so."""
        return name.lower() in (known.lower() for known in (self.name, *self.aliases))


# ---- the list ----------------------------------------------------------------------------------


def entries() -> tuple[Entry, ...]:
    """Return all entries of `weights.toml`, in its order, and then those added by the user.

    Raises:
        WeightsMissing, WeightsCorrupt: a list is not there or cannot be read.
    """
    return (*_listed(), *added())


@functools.cache
def _listed() -> tuple[Entry, ...]:
    for folder in (_checkout(), _installed()):
        path = folder / "weights.toml"
        if path.is_file():
            return read(path)
    raise WeightsMissing("weights.toml is missing from this installation: install text2art again")


def added() -> tuple[Entry, ...]:
    """Return the entries that `text2art weights add` made.

    Raises:
        WeightsCorrupt: they cannot be read.
    """
    path = added_list()
    return read(path) if path.is_file() else ()


def added_list() -> Path:
    """Return where the entries that were added are kept; it need not exist."""
    return folder() / "added.json"


def read(path: Path) -> tuple[Entry, ...]:
    """Read a list of weights, TOML or JSON.

    Raises:
        WeightsCorrupt: it is neither, or an entry lacks or misspells something.
    """
    try:
        text = path.read_text(encoding="utf-8")
        table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        return tuple(_entry(item) for item in table["weights"])
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise WeightsCorrupt(f"{path} is not a list of weights: {error}") from error


def _entry(item: Mapping[str, Any]) -> Entry:
    files = tuple(
        WeightFile(**{**file, "urls": tuple(file.get("urls", ()))}) for file in item["files"]
    )
    for file in files:
        relative = Path(file.path)
        if relative.is_absolute() or ".." in relative.parts:
            raise ValueError(f"path {file.path!r} leaves the weights folder")
    return Entry(**{**item, "files": files, "aliases": tuple(item.get("aliases", ()))})


def entry(name: str) -> Entry:
    """Return an entry by its name or another name it goes by.

    Raises:
        UnknownComponent: there is none; the nearest name is suggested.
    """
    for candidate in entries():
        if candidate.answers_to(name):
            return candidate
    names = [e.name for e in entries()]
    raise UnknownComponent(
        f"unknown weights {name!r}.{did_you_mean(name, names)} There are: {', '.join(names)}."
    )


# ---- the folders -------------------------------------------------------------------------------


def folder() -> Path:
    """Return the folder that weights are fetched to; it need not exist."""
    return environment.home() / "weights"


def search_path() -> list[Path]:
    """Return the folders where weights are looked for, in order; they need not exist."""
    return [folder(), _checkout(), _installed()]


def _checkout() -> Path:
    return _PACKAGE.parent / "weights"


def _installed() -> Path:
    return _PACKAGE / "weights" / "data"


def find(relative: str) -> Path | None:
    """Return the first file or folder of this relative path in the weights folders."""
    if not relative or Path(relative).is_absolute() or ".." in Path(relative).parts:
        return None
    return next((p for p in (f / relative for f in search_path()) if p.exists()), None)


def starter_folder() -> Path:
    """Return the folder of the starter models.

    Raises:
        WeightsMissing: there is none.
    """
    found = find("starter/perceptor.safetensors")
    if found is None:
        places = " or ".join(str(f / "starter") for f in search_path())
        raise WeightsMissing(
            f"the starter models are missing: perceptor.safetensors was looked for in {places}. "
            "They ship with text2art: install it again"
        )
    return found.parent


# ---- CLIP models by name -----------------------------------------------------------------------


def clip_files(model: str) -> list[str]:
    """Return the names under which a CLIP model's weights are looked for, best first.

    Args:
        model: "ViT-B-32" or "ViT-B/32" for OpenAI's weights, "ViT-B-32@TAG" for others.
    """
    openai = next((e for e in entries() if e.answers_to(model.removesuffix("@openai"))), None)
    flat = model.replace("/", "-")
    names = [file.path for file in openai.files] if openai else []
    return names + [name for name in (flat + ending for ending in _ENDINGS) if name not in names]


def find_clip(model: str) -> Path | None:
    """Return the weight file of a CLIP model, or None when it is not on this machine."""
    places = (find(name) for name in clip_files(model))
    return next((p for p in places if p is not None and p.is_file()), None)


# ---- checking ----------------------------------------------------------------------------------


def is_here(wanted: Entry) -> bool:
    """Whether all files of an entry are on this machine (unchecked)."""
    return all(find(file.path) is not None for file in wanted.files)


def pinned(wanted: Entry) -> Entry:
    """Return an entry with the checksums that a first fetch fixed, where none are published.

    Raises:
        WeightsCorrupt: they cannot be read.
    """
    if all(file.sha256 for file in wanted.files):
        return wanted
    known = pins.read()
    files = tuple(
        replace(file, sha256=pin.sha256, size=pin.bytes, pinned=True)
        if not file.sha256 and (pin := known.get(file.path)) is not None
        else file
        for file in wanted.files
    )
    return replace(wanted, files=files)


def verify(wanted: Entry) -> list[Path]:
    """Check the files of an entry against their recorded length and checksum; return them.

    A file whose checksum is neither published nor pinned by a first fetch is not compared.

    Raises:
        WeightsMissing: a file is not there.
        WeightsCorrupt: a file is not what its entry says.
    """
    return [_verified(wanted, file) for file in pinned(wanted).files]


def _verified(wanted: Entry, file: WeightFile) -> Path:
    path = find(file.path)
    if path is None:
        raise WeightsMissing(f"{wanted.name}: {file.path} is missing. {how_to_get(wanted)}")
    again = "delete it and install text2art again" if wanted.ships else "delete and fetch it again"
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        raise WeightsCorrupt(f"{path} has {size} bytes instead of {file.size}: {again}")
    if file.sha256 and (found := sha256_of(path)) != file.sha256:
        raise WeightsCorrupt(f"{path} has sha256 {found} instead of {file.sha256}: {again}")
    return path


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, hex."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def how_to_get(wanted: Entry) -> str:
    """Say in a sentence how to come by an entry's files."""
    if wanted.ships:
        return "It ships with text2art: install it again"
    facts = [f"{wanted.size / 1e6:.0f} MB"] if wanted.size else []
    facts += [f"license: {wanted.license}"] if wanted.license else []
    note = f" ({', '.join(facts)})" if facts else ""
    return f"Run 'text2art weights fetch {wanted.name}'{note}, or put the file into {folder()}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean ...?" over the names of entries and others."""
    return did_you_mean(name, [*known, *(e.name for e in entries())])
