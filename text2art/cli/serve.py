"""`text2art serve`: the container's HTTP API, without a container."""

from __future__ import annotations

from typing import Annotated

import typer


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for the whole network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 5000,
) -> None:
    """Serve the HTTP API (Cog's) on this machine; Ctrl-C ends it."""
    from text2art.serving.server import serve as run_server

    raise typer.Exit(run_server(host=host, port=port))
