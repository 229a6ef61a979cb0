"""The studio itself: who you are here, how it is, what the administrator may do."""

from __future__ import annotations

import time
from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field
from sqlalchemy import select

from text2art import __version__
from text2art.studio.api.callers import Caller
from text2art.studio.api.context import Context, Ctx, Who, require_admin
from text2art.studio.api.metrics import Family, render
from text2art.studio.api.routes import mail
from text2art.studio.db.engine import reading
from text2art.studio.db.tables import emails
from text2art.studio.mail.opening import sends_mail
from text2art.studio.model import OwnerKind, WorkerInfo

router = APIRouter(tags=["studio"])
probes = APIRouter(tags=["studio"])


class OwnerShape(BaseModel):
    """Who you are here."""

    kind: Literal["session", "key", "local"]
    label: str


class EmailShape(BaseModel):
    """An address of yours."""

    id: str
    address: str
    confirmed: bool


class Me(BaseModel):
    """You, and what this studio offers you."""

    owner: OwnerShape
    admin: bool
    local: bool
    mode: Literal["private", "public"]
    mail: bool = Field(description="Whether it can send mail.")
    emails: list[EmailShape]
    publish_by_default: bool
    undo_days: float = Field(description="For how long a deletion can be undone; 0 = for ever.")
    paused: bool
    version: str


class WorkerShape(BaseModel):
    """A worker heard of lately."""

    runner: str
    device: str
    busy: bool


class Health(BaseModel):
    """How the studio is."""

    status: Literal["ok", "paused", "no workers"]
    version: str
    workers: list[WorkerShape]
    queue: dict[str, int] = Field(description="Jobs by state.")
    paused: bool


class Paused(BaseModel):
    """Whether no further jobs are started."""

    paused: bool


@router.get("/me")
def me(context: Ctx, caller: Who) -> Me:
    """Return who you are here and what this studio offers."""
    config = context.config
    return Me(
        owner=OwnerShape(kind=caller.kind.value, label=_label(context, caller)),
        admin=caller.admin,
        local=context.callers.local,
        mode=config.mode,
        mail=sends_mail(config),
        emails=_emails(context, caller),
        publish_by_default=config.publish_by_default,
        undo_days=config.retention.undo_days,
        paused=context.studio.paused(),
        version=__version__,
    )


@router.post("/admin/pause", tags=["administration"])
def pause(context: Ctx, caller: Who) -> Paused:
    """Start no further jobs; those that run go on."""
    require_admin(caller)
    context.studio.pause()
    return Paused(paused=True)


@router.post("/admin/resume", tags=["administration"])
def resume(context: Ctx, caller: Who) -> Paused:
    """Start jobs again."""
    require_admin(caller)
    context.studio.resume()
    return Paused(paused=False)


@probes.get("/health")
def health(context: Ctx) -> Health:
    """Return how the studio is; 503 when its database is away."""
    workers, paused = context.studio.workers(), context.studio.paused()
    status: Literal["ok", "paused", "no workers"] = "ok"
    if paused:
        status = "paused"
    elif not workers:
        status = "no workers"
    return Health(
        status=status,
        version=__version__,
        workers=[_worker(one) for one in workers],
        queue={state.value: count for state, count in context.studio.counts().items()},
        paused=paused,
    )


@probes.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(context: Ctx, caller: Who) -> PlainTextResponse:
    """Return figures in the text format of Prometheus; in public mode for the administrator."""
    if context.config.mode == "public":
        require_admin(caller)
    text = render(_families(context))
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _families(context: Context) -> list[Family]:
    studio = context.studio
    workers = studio.workers()
    return [
        Family(
            "text2art_jobs",
            "Jobs by state.",
            {(("state", state.value),): float(n) for state, n in studio.counts().items()},
        ),
        Family("text2art_workers", "Workers heard of lately.", {(): float(len(workers))}),
        Family(
            "text2art_workers_busy",
            "Workers that draw.",
            {(): float(sum(one.job_id is not None for one in workers))},
        ),
        Family("text2art_paused", "Whether no jobs start.", {(): float(studio.paused())}),
        Family("text2art_streams", "Open streams of events.", {(): float(context.hub.listeners)}),
        Family(
            "text2art_uptime_seconds",
            "Since this web process started.",
            {(): time.monotonic() - context.started},
        ),
        *mail.families(context),
        *context.counted.families(),
    ]


def _worker(one: WorkerInfo) -> WorkerShape:
    return WorkerShape(
        runner=one.runner.partition("=")[0], device=one.device, busy=one.job_id is not None
    )


def _label(context: Context, caller: Caller) -> str:
    if caller.kind is OwnerKind.SESSION:
        return ""
    owner = context.studio.find_owner(caller.owner_id)
    return owner.label if owner else ""


def _emails(context: Context, caller: Caller) -> list[EmailShape]:
    asked = select(emails).where(emails.c.owner_id == caller.owner_id).order_by(emails.c.created)
    with reading(context.studio.engine) as connection:
        return [
            EmailShape(id=row.id, address=row.address, confirmed=row.confirmed is not None)
            for row in connection.execute(asked)
        ]
