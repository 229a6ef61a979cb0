"""The command line: `python -m benchmarks.quality rank|compare|curve|sheet|score`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.quality.curve import curve
from benchmarks.quality.judge import JUDGE
from benchmarks.quality.questions import KINDS
from benchmarks.quality.rank import compare, rank
from benchmarks.quality.sheet import score, sheet
from text2art.errors import Text2ArtError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    given = _parser().parse_args(arguments)
    try:
        given.run(given)
    except Text2ArtError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("rank", help="rank of the true subject, and attributes, by a judge")
    one.add_argument("--drawers", default="pyramid", help="comma-separated (default: pyramid)")
    one.add_argument("--what", type=_kinds, default=KINDS, help=f"of {','.join(KINDS)}")
    one.add_argument("--attributes", type=_positive, default=24, help="prompts per attribute")
    one.add_argument("--subjects", type=_positive, help="how many (default: all)")
    one.add_argument("--from", dest="source", type=Path, help="judge a folder of --out again")
    _judging(one)
    _drawing(one)
    one.set_defaults(run=rank)

    two = commands.add_parser("compare", help="one line per variant of the settings")
    two.add_argument("--drawer", default="pyramid")
    two.add_argument("--variant", action="append", required=True, metavar="'NAME: KEY=VALUE ...'")
    two.add_argument("--subjects", type=_positive, default=24, help="how many (default: 24)")
    _judging(two)
    _drawing(two)
    two.set_defaults(run=compare)

    timed = commands.add_parser("curve", help="the judge's score against seconds, per variant")
    timed.add_argument("--variant", action="append", required=True, metavar="'NAME: KEY=VALUE ...'")
    timed.add_argument("--subjects", type=_positive, default=8, help="how many (default: 8)")
    timed.add_argument("--judge", type=Path, default=JUDGE, help=f"folder (default: {JUDGE})")
    timed.add_argument("--chart", type=Path, help="SVG to write")
    timed.add_argument("--seed", type=int, default=1, help="of the first prompt")
    timed.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings of all")
    timed.add_argument("--device", help="default: TEXT2ART_DEVICE, else what is there")
    timed.set_defaults(run=curve)

    three = commands.add_parser("sheet", help="draw a sheet for blind naming")
    three.add_argument("--drawer", default="pyramid")
    three.add_argument("--count", type=_positive, default=24)
    kind = three.add_mutually_exclusive_group()
    kind.add_argument(
        "--natural", action="store_true", help="fours of one natural color, unpainted"
    )
    kind.add_argument("--pairs", action="store_true", help="two subjects in each picture")
    three.add_argument("--out", type=Path, required=True, help="folder to write")
    _drawing(three)
    three.set_defaults(run=sheet)

    four = commands.add_parser("score", help="score the answers to a sheet")
    four.add_argument("folder", type=Path)
    four.add_argument(
        "answers",
        type=Path,
        help="lines like '7: sailboat' or '7: unknown'; of pairs '7: sailboat, cat'",
    )
    four.add_argument("--reveal", action="store_true", help="print the key, too: ends the test")
    four.set_defaults(run=score)
    return parser


def _judging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--judge", type=Path, default=JUDGE, help=f"folder (default: {JUDGE})")
    parser.add_argument("--crops", action="store_true", help="the judge averages four mild crops")
    parser.add_argument("--out", type=Path, help="folder to keep pictures and results in")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted --out")


def _drawing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quality", default="draft")
    parser.add_argument("--seed", type=int, default=1, help="of the first prompt")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings")
    parser.add_argument("--device", help="default: TEXT2ART_DEVICE, else what is there")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def _kinds(text: str) -> tuple[str, ...]:
    words = [word.strip() for word in text.split(",")]
    odd = [word for word in words if word not in KINDS]
    if odd:
        raise argparse.ArgumentTypeError(f"{odd[0]!r} is none of {','.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in words)


if __name__ == "__main__":
    sys.exit(main())
