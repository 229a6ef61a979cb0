"""What it takes to build a VQGAN, read from taming-transformers' YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_DDCONFIG = frozenset(
    {
        "double_z", "z_channels", "resolution", "in_channels", "out_ch", "ch", "ch_mult",
        "num_res_blocks", "attn_resolutions", "dropout", "resamp_with_conv", "norm_groups",
    }
)  # fmt: skip
_GUMBEL_ONLY = frozenset({"temperature_scheduler_config", "kl_weight"})


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
