"""Every number of the perceptors' training."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch


@dataclass(frozen=True)
class Recipe:
    """How one perceptor is trained; shares and ramps are of the time budget.

    Attributes:
        image_plan: of the image tower, see `nets.starter.StarterConfig`.
        role: whose drawings it learns from: the guide's, or the judge's own.
        seed: of weights, pictures and captions.
        batch: pictures per step.
        chunk: batches that are planned and composed together.
        budget: seconds.
        ramp: when the difficulty rises from 0 to 1.
        attack_ramp: when the radius rises from 0 to `radius`.
        radius: largest L2 length of a perturbation of a 3 x 64 x 64 picture in [0, 1].
        attacks: gradient steps of the perturbation, before the pass that trains.
        free: whether those passes train the weights, too ("free" adversarial training), so that a
            third of all updates sees clean pictures. With perturbed ones alone (10 % clean, radius
            4, Adam) an H200 trained for seven minutes and fell back to guessing.
        clean_share: pictures that are not perturbed.
        attack_step: length of one of those steps, of the radius.
        heads: weight of the attribute heads, first and last.
        fakes: guided pictures that join each batch.
        fakes_ramp: when their weight rises from 0 to `fakes_weight`.
        settle_at: when batch norm settles (see `norm.py`).
        ema_every, ema_decay: the exported weights are a running average.
        blend: share of the trained weights in what is exported, when going on from exported
            weights; the rest is those (arXiv:2109.01903 section 3). What was trained on for a short
            while knows more and draws worse; half and half drew better than either.
        emphasis: subjects that come more often than others, "mushroom=8,apple=3": for those that
            are not drawn well yet.
        folded: no batch norm: for going on from exported weights, whose norms are folded in.
    """

    image_plan: str = "32 64s2 96 p 192 192 p 384 384 p 512"
    role: Literal["guide", "judge"] = "guide"
    seed: int = 1
    batch: int = 256
    chunk: int = 12
    budget: float = 90 * 60.0
    lr_image: float = 2.0e-3
    lr_text: float = 1.0e-3
    weight_decay: float = 0.03
    ramp: tuple[float, float] = (0.02, 0.45)
    attack_ramp: tuple[float, float] = (0.08, 0.40)
    radius: float = 3.0
    attacks: int = 2
    free: bool = True
    clean_share: float = 0.10
    attack_step: float = 0.7
    heads: tuple[float, float] = (1.0, 0.25)
    fakes: int = 56
    fakes_ramp: tuple[float, float] = (0.30, 0.45)
    fakes_weight: float = 0.5
    settle_at: float = 0.7
    ema_every: int = 8
    ema_decay: float = 0.985
    blend: float = 1.0
    emphasis: str = ""
    folded: bool = False

    def __post_init__(self) -> None:
        """Refuse what no training can use.

        Raises:
            ValueError: `blend` is no share.
        """
        if not 0.0 <= self.blend <= 1.0:
            raise ValueError(f"blend {self.blend:g} is no share: give a number from 0 to 1")

    def emphasized(self) -> dict[str, float]:
        """Return how many times as often as others subjects come.

        Raises:
            ValueError: no list of NAME=TIMES.
        """
        times: dict[str, float] = {}
        for pair in filter(None, (part.strip() for part in self.emphasis.split(","))):
            name, _, number = pair.partition("=")
            try:
                times[name.strip()] = float(number)
            except ValueError:
                times[name.strip()] = math.nan
            if not 0.0 < times[name.strip()] < math.inf:
                raise ValueError(f"emphasis {pair!r}: write it like mushroom=8, more than 0")
        return times


_JUDGE = Recipe(
    image_plan="48s2 64 96s2 128 160s2 224 288s2 320", role="judge", seed=42, batch=256, fakes=0,
    # Gently: a judge has to know subjects first, and is not drawn with.
    radius=1.5, attacks=1, attack_step=1.0, clean_share=0.2,
)  # fmt: skip
# What a core can do in an hour or two: a smaller tower, smaller batches.
_SMALL = {"image_plan": "24s2 48 p 96 p 192 192 p 320", "batch": 64, "chunk": 3, "fakes": 14}


def recipe_for(part: Literal["perceptor", "judge"], device: torch.device) -> Recipe:
    """Return the recipe of a perceptor on a kind of device."""
    recipe = Recipe() if part == "perceptor" else _JUDGE
    if device.type == "cuda":
        return recipe
    small = dict(_SMALL)
    if part == "judge":
        small |= {"image_plan": "24s2 32 48s2 64 96s2 128 160s2 192", "fakes": 0}
    return replace(recipe, **small)  # type: ignore[arg-type]


def continued(recipe: Recipe, image_plan: str) -> Recipe:
    """Return a recipe for going on from exported weights: smaller steps, hardly any curriculum."""
    return replace(
        recipe, image_plan=image_plan, folded=True, lr_image=6e-4, lr_text=4e-4,
        ramp=(-0.1, 0.25), attack_ramp=(-0.05, 0.10), fakes_ramp=(0.02, 0.15),
    )  # fmt: skip


def between(t: float, start: float, end: float) -> float:
    """Return how far t is on its way from start to end, in [0, 1]."""
    return min(max((t - start) / max(end - start, 1e-9), 0.0), 1.0)


def learning_rate(t: float) -> float:
    """Return the share of the full rate at time t in [0, 1]: a short warm-up, then a cosine."""
    return min(1.0, t / 0.015 + 0.02) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * t)))
