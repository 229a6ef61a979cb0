"""What is cleared away, and above all what is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select, update

from tests.studio.test_service import ASKED, draw, drawn, owner
from text2art.studio import ratelimit, retention
from text2art.studio import store as store_
from text2art.studio.config import Retention
from text2art.studio.db.engine import now
from text2art.studio.db.tables import jobs, outbox, owners, rate_buckets, uploads
from text2art.studio.ids import new_id
from text2art.studio.model import Job, NotFound, Outcome, State
from text2art.studio.service import LOCAL, Ask, Studio

DAY = retention.DAY
KEEP = {"undo_days": 7, "ended_days": 0, "upload_days": 0}


def age(studio: Studio, days: float, *made: Job) -> None:
    """Let jobs have ended (and been deleted) so long ago, and all files be as old."""
    ids = [job.id for job in made]
    with studio.engine.begin() as connection:
        connection.execute(
            update(jobs)
            .where(jobs.c.id.in_(ids))
            .values(
                finished=jobs.c.finished - days * DAY,
                deleted_at=jobs.c.deleted_at - days * DAY,
            )
        )
    for file in studio.store.walk():
        path = studio.store.local(file.key)
        assert path is not None
        os.utime(path, (1, 1))


def ids(studio: Studio) -> set[str]:
    with studio.engine.connect() as connection:
        return set(connection.scalars(select(jobs.c.id)))


def keys(studio: Studio, job: Job) -> list[str]:
    return [file.key for file in studio.store.walk(store_.job_prefix(job.id))]


def test_nothing_of_use_is_cleared_away(open_studio: Callable[..., Studio], url: str) -> None:
    studio = open_studio(url)
    done, public = drawn(studio, LOCAL), drawn(studio, LOCAL)
    studio.publish(public.id, LOCAL)
    waiting, running = studio.submit(ASKED, LOCAL, Ask(count=2))
    claim = studio.queue.claim("w")
    assert claim is not None
    working = store_.frame_key(claim.job_id, claim.attempt, 1)
    studio.store.put(working, b"x")
    age(studio, 5000, done, public)
    assert retention.clear(studio) == retention.Cleared()
    assert ids(studio) == {done.id, public.id, waiting.id, running.id}
    assert len(keys(studio, done)) == 2
    assert studio.store.exists(working)


def test_deletions_can_be_undone_for_a_while(open_studio: Callable[..., Studio], url: str) -> None:
    studio = open_studio(url, retention=Retention(**KEEP))
    job = drawn(studio, LOCAL)
    studio.delete(job.id, LOCAL)
    age(studio, 6, job)
    assert retention.clear(studio).jobs == 0
    studio.undelete(job.id, LOCAL)
    studio.delete(job.id, LOCAL)
    age(studio, 8, job)
    assert retention.clear(studio).jobs == 1
    assert keys(studio, job) == []
    with pytest.raises(NotFound):
        studio.undelete(job.id, LOCAL)


@pytest.mark.parametrize(
    ("kept", "gone"),
    [
        ({"private_days": 10}, {"private"}),
        ({"public_days": 10}, {"public"}),
        ({"ended_days": 10}, {"failed"}),
        ({"private_days": 100, "public_days": 100, "ended_days": 100}, set()),
    ],
)
def test_each_kind_has_its_time(
    open_studio: Callable[..., Studio], url: str, kept: dict[str, float], gone: set[str]
) -> None:
    studio = open_studio(url, retention=Retention(**{**KEEP, **kept}))
    made = {"private": drawn(studio, LOCAL), "public": drawn(studio, LOCAL)}
    studio.publish(made["private"].id, LOCAL, False)
    failed = studio.submit(ASKED, LOCAL, Ask(public=True))[0]
    claim = studio.queue.claim("w")
    assert claim is not None
    studio.queue.finish(claim, Outcome(State.FAILED, error="on purpose"))
    made["failed"] = failed
    age(studio, 20, *made.values())
    if "public" in gone:
        gone = gone | {"failed"}  # it was to be published, too
    assert retention.clear(studio).jobs == len(gone)
    assert ids(studio) == {job.id for name, job in made.items() if name not in gone}


def test_what_another_job_goes_on_from_is_kept(
    open_studio: Callable[..., Studio], url: str
) -> None:
    studio = open_studio(url, retention=Retention(**KEEP))
    parent = drawn(studio, LOCAL)
    child = studio.continue_from(parent.id, LOCAL)
    studio.delete(parent.id, LOCAL)
    age(studio, 100, parent)
    assert retention.clear(studio).jobs == 0
    assert studio.store.exists(child.settings["init_image"])
    draw(studio, child)
    assert retention.clear(studio).jobs == 1


def test_files_that_no_row_names_are_removed(open_studio: Callable[..., Studio], url: str) -> None:
    studio = open_studio(url)
    job = drawn(studio, LOCAL)
    stray = [
        store_.result_key(job.id, 7, "png"),  # of an attempt that was lost
        store_.result_key(new_id(), 1, "png"),  # of a job that is gone
        "uploads/" + "a" * 64 + ".png",  # whose row was never written
    ]
    for key in stray:
        studio.store.put(key, b"1234")
    assert retention.clear(studio).files == 0  # they may still be being published
    age(studio, 1, job)
    cleared = retention.clear(studio)
    assert (cleared.files, cleared.bytes) == (3, 12)
    assert not any(studio.store.exists(key) for key in stray)
    assert len(keys(studio, job)) == 2


def test_frames_have_their_time(open_studio: Callable[..., Studio], url: str) -> None:
    studio = open_studio(url, retention=Retention(**KEEP, frames_days=10))
    old, new = drawn(studio, LOCAL), drawn(studio, LOCAL)
    age(studio, 20, old)
    age(studio, 5, new)
    assert retention.clear(studio).files == 1
    assert keys(studio, old) == [store_.result_key(old.id, 1, "png")]
    assert len(keys(studio, new)) == 2
    assert studio.get(old.id, LOCAL).frames == {}


def test_uploads_live_as_long_as_settings_that_name_them(
    open_studio: Callable[..., Studio], url: str
) -> None:
    studio = open_studio(url, retention=Retention(**{**KEEP, "upload_days": 3}))
    used, unused, new = (studio.store.put_upload(name) for name in (b"used", b"unused", b"new"))
    row: dict[str, Any] = {"bytes": 1, "width": 1, "height": 1, "created": 1.0, "used": 1.0}
    with studio.engine.begin() as connection:
        for key in (used, unused, new):
            connection.execute(uploads.insert().values(sha256=key[8:72], key=key, **row))
    job = studio.submit({**ASKED, "init_image": used}, LOCAL)[0]
    draw(studio, job)
    with studio.engine.begin() as connection:
        connection.execute(update(uploads).where(uploads.c.key != new).values(used=1.0))
        connection.execute(update(uploads).where(uploads.c.key == new).values(used=2e9))
    age(studio, 10, job)
    assert retention.clear(studio).uploads == 1
    assert [studio.store.exists(key) for key in (used, unused, new)] == [True, False, True]


def test_the_oldest_unpublished_go_when_there_is_too_much(
    open_studio: Callable[..., Studio], url: str
) -> None:
    studio = open_studio(url, retention=Retention(**KEEP, gigabytes=3 * 14e-9))
    made = [drawn(studio, LOCAL, seed=seed) for seed in range(5)]  # 14 bytes each
    for job in made[:1] + made[2:]:
        studio.publish(job.id, LOCAL, job is made[0])
    studio.publish(made[1].id, LOCAL, False)
    assert retention.clear(studio).jobs == 2
    assert ids(studio) == {made[0].id, made[3].id, made[4].id}


def test_sessions_that_left_nothing_are_forgotten(
    open_studio: Callable[..., Studio], url: str
) -> None:
    studio = open_studio(url)
    empty, busy, new = owner(studio), owner(studio), owner(studio)
    studio.submit(ASKED, busy)
    with studio.engine.begin() as connection:
        connection.execute(update(owners).where(owners.c.id != new).values(created=1.0, seen=2.0))
    assert retention.clear(studio).owners == 1
    assert studio.find_owner(empty) is None
    assert all(studio.find_owner(name) for name in (busy, new, LOCAL))
    with studio.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(owners)).scalar_one() == 3


def test_checkpoints_of_old_jobs_go(open_studio: Callable[..., Studio], url: str) -> None:
    studio = open_studio(url, retention=Retention(**KEEP))

    def stopped(job: Job) -> str:
        claim = studio.queue.claim("w")
        assert claim is not None
        assert claim.job_id == job.id
        key = store_.checkpoint_key(job.id, claim.attempt, 5)
        studio.store.put(key, b"1234")
        studio.queue.heartbeat(claim, checkpoint={"step": 5, "key": key, "sha256": "0" * 64})
        studio.queue.finish(claim, Outcome(State.CANCELED))
        return key

    jobs_of_mine = [studio.submit(ASKED, LOCAL)[0] for _ in range(4)]
    old, needed, new, waiting = jobs_of_mine
    keys_of = {job.id: stopped(job) for job in (old, needed, new)}
    claim = studio.queue.claim("w")
    assert claim is not None
    keys_of[waiting.id] = store_.checkpoint_key(waiting.id, 1, 5)
    studio.store.put(keys_of[waiting.id], b"1234")
    known = {"step": 5, "key": keys_of[waiting.id], "sha256": "0" * 64}
    studio.queue.heartbeat(claim, checkpoint=known)
    studio.queue.give_back(claim)
    child = studio.continue_from(needed.id, LOCAL)
    age(studio, 10, old, needed)
    age(studio, 2, new)
    assert retention.clear(studio).checkpoints == 2
    there = {job.id for job in jobs_of_mine if studio.store.exists(keys_of[job.id])}
    assert there == {needed.id, new.id, waiting.id}, "a job goes on from one of them"
    assert studio.get(old.id, LOCAL).job.checkpoint is None
    assert studio.get(new.id, LOCAL).job.checkpoint is not None
    assert studio.get(waiting.id, LOCAL).job.checkpoint == known
    studio.cancel(child.id, LOCAL)
    age(studio, 10, child)
    retention.clear(studio)
    assert not studio.store.exists(keys_of[needed.id])


def test_messages_have_their_time(open_studio: Callable[..., Studio], url: str) -> None:
    studio = open_studio(url, retention=Retention(**KEEP))
    with studio.engine.connect() as connection:
        when = now(connection)
    for state, days in [("sent", 8), ("sent", 6), ("dead", 91), ("dead", 80), ("waiting", 500)]:
        then = when - days * DAY
        values = {"id": f"{state} {days}", "kind": "mail", "target": "x", "payload": {}}
        with studio.engine.begin() as connection:
            sent = then if state == "sent" else None
            row = {**values, "state": state, "created": then, "sent": sent}
            connection.execute(outbox.insert().values(row))
    assert retention.clear(studio).messages == 2
    with studio.engine.connect() as connection:
        left = set(connection.scalars(select(outbox.c.id)))
    assert left == {"sent 6", "dead 80", "waiting 500"}


def test_limits_of_those_who_stay_away_are_forgotten(
    open_studio: Callable[..., Studio], url: str
) -> None:
    studio = open_studio(url)
    slow = ratelimit.Limit.per(DAY, 3)
    with studio.engine.begin() as connection:
        when = now(connection)
        ratelimit.take(connection, "yesterday", slow, at=when - 1.5 * DAY)
        ratelimit.take(connection, "long ago", slow, at=when - 3 * DAY)
    assert retention.clear(studio).buckets == 1
    with studio.engine.connect() as connection:
        assert list(connection.scalars(select(rate_buckets.c.key))) == ["yesterday"]
