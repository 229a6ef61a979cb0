"""The engine for more than one machine: Procrastinate, on PostgreSQL.

Every job has one ticket, a job of Procrastinate's, and Procrastinate does what a queue has to do
with it: it is deferred in the transaction that hands the job in (which also notifies idle
workers), fetched for a worker, kept alive by that worker's heartbeats, found stalled and retried
when they stop, aborted (which notifies its worker) or finished.

Which job is next is the studio's own rule (`order.py`): Procrastinate knows priorities that are set
when a job is deferred, and whose turn it is changes with every claim. So each ticket has a queue of
its own, named after lane and job, and a claim fetches from the queue of the job whose turn it is.

Procrastinate's job manager is made to work in *our* transaction (`_InTransaction`). So a job's row
and its ticket change together or not at all, there is one truth, and no crash can come between the
two. This is also why Procrastinate's worker loop is not used: it fetches, runs and finishes in
transactions of its own. For the same reason each claim is a worker of Procrastinate's: heartbeats
are then of the claim, not of a process that may well outlive it.

Clocks of workers do not matter: every time is the database server's.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job as Ticket
from procrastinate.jobs import Status
from procrastinate.manager import JobManager
from procrastinate.schema import SchemaManager
from procrastinate.sync_psycopg_connector import SyncPsycopgConnector
from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, text
from typing_extensions import LiteralString

from text2art.studio.db.engine import START_SECONDS, is_passing, retrying
from text2art.studio.db.tables import jobs, settings_kv
from text2art.studio.db.wake import JOBS
from text2art.studio.model import Claim, State
from text2art.studio.queue.rows import RowQueue

TASK = "text2art.studio.draw"
_ORDER_LOCK = 0x74326F72  # of PostgreSQL's advisory locks: claims are decided one at a time
_SCHEMA_LOCK = 0x74327073
_SCHEMA_KEY = "procrastinate_schema"
_END = {State.DONE: Status.SUCCEEDED, State.FAILED: Status.FAILED, State.CANCELED: Status.ABORTED}
# When tickets may be fetched: the row decides. Left out, it would be this machine's present time,
# which is later than the beginning of a claim that waits already, and may be wrong altogether.
_LONG_AGO = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
T = TypeVar("T")


class ProcrastinateQueue(RowQueue):
    """`JobQueue` on PostgreSQL, by Procrastinate."""

    def _one_at_a_time(self, connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _ORDER_LOCK})

    def _silent(self, connection: Connection) -> list[str]:
        stalled = _now(
            _manager(connection).get_stalled_jobs(
                task_name=TASK, seconds_since_heartbeat=self.lease_seconds
            )
        )
        asked = select(jobs.c.id).where(jobs.c.state == State.RUNNING.value)
        of_stalled = asked.where(jobs.c.ticket.in_([ticket.id for ticket in stalled]))
        # Where somebody removed or ended the ticket by hand, our own note of the lease decides.
        orphaned = asked.where(
            text("lease_until < extract(epoch FROM clock_timestamp())"),
            text(
                "NOT EXISTS (SELECT 1 FROM procrastinate_jobs t"
                " WHERE t.id = jobs.ticket AND t.status = 'doing')"
            ),
        )
        return [*connection.scalars(of_stalled), *connection.scalars(orphaned)]

    def _enqueued(self, connection: Connection, job_id: str, lane: str) -> None:
        ticket = Ticket(
            id=None,
            queue=_queue_name(lane, job_id),
            task_name=TASK,
            lock=job_id,  # at most one runs
            queueing_lock=job_id,  # at most one waits
            task_kwargs={"job_id": job_id},
        )
        deferred = _manager(connection).defer_job(ticket, connection=_driver(connection))
        self._set(connection, job_id, ticket=deferred.id)

    def _taken(self, connection: Connection, row: Row[Any]) -> tuple[int, int]:
        manager = _manager(connection)
        worker = _now(manager.register_worker())
        ticket = self._fetch(connection, row, worker)
        if ticket is None:  # somebody removed it by hand; the row is what counts
            self._enqueued(connection, row.id, row.lane)
            ticket = self._fetch(connection, row, worker)
        if ticket is None or ticket.id is None:
            raise RuntimeError(f"Procrastinate does not give out the ticket of job {row.id}")
        self._set(connection, row.id, ticket=ticket.id, ticket_worker=worker)
        return ticket.id, worker

    def _fetch(self, connection: Connection, row: Row[Any], worker: int) -> Ticket | None:
        queue = _queue_name(row.lane, row.id)
        return _now(_manager(connection).fetch_job(queues=[queue], worker_id=worker))

    def _alive(self, connection: Connection, claim: Claim) -> None:
        if claim.ticket is not None:
            _now(_manager(connection).update_heartbeat(claim.ticket[1]))

    def _requeued(self, connection: Connection, row: Row[Any]) -> None:
        ticket = _ticket(row)
        if not _done(connection, lambda m: _now(m.retry_job(ticket, retry_at=_LONG_AGO))):
            self._enqueued(connection, row.id, row.lane)
        _unregister(connection, row)
        # Procrastinate notifies of what is new, not of what is retried.
        connection.execute(select(func.pg_notify(JOBS, row.id)))

    def _asked_to_stop(self, connection: Connection, row: Row[Any]) -> None:
        driver = _driver(connection)
        _done(connection, lambda m: m.cancel_job_by_id(row.ticket, abort=True, connection=driver))

    def _ended(self, connection: Connection, row: Row[Any], state: State) -> None:
        driver, ticket, end = _driver(connection), row.ticket, _END[state]
        if row.state == State.QUEUED.value:
            _done(
                connection,
                lambda m: m.cancel_job_by_id(ticket, delete_job=True, connection=driver),
            )
        else:
            _done(
                connection, lambda m: _now(m.finish_job_by_id_async(ticket, end, delete_job=True))
            )
            _unregister(connection, row)


def prepare(engine: Engine) -> None:
    """Bring Procrastinate's own tables to the installed version's, all in one transaction."""
    retrying(engine, _prepare, START_SECONDS)


def _prepare(connection: Connection) -> None:
    migrations = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _SCHEMA_LOCK})
    there = select(settings_kv.c.value).where(settings_kv.c.key == _SCHEMA_KEY)
    latest = connection.execute(there).scalar_one_or_none()
    tables = connection.execute(text("SELECT to_regclass('procrastinate_jobs')")).scalar_one()
    if tables is None:
        scripts = [SchemaManager.get_schema()]
    elif latest is None:
        return  # somebody else keeps them: another application of the same database
    else:
        scripts = [file.read_text("utf-8") for file in migrations if file.name > latest]
    for script in scripts:
        _driver(connection).execute(script)
    if scripts:
        connection.execute(delete(settings_kv).where(settings_kv.c.key == _SCHEMA_KEY))
        connection.execute(insert(settings_kv).values(key=_SCHEMA_KEY, value=migrations[-1].name))


class _InTransaction(SyncPsycopgConnector):
    """Procrastinate's door to the database, which leads into a transaction of ours.

    The asynchronous methods never wait for anything but the database, so `_now` can run them.
    """

    def __init__(self, driver: Any) -> None:
        super().__init__()
        self._driver = driver

    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        self.execute_query_all_with_connection(self._driver, query, **arguments)

    async def execute_query_one_async(
        self, query: LiteralString, **arguments: Any
    ) -> dict[str, Any]:
        return self.execute_query_one_with_connection(self._driver, query, **arguments)

    async def execute_query_all_async(
        self, query: LiteralString, **arguments: Any
    ) -> list[dict[str, Any]]:
        return self.execute_query_all_with_connection(self._driver, query, **arguments)


def _manager(connection: Connection) -> JobManager:
    return JobManager(_InTransaction(_driver(connection)))


def _driver(connection: Connection) -> Any:
    """Return psycopg's own connection, in the middle of SQLAlchemy's transaction."""
    return connection.connection.driver_connection


def _now(act: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits."""
    try:
        act.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    act.close()
    raise RuntimeError("Procrastinate waited for something in our transaction")


def _done(connection: Connection, act: Callable[[JobManager], object]) -> bool:
    """Do something with a ticket; False when it is not there, or not in that state.

    Somebody may have removed it by hand. The job's row is what counts, so that is no failure.
    """
    try:
        with connection.begin_nested():
            return act(_manager(connection)) is not False
    except ConnectorException as error:
        if is_passing(error):
            raise
        return False


def _unregister(connection: Connection, row: Row[Any]) -> None:
    if row.ticket_worker is not None:
        _now(_manager(connection).unregister_worker(row.ticket_worker))


def _ticket(row: Row[Any]) -> Ticket:
    queue = _queue_name(row.lane, row.id)
    return Ticket(id=row.ticket, queue=queue, task_name=TASK, lock=row.id, queueing_lock=row.id)


def _queue_name(lane: str, job_id: str) -> str:
    """Return a ticket's queue. PostgreSQL allows 63 bytes, of which notifying takes 23."""
    return f"{lane}/{job_id}"
