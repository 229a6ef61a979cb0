"""Workers are killed at random, the database crashes: every job ends exactly once."""

from __future__ import annotations

import itertools
import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from tests.studio import fault_worker
from tests.studio.conftest import BOTH
from tests.studio.tools import Bench
from text2art.studio.db.engine import open_engine
from text2art.studio.db.tables import jobs
from text2art.studio.model import EventType, State

WORKERS, LEASE = 5, 1.0
PRELOADED = [
    "tests.studio.fault_worker",
    "text2art.studio.queue.lease",
    "text2art.studio.queue.procrastinate",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "pytest",  # each process looks at the program that started it
]


class Crew:
    """Worker processes, some of which are killed and replaced."""

    def __init__(self, url: str, step_seconds: float, seed: int) -> None:
        self._url, self._step_seconds = url, step_seconds
        # A server that has imported everything forks workers in milliseconds: they are killed at
        # work, then, and not while they import. What is not installed is left out by the server.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)
        self._names = (f"w{number}" for number in itertools.count())
        self._random = random.Random(seed)
        self.processes: dict[str, Any] = {}
        self.killed: list[str] = []

    def fill(self) -> None:
        """Start workers until there are enough; none may have ended on its own."""
        assert all(process.is_alive() for process in self.processes.values())
        while len(self.processes) < WORKERS:
            name = next(self._names)
            arguments = (self._url, name, LEASE, self._step_seconds)
            process = self._context.Process(target=fault_worker.main, args=arguments, daemon=True)
            process.start()
            self.processes[name] = process

    def kill_one(self) -> None:
        """Kill a worker without warning (SIGKILL)."""
        name = self._random.choice(sorted(self.processes))
        process = self.processes.pop(name)
        process.kill()
        process.join()
        self.killed.append(name)

    def kill_all(self) -> None:
        """Kill what is left."""
        while self.processes:
            self.kill_one()


def unfinished(bench: Bench) -> int:
    """Count the jobs that have not ended."""
    asked = select(func.count()).where(jobs.c.state.in_(["queued", "running"]))
    while True:
        try:
            with bench.engine.connect() as connection:
                return int(connection.execute(asked).scalar_one())
        except DBAPIError:  # the database has just crashed
            time.sleep(0.1)


def survive(
    bench: Bench, count: int, step_seconds: float, crash: Callable[[], None] | None
) -> Crew:
    """Let killed workers draw so many jobs; then look at what is left."""
    fault_worker.books.create_all(bench.engine)
    asked = [bench.submit(f"owner {number % 7}", max_attempts=1000) for number in range(count)]
    crew = Crew(bench.engine.url.render_as_string(hide_password=False), step_seconds, seed=count)
    crashes = [count * 2 // 3, count // 3] if crash else []
    try:
        while (left := unfinished(bench)) or crashes:
            if not left:  # on a busy machine all may end between two looks: some more to crash on
                asked += [bench.submit(f"owner {n}", max_attempts=1000) for n in range(count // 3)]
            crew.fill()
            time.sleep(0.25)
            crew.kill_one()
            if crash is not None and crashes and left <= crashes[0]:
                crashes.pop(0)
                crash()
    finally:
        crew.kill_all()
    assert not crashes
    require_each_ended_once(bench, asked)
    return crew


def require_each_ended_once(bench: Bench, asked: list[str]) -> None:
    """None lost, none ended or published twice, and each by the attempt that ended it."""
    with bench.engine.connect() as connection:
        rows = {row.id: row for row in connection.execute(select(jobs))}
        shown = list(connection.execute(select(fault_worker.published)))
    assert sorted(rows) == sorted(asked)
    assert {row.state for row in rows.values()} == {State.DONE.value}
    assert Counter(row.job_id for row in shown) == Counter(asked)
    for row in shown:
        job = rows[row.job_id]
        assert (row.attempt, row.worker) == (job.attempt, job.worker)
        assert job.result["attempt"] == job.attempt
    for job_id in asked:
        said = bench.events(job_id)
        states = [e.data["state"] for e in said if e.type is EventType.STATE]
        assert states.count("done") == 1
        assert states[-1] == "done"
        assert states == ["queued", "running"] * rows[job_id].attempt + ["done"]
        assert [e.seq for e in said] == sorted({e.seq for e in said})
        last = [e.data["key"] for e in said if e.type is EventType.FRAME][-fault_worker.STEPS :]
        attempt = rows[job_id].attempt
        assert last == [f"{attempt}/{step}" for step in range(1, fault_worker.STEPS + 1)]
    assert any(row.attempt > 1 for row in rows.values()), "no worker was killed at work"


@pytest.mark.parametrize(
    ("count", "step_seconds"), [(30, 0.05), pytest.param(200, 0.01, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("kind", BOTH)
def test_workers_killed_at_random(
    kind: str,
    count: int,
    step_seconds: float,
    new_url: Callable[[str], str],
    request: pytest.FixtureRequest,
) -> None:
    """Few jobs take their time, so that all workers are at work when one of them is killed."""
    engine = open_engine(new_url(kind))
    bench = Bench(engine, lease_seconds=LEASE)
    crash = request.getfixturevalue("server").crash if kind == "postgresql" else None
    crew = survive(bench, count, step_seconds, crash)
    assert len(crew.killed) > WORKERS
    bench.queue.close()
    engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOTH)
def test_longer_jobs_and_many_more_kills(
    kind: str, new_url: Callable[[str], str], request: pytest.FixtureRequest
) -> None:
    engine = open_engine(new_url(kind))
    bench = Bench(engine, lease_seconds=LEASE)
    crash = request.getfixturevalue("server").crash if kind == "postgresql" else None
    crew = survive(bench, 150, 0.1, crash)
    assert len(crew.killed) > 20
    bench.queue.close()
    engine.dispose()
