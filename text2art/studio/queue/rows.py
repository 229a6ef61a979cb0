"""The queue as rows of jobs: what both engines have in common.

`states.py` leads a row from state to state, `acts.py` is what faces ask; here is what workers ask.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from text2art.studio import events as events_
from text2art.studio.db.engine import now
from text2art.studio.db.rows import job_of, row_of
from text2art.studio.db.tables import jobs
from text2art.studio.db.wake import JOBS, Wake
from text2art.studio.model import (
    Claim,
    EventType,
    Json,
    NewEvent,
    Outcome,
    Progress,
    State,
    Verdict,
    WorkerInfo,
)
from text2art.studio.queue import order, roster
from text2art.studio.queue.acts import Acts
from text2art.studio.queue.base import Fits, Publish
from text2art.studio.queue.fence import held, holds, verdict


class RowQueue(Acts):
    """The queue as states of rows. Safe for threads; make one per process."""

    def claim(
        self, worker: str, lanes: Sequence[str] = ("gpu",), fits: Fits | None = None
    ) -> Claim | None:
        """Take the next job, or None when there is none for now."""
        if time.monotonic() >= self._sweep_due:
            self._sweep_due = time.monotonic() + self.lease_seconds / 10
            self.sweep()
        return self._run(lambda connection: self._claim(connection, worker, lanes, fits))

    def _claim(
        self, connection: Connection, worker: str, lanes: Sequence[str], fits: Fits | None
    ) -> Claim | None:
        self._one_at_a_time(connection)
        when = now(connection)
        if fits is None:
            roster.note(connection, worker, None, when)
        if self.paused(connection):
            return None
        while True:
            turn = order.next_turn(connection, lanes, when, self.running_per_owner)
            if turn is None or (fits is not None and not fits(job_of(turn.job))):
                return None
            started = turn.job.started
            taken = connection.execute(
                update(jobs)
                .where(jobs.c.id == turn.job.id, jobs.c.state == State.QUEUED.value)
                .values(
                    state=State.RUNNING.value,
                    attempt=jobs.c.attempt + 1,
                    worker=worker,
                    lease_until=when + self.lease_seconds,
                    started=when if started is None else started,
                )
                .returning(jobs)
            ).first()
            if taken is not None:  # else it was canceled in between
                break
        order.note_turn(connection, turn)
        roster.note(connection, worker, taken.id, when)
        ticket = self._taken(connection, taken)
        self._say(connection, taken.id, State.RUNNING, when, attempt=taken.attempt)
        return Claim(
            job_id=taken.id,
            attempt=taken.attempt,
            worker=worker,
            lease_seconds=self.lease_seconds,
            owner_id=taken.owner_id,
            lane=taken.lane,
            settings=dict(taken.settings),
            checkpoint=taken.checkpoint,
            parent_id=taken.parent_id,
            ticket=ticket,
        )

    def heartbeat(
        self,
        claim: Claim,
        progress: Progress | None = None,
        events: Sequence[NewEvent] = (),
        checkpoint: Json | None = None,
    ) -> Verdict:
        """Say that the claim lives, and what happened since. LOST: nothing was written."""

        def work(connection: Connection) -> Verdict:
            when = now(connection)
            values: dict[str, Any] = {"lease_until": when + self.lease_seconds}
            said = list(events)
            if checkpoint is not None:
                values["checkpoint"] = checkpoint
            if progress is not None:
                values |= _columns(progress)
                said.append(NewEvent(EventType.PROGRESS, _columns(progress)))
            asked = update(jobs).where(held(claim)).values(values)
            asked_to_stop = connection.execute(
                asked.returning(jobs.c.cancel_requested)
            ).scalar_one_or_none()
            if asked_to_stop is not None:
                self._alive(connection, claim)
                roster.note(connection, claim.worker, claim.job_id, when)
                events_.append(connection, claim.job_id, said, when)
            return verdict(asked_to_stop)

        return self._run(work)

    def look(self, claim: Claim) -> Verdict:
        """Read the verdict without a heartbeat."""
        asked = select(jobs.c.cancel_requested).where(held(claim))
        return self._read(lambda c: verdict(c.execute(asked).scalar_one_or_none()))

    def finish(self, claim: Claim, outcome: Outcome, publish: Publish | None = None) -> bool:
        """End the job and publish, in one transaction. False: the claim was lost, nothing is."""
        if not outcome.state.ended:
            raise ValueError(f"a claim cannot end as {outcome.state.value}")

        def work(connection: Connection) -> bool:
            row = row_of(connection, claim.job_id, lock=True)
            if not holds(row, claim):
                # The answer to our own commit may have got lost, and we ask again.
                mine = (row.attempt, row.worker) == (claim.attempt, claim.worker)
                return mine and State(row.state).ended
            self._end(connection, row, outcome)
            roster.note(connection, claim.worker, None, now(connection))
            if publish is not None:
                publish(connection)
            return True

        return self._run(work)

    def give_back(
        self, claim: Claim, *, delay: float = 0.0, blame: bool = False, error: str = ""
    ) -> bool:
        """Return a job unfinished. False: the claim was lost."""

        def work(connection: Connection) -> bool:
            row = row_of(connection, claim.job_id, lock=True)
            if not holds(row, claim):
                return False
            reason = "failed" if blame else "stopped"
            self._put_back(connection, row, reason, delay=delay, error=error)
            roster.note(connection, claim.worker, None, now(connection))
            return True

        return self._run(work)

    def sweep(self) -> list[str]:
        """Requeue (or fail) jobs whose claims have gone silent; return their ids."""

        def put_back(connection: Connection, job_id: str) -> bool:
            row = row_of(connection, job_id, lock=True)
            if job_id not in self._silent(connection):
                return False  # another was quicker, or it lives after all
            self._put_back(connection, row, "lost")
            return True

        # One transaction each: none waits for a row while it holds another.
        silent = self._read(self._silent)
        return [name for name in silent if self._run(functools.partial(put_back, job_id=name))]

    def wait(self, seconds: float) -> None:
        """Wait until a job may have come in, or the time is over."""
        wake: Wake | None = getattr(self._mine, "wake", None)
        if wake is None:
            wake = self._mine.wake = Wake(self.engine, (JOBS,))
            self._wakes.append(wake)
        wake.wait(seconds)

    def close(self) -> None:
        """End all waiting and let go of its connections; the engine is its opener's to close."""
        while self._wakes:
            self._wakes.pop().close()

    # ---- who is there --------------------------------------------------------------------------

    def enlist(self, worker: str, *, runner: str, device: str, lanes: Sequence[str]) -> None:
        """Say that a worker is there; its claims and heartbeats say so from then on."""
        self._run(lambda c: roster.enlist(c, worker, runner=runner, device=device, lanes=lanes))

    def dismiss(self, worker: str) -> None:
        """Say that a worker is gone."""
        self._run(lambda connection: roster.dismiss(connection, worker))

    def workers(self, connection: Connection) -> list[WorkerInfo]:
        """Return the workers heard of lately."""
        return roster.present(connection, max(60.0, 2 * self.lease_seconds))


def _columns(progress: Progress) -> Json:
    return {
        "step": progress.step,
        "steps": progress.steps,
        "progress": progress.fraction,
        "score": progress.score,
        "loss": progress.loss,
        "eta_seconds": progress.eta_seconds,
    }
