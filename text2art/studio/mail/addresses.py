"""Who may be written to: addresses that their owners confirmed, or the studio's owner allowed.

A form with an address is a mail cannon unless somebody at that address said yes. So an address
gets at most a few mails that ask, and nothing else until a link in one of them was followed (double
opt-in). Whoever wants no mail at all is left alone for good. Addresses are shown nowhere: jobs name
the row's id, logs name neither.

The token of a link is made of the studio's secret and the row; the database holds only its hash.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from text2art.errors import SettingsError
from text2art.studio.db.engine import now
from text2art.studio.db.tables import emails, outbox, settings_kv
from text2art.studio.db.wake import OUTBOX, notify
from text2art.studio.ids import is_id, new_id
from text2art.studio.ratelimit import Limit, take, too_many

CONFIRM_SECONDS = 48 * 3600.0  # that a link in a mail works
MOST_ADDRESSES = 20  # of one owner
ASKED_PER_ADDRESS = Limit.per(24 * 3600, 3)  # mails that ask, whoever wants them sent
ASKED_PER_OWNER = Limit.per(24 * 3600, 10)
ASKED_ALTOGETHER = Limit.per(3600, 200)
_LONGEST = 254  # characters, RFC 5321 section 4.5.3.1
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z")
_TOKEN = re.compile(r"([0-9a-z]{26})\.([A-Za-z0-9_-]{43})\Z")


@dataclass(frozen=True)
class Registered:
    """An address that somebody wants pictures sent to.

    Attributes:
        id: what jobs name it by.
        confirmed: whether it may be written to; else a mail that asks is under way.
    """

    id: str
    confirmed: bool


def parse_address(text: str) -> str:
    """Return a bare address: its domain in lower case and ASCII.

    Quoted local parts, comments, display names, several addresses, addresses in brackets and
    domains of one label are refused; so is whatever could end a header's line.

    Raises:
        SettingsError: it is no such address.
    """
    given = text.strip(" ")
    local, at, domain = given.rpartition("@")
    if at and not domain.isascii():
        try:
            domain = domain.encode("idna").decode()
        except UnicodeError:
            domain = ""
    labels = domain.lower().split(".")
    good = (
        len(given) <= _LONGEST
        and given.isprintable()
        and len(local) <= 64
        and _LOCAL.match(local)
        and "=?" not in local  # an encoded word, which header classes decode
        and len(labels) > 1
        and all(_LABEL.match(label) for label in labels)
        and not labels[-1].isdigit()
        and len(local) + 1 + len(domain) <= _LONGEST
    )
    if not good:
        shown = "".join(c if c.isprintable() else " " for c in given[:80])
        raise SettingsError(f"{shown!r} is no e-mail address: write one, as ada@example.org")
    return f"{local}@{domain.lower()}"


class AddressBook:
    """All acts on addresses; each is part of the caller's transaction."""

    def __init__(self, secret: bytes, allow: Sequence[str] = ()) -> None:
        """Set the rules.

        Args:
            secret: of the studio; whoever knows it can confirm any address.
            allow: addresses, or domains as "@example.org", that need no confirmation.
        """
        self._secret = hmac.digest(secret, b"text2art mail", "sha256")
        self._allow = frozenset(entry.strip().lower() for entry in allow)

    def register(self, connection: Connection, owner_id: str, text: str) -> Registered:
        """Take down an address for an owner's jobs; where needed, ask it whether it agrees.

        Raises:
            SettingsError: it is no address, or wants no mail.
            TooMany: it was asked too often of late.
        """
        address = parse_address(text)
        if self._is_left_alone(connection, address):
            raise SettingsError("nobody at this address wants mail from here")
        mine = select(emails).where(emails.c.owner_id == owner_id, emails.c.address == address)
        row = connection.execute(mine).one_or_none()
        when = now(connection)
        if row is None:
            self._make_room(connection, owner_id)
            new = {"id": new_id(when), "owner_id": owner_id, "address": address, "created": when}
            connection.execute(insert(emails).values(new))
            row = connection.execute(mine).one()
        if row.confirmed is not None:
            return Registered(row.id, confirmed=True)
        if self._is_allowed(address):
            self._set(connection, row.id, confirmed=when, token_sha256=None, token_until=None)
            return Registered(row.id, confirmed=True)
        if not self._is_being_asked(connection, row, when):
            self._ask(connection, row, when)
        return Registered(row.id, confirmed=False)

    def confirm(self, connection: Connection, token: str) -> str | None:
        """Let an address be written to; return its id, None where the token is not good.

        Call it for a POST only: mail scanners follow every link. What waited for it goes out now.
        """
        row = self._row_of(connection, token)
        when = now(connection)
        if row is None or row.token_sha256 is None or (row.token_until or 0.0) < when:
            return None
        if not hmac.compare_digest(row.token_sha256, _sha256(token)):
            return None
        # The token keeps working while it lasts, so that a second click is no error.
        self._set(connection, row.id, confirmed=row.confirmed or when)
        waits = (outbox.c.kind == "mail") & (outbox.c.target == row.id)
        connection.execute(
            update(outbox).where(waits, outbox.c.state == "waiting").values(not_before=when)
        )
        notify(connection, OUTBOX)
        return str(row.id)

    def leave_alone(self, connection: Connection, token: str) -> bool:
        """Never write to an address again, whoever asks; return whether the token is good."""
        row = self._row_of(connection, token)
        if row is None or not hmac.compare_digest(self.unsubscribe_token(row.id), token):
            return False
        key = self._left_alone_key(row.address)
        connection.execute(delete(settings_kv).where(settings_kv.c.key == key))
        connection.execute(insert(settings_kv).values(key=key, value=now(connection)))
        same = emails.c.address == row.address
        connection.execute(
            update(emails).where(same).values(confirmed=None, token_sha256=None, token_until=None)
        )
        return True

    def write_again(self, connection: Connection, token: str) -> bool:
        """Take `leave_alone` back, by the same token; the address has to be confirmed anew."""
        row = self._row_of(connection, token)
        if row is None or not hmac.compare_digest(self.unsubscribe_token(row.id), token):
            return False
        key = self._left_alone_key(row.address)
        connection.execute(delete(settings_kv).where(settings_kv.c.key == key))
        return True

    def recipient(self, connection: Connection, email_id: str) -> str | None:
        """Return the address of a row if it may be written to by now."""
        row = connection.execute(select(emails).where(emails.c.id == email_id)).one_or_none()
        if row is None or row.confirmed is None or self._is_left_alone(connection, row.address):
            return None
        return str(row.address)

    def asked(self, connection: Connection, email_id: str) -> tuple[str, str] | None:
        """Return address and token for the mail that asks; None when it is not to be asked."""
        row = connection.execute(select(emails).where(emails.c.id == email_id)).one_or_none()
        if row is None or row.confirmed is not None or row.token_until is None:
            return None
        if row.token_until < now(connection) or self._is_left_alone(connection, row.address):
            return None
        return str(row.address), self._confirm_token(row.id, row.token_until)

    def may_still_agree(self, connection: Connection, email_id: str) -> bool:
        """Whether an address that was asked may still be confirmed by the link it was sent."""
        row = connection.execute(select(emails).where(emails.c.id == email_id)).one_or_none()
        return row is not None and (row.token_until or 0.0) > now(connection)

    def unsubscribe_token(self, email_id: str) -> str:
        """Return the token to be left alone; it never ends."""
        return self._token(email_id, "unsubscribe")

    # ---- inside --------------------------------------------------------------------------------

    def _ask(self, connection: Connection, row: Row[Any], when: float) -> None:
        # One bucket for all that reaches the same person: tags and dots may not matter there.
        local, _, domain = row.address.lower().rpartition("@")
        person = f"{local.partition('+')[0].replace('.', '')}@{domain}"
        buckets = (
            ("mail-ask:" + self._hash(person), ASKED_PER_ADDRESS),
            ("mail-ask-by:" + row.owner_id, ASKED_PER_OWNER),
            ("mail-ask", ASKED_ALTOGETHER),
        )
        for key, limit in buckets:
            wait = take(connection, key, limit)
            if wait > 0:
                raise too_many("mails that ask for permission", wait)
        until = when + CONFIRM_SECONDS
        self._set(
            connection,
            row.id,
            token_until=until,
            token_sha256=_sha256(self._confirm_token(row.id, until)),
            asked=row.asked + 1,
        )
        connection.execute(
            insert(outbox).values(
                id=new_id(when),
                kind="mail",
                target=row.id,
                payload={"confirm": True},
                created=when,
                not_before=when,
            )
        )
        notify(connection, OUTBOX)

    def _is_being_asked(self, connection: Connection, row: Row[Any], when: float) -> bool:
        """Whether a mail that asks is still under way, or went out a short while ago."""
        if (row.token_until or 0.0) <= when:
            return False
        under_way = select(outbox.c.id).where(
            outbox.c.kind == "mail",
            outbox.c.target == row.id,
            outbox.c.job_id.is_(None),
            or_(outbox.c.state.in_(("waiting", "sending")), outbox.c.created > when - 600),
        )
        return connection.execute(under_way.limit(1)).first() is not None

    def _make_room(self, connection: Connection, owner_id: str) -> None:
        """Keep an owner from filling the table: the oldest unconfirmed addresses are forgotten."""
        asked = (
            select(emails.c.id, emails.c.confirmed)
            .where(emails.c.owner_id == owner_id)
            .order_by(emails.c.confirmed.is_not(None), emails.c.created)
        )
        rows = connection.execute(asked).all()
        if len(rows) < MOST_ADDRESSES:
            return
        if rows[0].confirmed is not None:
            raise SettingsError(f"at most {MOST_ADDRESSES} addresses can be used")
        connection.execute(delete(emails).where(emails.c.id == rows[0].id))

    def _row_of(self, connection: Connection, token: str) -> Row[Any] | None:
        match = _TOKEN.match(token)
        if match is None or not is_id(match[1]):
            return None
        return connection.execute(select(emails).where(emails.c.id == match[1])).one_or_none()

    def _set(self, connection: Connection, email_id: str, **values: object) -> None:
        connection.execute(update(emails).where(emails.c.id == email_id).values(**values))

    def _is_allowed(self, address: str) -> bool:
        return bool({address.lower(), f"@{address.rpartition('@')[2]}"} & self._allow)

    def _is_left_alone(self, connection: Connection, address: str) -> bool:
        key = self._left_alone_key(address)
        asked = select(settings_kv.c.key).where(settings_kv.c.key == key)
        return connection.execute(asked).first() is not None

    def _left_alone_key(self, address: str) -> str:
        return f"mail-left-alone:{self._hash(address.lower())}"

    def _confirm_token(self, email_id: str, until: float) -> str:
        return self._token(email_id, f"confirm until {until:.3f}")

    def _token(self, email_id: str, purpose: str) -> str:
        digest = hmac.digest(self._secret, f"{email_id} {purpose}".encode(), "sha256")
        return f"{email_id}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"

    def _hash(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
