"""Files: frames, results, checkpoints, uploads, under checked keys, local or anywhere fsspec goes.

    jobs/<id>/<attempt>/frames/<step>.webp       jobs/<id>/<attempt>/result.png
    jobs/<id>/checkpoint/<attempt>-<step>.ckpt   uploads/<sha256>.png

A worker writes under its own attempt only, and nothing there is shown until the transaction that
ends (or reports a frame of) that attempt names it: a worker that lost its claim publishes nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import fsspec
from fsspec.implementations.dirfs import DirFileSystem

from text2art.errors import OutputError, SettingsError, Text2ArtError
from text2art.studio.ids import is_id
from text2art.studio.model import NotFound

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,80}(?:\.[A-Za-z0-9]{1,8}){0,2}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_EXTENSION = re.compile(r"[a-z0-9]{1,8}\Z")
_TEMPORARY = ".part-"


@dataclass(frozen=True)
class Stored:
    """A file that lies in the store.

    Attributes:
        modified: seconds since 1970 (UTC); 0 where the place does not say.
    """

    key: str
    bytes: int
    modified: float


class Store:
    """A place for files; safe for many threads and processes."""

    def __init__(self, url: str) -> None:
        """Open (and make) the place.

        Args:
            url: a folder, or an fsspec URL, as s3://bucket/studio or memory://studio.

        Raises:
            SettingsError: nothing here knows such an address.
        """
        protocol, _, rest = url.partition("://")
        self._root = ""
        if rest and protocol != "file":
            # Without its memory of listings: other processes write here, too.
            try:
                inner, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
            except (ImportError, ValueError) as error:
                raise SettingsError(
                    f"files: {protocol}:// cannot be used here: {error}. Give a folder, or an "
                    "address that fsspec knows, as s3://bucket/path (pip install s3fs)"
                ) from error
        else:
            self._root = str(Path(rest or url).expanduser().absolute())
            inner, path = fsspec.filesystem("file", auto_mkdir=True), self._root
            Path(path).mkdir(parents=True, exist_ok=True)
        self._files: Any = DirFileSystem(path=path, fs=inner)

    def try_out(self) -> None:
        """Write a file and remove it, so that what is wrong is said before anybody waits.

        Raises:
            OutputError: it cannot be written, read or removed.
        """
        key = f"trial-{uuid.uuid4().hex}"
        self.put(key, b"text2art")
        try:
            self.get(key)
        except NotFound as error:
            raise OutputError(f"files do not stay where they are written: {error}") from error
        finally:
            self.delete(key)

    # ---- writing -----------------------------------------------------------------------------

    def put(self, key: str, data: bytes) -> None:
        """Write a file, whole or not at all; one that is there is replaced.

        Raises:
            OutputError: it cannot be written.
        """
        with self.writing(key) as sink:
            sink.write(data)

    def put_file(self, key: str, path: Path) -> None:
        """Copy a local file in, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        with path.open("rb") as source, self.writing(key) as sink:
            shutil.copyfileobj(source, sink, 1 << 20)

    @contextlib.contextmanager
    def writing(self, key: str) -> Iterator[IO[bytes]]:
        """Give a binary sink; the key appears when the context is left without an exception.

        Raises:
            OutputError: it cannot be written.
        """
        check_key(key)
        try:
            with self._writing_here(key) if self._root else self._writing_there(key) as sink:
                yield sink
        except OSError as error:
            raise OutputError(f"{key} cannot be written: {error}") from error

    def put_upload(self, data: bytes, extension: str = "png") -> str:
        """Write an upload under the hash of its bytes; return its key."""
        key = upload_key(hashlib.sha256(data).hexdigest(), extension)
        if not self.exists(key):
            self.put(key, data)
        return key

    # ---- reading -----------------------------------------------------------------------------

    def get(self, key: str, limit: int | None = None) -> bytes:
        """Read a file whole.

        Args:
            key: the file.
            limit: bytes, beyond which it is refused.

        Raises:
            NotFound: it is not there.
        """
        with self.open(key) as source, _failing(key, "read"):
            data = source.read() if limit is None else source.read(limit + 1)
        if limit is not None and len(data) > limit:
            raise OutputError(f"{key} has more than {limit} bytes")
        return bytes(data)

    def open(self, key: str) -> IO[bytes]:
        """Open a file for reading, seekable.

        Raises:
            NotFound: it is not there.
        """
        try:
            with _failing(key, "read"):
                handle: IO[bytes] = self._files.open(check_key(key), "rb")
            return handle
        except (FileNotFoundError, IsADirectoryError):
            raise NotFound(f"there is no file {key}") from None

    def exists(self, key: str) -> bool:
        """Whether a file is there."""
        with _failing(key, "looked up"):
            return bool(self._files.isfile(check_key(key)))

    def size(self, key: str) -> int:
        """Return a file's bytes.

        Raises:
            NotFound: it is not there.
        """
        try:
            with _failing(key, "looked up"):
                return int(self._files.size(check_key(key)))
        except FileNotFoundError:
            raise NotFound(f"there is no file {key}") from None

    def local(self, key: str) -> Path | None:
        """Return a file's path where the store is a folder of this machine, else None."""
        parts = check_key(key).split("/")
        return Path(self._root, *parts) if self._root else None

    def fetch(self, key: str, path: Path) -> None:
        """Copy a file out to a local path.

        Raises:
            NotFound: it is not there.
        """
        with self.open(key) as source, path.open("wb") as sink, _failing(key, "read"):
            shutil.copyfileobj(source, sink, 1 << 20)

    def walk(self, prefix: str = "") -> Iterator[Stored]:
        """Yield every file under a prefix ("" = all), the unfinished left out."""
        start = check_key(prefix) if prefix else ""
        try:
            found = self._files.find(start, detail=True)
        except FileNotFoundError:
            return
        for key, facts in sorted(found.items()):
            if _TEMPORARY in key or facts.get("type") != "file":
                continue
            yield Stored(key.lstrip("/"), int(facts.get("size") or 0), _modified(facts))

    # ---- clearing ----------------------------------------------------------------------------

    def delete(self, key: str) -> None:
        """Remove a file; nothing happens when it is not there."""
        with contextlib.suppress(FileNotFoundError), _failing(key, "removed"):
            self._files.rm_file(check_key(key))

    def delete_tree(self, prefix: str) -> None:
        """Remove every file under a prefix, as `jobs/<id>`; nothing happens when none is there."""
        with contextlib.suppress(FileNotFoundError), _failing(prefix, "removed"):
            self._files.rm(check_key(prefix), recursive=True)

    def clear_unfinished(self, older_than: float) -> int:
        """Remove what writers that died left behind; return how many files.

        Args:
            older_than: seconds since their last change.
        """
        if not self._root:
            return 0  # elsewhere a file appears when it is whole
        limit, count = time.time() - older_than, 0
        for path in Path(self._root).rglob(f"*{_TEMPORARY}*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < limit:
                    path.unlink()
                    count += 1
        return count

    # ---- inside ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _writing_here(self, key: str) -> Iterator[IO[bytes]]:
        target = Path(self._root, *key.split("/"))
        part = target.with_name(f"{target.name}{_TEMPORARY}{uuid.uuid4().hex}")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as sink:
                yield sink
                sink.flush()
                os.fsync(sink.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _writing_there(self, key: str) -> Iterator[IO[bytes]]:
        with tempfile.TemporaryDirectory() as folder:
            part = Path(folder, "part")
            with part.open("xb") as sink:
                yield sink
            with _failing(key, "written"):
                self._files.put_file(str(part), key)


@contextlib.contextmanager
def _failing(key: str, done: str) -> Iterator[None]:
    """Turn what a place says in its own words (no connection, no right) into our error."""
    try:
        yield
    except (Text2ArtError, FileNotFoundError, IsADirectoryError):
        raise
    except Exception as error:
        raise OutputError(f"{key} cannot be {done}: {error}") from error


# ---- keys ----------------------------------------------------------------------------------


def check_key(key: str) -> str:
    """Make sure that a key stays inside the store.

    Raises:
        NotFound: it is no key of this store.
    """
    parts = key.split("/")
    if not 1 <= len(parts) <= 8 or not all(_SEGMENT.match(part) for part in parts):
        raise NotFound(f"{key[:80]!r} is not the key of a file")
    return key


def attempt_prefix(job_id: str, attempt: int) -> str:
    """Return where an attempt writes: `jobs/<id>/<attempt>`."""
    if not is_id(job_id) or attempt < 1:
        raise NotFound(f"there is no job {job_id[:40]!r}, attempt {attempt}")
    return f"jobs/{job_id}/{attempt}"


def job_prefix(job_id: str) -> str:
    """Return where everything of a job lies: `jobs/<id>`."""
    return attempt_prefix(job_id, 1).rpartition("/")[0]


def frame_key(job_id: str, attempt: int, step: int, extension: str = "webp") -> str:
    """Return the key of the picture at a step."""
    return f"{attempt_prefix(job_id, attempt)}/frames/{int(step):06d}.{_checked(extension)}"


def result_key(job_id: str, attempt: int, extension: str, name: str = "result") -> str:
    """Return the key of a result, as `.../result.png`."""
    return check_key(f"{attempt_prefix(job_id, attempt)}/{name}.{_checked(extension)}")


def checkpoint_key(job_id: str, attempt: int, step: int) -> str:
    """Return the key of a checkpoint; attempts never overwrite each other's."""
    return f"{job_prefix(job_id)}/checkpoint/{int(attempt)}-{int(step)}.ckpt"


def upload_key(sha256: str, extension: str = "png") -> str:
    """Return the key of an upload."""
    if not _SHA256.match(sha256):
        raise NotFound("there is no such upload")
    return f"uploads/{sha256}.{_checked(extension)}"


def _checked(extension: str) -> str:
    if not _EXTENSION.match(extension):
        raise NotFound(f"{extension[:20]!r} is no file extension")
    return extension


def _modified(facts: dict[str, Any]) -> float:
    value = facts.get("mtime", facts.get("LastModified", facts.get("created", 0)))
    return float(value.timestamp()) if hasattr(value, "timestamp") else float(value or 0)
