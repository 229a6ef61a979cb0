"""A real HTTP server for tests that does as it is told, over TLS if wished."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Heard:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Reply = Callable[[BaseHTTPRequestHandler], None]


def says(status: int, body: bytes = b"", **headers: str) -> Reply:
    """Answer with a status, a body, headers (`retry_after="7"`)."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if not any(name.lower() == "content_length" for name in headers):
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return reply


def hangs(seconds: float = 30) -> Reply:
    """Answer nothing for a while, or until the sink is closed."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.server.closing.wait(seconds)  # type: ignore[attr-defined]

    return reply


def drips(each: float = 0.05) -> Reply:
    """Begin an answer and send a byte now and then, for ever."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not handler.server.closing.wait(each):  # type: ignore[attr-defined]
            handler.wfile.write(b".")

    return reply


def hangs_up(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


@dataclass
class Sink:
    """What a test holds of a running server; `replies` are used up one by one, the last stays."""

    port: int
    replies: list[Reply] = field(default_factory=lambda: [says(204)])
    heard: list[Heard] = field(default_factory=list)
    sni: list[str | None] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def url(self, path: str = "/", host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@contextmanager
def http_sink(tls: ssl.SSLContext | None = None) -> Iterator[Sink]:
    """Run a sink on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def _heard(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with sink.lock:
                sink.heard.append(Heard(self.command, self.path, headers, body))
                reply = sink.replies.pop(0) if len(sink.replies) > 1 else sink.replies[0]
            reply(self)

        do_GET = do_POST = _heard  # noqa: N815 - named by the library

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128  # else connections are refused when many come at once
        block_on_close = False
        closing = threading.Event()

        def handle_error(self, *args: Any) -> None:
            """Clients that hang up are part of the tests."""

    server = Server(("127.0.0.1", 0), Handler)
    server.closing = threading.Event()
    sink = Sink(server.server_address[1])
    if tls is not None:
        tls.sni_callback = lambda _socket, name, _context: sink.sni.append(name)
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
