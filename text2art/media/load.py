"""Pictures in: from a file or a URL, within bounds.

Whoever names the picture may not be whoever runs the program, so every step is bounded: bytes,
pixels, time, formats, and which addresses may be asked.
"""

from __future__ import annotations

import io
import re
import threading
import warnings
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from text2art.errors import InputFileError, MissingExtra
from text2art.media import markup, web

MAX_BYTES = 50_000_000
MAX_PIXELS = 64_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_SVG_SIDE = 1024  # pixels: longest side of a rasterized SVG
_MOST_SVG_BYTES = 10_000_000
_URL = re.compile(r"\A\s*([A-Za-z][A-Za-z0-9+.-]*)://")
_FILTERS = threading.Lock()  # warning filters belong to the process: one thread at a time


def load_picture(
    source: str, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """Load a picture, upright, its first frame, as RGB or RGBA; an SVG is rasterized.

    Args:
        source: path of a file, or an http(s) URL.
        max_bytes: longest file accepted.
        max_pixels: largest picture accepted, by its header, before anything is decoded.

    Raises:
        InputFileError: missing, not allowed, too big, of another format, or broken.
        MissingExtra: it is an SVG, and what rasterizes it is not installed.
    """
    if _URL.match(source):
        data = web.download(source.strip(), max_bytes)
    else:
        data = _read(source, max_bytes)
    return decode_picture(data, source, max_pixels=max_pixels)


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


def decode_picture(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode the bytes of a picture; see `load_picture`. `name` is for messages."""
    if not data:
        raise InputFileError(f"picture {name!r} is empty")
    if markup.looks_like_svg(data):
        data = _rasterized(data, name)
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
        return _plain(ImageOps.exif_transpose(image))
    except Exception as error:  # decoders raise anything on broken files
        raise InputFileError(f"picture {name!r} is broken: {_reason(error)}") from error


def _rasterized(data: bytes, name: str) -> bytes:
    """Return an SVG as PNG, its longer side `_SVG_SIDE` pixels."""
    named = f"picture {name!r}"
    if len(data) > _MOST_SVG_BYTES:
        raise InputFileError(f"{named} is an SVG of more than {_MOST_SVG_BYTES / 1e6:g} MB")
    markup.check_drawable(data, named)
    try:
        import resvg_py  # of the extra "svg"
    except ImportError:
        raise MissingExtra(
            f"{named} is an SVG: to read it, pip install 'text2art[svg]', or save it as PNG"
        ) from None
    try:
        png = resvg_py.svg_to_bytes(
            svg_string=data.decode("utf-8-sig"),
            width=_SVG_SIDE,
            height=_SVG_SIDE,
            dpi=96,
            skip_system_fonts=True,
        )
    except Exception as error:
        raise InputFileError(f"{named} cannot be drawn: {_reason(error)}") from error
    return bytes(png)


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


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
