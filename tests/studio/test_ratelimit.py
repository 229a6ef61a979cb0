"""Token buckets in the database, on both engines, and in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from text2art.studio.db.engine import now
from text2art.studio.db.tables import rate_buckets
from text2art.studio.ratelimit import Limit, MemoryBuckets, TooMany, clear, require, take

LIMIT = Limit.per(10, 5)  # one token each 2 s


def granted(engine: Engine, at: float, key: str = "k", cost: float = 1.0) -> float:
    with engine.begin() as connection:
        return take(connection, key, LIMIT, cost, at=at)


def test_a_bucket_empties_and_refills(engine: Engine) -> None:
    assert [granted(engine, 100.0) for _ in range(6)] == [0, 0, 0, 0, 0, pytest.approx(2.0)]
    assert granted(engine, 101.0) == pytest.approx(1.0)
    assert granted(engine, 102.0) == 0
    assert granted(engine, 102.0) == pytest.approx(2.0)
    assert granted(engine, 1e6, cost=5) == 0  # never more than full
    assert granted(engine, 1e6, cost=0.5) == pytest.approx(1.0)


def test_refusals_cost_nothing(engine: Engine) -> None:
    assert granted(engine, 100.0, cost=4) == 0
    for _ in range(10):
        assert granted(engine, 100.0, cost=4) == pytest.approx(6.0)
    assert granted(engine, 106.0, cost=4) == 0


def test_a_clock_that_goes_backward_gives_nothing(engine: Engine) -> None:
    assert granted(engine, 100.0, cost=5) == 0
    assert granted(engine, 50.0) > 0
    assert granted(engine, 100.0) > 0


def test_what_never_fits_is_said(engine: Engine) -> None:
    assert granted(engine, 100.0, cost=6) == float("inf")
    with engine.begin() as connection, pytest.raises(TooMany, match="fewer"):
        require(connection, "k", LIMIT, "jobs", 6)


def test_buckets_are_apart_whatever_their_names(engine: Engine) -> None:
    for key in ("a", "b", "a" * 10_000, "a" * 10_001, "\0", "\udfff", "'; DROP TABLE jobs"):
        assert granted(engine, 100.0, key, cost=5) == 0
        assert granted(engine, 100.0, key) > 0


def test_the_database_keeps_the_time(engine: Engine) -> None:
    with engine.begin() as connection:
        for _ in range(5):
            require(connection, "jobs:ann", LIMIT, "jobs")
        with pytest.raises(TooMany, match="too many jobs") as caught:
            require(connection, "jobs:ann", LIMIT, "jobs")
    assert 0 < caught.value.retry_after <= 2


def test_a_transaction_that_fails_takes_nothing(engine: Engine) -> None:
    with pytest.raises(RuntimeError), engine.begin() as connection:
        assert take(connection, "k", LIMIT, 5, at=100.0) == 0
        raise RuntimeError
    assert granted(engine, 100.0, cost=5) == 0


def test_many_at_once_get_no_more_than_there_is(engine: Engine) -> None:
    answers: list[float] = []
    start = threading.Barrier(8)

    def run() -> None:
        start.wait()
        answers.extend(granted(engine, 100.0) for _ in range(4))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 32
    assert answers.count(0) == 5


def test_old_buckets_are_forgotten(engine: Engine) -> None:
    with engine.begin() as connection:
        when = now(connection)
        take(connection, "old", LIMIT, at=when - 100)
        take(connection, "new", LIMIT, at=when)
        assert clear(connection, 50) == 1
        assert list(connection.scalars(select(rate_buckets.c.key))) == ["new"]


@given(st.lists(st.tuples(st.floats(0, 20), st.sampled_from([0.5, 1.0, 3.0])), max_size=30))
def test_memory_grants_what_a_simulation_does(steps: Sequence[tuple[float, float]]) -> None:
    buckets, tokens, at = MemoryBuckets(), LIMIT.burst, 0.0
    for wait, cost in steps:
        at += wait
        tokens = min(LIMIT.burst, tokens + wait * LIMIT.rate)
        answer = buckets.take("k", LIMIT, cost, at=at)
        if answer == 0:
            assert tokens >= cost - 1e-9
            tokens -= cost
        else:
            assert answer == pytest.approx((cost - tokens) / LIMIT.rate)


def test_memory_is_bounded() -> None:
    buckets = MemoryBuckets(most=3)
    for n in range(100):
        assert buckets.take(f"{n}", LIMIT, 5, at=0.0) == 0
    assert len(buckets._buckets) == 3
    assert buckets.take("99", LIMIT, 1, at=0.0) > 0
    assert buckets.take("0", LIMIT, 1, at=0.0) == 0


@pytest.mark.parametrize("kind", ["sqlite"])
def test_memory_and_database_agree(kind: str, new_url: Callable[[str], str]) -> None:
    from text2art.studio.db.engine import open_engine

    engine, buckets, at = open_engine(new_url(kind)), MemoryBuckets(), 100.0
    for step in range(40):
        at += (0.0, 0.0, 1.7, 0.3)[step % 4]
        cost = (1.0, 2.0, 0.5)[step % 3]
        assert granted(engine, at, cost=cost) == pytest.approx(
            buckets.take("k", LIMIT, cost, at=at), abs=1e-6
        )
    engine.dispose()
