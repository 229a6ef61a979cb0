"""Pictures small enough to stand in a mail."""

from __future__ import annotations

import io

from PIL import Image

from text2art.media.load import decode_picture
from text2art.media.png import on_white

LONGEST_SIDE = 800  # pixels, of what mail programs show
SHORTEST_SIDE = 320  # what small pixel art is enlarged to, by whole steps
MOST_BYTES = 1_000_000
_QUALITIES = (90, 80, 65, 45)


def preview(data: bytes, most_bytes: int = MOST_BYTES) -> tuple[bytes, str]:
    """Return a picture for mail programs, small enough, and its kind (png or jpeg).

    PNG or JPEG only, as some mail programs show no WebP. Pixel art is enlarged in whole steps, so
    that its cells stay sharp. The settings within the file are left out.

    Args:
        data: a picture file.
        most_bytes: of the answer; what cannot be made so small is as small as it gets.

    Raises:
        InputFileError: it is no picture.
    """
    image = decode_picture(data, "result")
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    if max(image.size) < SHORTEST_SIDE:
        factor = -(-SHORTEST_SIDE // max(image.size))
        size = (image.width * factor, image.height * factor)
        image = image.resize(size, Image.Resampling.NEAREST)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    if file.tell() <= most_bytes // 2:
        return file.getvalue(), "png"
    for quality in _QUALITIES:
        file = io.BytesIO()
        on_white(image).save(file, "JPEG", quality=quality)
        if file.tell() <= most_bytes:
            break
    return file.getvalue(), "jpeg"
