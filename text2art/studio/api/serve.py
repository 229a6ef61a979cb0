"""The studio as a process: web server, workers, mail and housekeeping, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from text2art.errors import SettingsError
from text2art.serving.server import INTERRUPTED, check_free
from text2art.studio import retention
from text2art.studio.api.app import create_app, open_context
from text2art.studio.api.callers import is_local
from text2art.studio.config import StudioConfig
from text2art.studio.service import Studio
from text2art.studio.worker import supervisor

_UPKEEP_SECONDS = 6 * 3600.0
_GRACE_SECONDS = 10  # for answers that are under way
_log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Ends streams when it stops: their readers would keep it up for ever."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        app: Any = self.config.app
        context = getattr(app.state, "context", None)
        if context is not None:
            context.hub.end_streams()
        await super().shutdown(sockets)


def run(config: StudioConfig, say: Callable[[str], None] = print) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code.

    Args:
        config: of the studio; port 0 takes any that is free.
        say: tells where the studio is.

    Raises:
        SettingsError: the port is taken, or the configuration cannot be used.
    """
    config, bound = _bind(config)
    with contextlib.closing(bound):
        opened = open_context(config)
        try:
            stop = beside(opened.studio)
        except BaseException:
            opened.studio.close()
            raise
        app = create_app(config, beside=lambda _: stop, opened=opened)
        for line in greeting(config):
            say(line)
        return _serve(Server(_uvicorn(app, config)), bound)


def _serve(server: Server, bound: socket.socket) -> int:
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    # uvicorn has handlers of its own while it serves; what it caught it hands to these afterward.
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        asyncio.run(server.serve(sockets=[bound]))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if not server.started:
        return 1
    return INTERRUPTED if signal.SIGINT in received else 0


def greeting(config: StudioConfig) -> list[str]:
    """Return what is said at the start: where it is, and who can reach it."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    lines = [f"text2art studio: {config.public_url or f'http://{host}:{config.port}'}"]
    if not is_local(config) and not config.public_url:
        lines.append(
            "Whoever reaches this address can draw here. Set public_url to the address by which "
            "others reach it, so that links in mails work."
        )
    if config.workers == 0 and config.runner == "local":
        lines.append("No workers are started: 'text2art studio worker' adds them.")
    return lines


def beside(studio: Studio) -> Callable[[], None]:
    """Start workers and housekeeping; return how to stop them."""
    workers = supervisor.start(studio)
    stopped = threading.Event()
    keeper = threading.Thread(target=_keep_house, args=(studio, stopped), daemon=True)
    keeper.start()

    def stop() -> None:
        stopped.set()
        workers.stop()
        keeper.join(timeout=_GRACE_SECONDS)

    return stop


def _keep_house(studio: Studio, stopped: threading.Event) -> None:
    while not stopped.wait(60.0):
        try:
            retention.clear(studio)
        except Exception:
            _log.exception("clearing away failed")
        if stopped.wait(_UPKEEP_SECONDS):
            return


def _bind(config: StudioConfig) -> tuple[StudioConfig, socket.socket]:
    if config.port:
        check_free(config.host, config.port)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            config.host, config.port, type=socket.SOCK_STREAM
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        raise SettingsError(f"cannot listen on {config.host}:{config.port}: {error}") from error
    return config.model_copy(update={"port": bound.getsockname()[1]}), bound


def _uvicorn(app: FastAPI, config: StudioConfig) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=config.host,
        port=config.port,
        log_config=None,
        log_level="warning",
        access_log=False,  # ours has the request's id and no query
        server_header=False,
        proxy_headers=bool(config.trusted_proxies),
        forwarded_allow_ips=config.trusted_proxies or None,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ws="none",
        lifespan="on",
    )
