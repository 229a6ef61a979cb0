"""Train the starter VQGAN: one GPU, some two minutes, pictures composed on the fly.

After arXiv:2012.09841. Departures, all for so short a training: the codebook follows the latents by
moving averages in place of a loss, entries out of use move to where latents are; at first latents
pass the codebook by; the critic is balanced at the picture; the decoder sees latents with a little
noise, since drawing leads it to latents no encoder would give.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from text2art.nets.vqgan import Vqgan, VqganConfig, vqgan_from
from training.recipe import between
from training.vqgan_export import normalized, spread, unit_latents
from training.vqgan_losses import (
    CodebookAverage,
    Critic,
    FeatureDistance,
    balanced,
    hinge,
    perplexity,
)

Log = Callable[[str], None]
ModuleT = TypeVar("ModuleT", bound=nn.Module)
Pictures = Iterator[Tensor] | Callable[[int], Tensor]

STARTER = VqganConfig(
    ch=32, ch_mult=(1, 1, 2, 5), num_res_blocks=1, z_channels=64, embed_dim=32, n_embed=1024,
    resolution=128, norm_groups=4,
)  # fmt: skip


@dataclass(frozen=True)
class VqganRecipe:
    """Every number of the training; shares are of the time budget.

    Attributes:
        model: what is trained.
        batch: pictures per step.
        budget: seconds, without `warm_up`.
        commitment: weight of the distance of latents from their entries, taming's beta. Taming's
            "legacy" bug puts beta on the codebook's term and 1 on this one; here the codebook has
            no term, as it follows by averages of `book_decay`.
        loose: share of the budget by whose end all latents are quantized; before, pictures skip it
            at random.
        revive: until when unused entries are moved.
        noise: on latents, at most, in units of the entries' spread.
        critic_from: when the critic begins to learn, and when it counts in full.
        critic_weight: length of its gradient at the picture, in units of the other losses'.
        mixed: compute in bfloat16 where autocast does; slow on most CPUs.
        compile: let torch compile encoder and decoder; pays on a GPU.
    """

    model: VqganConfig = field(default_factory=lambda: STARTER)
    seed: int = 1
    batch: int = 128
    budget: float = 130.0
    lr: float = 1.0e-3
    lr_critic: float = 4.0e-4
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float = 1.0
    l1: float = 1.0
    perceptual: float = 0.6
    commitment: float = 0.25
    book_decay: float = 0.98
    loose: float = 0.08
    revive: float = 0.85
    noise: float = 0.1
    critic_width: int = 32
    critic_from: tuple[float, float] = (0.35, 0.45)
    critic_weight: float = 0.4
    ema_every: int = 4
    ema_decay: float = 0.98
    mixed: bool = True
    compile: bool = False


def _placed(module: ModuleT, device: torch.device) -> ModuleT:
    module.to(device)
    module.to(memory_format=torch.channels_last)  # what tensor cores want
    return module


def _begun(model: Vqgan) -> Vqgan:
    """Set initial weights that keep the size of signals, with quieter residuals and output.

    torch's own are smaller by half, and then the colors of a picture take long to come through.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, a=0.7)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            if name.endswith(".conv2"):
                module.weight.data.mul_(0.5)
    model.decoder.conv_out.weight.data.mul_(0.3)
    return model


def learning_rate(t: float) -> float:
    """Return the share of the full rate at time t in [0, 1]: a short warm-up, then a cosine."""
    return min(1.0, t / 0.02 + 0.02) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * t)))


class VqganTrainer:
    """Model, critic and optimizers; `run` trains until the budget of seconds is spent.

    Args:
        recipe: every number.
        pictures: `pictures(n)` or the next of an iterator gives pictures (n, 3, S, S) in [0, 1],
            already on `device`.
        device: where to train.
        features: a frozen network with `layers` (`ConvTower`) for the perceptual distance; None
            compares local contrasts.
    """

    def __init__(
        self,
        recipe: VqganRecipe,
        pictures: Pictures,
        device: torch.device,
        features: nn.Module | None = None,
    ) -> None:
        if recipe.model.gumbel:
            raise ValueError("the trainer knows no Gumbel codebooks")
        self.recipe, self.pictures, self.device = recipe, pictures, device
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)  # initial weights only; all else has a generator
            self.model = _placed(_begun(Vqgan(recipe.model)), device)
            self.critic = _placed(Critic(recipe.critic_width), device)
        self.model.quantize.requires_grad_(False)  # moved by `self.book`
        # Latents of unit variance cannot shrink to please the commitment; folded in `averaged`.
        self.norm = nn.BatchNorm2d(recipe.model.embed_dim, affine=False, momentum=0.05).to(device)
        self.distance = _placed(FeatureDistance(features), device)
        self.gen = torch.Generator(device=device).manual_seed(recipe.seed + 1)
        self.book = CodebookAverage(self.model.codebook.data, self.gen, recipe.book_decay)
        self.optimizer = torch.optim.AdamW(
            [p for p in self.model.parameters() if p.requires_grad],
            lr=recipe.lr, betas=recipe.betas, weight_decay=recipe.weight_decay, fused=True,
        )  # fmt: skip
        self.critic_optimizer = torch.optim.AdamW(
            self.critic.parameters(), lr=recipe.lr_critic, betas=(0.5, 0.95), fused=True
        )
        self.weights = [p.data for p in self.model.parameters()]
        self.average = [p.clone() for p in self.weights]
        self.encode: Callable[[Tensor], Tensor] = self.model.encode
        self.decode: Callable[[Tensor], Tensor] = self.model.decode
        if recipe.compile:
            self.encode = torch.compile(self.model.encode)
            self.decode = torch.compile(self.model.decode)
        if device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # all batches are of one size
        self.updates, self.elapsed, self.seen = 0, 0.0, 0

    def warm_up(self) -> float:
        """Run both directions once, outside the budget, so that compilation costs none of it.

        Returns:
            Seconds it took. No weight changes (the norm of latents notes a batch).
        """
        began = time.monotonic()
        for scope in (self.model, self.critic):
            scope.train()
        x = self._next()
        with self._cast():
            z = self.encode(x)
        latents, _ = self.model.quantize(self.norm(z.float()))  # strides as in `step`
        with self._cast():
            y = self.decode(latents)
        torch.autograd.backward(y, torch.zeros_like(y))
        self.optimizer.zero_grad(set_to_none=True)
        self._wait()
        return time.monotonic() - began

    def run(self, log: Log, log_every: float = 10.0) -> None:
        """Train until the budget is spent; the averaged weights are then in `averaged()`."""
        self.model.train()
        self.critic.train()
        began = time.monotonic() - self.elapsed
        logged, rows = self.elapsed, list[Tensor]()
        while self.elapsed < self.recipe.budget:
            rows.append(self.step(self.elapsed / self.recipe.budget))
            self.elapsed = time.monotonic() - began
            if self.elapsed - logged > log_every:
                logged = self.elapsed
                self._log(log, rows)
        self._wait()
        self.elapsed = time.monotonic() - began
        if rows:
            self._log(log, rows)

    def _log(self, log: Log, rows: list[Tensor]) -> None:
        l1, seen, commit, critic, used = torch.stack(rows).mean(0).tolist()  # the only wait
        rows.clear()
        log(
            f"{self.elapsed:6.1f}s  step {self.updates}  l1 {l1:.4f}  perceptual {seen:.4f}  "
            f"commitment {commit:.4f}  critic {critic:.3f}  perplexity {used:.0f}  "
            f"({self.seen / max(self.elapsed, 1e-9):.0f} pictures/s)"
        )

    def _cast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.mixed)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _next(self) -> Tensor:
        take = self.pictures
        batch = take(self.recipe.batch) if callable(take) else next(take)
        return (batch * 2.0 - 1.0).contiguous(memory_format=torch.channels_last)

    def step(self, t: float) -> Tensor:
        """Train on one batch at time t in [0, 1].

        Returns:
            Without waiting for the device: L1, perceptual distance, commitment, critic's loss and
            perplexity of the batch's codes, (5,).
        """
        r = self.recipe
        for optimizer, rate in ((self.optimizer, r.lr), (self.critic_optimizer, r.lr_critic)):
            for group in optimizer.param_groups:
                group["lr"] = rate * learning_rate(t)
        x = self._next()
        with self._cast():
            z = self.encode(x)
        z = self.norm(z.float())
        counts = self.book.update(z, revive=t < r.revive)
        entries, _ = self.model.quantize(z, straight_through=False)
        commit = F.mse_loss(z, entries)
        latents = self._disturbed(z + (entries - z).detach(), z, t)
        with self._cast():
            y = self.decode(latents)
        leaf = y.detach().float().requires_grad_()
        l1 = F.l1_loss(leaf, x)
        with self._cast():
            seen = self.distance(leaf, x)
        (gradient,) = torch.autograd.grad(r.l1 * l1 + r.perceptual * seen, leaf)
        verdict = torch.zeros((), device=self.device)
        if t >= r.critic_from[0] and r.critic_weight > 0:
            weight = r.critic_weight * between(t, *r.critic_from)
            gradient = self._criticized(leaf, gradient, weight)
            verdict = self._teach_critic(x, leaf.detach())
        torch.autograd.backward([y, r.commitment * commit], [gradient.to(y.dtype), None])
        nn.utils.clip_grad_norm_(self.model.parameters(), r.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.updates += 1
        self.seen += len(x)
        if self.updates % r.ema_every == 0:
            decay = min(r.ema_decay, self.updates / (self.updates + 100.0))
            torch._foreach_lerp_(self.average, self.weights, 1 - decay)
        return torch.stack(
            [l1.detach(), seen.detach(), commit.detach(), verdict, perplexity(counts)]
        )

    def _disturbed(self, quantized: Tensor, z: Tensor, t: float) -> Tensor:
        """Let some pictures of the first steps pass the codebook by, and add noise."""
        r = self.recipe
        u = torch.rand(2, len(z), 1, 1, 1, generator=self.gen, device=self.device)
        latents = quantized
        if t < r.loose:
            latents = torch.where(u[0] < 1.0 - t / r.loose, z, quantized)
        if r.noise > 0:
            size = r.noise * spread(self.model.codebook.detach())
            noise = torch.empty_like(z, requires_grad=False).normal_(generator=self.gen)
            latents = latents + size * u[1] * noise
        return latents

    def _criticized(self, leaf: Tensor, gradient: Tensor, weight: float) -> Tensor:
        with self._cast():
            verdict = -self.critic(leaf).float().mean()
        return balanced(gradient, torch.autograd.grad(verdict, leaf)[0], weight)

    def _teach_critic(self, real: Tensor, made: Tensor) -> Tensor:
        with self._cast():
            scores = self.critic(torch.cat([real, made])).float()
        loss = hinge(scores[: len(real)], scores[len(real) :])
        torch.autograd.backward(loss)
        self.critic_optimizer.step()
        self.critic_optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def averaged(self) -> Vqgan:
        """Return the averaged model, frozen, on the CPU, its latents at unit scale."""
        names = [name for name, _ in self.model.named_parameters()]
        state = {k: v.cpu().contiguous() for k, v in zip(names, self.average, strict=True)}
        mean, std = self.norm.running_mean, self.norm.running_var
        assert mean is not None
        assert std is not None
        state = normalized(state, mean.cpu(), (std.cpu() + self.norm.eps).sqrt())
        return vqgan_from(self.recipe.model, unit_latents(state))
