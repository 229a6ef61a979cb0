"""From a job that ends to a mail and a webhook that arrive, on both engines, whatever fails."""

from __future__ import annotations

import base64
import io
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from PIL import Image
from sqlalchemy import Engine, delete, select, update
from standardwebhooks import Webhook, WebhookVerificationError

from tests.studio.mailserver import MailServer, free_port, mail_server
from tests.studio.sinks import Sink, drips, hangs, hangs_up, http_sink, says
from tests.studio.test_mail_messages import Tags, text_of
from tests.studio.tools import Bench
from text2art.errors import SettingsError
from text2art.studio.api.telling import describer
from text2art.studio.config import StudioConfig
from text2art.studio.db.tables import emails, jobs, outbox
from text2art.studio.db.wake import Wake
from text2art.studio.mail import rows
from text2art.studio.mail.addresses import AddressBook
from text2art.studio.mail.failures import Undelivered
from text2art.studio.mail.links import Links
from text2art.studio.mail.mailer import Mailer
from text2art.studio.mail.messages import Sender
from text2art.studio.mail.opening import open_delivery, open_web, sends_mail, webhook_secret
from text2art.studio.mail.outbox import LONGEST_SECONDS, MOST_TRIES, Delivery, backoff
from text2art.studio.mail.transports import MailTransport, NullTransport, SmtpTransport
from text2art.studio.mail.webhooks import WebhookSender, check_secret, new_secret
from text2art.studio.model import Claim, EventType, Json, Outcome, State
from text2art.studio.net import Web
from text2art.studio.outbox import enqueue
from text2art.studio.store import Store, result_key

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
ADA = "ada@example.com"


class Post:
    """A studio whose jobs tell of their end, and what delivers that."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.bench = Bench(engine, on_end=enqueue)
        self.store = Store(str(folder / "files"))
        self.book = AddressBook(b"secret")
        self.links = Links("https://studio.example")
        self.transport: MailTransport = NullTransport()
        self.web = Web(allow=["127.0.0.1"])
        self.seconds = 5.0
        self.attachment_bytes = 8_000_000

    def describe(self, job_id: str) -> Json | None:
        return describer(self.engine, self.bench.queue, self.links)(job_id)

    def delivery(self, **options: Any) -> Delivery:
        mailer = Mailer(
            self.engine,
            self.store,
            self.book,
            self.transport,
            Sender("text2art", "studio@example.org"),
            self.links,
            self.attachment_bytes,
        )
        return Delivery(
            self.engine,
            **{
                "mailer": mailer,
                "webhooks": WebhookSender(self.web, SECRET, seconds=self.seconds),
                "describe": self.describe,
                "chance": lambda: 0.5,
                **options,
            },
        )

    def deliver(self, delivery: Delivery | None = None) -> int:
        """Deliver what is due."""
        return anyio.run((delivery or self.delivery()).deliver_due)

    def submit(self, **values: Any) -> str:
        return self.bench.submit("ann", **values)

    def latest(self) -> str:
        """Return the job that was handed in last."""
        with self.engine.connect() as connection:
            asked = select(jobs.c.id).order_by(jobs.c.created.desc(), jobs.c.id.desc())
            return str(connection.execute(asked).scalars().first())

    def finish(self, job_id: str, state: State = State.DONE, **files: bytes) -> None:
        """Claim a job and end it, with files by their extension."""
        claim = self.bench.claim()
        assert claim.job_id == job_id
        keys = {kind: result_key(job_id, claim.attempt, kind) for kind in files}
        for kind, key in keys.items():
            self.store.put(key, files[kind])
        result = {"files": keys, "width": 8, "height": 8, "seed": 7} if files else None
        error = "the model broke" if state is State.FAILED else ""
        assert self.bench.queue.finish(claim, Outcome(state, result, error))

    def email(self, confirmed: bool = True, address: str = ADA) -> str:
        self.bench.owner("ann")
        with self.engine.begin() as connection:
            email_id = self.book.register(connection, "ann", address).id
            if confirmed:
                asked = self.book.asked(connection, email_id)
                assert asked is not None
                assert self.book.confirm(connection, asked[1]) == email_id
                connection.execute(delete(outbox))  # the mail that asks is another test's
        return email_id

    def rows(self) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(select(outbox).order_by(outbox.c.id)))

    def row(self) -> Any:
        (row,) = self.rows()
        return row

    def pass_time(self) -> None:
        """Let everything that waits be due."""
        with self.engine.begin() as connection:
            connection.execute(update(outbox).values(not_before=0.0, lease_until=0.0))

    def notices(self, job_id: str) -> list[str]:
        said = self.bench.events(job_id)
        return [event.data["text"] for event in said if event.type is EventType.NOTICE]


@pytest.fixture
def post(engine: Engine, tmp_path: Path) -> Post:
    return Post(engine, tmp_path)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with http_sink() as running:
        yield running


@pytest.fixture
def mailbox() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


def smtp(port: int) -> SmtpTransport:
    return SmtpTransport("127.0.0.1", port, security="none", seconds=5)


def png(color: str = "red", size: int = 48) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (size, size), color).save(file, "PNG")
    return file.getvalue()


def waited(row: Any) -> float:
    """Return how long a row has to wait, from about now."""
    return float(row.not_before - time.time())


# ---- webhooks ------------------------------------------------------------------------------------


def test_a_webhook_carries_the_jobs_json_signed(post: Post, sink: Sink) -> None:
    job = post.submit(webhook_url=sink.url("/hook?key=1"))
    post.finish(job, png=png())
    assert post.deliver() == 1
    (heard,) = sink.heard
    assert (heard.method, heard.path) == ("POST", "/hook?key=1")
    assert heard.headers["content-type"] == "application/json"
    told = Webhook(SECRET).verify(heard.body, heard.headers)
    assert told["id"] == job
    assert told["state"] == "done"
    assert told["prompt"] == "a red apple"
    at = f"https://studio.example/api/v1/jobs/{job}"
    assert told["url"] == at
    assert told["result"]["files"] == {"png": f"{at}/result.png?v=1"}
    assert told["preview"] == f"{at}/result.png?v=1"
    assert told["result"]["width"] == 8
    assert told["mine"] is True
    assert "ann" not in heard.body.decode()  # who asked is nobody's business
    row = post.row()
    assert heard.headers["webhook-id"] == row.id
    assert (row.state, row.payload) == ("sent", {})
    assert post.deliver() == 0
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(heard.body, heard.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(heard.body + b" ", heard.headers)


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELED])
def test_every_end_is_told(post: Post, sink: Sink, state: State) -> None:
    job = post.submit(webhook_url=sink.url())
    post.finish(job, state)
    post.deliver()
    told = json.loads(sink.heard[0].body)
    assert told["state"] == state.value
    assert told["result"] is None
    assert told["error"] == ("the model broke" if state is State.FAILED else "")


def test_an_event_is_told_as_it_was(post: Post, sink: Sink) -> None:
    job = post.submit(webhook_url=sink.url())
    post.finish(job, State.FAILED)
    post.bench.retry(job)
    post.deliver()
    assert json.loads(sink.heard[0].body)["state"] == "failed"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (says(500), "500"),
        (says(503), "503"),
        (says(408), "408"),
        (says(429), "429"),
        (hangs_up, "cannot be loaded"),
        (hangs(), "too slow"),
    ],
)
def test_what_may_pass_is_tried_again_with_the_same_id_and_body(
    post: Post, sink: Sink, reply: Any, reason: str
) -> None:
    post.seconds = 0.3
    job = post.submit(webhook_url=sink.url("/secret-path"))
    post.finish(job)
    sink.replies = [reply, says(204)]
    assert post.deliver() == 1
    row = post.row()
    assert (row.state, row.attempts) == ("waiting", 1)
    assert reason in row.last_error
    assert "secret-path" not in row.last_error
    assert 3 < waited(row) <= 5
    assert post.deliver() == 0  # not before its time
    with post.engine.begin() as connection:  # the job goes on changing
        connection.execute(update(jobs).values(prompt="other words"))
    post.pass_time()
    assert post.deliver() == 1
    assert post.row().state == "sent"
    first, second = sink.heard
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert post.notices(job) == []


@pytest.mark.parametrize(
    "reply",
    [
        says(400),
        says(401),
        says(404),
        says(410),
        says(301, location="http://127.0.0.1/"),
        says(302, location="http://169.254.169.254/latest/meta-data/"),
        says(307, location="http://localhost/"),
        says(304),
    ],
)
def test_what_will_never_pass_is_given_up_at_once(post: Post, sink: Sink, reply: Any) -> None:
    job = post.submit(webhook_url=sink.url("/secret-path"))
    post.finish(job)
    sink.replies = [reply]
    post.deliver()
    assert len(sink.heard) == 1  # no redirect was followed
    assert post.row().state == "dead"
    (notice,) = post.notices(job)
    assert notice.startswith("The webhook was not delivered: the server says")
    with post.engine.connect() as connection:
        (letter,) = rows.dead_letters(connection)
    assert (letter.kind, letter.job_id, letter.place) == ("webhook", job, "127.0.0.1")
    assert "secret-path" not in repr(letter)


def test_retry_after_is_heeded_within_reason(post: Post, sink: Sink) -> None:
    post.submit(webhook_url=sink.url())
    post.finish(post.latest())
    sink.replies = [says(429, retry_after="120")]
    post.deliver()
    assert 110 < waited(post.row()) <= 120
    sink.replies = [says(503, retry_after="999999")]
    post.pass_time()
    post.deliver()
    assert LONGEST_SECONDS - 10 < waited(post.row()) <= LONGEST_SECONDS
    sink.replies = [says(503, retry_after="Fri, 31 Dec 1999 23:59:59 GMT")]
    post.pass_time()
    post.deliver()
    assert 70 < waited(post.row()) <= 80


def test_a_server_that_drips_takes_no_longer_than_allowed(post: Post, sink: Sink) -> None:
    post.seconds = 0.3
    post.submit(webhook_url=sink.url())
    post.finish(post.latest())
    sink.replies = [drips()]
    post.deliver()
    assert "too slow" in post.row().last_error


def resolver(*answers: Sequence[str]) -> Callable[[str, int], Any]:
    left = list(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


def test_a_name_that_turns_inward_is_given_up(post: Post, sink: Sink) -> None:
    post.web = Web(allow=["127.0.0.0/8"], resolver=resolver(["127.0.0.1"], ["169.254.169.254"]))
    sink.replies = [says(500)]
    job = post.submit(webhook_url=sink.url("/hook", host="rebinding.example"))
    post.finish(job)
    delivery = post.delivery()
    post.deliver(delivery)
    assert post.row().state == "waiting"
    post.pass_time()
    post.deliver(delivery)
    assert len(sink.heard) == 1
    row = post.row()
    assert row.state == "dead"
    assert "private address" in row.last_error


def test_tries_end(post: Post, sink: Sink) -> None:
    sink.replies = [says(500)]
    job = post.submit(webhook_url=sink.url())
    post.finish(job)
    waits = []
    for _ in range(MOST_TRIES - 1):
        post.deliver()
        waits.append(round(waited(post.row()) / 5) * 5)
        post.pass_time()
    assert waits == [5, 20, 80, 320, 1280, 5120, 20480, 43200, 43200]
    post.deliver()
    assert post.row().state == "dead"
    assert len(sink.heard) == MOST_TRIES
    assert post.notices(job) == ["The webhook was not delivered: the server says 500."]
    post.pass_time()
    assert post.deliver() == 0
    letter = post.row().id
    with post.engine.begin() as connection:
        assert rows.counts(connection) == {("webhook", "dead"): 1}
        assert rows.send_again(connection, letter)
        assert not rows.send_again(connection, "nothing")
    sink.replies = [says(200)]
    assert post.deliver() == 1
    assert post.row().state == "sent"
    assert len({heard.headers["webhook-id"] for heard in sink.heard}) == 1


def test_distances_grow_and_are_spread() -> None:
    for attempt in range(1, 40):
        low, high = backoff(attempt, 0.0), backoff(attempt, 0.999)
        assert 3 < low < high <= LONGEST_SECONDS or low == high * 0.75 or high == LONGEST_SECONDS
    assert backoff(1, 0.5) == 5
    assert backoff(10_000, 0.999) == LONGEST_SECONDS
    assert backoff(10_000, 0.0) == LONGEST_SECONDS * 0.75


# ---- leases --------------------------------------------------------------------------------------


def test_a_process_that_dies_loses_nothing(post: Post, sink: Sink) -> None:
    post.submit(webhook_url=sink.url())
    post.finish(post.latest())
    (lost,) = rows.take(post.engine, "webhook", 5)  # and never heard of again
    assert rows.take(post.engine, "webhook", 5) == []
    assert post.deliver() == 0
    post.pass_time()
    assert post.deliver() == 1
    assert len(sink.heard) == 1
    # The first one comes back from the dead: what it says no longer counts.
    assert not rows.given_up(post.engine, lost, "late", "late")
    assert not rows.postponed(post.engine, lost, 1, "late")
    assert post.row().state == "sent"


def test_a_message_that_kills_its_process_is_given_up(post: Post, sink: Sink) -> None:
    job = post.submit(webhook_url=sink.url())
    post.finish(job)
    for _ in range(MOST_TRIES):
        assert len(rows.take(post.engine, "webhook", 5)) == 1
        post.pass_time()
    assert post.deliver() == 1
    assert sink.heard == []
    assert post.row().state == "dead"


def test_many_deliverers_send_each_message_once(post: Post, sink: Sink) -> None:
    for _ in range(40):
        post.submit(webhook_url=sink.url())
        post.finish(post.latest())

    async def all_at_once() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(post.delivery().deliver_due)

    anyio.run(all_at_once)
    ids = [heard.headers["webhook-id"] for heard in sink.heard]
    assert len(ids) == len(set(ids)) == 40
    with post.engine.connect() as connection:
        assert rows.counts(connection) == {("webhook", "sent"): 40}


def test_it_runs_on_its_own_until_it_is_stopped(post: Post, sink: Sink) -> None:
    sink.replies = [says(500), says(204)]

    async def run() -> None:
        delivery = post.delivery(poll_seconds=0.02)
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(delivery.run)
                await anyio.to_thread.run_sync(self_submit)
                while post.row().attempts < 1 or post.row().state != "waiting":
                    await anyio.sleep(0.02)
                post.pass_time()
                while post.row().state != "sent":
                    await anyio.sleep(0.02)
                tasks.cancel_scope.cancel()

    def self_submit() -> None:
        job = post.submit(webhook_url=sink.url())
        post.finish(job)

    anyio.run(run)
    assert len(sink.heard) == 2


def test_a_transaction_that_fails_tells_nobody(post: Post, sink: Sink) -> None:
    post.submit(webhook_url=sink.url())
    claim: Claim = post.bench.claim()

    def broken(connection: Any) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        post.bench.queue.finish(claim, Outcome(State.DONE), broken)
    assert post.rows() == []


def test_an_error_of_ours_is_tried_again_and_said(
    post: Post, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    def describe(job_id: str) -> Any:
        raise RuntimeError("a bug")

    post.submit(webhook_url=sink.url())
    post.finish(post.latest())
    post.deliver(post.delivery(describe=describe))
    assert (post.row().state, post.row().attempts) == ("waiting", 1)
    assert "a bug" in caplog.text
    assert "a bug" not in post.row().last_error


def test_what_was_given_up_can_be_sent_again_all_at_once(post: Post, sink: Sink) -> None:
    sink.replies = [says(404), says(404), says(204)]
    for _ in range(3):
        post.submit(webhook_url=sink.url())
        post.finish(post.latest())
        post.deliver()
    with post.engine.begin() as connection:
        assert rows.send_all_again(connection) == 2
        assert rows.send_all_again(connection) == 0
        assert rows.counts(connection) == {("webhook", "waiting"): 2, ("webhook", "sent"): 1}
    assert post.deliver() == 2


def test_it_is_known_when_something_is_due(post: Post, sink: Sink) -> None:
    def due(*kinds: str) -> float:
        return rows.seconds_until_due(post.engine, kinds or ("mail", "webhook"))

    assert due() == float("inf")
    post.submit(webhook_url=sink.url())
    post.finish(post.latest())
    assert due() == 0
    assert due("mail") == float("inf")
    (taken,) = rows.take(post.engine, "webhook", 1, lease=200)
    assert 100 < due() <= 200
    rows.postponed(post.engine, taken, 1000, "later")
    assert 900 < due() <= 1000


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # SQLite notifies of nothing
def test_a_new_message_is_heard_of(post: Post, sink: Sink) -> None:
    letters = 3

    def end_a_job() -> None:
        post.submit(webhook_url=sink.url())
        post.finish(post.latest())

    async def run() -> None:
        delivery = post.delivery(poll_seconds=600.0)
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(delivery.run)
                for number in range(letters):
                    await anyio.sleep(0.3)  # until the pause of 600 s
                    await anyio.to_thread.run_sync(end_a_job)
                    while [row.state for row in post.rows()] != ["sent"] * (number + 1):
                        await anyio.sleep(0.02)
                tasks.cancel_scope.cancel()

    anyio.run(run)
    assert len(sink.heard) == letters


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_where_nothing_can_be_heard_it_looks(
    post: Post, sink: Sink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def deaf(wake: Wake, seconds: float) -> bool:
        raise RuntimeError("no ears")

    async def run() -> None:
        delivery = post.delivery(poll_seconds=0.05)
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(delivery.run)
                while "no ears" not in caplog.text:
                    await anyio.sleep(0.02)
                await anyio.to_thread.run_sync(post.finish, post.submit(webhook_url=sink.url()))
                while post.row().state != "sent":
                    await anyio.sleep(0.02)
                tasks.cancel_scope.cancel()

    monkeypatch.setattr(Wake, "wait", deaf)
    anyio.run(run)
    assert len(sink.heard) == 1


# ---- mail ----------------------------------------------------------------------------------------


def test_a_picture_arrives(post: Post, mailbox: MailServer) -> None:
    post.transport = smtp(mailbox.port)
    job = post.submit(email_id=post.email(), prompt="<b>apple</b> & pear")
    post.finish(job, png=png(), mp4=b"v" * 1000)
    assert post.deliver() == 1
    (mail,) = mailbox.mails
    assert mailbox.envelopes[0][:2] == ("studio@example.org", [ADA])
    assert mail["Message-ID"] == f"<{post.row().id}@example.org>"
    assert mail["Subject"] == "Your picture is ready: <b>apple</b> & pear"
    names = {part.get_filename(): part for part in mail.iter_attachments()}
    assert set(names) == {"b-apple-b-pear.png", "b-apple-b-pear.mp4"}
    assert names["b-apple-b-pear.png"].get_content() == png()  # with the settings inside
    page = Tags(text_of(mail, "html"))
    assert f"https://studio.example/jobs/{job}" in [attrs.get("href") for _, attrs in page.tags]
    assert not any(tag == "b" for tag, _ in page.tags)
    assert any((attrs.get("src") or "").startswith("cid:") for _, attrs in page.tags)
    assert post.row().state == "sent"
    for table in (outbox, jobs):  # shown nowhere else
        with post.engine.connect() as connection:
            assert ADA not in repr(connection.execute(select(table)).all())


def test_what_is_too_large_is_linked(post: Post, mailbox: MailServer) -> None:
    post.transport, post.attachment_bytes = smtp(mailbox.port), 2000
    job = post.submit(email_id=post.email())
    post.finish(job, png=png(), mp4=b"v" * 3000, svg=b"<svg/>")
    post.deliver()
    (mail,) = mailbox.mails
    names = [part.get_filename() for part in mail.iter_attachments()]
    assert names == ["a-red-apple.png", "a-red-apple.svg"]
    address = f"https://studio.example/api/v1/jobs/{job}/result.mp4"
    assert address in text_of(mail)
    assert address in text_of(mail, "html")


def test_a_server_that_finds_it_too_large_gets_links(post: Post, mailbox: MailServer) -> None:
    post.transport = smtp(mailbox.port)
    post.submit(email_id=post.email())
    post.finish(post.latest(), png=png(), mp4=b"v" * 1000)
    mailbox.refuse_data = ["552 too large"]
    assert post.deliver() == 2
    (mail,) = mailbox.mails
    assert list(mail.iter_attachments()) == []
    assert "result.mp4" in text_of(mail)
    assert post.row().state == "sent"


def test_one_mail_for_a_batch_when_all_have_ended(post: Post, mailbox: MailServer) -> None:
    post.transport = smtp(mailbox.port)
    email = post.email()
    batch = [
        post.submit(email_id=email, batch_id="b", prompt=f"apple {n}", priority=9 - n)
        for n in range(4)
    ]
    post.finish(batch[0], png=png("red"))
    post.finish(batch[1], State.FAILED)
    post.finish(batch[2], png=png("blue"))
    assert post.deliver() == 0
    post.bench.cancel(batch[3])
    assert post.deliver() == 1
    (mail,) = mailbox.mails
    assert mail["Subject"] == "2 of your 3 pictures are ready: apple 0"
    assert "the model broke" in text_of(mail)
    assert "apple 3" not in text_of(mail)
    images = [part for part in mail.walk() if part["Content-ID"]]
    assert len(images) == 2
    assert len({part["Content-ID"] for part in images}) == 2


@pytest.mark.parametrize("where", ["refuse_mail", "refuse_rcpt", "refuse_data"])
def test_a_server_that_is_busy_is_asked_again(post: Post, mailbox: MailServer, where: str) -> None:
    post.transport = smtp(mailbox.port)
    job = post.submit(email_id=post.email())
    post.finish(job, png=png())
    getattr(mailbox, where).append(f"450 {ADA} is busy")
    post.deliver()
    row = post.row()
    assert (row.state, row.attempts) == ("waiting", 1)
    assert "450" in row.last_error
    assert ADA not in row.last_error
    post.pass_time()
    post.deliver()
    assert post.row().state == "sent"
    assert len(mailbox.mails) == 1
    assert post.notices(job) == []


def test_a_mailbox_that_is_not_there_is_given_up(
    post: Post, mailbox: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    post.transport = smtp(mailbox.port)
    job = post.submit(email_id=post.email())
    post.finish(job, png=png())
    mailbox.refuse_rcpt = [f"550 no mailbox of Ada Lovelace <{ADA}>"]
    post.deliver()
    assert post.row().state == "dead"
    assert post.notices(job) == ["The mail was not delivered: the mail server says 550."]
    assert mailbox.mails == []
    ours = [record for record in caplog.records if record.name.startswith("text2art")]
    assert ours
    assert not any(ADA in record.getMessage() for record in ours)
    with post.engine.connect() as connection:
        assert ADA not in repr(rows.dead_letters(connection))


def test_a_server_that_is_down_and_comes_up(post: Post) -> None:
    port = free_port()
    post.transport = smtp(port)
    post.submit(email_id=post.email())
    post.finish(post.latest(), png=png())
    post.deliver()
    assert post.row().state == "waiting"
    assert "cannot be used" in post.row().last_error
    with mail_server(port) as mailbox:
        post.pass_time()
        post.deliver()
        assert len(mailbox.mails) == 1
    assert post.row().state == "sent"


def test_a_picture_waits_for_the_address_to_agree(post: Post, mailbox: MailServer) -> None:
    post.transport = smtp(mailbox.port)
    job = post.submit(email_id=post.email(confirmed=False))
    assert post.deliver() == 1
    (asking,) = mailbox.mails
    assert asking["Subject"] == "May we send you your pictures?"
    (link,) = [
        attrs["href"]
        for tag, attrs in Tags(text_of(asking, "html")).tags
        if tag == "a" and "/mail/confirm" in (attrs["href"] or "")
    ]
    assert link is not None

    post.finish(job, png=png())
    for _ in range(MOST_TRIES + 2):  # waiting is no try
        assert post.deliver() == 1
        waiting = post.rows()[1]
        assert (waiting.state, waiting.attempts) == ("waiting", 0)
        with post.engine.begin() as connection:
            connection.execute(
                update(outbox).where(outbox.c.id == waiting.id).values(not_before=0.0)
            )
    post.deliver()
    assert len(mailbox.mails) == 1
    with post.engine.begin() as connection:
        assert post.book.confirm(connection, link.partition("token=")[2]) is not None
    assert post.deliver() == 1  # at once, not at its next look
    assert mailbox.mails[1]["Subject"].startswith("Your picture is ready")


def test_addresses_that_never_agree_get_nothing(post: Post, mailbox: MailServer) -> None:
    post.transport = smtp(mailbox.port)
    job = post.submit(email_id=post.email(confirmed=False))
    post.deliver()
    post.finish(job, png=png())
    with post.engine.begin() as connection:
        connection.execute(update(emails).values(token_until=1.0))
    post.deliver()
    assert len(mailbox.mails) == 1
    assert [row.state for row in post.rows()] == ["sent", "dead"]
    assert "not confirmed" in post.notices(job)[0]


def test_who_wants_no_mail_gets_none(post: Post, mailbox: MailServer) -> None:
    post.transport = smtp(mailbox.port)
    email = post.email()
    job = post.submit(email_id=email)
    with post.engine.begin() as connection:
        assert post.book.leave_alone(connection, post.book.unsubscribe_token(email))
    post.finish(job, png=png())
    post.deliver()
    assert mailbox.mails == []
    assert post.row().state == "dead"


def test_the_link_in_a_mail_unsubscribes(post: Post, mailbox: MailServer) -> None:
    post.transport = smtp(mailbox.port)
    job = post.submit(email_id=post.email())
    post.finish(job, png=png())
    post.deliver()
    link = str(mailbox.mails[0]["List-Unsubscribe"]).strip("<>").replace("\r\n ", "")
    assert mailbox.mails[0]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    with post.engine.begin() as connection:
        assert post.book.leave_alone(connection, link.partition("token=")[2])


def test_pictures_that_were_deleted_are_not_sent(post: Post, mailbox: MailServer) -> None:
    post.transport = smtp(mailbox.port)
    job = post.submit(email_id=post.email())
    post.finish(job, png=png())
    with post.engine.begin() as connection:
        connection.execute(update(jobs).values(deleted_at=1.0))
    post.deliver()
    assert mailbox.mails == []
    assert "deleted" in post.row().last_error


@pytest.mark.parametrize("broken", [b"no picture", None])
def test_a_picture_that_is_broken_or_gone_is_linked(
    post: Post, mailbox: MailServer, broken: bytes | None
) -> None:
    post.transport = smtp(mailbox.port)
    job = post.submit(email_id=post.email())
    post.finish(job, png=broken or png())
    if broken is None:
        post.store.delete_tree(f"jobs/{job}")
    post.deliver()
    (mail,) = mailbox.mails
    assert not any(part["Content-ID"] for part in mail.walk())
    assert f"https://studio.example/jobs/{job}" in text_of(mail)


def test_a_prompt_cannot_forge_anything_on_its_way(post: Post, mailbox: MailServer) -> None:
    post.transport = smtp(mailbox.port)
    words = "x\r\nBcc: victim@example.net\r\n\r\n.\r\nRCPT TO:<victim@example.net>\r\n"
    post.submit(email_id=post.email(), prompt=words)
    post.finish(post.latest(), png=png())
    post.deliver()
    (mail,) = mailbox.mails
    assert mailbox.envelopes == [("studio@example.org", [ADA], False)]
    assert mail["Bcc"] is None
    assert mail["Subject"].startswith("Your picture is ready: x Bcc: victim@example.net")


# ---- configuration -------------------------------------------------------------------------------


def test_a_configuration_makes_a_delivery(post: Post, tmp_path: Path, sink: Sink) -> None:
    config = StudioConfig(
        data=tmp_path / "data",
        public_url="https://studio.example/",
        mail_transport="folder",
        mail_allow=("@example.com",),
        allow_hosts=(f"127.0.0.1:{sink.port}",),
    )
    assert sends_mail(config)
    post.book = AddressBook(b"", config.mail_allow)
    post.bench.owner("ann")
    with post.engine.begin() as connection:
        email = post.book.register(connection, "ann", ADA).id
    job = post.submit(email_id=email, webhook_url=sink.url())
    post.finish(job, png=png())
    assert post.deliver(open_delivery(config, post.engine, post.store, post.describe)) == 2
    assert len(list((tmp_path / "data" / "mail").glob("*.eml"))) == 1
    Webhook(webhook_secret(config)).verify(sink.heard[0].body, sink.heard[0].headers)


def test_configurations_that_are_not_complete(post: Post, tmp_path: Path) -> None:
    config = StudioConfig(data=tmp_path)
    assert not sends_mail(config)
    open_delivery(config, post.engine, post.store, post.describe)
    with pytest.raises(SettingsError, match="mail_from"):
        open_delivery(
            StudioConfig(data=tmp_path, mail_host="mail.example.org"),
            post.engine,
            post.store,
            post.describe,
        )
    with pytest.raises(SettingsError, match="allowed network"):
        open_web(StudioConfig(data=tmp_path, allow_hosts=("10.0.0.0/99",)))


def test_without_mail_mails_stay_where_they_are(post: Post) -> None:
    post.submit(email_id=post.email())
    post.finish(post.latest(), png=png())
    assert post.deliver(post.delivery(mailer=None)) == 0
    assert post.row().state == "waiting"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!!", "whsec_YWJj", "x" * 200, "whsec_ä"])
def test_secrets_that_sign_nothing(secret: str) -> None:
    with pytest.raises(SettingsError, match="webhook_secret"):
        check_secret(secret)
    assert check_secret(new_secret()).startswith("whsec_")


def test_the_published_example_of_a_signature(sink: Sink) -> None:
    # Of the standard's own libraries: secret, id, timestamp, body and what they sign to.
    sender = WebhookSender(Web(allow=["127.0.0.1"]), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    async def run() -> None:
        await sender.send(
            sink.url(), "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', 1614265330.7
        )

    anyio.run(run)
    headers = sink.heard[0].headers
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_failures_name_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sender = WebhookSender(Web(), SECRET)

    async def run(url: str) -> None:
        await sender.send(url, "1", b"{}", 0.0)

    for url in ("http://127.0.0.1:9/token-123", "http://nowhere.invalid/token-123"):
        with pytest.raises(Undelivered) as caught:
            anyio.run(run, url)
        assert "token-123" not in str(caught.value)
    assert "token-123" not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("text2art")
    )
