"""API keys: made, found by their hash, revoked. What the database holds opens nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, or_, select, update

from text2art.errors import SettingsError
from text2art.studio.db.engine import now, reading
from text2art.studio.db.tables import api_keys, owners
from text2art.studio.ids import is_id, new_id, new_token
from text2art.studio.model import NotFound, OwnerKind

PREFIX = "t2a_"  # by which scanners of leaked secrets know it
LONGEST_LABEL = 200
_USED_EVERY = 60.0  # seconds between notes of a key's use


@dataclass(frozen=True)
class ApiKey:
    """A key as it may be shown.

    Attributes:
        owner_id: whose jobs it hands in and sees.
        created, used, revoked: seconds since 1970 (UTC), or None.
    """

    id: str
    owner_id: str
    label: str
    created: float
    used: float | None = None
    revoked: float | None = None


def add_key(engine: Engine, label: str, owner_id: str | None = None) -> tuple[ApiKey, str]:
    """Make a key; return it and its secret text, which cannot be had again.

    Args:
        engine: of the database.
        label: whose or what for.
        owner_id: an owner that is there; default: a new one.

    Raises:
        SettingsError: the label is too long.
        NotFound: there is no such owner.
    """
    if len(label) > LONGEST_LABEL or not label.isprintable():
        raise SettingsError(f"a label has at most {LONGEST_LABEL} printable characters")
    token = PREFIX + new_token()
    with engine.begin() as connection:
        when = now(connection)
        if owner_id is None:
            owner_id = new_id()
            values = {"id": owner_id, "kind": OwnerKind.KEY.value, "created": when, "seen": when}
            connection.execute(insert(owners).values(**values, label=label))
        elif connection.execute(select(owners.c.id).where(owners.c.id == owner_id)).first() is None:
            raise NotFound(f"there is no owner {owner_id[:40]!r}")
        made = ApiKey(new_id(), owner_id, label, when)
        row = {"id": made.id, "owner_id": owner_id, "label": label, "created": when}
        connection.execute(insert(api_keys).values(**row, sha256=_sha256(token)))
    return made, token


def list_keys(engine: Engine) -> list[ApiKey]:
    """Return all keys, oldest first, the revoked included."""
    with reading(engine) as connection:
        rows = connection.execute(select(api_keys).order_by(api_keys.c.created, api_keys.c.id))
        return [_key(row) for row in rows]


def revoke_key(engine: Engine, key_id: str) -> ApiKey:
    """Let a key open nothing from now on; web processes learn of it within seconds.

    Raises:
        NotFound: there is no such key.
    """
    with engine.begin() as connection:
        row = _row(connection, key_id)
        if row.revoked is None:
            revoked = update(api_keys).where(api_keys.c.id == key_id)
            connection.execute(revoked.values(revoked=now(connection)))
        return _key(_row(connection, key_id))


def find_key(engine: Engine, token: str) -> ApiKey | None:
    """Return the key of a secret text; None where there is none, or it was revoked."""
    if not token.startswith(PREFIX) or len(token) > 200 or not token.isascii():
        return None
    asked = select(api_keys).where(
        api_keys.c.sha256 == _sha256(token), api_keys.c.revoked.is_(None)
    )
    with reading(engine) as connection:
        row = connection.execute(asked).first()
    return None if row is None else _key(row)


def note_use(engine: Engine, key_id: str) -> None:
    """Note that a key was used, once a minute at most."""
    with engine.begin() as connection:
        when = now(connection)
        old = or_(api_keys.c.used.is_(None), api_keys.c.used < when - _USED_EVERY)
        connection.execute(update(api_keys).where(api_keys.c.id == key_id, old).values(used=when))


def _row(connection: Connection, key_id: str) -> Row[Any]:
    row = None
    if is_id(key_id):
        row = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).first()
    if row is None:
        raise NotFound(f"there is no key {key_id[:40]!r}: 'text2art studio keys list' shows them")
    return row


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(*(getattr(row, name) for name in ApiKey.__dataclass_fields__))


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
