"""What a job needs, brought from the store into a folder of its own."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

from text2art.studio import events, intake
from text2art.studio.db.engine import reading
from text2art.studio.db.rows import job_of, row_of
from text2art.studio.model import Claim, Json, NotFound
from text2art.studio.service import Studio
from text2art.studio.store import check_key
from text2art.studio.worker.runner import JobFailed, Task

log = logging.getLogger(__name__)

CHECKPOINT = "start.ckpt"
_MOST_FRAMES = 400  # of earlier attempts, for a film


def gather(studio: Studio, claim: Claim, folder: Path) -> Task:
    """Fetch what the settings name, under its key: so settings need no change, nor do records.

    Raises:
        JobFailed: a picture that the settings name is gone.
    """
    for key in sorted(intake.keys_of(claim.settings)):
        try:
            _fetch(studio, key, folder)
        except NotFound:
            raise JobFailed(f"the picture {key} is no longer here: upload it again") from None
    known = claim.checkpoint
    checkpoint = _checkpoint(studio, known, folder) if known else None
    parent = str(known["job_id"]) if known and known.get("job_id") else None
    picture = None
    if parent is not None and parent != claim.job_id:
        picture = _picture(studio, parent, folder)
    film = bool(claim.settings.get("make_video")) and claim.attempt > 1
    return Task(
        claim=claim,
        folder=folder,
        checkpoint=checkpoint,
        parent=picture,
        frames=_frames(studio, claim, folder) if film else {},
    )


def sha256(file: Path) -> str:
    """Return the hash of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with file.open("rb") as source:
        while block := source.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _fetch(studio: Studio, key: str, folder: Path) -> Path:
    path = folder.joinpath(*check_key(key).split("/"))
    path.parent.mkdir(parents=True, exist_ok=True)
    studio.store.fetch(key, path)
    return path


def _checkpoint(studio: Studio, known: Json, folder: Path) -> Path | None:
    """Return the checkpoint's file, None if it is gone or is not what was written."""
    path = folder / CHECKPOINT
    try:
        studio.store.fetch(str(known["key"]), path)
    except (NotFound, KeyError):
        return None
    if sha256(path) != known.get("sha256"):
        log.warning("the checkpoint %s is damaged", known["key"])
        return None
    return path


def _picture(studio: Studio, job_id: str, folder: Path) -> str:
    """Return the key of another job's picture, which is fetched, "" if it has none any more."""
    with reading(studio.engine) as connection:
        job = job_of(row_of(connection, job_id))
        pictures = events.frames(connection, job_id)
    files: Mapping[str, str] = (job.result or {}).get("files", {})
    key = files.get("png") or (pictures[max(pictures)] if pictures else "")
    try:
        return key and str(_fetch(studio, key, folder).relative_to(folder).as_posix())
    except NotFound:
        return ""


def _frames(studio: Studio, claim: Claim, folder: Path) -> dict[int, Path]:
    with reading(studio.engine) as connection:
        shown = events.frames(connection, claim.job_id)
    steps = sorted(shown)
    found = {}
    for step in steps[:: -(-len(steps) // _MOST_FRAMES) or 1]:
        try:
            found[step] = _fetch(studio, shown[step], folder)
        except NotFound:
            continue
    return found
