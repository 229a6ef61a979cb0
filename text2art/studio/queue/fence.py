"""The fence around a job's row: only the claim with its latest attempt may write.

A worker that was thought dead and comes back meets it, whatever it does.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Row, and_

from text2art.studio.db.tables import jobs
from text2art.studio.model import Claim, State, Verdict


def held(claim: Claim) -> ColumnElement[bool]:
    """True of the job's row as long as the claim holds it."""
    return and_(
        jobs.c.id == claim.job_id,
        jobs.c.state == State.RUNNING.value,
        jobs.c.attempt == claim.attempt,
        jobs.c.worker == claim.worker,
    )


def holds(row: Row[Any], claim: Claim) -> bool:
    """Whether the claim holds a row at hand."""
    held_by = (State.RUNNING.value, claim.attempt, claim.worker)
    return (row.state, row.attempt, row.worker) == held_by


def verdict(asked_to_stop: bool | None) -> Verdict:
    """Return the answer to a claim.

    Args:
        asked_to_stop: of the row that it holds, None = it holds none any more.
    """
    if asked_to_stop is None:
        return Verdict.LOST
    return Verdict.CANCEL if asked_to_stop else Verdict.GO
