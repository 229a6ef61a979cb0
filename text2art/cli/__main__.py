"""`python -m text2art.cli`: the command line."""

from text2art.cli.main import run

run()
