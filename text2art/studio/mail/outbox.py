"""Delivery: what ended jobs left in the outbox gets to people and programs, at least once.

Every message keeps its id (`Message-ID`, `webhook-id`) however often it is sent, so whoever gets it
twice can tell. What does not get there is tried again for more than a day, at growing distances;
what will never get there, or did not in all that time, is given up and shown to the studio's owner
(`rows.dead_letters`) and the job's.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import replace

import anyio
from anyio.abc import TaskGroup
from sqlalchemy import Engine

from text2art.studio.db.engine import is_passing, is_postgresql
from text2art.studio.db.wake import OUTBOX, Wake
from text2art.studio.mail import rows
from text2art.studio.mail.failures import Undelivered
from text2art.studio.mail.mailer import Mailer, NotYet
from text2art.studio.mail.rows import LEASE_SECONDS, Due
from text2art.studio.mail.webhooks import WebhookSender, body_of
from text2art.studio.model import Json

Describe = Callable[[str], "Json | None"]
FIRST_SECONDS, LONGEST_SECONDS = 5.0, 12 * 3600.0  # between tries
MOST_TRIES = 10  # together some 32 hours
_GROWTH = 4.0
_AT_ONCE = {"mail": 4, "webhook": 8}
_POLL_SECONDS = 1.0  # between looks, where nothing tells of new rows
_FALLBACK_SECONDS = 30.0  # where it does, in case that it was missed
_LISTEN_SECONDS = 60.0  # of one wait for such news
_DELIVERY_SECONDS = LEASE_SECONDS - 60.0  # then it is cut off, while the row is still ours
_SYSTEM = secrets.SystemRandom()
_log = logging.getLogger(__name__)


def backoff(attempt: int, chance: float) -> float:
    """Return the seconds to wait after a try that failed.

    Args:
        attempt: 1 for the first try.
        chance: in [0, 1): spreads what failed at the same time, by a quarter in each direction.
    """
    grown = FIRST_SECONDS * _GROWTH ** min(attempt - 1, 20)
    return min(min(grown, LONGEST_SECONDS) * (0.75 + 0.5 * chance), LONGEST_SECONDS)


class Delivery:
    """Delivers an outbox; any number may run, in any number of processes."""

    def __init__(
        self,
        engine: Engine,
        *,
        mailer: Mailer | None,
        webhooks: WebhookSender | None,
        describe: Describe,
        poll_seconds: float | None = None,
        chance: Callable[[], float] = _SYSTEM.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Say what delivers.

        Args:
            engine: of the database.
            mailer: None leaves mails where they are.
            webhooks: None leaves webhooks where they are.
            describe: gives a job's JSON by its id, None where it is gone.
            poll_seconds: between looks into the outbox, at most; default: 1, and 30 on PostgreSQL,
                which says when there is something new.
            chance: numbers in [0, 1) for the distance of tries.
            clock: seconds since 1970, for the timestamps of webhooks.
        """
        self._engine, self._mailer, self._webhooks = engine, mailer, webhooks
        self._describe, self._listens = describe, is_postgresql(engine)
        usual = _FALLBACK_SECONDS if self._listens else _POLL_SECONDS
        self._poll = usual if poll_seconds is None else poll_seconds
        self._chance, self._clock = chance, clock
        self._kinds = [
            kind for kind, way in (("mail", mailer), ("webhook", webhooks)) if way is not None
        ]
        self._busy = dict.fromkeys(self._kinds, 0)
        self._freed: anyio.Event | None = None

    async def run(self) -> None:
        """Deliver until cancelled. What is under way then is sent again once its lease is over."""
        wake = Wake(self._engine, (OUTBOX,))
        try:
            async with anyio.create_task_group() as tasks:
                if self._listens:
                    await anyio.to_thread.run_sync(wake.listen)
                    tasks.start_soon(self._listen, wake)
                while True:
                    # Made before the look, so that what comes in meanwhile ends the pause.
                    self._freed = anyio.Event()
                    pause = min(self._poll, _POLL_SECONDS)
                    try:
                        await self._start(tasks)
                        pause = await anyio.to_thread.run_sync(self._pause)
                    except Exception as error:  # delivery never ends for good
                        unknown = None if is_passing(error) else error
                        _log.warning("the outbox cannot be read at present", exc_info=unknown)
                        await anyio.sleep(pause)
                    with anyio.move_on_after(pause):
                        await self._freed.wait()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(wake.close)

    async def _listen(self, wake: Wake) -> None:
        """End the pause whenever the database says that there are new rows."""
        own = anyio.CapacityLimiter(1)  # it takes no thread from requests
        while True:
            try:
                heard = await anyio.to_thread.run_sync(
                    wake.wait, _LISTEN_SECONDS, abandon_on_cancel=True, limiter=own
                )
            except Exception:
                _log.warning("the outbox is not listened to at present", exc_info=True)
                await anyio.sleep(self._poll)
                heard = True
            if heard and self._freed is not None:
                self._freed.set()

    def _pause(self) -> float:
        """Return the seconds until the next look, if nothing is heard meanwhile."""
        shortest = min(self._poll, _POLL_SECONDS)  # of what is due others may be at work
        free = [kind for kind in self._kinds if self._busy[kind] < _AT_ONCE[kind]]
        if not self._listens or not free:
            return self._poll
        return min(max(rows.seconds_until_due(self._engine, free), shortest), self._poll)

    async def deliver_due(self) -> int:
        """Deliver what is due now, and wait until all of it was tried; return how many."""
        total = 0
        while True:
            async with anyio.create_task_group() as tasks:
                started = await self._start(tasks)
            if not started:
                return total
            total += started

    async def _start(self, tasks: TaskGroup) -> int:
        """Take what is due, as much as there is room for, and begin to deliver it."""
        started = 0
        for kind in self._kinds:
            room = _AT_ONCE[kind] - self._busy[kind]
            taken = await anyio.to_thread.run_sync(rows.take, self._engine, kind, room)
            for due in taken:
                self._busy[kind] += 1
                started += 1
                tasks.start_soon(self._deliver, due)
        return started

    async def _deliver(self, due: Due) -> None:
        try:
            due, failure = await self._try(due)
            await anyio.to_thread.run_sync(self._note, due, failure)
        except Exception:
            # The row is due again when its lease is over.
            _log.exception("what became of message %s could not be noted", due.id)
        finally:
            self._busy[due.kind] -= 1
            if self._freed is not None:
                self._freed.set()

    async def _try(self, due: Due) -> tuple[Due, Undelivered | NotYet | None]:
        """Try a delivery; return the row as it was tried, and what was in the way."""
        if due.attempts > MOST_TRIES:  # its process died each time, before it could say so
            return due, Undelivered("given up after too many tries", final=True)
        try:
            with anyio.fail_after(_DELIVERY_SECONDS):
                if due.kind == "webhook":
                    due = await anyio.to_thread.run_sync(self._with_body, due)
                await self._hand_over(due)
        except (Undelivered, NotYet) as error:
            return due, error
        except TimeoutError:
            return due, Undelivered("it took too long", final=False)
        except Exception:
            _log.exception("message %s could not be sent", due.id)
            return due, Undelivered("an error of the studio: see its log", final=False)
        return due, None

    async def _hand_over(self, due: Due) -> None:
        if due.kind == "webhook":
            assert self._webhooks is not None
            body = str(due.payload["body"]).encode()
            await self._webhooks.send(due.target, due.id, body, self._clock())
        else:
            assert self._mailer is not None
            await self._mailer.send(due)

    def _with_body(self, due: Due) -> Due:
        """Return a webhook with its body, which stays the same in every try."""
        if "body" in due.payload:
            return due
        job = self._describe(due.job_id) if due.job_id is not None else None
        if job is None:
            raise Undelivered("the job is gone", final=True)
        # The event is told as it was, whatever became of the job meanwhile.
        job = {**job, "state": due.payload.get("state", job.get("state"))}
        return replace(due, payload={**due.payload, "body": body_of(job).decode()})

    def _note(self, due: Due, failure: Undelivered | NotYet | None) -> None:
        """Write down what became of a try."""
        if failure is None:
            rows.delivered(self._engine, due)
        elif isinstance(failure, NotYet):
            reason = "waits for the address to be confirmed"
            rows.postponed(self._engine, due, failure.seconds, reason, counts=False)
        elif failure.too_large and due.kind == "mail" and not due.payload.get("small"):
            small = {**due.payload, "small": True}  # links instead of attachments
            rows.postponed(self._engine, due, 0.0, failure.reason, small)
        elif failure.final or due.attempts >= MOST_TRIES:
            _log.warning("%s %s was given up: %s", due.kind, due.id, failure.reason)
            # What a server said about a mailbox is for the studio's owner alone.
            short = failure.reason.partition(": ")[0] if due.kind == "mail" else failure.reason
            what = "mail" if due.kind == "mail" else "webhook"
            rows.given_up(
                self._engine, due, failure.reason, f"The {what} was not delivered: {short}."
            )
        else:
            delay = backoff(due.attempts, self._chance())
            delay = max(delay, min(failure.retry_after, LONGEST_SECONDS))
            rows.postponed(self._engine, due, delay, failure.reason, due.payload)
