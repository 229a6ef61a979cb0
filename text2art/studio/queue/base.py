"""The seam between those who ask, those who draw, and whoever keeps the order between them.

What every engine guarantees (`tests/studio/test_queue_contract.py` checks it):

- A job handed in is there if and only if the caller's transaction commits.
- A claimed job belongs to one claim. When its heartbeats stop for `lease_seconds`, the job is given
  to another worker, from its last checkpoint; after `max_attempts` such starts it fails instead.
- Starts are at least once, ends exactly once: whatever a claim writes is fenced by its attempt, so
  a worker that was thought dead and comes back is answered LOST and nothing of it is published.
- `publish` and the end of the job are one transaction: both are seen, or neither.
- Order: the owner who was served least recently, in rounds, where whoever comes (anew, or again
  after a pause) counts as served a few rounds ago; then priority within that owner's jobs, then
  age. So who comes is served soon, and who waits is served within a bounded number of rounds,
  however many come. Jobs whose `delay` has not passed and owners at their cap of running jobs are
  passed over. A turn that a worker's death or stop spoiled is given back to its owner.
- A canceled job never starts; a running one hears of it at its next heartbeat.
- Pausing holds back further claims and disturbs no running job.

Methods that take a `connection` are part of the caller's transaction; the others make their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sqlalchemy import Connection

from text2art.studio.model import (
    Claim,
    Job,
    Json,
    NewEvent,
    NewJob,
    Outcome,
    Progress,
    State,
    Verdict,
    WorkerInfo,
)

Publish = Callable[[Connection], None]
Fits = Callable[[Job], bool]


class JobQueue(Protocol):
    """What faces and workers may ask of a queue."""

    # ---- asked by faces, in the caller's transaction ------------------------------------------

    def submit(self, connection: Connection, job: NewJob) -> Job:
        """Hand in a job. Its caps are checked by the service."""

    def cancel(self, connection: Connection, job_id: str) -> State:
        """Cancel a job: at once when it waits, at its next heartbeat when it runs.

        Returns:
            CANCELED; RUNNING when it has been asked to stop; its end when it was over already.
        """

    def retry(self, connection: Connection, job_id: str) -> None:
        """Put a failed or canceled job back into the queue with fresh attempts.

        Raises:
            Conflict: it is neither.
        """

    def position(self, connection: Connection, job_id: str) -> int | None:
        """Return how many claims from now it will be served (1 = next), None unless it waits."""

    def positions(self, connection: Connection, job_ids: Sequence[str]) -> dict[str, int]:
        """Return the positions of those that wait."""

    def pause(self, connection: Connection) -> None:
        """Give out no further jobs."""

    def resume(self, connection: Connection) -> None:
        """Give out jobs again."""

    def paused(self, connection: Connection) -> bool:
        """Whether no jobs are given out."""

    # ---- asked by workers, each in a transaction of its own -----------------------------------

    def claim(
        self, worker: str, lanes: Sequence[str] = ("gpu",), fits: Fits | None = None
    ) -> Claim | None:
        """Take the next job, or None when there is none for now. Never waits for one.

        Args:
            worker: that draws it.
            lanes: that it serves.
            fits: of whoever draws something already, and would take the next one besides: says
                whether it would. Where it says no, none is taken: nobody's turn is passed over.
        """

    def heartbeat(
        self,
        claim: Claim,
        progress: Progress | None = None,
        events: Sequence[NewEvent] = (),
        checkpoint: Json | None = None,
    ) -> Verdict:
        """Say that the claim lives, and what happened since. LOST: nothing was written.

        To be called every `lease_seconds / 5` or so, from a thread that the drawing cannot block.

        Args:
            claim: what `claim` gave.
            progress: how far it has got, if it got further.
            events: what else happened.
            checkpoint: where another worker could go on, its file written already.
        """

    def look(self, claim: Claim) -> Verdict:
        """Read the verdict without a heartbeat: cheap, for hearing of a cancel within a step."""

    def finish(self, claim: Claim, outcome: Outcome, publish: Publish | None = None) -> bool:
        """End the job and publish, in one transaction. False: the claim was lost, nothing is.

        Args:
            claim: what `claim` gave.
            outcome: how it ended, and what there is to show.
            publish: further writes of that transaction (outbox rows, for example).
        """

    def give_back(
        self, claim: Claim, *, delay: float = 0.0, blame: bool = False, error: str = ""
    ) -> bool:
        """Return a job unfinished. False: the claim was lost.

        Args:
            claim: what `claim` gave.
            delay: seconds before it may start again.
            blame: whether it was the job's fault, as when it killed its process: the attempt then
                counts, and after `max_attempts` the job fails with `error`. Otherwise (a worker
                that is being stopped) it does not count.
            error: one line for the job's owner.
        """

    def sweep(self) -> list[str]:
        """Requeue (or fail) jobs whose claims have gone silent; return their ids.

        Any number of processes may call it, every few seconds. Claims sweep on their own, too.
        """

    def wait(self, seconds: float) -> None:
        """Wait until a job may have come in, or the time is over."""

    def close(self) -> None:
        """End all waiting and let go of its connections; the engine is its opener's to close."""

    # ---- who is there --------------------------------------------------------------------------

    def enlist(self, worker: str, *, runner: str, device: str, lanes: Sequence[str]) -> None:
        """Say that a worker is there; its claims and heartbeats say so from then on."""

    def dismiss(self, worker: str) -> None:
        """Say that a worker is gone."""

    def workers(self, connection: Connection) -> list[WorkerInfo]:
        """Return the workers heard of lately."""
