"""Which device each drawing process gets, found out without torch."""

from __future__ import annotations

import os
from pathlib import Path

_NVIDIA = Path("/proc/driver/nvidia/gpus")


def share(count: int) -> list[tuple[str, int]]:
    """Share the devices of this machine out among processes.

    `TEXT2ART_DEVICE`, when it is set, names them: one for all, or several with commas. Else these
    are the NVIDIA devices that are visible; where there is none, torch chooses.

    Returns:
        for each process its device ("" = torch chooses) and how many threads it may compute with
        (0 = torch chooses).
    """
    named = [name.strip() for name in os.environ.get("TEXT2ART_DEVICE", "").split(",")]
    devices = [name for name in named if name] or _visible()
    if count == 1 and len(devices) > 1 and not any(named):
        devices = devices[:1]
    threads = max(1, (os.cpu_count() or 1) // count) if count > 1 else 0
    return [(devices[n % len(devices)] if devices else "", threads) for n in range(count)]


def _visible() -> list[str]:
    """Return the CUDA devices by the numbers that torch will know them by."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        count = len([name for name in chosen.split(",") if name.strip() not in ("", "-1")])
    else:
        count = len(list(_NVIDIA.iterdir())) if _NVIDIA.is_dir() else 0
    return [f"cuda:{number}" for number in range(count)] if count > 1 else []
