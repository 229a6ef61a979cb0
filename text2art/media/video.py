"""Films of the making, written frame by frame: never are all frames in memory.

MP4 is the format to keep: full size, every frame. GIF and WebP are for pages that show nothing
else; both are bounded in frames and size, and pass through a temporary file: the colors of a GIF,
the same ones for all frames, are known only when every frame was seen. So do the frames of a film
that goes back to its beginning.
"""

from __future__ import annotations

import importlib.util
import io
import itertools
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from PIL import Image
from PIL.Image import Resampling
from typing_extensions import Self

from text2art.errors import MissingExtra, OutputError
from text2art.media.files import check_target, output_errors, part_of
from text2art.media.pace import BOUNDS, Pace
from text2art.media.png import on_white
from text2art.media.spool import Spool

ENDINGS = (".mp4", ".gif", ".webp")


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

    def __init__(
        self, path: Path, frames: int, *, pace: Pace | None = None, comment: str = ""
    ) -> None:
        """Prepare a film.

        Args:
            path: ends in .mp4, .gif or .webp.
            frames: how many are expected; fewer may come. Sets the frame rate.
            pace: how the film passes.
            comment: metadata text.
        """
        check_encoder(path)
        self._path = path
        self._pace = pace or Pace()
        self._timing = self._pace.timing(max(frames, 1), path.suffix.lower())
        self._comment = comment
        self._part = part_of(path)
        self._encoder: _Encoder | None = None
        self._seen = 0
        self._waiting: Image.Image | None = None

    def __enter__(self) -> Self:
        check_target(self._path, ENDINGS)
        return self

    def add(self, image: Image.Image) -> None:
        """Append a picture; all must have the size of the first.

        Raises:
            OutputError: it cannot be written.
        """
        shown = self._seen % self._timing.stride == 0
        self._seen += 1
        # The last picture is shown whatever the stride; it may be this one.
        self._waiting = None if shown else image
        if shown:
            self._encode(image)

    def _encode(self, image: Image.Image) -> None:
        with output_errors(self._path):
            if self._encoder is None:
                self._encoder = self._make(image.size)
            alpha = self._path.suffix.lower() != ".mp4" and "A" in image.getbands()
            self._encoder.add(image.convert("RGBA") if alpha else on_white(image))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with output_errors(self._path):
                if error is None and self._waiting is not None:
                    self._encode(self._waiting)
                if self._encoder is not None:
                    encoder, self._encoder = self._encoder, None
                    encoder.close(finish=error is None)
                elif error is None:
                    raise OutputError(f"cannot write {str(self._path)!r}: there are no frames")
                if error is None:
                    self._part.replace(self._path)
        finally:
            if self._encoder is not None:  # the last frame could not be encoded
                self._encoder.close(finish=False)
            with suppress(OSError):
                self._part.unlink()

    def _make(self, size: tuple[int, int]) -> _Encoder:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        ending = self._path.suffix.lower()
        if ending == ".mp4":
            return _Mp4(self._part, size, self._timing.rate, self._pace, self._comment)
        small = fitted(size, BOUNDS[ending][1])
        kind = _Gif if ending == ".gif" else _WebP
        return kind(self._part, small, self._timing.rate, self._pace, self._comment)


def fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return a size of the same aspect whose longer side is at most `side`."""
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


class _Encoder(Protocol):
    def add(self, image: Image.Image) -> None: ...

    def close(self, *, finish: bool) -> None: ...


class _Mp4:
    """H.264 in yuv420p with its index in front: what every player and page shows."""

    def __init__(
        self, part: Path, size: tuple[int, int], rate: Fraction, pace: Pace, comment: str
    ) -> None:
        import av

        self._frame: Any = av.VideoFrame.from_image
        self._rate, self._hold = rate, pace.hold
        # Nearly lossless: a lossless format takes three times the room, and H.264 loses more.
        self._back = Spool("JPEG", quality=95, subsampling=0) if pace.ping_pong else None
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
        padded = _padded(image, self._size)
        if self._back is not None:
            self._back.append(padded)
        self._last = self._frame(padded)
        self._encode(self._last)

    def _encode(self, frame: Any) -> None:
        frame.pts = self._count
        frame.time_base = 1 / self._rate
        self._count += 1
        self._file.mux(self._stream.encode(frame))

    def close(self, *, finish: bool) -> None:
        try:
            if finish:
                for _ in range(round(self._hold * self._rate)):
                    self._encode(self._last)
                if self._back is not None:
                    for image in self._back.take(range(len(self._back) - 2, -1, -1)):
                        self._encode(self._frame(image))
                self._file.mux(self._stream.encode(None))
        finally:
            self._file.close()
            if self._back is not None:
                self._back.close()


class _Spooled:
    """Frames wait in a temporary file until all are there."""

    _grain = 1  # milliseconds that times are multiples of

    def __init__(
        self, part: Path, size: tuple[int, int], rate: Fraction, pace: Pace, comment: str
    ) -> None:
        self._part, self._size, self._comment = part, size, comment
        self._rate, self._pace = rate, pace
        self._spool = Spool("PNG", compress_level=1)

    def add(self, image: Image.Image) -> None:
        self._spool.append(self._small(image))

    def _small(self, image: Image.Image) -> Image.Image:
        return image if image.size == self._size else image.resize(self._size, Resampling.BOX)

    def close(self, *, finish: bool) -> None:
        try:
            if finish:
                count = len(self._spool)
                back = range(count - 2, -1, -1) if self._pace.ping_pong else range(0)
                order = [*range(count), *back]
                # In memory (a few MB at most): Pillow takes a short write for a whole one.
                file = io.BytesIO()
                self._write(order, self._times(count, len(order)), file)
                self._part.write_bytes(file.getbuffer())
        finally:
            self._spool.close()

    def _times(self, there: int, count: int) -> list[int]:
        """Return how long each picture stays, in ms, so that errors of rounding do not add up."""
        step = self._grain
        ends = [round(1000 * i / self._rate / step) * step for i in range(count + 1)]
        times = [after - before for before, after in itertools.pairwise(ends)]
        result = there - 1  # stays for the hold, or for what the others leave of the length
        others = sum(times) - times[result]
        length = self._pace.seconds
        left = 1000 * self._pace.hold if length is None else 1000 * length - others
        shortest = times[result] if length is None else step
        times[result] = max(round(left / step) * step, shortest)
        return times

    def _write(self, order: list[int], times: list[int], file: io.BytesIO) -> None:
        raise NotImplementedError


class _WebP(_Spooled):
    """WebP, lossy."""

    def _write(self, order: list[int], times: list[int], file: io.BytesIO) -> None:
        frames = self._spool.take(order)
        first = next(frames)
        options: dict[str, Any] = {"duration": times, "quality": 80, "loop": 0}
        first.save(file, "WEBP", save_all=True, append_images=frames, **options)


_MOST_CLEAR = 255  # colors of a GIF with alpha: one is none
_OPAQUE = 128  # levels of alpha from here on are opaque in a GIF, which knows no others


class _Gif(_Spooled):
    """GIF, all frames in the same colors; what is less than half opaque is transparent."""

    _grain = 10  # times are in hundredths of a second

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        from text2art.media.common_colors import CommonColors  # numpy comes in here

        self._colors = CommonColors()
        self._clear = False

    def add(self, image: Image.Image) -> None:
        small = self._small(image)
        self._clear = self._clear or small.mode == "RGBA"
        self._colors.add(_hard(small))
        self._spool.append(small)

    def _write(self, order: list[int], times: list[int], file: io.BytesIO) -> None:
        palette = self._colors.palette()
        options: dict[str, Any] = {"duration": times, "loop": 0}
        frames: Iterator[Image.Image]
        if self._clear:  # one color is none
            colors = (palette.getpalette() or [])[: 3 * _MOST_CLEAR]
            none = len(colors) // 3
            palette.putpalette(colors)
            frames = (_cut_out(frame, palette, none) for frame in self._spool.take(order))
            options |= {"transparency": none, "disposal": 2}
            colors += [0, 0, 0]
        else:
            colors = palette.getpalette() or []
            frames = (self._colors.indexed(frame, palette) for frame in self._spool.take(order))
        options["palette"] = bytes(colors)  # given so, Pillow writes it once for all
        first = next(frames)
        if self._comment:
            options["comment"] = self._comment
        first.save(file, "GIF", save_all=True, append_images=frames, **options)


def _hard(image: Image.Image) -> Image.Image:
    """Return the colors of what is at least half opaque, black where nothing is."""
    if image.mode != "RGBA":
        return image
    return Image.composite(image.convert("RGB"), Image.new("RGB", image.size), _shown(image))


def _shown(image: Image.Image) -> Image.Image:
    """Return 255 where a picture is at least half opaque, else 0, in mode L."""
    return image.convert("RGBA").getchannel("A").point(lambda alpha: 255 * (alpha >= _OPAQUE))


def _cut_out(image: Image.Image, palette: Image.Image, none: int) -> Image.Image:
    """Return a picture in the colors of a palette, and of color `none` where nothing is."""
    flat = _hard(image).convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE)
    indices = Image.composite(
        Image.frombytes("L", flat.size, flat.tobytes()),
        Image.new("L", flat.size, none),
        _shown(image),
    )
    indices.putpalette([*(palette.getpalette() or [])[: 3 * none], 0, 0, 0])
    return indices


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
