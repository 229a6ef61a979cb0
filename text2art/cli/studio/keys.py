"""`text2art studio keys`: API keys, for programs."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from text2art.cli.boundary import boundary, say
from text2art.cli.studio.flags import AsJson, ConfigFile, Data, Database, day, opened_studio

app = typer.Typer(name="keys", help="API keys, for programs.", no_args_is_help=True)


@app.command("add")
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

    opened = opened_studio(config, data, database)
    made, token = accounts.add_key(opened.engine, label, LOCAL if local else None)
    if as_json:
        print(json.dumps({"id": made.id, "owner_id": made.owner_id, "key": token}))
        return
    print(token)
    say(f"Key {made.id}. Send it as 'Authorization: Bearer ...'; it is not shown again.")


@app.command("list")
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

    found = accounts.list_keys(opened_studio(config, data, database).engine)
    if as_json:
        print(json.dumps([vars(key) for key in found], ensure_ascii=False, indent=2))
        return
    for key in found:
        used = f"used {day(key.used)}" if key.used else "never used"
        state = f"revoked {day(key.revoked)}" if key.revoked else used
        print(f"{key.id}  made {day(key.created)}  {state}  {key.label}")


@app.command("revoke")
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

    key = accounts.revoke_key(opened_studio(config, data, database).engine, key_id)
    print(f"revoked {key.id}  {key.label}")
