"""Backups of a studio, written and brought back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from text2art.cli.boundary import boundary
from text2art.cli.studio.flags import ConfigFile, Data, Database, Files, opened_studio


@boundary
def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="New, or of a backup before.")],
    *,
    data: Data = None,
    database: Database = None,
    files: Files = None,
    config: ConfigFile = None,
) -> None:
    """Write a backup, while the studio may go on working; the same folder again takes little."""
    from text2art.studio.backup import backup as write

    made = write(opened_studio(config, data, database, files), folder)
    print(f"{folder}: {made.rows} rows, {made.files} files, {made.bytes / 1e6:.1f} MB")


@boundary
def restore(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Of a backup.")],
    *,
    data: Data = None,
    database: Database = None,
    files: Files = None,
    config: ConfigFile = None,
) -> None:
    """Bring a backup back into an empty studio, on SQLite or PostgreSQL."""
    from text2art.studio.backup import restore as bring_back

    made = bring_back(opened_studio(config, data, database, files), folder)
    print(f"{folder}: {made.rows} rows, {made.files} files brought back")
