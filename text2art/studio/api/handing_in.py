"""From a wish to jobs in the queue: counted, its pictures fetched, its listeners known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from text2art.studio.api import fetching
from text2art.studio.api.callers import Caller
from text2art.studio.api.context import Context
from text2art.studio.api.wishes import Options, Wish
from text2art.studio.faults import about, fault
from text2art.studio.mail.opening import sends_mail
from text2art.studio.model import Job, OwnerKind
from text2art.studio.ratelimit import Limit, require
from text2art.studio.service import Ask

_STRANGERS = 3  # how many owners may share an address before it is the address that is counted


async def hand_in(
    context: Context, caller: Caller, wish: Wish, key: str | None = None
) -> Sequence[Job]:
    """Hand in the jobs of a wish: all of them, or none.

    Raises:
        Text2ArtError: what is asked for cannot be had; see the status of the answers.
    """
    options = wish.options
    await _prepare(context, caller, options, options.count)
    config = context.config
    values = await fetching.localized(
        wish.settings, options.count, caller.owner_id, context.uploads, config.caps, key
    )

    def submit() -> Sequence[Job]:
        ask = _ask(context, caller, options, key)
        return context.studio.submit(values, caller.owner_id, ask, said=wish.settings)

    return await anyio.to_thread.run_sync(submit)


async def go_on(
    context: Context, caller: Caller, job_id: str, wish: Wish, key: str | None = None
) -> Job:
    """Hand in a job that goes on from another.

    Raises:
        Text2ArtError: see `hand_in`.
    """
    await _prepare(context, caller, wish.options, 1)
    changes: Mapping[str, Any] = wish.settings
    if changes:
        parent = await anyio.to_thread.run_sync(context.studio.get, job_id, caller.owner_id)
        changes = await fetching.localized(
            {**parent.job.settings, **changes},
            1,
            caller.owner_id,
            context.uploads,
            context.config.caps,
            key,
        )

    def submit() -> Job:
        ask = _ask(context, caller, wish.options, key)
        return context.studio.continue_from(
            job_id, caller.owner_id, changes, step=wish.step, ask=ask
        )

    return await anyio.to_thread.run_sync(submit)


async def _prepare(context: Context, caller: Caller, options: Options, count: int) -> None:
    if options.webhook_url is not None:
        with about("webhook_url"):
            context.web.check(options.webhook_url)
    await anyio.to_thread.run_sync(enter, context, caller, count)


def enter(context: Context, caller: Caller, count: int) -> None:
    """Write the owner down, and count the jobs.

    Raises:
        TooMany: there were too many in a short time.
    """
    owner_of(context, caller)
    if caller.kind is OwnerKind.LOCAL or caller.admin:
        return
    per_minute = context.config.requests_per_minute
    with context.studio.engine.begin() as connection:
        require(
            connection, f"jobs:{caller.owner_id}", Limit.per(60, per_minute), "jobs", float(count)
        )
        if caller.kind is OwnerKind.SESSION:  # which cost nothing, so that addresses count, too
            limit = Limit.per(60, _STRANGERS * per_minute)
            require(connection, f"jobs-from:{caller.address}", limit, "jobs", float(count))


def _ask(context: Context, caller: Caller, options: Options, key: str | None) -> Ask:
    return Ask(
        count=options.count,
        priority=options.priority,
        public=options.public,
        delay=options.delay,
        idempotency_key=key,
        webhook_url=options.webhook_url,
        email_id=_email_id(context, caller, options.email),
    )


def _email_id(context: Context, caller: Caller, address: str | None) -> str | None:
    """Return the row of an address that may be, or is being asked whether it may be, written to.

    Raises:
        SettingsError: the studio sends no mail, or it is no address.
    """
    if not address or not address.strip():
        return None
    if not sends_mail(context.config):
        raise fault("email", "email: this studio sends no mail; leave it out")
    with about("email"), context.studio.engine.begin() as connection:
        return context.book.register(connection, caller.owner_id, address).id


def owner_of(context: Context, caller: Caller) -> str:
    """Return the caller's owner, written down now if it is a session's first act. In a thread."""
    if not caller.stored:
        context.studio.owner(OwnerKind.SESSION, owner_id=caller.owner_id)
    return caller.owner_id
