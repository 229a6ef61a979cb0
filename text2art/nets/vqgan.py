"""VQGAN: pictures as a small grid of entries of a codebook (arXiv:2012.09841).

Tensor names and configuration are those of taming-transformers, so that its published checkpoints
(`VQModel` and `GumbelVQ`) load as they are; the code is our own. Departures: attention is torch's
fused one, the codebook search leaves out the term that is the same for all entries, and a Gumbel
model encodes without noise, so that one picture always gives the same latents.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from text2art.errors import WeightsCorrupt, WeightsMissing
from text2art.graphs import Function, graphed
from text2art.nets.vqgan_blocks import Decoder, Encoder
from text2art.nets.vqgan_config import VqganConfig as VqganConfig
from text2art.runtime import recorder
from text2art.weights import catalog
from text2art.weights.configs import config_beside, embedded, read_config
from text2art.weights.safe import read_state_dict

FORMAT = 1  # of our own cards
_FIRST_STAGE = "first_stage_model."
_ENDINGS = (".safetensors", ".ckpt", ".pt", ".pth")


def nearest(z: Tensor, codebook: Tensor) -> Tensor:
    """Return the index of the codebook entry nearest to each latent by squared distance.

    Args:
        z: latents, (B, D, h, w).
        codebook: entries, (n, D).

    Returns:
        Indices (B, h, w), without gradient.
    """
    with torch.no_grad(), torch.autocast(z.device.type, enabled=False):
        rows = z.detach().float().permute(0, 2, 3, 1).reshape(-1, z.shape[1])
        book = codebook.detach().float()
        # |z - e|^2 less |z|^2, which is the same for all entries
        far = torch.addmm(book.square().sum(1), rows, book.t(), alpha=-2.0)
        return far.argmin(1).view(z.shape[0], *z.shape[2:])


class Quantizer(nn.Module):
    """The codebook: `embedding`, or `embed` with `proj` (the logits) of a Gumbel model."""

    def __init__(self, c: VqganConfig) -> None:
        super().__init__()
        # Empty: what Embedding draws by itself is drawn over at once, and on the meta device it
        # imports torch's compiler, which takes seconds.
        empty = torch.empty(c.n_embed, c.embed_dim)
        book = nn.Embedding(c.n_embed, c.embed_dim, _weight=empty)
        nn.init.uniform_(book.weight, -1.0 / c.n_embed, 1.0 / c.n_embed)
        self.gumbel = c.gumbel
        if c.gumbel:
            self.proj, self.embed = nn.Conv2d(c.z_channels, c.n_embed, 1), book
        else:
            self.embedding = book

    @property
    def book(self) -> nn.Embedding:
        """Return the entries, `weight` (n_embed, embed_dim)."""
        return self.embed if self.gumbel else self.embedding

    def look_up(self, indices: Tensor) -> Tensor:
        """Map indices (B, h, w) to entries (B, embed_dim, h, w)."""
        return F.embedding(indices, self.book.weight).permute(0, 3, 1, 2)

    def forward(self, z: Tensor, *, straight_through: bool = True) -> tuple[Tensor, Tensor]:
        """Replace each latent by the nearest entry.

        Args:
            z: latents (B, embed_dim, h, w).
            straight_through: let gradients pass to `z` as if nothing happened; else they go to
                the codebook.

        Returns:
            The entries, of the shape of `z`, and their indices (B, h, w).
        """
        indices = nearest(z, self.book.weight)
        entries = self.look_up(indices).to(z.dtype)
        return (z + (entries - z).detach() if straight_through else entries), indices


class Vqgan(nn.Module):
    """Encoder, codebook and decoder; `quantize(z)` is the module `Quantizer`."""

    def __init__(self, config: VqganConfig) -> None:
        super().__init__()
        self.config = config
        self.name, self.version, self.digest = "vqgan", "0", ""
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.quantize = Quantizer(config)
        self.quant_conv = nn.Conv2d(config.z_channels, config.embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(config.embed_dim, config.z_channels, 1)
        self._dtype: torch.dtype | None = None  # of a decoder that is settled
        self._draw: Function = self._decoded

    @property
    def codebook(self) -> Tensor:
        """Return all entries, (n_embed, embed_dim)."""
        return self.quantize.book.weight

    def encode(self, x: Tensor) -> Tensor:
        """Map pictures (B, 3, H, W) in [-1, 1] to latents (B, embed_dim, H / f, W / f).

        They are not quantized yet, except those of a Gumbel model: its logits choose entries
        outright (the likeliest, without taming's noise), and `quantize` leaves those as they are.
        """
        h: Tensor = self.quant_conv(self.encoder(x))
        return self.quantize.look_up(self.quantize.proj(h).argmax(1)) if self.config.gumbel else h

    def decode(self, z: Tensor) -> Tensor:
        """Map latents (B, embed_dim, h, w) to pictures (B, 3, f h, f w), about in [-1, 1]."""
        return self._draw(z)

    def _decoded(self, z: Tensor) -> Tensor:
        h: Tensor = self.post_quant_conv(z)
        if self._dtype is None:
            out: Tensor = self.decoder(h)
            return out
        drawn: Tensor = self.decoder(h.to(self._dtype)).float()
        return drawn.contiguous()

    def settle_(self, dtype: torch.dtype = torch.float32) -> None:
        """Make a frozen VQGAN ready to draw: its weights stay as they are from now on.

        The decoder is laid out for this, and computes in `dtype`; all else stays in float32. What
        is settled once stays so.
        """
        if self._dtype is None:
            self.decoder.settle_()
            self.decoder.to(dtype)
            self._dtype = dtype
            self._draw = graphed(self._decoded, recorder(self.codebook.device))


def vqgan_from(config: VqganConfig, state: Mapping[str, Tensor]) -> Vqgan:
    """Build a VQGAN of taming's or our own tensors: frozen, in evaluation mode, float32.

    Left out by intent: the training losses (`loss.*`), and of a transformer's checkpoint all but
    its `first_stage_model.*`.

    Raises:
        WeightsCorrupt: Where any other tensor is missing, unknown or of another shape.
    """
    if any(key.startswith(_FIRST_STAGE) for key in state):
        state = {
            k.removeprefix(_FIRST_STAGE): v for k, v in state.items() if k.startswith(_FIRST_STAGE)
        }
    # copies: the given tensors may be views of a file, which others may change
    kept = {k: v.to(torch.float32, copy=True) for k, v in state.items() if k[:5] != "loss."}
    with torch.device("meta"):  # noqa: TID251 - no device, no initialization: all is given below
        model = Vqgan(config)
    try:
        model.load_state_dict(kept, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsCorrupt(f"these tensors are not those of this VQGAN: {reason}") from error
    return model.eval().requires_grad_(False)


def load_vqgan(checkpoint: Path | str, config: Path | str | None = None) -> Vqgan:
    """Load a VQGAN on the CPU: taming's checkpoints, what `weights convert` writes, or ours.

    Args:
        checkpoint: a `.ckpt`, `.pt` or `.safetensors` file, or a folder that holds just one.
        config: taming's YAML, or JSON of the same content; None reads what lies beside the
            checkpoint or was put into it by `weights convert`.

    Raises:
        WeightsMissing: the checkpoint or its configuration is not there.
        WeightsCorrupt: one of them is damaged, would run code, or they do not fit together.
    """
    path = _only_checkpoint(Path(checkpoint).expanduser())
    given, origin = _configuration(path, Path(config).expanduser() if config else None)
    try:
        if given.get("format", FORMAT) != FORMAT:
            raise WeightsCorrupt(
                f"{origin} is of format {given['format']!r}; this text2art reads {FORMAT}."
            )
        shape = VqganConfig.from_taming(given)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise WeightsCorrupt(f"{origin} describes no VQGAN: {error}") from error
    try:
        model = vqgan_from(shape, read_state_dict(path))
    except WeightsCorrupt as error:
        raise WeightsCorrupt(f"{path} and {origin} do not fit: {error}") from error
    if not all(math.isfinite(float(v.sum())) for v in model.state_dict().values()):
        raise WeightsCorrupt(f"{path} holds numbers that are not finite.")
    model.name, model.version = str(given.get("name", path.stem)), str(given.get("version", "0"))
    model.digest = catalog.sha256_of(path)
    return model


def _only_checkpoint(path: Path) -> Path:
    if not path.is_dir():
        if not path.is_file():
            raise WeightsMissing(f"The VQGAN's file {path} is missing.")
        return path
    own = path / "vqgan.safetensors"
    found = [own] if own.is_file() else [p for p in sorted(path.iterdir()) if p.suffix in _ENDINGS]
    if len(found) != 1:
        names = ", ".join(p.name for p in found) or "none"
        raise WeightsMissing(f"The folder {path} must hold one VQGAN, it holds: {names}.")
    return found[0]


def _configuration(path: Path, config: Path | None) -> tuple[Mapping[str, Any], str]:
    """Return the configuration of a checkpoint, and where it is from in words.

    What a file carries belongs to it for certain; what lies beside it, by its name.
    """
    inside = embedded(path) if path.suffix == ".safetensors" and config is None else None
    if inside is not None:
        return inside, f"the configuration in {path.name}"
    place = config or config_beside(path)
    if place is None:
        raise WeightsMissing(
            f"The configuration of {path} is missing: put taming's YAML beside it as "
            f"{path.with_suffix('.yaml').name} (or {path.with_suffix('.json').name})."
        )
    if not place.is_file():
        raise WeightsMissing(f"The VQGAN's configuration {place} is missing.")
    return read_config(place), str(place)
