"""What mails say. Whatever strangers wrote (prompts, errors) stands in their bodies as plain text.

Headers hold nothing of theirs but the subject, cleaned and clipped; so no header can be forged, and
the HTML part holds escaped text only, no script, no style sheet and nothing from elsewhere.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default as DEFAULT_POLICY
from email.utils import format_datetime, parseaddr

from text2art.errors import SettingsError
from text2art.studio.mail.failures import one_line
from text2art.studio.mail.transports import POLICY

LONGEST_SUBJECT = 78  # characters, RFC 5322 section 2.1.1
LONGEST_PROMPT = 1000  # characters in the body
MOST_PICTURES = 8  # shown in one mail
_BODY = "margin:0;padding:24px;background:#f4f4f2;color:#222;font:16px/1.5 sans-serif"
_CARD = "max-width:640px;margin:0 auto;background:#fff;padding:24px;border-radius:8px"
_BUTTON = (
    "display:inline-block;padding:10px 18px;background:#2f5bd7;color:#fff;"
    "border-radius:6px;text-decoration:none"
)
_SMALL = "max-width:640px;margin:16px auto 0;color:#777;font-size:13px"


@dataclass(frozen=True)
class Sender:
    """Who mails come from.

    Attributes:
        name: shown name, may be empty.
        address: bare address, in ASCII.
    """

    name: str
    address: str

    @classmethod
    def parse(cls, text: str) -> Sender:
        """Read "text2art <studio@example.org>".

        Raises:
            SettingsError: it holds no address.
        """
        name, address = parseaddr(text)
        local, at, domain = address.rpartition("@")
        if not (at and local and domain) or not address.isascii() or not text.isprintable():
            raise SettingsError(
                f"mail_from {text!r} holds no address: write it as text2art <studio@example.org>"
            )
        return cls(name, address)

    @property
    def domain(self) -> str:
        """The part of the address behind the @."""
        return self.address.rpartition("@")[2]


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a mail."""

    name: str
    kind: str  # as image/png
    data: bytes


@dataclass(frozen=True)
class News:
    """What is said of one job.

    Attributes:
        prompt: as its owner wrote it.
        page: address of its page.
        error: why there is no picture, "" where there is one.
        preview: picture and its kind (png, jpeg), shown in the mail.
        attachments: files that go with it.
        links: what can be fetched instead, as (label, address).
    """

    prompt: str
    page: str
    error: str = ""
    preview: tuple[bytes, str] | None = None
    attachments: tuple[Attachment, ...] = ()
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Envelope:
    """What all mails have in common.

    Attributes:
        event_id: of the event; the Message-ID is made of it, so a mail that is sent twice is seen
            to be one.
        when: seconds since 1970.
        unsubscribe: one-click address.
    """

    sender: Sender
    recipient: str
    event_id: str
    when: float
    unsubscribe: str = field(default="")


def finished(news: Sequence[News], envelope: Envelope) -> EmailMessage:
    """Write the mail about one or several jobs that have ended."""
    pictures = sum(not item.error for item in news)
    title = _title(len(news), pictures)
    message = _message(f"{title}: {' '.join(news[0].prompt.split())}", envelope)
    message.set_content("\n".join([title + ".", "", *map(_plain, news), _plain_foot(envelope)]))
    shown = [item for item in news if item.preview is not None][:MOST_PICTURES]
    cids = {
        id(item): f"{envelope.event_id}.{n}@{envelope.sender.domain}"
        for n, item in enumerate(shown)
    }
    blocks = "".join(_block(item, cids.get(id(item))) for item in news)
    _add_html(
        message, f'<h1 style="font-size:20px;margin:0 0 12px">{_text(title)}</h1>{blocks}', envelope
    )
    page = message.get_body(("html",))
    assert page is not None
    for item in shown:
        assert item.preview is not None
        data, kind = item.preview
        page.add_related(data, "image", kind, cid=f"<{cids[id(item)]}>", disposition="inline")
    for item in news:
        for file in item.attachments:
            main, _, sub = file.kind.partition("/")
            message.add_attachment(file.data, main, sub, filename=file.name)
    return message


def confirmation(link: str, site: str, hours: int, envelope: Envelope) -> EmailMessage:
    """Write the mail that asks whether an address may be written to."""
    message = _message("May we send you your pictures?", envelope)
    asked = (
        f"Somebody, you we hope, asked {site} to send pictures to this address when they are "
        "finished."
    )
    otherwise = (
        f"If it was not you, do nothing: no further mail will come. The link works for {hours} "
        "hours."
    )
    message.set_content(
        f"{asked}\n\nTo allow it, open this page:\n\n{link}\n\n{otherwise}\n{_plain_foot(envelope)}"
    )
    _add_html(
        message,
        f'<p>{_text(asked)}</p><p><a style="{_BUTTON}" href="{_text(link)}">Yes, send them</a>'
        f"</p><p>{_text(otherwise)}</p>",
        envelope,
    )
    return message


def subject_of(text: str) -> str:
    """Return a text as the subject of a mail: one line, clipped.

    What looks like an encoded word (RFC 2047) is broken up: Python's header classes would decode
    it, and write what comes out, line ends included (CVE-2024-6923).
    """
    return one_line(one_line(text, 2 * LONGEST_SUBJECT).replace("=?", "= ?"), LONGEST_SUBJECT)


# ---- parts -----------------------------------------------------------------------------------


def _message(subject: str, envelope: Envelope) -> EmailMessage:
    message = EmailMessage(policy=POLICY)
    sender = envelope.sender
    local, _, domain = envelope.recipient.rpartition("@")
    message["From"] = Address(sender.name, *sender.address.rsplit("@", 1))
    message["To"] = Address("", local, domain)
    message["Subject"] = subject_of(subject)
    when = datetime.fromtimestamp(envelope.when, timezone.utc)
    message["Date"] = format_datetime(when)
    message["Message-ID"] = f"<{envelope.event_id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no replies by machines, please
    message["X-Auto-Response-Suppress"] = "All"
    if envelope.unsubscribe:
        message["List-Unsubscribe"] = f"<{envelope.unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    _require_no_more(message)
    return message


def _require_no_more(message: EmailMessage) -> None:
    """Make sure that the headers, once written, are those that were set and no others."""
    written = message_from_bytes(message.as_bytes(policy=POLICY), policy=DEFAULT_POLICY)
    if list(written.keys()) != list(message.keys()):
        raise ValueError("a header of the mail would end its line")


def _title(jobs: int, pictures: int) -> str:
    if jobs == 1:
        return "Your picture is ready" if pictures else "Your picture could not be drawn"
    if pictures == jobs:
        return f"Your {jobs} pictures are ready"
    return f"{pictures} of your {jobs} pictures are ready"


def _prompt(text: str) -> str:
    return one_line(text, LONGEST_PROMPT)


def _plain(item: News) -> str:
    lines = [_prompt(item.prompt), item.page]
    if item.error:
        lines.append(f"There is no picture: {one_line(item.error, 500)}")
    lines += [f"{label}: {address}" for label, address in item.links]
    return "\n".join([*lines, ""])


def _plain_foot(envelope: Envelope) -> str:
    if not envelope.unsubscribe:
        return ""
    return f"--\nNo more mail from here: {envelope.unsubscribe}\n"


def _block(item: News, cid: str | None) -> str:
    page = _text(item.page)
    parts = [f'<p style="margin:12px 0">{_text(_prompt(item.prompt))}</p>']
    if cid is not None:
        parts.insert(
            0,
            f'<a href="{page}"><img src="cid:{_text(cid)}" alt="{_text(_prompt(item.prompt))}" '
            'style="max-width:100%;height:auto;border:0"></a>',
        )
    if item.error:
        parts.append(f"<p>There is no picture: {_text(one_line(item.error, 500))}</p>")
    links = [("Open it", item.page), *item.links]
    first, rest = links[0], links[1:]
    parts.append(f'<p><a style="{_BUTTON}" href="{_text(first[1])}">{_text(first[0])}</a>')
    parts += [f' &nbsp; <a href="{_text(address)}">{_text(label)}</a>' for label, address in rest]
    return "".join([*parts, "</p>"])


def _add_html(message: EmailMessage, content: str, envelope: Envelope) -> None:
    foot = ""
    if envelope.unsubscribe:
        foot = (
            f'<div style="{_SMALL}"><a style="color:#777" '
            f'href="{_text(envelope.unsubscribe)}">No more mail from here</a></div>'
        )
    message.add_alternative(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"></head>'
        f'<body style="{_BODY}"><div style="{_CARD}">{content}</div>{foot}</body></html>',
        subtype="html",
    )


def _text(text: str) -> str:
    return html.escape(text, quote=True)
