"""Train a perceptor: curriculum, attribute heads, adversarial training and on-policy fakes."""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from text2art.nets.starter import StarterCLIP, StarterConfig
from text2art.runtime import network_dtype
from training.batches import Batch, Stream
from training.captions import CONTEXT
from training.fakes import Fakes, Guided
from training.losses import Heads, contrastive, near_caption, tell_fakes
from training.norm import settle
from training.recipe import Recipe, between, learning_rate

Log = Callable[[str], None]
_MAX_SCALE = 60.0  # of the contrastive loss: the inverse temperature


@dataclass
class _Seen:
    """What one forward pass came to: the contrastive loss, and all losses together."""

    contrast: Tensor
    whole: Tensor


def normalize(images: Tensor) -> Tensor:
    """Apply the model's mean and std."""
    return (images - 0.5) * 4.0


class Trainer:
    """Model, optimizers and random streams; `run` trains until the budget of seconds is spent.

    Args:
        recipe: every number.
        token_ids: known token ids by rising id.
        noise_row: token rows of the caption "noise", (L,).
        device: where to train; CUDA trains in bfloat16.
        compiled: whether to compile the image tower.

    Attributes:
        parent: the weights that it went on from, by name, NaN for tokens that are new; empty for
            those made anew.
    """

    def __init__(
        self, recipe: Recipe, token_ids: Tensor, noise_row: Tensor, device: torch.device,
        *, compiled: bool = False,
    ) -> None:  # fmt: skip
        self.recipe, self.device, self.token_ids = recipe, device, token_ids
        config = StarterConfig(image_plan=recipe.image_plan, tokens=len(token_ids) + 2)
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)  # initial weights only; streams have generators
            self.model = StarterCLIP(config, token_ids, folded=recipe.folded).to(device)
            self.heads = Heads(config.embed).to(device)
        self.settled = settle(self.model.visual, device)
        self.model.visual.to(memory_format=torch.channels_last)
        self.tower: Callable[[Tensor], Tensor] = self.model.visual
        if compiled:
            self.tower = torch.compile(self.model.visual, dynamic=False)
        self.scale = nn.Parameter(torch.tensor(math.log(14.0), device=device))
        self.gen = torch.Generator(device=device).manual_seed(recipe.seed + 1)
        self.noise_row = _widened(noise_row[None].to(device))[0]
        self.fakes: Fakes | None = None
        if recipe.fakes:
            self.fakes = Fakes(recipe.fakes, self.noise_row, self.gen, held=8 * recipe.fakes)
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
        self.parent: dict[str, Tensor] = {}
        self.updates, self.elapsed, self.seen = 0, 0.0, 0

    @torch.no_grad()
    def adopt(self, parent: StarterCLIP) -> None:
        """Go on from an exported model of the same towers; tokens new to it start anew."""
        self.model.visual.load_state_dict(parent.visual.state_dict())
        table = self.model.text.token_embedding.weight.clone()
        known = self.token_ids.to(parent.rows.device)
        theirs, ours = parent.rows[known], torch.arange(2, 2 + len(known))
        old = (theirs > 1).cpu()
        table[:2] = parent.text.token_embedding.weight[:2].to(table.device)
        table[ours[old]] = parent.text.token_embedding.weight[theirs[old]].to(table.device)
        state = {**parent.text.state_dict(), "token_embedding.weight": table}
        self.model.text.load_state_dict(state)
        self.average = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.parent = {k: v.clone() for k, v in self.average.items()}
        self.parent["text.token_embedding.weight"][ours[~old]] = math.nan

    def run(
        self, stream: Stream, log: Log, checkpoint: Path | None = None, save_every: float = 120.0
    ) -> None:
        """Train until the budget is spent, writing checkpoints on the way."""
        self.model.train()
        # Compiled, or its kernels chosen, before the clock runs; at the end of the schedule a step
        # is so small that it changes nothing.
        self.step(stream.next(0.0), 1.0)
        began = time.monotonic() - self.elapsed
        saved = logged = self.elapsed
        losses: list[Tensor] = []
        while self.elapsed < self.recipe.budget:
            t = self.elapsed / self.recipe.budget
            batch = stream.next(between(t, *self.recipe.ramp))
            losses.append(self.step(batch, t))
            self.elapsed = time.monotonic() - began
            if self.elapsed - logged > 15:
                logged = self.elapsed
                mean, scale = float(torch.stack(losses).mean()), float(self.scale.detach().exp())
                losses.clear()
                log(
                    f"{self.elapsed:6.0f}s  loss {mean:.3f}  pictures {self.seen}  "
                    f"({self.seen / self.elapsed:.0f}/s)  scale {scale:.1f}"
                )
            if checkpoint and self.elapsed - saved > save_every:
                saved = self.elapsed
                self.save(checkpoint)
        if checkpoint:
            self.save(checkpoint)

    def step(self, batch: Batch, t: float) -> Tensor:
        """Train on one batch at time t; return its contrastive loss."""
        r = self.recipe
        self._set_rates(learning_rate(t))
        self.settled.fill_(float(t >= r.settle_at))
        rows, guided = _widened(batch.rows), None
        if self.fakes:
            guided = self.fakes.take(batch)
            rows = torch.cat([rows, self.fakes.rows[guided.places], self.noise_row[None]])
        # On a CPU, fused attention goes backward in slow loops of its own (`nets/attention.py`).
        with self._autocast(), _attention_of(self.device):
            text = self.model.encode_rows(rows, whole=True)
        leaf = text.detach().float().requires_grad_()
        loss = self._passes(batch, guided, leaf, t)
        # One text update for all passes: the words did not change between them.
        assert leaf.grad is not None
        torch.autograd.backward(text, leaf.grad.to(text.dtype))
        nn.utils.clip_grad_norm_(self.model.text.parameters(), 5.0)
        self.text_optimizer.step()
        self.text_optimizer.zero_grad(set_to_none=True)
        self.updates += 1
        self.seen += len(batch.images)
        if self.updates % r.ema_every == 0:
            self._average(min(r.ema_decay, self.updates / (self.updates + 100.0)))
        return loss

    def _passes(self, batch: Batch, guided: Guided | None, text: Tensor, t: float) -> Tensor:
        """Perturb the pictures in a few passes, then train on them; guided ones move all along.

        The perturbation climbs the loss in its L2 ball, whose radius differs by picture; some stay
        clean (PGD, arXiv:1706.06083; with `free`, arXiv:1904.12843, every pass trains as well).
        """
        r = self.recipe
        radius = r.radius * between(t, *r.attack_ramp)
        passes = r.attacks + 1 if radius > 0 else 1
        u = torch.rand(2, len(batch.images), 1, 1, 1, generator=self.gen, device=self.device)
        bound = radius * (0.3 + 0.7 * u[0]) * (u[1] >= r.clean_share)
        delta = torch.zeros_like(batch.images)
        if passes > 1 and not r.free:
            start = torch.randn(delta.shape, generator=self.gen, device=self.device)
            delta = climb(delta, start, bound, 0.5)
        loss = torch.zeros((), device=self.device)
        for k in range(passes):
            trains = r.free or k == passes - 1
            self._learn(trains)
            shown = (batch.images + delta).clamp(0, 1).requires_grad_(passes > 1)
            words = text if trains else text.detach()
            seen = self._look(shown, batch, guided, words, t, learns=trains)
            torch.autograd.backward(seen.whole)
            loss = seen.contrast.detach()
            if trains:
                nn.utils.clip_grad_norm_(self.model.visual.parameters(), 5.0)
                self.image_optimizer.step()
                self.image_optimizer.zero_grad(set_to_none=True)
            if shown.grad is not None:
                delta = climb(delta, shown.grad, bound, r.attack_step)
            if guided is not None and self.fakes is not None and (r.free or not trains):
                guided = self.fakes.move(guided)
        return loss

    def _learn(self, learns: bool) -> None:
        """Ask for gradients of the image side's weights, or spare them."""
        for module in (self.model.visual, self.heads):
            module.requires_grad_(learns)
        self.scale.requires_grad_(learns)

    def _look(
        self, shown: Tensor, batch: Batch, guided: Guided | None, text: Tensor, t: float,
        *, learns: bool,
    ) -> _Seen:  # fmt: skip
        """Return the losses of pictures (B, 3, S, S) and of the guided ones beside them.

        Where the weights learn, guided pictures are to be told from real ones; where they do not,
        the pictures follow the words, as a drawer's do.
        """
        r, n = self.recipe, len(shown)
        if guided is not None and self.fakes is not None:
            size = shown.shape[-1]
            shown = torch.cat([shown, guided.shown(size, self.fakes.noise(size))])
        view = normalize(shown).contiguous(memory_format=torch.channels_last)
        with self._autocast():
            embedding = self.tower(view)
        embedding = embedding.float()
        scale = self.scale.exp().clamp(max=_MAX_SCALE)
        contrast = contrastive(embedding[:n], text[: 2 * n], batch.masked, scale)
        aux = r.heads[0] + (r.heads[1] - r.heads[0]) * t
        whole = contrast + aux * self.heads(embedding[:n], batch.truth)
        if guided is not None and learns:
            weight = r.fakes_weight * between(t, *r.fakes_ramp)
            whole = whole + weight * tell_fakes(embedding[n:], text[2 * n :], scale)
        elif guided is not None:
            whole = whole + near_caption(embedding[n:], text[2 * n :])
        return _Seen(contrast, whole)

    def _autocast(self) -> torch.autocast:
        # Processors without bfloat16 arithmetic imitate it, ten times slower than float32.
        fast = network_dtype(self.device) == torch.bfloat16
        return torch.autocast(self.device.type, torch.bfloat16, enabled=fast)

    def _set_rates(self, factor: float) -> None:
        r = self.recipe
        rates = ((self.image_optimizer, r.lr_image), (self.text_optimizer, r.lr_text))
        for optimizer, rate in rates:
            for group in optimizer.param_groups:
                group["lr"] = rate * factor

    @torch.no_grad()
    def _average(self, decay: float) -> None:
        state = self.model.state_dict()
        floating = [k for k, v in state.items() if v.is_floating_point()]
        torch._foreach_lerp_(
            [self.average[k] for k in floating], [state[k] for k in floating], 1 - decay
        )

    def save(self, path: Path) -> None:
        """Write a checkpoint, whole or not at all."""
        state = {
            "recipe": asdict(self.recipe), "average": self.average, "token_ids": self.token_ids,
            "model": self.model.state_dict(), "heads": self.heads.state_dict(),
            "scale": self.scale.detach(), "image_optimizer": self.image_optimizer.state_dict(),
            "text_optimizer": self.text_optimizer.state_dict(), "updates": self.updates,
            "elapsed": self.elapsed, "seen": self.seen, "gen": self.gen.get_state(),
        }  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint of the same architecture; the guided pictures start anew."""
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.heads.load_state_dict(state["heads"])
        self.scale.data.copy_(state["scale"])
        self.image_optimizer.load_state_dict(state["image_optimizer"])
        self.text_optimizer.load_state_dict(state["text_optimizer"])
        self.average = state["average"]
        self.updates, self.elapsed, self.seen = state["updates"], state["elapsed"], state["seen"]
        self.gen.set_state(state["gen"].cpu())


def climb(delta: Tensor, gradient: Tensor, bound: Tensor, step: float) -> Tensor:
    """Move perturbations up the loss and back into their L2 balls, (B, 3, S, S)."""
    length = gradient.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
    moved = delta + step * bound * gradient / length
    size = moved.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
    inside: Tensor = moved * (bound / size).clamp(max=1.0)
    return inside


def _attention_of(device: torch.device) -> AbstractContextManager[None]:
    """Return the context in which attention is made of products where that is quicker."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


def _widened(rows: Tensor) -> Tensor:
    """Pad token rows (T, L) to the whole context, so that all can be read together."""
    return F.pad(rows, (0, CONTEXT - rows.shape[1]))


def _decayed(module: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Split parameters: weight matrices decay, biases and norms do not."""
    matrices = [p for p in module.parameters() if p.ndim > 1]
    rest = [p for p in module.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]
