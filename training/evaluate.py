"""Figures of a perceptor on fresh pictures: zero-shot attributes and caption retrieval."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from text2art.nets.starter import StarterCLIP
from training.captions import NOTHING
from training.compose import Composer
from training.plan import Plan, Planner
from training.scenes import draw_scenes
from training.sprites import Sprites
from training.subjects import SUBJECTS, plural
from training.world import (
    BACKGROUND,
    BACKGROUND_NAMES,
    COLOR,
    COLOR_NAMES,
    COUNT,
    OTHER_BACKGROUND,
    PLAINS,
    SCENES,
    SECOND,
    SUBJECT,
)

_SEED = 977  # of the evaluation pictures; training uses small seeds


def read(model: StarterCLIP, texts: Sequence[str]) -> Tensor:
    """Return unit embeddings of texts, (T, D)."""
    tokens = model.tokenize(list(texts)).to(model.rows.device)
    return F.normalize(model.encode_text(tokens), dim=-1)


def see(model: StarterCLIP, images: Tensor, batch: int = 256) -> Tensor:
    """Return unit embeddings of pictures in [0, 1], (N, D)."""
    parts = [model.encode_image((part - 0.5) * 4.0) for part in torch.split(images, batch)]
    return F.normalize(torch.cat(parts), dim=-1)


def _ground_phrase(name: str) -> str:
    return f"on a {name} background" if name in COLOR_NAMES else SCENES[name][0][0]


def _among(model: StarterCLIP, seen: Tensor, choices: list[list[str]], truth: list[int]) -> float:
    """Return how often the true one of each picture's own choices is nearest."""
    flat = sorted({text for row in choices for text in row})
    place = {text: i for i, text in enumerate(flat)}
    scores = seen @ read(model, flat).T
    hits = [
        int(scores[i, [place[t] for t in row]].argmax()) == right
        for i, (row, right) in enumerate(zip(choices, truth, strict=True))
    ]
    return float(np.mean(hits)) if hits else float("nan")


def _draw(
    sprites: Sprites, composer: Composer, difficulty: float, n: int, held_back: bool
) -> tuple[Plan, Tensor]:
    rng = np.random.default_rng(_SEED)
    gen = torch.Generator(device=composer.device).manual_seed(_SEED)
    planner = Planner(sprites, held_back=held_back)
    plan = planner.draw(np.full(n, difficulty, dtype=np.float32), rng)
    return plan, composer.draw(plan, gen)


@torch.no_grad()
def figures(
    model: StarterCLIP, sprites: Sprites, difficulty: float, *, n: int = 1024,
    held_back: bool = False,
) -> dict[str, float]:  # fmt: skip
    """Return accuracies on `n` fresh pictures of one difficulty.

    Args:
        model: the perceptor.
        sprites: all drawings.
        difficulty: of the pictures, in [0, 1].
        n: how many pictures.
        held_back: judge the subject only, on drawings that training never showed.
    """
    composer = Composer(sprites, draw_scenes(_SEED, 20), model.rows.device)
    plan, images = _draw(sprites, composer, difficulty, n, held_back)
    seen = see(model, images)
    truth = plan.truth
    shown = (truth[:, SUBJECT] < NOTHING) & (truth[:, SUBJECT] >= 0) & (truth[:, SECOND] == NOTHING)
    named = shown & sprites.held_back[plan.sprite[:, 0]] if held_back else shown
    rows = np.flatnonzero(named)
    nouns = read(model, [f"a {s.name}" for s in SUBJECTS])
    order = (seen[torch.from_numpy(rows)] @ nouns.T).topk(5, dim=1).indices.cpu().numpy()
    right = order == truth[rows, SUBJECT][:, None]
    out = {"subject top-1": float(right[:, 0].mean()), "subject top-5": float(right.any(1).mean())}
    if held_back:
        return out
    name = [SUBJECTS[s].name if s < NOTHING else "" for s in truth[:, SUBJECT]]
    rows = np.flatnonzero(shown & (truth[:, COLOR] >= 0) & (plan.recolor[:, 0] >= 0))
    out["color"] = _among(
        model, seen[torch.from_numpy(rows)],
        [[f"a {c} {name[i]}" for c in COLOR_NAMES] for i in rows], truth[rows, COLOR].tolist(),
    )  # fmt: skip
    rows = np.flatnonzero(
        shown & (truth[:, BACKGROUND] >= 0) & (truth[:, BACKGROUND] < OTHER_BACKGROUND)
    )
    out["background"] = _among(
        model, seen[torch.from_numpy(rows)],
        [[f"a {name[i]} {_ground_phrase(b)}" for b in BACKGROUND_NAMES] for i in rows],
        truth[rows, BACKGROUND].tolist(),
    )  # fmt: skip
    assert len(BACKGROUND_NAMES) == PLAINS + len(SCENES)
    rows = np.flatnonzero(shown)
    words = ("two", "three", "four")
    out["count"] = _among(
        model, seen[torch.from_numpy(rows)],
        [[f"a {name[i]}"] + [f"{w} {plural(name[i])}" for w in words] for i in rows],
        (truth[rows, COUNT] - 1).tolist(),
    )  # fmt: skip
    many = rows[truth[rows, COUNT] > 1]
    out["count of 2-4"] = _among(
        model, seen[torch.from_numpy(many)],
        [[f"a {name[i]}"] + [f"{w} {plural(name[i])}" for w in words] for i in many],
        (truth[many, COUNT] - 1).tolist(),
    )  # fmt: skip
    hits = []
    for start in range(0, n - 127, 128):
        cut = slice(start, start + 128)
        scores = seen[cut] @ read(model, plan.captions[cut]).T
        hits.append((scores.argmax(1).cpu() == torch.arange(128)).float().mean().item())
    out["caption R@1 of 128"] = float(np.mean(hits))
    return out


def evaluate(model: StarterCLIP, sprites: Sprites, n: int = 1024) -> dict[str, dict[str, float]]:
    """Return the figures of the model card: easy, hard, and drawings never seen in training."""
    return {
        "easy": figures(model, sprites, 0.2, n=n),
        "hard": figures(model, sprites, 1.0, n=n),
        "held back": figures(model, sprites, 0.2, n=n, held_back=True),
    }


def table(results: dict[str, dict[str, float]]) -> str:
    """Return the figures as a Markdown table."""
    names = list(dict.fromkeys(k for row in results.values() for k in row))
    lines = ["| pictures | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for kind, row in results.items():
        cells = [f"{row[k]:.2f}" if k in row else "" for k in names]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
