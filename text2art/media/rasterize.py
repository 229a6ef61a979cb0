"""SVG to PNG, in a process of its own whose time and memory are bounded.

What `markup` lets pass is safe to read, yet no check of a document tells how long it takes to
draw: dashes of a thousandth of a pixel, patterns within patterns. What takes too much costs a
process that nobody misses, and not the one that draws or that answers everybody.

The process is this very module, run by `rasterized`. It imports little, so that it has begun after
some hundredths of a second.
"""

from __future__ import annotations

import os
import sys

from text2art.errors import InputFileError, MissingExtra
from text2art.media import markup

SIDE = 1024  # pixels: the longer side of what is drawn
CPU_SECONDS = 8  # of computing, after which the process is ended
_SECONDS = 30  # altogether, also where there is no such bound
_MEMORY = 1_500_000_000  # bytes of address space, the interpreter's included
_MOST_BYTES = 10_000_000
_REFUSED, _TOO_MUCH = 23, 24  # exit codes; with the former, the reason is all that is written
# Not `-m`: that would look into the working folder first, for this package and for all it imports,
# and the folder may be a stranger's, too.
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; from text2art.media import rasterize; "
    "sys.exit(rasterize.main(int(sys.argv[1])))"
)


def rasterized(data: bytes, named: str, *, cpu_seconds: int | None = None) -> bytes:
    """Return an SVG as PNG, its longer side `SIDE` pixels.

    Args:
        data: the document.
        named: what messages call it, as `picture 'a.svg'`.
        cpu_seconds: what drawing it may take, whole seconds from 1; None: `CPU_SECONDS`.

    Raises:
        InputFileError: it is no SVG, holds what is not read, or takes too much time or memory.
        MissingExtra: what rasterizes it is not installed.
    """
    from importlib.util import find_spec  # not for the child, which is to begin soon

    if len(data) > _MOST_BYTES:
        raise InputFileError(f"{named} is an SVG of more than {_MOST_BYTES / 1e6:g} MB")
    if find_spec("resvg_py") is None:  # of the extra "svg"
        raise MissingExtra(
            f"{named} is an SVG: to read it, pip install 'text2art[svg]', or save it as PNG"
        )
    if not sys.executable or getattr(sys, "frozen", False):
        # There is no interpreter to start: a frozen program would start itself anew. Such programs
        # stand on their user's own desk, where a picture that never ends is closed by hand; not to
        # read any SVG there would be the greater harm.
        try:
            return _drawn(data)
        except InputFileError as error:
            raise InputFileError(f"{named} {error}") from error
    return _drawn_apart(data, named, CPU_SECONDS if cpu_seconds is None else cpu_seconds)


def _drawn_apart(data: bytes, named: str, cpu_seconds: int) -> bytes:
    """Run this module in a process of its own; return what it writes."""
    import subprocess  # nor this

    # Isolated and without site-packages of its own: it finds what this process finds, and starts in
    # half the time.
    command = [sys.executable, "-I", "-S", "-c", _PROGRAM, str(cpu_seconds), *_search_path()]
    try:
        ran = subprocess.run(  # noqa: S603 - our own interpreter, and no shell
            command, input=data, capture_output=True, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise _too_much(named) from None
    except OSError as error:
        raise InputFileError(f"{named} cannot be drawn: no process starts: {error}") from error
    if ran.returncode == 0:
        return ran.stdout
    if ran.returncode == _REFUSED:
        raise InputFileError(f"{named} {ran.stdout.decode('utf-8', 'replace')}")
    if ran.returncode in (1, 2):  # the interpreter's own, before anything is drawn
        said = ran.stderr.decode("utf-8", "replace").strip().splitlines()
        raise InputFileError(f"{named} cannot be drawn: {said[-1] if said else 'no reason given'}")
    raise _too_much(named)


def _too_much(named: str) -> InputFileError:
    return InputFileError(f"{named} takes too much time or memory to draw: save it as PNG")


def _search_path() -> list[str]:
    """Return where this process finds modules, and last of all this package."""
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120 - pathlib is not for the child
    return [*(entry for entry in sys.path if isinstance(entry, str)), package]


def main(cpu_seconds: int) -> int:
    """Draw the SVG of standard input to standard output, within bounds; return an exit code."""
    _bound(cpu_seconds)
    try:
        written, code = _drawn(sys.stdin.buffer.read()), 0
    except InputFileError as error:
        written, code = str(error).encode("utf-8", "replace"), _REFUSED
    except MemoryError:
        return _TOO_MUCH
    sys.stdout.buffer.write(written)
    return code


def _bound(cpu_seconds: int) -> None:
    """Bound this process, where the system has such bounds; the caller's clock goes everywhere."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_AS, _MEMORY),
    ):
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(kind, (most, most))
        except (ValueError, OSError):  # macOS does not take every bound of memory
            continue


def _drawn(data: bytes) -> bytes:
    """Return an SVG as PNG, drawn in this process.

    Raises:
        InputFileError: it is refused; the message goes on after what the document is called.
    """
    try:
        markup.check_drawable(data, "")
    except InputFileError as error:
        raise InputFileError(str(error).strip()) from error
    import resvg_py

    try:
        png = resvg_py.svg_to_bytes(
            svg_string=data.decode("utf-8-sig"),
            width=SIDE,
            height=SIDE,
            dpi=96,
            skip_system_fonts=True,
        )
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a panic of resvg's is no Exception
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputFileError(f"cannot be drawn: {reason}") from error
    return bytes(png)
