"""Serve over HTTP without a container: Cog's server on our `predict.py`."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from text2art.environment import share_cores
from text2art.errors import MissingExtra, SettingsError, Text2ArtError
from text2art.serving import schema

_PACKAGE = Path(__file__).resolve().parents[1]
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # SIGHUP: not on Windows
INTERRUPTED = 130


def serve(host: str = "127.0.0.1", port: int = 5000, *, arguments: Sequence[str] = ()) -> int:
    """Run the server until it is told to stop.

    Args:
        host: address to listen on. There is no authentication: anything but loopback is open to
            whoever reaches it.
        port: port to listen on.
        arguments: further words for Cog's server, as `--upload-url`.

    Returns:
        The exit code of the server; 130 after Ctrl-C.

    Raises:
        MissingExtra: cog is not installed.
        SettingsError: the port is not free or the address is not this machine's.
    """
    if importlib.util.find_spec("cog") is None:
        raise MissingExtra("serving needs the package cog: pip install 'text2art[serve]'")
    check_free(host, port)
    source = predictor()
    with tempfile.TemporaryDirectory(prefix="text2art-serve-") as folder:
        schema.provide(Path(folder), source)
        values = environment(source, port)
        values["TMPDIR"] = str(Path(folder) / "tmp")  # Cog never deletes what it is given
        Path(values["TMPDIR"]).mkdir()
        words = [sys.executable, "-m", "cog.server.http", "--host", host, *arguments]
        # A session of its own: Ctrl-C reaches it once, through us, and not also from the terminal.
        server = subprocess.Popen(  # noqa: S603 - our own interpreter, and no shell
            words, cwd=folder, env=values, start_new_session=True
        )
        with _forwarding(server) as received:
            code = server.wait()
    return INTERRUPTED if signal.SIGINT in received else code


def predictor() -> Path:
    """Return `predict.py`: of the checkout, else the one inside the installed package."""
    for path in (_PACKAGE.parent / "predict.py", _PACKAGE / "container" / "predict.py"):
        if path.is_file() and (path.parent == _PACKAGE / "container" or _is_checkout()):
            return path
    raise Text2ArtError(f"predict.py is missing from {str(_PACKAGE)!r}: install text2art again")


def environment(source: Path, port: int) -> dict[str, str]:
    """Return the environment of the server.

    Cog starts its worker as the `python` that PATH finds first, and waits for it for ever when that
    is another installation; so the folder of this interpreter comes first.

    Raises:
        Text2ArtError: there is no `python` in that folder.
    """
    folder = str(Path(sys.executable).parent)
    if shutil.which("python", path=folder) is None:
        raise Text2ArtError(
            f"cog needs a command 'python' beside {sys.executable!r}: use a virtual environment"
        )
    values = dict(os.environ)
    share_cores(values)
    values["PATH"] = os.pathsep.join([folder, *filter(None, [values.get("PATH")])])
    values["PORT"] = str(port)
    values["COG_PREDICT_TYPE_STUB"] = f"{source}:Predictor"
    values.setdefault("LOG_FORMAT", "console")
    if _is_checkout():
        found = [str(_PACKAGE.parent), *filter(None, [values.get("PYTHONPATH")])]
        values["PYTHONPATH"] = os.pathsep.join(found)
    if "TEXT2ART_HOME" in values:  # the server runs in a folder of its own
        values["TEXT2ART_HOME"] = str(Path(values["TEXT2ART_HOME"]).expanduser().absolute())
    return values


def check_free(host: str, port: int) -> None:
    """Make sure that the port can be listened on.

    Raises:
        SettingsError: it cannot, and why.
    """
    if not 1 <= port <= 65535:
        raise SettingsError(f"port {port} is out of range: 1 to 65535")
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(address[0], address[1]) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address[4])
            probe.listen(1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(
            f"cannot listen on {host}:{port} ({reason}): choose another with --port or --host"
        ) from error


def _is_checkout() -> bool:
    return (_PACKAGE.parent / "pyproject.toml").is_file()


@contextmanager
def _forwarding(server: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Pass signals on to the server; give the list of those that came."""
    received: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        received.append(number)
        server.send_signal(number)

    if threading.current_thread() is not threading.main_thread():
        yield received  # only the main thread may set handlers
        return
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, forward) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if server.poll() is None:
            server.terminate()
            server.wait()
