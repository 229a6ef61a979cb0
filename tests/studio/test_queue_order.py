"""The order of the queue against a model of it in a few lines of plain Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

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
    """Owners take turns; within an owner's jobs priority, then age."""

    served: dict[str, int] = field(default_factory=dict)
    waiting: list[tuple[str, str, int, int]] = field(default_factory=list)  # id, owner, prio, age
    running: list[str] = field(default_factory=list)  # owners
    clock: int = 0

    def submit(self, job_id: str, owner: str, priority: int) -> None:
        self.clock += 1
        self.waiting.append((job_id, owner, priority, self.clock))

    def next(self, cap: int = 0) -> tuple[str, str, int, int] | None:
        waiting = [w for w in self.waiting if not cap or self.running.count(w[1]) < cap]
        if not waiting:
            return None
        oldest = {w[1]: min(v[3] for v in waiting if v[1] == w[1]) for w in waiting}
        owner = min(oldest, key=lambda name: (self.served.get(name, 0), oldest[name]))
        return min((w for w in waiting if w[1] == owner), key=lambda w: (-w[2], w[3]))

    def serve(self, cap: int = 0) -> str | None:
        chosen = self.next(cap)
        if chosen is None:
            return None
        self.waiting.remove(chosen)
        self.served[chosen[1]] = max(self.served.values(), default=0) + 1
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
                model.served[row[1]] = 0
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
