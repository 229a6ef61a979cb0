"""`text2art pixray`: pixray's command line."""

from __future__ import annotations

import typer

from text2art.ancestors import arguments
from text2art.ancestors.calls import Calls
from text2art.ancestors.dialect import PIXRAY
from text2art.cli.boundary import say


def pixray(context: typer.Context) -> None:
    """Draw with pixray's flags: -p "a cat" --drawer pixel -i 100 -asp square."""
    if any(word in ("-h", "--help") for word in context.args):
        print(arguments.parser().format_help(), end="")
        return
    given = arguments.parse(context.args)
    calls = Calls(PIXRAY, say)
    calls.add_settings(**given)
    applied = calls.apply_settings()
    calls.do_init(applied)
    calls.do_run(applied)
    print(applied.path)
