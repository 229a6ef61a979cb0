"""`text2art studio`: the web page, its API, queue and workers, in one command."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from text2art.cli.boundary import boundary, say
from text2art.errors import MissingExtra, SettingsError

if TYPE_CHECKING:
    from text2art.studio.config import StudioConfig
    from text2art.studio.service import Studio

app = typer.Typer(name="studio", help="Run the studio: page, API, queue and workers.")
keys = typer.Typer(name="keys", help="API keys, for programs.", no_args_is_help=True)
app.add_typer(keys)
_MOST_LETTERS = 1000  # that are listed
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


@app.callback(invoke_without_command=True)
@boundary
def studio(
    context: typer.Context,
    *,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes any free one. Default: 8000")
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on; 0.0.0.0 for the whole network. Default: loopback"),
    ] = None,
    data: Data = None,
    database: Database = None,
    files: Files = None,
    workers: Workers = None,
    runner: Runner = None,
    mode: Annotated[
        str | None,
        typer.Option(metavar="private|public", help="public: strangers are expected."),
    ] = None,
    public_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Address by which others reach the studio.")
    ] = None,
    config: ConfigFile = None,
    access_log: Annotated[bool, typer.Option("--access-log", help="Log every request.")] = False,
) -> None:
    """Run the studio on this machine; Ctrl-C ends it, and what it drew goes on at the next start.

    Everything else is in studio.yaml and the environment: docs/studio.md.
    """
    if context.invoked_subcommand is not None:
        return
    found = _config(
        config,
        port=port,
        host=host,
        data=data,
        database=database,
        files=files,
        workers=workers,
        runner=runner,
        mode=mode,
        public_url=public_url,
    )
    _log_to_stderr(requests=access_log)
    from text2art.studio.api.serve import run

    raise typer.Exit(run(found, say=lambda line: print(line, flush=True)))


@app.command("worker")
@boundary
def worker(
    *,
    data: Data = None,
    database: Database = None,
    files: Files = None,
    workers: Workers = None,
    runner: Runner = None,
    name: Annotated[str, typer.Option(metavar="TEXT", help="How it is called in lists.")] = "",
    config: ConfigFile = None,
) -> None:
    """Add workers, here or on another machine, to the studio of a database."""
    found = _config(
        config, data=data, database=database, files=files, workers=workers, runner=runner
    )
    _log_to_stderr()
    from text2art.studio.worker.supervisor import run

    raise typer.Exit(run(found, name=name))


@keys.command("add")
@boundary
def add_key(
    label: Annotated[str, typer.Argument(metavar="LABEL", help="Whose, or what for.")],
    *,
    local: Annotated[
        bool, typer.Option("--local", help="For the machine's own jobs, not an owner of its own.")
    ] = False,
    data: Data = None,
    database: Database = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key, and print it once: the studio keeps its hash only."""
    from text2art.studio import accounts
    from text2art.studio.service import LOCAL

    opened = _open(config, data, database)
    made, token = accounts.add_key(opened.engine, label, LOCAL if local else None)
    if as_json:
        print(json.dumps({"id": made.id, "owner_id": made.owner_id, "key": token}))
        return
    print(token)
    say(f"Key {made.id}. Send it as 'Authorization: Bearer ...'; it is not shown again.")


@keys.command("list")
@boundary
def list_keys(
    *,
    data: Data = None,
    database: Database = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List API keys, the revoked included."""
    from text2art.studio import accounts

    found = accounts.list_keys(_open(config, data, database).engine)
    if as_json:
        print(json.dumps([vars(key) for key in found], ensure_ascii=False, indent=2))
        return
    for key in found:
        used = f"used {_day(key.used)}" if key.used else "never used"
        state = f"revoked {_day(key.revoked)}" if key.revoked else used
        print(f"{key.id}  made {_day(key.created)}  {state}  {key.label}")


@keys.command("revoke")
@boundary
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As 'keys list' shows it.")],
    *,
    data: Data = None,
    database: Database = None,
    config: ConfigFile = None,
) -> None:
    """Let an API key open nothing any more."""
    from text2art.studio import accounts

    key = accounts.revoke_key(_open(config, data, database).engine, key_id)
    print(f"revoked {key.id}  {key.label}")


@app.command("mail")
@boundary
def mail(
    *,
    send_again: Annotated[
        str | None,
        typer.Option("--send-again", metavar="ID|all", help="Try this once more, or all of them."),
    ] = None,
    data: Data = None,
    database: Database = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List the mails and webhooks that were given up, the latest first, or try them again."""
    from text2art.studio.mail import rows

    opened = _open(config, data, database)
    with opened.engine.begin() as connection:
        if send_again is not None:
            count = (
                rows.send_all_again(connection)
                if send_again == "all"
                else int(rows.send_again(connection, send_again))
            )
            if not count and send_again != "all":
                raise SettingsError(
                    f"no message {send_again[:40]!r} was given up: 'text2art studio mail' lists "
                    "those that were"
                )
            print(json.dumps({"sent_again": count}) if as_json else f"{count} to be tried again")
            return
        found = rows.dead_letters(connection, _MOST_LETTERS)
    if as_json:
        print(json.dumps([vars(letter) for letter in found], ensure_ascii=False, indent=2))
        return
    for one in found:
        what = f"{one.kind} {one.place}".strip()
        print(f"{one.id}  {_day(one.created)}  {what}  tries {one.attempts}  {one.reason}")
    if not found:
        say("Nothing was given up.")


@app.command("backup")
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

    made = write(_open(config, data, database, files), folder)
    print(f"{folder}: {made.rows} rows, {made.files} files, {made.bytes / 1e6:.1f} MB")


@app.command("restore")
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

    made = bring_back(_open(config, data, database, files), folder)
    print(f"{folder}: {made.rows} rows, {made.files} files brought back")


@app.command("webhook-secret")
@boundary
def webhook_secret(*, data: Data = None, config: ConfigFile = None) -> None:
    """Print the secret that webhooks are signed with, for their receivers."""
    found = _config(config, data=data)
    from text2art.studio.mail.opening import webhook_secret as secret

    print(secret(found))


def _config(file: Path | None, **flags: Any) -> StudioConfig:
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


def _open(
    file: Path | None, data: Path | None, database: str | None, files: str | None = None
) -> Studio:
    found = _config(file, data=data, database=database, files=files)
    from text2art.studio.service import Studio

    return Studio.open(found)


def _log_to_stderr(*, requests: bool = False) -> None:
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for name in ("httpx", "httpcore"):  # a line for each request of theirs says nothing of use
        logging.getLogger(name).setLevel(logging.WARNING)
    if requests:
        logging.getLogger("text2art.studio.access").setLevel(logging.INFO)


def _day(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds or 0, timezone.utc).date().isoformat()
