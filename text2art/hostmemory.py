"""How much memory this machine, or the container this runs in, has left. Free of torch."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from pathlib import Path

_PROC = Path("/proc")
_GROUPS = Path("/sys/fs/cgroup")
# Of both versions of control groups: limit, usage, and the name of the file cache in memory.stat,
# which counts as used though the kernel gives it up when asked.
_V2 = ("memory.max", "memory.current", "inactive_file")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def available(proc: Path = _PROC, groups: Path = _GROUPS) -> int | None:
    """Return the bytes that can still be taken without swapping; None where nobody says.

    Args:
        proc: Linux's file system of processes.
        groups: where control groups are mounted.
    """
    whole = _named(_text(proc / "meminfo"), "MemAvailable:")
    left = [] if whole is None else [whole * 1024]
    left += _left_in_groups(_text(proc / "self/cgroup"), groups)
    return max(0, min(left)) if left else None


def _left_in_groups(membership: str, groups: Path) -> Iterator[int]:
    """Yield what each group above this process has left, of those that set a limit.

    Args:
        membership: lines "0::/path" (version 2) or "4:memory:/path" (version 1).
        groups: where they are mounted.
    """
    for line in membership.splitlines():
        _, kinds, path = (*line.split(":", 2), "", "")[:3]
        if kinds == "" or kinds == "memory":
            names = _V1 if kinds else _V2
            root = groups / "memory" if kinds else groups
            own = root / path.strip("/")
            # In a container the path may be the host's: its own group is then mounted as the root.
            for folder in (own, *own.parents):
                left = _left_in(folder, *names)
                if left is not None:
                    yield left
                if folder == root:
                    break


def _left_in(folder: Path, limit: str, usage: str, cache: str) -> int | None:
    most, used = _text(folder / limit).strip(), _text(folder / usage).strip()
    if not most.isdecimal() or not used.isdecimal():
        return None  # "max", or no such file
    return int(most) - int(used) + (_named(_text(folder / "memory.stat"), cache) or 0)


def _named(text: str, name: str) -> int | None:
    """Return the number that follows a name at the beginning of a line."""
    for line in text.splitlines():
        first, *rest = line.split()[:2] or [""]
        if first == name and rest and rest[0].isdecimal():
            return int(rest[0])
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


# ---- what the C library's allocator does with freed memory -------------------------------------

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt(3)
_NEVER = -1


def keep_freed() -> bool:
    """Let memory that is freed stay with the process, for what the next step asks for.

    Every step takes and frees the same hundreds of megabytes. By default glibc gives all large
    pieces back at once, and the kernel clears each page again before it is written: a tenth of a
    step was measured to go there. It concerns the whole process, so programs call it, no library.

    Returns:
        Whether anything changed: only where the C library is glibc.
    """
    tune = _of_glibc("mallopt")
    return tune is not None and bool(tune(_MMAP_MAX, 0)) and bool(tune(_TRIM_THRESHOLD, _NEVER))


def give_back_freed() -> bool:
    """Give memory that is freed back to the system now.

    Returns:
        Whether there was any; False also where the C library is not glibc.
    """
    trim = _of_glibc("malloc_trim")
    return trim is not None and bool(trim(0))


def _of_glibc(name: str) -> Callable[..., int] | None:
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError, TypeError):  # TypeError: Windows has no such handle
        return None
    return found
