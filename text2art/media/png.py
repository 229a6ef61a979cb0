"""Pictures with their recipe inside: PNG, WebP and JPEG; SVG is written by `svg`, but read here.

Three readers are served: text2art itself (everything needed to draw the picture again, as JSON),
the tools that show the widely used `parameters` text, and those that look for the IPTC mark of
machine-made pictures. Nothing that changes between two equal runs is written, so that equal runs
give equal files.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from text2art.errors import InputFileError, OutputError
from text2art.media.files import check_target, write_bytes
from text2art.media.markup import looks_like_svg, svg_record
from text2art.settings import Settings

ENDINGS = (".png", ".webp", ".jpg", ".jpeg")
# What holds a record that can be read back.
READABLE = (*ENDINGS, ".svg")
KEY = "text2art"
MOST_FILE_BYTES = 256 * 2**20
MOST_RECORD_BYTES = 2**20
_MOST_EXIF_BYTES = 60_000  # a JPEG segment holds 65 533 bytes, tags and offsets included
_USER_COMMENT, _EXIF_FOLDER, _SOFTWARE = 0x9286, 0x8769, 0x0131
_UNDEFINED_CODE = b"\0" * 8  # EXIF 2.3 section 4.6.5: character code of a comment, here UTF-8
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


def save_picture(image: Image.Image, path: Path, record: Mapping[str, Any] | None = None) -> Path:
    """Write a picture, with its record inside, in the format that the ending names.

    Args:
        image: the picture; JPEG puts what is transparent on white.
        path: ends in .png, .webp, .jpg or .jpeg.
        record: what `Session.record` gives; None leaves all metadata out.

    Raises:
        OutputError: the file cannot be written, or the record is too long for the format.
    """
    check_picture_target(path, record)
    return write_bytes(path, encode_picture(image, path.suffix, record))


def encode_picture(
    image: Image.Image, ending: str, record: Mapping[str, Any] | None = None
) -> bytes:
    """Return the bytes of a picture file; see `save_picture`.

    They are gathered in memory, since Pillow, given a file, takes a short write for a whole one.
    """
    file = io.BytesIO()
    ending = ending.lower()
    if ending == ".png":
        image.save(file, "PNG", pnginfo=_chunks(record, image.size) if record else None)
        return file.getvalue()
    extras = {"exif": _exif(record), "xmp": _XMP.encode()} if record else {}
    if ending == ".webp":
        opaque = image.convert("RGBA" if _transparent(image) else "RGB")
        opaque.save(file, "WEBP", lossless=image.mode == "P", quality=92, method=4, **extras)
    else:
        on_white(image).save(file, "JPEG", quality=94, subsampling=0, **extras)
    return file.getvalue()


def check_picture_target(path: Path, record: Mapping[str, Any] | None = None) -> None:
    """Make sure, before the work, that a picture can be written here and its record fits.

    Raises:
        OutputError: it cannot, and why.
    """
    check_target(path, ENDINGS)
    if record is None or path.suffix.lower() == ".png":
        return
    if len(record_text(record).encode()) > _MOST_EXIF_BYTES:
        raise OutputError(
            f"the settings are too long for the metadata of {str(path)!r}: "
            "write a .png, or leave them out with --no-metadata"
        )


def read_record(path: Path) -> dict[str, Any]:
    """Return the record inside a picture that text2art wrote. The pixels are not decoded.

    Raises:
        InputFileError: no such file, not such a picture, no record in it, or a broken one.
    """
    named = repr(str(path))
    try:
        if path.stat().st_size > MOST_FILE_BYTES:
            raise InputFileError(f"{named} is larger than {MOST_FILE_BYTES >> 20} MB")
    except FileNotFoundError as error:
        raise InputFileError(f"there is no file {named}") from error
    except (OSError, ValueError) as error:
        if isinstance(error, InputFileError):
            raise
        raise InputFileError(f"{named} cannot be read: {error}") from error
    return _record(path, named, is_svg=path.suffix.lower() == ".svg")


def record_of(data: bytes, name: str) -> dict[str, Any]:
    """Return the record inside the bytes of a picture, whatever its name ends in.

    Args:
        data: the file, of a size that the caller has bounded.
        name: for messages.

    Raises:
        InputFileError: as `read_record`.
    """
    return _record(io.BytesIO(data), repr(name), is_svg=looks_like_svg(data))


def _record(source: Path | io.BytesIO, named: str, *, is_svg: bool) -> dict[str, Any]:
    try:
        if is_svg:
            data = source.read_bytes() if isinstance(source, Path) else source.getvalue()
            text = svg_record(data, named, longest=MOST_RECORD_BYTES)
        else:
            with Image.open(source, formats=("PNG", "WEBP", "JPEG")) as image:
                text = _embedded(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputFileError(f"{named} has too many pixels: {error}") from error
    except UnidentifiedImageError as error:
        raise InputFileError(f"{named} is not a PNG, WebP or JPEG picture") from error
    except FileNotFoundError as error:
        raise InputFileError(f"there is no file {named}") from error
    except (OSError, ValueError, SyntaxError) as error:  # Pillow's ways to say "broken"
        if isinstance(error, InputFileError):
            raise
        raise InputFileError(f"{named} cannot be read: {error}") from error
    if text is None:
        raise InputFileError(f"{named} holds no text2art settings")
    return _parsed(text, named)


def _embedded(image: Image.Image) -> str | None:
    if image.format == "PNG":
        text = image.info.get(KEY)
        return str(text) if text is not None else None
    comment = image.getexif().get_ifd(_EXIF_FOLDER).get(_USER_COMMENT, b"")
    if not isinstance(comment, bytes) or not comment.startswith(_UNDEFINED_CODE):
        return None
    return comment[len(_UNDEFINED_CODE) :].decode()


def _parsed(text: str, named: str) -> dict[str, Any]:
    if len(text) > MOST_RECORD_BYTES:
        raise InputFileError(f"the settings in {named} are longer than 1 MB")
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputFileError(f"the settings in {named} are broken: {error}") from error
    if not isinstance(record, dict) or not isinstance(record.get("settings"), dict):
        raise InputFileError(f"the settings in {named} are not text2art's")
    return record


def record_text(record: Mapping[str, Any]) -> str:
    """Return a record as it is written into files: JSON on one line."""
    return json.dumps(record, ensure_ascii=False, sort_keys=True)


def _chunks(record: Mapping[str, Any], size: tuple[int, int]) -> PngInfo:
    chunks = PngInfo()
    chunks.add_itxt(KEY, record_text(record))
    chunks.add_text("parameters", parameters(record, size))
    chunks.add_itxt("XML:com.adobe.xmp", _XMP)
    return chunks


def _exif(record: Mapping[str, Any]) -> bytes:
    exif = Image.Exif()
    exif[_SOFTWARE] = f"text2art {record.get('version', '')}".strip()
    exif.get_ifd(_EXIF_FOLDER)[_USER_COMMENT] = _UNDEFINED_CODE + record_text(record).encode()
    return exif.tobytes()


def parameters(record: Mapping[str, Any], size: tuple[int, int]) -> str:
    """Return the text that galleries of other tools show: the prompt, then one line of settings."""
    settings = Settings.of(**record["settings"])
    facts = {
        "Steps": settings.steps,
        "Seed": record["seed"],
        "Size": f"{size[0]}x{size[1]}",
        "Model": " + ".join(str(perceptor["name"]) for perceptor in record["perceptors"]),
        "Drawer": settings.drawer,
        "Version": f"text2art {record['version']}",
    }
    line = ", ".join(f"{name}: {value}" for name, value in facts.items())
    return " | ".join(settings.prompts) + "\n" + line


def _transparent(image: Image.Image) -> bool:
    return "A" in image.getbands() or "transparency" in image.info


def on_white(image: Image.Image) -> Image.Image:
    """Return a picture without transparency, on white where it had some, as RGB."""
    if not _transparent(image):
        return image.convert("RGB")
    picture = image.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")
