"""Ways for a mail to leave: an SMTP server, the console, a folder, or nowhere."""

from __future__ import annotations

import re
import ssl
import sys
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path
from typing import Literal, Protocol

import aiosmtplib
import anyio

from text2art.errors import SettingsError
from text2art.media.files import write_bytes
from text2art.studio.mail.failures import Undelivered, one_line

Security = Literal["starttls", "tls", "none"]

# Mails are written in 7-bit characters, which every server on the way takes.
POLICY = SMTP_POLICY.clone(cte_type="7bit", max_line_length=78)
_SERVERS_FAULT = (421, 432, 454, 530, 534, 535, 538)  # sign-in and such: the owner can mend it
_TOO_LARGE = (552, 554, 523)  # RFC 1870, and what servers answer instead
_ANGLED = re.compile(r"[^\s<>\"',;:()]+@[^\s<>\"',;:()]+")
_STEP_SECONDS = 30.0  # for each exchange with the server


class MailTransport(Protocol):
    """What `outbox` needs of a way out."""

    async def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Hand a mail over.

        Args:
            message: complete, built with `POLICY`.
            sender: bare address for the envelope.
            recipient: bare address for the envelope.

        Raises:
            Undelivered: it was not taken.
        """


class SmtpTransport:
    """Hands mails to an SMTP server, one connection each.

    With "starttls" a server that does not offer encryption gets nothing: no silent downgrade.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        security: Security = "starttls",
        user: str = "",
        password: str = "",
        tls: ssl.SSLContext | None = None,
        seconds: float = _STEP_SECONDS,
    ) -> None:
        """Name the server.

        Args:
            host: name or address of the server.
            port: 587 for "starttls", 465 for "tls", as a rule.
            security: how the connection is encrypted.
            user: to sign in as; empty: no sign-in.
            password: of the user.
            tls: default: certificates of the public authorities.
            seconds: for each exchange with the server.

        Raises:
            SettingsError: a password would travel in the clear.
        """
        if user and security == "none" and not _is_this_machine(host):
            raise SettingsError(
                "mail_user: with mail_security none the password would travel in the clear; "
                "use starttls or tls"
            )
        self._host, self._port, self._security = host, port, security
        self._user, self._password, self._tls, self._seconds = user, password, tls, seconds

    async def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Hand a mail over."""
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            use_tls=self._security == "tls",
            start_tls=self._security == "starttls",
            username=self._user or None,
            password=self._password if self._user else None,
            local_hostname=sender.rpartition("@")[2] or "localhost",
            tls_context=self._tls,
            timeout=self._seconds,
        )
        try:
            async with client:
                await client.sendmail(sender, [recipient], message.as_bytes(policy=POLICY))
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refused(error.recipients[0]) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error) from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            reason = f"the mail server cannot be used: {_scrubbed(error) or type(error).__name__}"
            raise Undelivered(reason, final=False) from error


class FolderTransport:
    """Writes each mail as an .eml file, for trying out and for other programs to take on.

    A mail that is sent again replaces its file: the name is made of its Message-ID.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Write a mail."""
        name = re.sub(r"[^A-Za-z0-9]+", "-", str(message["Message-ID"]).partition("@")[0])
        path = self._folder / f"{name.strip('-')[:80] or 'mail'}.eml"
        data = message.as_bytes(policy=POLICY)
        try:
            await anyio.to_thread.run_sync(write_bytes, path, data)
        except Exception as error:
            raise Undelivered(
                f"the mail cannot be written: {one_line(error)}", final=False
            ) from error


class ConsoleTransport:
    """Prints mails, their attachments left out, for trying out."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write

    async def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Print a mail."""
        text = message.get_body(("plain",))
        parts = [part.get_filename() or "" for part in message.iter_attachments()]
        lines = [f"{name}: {message[name]}" for name in ("From", "To", "Subject", "Message-ID")]
        lines += [f"Attached: {name}" for name in parts if name]
        content = text.get_content() if text is not None else ""
        (self._write or sys.stdout.write)("\n".join([*lines, "", content, ""]))


class NullTransport:
    """Takes every mail and sends none."""

    async def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Forget a mail."""


def _refused(error: aiosmtplib.SMTPResponseException) -> Undelivered:
    """Judge a server's refusal: 4xx may pass later, 5xx will not (RFC 5321 section 4.2.1)."""
    code = int(error.code)
    final = 500 <= code < 600 and code not in _SERVERS_FAULT
    said = _scrubbed(error.message)
    return Undelivered(
        f"the mail server says {code}{': ' if said else ''}{said}",
        final=final,
        too_large=code in _TOO_LARGE,
    )


def _scrubbed(text: object) -> str:
    """Return a server's words without addresses, which servers like to repeat."""
    return one_line(_ANGLED.sub("(address)", str(text)))


def _is_this_machine(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
