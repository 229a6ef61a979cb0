"""Events: numbered without gaps, read without misses, kept small."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import text, update

from tests.studio.tools import Bench
from text2art.studio import events
from text2art.studio.db.tables import job_events, jobs
from text2art.studio.model import EventType, NewEvent, Outcome, Progress, State


def log(line: str) -> NewEvent:
    return NewEvent(EventType.LOG, {"text": line})


def add(bench: Bench, job_id: str, *lines: str) -> None:
    with bench.engine.begin() as connection:
        events.append(connection, job_id, [log(line) for line in lines])


def texts(said: list[Any]) -> list[str]:
    return [event.data["text"] for event in said if event.type is EventType.LOG]


def test_a_job_counts_its_events(bench: Bench) -> None:
    one, two = bench.submit(), bench.submit()
    add(bench, one, "a", "b")
    add(bench, two, "c")
    add(bench, one, "d")
    assert [event.seq for event in bench.events(one)] == [1, 2, 3, 4]
    assert texts(bench.events(one)) == ["a", "b", "d"]
    with bench.engine.connect() as connection:
        assert texts(events.since(connection, one, 3)) == ["d"]
        assert texts(events.since(connection, one, 0, limit=2)) == ["a"]
        assert events.since(connection, one, 4) == []


def test_numbers_have_no_gaps_whoever_writes(bench: Bench) -> None:
    job_id = bench.submit()
    barrier = threading.Barrier(6, timeout=60)

    def write(name: str) -> None:
        barrier.wait()
        for number in range(10):
            add(bench, job_id, f"{name} {number}")

    threads = [threading.Thread(target=write, args=(str(n),)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = bench.events(job_id)
    assert [event.seq for event in said] == list(range(1, 62))
    assert sorted(texts(said)) == sorted(f"{n} {k}" for n in range(6) for k in range(10))


def test_a_transaction_undone_leaves_no_gap(bench: Bench) -> None:
    job_id = bench.submit()
    with pytest.raises(RuntimeError, match="on purpose"), bench.engine.begin() as connection:
        events.append(connection, job_id, [log("undone")])
        raise RuntimeError("on purpose")
    add(bench, job_id, "done")
    assert [event.seq for event in bench.events(job_id)] == [1, 2]


def test_the_stream_of_all_goes_on_after_a_place(bench: Bench) -> None:
    mine, also_mine = bench.submit("ann"), bench.submit("ann")
    other = bench.submit("bob")
    with bench.engine.connect() as connection:
        place = events.here(connection)
    add(bench, mine, "a")
    add(bench, other, "not mine")
    add(bench, also_mine, "b", "c")
    heard: list[str] = []
    for _ in range(5):
        with bench.engine.connect() as connection:
            said = events.all_since(connection, "ann", place, limit=2)
        heard += texts(said)
        place = said[-1].place if said else place
    assert heard == ["a", "b", "c"]


@pytest.mark.parametrize("place", ["", "x", "1", "-1.2", "1.2.3", "9" * 40 + ".1", "\u0661.1"])
def test_what_is_no_place_means_the_beginning(bench: Bench, place: str) -> None:
    job_id = bench.submit("ann")
    with bench.engine.connect() as connection:
        said = events.all_since(connection, "ann", place)
    assert [event.job_id for event in said] == [job_id]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_who_reads_while_others_write_misses_nothing(bench: Bench) -> None:
    """A transaction that numbers its row first may commit last: PostgreSQL promises no order."""
    slow, fast = bench.submit("ann"), bench.submit("ann")
    with bench.engine.connect() as connection:
        place = events.here(connection)
    with bench.engine.begin() as writer:
        events.append(writer, slow, [log("numbered first, committed last")])
        add(bench, fast, "numbered last, committed first")
        with bench.engine.connect() as connection:
            early = events.all_since(connection, "ann", place)
        place = early[-1].place if early else place
    with bench.engine.connect() as connection:
        late = events.all_since(connection, "ann", place)
    assert sorted(texts([*early, *late])) == [
        "numbered first, committed last",
        "numbered last, committed first",
    ]


def test_readers_at_work_miss_nothing(bench: Bench) -> None:
    asked = [bench.submit("ann") for _ in range(4)]
    with bench.engine.connect() as connection:
        place = events.here(connection)
    writing = threading.Event()

    def write(job_id: str) -> None:
        for number in range(25):
            add(bench, job_id, f"{job_id} {number}")

    threads = [threading.Thread(target=write, args=(job_id,)) for job_id in asked]
    for thread in threads:
        thread.start()
    heard: list[str] = []
    while True:
        over = not any(thread.is_alive() for thread in threads)
        with bench.engine.connect() as connection:
            said = events.all_since(connection, "ann", place)
        heard += texts(said)
        place = said[-1].place if said else place
        if over and not said:
            break
    assert not writing.is_set()
    assert len(heard) == 100
    assert sorted(heard) == sorted(f"{j} {n}" for j in asked for n in range(25))
    for job_id in asked:
        assert [h for h in heard if h.startswith(job_id)] == [f"{job_id} {n}" for n in range(25)]


def test_after_the_end_only_what_is_of_use_is_kept(bench: Bench) -> None:
    job_id = bench.submit()
    claim = bench.claim()
    frame = NewEvent(EventType.FRAME, {"step": 1, "key": "k"})
    score = NewEvent(EventType.SCORE, {"step": 1, "score": 0.2})
    for step in range(5):
        bench.queue.heartbeat(claim, Progress(step, 5), [log("x"), frame, score])
    before = {event.seq: event.type for event in bench.events(job_id)}
    assert EventType.PROGRESS in before.values()
    bench.queue.finish(claim, Outcome(State.DONE))
    after = {event.seq: event.type for event in bench.events(job_id)}
    kept = {seq: kind for seq, kind in before.items() if kind in events.KEPT}
    assert kept == {seq: kind for seq, kind in after.items() if seq in before}
    assert {*after.values()} == {EventType.STATE, EventType.FRAME, EventType.SCORE}
    assert max(after) == max(before) + 1


def test_places_are_never_given_out_twice(bench: Bench) -> None:
    job_id = bench.submit("ann")
    add(bench, job_id, "x")
    place = bench.events(job_id)[-1].place
    with bench.engine.begin() as connection:
        events.trim(connection, job_id)
    add(bench, job_id, "y")
    with bench.engine.connect() as connection:
        assert texts(events.all_since(connection, "ann", place)) == ["y"]


def test_frames_of_a_later_attempt_replace_those_of_an_earlier(bench: Bench) -> None:
    job_id = bench.submit()
    said = [(1, 5, "1/5"), (1, 10, "1/10"), (2, 10, "2/10"), (2, 15, "2/15")]
    with bench.engine.begin() as connection:
        for _, step, key in said:
            event = NewEvent(EventType.FRAME, {"step": step, "key": key})
            events.append(connection, job_id, [event])
        assert events.frames(connection, job_id) == {5: "1/5", 10: "2/10", 15: "2/15"}
        assert events.last_frame(connection, job_id) == {"step": 15, "key": "2/15"}


def test_events_are_bounded(bench: Bench) -> None:
    job_id = bench.submit()
    add(bench, job_id, "x" * 100_000)
    add(bench, job_id, *["y"] * 1000)
    said = bench.events(job_id)
    assert max(map(len, texts(said))) == events.MAX_TEXT
    assert len(said) == 2 + events.MAX_EVENTS


def test_events_of_another_server_are_readable(bench: Bench) -> None:
    """After a restore by PostgreSQL's own tools, rows may be of transactions yet to come."""
    job_id = bench.submit("ann")
    with bench.engine.begin() as connection:
        connection.execute(update(job_events).values(tx=10**15))
        events.forget_transactions(connection)
    with bench.engine.connect() as connection:
        if bench.engine.dialect.name == "postgresql":
            said = events.all_since(connection, "ann")
            assert [event.job_id for event in said] == [job_id]
            assert connection.execute(text("SELECT max(tx) FROM job_events")).scalar_one() == 0
        assert connection.execute(jobs.select()).one().id == job_id
