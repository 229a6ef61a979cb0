"""Showing the page until Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable

from text2art.errors import SettingsError
from text2art.studio.client.errors import StudioAway
from text2art.studio.client.http import address
from text2art.studio.gradio.opening import page


def serve(
    url: str,
    key: str | None = None,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    share: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Show a page until Ctrl-C.

    Args:
        url: the studio's address.
        key: an API key of the studio; default: of the environment.
        host: address to listen on.
        port: default: the first free one from 7860.
        share: whether Gradio's servers give it a public address.
        say: told where the page is.

    Raises:
        Text2ArtError: as `page`; or the port is taken.
    """
    try:
        made = page(url, key)
    except StudioAway as error:
        raise StudioAway(
            error.error, "Run 'text2art studio', or name another with --studio"
        ) from None
    try:
        made.launch(
            server_name=host, server_port=port, share=share, prevent_thread_lock=True, quiet=True
        )
    except OSError as error:
        told = f"port {port} of {host}" if port else f"{host}, ports 7860 to 7959"
        raise SettingsError(f"cannot listen on {told}: give another --port or --host") from error
    try:
        say(f"The page is at {made.local_url} and draws by {address(url)}")
        if made.share_url:
            say(f"Everybody finds it at {made.share_url}")
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        made.close(verbose=False)
