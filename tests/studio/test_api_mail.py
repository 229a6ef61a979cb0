"""Mails and webhooks that could not be delivered, over HTTP: the administrator's alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tests.studio.site import Site, site
from text2art.studio.api.context import Context
from text2art.studio.api.metrics import render
from text2art.studio.api.routes import mail
from text2art.studio.db.tables import outbox
from text2art.studio.ids import new_id

ADMIN = "an-admin-key-for-tests"
ROUTE = "/api/v1/admin/mail"


@pytest.fixture
def running(tmp_path: Path, url: str) -> Iterator[Site]:
    with site(tmp_path / "data", url, mode="public", admin_key=ADMIN) as one:
        yield one


@pytest.fixture
def admin(running: Site) -> Iterator[httpx.Client]:
    with running.client(Authorization=f"Bearer {ADMIN}") as one:
        yield one


def given_up(running: Site, **values: Any) -> str:
    """Write a message that was given up, as of a mail that nobody delivers here."""
    letter = new_id()
    row: dict[str, Any] = {
        "kind": "mail",
        "target": new_id(),
        "payload": {"words": "secret"},
        "state": "dead",
    }
    row |= {"attempts": 10, "last_error": "the server says 550", "created": 1e9, **values}
    with running.studio.engine.begin() as connection:
        connection.execute(outbox.insert().values(id=letter, **row))
    return letter


def test_what_was_given_up_is_listed_and_sent_again(running: Site, admin: httpx.Client) -> None:
    assert admin.get(ROUTE).json() == {"letters": [], "counts": {}}
    first = given_up(running)
    second = given_up(
        running, kind="webhook", target="https://ada:pw@hooks.example.org/x?key=7", created=2e9
    )
    answer = admin.get(ROUTE)
    found = answer.json()
    assert [letter["id"] for letter in found["letters"]] == [second, first]
    assert found["letters"][1] == {
        "id": first,
        "kind": "mail",
        "job_id": None,
        "place": "",
        "attempts": 10,
        "reason": "the server says 550",
        "created": 1e9,
    }
    assert found["letters"][0]["place"] == "hooks.example.org"
    assert found["counts"] == {"mail": {"dead": 1}, "webhook": {"dead": 1}}
    assert not any(secret in answer.text for secret in ("key=7", "pw@", "secret"))
    assert [one["id"] for one in admin.get(ROUTE, params={"limit": 1}).json()["letters"]] == [
        second
    ]
    again = admin.post(f"{ROUTE}/{first}/send")
    assert (again.status_code, again.json()) == (202, {"id": first})
    with running.studio.engine.connect() as connection:
        row = connection.execute(select(outbox).where(outbox.c.id == first)).one()
    assert row.state != "dead"
    assert admin.post(f"{ROUTE}/{first}/send").status_code == 404
    assert admin.post(f"{ROUTE}/x/send").status_code == 404


def test_it_is_for_the_administrator(running: Site, admin: httpx.Client) -> None:
    letter = given_up(running)
    with running.client() as visitor:
        assert visitor.get(ROUTE).status_code == 403
        assert visitor.post(f"{ROUTE}/{letter}/send").status_code == 403
    assert len(admin.get(ROUTE).json()["letters"]) == 1


def test_a_foreign_page_sends_nothing(tmp_path: Path) -> None:
    local = site(tmp_path / "own", f"sqlite:///{tmp_path / 'own.db'}")
    with local as own, own.client() as client:
        letter = given_up(own)
        foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://example.org"}
        assert client.post(f"{ROUTE}/{letter}/send", headers=foreign).status_code == 403
        assert client.post(f"{ROUTE}/{letter}/send").status_code == 202


def test_the_figures_count_them(running: Site, admin: Any) -> None:
    given_up(running)
    given_up(running, kind="webhook", target="https://example.org")
    context: Context = running.app.state.context
    text = render(mail.families(context))
    assert 'text2art_messages{kind="mail",state="dead"} 1\n' in text
    assert 'text2art_messages{kind="webhook",state="dead"} 1\n' in text
    assert 'text2art_messages{kind="mail",state="dead"} 1\n' in admin.get("/metrics").text
