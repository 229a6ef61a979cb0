"""Train the starter perceptor: curriculum, attribute heads and "free" adversarial training."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from text2art.nets.starter import StarterCLIP, StarterConfig
from training.batches import Batch, Stream
from training.captions import WordTokenizer, known_tokens
from training.compose import Composer
from training.fakes import Fakes, Guided
from training.losses import Heads, contrastive, tell_fakes
from training.plan import Planner
from training.scenes import draw_scenes
from training.sprites import render_sprites

Log = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """Every number of the training; shares are of the time budget."""

    image_plan: str = "24s2 48 p 96 p 192 192 p 320"
    seed: int = 1
    batch: int = 64
    budget: float = 90 * 60.0  # seconds
    lr_image: float = 2.0e-3
    lr_text: float = 0.8e-3
    weight_decay: float = 0.02
    ramp: tuple[float, float] = (0.0, 0.45)  # difficulty from 0 to 1
    attack_ramp: tuple[float, float] = (0.07, 0.30)  # radius from 0 to `radius`
    radius: float = 3.0  # L2, of a 3 x 64 x 64 picture in [0, 1]
    replays: int = 3
    clean_share: float = 0.12
    attack_step: float = 0.75  # of the radius
    heads: tuple[float, float] = (1.0, 0.2)  # weight of the attribute heads, first and last
    fakes: int = 14  # guided pictures that join each batch
    fakes_from: float = 0.4
    fakes_weight: float = 0.5
    ema_every: int = 8
    ema_decay: float = 0.985


def _between(t: float, start: float, end: float) -> float:
    return min(max((t - start) / max(end - start, 1e-9), 0.0), 1.0)


def learning_rate(t: float) -> float:
    """Return the share of the full rate at time t in [0, 1]: a short warm-up, then a cosine."""
    return min(1.0, t / 0.015 + 0.02) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * t)))


def normalize(images: Tensor) -> Tensor:
    """Apply the model's mean and std."""
    return (images - 0.5) * 4.0


class Trainer:
    """Model, optimizers and stream; `run` trains until the budget of seconds is spent."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.recipe, self.device = recipe, device
        self.token_ids = torch.from_numpy(known_tokens(WordTokenizer()))
        self.token_ids = self.token_ids[self.token_ids > 0]
        config = StarterConfig(image_plan=recipe.image_plan, tokens=len(self.token_ids) + 2)
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)  # initial weights only; streams have generators
            self.model = StarterCLIP(config, self.token_ids, folded=False).to(device)
            self.heads = Heads(config.embed).to(device)
        self.model.visual.to(memory_format=torch.channels_last)
        self.scale = nn.Parameter(torch.tensor(math.log(14.0), device=device))
        sprites = render_sprites()
        composer = Composer(sprites, draw_scenes(recipe.seed), device)
        self.stream = Stream(Planner(sprites), composer, self.token_ids, recipe.seed, recipe.batch)
        self.gen = torch.Generator(device=device).manual_seed(recipe.seed + 1)
        noise = self.stream.rows(["random noise"])[0].to(device)
        self.fakes = Fakes(recipe.fakes, noise, self.gen)
        free = {"params": [*self.heads.parameters(), self.scale], "weight_decay": 0.0}
        self.image_optimizer = torch.optim.AdamW(
            [*_decayed(self.model.visual, recipe.weight_decay), free],
            lr=recipe.lr_image, betas=(0.9, 0.98), fused=True,
        )  # fmt: skip
        self.text_optimizer = torch.optim.AdamW(
            _decayed(self.model.text, recipe.weight_decay),
            lr=recipe.lr_text, betas=(0.9, 0.98), fused=True,
        )  # fmt: skip
        self.average = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.updates, self.elapsed, self.seen = 0, 0.0, 0

    def run(self, log: Log, checkpoint: Path | None = None, save_every: float = 120.0) -> None:
        """Train until the budget is spent, writing checkpoints on the way."""
        began = time.monotonic() - self.elapsed
        saved = logged = self.elapsed
        losses: list[Tensor] = []
        self.model.train()
        while self.elapsed < self.recipe.budget:
            t = self.elapsed / self.recipe.budget
            losses.append(self.step(t))
            self.elapsed = time.monotonic() - began
            if self.elapsed - logged > 15:
                logged = self.elapsed
                mean, scale = float(torch.stack(losses).mean()), float(self.scale.detach().exp())
                losses.clear()
                log(
                    f"{self.elapsed:6.0f}s  loss {mean:.3f}  image-updates {self.seen}  "
                    f"({self.seen / self.elapsed:.0f}/s)  scale {scale:.1f}"
                )
            if checkpoint and self.elapsed - saved > save_every:
                saved = self.elapsed
                self.save(checkpoint)
        if checkpoint:
            self.save(checkpoint)

    def step(self, t: float) -> Tensor:
        """Train on one batch at time t: `replays` image updates and one text update."""
        r = self.recipe
        batch = self.stream.next(_between(t, *r.ramp))
        radius = r.radius * _between(t, *r.attack_ramp)
        rates = ((self.image_optimizer, r.lr_image), (self.text_optimizer, r.lr_text))
        for optimizer, rate in rates:
            for group in optimizer.param_groups:
                group["lr"] = rate * learning_rate(t)
        aux = r.heads[0] + (r.heads[1] - r.heads[0]) * t
        rows, guided = batch.rows, None
        if t >= r.fakes_from and r.fakes:
            guided = self.fakes.take(batch)
            rows = torch.cat([rows, guided.rows, self.fakes.noise_row[None]])
        text = self.model.encode_rows(rows)
        leaf = text.detach().requires_grad_()
        loss = self._replay(batch, guided, leaf, radius, aux)
        # One text update for all replays: the words did not change between them.
        torch.autograd.backward(text, leaf.grad)
        nn.utils.clip_grad_norm_(self.model.text.parameters(), 5.0)
        self.text_optimizer.step()
        self.text_optimizer.zero_grad(set_to_none=True)
        self.updates += 1
        if self.updates % r.ema_every == 0:
            self._average(min(r.ema_decay, self.updates / (self.updates + 100.0)))
        return loss

    def _replay(
        self, batch: Batch, guided: Guided | None, text: Tensor, radius: float, aux: float
    ) -> Tensor:
        """Update the image tower `replays` times on one batch while the perturbation grows.

        "Free" adversarial training (arXiv:1904.12843): the gradient that updates the weights also
        updates the perturbation. Here it starts anew with each batch and its radius differs by
        picture, some staying clean. Guided pictures move on along the same gradient.
        """
        r, images = self.recipe, batch.images
        n = len(images)
        u = torch.rand(2, n, 1, 1, 1, generator=self.gen, device=self.device)
        bound = radius * (0.3 + 0.7 * u[0]) * (u[1] >= r.clean_share)
        delta = torch.zeros_like(images)
        total = torch.zeros((), device=self.device)
        replays = r.replays if radius > 0 else 1
        for _ in range(replays):
            shown = (images + delta).clamp(0, 1)
            if guided is not None:
                shown = torch.cat([shown, guided.pictures])
            shown.requires_grad_(radius > 0)
            embedding = self._embed(shown)
            scale = self.scale.exp().clamp(max=60.0)
            loss = contrastive(embedding[:n], text[: 2 * n], batch.masked, scale)
            whole = loss + aux * self.heads(embedding[:n], batch.truth)
            if guided is not None:
                whole = whole + r.fakes_weight * tell_fakes(embedding[n:], text[2 * n :], scale)
            whole.backward()
            nn.utils.clip_grad_norm_(self.model.visual.parameters(), 5.0)
            self.image_optimizer.step()
            self.image_optimizer.zero_grad(set_to_none=True)
            total += loss.detach()
            self.seen += n
            if shown.grad is not None:
                delta = _climb(delta, shown.grad[:n], bound, r.attack_step)
                if guided is not None:
                    guided = self.fakes.moved(guided, shown.grad[n:])
        if guided is not None:
            self.fakes.keep(guided)
        return total / replays

    def _embed(self, images: Tensor) -> Tensor:
        view = normalize(images).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            embedding = self.model.encode_image(view)
        return embedding.float()

    def _average(self, decay: float) -> None:
        with torch.no_grad():
            for key, value in self.model.state_dict().items():
                if value.is_floating_point():
                    self.average[key].lerp_(value, 1 - decay)
                else:
                    self.average[key].copy_(value)

    def save(self, path: Path) -> None:
        """Write a checkpoint, whole or not at all."""
        state = {
            "recipe": asdict(self.recipe), "average": self.average, "token_ids": self.token_ids,
            "model": self.model.state_dict(), "heads": self.heads.state_dict(),
            "scale": self.scale.detach(), "image_optimizer": self.image_optimizer.state_dict(),
            "text_optimizer": self.text_optimizer.state_dict(), "updates": self.updates,
            "elapsed": self.elapsed, "seen": self.seen, "gen": self.gen.get_state(),
            "stream_gen": self.stream.gen.get_state(),
            "stream_rng": self.stream.rng.bit_generator.state,
        }  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint of the same architecture."""
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.heads.load_state_dict(state["heads"])
        self.scale.data.copy_(state["scale"])
        self.image_optimizer.load_state_dict(state["image_optimizer"])
        self.text_optimizer.load_state_dict(state["text_optimizer"])
        self.average = state["average"]
        self.updates, self.elapsed, self.seen = state["updates"], state["elapsed"], state["seen"]
        self.gen.set_state(state["gen"].cpu())
        self.stream.gen.set_state(state["stream_gen"].cpu())
        self.stream.rng.bit_generator.state = state["stream_rng"]


def _climb(delta: Tensor, gradient: Tensor, bound: Tensor, step: float) -> Tensor:
    """Move perturbations up the loss and back into their L2 balls, (B, 3, S, S)."""
    length = gradient.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
    moved = delta + step * bound * gradient / length
    size = moved.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
    inside: Tensor = moved * (bound / size).clamp(max=1.0)
    return inside


def _decayed(module: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Split parameters: weight matrices decay, biases and norms do not."""
    matrices = [p for p in module.parameters() if p.ndim > 1]
    rest = [p for p in module.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]
