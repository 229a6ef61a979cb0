"""Add own weights to the list: files on this machine, or addresses."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import re
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from text2art.errors import WeightsCorrupt, WeightsError, WeightsMissing
from text2art.weights import catalog, pins
from text2art.weights.catalog import Entry, WeightFile
from text2art.weights.download import is_web
from text2art.weights.fetch import Progress, fetch

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,79}\Z")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}\.[A-Za-z0-9]+\Z")


def add(
    entry: Entry, sources: Sequence[str], sha256: str = "", progress: Progress | None = None
) -> Entry:
    """Add an entry to the list of this machine.

    A file that lies in the weights folder stays there; one from elsewhere is copied to
    `added/NAME/` there; an address is fetched to the same place. Addresses that end in the same
    file name are taken for sources of one file.

    Args:
        entry: its name and what is known of it; its files are those of `sources`.
        sources: paths and addresses.
        sha256: what the file must have, where there is one only; "" where that is not known.
        progress: told how fetching goes.

    Returns:
        The entry as it was added.

    Raises:
        WeightsMissing: a file is not there.
        WeightsCorrupt: one has another sha256.
        WeightsError: the name cannot be taken, or a file cannot be fetched or copied.
    """
    for name in (entry.name, *entry.aliases):
        _check_name(name)
    groups = _grouped(sources)
    if sha256 and (len(groups) != 1 or not pins.is_sha256(sha256)):
        raise WeightsError(
            f"--sha256 takes the 64 hex digits of one file; given are {sha256!r} and "
            f"{len(groups)} files"
        )
    files = tuple(_file(entry.name, *group, sha256) for group in groups.items())
    made = dataclasses.replace(entry, files=files)
    fetch(made, progress)
    rows = [_row(other) for other in (*catalog.added(), made)]
    pins.write_json(catalog.added_list(), {"weights": rows})
    return made


def _check_name(name: str) -> None:
    if not _NAME.match(name.replace("/", "-")):
        raise WeightsError(
            f"{name!r} cannot be a name of weights: take letters, digits, and . _ @ + - after the "
            "first, at most 80"
        )
    for other in catalog.entries():
        if other.answers_to(name):
            where = catalog.added_list() if other in catalog.added() else "weights.toml"
            raise WeightsError(f"{name!r} is known already, in {where}: take another name")


def _grouped(sources: Sequence[str]) -> dict[str, list[str]]:
    """Return the sources by the name their file will have."""
    groups: dict[str, list[str]] = {}
    for source in sources:
        name = _file_name(source) if is_web(source) else Path(source).name
        if not _FILE.match(name):
            raise WeightsError(f"{source!r} does not end in a file name such as model.ckpt")
        group = groups.setdefault(name, [])
        if group and not (is_web(source) and is_web(group[0])):
            raise WeightsError(f"two of these files are called {name!r}: rename one")
        group.append(source)
    if not groups:
        raise WeightsError("no file and no address is given")
    return groups


def _file_name(url: str) -> str:
    """Return the file name at the end of an address, or of a path among its parameters."""
    parts = urllib.parse.urlsplit(url)
    values = [value for _, value in urllib.parse.parse_qsl(parts.query)]
    names = [urllib.parse.unquote(path).rpartition("/")[2] for path in (parts.path, *values)]
    return next((name for name in names if _FILE.match(name)), "")


def _file(entry: str, name: str, sources: list[str], sha256: str) -> WeightFile:
    relative = f"added/{entry.replace('/', '-')}/{name}"
    if is_web(sources[0]):
        return WeightFile(relative, tuple(sources), sha256)
    source = Path(sources[0]).expanduser().absolute()
    if not source.is_file():
        raise WeightsMissing(f"there is no file {source}")
    if source.is_relative_to(catalog.folder().absolute()):
        relative = source.relative_to(catalog.folder().absolute()).as_posix()
        found = catalog.sha256_of(source)
    else:
        found = _copied(source, catalog.folder() / relative, sha256)
    if sha256 and found != sha256:
        raise WeightsCorrupt(f"{source} has sha256 {found} instead of {sha256}")
    return WeightFile(relative, (), found, (catalog.folder() / relative).stat().st_size)


def _copied(source: Path, target: Path, sha256: str) -> str:
    """Copy a file unless it is there already or has another sha256; return its own."""
    if target.exists():
        found = catalog.sha256_of(source)
        if catalog.sha256_of(target) != found:
            raise WeightsError(f"another file is at {target} already: delete it or rename this one")
        return found
    part = target.with_name(target.name + ".part")
    digest = hashlib.sha256()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as old, part.open("wb") as new:
            while piece := old.read(1 << 20):
                digest.update(piece)
                new.write(piece)
        if sha256 in ("", digest.hexdigest()):
            part.replace(target)
    except OSError as error:
        raise WeightsError(f"{source} cannot be copied: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return digest.hexdigest()


def _row(entry: Entry) -> dict[str, Any]:
    """Return an entry as `catalog.read` takes it, without what is not known."""
    row = {name: value for name, value in dataclasses.asdict(entry).items() if value}
    row["files"] = [{k: v for k, v in file.items() if v} for file in row["files"]]
    return dict(json.loads(json.dumps(row)))
