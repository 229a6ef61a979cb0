"""What mails say, and that nothing strangers write becomes a header, a tag or an address."""

from __future__ import annotations

import email
import email.policy
import io
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from text2art.errors import InputFileError, SettingsError
from text2art.studio.mail import pictures
from text2art.studio.mail.messages import (
    LONGEST_SUBJECT,
    MOST_PICTURES,
    Attachment,
    Envelope,
    News,
    Sender,
    confirmation,
    finished,
    subject_of,
)
from text2art.studio.mail.transports import POLICY

SENDER = Sender("text2art", "studio@example.org")
ENVELOPE = Envelope(
    SENDER, "ada@example.com", "01event", 1_700_000_000.0, "https://s.example/mail/unsubscribe?t=1"
)
PAGE = "https://s.example/jobs/1"
PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 100
HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "MIME-Version",
    "Content-Type",
}


def read(message: EmailMessage) -> EmailMessage:
    """Return a mail as its receiver gets it."""
    parsed: Any = email.message_from_bytes(
        message.as_bytes(policy=POLICY), policy=email.policy.default
    )
    return parsed  # type: ignore[no-any-return]


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


class Tags(HTMLParser):
    """Takes a page apart."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_a_mail_with_everything() -> None:
    video = Attachment("apple.mp4", "video/mp4", b"v" * 50)
    item = News(
        "a red apple", PAGE, "", (PNG, "png"), (video,), (("Picture (svg)", f"{PAGE}.svg"),)
    )
    got = read(finished([item], ENVELOPE))
    assert got["Subject"] == "Your picture is ready: a red apple"
    assert got["From"] == "text2art <studio@example.org>"
    assert got["To"] == "ada@example.com"
    assert got["Message-ID"] == "<01event@example.org>"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got["List-Unsubscribe"] == "<https://s.example/mail/unsubscribe?t=1>"
    assert got["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert got["Date"].datetime.timestamp() == 1_700_000_000
    assert {name for name, _ in got.items()} == HEADERS
    for kind in ("plain", "html"):
        assert PAGE in text_of(got, kind)
        assert f"{PAGE}.svg" in text_of(got, kind)
        assert "unsubscribe" in text_of(got, kind)
    (file,) = got.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("apple.mp4", "video/mp4")
    assert file.get_content() == b"v" * 50
    image = next(part for part in got.walk() if part.get_content_type() == "image/png")
    assert image.get_content() == PNG
    assert image["Content-Disposition"].startswith("inline")
    (tag,) = [attrs for name, attrs in Tags(text_of(got, "html")).tags if name == "img"]
    assert tag["src"] == "cid:" + image["Content-ID"].strip("<>")


def test_structure_is_what_mail_programs_expect() -> None:
    item = News("a", PAGE, "", (PNG, "png"), (Attachment("a.mp4", "video/mp4", b"v"),))
    got = read(finished([item], ENVELOPE))
    assert got.get_content_type() == "multipart/mixed"
    alternative = next(got.iter_parts())
    assert alternative.get_content_type() == "multipart/alternative"
    plain, related = alternative.iter_parts()
    assert plain.get_content_type() == "text/plain"
    assert related.get_content_type() == "multipart/related"
    assert next(related.iter_parts()).get_content_type() == "text/html"


def test_one_mail_for_a_batch() -> None:
    news = [News(f"apple {n}", f"{PAGE}{n}", "", (PNG + bytes([n]), "png")) for n in range(10)]
    news[3] = News("apple 3", f"{PAGE}3", "it ran out of memory")
    got = read(finished(news, ENVELOPE))
    assert got["Subject"].startswith("9 of your 10 pictures are ready: apple 0")
    assert "it ran out of memory" in text_of(got)
    sources = [attrs["src"] for name, attrs in Tags(text_of(got, "html")).tags if name == "img"]
    assert len(sources) == len(set(sources)) == MOST_PICTURES
    ids = [f"cid:{part['Content-ID'].strip('<>')}" for part in got.walk() if part["Content-ID"]]
    assert ids == sources


@pytest.mark.parametrize(
    ("count", "failed", "title"),
    [
        (1, 0, "Your picture is ready"),
        (1, 1, "Your picture could not be drawn"),
        (3, 0, "Your 3 pictures are ready"),
        (3, 3, "0 of your 3 pictures are ready"),
    ],
)
def test_titles(count: int, failed: int, title: str) -> None:
    news = [News("x", PAGE, "broke" if n < failed else "") for n in range(count)]
    assert read(finished(news, ENVELOPE))["Subject"].startswith(title + ": x")


INJECTIONS = [
    "cat\r\nBcc: victim@example.net",
    "cat\nX-Evil: 1\n\nbody",
    "cat\rBcc: victim@example.net",
    "cat\u2028Bcc: victim@example.net",
    "cat\x85Bcc: victim@example.net",
    "cat\x0b\x0c\x1cBcc: victim@example.net",
    "cat =?utf-8?q?=0D=0ABcc:_victim@example.net?=",
    "\r\n.\r\nMAIL FROM:<evil@example.net>",
    "\ud800 \x00 \u202e",
    "x" * 5000,
    "",
]


@pytest.mark.parametrize("words", INJECTIONS)
def test_no_header_can_be_forged(words: str) -> None:
    got = read(finished([News(words, PAGE, words)], ENVELOPE))
    assert {name for name, _ in got.items()} == HEADERS
    assert got["To"] == "ada@example.com"
    assert len(got["Subject"]) <= LONGEST_SUBJECT
    assert "\n" not in str(got["Subject"])
    assert not got.defects


def test_an_address_that_would_end_its_line_is_never_written() -> None:
    # Python's header classes decode encoded words, and write what comes out (CVE-2024-6923).
    envelope = Envelope(SENDER, "=?utf-8?q?=0D=0ABcc=3Ax?=@example.com", "1", 0.0)
    try:
        written = finished([News("x", PAGE)], envelope).as_bytes(policy=POLICY)
    except ValueError:
        return
    assert b"\nBcc" not in written  # where Python has learned better


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_forges_a_header_or_a_tag(prompt: str, error: str) -> None:
    got = read(finished([News(prompt, PAGE, error, (PNG, "png"))], ENVELOPE))
    assert {name for name, _ in got.items()} == HEADERS
    plain = read(finished([News("x", PAGE, "y" if error else "", (PNG, "png"))], ENVELOPE))
    page, expected = Tags(text_of(got, "html")), Tags(text_of(plain, "html"))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in expected.tags]
    assert [set(attrs) for _, attrs in page.tags] == [set(attrs) for _, attrs in expected.tags]


SCRIPTS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</p></div></body><iframe src=//evil.example>",
    "<!-- <a href=javascript:alert(1)>",
    "&lt;script&gt;",
    "{{7*7}} ${7*7} <%= 7*7 %>",
    'cid:x" style="position:fixed',
]


@pytest.mark.parametrize("words", SCRIPTS)
def test_prompts_are_text_in_html(words: str) -> None:
    got = read(finished([News(words, PAGE, words, (PNG, "png"))], ENVELOPE))
    page = Tags(text_of(got, "html"))
    assert {tag for tag, _ in page.tags} <= {
        "html", "head", "meta", "body", "div", "h1", "a", "img", "p"
    }  # fmt: skip
    for tag, attrs in page.tags:
        assert not any(name.startswith("on") for name in attrs), tag
        for name in ("href", "src"):
            assert (attrs.get(name) or "https:").startswith(("https:", "cid:"))
    assert words in "".join(page.words)  # and still readable
    (image,) = [attrs for tag, attrs in page.tags if tag == "img"]
    assert image["alt"] == words


def test_nothing_is_loaded_from_elsewhere() -> None:
    got = read(finished([News("cat", PAGE, "", (PNG, "png"))], ENVELOPE))
    for tag, attrs in Tags(text_of(got, "html")).tags:
        assert tag not in ("script", "link", "iframe", "style")
        assert not (attrs.get("src") or "cid:").startswith("http")
        assert "url(" not in (attrs.get("style") or "")


def test_asking_for_permission() -> None:
    link = "https://s.example/mail/confirm?token=abc.def"
    got = read(confirmation(link, "https://s.example", 48, ENVELOPE))
    for kind in ("plain", "html"):
        assert link in text_of(got, kind)
        assert "48 hours" in text_of(got, kind).replace("\n", " ")
    assert got["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("text2art <studio@example.org>", "text2art", "studio@example.org"),
        ("studio@example.org", "", "studio@example.org"),
        ('"Ada, and Bob" <a@b.example>', "Ada, and Bob", "a@b.example"),
        ("Größe <a@b.example>", "Größe", "a@b.example"),
    ],
)
def test_senders(text: str, name: str, address: str) -> None:
    sender = Sender.parse(text)
    assert (sender.name, sender.address) == (name, address)
    got = read(finished([News("x", PAGE)], Envelope(sender, "ada@example.com", "1", 0.0)))
    (said,) = got["From"].addresses
    assert (said.display_name, said.addr_spec) == (name, address)


@pytest.mark.parametrize(
    "text", ["", "nobody", "a@", "@b", "x <y>", "ä@b.example", "a@b\r\nBcc: c"]
)
def test_senders_that_are_none(text: str) -> None:
    with pytest.raises(SettingsError, match="mail_from"):
        Sender.parse(text)


@given(st.text(max_size=300))
def test_subjects_are_short_lines(text: str) -> None:
    subject = subject_of(text)
    assert len(subject) <= LONGEST_SUBJECT
    assert subject.isprintable()


# ---- pictures ------------------------------------------------------------------------------------


def picture(width: int, height: int, *, noisy: bool = False) -> bytes:
    if noisy:
        levels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        image = Image.fromarray(levels)
    else:
        image = Image.new("RGB", (width, height), "red")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def test_previews_are_small_enough_whatever_the_picture() -> None:
    data, kind = pictures.preview(picture(1600, 1200, noisy=True))
    assert kind == "jpeg"
    assert len(data) <= pictures.MOST_BYTES
    assert opened(data).size == (800, 600)
    small, _ = pictures.preview(picture(1600, 1200, noisy=True), 125_000)
    assert len(small) < len(data) / 2
    data, kind = pictures.preview(picture(1600, 1200))
    assert kind == "png"


def test_pixel_art_is_enlarged_in_whole_steps() -> None:
    data, kind = pictures.preview(picture(48, 32, noisy=True))
    image = opened(data)
    assert kind == "png"
    assert image.size == (48 * 7, 32 * 7)
    original = opened(picture(48, 32, noisy=True))
    assert image.resize((48, 32), Image.Resampling.NEAREST).tobytes() == original.tobytes()
    assert np.array_equal(np.asarray(image), np.asarray(original).repeat(7, 0).repeat(7, 1))


def test_previews_hold_no_settings() -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("text2art", "secret prompt")
    file = io.BytesIO()
    Image.new("RGB", (400, 400)).save(file, "PNG", pnginfo=info)
    assert b"secret" not in pictures.preview(file.getvalue())[0]
    with pytest.raises(InputFileError):
        pictures.preview(b"no picture")
