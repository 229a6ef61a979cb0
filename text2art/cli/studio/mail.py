"""What the studio sends out: mails and webhooks that were given up, and the webhooks' secret."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from text2art.cli.boundary import boundary, say
from text2art.cli.studio.flags import (
    AsJson,
    ConfigFile,
    Data,
    Database,
    configured,
    day,
    opened_studio,
)
from text2art.errors import SettingsError

_MOST_LETTERS = 1000  # that are listed


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

    opened = opened_studio(config, data, database)
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
        print(f"{one.id}  {day(one.created)}  {what}  tries {one.attempts}  {one.reason}")
    if not found:
        say("Nothing was given up.")


@boundary
def webhook_secret(*, data: Data = None, config: ConfigFile = None) -> None:
    """Print the secret that webhooks are signed with, for their receivers."""
    found = configured(config, data=data)
    from text2art.studio.mail.opening import webhook_secret as secret

    print(secret(found))
