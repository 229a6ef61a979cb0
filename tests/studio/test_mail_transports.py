"""Ways for a mail to leave, against a real SMTP server."""

from __future__ import annotations

import email
import email.policy
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme

from tests.studio.mailserver import MailServer, free_port, mail_server
from text2art.errors import SettingsError
from text2art.studio.mail.failures import Undelivered
from text2art.studio.mail.messages import Envelope, News, Sender, finished
from text2art.studio.mail.transports import (
    ConsoleTransport,
    FolderTransport,
    MailTransport,
    NullTransport,
    SmtpTransport,
)

SENDER = Sender("text2art", "studio@example.org")


def mail(prompt: str = "a red apple") -> EmailMessage:
    envelope = Envelope(SENDER, "ada@example.com", "01event", 1.7e9)
    return finished([News(prompt, "https://studio.example/jobs/1")], envelope)


def send(transport: MailTransport, message: EmailMessage | None = None) -> None:
    async def run() -> None:
        try:
            await transport.send(message or mail(), SENDER.address, "ada@example.com")
        finally:
            await anyio.sleep(0.1)  # connections say goodbye to each other

    anyio.run(run)


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


def plain(server: MailServer, **options: Any) -> SmtpTransport:
    return SmtpTransport("127.0.0.1", server.port, security="none", seconds=5, **options)


def test_a_mail_arrives_as_it_was_written(server: MailServer) -> None:
    words = "Ein roter Apfel, 赤いリンゴ 🍎\n.\n.. From here"
    send(plain(server), mail(words))
    (got,) = server.mails
    assert server.envelopes == [("studio@example.org", ["ada@example.com"], False)]
    assert got["Message-ID"] == "<01event@example.org>"
    assert "赤いリンゴ" in str(got["Subject"])
    body = got.get_body(("plain",))
    assert body is not None
    assert "赤いリンゴ 🍎 . .. From here" in body.get_content()
    assert all(byte < 128 for byte in server.raw[0])  # no server on the way has to be modern
    assert max(map(len, server.raw[0].split(b"\r\n"))) <= 998


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_side(authority: trustme.CA, host: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_starttls_and_sign_in(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    with mail_server(tls=server_side(authority), auth=True) as server:
        transport = SmtpTransport(
            "127.0.0.1", server.port, user="studio", password="correct horse", tls=trusting
        )
        send(transport)
        assert server.envelopes[0][2]
        assert server.users == ["studio"]

        wrong = SmtpTransport(
            "127.0.0.1", server.port, user="studio", password="battery", tls=trusting
        )
        with pytest.raises(Undelivered, match="535") as caught:
            send(wrong)
        assert not caught.value.final  # the owner can mend it, the mail is not to blame
        assert "battery" not in str(caught.value)


def test_no_certificate_no_mail(authority: trustme.CA) -> None:
    with mail_server(tls=server_side(authority), auth=True) as server:
        transport = SmtpTransport("127.0.0.1", server.port, user="studio", password="correct horse")
        with pytest.raises(Undelivered, match="cannot be used") as caught:
            send(transport)
        assert not caught.value.final
        assert server.users == []
    assert server.mails == []


def test_a_server_without_encryption_gets_nothing(server: MailServer) -> None:
    transport = SmtpTransport("127.0.0.1", server.port, security="starttls")
    with pytest.raises(Undelivered) as caught:
        send(transport)
    assert not caught.value.final
    assert server.mails == []


def test_passwords_never_travel_in_the_clear() -> None:
    with pytest.raises(SettingsError, match="in the clear"):
        SmtpTransport("mail.example.org", 25, security="none", user="a", password="b")


@pytest.mark.parametrize("where", ["refuse_mail", "refuse_rcpt", "refuse_data"])
@pytest.mark.parametrize(
    ("answer", "final", "too_large"),
    [
        ("450 mailbox busy", False, False),
        ("451 try later", False, False),
        ("452 full for now", False, False),
        ("421 going down", False, False),
        ("550 no such user <ada@example.com>, says ada@example.com", True, False),
        ("553 not allowed", True, False),
        ("552 too large", True, True),
        ("554 no", True, True),
        ("530 sign in first", False, False),
    ],
)
def test_refusals(
    server: MailServer, where: str, answer: str, final: bool, too_large: bool
) -> None:
    getattr(server, where).append(answer)
    with pytest.raises(Undelivered, match=answer[:3]) as caught:
        send(plain(server))
    assert (caught.value.final, caught.value.too_large) == (final, too_large)
    assert "ada" not in str(caught.value)
    assert "\n" not in str(caught.value)
    send(plain(server))  # the next one is taken
    assert len(server.mails) == 1


def test_a_server_that_announces_a_size() -> None:
    with mail_server(data_size_limit=500) as server:
        with pytest.raises(Undelivered, match="552") as caught:
            send(plain(server))
        assert caught.value.too_large
        assert server.mails == []


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(Undelivered, match="cannot be used") as caught:
        send(SmtpTransport("127.0.0.1", free_port(), security="none", seconds=2))
    assert not caught.value.final


def test_a_server_that_says_nothing() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(Undelivered, match="cannot be used") as caught:
            send(SmtpTransport("127.0.0.1", port, security="none", seconds=0.3))
    assert not caught.value.final


def test_a_folder_holds_a_file_for_each_event(tmp_path: Path) -> None:
    transport = FolderTransport(tmp_path / "mail")
    send(transport)
    send(transport)
    (path,) = (tmp_path / "mail").iterdir()
    assert path.name == "01event.eml"
    got = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert got["To"] == "ada@example.com"
    (tmp_path / "file").write_text("")
    with pytest.raises(Undelivered) as caught:
        send(FolderTransport(tmp_path / "file"))
    assert not caught.value.final


def test_the_console_shows_words_only() -> None:
    said: list[str] = []
    send(ConsoleTransport(said.append), mail("a red\x1b[2J apple"))
    assert "a red" in said[0]
    assert "\x1b" not in said[0]
    assert "<html" not in said[0]
    send(NullTransport())
