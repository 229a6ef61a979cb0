"""VQGAN: pictures as a small grid of entries of a codebook (arXiv:2012.09841).

Tensor names and configuration are those of taming-transformers, so that its published checkpoints
(`VQModel` and `GumbelVQ`) load as they are; the code is our own. Departures: attention is torch's
fused one, the codebook search leaves out the term that is the same for all entries, and a Gumbel
model encodes without noise, so that one picture always gives the same latents.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from text2art.errors import WeightsCorrupt, WeightsMissing
from text2art.nets.vqgan_blocks import Downsample, Level, Middle, Norm, Upsample

FORMAT = 1
_DDCONFIG = frozenset(
    {
        "double_z", "z_channels", "resolution", "in_channels", "out_ch", "ch", "ch_mult",
        "num_res_blocks", "attn_resolutions", "dropout", "resamp_with_conv", "norm_groups",
    }
)  # fmt: skip
_GUMBEL_ONLY = frozenset({"temperature_scheduler_config", "kl_weight"})
_FIRST_STAGE = "first_stage_model."


@dataclass(frozen=True)
class VqganConfig:
    """What it takes to build a `Vqgan`, under taming's names.

    Attributes:
        ch: width of the first level.
        ch_mult: width of each level as a multiple of `ch`; one level more than downsamplings.
        num_res_blocks: residual blocks per level of the encoder; the decoder has one more.
        attn_resolutions: sides, in a picture of `resolution` pixels, whose levels attend.
        resolution: nominal side in pixels; other multiples of `factor` work as well.
        z_channels: width between encoder and `quant_conv`.
        embed_dim: width of a codebook entry.
        n_embed: entries of the codebook.
        gumbel: a `GumbelVQ`, whose encoder chooses entries by logits, not by distance.
        resamp_with_conv: a 3x3 convolution at each change of resolution.
        norm_groups: groups of every norm, of which all widths are multiples. Ours: taming has 32.
            Narrow networks need fewer. A group of one channel loses that channel's mean, so with
            32 groups of 32 channels no picture keeps its colors.
    """

    ch: int
    ch_mult: tuple[int, ...]
    num_res_blocks: int
    z_channels: int
    embed_dim: int
    n_embed: int
    resolution: int = 256
    attn_resolutions: tuple[int, ...] = ()
    in_channels: int = 3
    out_ch: int = 3
    dropout: float = 0.0
    gumbel: bool = False
    resamp_with_conv: bool = True
    norm_groups: int = 32

    def __post_init__(self) -> None:
        counts = (self.ch, self.num_res_blocks, self.z_channels, self.embed_dim, self.n_embed,
                  self.resolution, self.in_channels, self.out_ch, self.norm_groups,
                  *self.ch_mult)  # fmt: skip
        if not self.ch_mult or any(type(n) is not int or n < 1 for n in counts):
            raise ValueError(f"sizes of a VQGAN are whole numbers of at least 1: {self}")
        if any(self.ch * m % self.norm_groups for m in (1, *self.ch_mult)):
            raise ValueError(
                f"widths {self.ch} x {self.ch_mult} are no multiples of {self.norm_groups}"
            )
        if self.resolution % self.factor:
            raise ValueError(f"resolution {self.resolution} is no multiple of {self.factor}")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout {self.dropout} is not in [0, 1)")
        if self.gumbel and self.embed_dim != self.z_channels:
            raise ValueError("a GumbelVQ has embed_dim equal to z_channels")

    @property
    def factor(self) -> int:
        """Return how many pixels one side of a latent cell spans: 8 for f8, 16 for f16."""
        return int(2 ** (len(self.ch_mult) - 1))

    @classmethod
    def from_taming(cls, source: Mapping[str, Any], *, gumbel: bool | None = None) -> VqganConfig:
        """Read taming's YAML, given as plain values.

        Args:
            source: the whole file, its `model` part, or only `model.params`; of a
                `Net2NetTransformer` the first stage is read.
            gumbel: whether it is a `GumbelVQ`; None tells by `target` or by options only it has.

        Raises:
            ValueError: Where something is missing, unknown or not supported.
        """
        node: Mapping[str, Any] = source.get("model", source)
        params: Mapping[str, Any] = node.get("params", node)
        if "first_stage_config" in params:
            return cls.from_taming(params["first_stage_config"], gumbel=gumbel)
        if gumbel is None:
            gumbel = "GumbelVQ" in str(node.get("target", "")) or bool(_GUMBEL_ONLY & set(params))
        if params.get("remap") is not None:
            raise ValueError("VQGANs with remapped codes (remap) are not supported")
        try:
            given = dict(params["ddconfig"])
            if unknown := sorted(set(given) - _DDCONFIG):
                raise ValueError(f"unknown ddconfig entries: {', '.join(unknown)}")
            if given.pop("double_z", True):  # taming's default is that of its KL sibling
                raise ValueError("a VQGAN has double_z false")
            for name in ("ch_mult", "attn_resolutions"):
                given[name] = tuple(given[name])
            sizes = {name: params[name] for name in ("n_embed", "embed_dim")}
            return cls(**given, **sizes, gumbel=gumbel)
        except (KeyError, TypeError) as error:
            raise ValueError(f"incomplete VQGAN configuration: {error}") from error

    def to_taming(self) -> dict[str, Any]:
        """Return `model` of taming's YAML as plain JSON values: `target` and `params`."""
        dd = {name: getattr(self, name) for name in sorted(_DDCONFIG - {"double_z"})}
        dd |= {"double_z": False, "ch_mult": [*self.ch_mult]}
        dd["attn_resolutions"] = [*self.attn_resolutions]
        return {
            "target": f"taming.models.vqgan.{'GumbelVQ' if self.gumbel else 'VQModel'}",
            "params": {"embed_dim": self.embed_dim, "n_embed": self.n_embed, "ddconfig": dd},
        }


class Encoder(nn.Module):
    """From a picture to the map before `quant_conv`."""

    def __init__(self, c: VqganConfig) -> None:
        super().__init__()
        widths = [c.ch * m for m in (1, *c.ch_mult)]
        self.conv_in = nn.Conv2d(c.in_channels, c.ch, 3, 1, 1)
        self.down = nn.ModuleList()
        for i, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            last = i == len(c.ch_mult) - 1
            change = Downsample(outputs, with_conv=c.resamp_with_conv)
            self.down.append(Level(
                inputs, outputs, c.num_res_blocks, c.norm_groups, c.dropout,
                attend=c.resolution // 2**i in c.attn_resolutions,
                change=None if last else ("downsample", change),
            ))  # fmt: skip
        self.mid = Middle(widths[-1], c.norm_groups, c.dropout)
        self.norm_out, self.conv_out = (
            Norm(widths[-1], c.norm_groups),
            nn.Conv2d(widths[-1], c.z_channels, 3, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 3, H, W) in [-1, 1] to (B, z_channels, H / factor, W / factor)."""
        h = self.conv_in(x)
        for level in self.down:
            h = level(h)
        out: Tensor = self.conv_out(F.silu(self.norm_out(self.mid(h))))
        return out


class Decoder(nn.Module):
    """From the map after `post_quant_conv` to a picture."""

    def __init__(self, c: VqganConfig) -> None:
        super().__init__()
        widths = [c.ch * m for m in c.ch_mult]
        self.conv_in = nn.Conv2d(c.z_channels, widths[-1], 3, 1, 1)
        self.mid = Middle(widths[-1], c.norm_groups, c.dropout)
        self.up = nn.ModuleList()  # by rising depth, so run backward
        for i, (inputs, outputs) in enumerate(zip([*widths[1:], widths[-1]], widths, strict=True)):
            change = Upsample(outputs, with_conv=c.resamp_with_conv)
            self.up.append(Level(
                inputs, outputs, c.num_res_blocks + 1, c.norm_groups, c.dropout,
                attend=c.resolution // 2**i in c.attn_resolutions,
                change=("upsample", change) if i else None,
            ))  # fmt: skip
        self.norm_out, self.conv_out = (
            Norm(widths[0], c.norm_groups),
            nn.Conv2d(widths[0], c.out_ch, 3, 1, 1),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Map (B, z_channels, h, w) to (B, 3, factor h, factor w), about in [-1, 1]."""
        h = self.mid(self.conv_in(z))
        for level in reversed(self.up):
            h = level(h)
        out: Tensor = self.conv_out(F.silu(self.norm_out(h)))
        return out


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
        book = nn.Embedding(c.n_embed, c.embed_dim)
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
        self.name, self.version = "vqgan", "0"
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.quantize = Quantizer(config)
        self.quant_conv = nn.Conv2d(config.z_channels, config.embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(config.embed_dim, config.z_channels, 1)

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
        out: Tensor = self.decoder(self.post_quant_conv(z))
        return out


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
        raise WeightsCorrupt(f"these tensors are not those of this VQGAN: {error}") from error
    return model.eval().requires_grad_(False)


def load_vqgan(source: Path) -> Vqgan:
    """Load a VQGAN as `training.vqgan.write_vqgan` writes it, on the CPU.

    Args:
        source: a folder with `vqgan.safetensors` and `vqgan.json`, or a `.safetensors` file with
            the `.json` of the same name beside it.

    Raises:
        WeightsMissing: Where one of the two files is not there.
        WeightsCorrupt: Where one is damaged or they do not fit together.
    """
    tensor_path = source if source.suffix == ".safetensors" else source / "vqgan.safetensors"
    card_path = tensor_path.with_suffix(".json")
    for path in (card_path, tensor_path):
        if not path.is_file():
            raise WeightsMissing(f"The VQGAN's file {path} is missing.")
    try:
        card = json.loads(card_path.read_text(encoding="utf-8"))
        if card["format"] != FORMAT:
            raise WeightsCorrupt(
                f"{card_path} is of format {card['format']!r}; this text2art reads {FORMAT}."
            )
        config = VqganConfig.from_taming(card)
        model = vqgan_from(config, load_file(tensor_path))
        model.name, model.version = str(card["name"]), str(card["version"])
    except (OSError, SafetensorError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise WeightsCorrupt(f"{tensor_path} and {card_path.name} do not fit: {error}") from error
    if not all(math.isfinite(float(v.sum())) for v in model.state_dict().values()):
        raise WeightsCorrupt(f"{tensor_path} holds numbers that are not finite.")
    return model
