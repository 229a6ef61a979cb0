"""Make the starter perceptor: `python -m training.make --budget 90m --out weights/starter`.

Draws the sprites, trains, evaluates, and writes the weights with their model card. Training writes
a checkpoint every minute; `--resume` continues from it (also when the budget was raised).
"""

import argparse
import platform
import re
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch

from text2art.nets.starter import describe
from training.card import write_card
from training.evaluate import evaluate, table
from training.export import build, read_checkpoint, write
from training.guided import save_sheet
from training.sprites import FontMissingError, render_sprites
from training.train import Recipe, Trainer

_CHECKPOINT = Path.home() / ".cache" / "text2art" / "training" / "starter.pt"


def seconds(text: str) -> float:
    """Read a duration: "20s", "90m", "1.5h"."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)", text.strip().lower())
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 20s, 90m or 1.5h")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.make", description=__doc__)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument("--budget", type=seconds, default=seconds("90m"), help="e.g. 20s, 90m, 3h")
    parser.add_argument("--out", type=Path, default=Path("weights/starter"))
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint")
    parser.add_argument("--checkpoint", type=Path, default=_CHECKPOINT)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all cores)")
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--pictures", type=int, default=1024, help="per line of the evaluation")
    parser.add_argument("--note", default="", help="a remark for the model card")
    parser.add_argument("--sheet", type=Path, help="also draw 24 prompts to this PNG")
    return parser


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _describe_device(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} CPU thread(s), {platform.machine()}"


def say(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    args = _parser().parse_args(arguments)
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.resume and not args.checkpoint.is_file():
        say(f"Error: nothing to resume: there is no checkpoint {args.checkpoint}")
        return 1
    device = _device(args.device)
    began = time.monotonic()
    try:
        sprites = render_sprites()
        trainer = Trainer(replace(Recipe(), budget=args.budget, seed=args.seed), device)
    except FontMissingError as error:
        say(f"Error: {error}")
        return 1
    say(f"{len(sprites.names)} drawings, {len(trainer.token_ids)} tokens, {device}")
    if args.resume:
        trainer.load(args.checkpoint)
        say(f"resumed after {trainer.elapsed:.0f} s of training")
    trainer.run(say, args.checkpoint)
    config, token_ids, weights = read_checkpoint(args.checkpoint)
    model = build(config, token_ids, weights)
    results = evaluate(model, sprites, args.pictures)
    say(table(results))
    hashes = write(args.out, config, token_ids, weights)
    recipe = asdict(trainer.recipe)
    write_card(
        args.out, sprites=sprites, model=describe(config),
        parameters=sum(p.numel() for p in model.parameters()), recipe=recipe,
        seen=trainer.seen, seconds=trainer.elapsed, device=_describe_device(device),
        results=results, hashes=hashes, note=args.note,
    )  # fmt: skip
    if args.sheet:
        save_sheet(model, args.sheet)
    for name, digest in hashes.items():
        say(f"{digest}  {args.out / name}")
    say(f"done in {(time.monotonic() - began) / 60:.1f} min")
    return 0


if __name__ == "__main__":
    sys.exit(main())
