"""`text2art gradio`: a Gradio page on top of a studio, for notebooks and Hugging Face Spaces."""

from __future__ import annotations

from typing import Annotated

import typer


def gradio(
    *,
    studio: Annotated[
        str, typer.Option(metavar="URL", help="Address of the studio that draws.")
    ] = "http://127.0.0.1:8000",
    key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="API key of the studio. Default: TEXT2ART_STUDIO_KEY, if it is set"
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port. Default: the first free one from 7860"),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for the whole network.")
    ] = "127.0.0.1",
    share: Annotated[
        bool,
        typer.Option("--share", help="Give the page a public address, by way of Gradio's servers."),
    ] = False,
) -> None:
    """Show a Gradio page on top of a running studio; Ctrl-C ends it, and what is drawn goes on."""
    from text2art.studio.gradio import serve

    serve(studio, key, host=host, port=port, share=share, say=lambda line: print(line, flush=True))
