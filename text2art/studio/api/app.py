"""The studio as an ASGI app."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
from fastapi import FastAPI
from fastapi.routing import APIRoute

from text2art import __version__
from text2art.studio.api import errors, shapes
from text2art.studio.api.callers import Callers
from text2art.studio.api.context import Context
from text2art.studio.api.gate import Gate
from text2art.studio.api.hub import Hub
from text2art.studio.api.metrics import Counted
from text2art.studio.api.routes import catalog, events, files, generate, house, jobs, mail, pages
from text2art.studio.api.telling import describer
from text2art.studio.config import StudioConfig
from text2art.studio.keys import kept
from text2art.studio.mail.links import Links
from text2art.studio.mail.opening import open_book, open_delivery, open_web
from text2art.studio.service import Studio
from text2art.studio.uploads import Uploads

_THREADS = 40  # of requests that ask the database or read files
_DESCRIPTION = """
Words in, a picture that forms before your eyes out.

Hand in a job with `POST /api/v1/jobs`, follow it with `GET /api/v1/jobs/{id}/events`, fetch what
came out with `GET /api/v1/jobs/{id}/result.png`. Programs send an API key as
`Authorization: Bearer t2a_...`; what is refused says why, as `{"error", "hint"}`.
"""
_log = logging.getLogger(__name__)
# Starts what is to run beside the app, given the open studio; returns how to stop it.
Beside = Callable[[Studio], Callable[[], None]]


def create_app(
    config: StudioConfig, *, beside: Beside | None = None, opened: Context | None = None
) -> FastAPI:
    """Return the app of a studio; it closes the studio when it ends.

    Args:
        config: of the studio.
        beside: what is to run as long as the app does, as a supervisor of workers.
        opened: the open studio; default: it is opened when the app is started.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        context = (
            opened if opened is not None else await anyio.to_thread.run_sync(open_context, config)
        )
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        app.state.context = context
        context.hub.start()
        delivering = asyncio.create_task(context.delivery.run())
        delivering.add_done_callback(_report)
        stop = await anyio.to_thread.run_sync(beside, context.studio) if beside else None
        try:
            yield
        finally:
            context.hub.end_streams()
            if stop is not None:
                await anyio.to_thread.run_sync(stop)
            delivering.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await delivering
            await anyio.to_thread.run_sync(context.hub.close)
            await anyio.to_thread.run_sync(context.studio.close)

    app = FastAPI(
        title="text2art studio",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        responses=errors.RESPONSES,
        generate_unique_id_function=_operation,
        license_info={"name": "MIT"},
    )
    errors.install(app)
    for module in (jobs, events, files, catalog, house, mail):
        app.include_router(module.router, prefix=shapes.BASE)
    app.include_router(house.probes, prefix=shapes.BASE)
    app.include_router(house.probes, include_in_schema=False)
    app.include_router(generate.router)
    pages.install(app)

    def current() -> Context:
        context: Context = app.state.context
        return context

    app.add_middleware(Gate, config=config, context=current)
    return app


def open_context(config: StudioConfig) -> Context:
    """Open a studio and what its routes work with.

    Raises:
        SettingsError: the configuration cannot be used.
        MissingExtra: a driver is not installed.
    """
    studio = Studio.open(config)
    web = open_web(config)
    secret = kept(config.data / "secrets", "session", config.session_secret)
    return Context(
        config=config,
        studio=studio,
        callers=Callers(config, studio.engine, secret),
        uploads=Uploads(studio.engine, studio.store, config.caps, web),
        web=web,
        hub=Hub(studio.engine),
        book=open_book(config),
        delivery=open_delivery(
            config,
            studio.engine,
            studio.store,
            describer(studio.engine, studio.queue, Links.of(config)),
        ),
        started=time.monotonic(),
        counted=Counted(),
    )


def _report(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("mail and webhooks are delivered no more", exc_info=task.exception())


def _operation(route: APIRoute) -> str:
    """Return a readable id of an operation, as `jobs_submit`."""
    return f"{route.endpoint.__module__.rpartition('.')[2]}_{route.name}"
