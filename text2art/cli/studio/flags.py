"""Which studio is meant: the flags that its commands share, and how it is opened by them."""

from __future__ import annotations

import importlib.util
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from text2art.errors import MissingExtra

if TYPE_CHECKING:
    from text2art.studio.config import StudioConfig
    from text2art.studio.service import Studio

_NEEDED = ("fastapi", "uvicorn", "sqlalchemy", "alembic", "fsspec", "multipart", "aiosmtplib")

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Folder of database, files and secrets."),
]
Database = Annotated[
    str | None,
    typer.Option(metavar="URL", help="postgresql://... in place of SQLite in the data folder."),
]
Files = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Folder or s3://bucket/path of pictures, for many machines."),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Default: studio.yaml in the data folder."),
]
Workers = Annotated[
    int | None, typer.Option(min=0, max=64, help="Worker processes to start; one per device.")
]
Runner = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="local, or cog=http://host:port,... for containers."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def configured(file: Path | None, **flags: Any) -> StudioConfig:
    """Read the configuration.

    Raises:
        MissingExtra: a package of the studio is not installed.
        SettingsError: a value cannot be used.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(f"the studio needs {missing[0]}: pip install 'text2art[studio]'")
    from text2art.studio.config import StudioConfig

    given = {name: value for name, value in flags.items() if value is not None}
    return StudioConfig.load(file, os.environ, **given)


def opened_studio(
    file: Path | None, data: Path | None, database: str | None, files: str | None = None
) -> Studio:
    """Open the studio. Raises what `configured` and `Studio.open` raise."""
    found = configured(file, data=data, database=database, files=files)
    from text2art.studio.service import Studio

    return Studio.open(found)


def day(seconds: float | None) -> str:
    """Return the day of a moment as lists show it, in UTC."""
    return datetime.fromtimestamp(seconds or 0, timezone.utc).date().isoformat()
