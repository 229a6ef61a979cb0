"""SVGs from strangers, drawn by a process of its own, whose time and memory are bounded.

What `media.markup` lets pass is safe to read, yet no check of a document tells how long it takes to
draw: dashes of a thousandth of a pixel, patterns within patterns. What takes too much costs a
process that nobody misses, and not the one that answers everybody.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys

from PIL import Image

from text2art.errors import InputFileError, Text2ArtError
from text2art.media.load import decode_picture
from text2art.media.markup import looks_like_svg

__all__ = ["draw", "looks_like_svg"]

CPU_SECONDS = 8  # of computing, after which it is ended
_SECONDS = 30  # altogether
_MEMORY = 1_500_000_000  # bytes of address space, the interpreter's included
_REFUSED = 3  # exit code: what is wrong stands in stderr


def draw(data: bytes, name: str, *, max_pixels: int) -> Image.Image:
    """Draw an SVG; see `decode_picture`.

    Raises:
        InputFileError: it is none, holds what is not read, or takes too long or too much memory.
    """
    command = [sys.executable, "-m", "text2art.studio.svgs", name]
    command += [str(max_pixels), str(CPU_SECONDS)]
    try:
        ran = subprocess.run(  # noqa: S603 - our own interpreter, and no shell
            command, input=data, capture_output=True, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        ran = None
    if ran is not None and ran.returncode == 0:
        image = Image.open(io.BytesIO(ran.stdout), formats=("PNG",))
        image.load()
        return image
    if ran is not None and ran.returncode == _REFUSED:
        raise InputFileError(ran.stderr.decode("utf-8", "replace").strip())
    raise InputFileError(f"picture {name!r} takes too much time or memory to draw: save it as PNG")


def _main(name: str, max_pixels: int, seconds: int) -> int:
    with contextlib.suppress(ImportError, ValueError, OSError):  # where there are no such bounds
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    try:
        image = decode_picture(sys.stdin.buffer.read(), name, max_pixels=max_pixels)
    except Text2ArtError as error:
        sys.stderr.buffer.write(str(error).encode("utf-8", "replace"))
        return _REFUSED
    image.save(sys.stdout.buffer, "PNG")
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
