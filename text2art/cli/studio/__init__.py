"""`text2art studio`: the web page, its API, queue and workers, in one command."""

from __future__ import annotations

import typer

from text2art.cli.studio import archive, keys, mail, running

app = typer.Typer(name="studio", help="Run the studio: page, API, queue and workers.")
app.add_typer(keys.app)
app.callback(invoke_without_command=True)(running.studio)
app.command("worker")(running.worker)
app.command("mail")(mail.mail)
app.command("backup")(archive.backup)
app.command("restore")(archive.restore)
app.command("webhook-secret")(mail.webhook_secret)

__all__ = ["app"]
