"""Draw the contact sheets in docs/sheets: twelve prompts with every drawer.

`python -m scripts.contact_sheet` (or `make sheet`). The same command gives the same pictures on the
same kind of machine: prompt number n is drawn with seed n, none is picked by hand.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from text2art.api import draw
from text2art.configfile import merge, parse_override
from text2art.media.sheet import Tile, contact_sheet, save_sheet
from text2art.models import Models
from text2art.runtime import pick
from text2art.settings import Settings

PROMPTS = (
    "a red apple on a blue background",
    "two yellow stars on a purple background",
    "a sailboat on the sea",
    "a palm tree at sunset",
    "a sunflower",
    "a castle at night",
    "a green cactus",
    "a pink heart",
    "a snowman in the snow",
    "an orange cat on a green background",
    "a rocket in space",
    "a red mushroom in the forest",
)
COLUMNS = 6


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw a sheet with all drawers together."""
    given = _parse(arguments)
    runtime = pick(given.device)
    started = time.perf_counter()
    tiles = list(_tiles(given))
    size = save_sheet(contact_sheet(tiles, COLUMNS, side=given.side), given.out)
    seconds = time.perf_counter() - started
    words = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "scripts.contact_sheet", *words])
    note = (
        f"{given.out.name}: {command}\n"
        f"{len(tiles)} pictures, quality {given.quality}, perceptor {given.perceptor}, "
        f"seeds from {given.seed}; {runtime.device.type}, {given.jobs} at a time, "
        f"{seconds:.0f} s, {size} bytes\n"
    )
    given.out.with_suffix(".txt").write_text(note, encoding="utf-8")
    print(note, end="")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m scripts.contact_sheet")
    parser.add_argument("--out", type=Path, default=Path("docs/sheets/starter.png"))
    parser.add_argument(
        "--drawers",
        nargs="+",
        default=["pyramid", "pixel", "vqgan", "fft"],
        help="names, also with an option or setting, as pixel:cell=hex or pixel:compose=0",
    )
    parser.add_argument("--prompts", nargs="+", default=PROMPTS)
    parser.add_argument("--quality", default="draft")
    parser.add_argument("--perceptor", default="starter")
    parser.add_argument("--iterations", type=int)
    parser.add_argument("--seed", type=int, default=1, help="of the first prompt")
    parser.add_argument(
        "--side", type=int, default=144, help="of a picture on the sheet, in pixels"
    )
    parser.add_argument("--device", help="default: TEXT2ART_DEVICE, else what is there")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="pictures at a time")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="further settings"
    )
    return parser.parse_args(arguments)


def _tiles(given: argparse.Namespace) -> Iterator[Tile]:
    """Draw all pictures, several at a time where they are drawn on the CPU."""
    orders = [
        (drawer, number, prompt)
        for drawer in given.drawers
        for number, prompt in enumerate(given.prompts, start=given.seed)
    ]
    # Two threads hardly draw one picture faster than one; two processes draw two.
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(given.jobs, initializer=_begin, initargs=(given,)) as pool:
        for tile, line in pool.imap(_draw, orders):
            print(line, file=sys.stderr, flush=True)
            yield tile


_worker: dict[str, Any] = {}  # of a process of the pool, which draws many pictures with its models


def _begin(given: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    _worker.update(given=given, models=Models(pick(given.device)))


def _draw(order: tuple[str, int, str]) -> tuple[Tile, str]:
    drawer, number, prompt = order
    given = _worker["given"]
    name, _, option = drawer.partition(":")
    is_setting = option.partition("=")[0] in Settings.model_fields
    options = parse_override(option if is_setting else f"{name}.{option}") if option else None
    result = draw(
        prompt,
        models=_worker["models"],
        **{
            "drawer": name,
            "quality": given.quality,
            "iterations": given.iterations,
            "perceptor": given.perceptor,
            "seed": number,
            "display_every": 0,
            **merge(*(parse_override(word) or {} for word in given.set), options or {}),
        },
    )
    line = f"{drawer} {number}: {prompt}: {result.score:.3f}, {result.seconds:.1f} s"
    return Tile(result.image, f"{prompt}\n{drawer}"), line


if __name__ == "__main__":
    main()
