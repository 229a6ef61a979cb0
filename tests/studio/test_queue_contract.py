"""The contract of the queue: every engine passes the same tests."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, Engine, func, insert, select, text, update

from tests.studio.tools import TOY, Bench
from text2art.studio.db.tables import jobs, settings_kv
from text2art.studio.ids import new_id
from text2art.studio.model import (
    Claim,
    Conflict,
    EventType,
    Job,
    NewEvent,
    NewJob,
    NotFound,
    Outcome,
    Progress,
    State,
    Verdict,
)
from text2art.studio.queue.opening import open_queue

DONE = Outcome(State.DONE, {"files": {"png": "jobs/x/1/result.png"}})
FRAME = NewEvent(EventType.FRAME, {"step": 5, "key": "jobs/x/1/frames/000005.webp", "width": 32})


def silence(bench: Bench, claim: Claim) -> None:
    """Let a claim's lease run out, as if its worker had died a while ago."""
    past = "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'"
    with bench.engine.begin() as connection:
        connection.execute(update(jobs).where(jobs.c.id == claim.job_id).values(lease_until=1.0))
        if claim.ticket is not None:
            connection.execute(text(f"{past} WHERE id = :id"), {"id": claim.ticket[1]})


# ---- handing in ----------------------------------------------------------------------------


def test_a_job_goes_through_its_states(bench: Bench) -> None:
    job_id = bench.submit(steps=10)
    assert bench.state(job_id) is State.QUEUED
    claim = bench.claim("w1")
    assert (claim.job_id, claim.attempt, claim.settings) == (job_id, 1, TOY)
    assert bench.queue.claim("w2") is None
    assert bench.queue.heartbeat(claim, Progress(5, 10, score=0.3)) is Verdict.GO
    assert (bench.job(job_id).step, bench.job(job_id).progress) == (5, 0.5)
    assert bench.queue.finish(claim, DONE)
    job = bench.job(job_id)
    assert (job.state, job.progress, job.result) == (State.DONE, 1.0, DONE.result)
    assert job.created <= (job.started or 0) <= (job.finished or 0)
    assert bench.states(job_id) == ["queued", "running", "done"]
    assert bench.queue.claim("w1") is None


def test_a_job_is_there_only_if_its_transaction_commits(bench: Bench) -> None:
    bench.owner("ann")
    with pytest.raises(RuntimeError, match="on purpose"), bench.engine.begin() as connection:
        bench.queue.submit(connection, NewJob(new_id(), "ann", TOY, "x", "pixel"))
        raise RuntimeError("on purpose")
    assert bench.queue.claim("w") is None
    with bench.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(jobs)).scalar_one() == 0


def test_settings_keep_their_order(bench: Bench) -> None:
    """Losses are summed in the order in which they were given, and sums of floats depend on it."""
    settings = {"losses": {"symmetry": 1.0, "framing": 0.1, "a": 2.0}, "z": 1, "b": "\U0001f34e"}
    bench.submit(settings=settings)
    assert list(bench.claim().settings["losses"]) == ["symmetry", "framing", "a"]


def test_lanes_are_kept_apart(bench: Bench) -> None:
    job_id = bench.submit(lane="cpu")
    assert bench.queue.claim("w", ("gpu",)) is None
    assert bench.claim("w", ("gpu", "cpu")).job_id == job_id


def test_who_draws_already_takes_the_next_in_turn_or_none(bench: Bench) -> None:
    bench.queue.enlist("w", runner="local", device="cpu", lanes=("gpu",))
    first, second, third = (bench.submit(settings={**TOY, "seed": n}) for n in range(3))
    assert bench.claim("w").job_id == first
    asked: list[int] = []

    def wants(seed: int) -> Callable[[Job], bool]:
        def fits(job: Job) -> bool:
            asked.append(job.settings["seed"])
            return bool(asked[-1] == seed)

        return fits

    assert bench.queue.claim("w", fits=wants(2)) is None  # the third is not next
    assert asked == [1]
    assert bench.state(second) is State.QUEUED
    with bench.engine.connect() as connection:
        assert bench.queue.workers(connection)[0].job_id == first
    taken = bench.queue.claim("w", fits=wants(1))
    assert taken is not None
    assert (taken.job_id, taken.attempt) == (second, 1)
    assert bench.claim("other").job_id == third
    assert bench.queue.claim("w", fits=lambda job: True) is None


def test_a_delayed_job_waits(bench: Bench) -> None:
    late, early = bench.submit(delay=3600), bench.submit()
    assert bench.claim().job_id == early
    assert bench.queue.claim("w") is None
    with bench.engine.begin() as connection:
        connection.execute(update(jobs).where(jobs.c.id == late).values(not_before=1.0))
    assert bench.claim().job_id == late


def test_fifty_submitters_at_once_disturb_nobody(bench: Bench) -> None:
    running_id = bench.submit("first")
    claim = bench.claim()
    for number in range(10):
        bench.owner(f"owner {number}")
    barrier = threading.Barrier(50, timeout=60)

    def ask(number: int) -> str:
        barrier.wait()
        return bench.submit(f"owner {number % 10}")

    with ThreadPoolExecutor(50) as pool:
        asked = list(pool.map(ask, range(50)))
    assert len(set(asked)) == 50
    assert bench.queue.heartbeat(claim) is Verdict.GO
    assert bench.queue.finish(claim, DONE)
    assert bench.job(running_id).attempt == 1
    with bench.engine.connect() as connection:
        positions = bench.queue.positions(connection, asked)
    assert sorted(positions.values()) == list(range(1, 51))
    assert {bench.claim(f"w{n}").job_id for n in range(50)} == set(asked)


# ---- claims --------------------------------------------------------------------------------


def test_workers_at_once_never_share_a_job(bench: Bench) -> None:
    asked = [bench.submit(f"o{n % 3}") for n in range(24)]
    barrier = threading.Barrier(8, timeout=60)

    def work(number: int) -> list[str]:
        barrier.wait()
        mine = []
        while (claim := bench.queue.claim(f"w{number}")) is not None:
            mine.append(claim.job_id)
        return mine

    with ThreadPoolExecutor(8) as pool:
        taken = [job_id for mine in pool.map(work, range(8)) for job_id in mine]
    assert sorted(taken) == sorted(asked)


def test_the_cap_of_running_jobs_is_exact(bench: Bench) -> None:
    capped = bench.with_(running_per_owner=2)
    for _ in range(6):
        bench.submit("ann")
    bob = bench.submit("bob")
    barrier = threading.Barrier(6, timeout=60)

    def take(number: int) -> Claim | None:
        barrier.wait()
        return capped.queue.claim(f"w{number}")

    with ThreadPoolExecutor(6) as pool:
        claims = [claim for claim in pool.map(take, range(6)) if claim is not None]
    assert sorted(claim.owner_id for claim in claims) == ["ann", "ann", "bob"]
    assert bob in {claim.job_id for claim in claims}
    mine = next(claim for claim in claims if claim.owner_id == "ann")
    assert capped.queue.finish(mine, DONE)
    assert capped.claim("w9").owner_id == "ann"


def test_paused_means_no_claims_and_nothing_else(bench: Bench) -> None:
    first, second = bench.submit(), bench.submit()
    claim = bench.claim()
    for _ in range(2):
        with bench.engine.begin() as connection:
            bench.queue.pause(connection)
            assert bench.queue.paused(connection)
    assert bench.queue.claim("w") is None
    assert bench.queue.heartbeat(claim) is Verdict.GO
    assert bench.queue.finish(claim, DONE)
    with bench.engine.begin() as connection:
        bench.queue.resume(connection)
        assert not bench.queue.paused(connection)
    assert (claim.job_id, bench.claim().job_id) == (first, second)


def test_waiting_ends_when_a_job_comes_in(bench: Bench) -> None:
    bench.queue.wait(0.01)  # from now on it listens
    waiter = threading.Thread(target=bench.queue.wait, args=(60,))
    # Each thread listens on its own: hand in until this one has heard.
    waiter.start()
    for _ in range(200):
        bench.submit()
        waiter.join(0.1)
        if not waiter.is_alive():
            break
    assert not waiter.is_alive()


# ---- fences --------------------------------------------------------------------------------


def test_a_silent_claim_is_given_to_another_and_fenced(bench: Bench) -> None:
    job_id = bench.submit()
    lost = bench.claim("w1")
    assert bench.queue.heartbeat(lost, events=[FRAME], checkpoint={"step": 5, "key": "k"})
    silence(bench, lost)
    assert bench.queue.sweep() == [job_id]
    assert bench.queue.sweep() == []
    again = bench.claim("w2")
    assert (again.job_id, again.attempt, again.checkpoint) == (job_id, 2, {"step": 5, "key": "k"})
    published: list[str] = []
    late = NewEvent(EventType.FRAME, {"step": 9, "key": "late"})
    assert bench.queue.heartbeat(lost, Progress(9, 10), [late], {"step": 9}) is Verdict.LOST
    assert bench.queue.look(lost) is Verdict.LOST
    assert not bench.queue.give_back(lost)
    assert not bench.queue.finish(lost, DONE, lambda _: published.append("lost"))
    assert bench.job(job_id).state is State.RUNNING
    assert bench.job(job_id).checkpoint == {"step": 5, "key": "k"}
    assert bench.queue.finish(again, DONE, lambda _: published.append("again"))
    assert published == ["again"]
    assert bench.states(job_id) == ["queued", "running", "queued", "running", "done"]
    keys = [e.data["key"] for e in bench.events(job_id) if e.type is EventType.FRAME]
    assert keys == [FRAME.data["key"]]


def test_a_worker_of_the_same_name_is_fenced_by_its_attempt(bench: Bench) -> None:
    bench.submit()
    lost = bench.claim("w")
    silence(bench, lost)
    bench.queue.sweep()
    again = bench.claim("w")
    assert not bench.queue.finish(lost, DONE)
    assert bench.queue.look(again) is Verdict.GO


def test_a_heartbeat_keeps_a_claim(bench: Bench) -> None:
    short = bench.with_(lease_seconds=1.0)
    short.submit()
    claim = short.claim()
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        assert short.queue.heartbeat(claim) is Verdict.GO
        assert short.queue.sweep() == []
        time.sleep(0.2)
    assert short.queue.finish(claim, DONE)


def test_finishing_again_is_answered_as_before(bench: Bench) -> None:
    """The answer to a commit may get lost: whoever asks again hears yes, and publishes nothing."""
    bench.submit()
    claim = bench.claim()
    published: list[int] = []
    assert bench.queue.finish(claim, DONE, lambda _: published.append(1))
    assert bench.queue.finish(claim, DONE, lambda _: published.append(2))
    assert published == [1]
    assert bench.states(claim.job_id).count("done") == 1


def test_publishing_and_ending_are_one(bench: Bench) -> None:
    bench.submit()
    claim = bench.claim()

    def publish(connection: Connection) -> None:
        connection.execute(insert(settings_kv).values(key="published", value=1))
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        bench.queue.finish(claim, DONE, publish)
    assert bench.state(claim.job_id) is State.RUNNING
    with bench.engine.connect() as connection:
        assert (
            connection.execute(select(settings_kv).where(settings_kv.c.key == "published")).first()
            is None
        )
    assert bench.queue.finish(claim, DONE)


def test_a_claim_ends_in_an_end(bench: Bench) -> None:
    bench.submit()
    claim = bench.claim()
    with pytest.raises(ValueError, match="cannot end as queued"):
        bench.queue.finish(claim, Outcome(State.QUEUED))


# ---- giving up and giving back -------------------------------------------------------------


def test_a_poison_job_is_stopped(bench: Bench) -> None:
    job_id = bench.submit(max_attempts=3)
    for attempt in (1, 2, 3):
        claim = bench.claim(f"w{attempt}")
        assert claim.attempt == attempt
        silence(bench, claim)
        assert bench.queue.sweep() == [job_id]
    job = bench.job(job_id)
    assert job.state is State.FAILED
    assert "3 times" in job.error
    assert bench.queue.claim("w") is None
    assert bench.states(job_id)[-1] == "failed"
    bench.retry(job_id)
    assert bench.claim().attempt == 4
    assert bench.job(job_id).error == ""


def test_a_worker_that_stops_does_not_count_against_the_job(bench: Bench) -> None:
    job_id = bench.submit(max_attempts=1)
    for _ in range(3):
        assert bench.queue.give_back(bench.claim())
        assert bench.state(job_id) is State.QUEUED
    assert bench.queue.finish(bench.claim(), DONE)


def test_a_job_that_kills_its_process_is_tried_again_later(bench: Bench) -> None:
    job_id = bench.submit(max_attempts=2)
    assert bench.queue.give_back(bench.claim(), delay=3600, blame=True, error="out of memory")
    assert bench.state(job_id) is State.QUEUED
    assert bench.queue.claim("w") is None
    with bench.engine.begin() as connection:
        connection.execute(update(jobs).values(not_before=0))
    assert bench.queue.give_back(bench.claim(), blame=True, error="out of memory")
    assert (bench.state(job_id), bench.job(job_id).error) == (State.FAILED, "out of memory")


def test_a_spoiled_turn_is_given_back(bench: Bench) -> None:
    mine = [bench.submit("ann") for _ in range(2)]
    bench.submit("bob")
    claim = bench.claim()
    assert claim.job_id == mine[0]
    silence(bench, claim)
    bench.queue.sweep()
    assert bench.claim().job_id == mine[0]


# ---- canceling -----------------------------------------------------------------------------


def test_a_waiting_job_is_canceled_at_once(bench: Bench) -> None:
    job_id = bench.submit()
    assert bench.cancel(job_id) is State.CANCELED
    assert bench.state(job_id) is State.CANCELED
    assert bench.queue.claim("w") is None
    assert bench.cancel(job_id) is State.CANCELED
    assert bench.states(job_id) == ["queued", "canceled"]


def test_a_running_job_hears_of_its_cancel_and_keeps_its_picture(bench: Bench) -> None:
    job_id = bench.submit()
    claim = bench.claim()
    assert bench.queue.heartbeat(claim, events=[FRAME]) is Verdict.GO
    assert bench.cancel(job_id) is State.RUNNING
    assert bench.queue.look(claim) is Verdict.CANCEL
    assert bench.queue.heartbeat(claim) is Verdict.CANCEL
    assert bench.queue.finish(claim, Outcome(State.CANCELED, {"files": {"png": "p"}}))
    assert bench.job(job_id).result == {"files": {"png": "p"}}
    bench.retry(job_id)
    assert bench.queue.heartbeat(bench.claim()) is Verdict.GO


def test_a_canceled_job_whose_worker_died_keeps_its_last_picture(bench: Bench) -> None:
    job_id = bench.submit()
    claim = bench.claim()
    bench.queue.heartbeat(claim, events=[FRAME])
    bench.cancel(job_id)
    silence(bench, claim)
    bench.queue.sweep()
    job = bench.job(job_id)
    assert job.state is State.CANCELED
    assert job.result == {"files": {"webp": FRAME.data["key"]}, "step": 5, "width": 32}


def test_what_is_over_stays_over(bench: Bench) -> None:
    job_id = bench.submit()
    bench.queue.finish(bench.claim(), DONE)
    assert bench.cancel(job_id) is State.DONE
    with pytest.raises(Conflict, match="is done"):
        bench.retry(job_id)
    with pytest.raises(NotFound):
        bench.cancel(new_id())
    assert bench.state(job_id) is State.DONE


def test_cancels_and_claims_at_once_agree(bench: Bench) -> None:
    asked = [bench.submit(f"o{n}") for n in range(20)]
    barrier = threading.Barrier(2, timeout=60)

    def cancel() -> dict[str, State]:
        barrier.wait()
        return {job_id: bench.cancel(job_id) for job_id in asked}

    def claim() -> dict[str, Claim]:
        barrier.wait()
        claims = {}
        while (taken := bench.queue.claim("w")) is not None:
            claims[taken.job_id] = taken
        return claims

    with ThreadPoolExecutor(2) as pool:
        answers, claims = pool.submit(cancel), pool.submit(claim)
        answered, claimed = answers.result(), claims.result()
    for job_id in asked:
        if answered[job_id] is State.CANCELED:
            assert job_id not in claimed
        else:
            assert bench.queue.look(claimed[job_id]) is Verdict.CANCEL


# ---- clocks --------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_worker_with_a_wrong_clock_does_no_harm(
    bench: Bench, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL a wrong clock changes nothing; on SQLite all processes share it."""
    first, second = bench.submit(), bench.submit()
    claim = bench.claim("w1")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)
    swept = bench.queue.sweep()
    assert swept == ([first] if bench.engine.dialect.name == "sqlite" and hours > 0 else [])
    ended = bench.queue.finish(claim, DONE)
    assert ended is not bool(swept)
    monkeypatch.undo()
    while (other := bench.queue.claim("w2")) is not None:
        assert bench.queue.finish(other, DONE)
    for job_id in (first, second):
        assert bench.states(job_id).count("done") == 1


@pytest.mark.parametrize("hours", [-5, 5])
def test_what_a_process_with_a_wrong_clock_requeues_can_be_claimed_at_once(
    bench: Bench, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import procrastinate.utils

    job_id = bench.submit(max_attempts=9)
    real, right = time.time, procrastinate.utils.utcnow
    wrong = datetime.timedelta(hours=hours)
    for act in ("sweep", "give back", "retry"):
        claim = bench.claim()
        assert claim.job_id == job_id
        monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)
        monkeypatch.setattr(procrastinate.utils, "utcnow", lambda: right() + wrong)
        if act == "sweep":
            silence(bench, claim)
            assert bench.queue.sweep() == [job_id]
        elif act == "give back":
            assert bench.queue.give_back(claim, blame=True)
        else:
            assert bench.queue.finish(claim, Outcome(State.FAILED))
            bench.retry(job_id)
        monkeypatch.undo()
    assert bench.claim().job_id == job_id


def test_a_claim_that_waits_takes_what_is_requeued_meanwhile(bench: Bench) -> None:
    """Whoever began to wait before a job was requeued can take it all the same."""
    job_id = bench.submit()
    claim = bench.claim("w1")
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            turns = [pool.submit(bench.queue.claim, f"w{n}") for n in range(3)]
            assert bench.queue.give_back(claim)
            taken = [found for turn in turns if (found := turn.result()) is not None]
            claim = taken[0] if taken else bench.claim()
            assert (len(taken) <= 1, claim.job_id) == (True, job_id)


def test_a_clock_set_back_keeps_no_dead_worker_alive(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = bench.with_(lease_seconds=0.5)
    job_id = short.submit()
    short.claim()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    assert short.queue.sweep() == []
    until = time.monotonic() + 20
    while (swept := short.queue.sweep()) == [] and time.monotonic() < until:
        time.sleep(0.05)
    assert swept == [job_id]


# ---- workers -------------------------------------------------------------------------------


def test_workers_are_seen_with_what_they_draw(bench: Bench) -> None:
    bench.queue.enlist("w1", runner="local", device="cpu", lanes=["gpu", "cpu"])
    bench.queue.enlist("w1", runner="local", device="cuda:0", lanes=["gpu"])
    bench.queue.enlist("w2", runner="cog", device="", lanes=["gpu"])
    job_id = bench.submit()
    claim = bench.claim("w1")
    with bench.engine.connect() as connection:
        there = {worker.id: worker for worker in bench.queue.workers(connection)}
    assert (there["w1"].device, there["w1"].lanes, there["w1"].job_id) == (
        "cuda:0",
        ("gpu",),
        job_id,
    )
    assert there["w2"].job_id is None
    bench.queue.finish(claim, DONE)
    bench.queue.dismiss("w2")
    with bench.engine.connect() as connection:
        there = {worker.id: worker for worker in bench.queue.workers(connection)}
    assert list(there) == ["w1"]
    assert there["w1"].job_id is None


# ---- ends ----------------------------------------------------------------------------------


def test_whoever_ends_a_job_the_end_is_noticed_once(engine: Engine) -> None:
    ended: list[tuple[str, State]] = []
    queue = open_queue(engine, on_end=lambda _, job: ended.append((job.id, job.state)))
    bench = Bench(engine)
    bench.queue = queue
    done = bench.submit(max_attempts=1)
    assert queue.finish(bench.claim(), DONE)
    assert queue.finish(Claim(done, 1, "w", 30, "ann", "gpu", {}), DONE)
    waiting = bench.submit()
    bench.cancel(waiting)
    poison = bench.submit(max_attempts=1)
    silence(bench, bench.claim())
    queue.sweep()
    expected = [(done, State.DONE), (waiting, State.CANCELED), (poison, State.FAILED)]
    assert ended == expected
