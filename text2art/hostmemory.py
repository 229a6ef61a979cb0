"""How much memory this machine, or the container this runs in, has left. Free of torch."""

from __future__ import annotations

from collections.abc import Iterator
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
