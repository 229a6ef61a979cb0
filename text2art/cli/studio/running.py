"""The commands that keep running: the studio itself, and further workers."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from text2art.cli.boundary import boundary
from text2art.cli.studio.flags import (
    ConfigFile,
    Data,
    Database,
    Files,
    Runner,
    Workers,
    configured,
)


@boundary
def studio(
    context: typer.Context,
    *,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes any free one. Default: 8000")
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on; 0.0.0.0 for the whole network. Default: loopback"),
    ] = None,
    data: Data = None,
    database: Database = None,
    files: Files = None,
    workers: Workers = None,
    runner: Runner = None,
    mode: Annotated[
        str | None,
        typer.Option(metavar="private|public", help="public: strangers are expected."),
    ] = None,
    public_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Address by which others reach the studio.")
    ] = None,
    config: ConfigFile = None,
    access_log: Annotated[bool, typer.Option("--access-log", help="Log every request.")] = False,
) -> None:
    """Run the studio on this machine; Ctrl-C ends it, and what it drew goes on at the next start.

    Everything else is in studio.yaml and the environment: docs/studio.md.
    """
    if context.invoked_subcommand is not None:
        return
    found = configured(
        config,
        port=port,
        host=host,
        data=data,
        database=database,
        files=files,
        workers=workers,
        runner=runner,
        mode=mode,
        public_url=public_url,
    )
    _log_to_stderr(requests=access_log)
    from text2art.studio.api.serve import run

    raise typer.Exit(run(found, say=lambda line: print(line, flush=True)))


@boundary
def worker(
    *,
    data: Data = None,
    database: Database = None,
    files: Files = None,
    workers: Workers = None,
    runner: Runner = None,
    name: Annotated[str, typer.Option(metavar="TEXT", help="How it is called in lists.")] = "",
    config: ConfigFile = None,
) -> None:
    """Add workers, here or on another machine, to the studio of a database."""
    found = configured(
        config, data=data, database=database, files=files, workers=workers, runner=runner
    )
    _log_to_stderr()
    from text2art.studio.worker.supervisor import run

    raise typer.Exit(run(found, name=name))


def _log_to_stderr(*, requests: bool = False) -> None:
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for name in ("httpx", "httpcore"):  # a line for each request of theirs says nothing of use
        logging.getLogger(name).setLevel(logging.WARNING)
    if requests:
        logging.getLogger("text2art.studio.access").setLevel(logging.INFO)
