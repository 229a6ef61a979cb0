"""Fetch weights: resumed where they broke off, checked while they stream, whole or not at all."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

from text2art import environment
from text2art.errors import WeightsCorrupt, WeightsError
from text2art.weights import catalog, pins
from text2art.weights.catalog import Entry, WeightFile
from text2art.weights.download import BrokeOff, Wish, check_room, download, forget

Progress = Callable[[str, int, "int | None"], None]
"""Told the file's path, the bytes that are here and the bytes there will be (None: unknown)."""


def fetch(wanted: Entry, progress: Progress | None = None) -> list[Path]:
    """Fetch the files of an entry that are not here yet; return all of them, verified.

    A file is written as `.part` in the weights folder and renamed once its checksum is right. A
    `.part` that was left behind is gone on with. Where no checksum is recorded, what comes (or is
    here) first is pinned: from then on it is the recorded one.

    Args:
        wanted: what to fetch.
        progress: told after every piece.

    Raises:
        WeightsCorrupt: every source gave something else than the entry says.
        WeightsError: offline, no source can be reached, or no room to write.
    """
    if wanted.ships:
        return catalog.verify(wanted)
    wanted = catalog.pinned(wanted)
    return [_fetch_file(wanted, file, progress or _say_nothing) for file in wanted.files]


def _say_nothing(path: str, done: int, total: int | None) -> None:
    """Report to nobody."""


def _fetch_file(wanted: Entry, file: WeightFile, progress: Progress) -> Path:
    there = catalog.find(file.path)
    if there is not None:
        found = catalog.sha256_of(there)
        if not file.sha256:
            _pin(file, there, found, "")
        if file.sha256 in ("", found):
            return there
    if not file.urls:
        raise WeightsError(f"{wanted.name}: no source of {file.path} is recorded")
    target = catalog.folder() / file.path
    if environment.offline():
        raise WeightsError(
            f"{wanted.name} cannot be fetched: TEXT2ART_OFFLINE is set. "
            f"Unset it, or put {file.path} into {catalog.folder()}"
        )
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.size is not None:
            check_room(part, file.size - (part.stat().st_size if part.exists() else 0))
        url, found = _from_any_source(wanted, file, part, progress)
        part.replace(target)
        forget(part)
    except OSError as error:
        raise WeightsError(f"{target} cannot be written: {error.strerror or error}") from error
    if not file.sha256:
        _pin(file, target, found, url)
    return target


def _pin(file: WeightFile, path: Path, sha256: str, url: str) -> None:
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    pins.add(file.path, pins.Pin(sha256, path.stat().st_size, url, today))


def _from_any_source(
    wanted: Entry, file: WeightFile, part: Path, progress: Progress
) -> tuple[str, str]:
    """Try the sources in order; what one left behind, the next goes on with.

    Returns:
        The source that gave the file, and its sha256.
    """
    reasons: list[str] = []
    corrupt = False
    for url in file.urls:
        resumed = part.exists()
        wish = Wish(url, part, file.size, checked=bool(file.sha256))
        try:
            found = _brought(wish, file, progress)
            if found != file.sha256 and resumed and wish.checked:
                forget(part)  # the piece that was left behind may have been the bad one
                found = _brought(wish, file, progress)
        except BrokeOff as error:
            reasons.append(f"{url}: {error}")
            continue
        if found and file.sha256 in ("", found):
            return url, found
        forget(part)
        corrupt = True
        reasons.append(f"{url}: {_difference(file, found)}")
    kind = WeightsCorrupt if corrupt else WeightsError
    kept = f". What came is kept in {part}: run it again to go on" if part.exists() else ""
    raise kind(f"{wanted.name} cannot be fetched ({'; '.join(reasons)}){kept}")


def _brought(wish: Wish, file: WeightFile, progress: Progress) -> str:
    return download(wish, lambda done, total: progress(file.path, done, total))


def _difference(file: WeightFile, found: str) -> str:
    if not found:
        return "it is longer than it may be, so its sha256 cannot be right"
    if file.pinned:
        return (
            f"its sha256 is {found}, and not that of the first fetch: it has changed. If you trust "
            f"the new one, delete the line of {file.path} from {pins.location()}"
        )
    return f"its sha256 is not the recorded one but {found}"
