"""Pictures in: from a file or a URL, within bounds.

Whoever names the picture may not be whoever runs the program, so every step is bounded: bytes,
pixels, time, formats, and which addresses may be asked. SVGs are drawn by a process of their own.
"""

from __future__ import annotations

import io
import re
import threading
import warnings
from pathlib import Path

from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from text2art.errors import InputFileError
from text2art.media import markup, web
from text2art.media.rasterize import rasterized

MAX_BYTES = 50_000_000
MAX_PIXELS = 64_000_000
MAX_FRAMES = 4096
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_URL = re.compile(r"\A\s*([A-Za-z][A-Za-z0-9+.-]*)://")
_FILTERS = threading.Lock()  # warning filters belong to the process: one thread at a time


def load_picture(
    source: str,
    *,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
    keep_palette: bool = False,
) -> Image.Image:
    """Load a picture, upright, its first frame, as RGB or RGBA; an SVG is rasterized.

    Args:
        source: path of a file, or an http(s) URL.
        max_bytes: longest file accepted.
        max_pixels: largest picture accepted, by its header, before anything is decoded.
        keep_palette: whether an indexed picture stays indexed.

    Raises:
        InputFileError: missing, not allowed, too big, of another format, or broken.
        MissingExtra: it is an SVG, and what rasterizes it is not installed.
    """
    data = read_source(source, max_bytes)
    return decode_picture(data, source, max_pixels=max_pixels, keep_palette=keep_palette)


def read_source(source: str, max_bytes: int = MAX_BYTES) -> bytes:
    """Return what a file or an http(s) URL holds.

    Raises:
        InputFileError: it is missing, not allowed, or too big.
    """
    if _URL.match(source):
        return web.download(source.strip(), max_bytes)
    return _read(source, max_bytes)


def _read(source: str, max_bytes: int) -> bytes:
    try:
        path = Path(source).expanduser()
        is_there, is_file = path.exists(), path.is_file()
        data = b""
        if is_file:
            with path.open("rb") as stream:
                data = stream.read(max_bytes + 1)
    except (OSError, ValueError, RuntimeError) as error:  # the latter two: NUL, no home folder
        raise InputFileError(f"picture {source!r} cannot be read: {error}") from error
    if not is_there:
        raise InputFileError(f"picture {source!r} is not there: give a file or an http(s) URL")
    if not is_file:
        raise InputFileError(f"picture {source!r} is not a file")
    if len(data) > max_bytes:
        raise InputFileError(f"picture {source!r} is larger than {max_bytes / 1e6:g} MB")
    return data


def decode_picture(
    data: bytes,
    name: str,
    *,
    max_pixels: int = MAX_PIXELS,
    keep_palette: bool = False,
    svg_seconds: int | None = None,
) -> Image.Image:
    """Decode the bytes of a picture; see `load_picture`. `name` is for messages.

    An SVG may be computed for `svg_seconds`, None: `rasterize.CPU_SECONDS`.
    """
    if not data:
        raise InputFileError(f"picture {name!r} is empty")
    if markup.looks_like_svg(data):
        data = rasterized(data, f"picture {name!r}", cpu_seconds=svg_seconds)
    try:
        image = _open(data)
    except UnidentifiedImageError:
        raise InputFileError(
            f"picture {name!r} is not a picture of a known format: "
            f"{', '.join(FORMATS)} and SVG are read"
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputFileError(
            f"picture {name!r} has far too many pixels, at most {max_pixels} are accepted"
        ) from None
    except Exception as error:  # decoders raise anything on broken files
        raise InputFileError(f"picture {name!r} is broken: {_reason(error)}") from error
    width, height = image.size
    if width * height > max_pixels:
        raise InputFileError(
            f"picture {name!r} has {width}x{height} pixels, at most {max_pixels} are accepted"
        )
    try:
        upright = ImageOps.exif_transpose(image)
        return _indexed(upright) if keep_palette and upright.mode == "P" else _plain(upright)
    except Exception as error:  # decoders raise anything on broken files
        raise InputFileError(f"picture {name!r} is broken: {_reason(error)}") from error


def _open(data: bytes) -> Image.Image:
    with _FILTERS, warnings.catch_warnings():
        # Pillow warns of large pictures; here its warning must not be printed, it is an answer.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(data), formats=FORMATS)


def _plain(image: Image.Image) -> Image.Image:
    """Return 8-bit RGB, or RGBA where there is transparency."""
    if image.mode.startswith("I;16"):  # Pillow's own conversion would clip instead of scale
        image = image.convert("I").point(lambda level: level * (1 / 256)).convert("L")
    elif image.mode in ("I", "F"):
        raise InputFileError(f"32-bit levels (mode {image.mode}) are not supported: save as 8 bits")
    transparent = "A" in image.getbands() or "a" in image.getbands()
    mode = "RGBA" if transparent or "transparency" in image.info else "RGB"
    plain = image.convert(mode) if image.mode != mode else image.copy()
    plain.info = {}  # what is left there (profiles, comments) is not part of the picture
    return plain


def _indexed(image: Image.Image) -> Image.Image:
    """Return an indexed picture with its palette and transparency, and nothing else."""
    plain = image.copy()
    plain.info = {key: value for key, value in image.info.items() if key == "transparency"}
    return plain


def load_frames(source: str, *, most: int = MAX_FRAMES) -> list[Image.Image]:
    """Load all pictures of a file: those of an animation, or the one there is.

    Indexed pictures stay indexed, but for those of an animation, which are RGBA.

    Raises:
        InputFileError: as `load_picture`, or there are too many.
    """
    data = read_source(source)
    first = decode_picture(data, source, keep_palette=True)
    if markup.looks_like_svg(data):
        return [first]
    try:
        with _open(data) as image:
            count = getattr(image, "n_frames", 1)
            if count == 1:
                return [first]
            if count > most or count * image.width * image.height > MAX_PIXELS:
                raise InputFileError(
                    f"animation {source!r} has {count} pictures of {image.width}x{image.height}, "
                    f"at most {most} and {MAX_PIXELS} pixels in all are read"
                )
            return [frame.convert("RGBA") for frame in ImageSequence.Iterator(image)]
    except InputFileError:
        raise
    except Exception as error:  # decoders raise anything on broken files
        raise InputFileError(f"animation {source!r} is broken: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
