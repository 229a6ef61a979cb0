"""Making the page of a studio."""

from __future__ import annotations

import os
from typing import Any

from text2art.errors import MissingExtra
from text2art.studio.client.http import DEFAULT_URL, Client, read_catalog
from text2art.studio.desk.acts import Desk
from text2art.studio.gradio.acting import Page

KEY = "TEXT2ART_STUDIO_KEY"  # the environment variable of the studio's API key


def page(url: str = DEFAULT_URL, key: str | None = None) -> Any:
    """Return a page on top of a studio: a `gradio.Blocks`, whose `launch` shows it.

    Everything to choose from is asked of the studio, once: make the page anew after an update of
    it. With a key, all visitors of the page draw as its owner; each sees their own picture alone.

    Args:
        url: the studio's address.
        key: an API key of the studio; default: the environment variable TEXT2ART_STUDIO_KEY.

    Raises:
        MissingExtra: Gradio is not installed.
        SettingsError: the address or the key cannot be one.
        StudioError: something else answers there, or the key is not known.
        StudioAway: nobody answers.
    """
    gr = import_gradio()
    token = os.environ.get(KEY, "") if key is None else key
    catalog = read_catalog(url, token)
    return Page(gr, Desk(Client(url, token), catalog)).blocks


def import_gradio() -> Any:
    """Return Gradio, which is not told to anybody.

    Raises:
        MissingExtra: it is not installed.
    """
    # Before it is imported: it would tell its makers of every start.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        import gradio
    except ImportError:
        raise MissingExtra("the page needs gradio: pip install 'text2art[gradio]'") from None
    return gradio
