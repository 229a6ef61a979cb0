"""Fetch weights: resumed where they broke off, checked while they stream, whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from text2art import __version__, environment
from text2art.errors import WeightsCorrupt, WeightsError
from text2art.weights import catalog
from text2art.weights.catalog import Entry, WeightFile

Progress = Callable[[str, int, "int | None"], None]
"""Told the file's path, the bytes that are here and the bytes there will be (None: unknown)."""

SILENCE_SECONDS = 30.0  # a server that says nothing for so long is given up
_CHUNK = 1 << 18


class _BrokeOff(Exception):
    """A source cannot deliver, or not all of it; what came is kept. Says why."""


def fetch(wanted: Entry, progress: Progress | None = None) -> list[Path]:
    """Fetch the files of an entry that are not here yet; return all of them, verified.

    A file is written as `.part` in the weights folder and renamed once its checksum is right. A
    `.part` that was left behind is gone on with.

    Args:
        wanted: what to fetch.
        progress: told after every piece.

    Raises:
        WeightsCorrupt: every source gave something else than the entry says.
        WeightsError: offline, no source can be reached, or no room to write.
    """
    if wanted.ships:
        return catalog.verify(wanted)
    return [_fetch_file(wanted, file, progress or _say_nothing) for file in wanted.files]


def _say_nothing(path: str, done: int, total: int | None) -> None:
    """Report to nobody."""


def _fetch_file(wanted: Entry, file: WeightFile, progress: Progress) -> Path:
    if not file.sha256 or not file.urls:
        raise WeightsError(f"{wanted.name}: no source and checksum of {file.path} are recorded")
    target = catalog.folder() / file.path
    there = catalog.find(file.path)
    if there is not None and catalog.sha256_of(there) == file.sha256:
        return there
    if environment.offline():
        raise WeightsError(
            f"{wanted.name} cannot be fetched: TEXT2ART_OFFLINE is set. "
            f"Unset it, or put {file.path} into {catalog.folder()}"
        )
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _check_room(file, part)
        _from_any_source(wanted, file, part, progress)
        part.replace(target)
    except OSError as error:
        raise WeightsError(f"{target} cannot be written: {error.strerror or error}") from error
    return target


def _check_room(file: WeightFile, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    free = shutil.disk_usage(part.parent).free
    if file.size is not None and file.size - have > free:
        raise WeightsError(
            f"{file.path} needs {(file.size - have) / 1e6:.0f} MB, {part.parent} has "
            f"{free / 1e6:.0f} MB free: make room or set TEXT2ART_HOME to another place"
        )


def _from_any_source(wanted: Entry, file: WeightFile, part: Path, progress: Progress) -> None:
    """Try the sources in order; what one left behind, the next goes on with."""
    reasons: list[str] = []
    corrupt = False
    for url in file.urls:
        resumed = part.exists()
        try:
            right = _stream(url, file, part, progress) == file.sha256
            if not right and resumed:  # the piece that was left behind may have been the bad one
                part.unlink()
                right = _stream(url, file, part, progress) == file.sha256
        except _BrokeOff as error:
            reasons.append(f"{url}: {error}")
            continue
        if right:
            return
        part.unlink()
        corrupt = True
        reasons.append(f"{url}: its sha256 is not the recorded one")
    kind = WeightsCorrupt if corrupt else WeightsError
    kept = f". What came is kept in {part}: run it again to go on" if part.exists() else ""
    raise kind(f"{wanted.name} cannot be fetched ({'; '.join(reasons)}){kept}")


def _stream(url: str, file: WeightFile, part: Path, progress: Progress) -> str:
    """Stream a source into the part file, after what is there; return the sha256 of it all."""
    digest = hashlib.sha256()
    have = 0
    if part.exists():
        with part.open("rb") as left:
            while piece := left.read(_CHUNK):
                digest.update(piece)
                have += len(piece)
    headers = {"User-Agent": f"text2art/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - from weights.toml
    try:
        with urllib.request.urlopen(request, timeout=SILENCE_SECONDS) as answer:  # noqa: S310
            goes_on = answer.status == http.client.PARTIAL_CONTENT
            if have and not (goes_on and _starts_at(answer, have)):
                have, digest = 0, hashlib.sha256()
            announced = answer.length
            total = have + announced if announced is not None else file.size
            with part.open("ab" if have else "wb") as stream:
                while chunk := answer.read1(_CHUNK):
                    stream.write(chunk)
                    digest.update(chunk)
                    have += len(chunk)
                    if file.size is not None and have > file.size:
                        return ""  # longer than it may be: no need to go on
                    progress(file.path, have, total)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return digest.hexdigest()  # everything was here already
        raise _BrokeOff(f"the server says {error.code}") from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        raise _BrokeOff(str(getattr(error, "reason", error)) or type(error).__name__) from error
    except ConnectionError as error:
        raise _BrokeOff(str(error)) from error
    expected = total if announced is not None else file.size
    if expected is not None and have < expected:
        raise _BrokeOff(f"it ended after {have} of {expected} bytes")
    return digest.hexdigest()


def _starts_at(answer: http.client.HTTPResponse, offset: int) -> bool:
    return (answer.getheader("Content-Range") or "").startswith(f"bytes {offset}-")
