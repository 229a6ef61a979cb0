"""The facts about this machine that come from the environment, in one place.

`TEXT2ART_HOME` is where things are kept (default: the user's data folder), `TEXT2ART_OFFLINE=1`
forbids the network, `TEXT2ART_ALLOW_PRIVATE_URLS=1` allows pictures from private addresses,
`TEXT2ART_PRELOAD` names what a server loads before its first request.
(`TEXT2ART_DEVICE`, `TEXT2ART_DTYPE` and `TEXT2ART_GRAPHS` are read by `runtime.py`.) Everything
that decides a picture is a setting instead.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

import platformdirs


def home() -> Path:
    """Return the folder where text2art keeps what it fetches; it need not exist."""
    given = os.environ.get("TEXT2ART_HOME", "").strip()
    if given:
        return Path(given).expanduser()
    return Path(platformdirs.user_data_dir("text2art", appauthor=False))


def offline() -> bool:
    """Whether the network must not be used."""
    return _is_on("TEXT2ART_OFFLINE")


def private_urls_allowed() -> bool:
    """Whether pictures may be loaded from private and loopback addresses."""
    return _is_on("TEXT2ART_ALLOW_PRIVATE_URLS")


def preload() -> tuple[str, ...]:
    """Return the models that a server loads before its first request: see `serving.preload`."""
    names = os.environ.get("TEXT2ART_PRELOAD", "").split(",")
    return tuple(name.strip() for name in names if name.strip())


def share_cores(environment: MutableMapping[str, str]) -> None:
    """Let torch's waiting threads sleep rather than spin, unless the caller chose otherwise.

    Spinning threads that lose a core to another program hold up every operation: on a busy machine
    a step was measured to take several times as long. Read once, when torch is imported.
    """
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _is_on(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() not in ("", "0", "false", "no", "off")
