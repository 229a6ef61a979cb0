"""Rows of jobs as jobs."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Row, select

from text2art.studio.db.tables import jobs
from text2art.studio.model import Job, NotFound, State

_FIELDS = tuple(field.name for field in fields(Job))


def row_of(connection: Connection, job_id: str, *, lock: bool = False) -> Row[Any]:
    """Return a job's row; locked, others wait until this transaction ends before they change it.

    Raises:
        NotFound: there is no such job.
    """
    asked = select(jobs).where(jobs.c.id == job_id)
    row = connection.execute(asked.with_for_update() if lock else asked).first()
    if row is None:
        raise NotFound(f"there is no job {job_id[:40]}")
    return row


def job_of(row: Row[Any]) -> Job:
    """Return a row as a `Job`."""
    columns = row._asdict()
    return Job(**{**{name: columns[name] for name in _FIELDS}, "state": State(row.state)})
