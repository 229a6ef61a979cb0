"""Films of the making, written frame by frame: never are all frames in memory.

MP4 is the format to keep: full size, every frame. GIF and WebP are for pages that show nothing
else; both are bounded in frames and size, and pass through a temporary file, since their encoders
want to see frames again (a GIF's palette is chosen from the whole film).
"""

from __future__ import annotations

import importlib.util
import io
import math
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from PIL import Image, TiffImagePlugin
from PIL.Image import Resampling
from typing_extensions import Self

from text2art.errors import MissingExtra, OutputError
from text2art.media.files import check_target, output_errors, part_of
from text2art.media.png import on_white

ENDINGS = (".mp4", ".gif", ".webp")
SECONDS, SLOWEST, FASTEST = 14, 10, 60  # pixray's: 14 s long, 10 to 60 frames a second
HOLD = 1.0  # seconds that the result stays at the end
_BOUNDS = {".gif": (80, 320), ".webp": (160, 512)}  # most frames, longest side
_PALETTE_SAMPLES = 8


def frame_rate(frames: int) -> int:
    """Return the frames per second of a film of so many frames."""
    return round(min(max(frames / SECONDS, SLOWEST), FASTEST))


def check_encoder(path: Path) -> None:
    """Make sure, before the work, that a film of this ending can be encoded.

    Raises:
        OutputError: the ending is of no film that can be made.
        MissingExtra: the encoder is not installed.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise OutputError(f"cannot write {str(path)!r}: a video ends in {' or '.join(ENDINGS)}")
    if ending == ".mp4" and importlib.util.find_spec("av") is None:
        raise MissingExtra(
            "MP4 needs the package av: pip install 'text2art[video]', or make a .gif or .webp"
        )


class VideoWriter:
    """Takes pictures one by one; the file appears when the block ends well.

    Use as a context manager. When the block fails nothing is left behind.
    """

    def __init__(self, path: Path, frames: int, *, comment: str = "") -> None:
        """Prepare a film.

        Args:
            path: ends in .mp4, .gif or .webp.
            frames: how many are expected; fewer may come. Sets the frame rate.
            comment: metadata text.
        """
        check_encoder(path)
        self._path = path
        self._frames = max(frames, 1)
        self._comment = comment
        self._part = part_of(path)
        self._encoder: _Encoder | None = None

    def __enter__(self) -> Self:
        check_target(self._path, ENDINGS)
        return self

    def add(self, image: Image.Image) -> None:
        """Append a picture; all must have the size of the first.

        Raises:
            OutputError: it cannot be written.
        """
        with output_errors(self._path):
            if self._encoder is None:
                self._encoder = self._make(image.size)
            self._encoder.add(on_white(image))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with output_errors(self._path):
                if self._encoder is not None:
                    self._encoder.close(finish=error is None)
                elif error is None:
                    raise OutputError(f"cannot write {str(self._path)!r}: there are no frames")
                if error is None:
                    self._part.replace(self._path)
        finally:
            with suppress(OSError):
                self._part.unlink()

    def _make(self, size: tuple[int, int]) -> _Encoder:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        rate = frame_rate(self._frames)
        ending = self._path.suffix.lower()
        if ending == ".mp4":
            return _Mp4(self._part, size, rate, self._comment)
        most, side = _BOUNDS[ending]
        stride = math.ceil(self._frames / most)
        return _Spooled(
            self._part, ending, fitted(size, side), stride, stride / rate, self._comment
        )


def fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return a size of the same aspect whose longer side is at most `side`."""
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


class _Encoder(Protocol):
    def add(self, image: Image.Image) -> None: ...

    def close(self, *, finish: bool) -> None: ...


class _Mp4:
    """H.264 in yuv420p with its index in front: what every player and page shows."""

    def __init__(self, part: Path, size: tuple[int, int], rate: int, comment: str) -> None:
        import av

        self._frame: Any = av.VideoFrame.from_image
        self._rate = rate
        self._size = (size[0] + size[0] % 2, size[1] + size[1] % 2)  # chroma is halved: even sides
        options = {"movflags": "+faststart"}
        self._file = av.open(str(part), mode="w", format="mp4", options=options)
        self._file.metadata["comment"] = comment
        self._stream: Any = self._file.add_stream("libx264", rate=rate)
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        # One thread, for equal bytes of equal films (not always so yet: see the test's xfail).
        self._stream.options = {"crf": "18", "preset": "fast"}
        self._stream.codec_context.thread_count = 1
        self._last: Any = None
        self._count = 0

    def add(self, image: Image.Image) -> None:
        self._last = self._frame(_padded(image, self._size))
        self._encode(self._last)

    def _encode(self, frame: Any) -> None:
        frame.pts = self._count
        frame.time_base = Fraction(1, self._rate)
        self._count += 1
        self._file.mux(self._stream.encode(frame))

    def close(self, *, finish: bool) -> None:
        try:
            if finish:
                for _ in range(round(HOLD * self._rate)):
                    self._encode(self._last)
                self._file.mux(self._stream.encode(None))
        finally:
            self._file.close()


class _Spooled:
    """GIF or WebP: frames wait in a temporary file (a TIFF of many pages) until all are there."""

    def __init__(
        self,
        part: Path,
        ending: str,
        size: tuple[int, int],
        stride: int,
        seconds: float,
        comment: str,
    ) -> None:
        self._part, self._ending, self._size, self._comment = part, ending, size, comment
        self._stride, self._seconds = stride, seconds
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._pages = TiffImagePlugin.AppendingTiffWriter(self._spool)
        self._seen = self._kept = 0
        self._waiting: Image.Image | None = None

    def add(self, image: Image.Image) -> None:
        small = image if image.size == self._size else image.resize(self._size, Resampling.BOX)
        if self._seen % self._stride == 0:
            self._keep(small)
            self._waiting = None
        else:
            self._waiting = small  # the last picture is shown whatever the stride
        self._seen += 1

    def _keep(self, image: Image.Image) -> None:
        image.save(self._pages, "TIFF")
        self._pages.newFrame()
        self._kept += 1

    def close(self, *, finish: bool) -> None:
        with self._spool:
            if not finish:
                return
            if self._waiting is not None:
                self._keep(self._waiting)
            self._pages.finalize()
            self._spool.seek(0)
            with Image.open(self._spool, formats=("TIFF",)) as film:
                times = [round(1000 * self._seconds)] * (self._kept - 1) + [round(1000 * HOLD)]
                # In memory (a few MB at most): Pillow takes a short write for a whole one.
                file = io.BytesIO()
                if self._ending == ".gif":
                    self._save_gif(film, times, file)
                else:
                    film.save(file, "WEBP", save_all=True, duration=times, quality=80, loop=0)
                self._part.write_bytes(file.getbuffer())

    def _save_gif(self, film: Image.Image, times: list[int], file: io.BytesIO) -> None:
        palette = _shared_palette(film, self._kept)
        frames = _in_colors(film, self._kept, palette)
        first = next(frames)
        extras = {"comment": self._comment} if self._comment else {}
        first.save(
            file,
            "GIF",
            save_all=True,
            append_images=frames,
            duration=times,
            loop=0,
            optimize=False,
            **extras,
        )


def _shared_palette(film: Image.Image, count: int) -> Image.Image:
    """Choose 256 colors for a whole film, from a strip of frames spread over it."""
    chosen = sorted(
        {i * (count - 1) // max(_PALETTE_SAMPLES - 1, 1) for i in range(_PALETTE_SAMPLES)}
    )
    chosen = [i for i in chosen if i < count]
    strip = Image.new("RGB", (film.width, film.height * len(chosen)))
    for row, i in enumerate(chosen):
        film.seek(i)
        strip.paste(film, (0, row * film.height))
    return strip.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def _in_colors(film: Image.Image, count: int, palette: Image.Image) -> Iterator[Image.Image]:
    for i in range(count):
        film.seek(i)
        yield film.convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE)


def _padded(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Repeat the last column and row where a side is odd."""
    if image.size == size:
        return image
    padded = Image.new("RGB", size)
    padded.paste(image, (size[0] - image.width, size[1] - image.height))
    padded.paste(image, (0, size[1] - image.height))
    padded.paste(image, (size[0] - image.width, 0))
    padded.paste(image, (0, 0))
    return padded
