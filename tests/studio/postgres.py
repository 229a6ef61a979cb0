"""A PostgreSQL server of the tests' own, from the system's packages, in a folder of its own."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

USER = "studio"


def binaries() -> Path | None:
    """Return the folder of initdb and pg_ctl of the newest PostgreSQL installed, or None."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if found:
        return found[-1].parent
    beside = shutil.which("initdb")
    return Path(beside).resolve().parent if beside and shutil.which("pg_ctl") else None


class Server:
    """A server that runs until `stop`; root starts it as an unprivileged user, as it demands."""

    def __init__(self, bin_folder: Path) -> None:
        self._bin = bin_folder
        self._user = _unprivileged() if os.getuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="t2a-pg-"))  # short: sockets have short names
        if self._user:
            shutil.chown(self.folder, self._user)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._run("initdb", "-D", self._data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()
        atexit.register(self.stop)

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = (
            f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off "
            "-c full_page_writes=off -c autovacuum=off "
            "-c max_connections=200 -c shared_buffers=32MB -c log_min_messages=warning"
        )
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", self._data, "-o", options, "-l", log, "-w", "-t", "60", "start")

    def crash(self) -> None:
        """End all of its processes at once, without goodbye; then start it again."""
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")
        self.start()

    def stop(self) -> None:
        if self.folder.exists():
            self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop", check=False)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        subprocess.run(
            [str(self._bin / program), *arguments],
            user=self._user,
            cwd=self.folder,
            check=check,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=120,
        )


def _unprivileged() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
