"""Make the starter models: `python -m training.make --device auto --budget 3h`.

Draws the drawings, trains the parts in turn (perceptor, judge, vqgan), evaluates each and writes
its files with a model card. On CUDA it composes pictures and trains in bfloat16, compiled, while
worker processes plan ahead. Training writes a checkpoint every two minutes; `--resume` continues
from it, also when the budget was raised, so that a long training can be done in pieces.
"""

import argparse
import os
import platform
import re
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Literal, cast

import torch

from text2art.errors import WeightsError
from text2art.hostmemory import keep_freed
from text2art.nets.starter import describe, load_starter
from training.batches import Stream
from training.captions import WordTokenizer, known_tokens
from training.card import stem_of, write_card
from training.compose import SIDE, Composer
from training.evaluate import evaluate, table
from training.export import blended, build, read_checkpoint, updates_in, write
from training.guided import save_sheet
from training.icons import IconsMissingError
from training.plan import NO_EMPHASIS, Planner
from training.planning import Here, PlanSource, Workers, Writer
from training.recipe import Recipe, continued, recipe_for
from training.scenes import draw_scenes
from training.sprites import FontMissingError, Sprites, render_sprites
from training.train import Trainer
from training.vqgan_make import make_vqgan

SHARES = {"perceptor": 0.60, "judge": 0.12, "vqgan": 0.28}  # of the budget
_CHECKPOINTS = Path.home() / ".cache" / "text2art" / "training"
Perceptor = Literal["perceptor", "judge"]


def seconds(text: str) -> float:
    """Read a duration: "20s", "90m", "1.5h"."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)", text.strip().lower())
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 20s, 90m or 1.5h")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def part_names(text: str) -> tuple[str, ...]:
    """Read a list of parts: "perceptor,vqgan"."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in SHARES]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{text!r}: the parts are {', '.join(SHARES)}")
    return names


def change(recipe: Recipe, changes: list[str]) -> Recipe:
    """Return the recipe with some numbers set by "name=value".

    Raises:
        ValueError: an unknown name, or a value that does not suit it.
    """
    kinds = {field.name: type(getattr(recipe, field.name)) for field in fields(recipe)}
    for text in changes:
        name, _, value = text.partition("=")
        if kinds.get(name) not in (int, float, str, bool):
            known = ", ".join(n for n, kind in kinds.items() if kind is not tuple)
            raise ValueError(f"--set {text!r}: give NAME=VALUE of {known}")
        kind = kinds[name]
        if kind is bool and value not in ("true", "false"):
            raise ValueError(f"--set {text!r}: give true or false")
        made: Any = value == "true" if kind is bool else kind(value)
        recipe = replace(recipe, **{name: made})
    return recipe


def meant_part(parts: Sequence[str]) -> Perceptor:
    """Return the part that `--start-from` and `--set` are about: the judge where it is alone."""
    return "judge" if tuple(parts) == ("judge",) else "perceptor"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.make", description=__doc__)
    parser.add_argument("--parts", type=part_names, default=tuple(SHARES), metavar="LIST")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument("--budget", type=seconds, default=seconds("3h"), help="e.g. 20s, 90m, 3h")
    parser.add_argument("--out", type=Path, default=Path("weights/starter"))
    parser.add_argument("--tower", type=int, default=1, metavar="N",
                        help="make the Nth perceptor, to look beside the others")  # fmt: skip
    parser.add_argument("--judge-out", type=Path, default=Path("benchmarks/judge"))
    parser.add_argument(
        "--icons", type=Path, help="folder with icon sets: more drawings (see training/icons.py)"
    )
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoints")
    parser.add_argument("--start-from", type=Path, metavar="FOLDER",
                        help="go on from the perceptor that an earlier training wrote, or, with "
                        "--parts judge, from the judge")  # fmt: skip
    parser.add_argument("--checkpoints", type=Path, default=_CHECKPOINTS)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all cores)")
    parser.add_argument("--workers", type=int, help="planning processes (default: fit the device)")
    parser.add_argument("--no-compile", action="store_true", help="do not compile on CUDA")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="changes",
                        help="change a number of the perceptor's recipe, or, with "
                        "--parts judge, of the judge's")  # fmt: skip
    parser.add_argument("--pictures", type=int, default=1024, help="per line of the evaluation")
    parser.add_argument("--note", default="", help="a remark for the model card")
    parser.add_argument("--sheets", type=Path, help="folder for sheets of what the models draw")
    return parser


def say(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


class Making:
    """What the parts share: arguments, device, known tokens, and sources of plans.

    Args:
        args: of the command.
        stack: closes the worker processes.
    """

    def __init__(self, args: argparse.Namespace, stack: ExitStack) -> None:
        self.args, self._stack = args, stack
        name = args.device
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(name)
        torch.backends.cudnn.benchmark = True  # shapes never change
        torch.set_float32_matmul_precision("high")
        self.token_ids = torch.from_numpy(known_tokens(WordTokenizer()))
        self.token_ids = self.token_ids[self.token_ids > 0]
        total = sum(SHARES[part] for part in args.parts)
        self.budgets = {part: args.budget * SHARES[part] / total for part in args.parts}

    def writer(
        self, sprites: Sprites, seed: int, size: int, emphasis: Mapping[str, float] = NO_EMPHASIS
    ) -> Writer:
        """Return what plans and writes chunks of `size` pictures."""
        planner = Planner(sprites, emphasis=emphasis)
        return Writer(planner, self.token_ids.tolist(), seed, size)

    def source(self, writer: Writer, share: float = 1.0, first: int = 0) -> PlanSource:
        """Return a source of plans: worker processes beside a GPU, this process on a CPU.

        Args:
            writer: of the plans.
            share: of the worker processes that the machine has room for.
            first: number of the first chunk: where a training that is resumed had got to.
        """
        count = self.args.workers
        if count is None:
            count = max(1, (os.cpu_count() or 2) - 2) if self.device.type == "cuda" else 0
        if not count:
            return Here(writer, first)
        return self._stack.enter_context(Workers(writer, max(1, round(count * share)), first))

    def checkpoint(self, part: Perceptor) -> Path:
        """Return where a perceptor's training leaves its state."""
        tower = self.args.tower if part == "perceptor" else 1
        folder: Path = self.args.checkpoints
        return folder / f"{stem_of(part, tower)}.pt"

    def begun(self, part: Perceptor, recipe: Recipe) -> int:
        """Return how many chunks of plans a training that is resumed has used, in part or whole."""
        if not self.args.resume:
            return 0
        return -(-updates_in(self.checkpoint(part)) // recipe.chunk)

    def described(self) -> str:
        """Return the device in words."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"{torch.get_num_threads()} CPU thread(s), {platform.machine()}"


def make_perceptor(making: Making, part: Perceptor, sprites: Sprites, source: PlanSource) -> None:
    """Train, evaluate and write one perceptor."""
    args, device = making.args, making.device
    recipe = recipe_for(part, device)
    meant = part == meant_part(args.parts)
    parent = load_starter(args.start_from) if args.start_from and meant else None
    if parent is not None:
        recipe = continued(recipe, parent.config.image_plan)
    recipe = change(recipe, args.changes if meant else [])
    tower = args.tower if part == "perceptor" else 1
    recipe = replace(recipe, budget=making.budgets[part], seed=recipe.seed + 100 * (tower - 1))
    noise = making.writer(sprites, 0, 1).rows(["random noise"])[0]
    trainer = Trainer(
        recipe, making.token_ids, torch.from_numpy(noise).long(), device,
        compiled=device.type == "cuda" and not args.no_compile,
    )  # fmt: skip
    if parent is not None:
        trainer.adopt(parent)
    checkpoint = making.checkpoint(part)
    say(f"{part}: {len(sprites.names)} drawings, {len(making.token_ids)} tokens, {device}")
    if args.resume:
        trainer.load(checkpoint)
        say(f"resumed after {trainer.elapsed:.0f} s of training")
    composer = Composer(sprites, draw_scenes(recipe.seed), device, SIDE)
    # What is resumed is shown other pictures than those it began with.
    seed = recipe.seed + trainer.updates
    trainer.run(Stream(source, composer, seed, recipe.batch), say, checkpoint)
    config, token_ids, weights = read_checkpoint(checkpoint)
    weights = blended(trainer.parent, weights, recipe.blend)
    model = build(config, token_ids, weights).to(device)
    results = evaluate(model, sprites, args.pictures)
    say(table(results))
    folder = args.out if part == "perceptor" else args.judge_out
    name = "starter" if part == "perceptor" else "judge"
    hashes = write(folder, config, token_ids, weights, name, stem_of("perceptor", tower))
    write_card(
        folder, part=part, sprites=sprites, model=describe(config),
        parameters=sum(p.numel() for p in model.parameters()), recipe=asdict(recipe),
        seen=trainer.seen, seconds=trainer.elapsed, device=making.described(),
        results=results, hashes=hashes, note=args.note, tower=tower,
    )  # fmt: skip
    if args.sheets:
        args.sheets.mkdir(parents=True, exist_ok=True)
        save_sheet(model, args.sheets / f"{stem_of(part, tower)}.png", trainer.fakes)
    for file, digest in hashes.items():
        say(f"{digest}  {folder / file}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    args = _parser().parse_args(arguments)
    if args.threads:
        torch.set_num_threads(args.threads)
    towers = {"perceptor": args.tower}
    stems = [stem_of(part, towers.get(part, 1)) for part in args.parts if part != "vqgan"]
    missing = [stem for stem in stems if not (args.checkpoints / f"{stem}.pt").is_file()]
    if args.resume and missing:
        say(f"Error: nothing to resume: there is no {args.checkpoints / missing[0]}.pt")
        return 1
    began = time.monotonic()
    with ExitStack() as stack:
        try:
            change(Recipe(), args.changes)
            making = Making(args, stack)
            _make(making)
        except (FontMissingError, IconsMissingError, WeightsError, ValueError) as error:
            say(f"Error: {error}")
            return 1
    say(f"done in {(time.monotonic() - began) / 60:.1f} min")
    return 0


def _make(making: Making) -> None:
    """Make all parts; the workers of the later ones plan while the first is trained."""
    args, parts = making.args, making.args.parts
    sources: dict[str, PlanSource] = {}
    sprites: dict[str, Sprites] = {}
    if "perceptor" in parts or "vqgan" in parts:
        recipe = change(recipe_for("perceptor", making.device), args.changes)
        sprites["guide"] = render_sprites("guide", args.icons)
        seed = recipe.seed + 100 * (args.tower - 1)
        size = recipe.batch * recipe.chunk
        writer = making.writer(sprites["guide"], seed, size, recipe.emphasized())
        first = making.begun("perceptor", recipe) if "perceptor" in parts else 0
        sources["guide"] = making.source(writer, 0.75 if "judge" in parts else 1.0, first)
    if "judge" in parts:
        recipe = recipe_for("judge", making.device)
        if meant_part(parts) == "judge":
            recipe = change(recipe, args.changes)
        sprites["judge"] = render_sprites("judge", args.icons)
        size = recipe.batch * recipe.chunk
        writer = making.writer(sprites["judge"], recipe.seed, size, recipe.emphasized())
        sources["judge"] = making.source(writer, 0.25, making.begun("judge", recipe))
    for part in parts:
        if part == "vqgan":
            make_vqgan(
                args.out, source=sources["guide"], device=making.device, icons=args.icons,
                budget=making.budgets[part], sheets=args.sheets, say=say,
            )  # fmt: skip
        else:
            role = "guide" if part == "perceptor" else "judge"
            make_perceptor(making, cast("Perceptor", part), sprites[role], sources[role])


if __name__ == "__main__":
    keep_freed()
    sys.exit(main())
