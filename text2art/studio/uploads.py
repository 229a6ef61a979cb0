"""Pictures from strangers: bounded, decoded, and written anew before anything else looks at them.

What is kept is the picture alone, as PNG under the hash of its bytes: no metadata (places, names,
cameras), no second frame, nothing that was hidden behind or within the file. A text2art picture
that somebody drops can also be asked for its settings; these are values only, never computed.
"""

from __future__ import annotations

import hashlib
import io
import threading
from dataclasses import dataclass
from typing import Any

import anyio
from PIL import Image
from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.dialects import postgresql, sqlite

from text2art.errors import InputFileError, MissingExtra
from text2art.media.load import decode_picture
from text2art.studio.config import Caps
from text2art.studio.db.engine import is_postgresql, now
from text2art.studio.db.tables import uploads
from text2art.studio.net import Web
from text2art.studio.store import Store, upload_key

LONGEST_SIDE = 2048  # pixels: more than any canvas; what is larger is made smaller
_AT_ONCE = 2  # pictures that are decoded side by side, each of which may take 0.5 GB meanwhile


@dataclass(frozen=True)
class Upload:
    """A picture in the store.

    Attributes:
        key: how settings name it, as `init_image`: `uploads/<sha256>.png`.
        bytes: of the PNG.
        width, height: in pixels.
    """

    key: str
    sha256: str
    bytes: int
    width: int
    height: int


@dataclass(frozen=True)
class Picture:
    """A picture written anew."""

    png: bytes
    width: int
    height: int

    @property
    def sha256(self) -> str:
        """The hash of its bytes, in hexadecimal."""
        return hashlib.sha256(self.png).hexdigest()


def reencode(data: bytes, name: str, *, max_bytes: int, max_pixels: int) -> Picture:
    """Write a picture anew as PNG: upright, its first frame, 8 bits, nothing but pixels.

    Indexed pictures stay indexed, so that pixel art keeps its palette.

    Args:
        data: PNG, JPEG, WebP, GIF, BMP, TIFF or SVG, whatever it claims to be.
        name: for messages.
        max_bytes: longest file accepted.
        max_pixels: largest picture accepted, by its header, before anything is decoded.

    Raises:
        InputFileError: it is too big, of another format, or broken.
    """
    name = shown_name(name)
    if len(data) > max_bytes:
        raise InputFileError(f"picture {name!r} is larger than {max_bytes / 1e6:g} MB")
    try:
        image = decode_picture(data, name, max_pixels=max_pixels, keep_palette=True)
    except MissingExtra:  # nothing that whoever sent it could install
        raise InputFileError(f"picture {name!r} is an SVG, not read here: save it as PNG") from None
    if max(image.size) > LONGEST_SIDE:
        if image.mode == "P":
            image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    file = io.BytesIO()
    image.save(file, "PNG")
    return Picture(file.getvalue(), image.width, image.height)


def shown_name(name: str) -> str:
    """Return a stranger's name of a file as messages may show it."""
    plain = "".join(c if c.isprintable() else " " for c in name.replace("\\", "/"))
    return plain.rpartition("/")[2].strip()[-80:] or "upload"


class Uploads:
    """Takes in pictures; make one per process. Safe for many threads and tasks."""

    def __init__(self, engine: Engine, store: Store, caps: Caps, web: Web) -> None:
        self._engine, self._store, self._caps, self._web = engine, store, caps, web
        self._room = threading.BoundedSemaphore(_AT_ONCE)

    def receive(self, owner_id: str, data: bytes, name: str = "upload") -> Upload:
        """Take in a picture. Takes seconds for large ones: call it from a thread.

        Raises:
            InputFileError: it is too big, of another format, or broken.
        """
        caps = self._caps
        with self._room:
            picture = reencode(
                data, name, max_bytes=caps.upload_bytes, max_pixels=caps.upload_pixels
            )
        key = upload_key(picture.sha256)
        facts = Upload(key, picture.sha256, len(picture.png), picture.width, picture.height)
        # First the file, then the row: whoever sees the row finds the file. A file without a row
        # is cleared away like one that is no longer used.
        self._store.put_upload(picture.png)
        with self._engine.begin() as connection:
            _record(connection, facts, owner_id)
        return facts

    async def fetch(self, owner_id: str, url: str) -> Upload:
        """Take in the picture at a stranger's URL.

        Raises:
            InputFileError: the URL may not be asked, the server is away, or it is no picture.
        """
        answer = await self._web.fetch(url, self._caps.upload_bytes)
        name = url.partition("?")[0]
        return await anyio.to_thread.run_sync(self.receive, owner_id, answer.body, name)

    def find(self, key: str) -> Upload | None:
        """Return the upload of a key, None where there is none."""
        with self._engine.connect() as connection:
            row = connection.execute(select(uploads).where(uploads.c.key == key)).one_or_none()
        return Upload(row.key, row.sha256, row.bytes, row.width, row.height) if row else None


def touch(connection: Connection, key: str) -> bool:
    """Note that an upload is used now; return whether there is one."""
    used = update(uploads).where(uploads.c.key == key).values(used=now(connection))
    return connection.execute(used).rowcount > 0


def _record(connection: Connection, facts: Upload, owner_id: str) -> None:
    if touch(connection, facts.key):
        return
    when = now(connection)
    row = {**vars(facts), "owner_id": owner_id, "created": when, "used": when}
    table: Any = postgresql.insert if is_postgresql(connection) else sqlite.insert
    connection.execute(table(uploads).values(row).on_conflict_do_nothing())
