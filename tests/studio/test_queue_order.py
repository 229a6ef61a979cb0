"""The order of the queue against a model of it in a few lines of plain Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from benchmarks.queue_simulation import Line
from tests.studio.conftest import BOTH
from tests.studio.tools import Bench
from text2art.studio.db.engine import open_engine
from text2art.studio.db.tables import job_events, jobs, owners
from text2art.studio.model import Claim, Outcome, State

OWNERS = ("ann", "bob", "cy")
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.sampled_from(OWNERS), st.integers(-1, 1)),
        st.tuples(st.just("claim"), st.just(""), st.just(0)),
        st.tuples(st.just("finish"), st.just(""), st.integers(0, 5)),
        st.tuples(st.just("stop"), st.just(""), st.integers(0, 5)),
        st.tuples(st.just("cancel"), st.just(""), st.integers(0, 5)),
    ),
    max_size=24,
)


@dataclass
class Model:
    """Owners take turns, by a clock of rounds; within an owner's jobs priority, then age."""

    served: dict[str, float] = field(default_factory=dict)
    rounds: float = 0.0
    waiting: list[tuple[str, str, int, int]] = field(default_factory=list)  # id, owner, prio, age
    running: list[str] = field(default_factory=list)  # owners
    clock: int = 0

    def submit(self, job_id: str, owner: str, priority: int) -> None:
        self.clock += 1
        self.enter(owner)
        self.waiting.append((job_id, owner, priority, self.clock))

    def enter(self, owner: str) -> None:
        if not any(w[1] == owner for w in self.waiting):
            self.served[owner] = max(self.served.get(owner, 0.0), self.rounds - 3)

    def may_start(self, cap: int) -> list[tuple[str, str, int, int]]:
        return [w for w in self.waiting if not cap or self.running.count(w[1]) < cap]

    def next(self, cap: int = 0) -> tuple[str, str, int, int] | None:
        waiting = self.may_start(cap)
        if not waiting:
            return None
        oldest = {w[1]: min(v[3] for v in waiting if v[1] == w[1]) for w in waiting}
        owner = min(oldest, key=lambda name: (self.served[name], oldest[name]))
        return min((w for w in waiting if w[1] == owner), key=lambda w: (-w[2], w[3]))

    def serve(self, cap: int = 0) -> str | None:
        chosen = self.next(cap)
        if chosen is None:
            return None
        self.rounds += 1 / len({w[1] for w in self.may_start(cap)})
        self.waiting.remove(chosen)
        self.served[chosen[1]] = self.rounds
        self.running.append(chosen[1])
        return chosen[0]


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("cap", [0, 1])
def test_the_order_is_that_of_the_model(kind: str, cap: int, new_url: Callable[[str], str]) -> None:
    engine = open_engine(new_url(kind))
    bench = Bench(engine, running_per_owner=cap)

    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(ACTS)
    def check(acts: list[tuple[str, str, int]]) -> None:
        with engine.begin() as connection:
            for table in (job_events, jobs, owners):
                connection.execute(delete(table))
        play(bench, acts, cap)

    check()
    bench.queue.close()
    engine.dispose()


def play(bench: Bench, acts: list[tuple[str, str, int]], cap: int) -> None:
    """Do the same with the queue and with the model; they must agree at each claim."""
    model = Model()
    claims: list[tuple[Claim, tuple[str, str, int, int]]] = []
    known: dict[str, tuple[str, str, int, int]] = {}
    for act, owner, number in acts:
        if act == "submit":
            job_id = bench.submit(owner, priority=number, max_attempts=100)
            model.submit(job_id, owner, number)
            known[job_id] = model.waiting[-1]
        elif act == "claim":
            expected = model.serve(cap)
            claim = bench.queue.claim("w")
            assert (claim.job_id if claim else None) == expected
            if claim:
                claims.append((claim, known[claim.job_id]))
        elif act == "cancel" and model.waiting:
            chosen = model.waiting.pop(number % len(model.waiting))
            assert bench.cancel(chosen[0]) is State.CANCELED
        elif act in ("finish", "stop") and claims:
            claim, row = claims.pop(number % len(claims))
            model.running.remove(row[1])
            if act == "finish":
                assert bench.queue.finish(claim, Outcome(State.DONE))
            else:
                assert bench.queue.give_back(claim)
                model.waiting.append(row)
                model.served[row[1]] = -1
    if not cap:
        require_positions(bench, model)


def require_positions(bench: Bench, model: Model) -> None:
    """The positions foretold are those in which the jobs are then served."""
    ids = [job_id for job_id, *_ in model.waiting]
    with bench.engine.connect() as connection:
        foretold = bench.queue.positions(connection, ids)
    assert sorted(foretold.values()) == list(range(1, len(ids) + 1))
    for job_id in sorted(ids, key=foretold.__getitem__):
        assert bench.position(job_id) == 1
        assert bench.claim("w").job_id == job_id
        assert bench.position(job_id) is None
        assert model.serve() == job_id


def test_many_jobs_of_one_owner_hold_up_nobody(bench: Bench) -> None:
    flood = [bench.submit("ann", priority=100) for _ in range(20)]
    bob, cy = bench.submit("bob"), bench.submit("cy")
    first = [bench.claim().job_id for _ in range(6)]
    assert first == [flood[0], bob, cy, *flood[1:4]]


def test_priority_is_among_ones_own_jobs(bench: Bench) -> None:
    low, high = bench.submit("ann"), bench.submit("ann", priority=5)
    other = bench.submit("bob", priority=100)
    assert [bench.claim().job_id for _ in range(3)] == [high, other, low]


# ---- who comes, and who waits ----------------------------------------------------------------

HISTORIES = st.lists(st.one_of(st.sampled_from(range(6)), st.just(None)), max_size=40)


@pytest.mark.parametrize("kind", BOTH)
def test_the_order_of_the_simulation_is_the_studios(
    kind: str, new_url: Callable[[str], str]
) -> None:
    """`benchmarks/queue_simulation.py` plays the queue without a database."""
    engine = open_engine(new_url(kind))
    bench = Bench(engine)

    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(HISTORIES)
    def check(history: list[int | None]) -> None:
        with engine.begin() as connection:
            for table in (job_events, jobs, owners):
                connection.execute(delete(table))
        line = Line()
        known: dict[str, int] = {}
        for owner in history:  # who hands a picture in; None = one is claimed
            if owner is not None:
                known[bench.submit(f"owner {owner}")] = len(known)
                line.join(len(known) - 1, owner)
            elif line.waiting:
                assert known[bench.claim().job_id] == line.next()
        while line.waiting:
            assert known[bench.claim().job_id] == line.next()
        assert bench.queue.claim("w") is None

    check()
    bench.queue.close()
    engine.dispose()


def claims_until(bench: Bench, job_id: str, most: int, coming: str) -> int:
    """Claim until it is a job's turn; before each claim somebody new hands in a picture."""
    for count in range(1, most + 1):
        bench.submit(f"{coming} {count}")
        if bench.claim().job_id == job_id:
            return count
    raise AssertionError(f"not served within {most} claims")


def test_who_waits_is_served_however_many_come(bench: Bench) -> None:
    """The new come as fast as pictures are drawn, and go first; but not for ever."""
    for name in ("ann", "bob", "cy"):
        bench.submit(name)
    second = {name: bench.submit(name) for name in ("ann", "bob", "cy")}
    for _ in range(3):
        bench.claim()
    # Four owners wait at each claim: three for their second picture, and who has just come.
    rounds = 3 + 1
    assert 1 < claims_until(bench, second["ann"], 4 * rounds, "new") <= 4 * rounds
    assert claims_until(bench, second["bob"], 4 * rounds, "newer") <= 4 * rounds


def test_who_comes_is_served_before_the_second_pictures_of_others(bench: Bench) -> None:
    names = [f"owner {number}" for number in range(10)]
    for name in names:
        bench.submit(name)
        bench.submit(name)
    for _ in names:
        bench.claim()
    late = bench.submit("late")
    assert bench.position(late) == 1
    assert bench.claim().job_id == late


def test_who_comes_back_gains_nothing_by_having_waited_with_one_picture(bench: Bench) -> None:
    """Handing in one after the other is served as often as handing in all at once."""
    for _ in range(6):
        bench.submit("ann")
    bench.submit("bob")
    served: list[str] = []
    while len(served) < 8:
        claim = bench.claim()
        served.append(claim.owner_id)
        assert bench.queue.finish(claim, Outcome(State.DONE))
        if claim.owner_id == "bob":
            bench.submit("bob")
    assert served == ["ann", "bob"] * 4


def test_having_been_away_is_no_credit(bench: Bench) -> None:
    bench.submit("ann")
    bench.claim()
    for number in range(20):
        bench.submit(f"other {number}")
        bench.claim()
    mine = [bench.submit("ann") for _ in range(3)]
    other = bench.submit("bob")
    assert [bench.claim().job_id for _ in range(3)] == [mine[0], other, mine[1]]


def test_a_turn_that_came_to_nothing_is_next(bench: Bench) -> None:
    jobs_of_ann = [bench.submit("ann") for _ in range(2)]
    bench.submit("bob")
    claim = bench.claim()
    bench.submit("cy")
    assert bench.queue.give_back(claim)
    assert bench.position(jobs_of_ann[0]) == 1
    assert [bench.claim().owner_id for _ in range(4)] == ["ann", "bob", "cy", "ann"]


def test_the_clock_is_the_latest_turn(bench: Bench) -> None:
    """A round is as many claims as owners wait."""
    for name in ("ann", "bob", "cy", "dee"):
        bench.submit(name)
    for _ in range(2):
        bench.claim()
    with bench.engine.connect() as connection:
        times = {row.id: row.served for row in connection.execute(select(owners))}
    assert times == {
        "ann": pytest.approx(1 / 4),
        "bob": pytest.approx(1 / 4 + 1 / 3),
        "cy": 0,
        "dee": 0,
    }
