"""The pictures that a container sends, checked, and kept under names of our own.

Every picture is decoded within bounds and written anew: what is published is a picture, whatever
the container claims it to be.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import io
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
from PIL import Image

from text2art.errors import InputFileError, MissingExtra, SettingsError, Text2ArtError
from text2art.media.load import decode_picture
from text2art.media.markup import check_drawable, looks_like_svg
from text2art.media.png import encode_picture, record_of
from text2art.serving.render import PICTURES
from text2art.settings import Settings
from text2art.studio.config import StudioConfig
from text2art.studio.net import Web
from text2art.studio.worker.runner import Frame, RunnerDied, Sink, Task

MOST_BYTES = 128 * 2**20  # of a file
MOST_FILES = 64  # of a job
_PICTURES = {"image/png": "png", "image/webp": "webp", "image/jpeg": "jpg"}
_FILMS = {"mp4": b"ftyp", "gif": b"GIF8", "webp": b"WEBP"}  # and what their first 12 bytes hold
_SVG = "image/svg+xml"


class Outputs:
    """Takes the files of one prediction, in order: pictures of the making, the film, the result."""

    def __init__(self, config: StudioConfig, address: str, task: Task, sink: Sink) -> None:
        self._task, self._sink = task, sink
        self._most_pixels = max(config.caps.pixels, 1)
        host = urlsplit(address).netloc.rpartition("@")[2]
        self._web = Web(allow=[host, *config.allow_hosts], allow_private=config.allow_private_urls)
        self._film_ending = (
            str(task.settings.get("video_format", "mp4")) if task.settings.get("make_video") else ""
        )
        self._last: list[bytes] = []  # the last two files
        self._picture: bytes | None = None  # the last that is a picture of pixels
        self._count = 0
        self.seed: Any = task.settings.get("seed")
        self.size: dict[str, int] = {}

    def take(self, chunk: str, step: int) -> None:
        """Take a file as the container sent it: a data URL, or a URL to fetch it from.

        Raises:
            RunnerDied: it is no such file, or one too many.
        """
        self._count += 1
        if self._count > MOST_FILES:
            raise RunnerDied(f"the container sent more than {MOST_FILES} files")
        data = self._bytes(chunk)
        self._last = [*self._last, data][-2:]
        if looks_like_svg(data) or self._is_film(data):
            return
        image = self._decoded(data)
        self._picture = data
        file = io.BytesIO()
        sharp = self._task.settings.get("drawer") == "pixel"
        plain = image if image.mode in ("RGB", "RGBA") else image.convert("RGBA")
        plain.save(file, "WEBP", lossless=sharp, quality=80)
        self._sink.frame(Frame(step, file.getvalue(), "webp", image.width, image.height))

    def result(self) -> dict[str, Path]:
        """Write the result and what goes with it; return the files by their endings.

        Raises:
            RunnerDied: there is none.
        """
        if not self._last:
            raise RunnerDied("the container sent no picture")
        final, files = self._last[-1], {}
        if looks_like_svg(final):
            files["svg"] = self._write("result.svg", self._checked_svg(final))
        files |= self._as_png(final)
        if self._film_ending and len(self._last) == 2 and self._is_film(self._last[0]):
            ending = self._film_ending
            files[ending] = self._write(f"video.{ending}", self._last[0])
        return files

    def last(self) -> dict[str, Path]:
        """Write the last picture of a drawing that was canceled, if there is one."""
        return {} if self._picture is None else self._as_png(self._picture)

    # ---- one file ------------------------------------------------------------------------------

    def _bytes(self, chunk: str) -> bytes:
        if not chunk.startswith("data:"):
            return self._fetched(chunk)
        head, comma, text = chunk.partition(",")
        kind = head.removeprefix("data:").partition(";")[0]
        known = kind in (*_PICTURES, _SVG) or kind in ("video/mp4", "image/gif")
        if not comma or not head.endswith(";base64") or not known:
            raise RunnerDied(f"the container sent {head[:60]!r}, which is no picture")
        if len(text) > MOST_BYTES * 4 // 3:
            raise RunnerDied("the container sent a file that is too large")
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            raise RunnerDied("the container sent a broken data URL") from None

    def _fetched(self, url: str) -> bytes:
        async def fetch() -> bytes:
            return (await self._web.fetch(url, MOST_BYTES)).body

        try:
            return anyio.run(fetch)
        except InputFileError as error:
            raise RunnerDied(f"what the container drew cannot be fetched: {error}") from None

    def _is_film(self, data: bytes) -> bool:
        """Whether these are the bytes of the film that is wanted, and not of a picture."""
        if not self._film_ending or _FILMS.get(self._film_ending, b"?") not in data[:12]:
            return False
        return self._film_ending != "webp" or b"ANIM" in data[:64]

    def _decoded(self, data: bytes) -> Image.Image:
        try:
            # A little more than is allowed: sizes are rounded to what drawers can draw.
            image = decode_picture(
                data, "of the container", max_pixels=2 * self._most_pixels, keep_palette=True
            )
        except Text2ArtError as error:
            raise RunnerDied(f"the container sent what is no picture: {error}") from None
        self.size = {"width": image.width, "height": image.height}
        return image

    def _checked_svg(self, data: bytes) -> bytes:
        try:
            check_drawable(data, "of the container")
        except InputFileError as error:
            raise RunnerDied(f"the container sent what is no picture: {error}") from None
        return data

    def _as_png(self, data: bytes) -> dict[str, Path]:
        """Write a picture as PNG with its record, in which files have the studio's names."""
        record = self._record(data)
        ending = "png"
        if looks_like_svg(data):
            try:
                image = decode_picture(data, "of the container", max_pixels=2**24)
                self.size = {"width": image.width, "height": image.height}
            except (InputFileError, MissingExtra):
                if self._picture is None:
                    return {}
                image = self._decoded(self._picture)
        else:
            image = self._decoded(data)
            ending = {"PNG": "png", "WEBP": "webp"}.get(_format(data), "jpg")
        files = {"png": self._write("result.png", encode_picture(image, ".png", record))}
        if ending != "png" and ending != self._film_ending:
            kept = encode_picture(image, f".{ending}", record)
            files[ending] = self._write(f"result.{ending}", kept)
        return files

    def _record(self, data: bytes) -> dict[str, Any]:
        """Return the record in a picture, sound, and with files under the studio's names."""
        settings = self._task.settings
        record: dict[str, Any] = {}
        with contextlib.suppress(InputFileError):  # a picture of the making has none
            record = record_of(data, "of the container")
        named = {name: settings[name] for name in PICTURES if name in settings}
        if self._task.parent:
            named["init_image"] = self._task.parent
        try:
            given = Settings.of(**{**record["settings"], **named}).given()
        except (KeyError, TypeError, SettingsError):
            given = {**settings, **named}
        listed = record.get("perceptors")
        perceptors = [one for one in listed if _is_named(one)] if isinstance(listed, list) else []
        facts = {name: str(record.get(name, ""))[:100] for name in ("version", "torch", "device")}
        return {"settings": given, "seed": given.get("seed"), "perceptors": perceptors, **facts}

    def _write(self, name: str, data: bytes) -> Path:
        path = self._task.folder / name
        path.write_bytes(data)
        return path


def _is_named(perceptor: Any) -> bool:
    return isinstance(perceptor, dict) and isinstance(perceptor.get("name"), str)


def _format(data: bytes) -> str:
    with Image.open(io.BytesIO(data)) as image:
        return str(image.format)
