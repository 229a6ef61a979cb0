"""A real SMTP server for tests that does as it is told."""

from __future__ import annotations

import email
import email.policy
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

Code = str | None  # an answer as "450 later", None = accepted


@dataclass
class MailServer:
    """What a test holds of a server; refusals are used up one by one."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    envelopes: list[tuple[str, list[str], bool]] = field(default_factory=list)  # ..., over TLS
    refuse_mail: list[Code] = field(default_factory=list)
    refuse_rcpt: list[Code] = field(default_factory=list)
    refuse_data: list[Code] = field(default_factory=list)
    users: list[str] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802 - named by the library
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        refusal = self.refuse_mail.pop(0) if self.refuse_mail else None
        if refusal is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return refusal or "250 OK"

    async def handle_RCPT(  # noqa: N802 - named by the library
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        refusal = self.refuse_rcpt.pop(0) if self.refuse_rcpt else None
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(  # noqa: N802 - named by the library
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        refusal = self.refuse_data.pop(0) if self.refuse_data else None
        if refusal is not None:
            return refusal
        self.raw.append(envelope.content)
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(parsed)
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos, session.ssl is not None))
        return "250 taken"

    def authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        good = (data.login, data.password) == (b"studio", b"correct horse")
        if good:
            self.users.append(data.login.decode())
        # Not "handled": else the client waits for an answer that never comes.
        return AuthResult(success=good, handled=False)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mail_server(
    port: int = 0, *, tls: ssl.SSLContext | None = None, auth: bool = False, **options: Any
) -> Iterator[MailServer]:
    """Run a server on a port of this machine; with `tls` it insists on STARTTLS."""
    server = MailServer(port or free_port())
    if tls is not None:
        options |= {"tls_context": tls, "require_starttls": True}
    if auth:
        options |= {"authenticator": server.authenticate, "auth_required": True}
    controller = Controller(server, hostname="127.0.0.1", port=server.port, **options)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
