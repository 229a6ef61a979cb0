"""Train, evaluate and write the starter VQGAN."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch

from text2art.errors import WeightsMissing
from text2art.nets.starter import load_starter
from training.batches import Stream
from training.compose import Composer
from training.planning import PlanSource
from training.scenes import draw_scenes
from training.sprites import render_sprites
from training.vqgan import VqganRecipe, VqganTrainer
from training.vqgan_export import vqgan_figures, write_sheet, write_vqgan

SIDE = 128  # of its training pictures
VERSION = "1"
_DIFFICULTY = 0.7  # styles, near views and small things, but not mostly those
_SHOWN = 8


def make_vqgan(
    folder: Path, *, source: PlanSource, device: torch.device, icons: Path | None, budget: float,
    sheets: Path | None, say: Callable[[str], None], recipe: VqganRecipe | None = None,
) -> None:  # fmt: skip
    """Train a VQGAN on clean pictures of the guide's drawings and write it into `folder`.

    Likeness is judged by the features of the perceptor in the folder, where there is one.
    """
    on_gpu = device.type == "cuda"
    recipe = recipe or VqganRecipe(batch=128 if on_gpu else 8, mixed=on_gpu, compile=on_gpu)
    recipe = replace(recipe, budget=budget)
    try:
        features = load_starter(folder).visual
    except WeightsMissing:
        features = None
    sprites = render_sprites("guide", icons, SIDE)
    composer = Composer(sprites, draw_scenes(recipe.seed), device, SIDE, worn=False)
    stream = Stream(source, composer, recipe.seed, recipe.batch)
    trainer = VqganTrainer(recipe, lambda n: stream.pictures(n, _DIFFICULTY), device, features)
    say(f"vqgan: {len(sprites.names)} drawings, {device}, warm-up {trainer.warm_up():.0f} s")
    trainer.run(say)
    held = stream.pictures(256, _DIFFICULTY)
    model = trainer.averaged().to(device)
    figures = vqgan_figures(model, held, features)
    say("  ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    if sheets:
        write_sheet(sheets / "vqgan.png", model, held[:_SHOWN])
    hashes = write_vqgan(
        folder, model, name="starter", version=VERSION, recipe=asdict(recipe), figures=figures
    )
    for name, digest in hashes.items():
        say(f"{digest}  {folder / name}")
