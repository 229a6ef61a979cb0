"""Who may be written to: double opt-in, the owner's list, and being left alone."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from tests.studio.tools import Bench
from text2art.errors import SettingsError
from text2art.studio.db.tables import emails, outbox, settings_kv
from text2art.studio.mail import addresses
from text2art.studio.mail.addresses import AddressBook, Registered, parse_address
from text2art.studio.ratelimit import TooMany

ADA = "Ada@Example.COM"


class Book:
    """An address book on a database, each act in a transaction."""

    def __init__(self, engine: Engine, secret: bytes = b"s", allow: tuple[str, ...] = ()) -> None:
        self.engine, self.book = engine, AddressBook(secret, allow)
        for name in ("ann", "bob"):
            Bench(engine).owner(name)

    def __call__(self, act: str, *arguments: Any) -> Any:
        with self.engine.begin() as connection:
            return getattr(self.book, act)(connection, *arguments)

    def rows(self, table: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(select(table)))

    def token(self, email_id: str) -> str:
        address, token = self("asked", email_id)
        assert "@" in address
        return str(token)


@pytest.fixture
def book(engine: Engine) -> Book:
    return Book(engine)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ada@example.org", "ada@example.org"),
        (" Ada.Lovelace+art@Example.ORG ", "Ada.Lovelace+art@example.org"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("a!#$%&'*+/?=^_`{|}~-b@example.org", "a!#$%&'*+/?=^_`{|}~-b@example.org"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "ada@localhost",
        "ada@example",
        "ada@127.0.0.1",
        "ada@[127.0.0.1]",
        "ada@exa mple.org",
        "ada@-example.org",
        "ada@example..org",
        "ada..b@example.org",
        ".ada@example.org",
        '"ada b"@example.org',
        "Ada <ada@example.org>",
        "ada@example.org, bob@example.org",
        "ada@example.org;bob@example.org",
        "ada(comment)@example.org",
        "ada@example.org\r\nBcc: bob@example.org",
        "ada\n@example.org",
        "ada@example.org\0",
        "ada@exam\u200bple.org",
        "ädä@example.org",
        "=?utf-8?q?=0D=0ABcc=3Ax?=@example.com",
        "<script>@example.org",
        "a" * 65 + "@example.org",
        "ada@" + "a." * 130 + "org",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_address(text)
    assert str(caught.value).isprintable()


@given(st.text(max_size=40) | st.from_regex(r"[ -~]{1,10}@[ -~]{1,20}", fullmatch=True))
def test_no_text_breaks_the_reader_of_addresses(text: str) -> None:
    try:
        address = parse_address(text)
    except SettingsError:
        return
    assert parse_address(address) == address
    assert address.isascii()
    assert not set(address) & set(' \r\n\t<>,;:"()[]\\')


def test_an_address_is_asked_before_anything_goes_to_it(book: Book) -> None:
    registered = book("register", "ann", ADA)
    assert not registered.confirmed
    assert book("recipient", registered.id) is None
    assert book("may_still_agree", registered.id)
    (mail,) = book.rows(outbox)
    assert (mail.kind, mail.target, mail.payload) == ("mail", registered.id, {"confirm": True})

    token = book.token(registered.id)
    assert book("confirm", token) == registered.id
    assert book("recipient", registered.id) == "Ada@example.com"
    assert book("confirm", token) == registered.id  # a second click is no error
    assert book("register", "ann", ADA) == Registered(registered.id, confirmed=True)
    assert len(book.rows(outbox)) == 1


def test_no_token_lies_in_the_database(book: Book) -> None:
    registered = book("register", "ann", ADA)
    tokens = book.token(registered.id), book.book.unsubscribe_token(registered.id)
    everything = repr([book.rows(table) for table in (emails, outbox, settings_kv)])
    for token in tokens:
        assert token not in everything
        assert token.partition(".")[2] not in everything
    book("leave_alone", tokens[1])
    assert "example.com" not in repr(book.rows(settings_kv))


@pytest.mark.parametrize(
    "change",
    [
        lambda token: "",
        lambda token: token + "x",
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token.upper(),
        lambda token: token.partition(".")[0],
        lambda token: "0" * 26 + "." + token.partition(".")[2],
        lambda token: "\udfff" * 70,
    ],
)
def test_forged_tokens_do_nothing(book: Book, change: Any) -> None:
    registered = book("register", "ann", ADA)
    forged = change(book.token(registered.id))
    assert book("confirm", forged) is None
    assert not book("leave_alone", change(book.book.unsubscribe_token(registered.id)))
    assert book("recipient", registered.id) is None


def test_a_token_is_for_one_thing_one_row_and_one_secret(book: Book, engine: Engine) -> None:
    first, second = book("register", "ann", ADA), book("register", "bob", "bob@example.com")
    assert book("confirm", book.book.unsubscribe_token(first.id)) is None
    assert not book("leave_alone", book.token(first.id))
    other = Book(engine, b"other")
    assert other("confirm", other.book._confirm_token(first.id, 1e12)) is None
    crossed = second.id + "." + book.token(first.id).partition(".")[2]
    assert book("confirm", crossed) is None


def test_tokens_end(book: Book, engine: Engine) -> None:
    registered = book("register", "ann", ADA)
    token = book.token(registered.id)
    with engine.begin() as connection:
        connection.execute(update(emails).values(token_until=1.0))
    assert book("confirm", token) is None
    assert book("asked", registered.id) is None
    assert not book("may_still_agree", registered.id)


def test_the_owner_of_the_studio_may_allow_addresses(engine: Engine) -> None:
    book = Book(engine, allow=("ada@example.com", "@Example.ORG"))
    for text, allowed in (
        ("ADA@example.com", True),
        ("bob@example.org", True),
        ("bob@sub.example.org", False),
        ("bob@notexample.org", False),
        ("eve@example.com", False),
    ):
        assert book("register", "ann", text).confirmed == allowed
    assert len(book.rows(outbox)) == 3


def test_nobody_can_be_flooded_with_questions(book: Book, engine: Engine) -> None:
    for number in range(12):  # from ever new sessions, in ever new spellings
        owner = Bench(engine).owner(f"eve{number}")
        local = ("victim", "Victim", f"victim+{number}", "vic.tim")[number % 4]
        if number < 3:
            book("register", owner, f"{local}@example.com")
            continue
        with pytest.raises(TooMany) as caught:
            book("register", owner, f"{local}@example.com")
        assert caught.value.retry_after > 3600
    assert len(book.rows(outbox)) == addresses.ASKED_PER_ADDRESS.burst == 3


def test_nobody_can_ask_many(book: Book) -> None:
    with pytest.raises(TooMany):
        for number in range(100):
            book("register", "ann", f"victim{number}@example.com")
    assert len(book.rows(outbox)) == addresses.ASKED_PER_OWNER.burst
    assert len(book.rows(emails)) == addresses.ASKED_PER_OWNER.burst  # what failed left nothing


def test_asking_again_while_the_question_is_under_way_sends_nothing(book: Book) -> None:
    first = book("register", "ann", ADA)
    assert book("register", "ann", "Ada@example.com") == first
    assert len(book.rows(outbox)) == 1


def test_a_lost_question_is_asked_again(book: Book, engine: Engine) -> None:
    first = book("register", "ann", ADA)
    token = book.token(first.id)
    with engine.begin() as connection:
        connection.execute(update(outbox).values(state="sent", created=1.0))
    assert book("register", "ann", ADA) == first
    assert len(book.rows(outbox)) == 2
    assert book("confirm", token) is None  # only the latest counts
    assert book("confirm", book.token(first.id)) == first.id


def test_being_left_alone_is_for_everybody_and_for_good(book: Book) -> None:
    mine, hers = book("register", "ann", ADA), book("register", "bob", ADA)
    book("confirm", book.token(mine.id))
    token = book.book.unsubscribe_token(hers.id)
    pending = book.token(hers.id)
    assert book("leave_alone", token)
    assert book("leave_alone", token)
    assert book("recipient", mine.id) is None
    assert book("asked", hers.id) is None
    assert book("confirm", pending) is None
    with pytest.raises(SettingsError, match="wants mail"):
        book("register", "ann", "ADA@example.com")
    assert book("write_again", token)
    assert not book("register", "ann", ADA).confirmed


def test_waiting_mail_goes_out_with_the_confirmation(book: Book, engine: Engine) -> None:
    registered = book("register", "ann", ADA)
    with engine.begin() as connection:
        connection.execute(update(outbox).values(not_before=9e9))
    book("confirm", book.token(registered.id))
    assert book.rows(outbox)[0].not_before < 5e9


def test_an_owner_has_room_for_some_addresses(
    book: Book, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "MOST_ADDRESSES", 2)
    first = book("register", "ann", "a@example.com")
    book("confirm", book.token(first.id))
    book("register", "ann", "b@example.com")
    book("register", "ann", "c@example.com")  # b was not confirmed, and is forgotten
    assert {row.address for row in book.rows(emails)} == {"a@example.com", "c@example.com"}
    with engine.begin() as connection:
        connection.execute(update(emails).values(confirmed=1.0))
    with pytest.raises(SettingsError, match="at most 2"):
        book("register", "ann", "d@example.com")


def test_addresses_are_not_logged(book: Book, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    registered = book("register", "ann", ADA)
    book("confirm", book.token(registered.id))
    ours = [record for record in caplog.records if record.name.startswith("text2art")]
    assert not any("example" in record.getMessage().lower() for record in ours)
