"""What the starter VQGAN is trained by: likeness to the eye, a critic, and a codebook in use."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from text2art.nets.vqgan import nearest


class FeatureDistance(nn.Module):
    """A distance of pictures by the features of a frozen network, after LPIPS (arXiv:1801.03924).

    Features are scaled to unit length over the channels and compared at every position. Departures:
    no learnt weights per channel, and the picture's half is compared as well, so that large shapes
    count. Without a network, local contrasts at several scales are compared instead.

    Args:
        features: a network whose `layers` (an `nn.Sequential`) take pictures as (x - 0.5) * 4 for x
            in [0, 1], as `ConvTower`'s do; or None. It is frozen.
        scales: how many resolutions are compared, each half the one before.
        skip_pools: leave out layers without weights, whose output says nothing new.
    """

    def __init__(
        self, features: nn.Module | None, scales: int = 2, *, skip_pools: bool = True
    ) -> None:
        super().__init__()
        self.layers: nn.Module | None = None
        self.scales = scales
        if features is not None:
            layers = features.get_submodule("layers").eval().requires_grad_(False)
            self.layers = layers
            self.compared = [
                not skip_pools or any(True for _ in layer.parameters())
                for layer in layers.children()
            ]

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the mean distance of pictures (B, 3, H, W) in [-1, 1]; gradients go to x alone."""
        total = x.new_zeros((), dtype=torch.float32)
        y = y.detach()
        for scale in range(self.scales):
            if scale:
                x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
            total = total + (self._features(x, y) if self.layers is not None else contrasts(x, y))
        return total / self.scales

    def _features(self, x: Tensor, y: Tensor) -> Tensor:
        assert self.layers is not None
        total = x.new_zeros((), dtype=torch.float32)
        a, b = x * 2.0, y * 2.0  # from [-1, 1] to (picture - 0.5) * 4
        for layer, compared in zip(self.layers.children(), self.compared, strict=True):
            a = layer(a)
            with torch.no_grad():
                b = layer(b)
            if compared:
                total = total + (_unit(a) - _unit(b)).square().sum(1).mean()
        return total / max(sum(self.compared), 1)


def _unit(features: Tensor) -> Tensor:
    """Scale (B, C, h, w) to unit length over the channels, in float32."""
    wide = features.float()
    return wide * torch.rsqrt(wide.square().sum(1, keepdim=True) + 1e-6)


def contrasts(x: Tensor, y: Tensor, levels: int = 3) -> Tensor:
    """Return the mean L1 distance of differences of smoothed copies: a band-pass pyramid.

    Args:
        x: pictures (B, C, H, W), H and W at least 2^levels.
        y: pictures to compare with.
        levels: how many bands.
    """
    gap = (x - y).float()  # all is linear, so the bands of the difference suffice
    total = gap.new_zeros(())
    for _ in range(levels):
        small = F.avg_pool2d(gap, 2)
        total = total + (gap - F.interpolate(small, scale_factor=2.0, mode="nearest")).abs().mean()
        gap = small
    return total / levels


class Critic(nn.Module):
    """A discriminator of patches (PatchGAN, arXiv:1611.07004 §3.2.2), 34 pixels wide.

    Departure from taming's: spectral norm (arXiv:1802.05957) in place of batch norm, so that real
    and made pictures can share a batch and few steps suffice.
    """

    def __init__(self, width: int = 32, channels: int = 3) -> None:
        super().__init__()
        widths = (channels, width, 2 * width, 4 * width)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            stride = 2 if outputs < 4 * width else 1
            layers += [_bounded(inputs, outputs, stride), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, _bounded(widths[-1], 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Map pictures (B, 3, H, W) in [-1, 1] to a score per patch, high for real ones."""
        out: Tensor = self.layers(images)
        return out


def _bounded(inputs: int, outputs: int, stride: int) -> nn.Module:
    bounded: nn.Module = spectral_norm(nn.Conv2d(inputs, outputs, 4, stride, 1))
    return bounded


def hinge(real: Tensor, made: Tensor) -> Tensor:
    """Return the critic's hinge loss of its scores for real and made pictures."""
    return 0.5 * (F.relu(1.0 - real).mean() + F.relu(1.0 + made).mean())


def balanced(main: Tensor, other: Tensor, weight: float) -> Tensor:
    """Return `main` plus `other`, scaled to `weight` times the length of `main`.

    Taming balances reconstruction and critic by their gradients at the decoder's last layer
    (arXiv:2012.09841 eq. 7). Here the gradients at the picture are balanced, which needs no second
    walk through the network and nothing read back from the device.

    Args:
        main: gradient of the reconstruction loss at the pictures, (B, 3, H, W).
        other: gradient of the critic's verdict there.
        weight: how long the second may be compared with the first.
    """
    norm = torch.linalg.vector_norm
    ratio = norm(main.float()) / (norm(other.float()) + 1e-12)
    whole: Tensor = main + weight * ratio.clamp(max=1e4).to(main.dtype) * other
    return whole


class CodebookAverage:
    """Entries as moving averages of the latents they stand for (arXiv:1711.00937 appendix A.1).

    Entries that hardly any latent chooses move to a latent of the batch (arXiv:2005.00341 §3.1), so
    all stay in use. Nothing is read back from the device.

    Args:
        book: the entries (n, D), changed in place.
        gen: on the device of `book`.
        decay: of the averages per update.
        least: an entry chosen less often than this share of the average is moved.
    """

    def __init__(
        self, book: Tensor, gen: torch.Generator, decay: float = 0.98, least: float = 0.05
    ) -> None:
        self.book, self.gen, self.decay, self.least = book, gen, decay, least
        self.counts = torch.zeros(len(book), device=book.device)
        self.sums = torch.zeros_like(book)

    @torch.no_grad()
    def update(self, z: Tensor, *, revive: bool = True) -> Tensor:
        """Follow the latents of a batch.

        Args:
            z: latents (B, D, h, w), at least one.
            revive: move unused entries; the very first update always places all.

        Returns:
            How many of the latents chose each entry, (n,).
        """
        rows = z.detach().float().permute(0, 2, 3, 1).reshape(-1, z.shape[1])
        chosen = nearest(z, self.book).flatten()
        counts = torch.zeros_like(self.counts).index_add_(0, chosen, torch.ones_like(rows[:, 0]))
        self.counts.lerp_(counts, 1 - self.decay)
        self.sums.lerp_(torch.zeros_like(self.sums).index_add_(0, chosen, rows), 1 - self.decay)
        if revive:
            usual = len(rows) / len(self.book)
            dead = self.counts < self.least * usual
            picks = torch.randint(len(rows), dead.shape, generator=self.gen, device=rows.device)
            self.counts.masked_fill_(dead, usual)
            self.sums.copy_(torch.where(dead[:, None], rows[picks] * usual, self.sums))
        filled = (self.counts > 1e-6)[:, None]
        moved = self.sums / self.counts.clamp(min=1e-6)[:, None]
        self.book.copy_(torch.where(filled, moved, self.book))
        return counts


def perplexity(counts: Tensor) -> Tensor:
    """Return exp of the entropy of how often entries are chosen, in [1, n]."""
    share = counts / counts.sum().clamp(min=1)
    return torch.exp(-(share * (share + 1e-10).log()).sum())


def psnr(x: Tensor, y: Tensor, span: float = 2.0) -> Tensor:
    """Return the mean peak signal-to-noise ratio in dB of pictures (B, ...) of range `span`."""
    error = (x - y).float().square().flatten(1).mean(1).clamp(min=1e-10)
    return (10.0 * torch.log10(span * span / error)).mean()
