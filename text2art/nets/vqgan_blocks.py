"""The encoder and decoder of a VQGAN, with taming-transformers' tensor names (arXiv:2012.09841).

The blocks are those of the diffusion model of arXiv:2006.11239 less its time embedding.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from text2art.nets import frozen
from text2art.nets.packed import Packs
from text2art.nets.vqgan_config import VqganConfig


class Norm(nn.GroupNorm):
    """Group norm that keeps half-width numbers under autocast.

    Autocast would compute and return float32, twice the memory traffic of what bounds training;
    torch's kernels sum in float32 anyway.
    """

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__(groups, channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (B, C, h, w)."""
        if x.dtype == self.weight.dtype:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return F.group_norm(
                x, self.num_groups, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps
            )


def swished(norm: Norm, x: Tensor) -> Tensor:
    """Norm, then swish: x sigmoid(x)."""
    if frozen.is_frozen(x, norm.weight, norm.bias):
        return frozen.norm_swish(x, norm.weight, norm.bias, norm.num_groups, norm.eps)
    return F.silu(norm(x))


class Conv3(nn.Conv2d):
    """A 3x3 convolution that keeps the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, 1, 1)
        self._packs = Packs()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, h, w) to (B, outputs, h, w)."""
        if frozen.is_frozen(x, self.weight, self.bias):
            return frozen.convolve(x, self.weight, self.bias, 1, self._packs)
        return super().forward(x)


class ResnetBlock(nn.Module):
    """Norm, swish, 3x3 convolution, twice, and a shortcut (1x1 where widths differ)."""

    def __init__(self, inputs: int, outputs: int, groups: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.conv1 = Norm(inputs, groups), Conv3(inputs, outputs)
        self.norm2, self.conv2 = Norm(outputs, groups), Conv3(outputs, outputs)
        self.dropout = nn.Dropout(dropout)
        if inputs != outputs:
            self.nin_shortcut = nn.Conv2d(inputs, outputs, 1)
        self.widens = inputs != outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, h, w) to (B, outputs, h, w)."""
        h = self.conv1(swished(self.norm1, x))
        h = self.conv2(self.dropout(swished(self.norm2, h)))
        out: Tensor = (self.nin_shortcut(x) if self.widens else x) + h
        return out


class AttnBlock(nn.Module):
    """Self-attention of one head over all positions."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = Norm(channels, groups)
        self.q, self.k = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)
        self.v, self.proj_out = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape; memory grows with (h w)^2 at worst."""
        h = self.norm(x)
        q, k, v = (f(h).flatten(2).transpose(1, 2)[:, None] for f in (self.q, self.k, self.v))
        seen = F.scaled_dot_product_attention(q, k, v)  # (B, 1, h w, C)
        out: Tensor = x + self.proj_out(seen[:, 0].transpose(1, 2).reshape(x.shape))
        return out


class Downsample(nn.Module):
    """Half the resolution; taming pads right and below only."""

    def __init__(self, channels: int, *, with_conv: bool) -> None:
        super().__init__()
        self.with_conv = with_conv
        if with_conv:
            self.conv = nn.Conv2d(channels, channels, 3, 2, 0)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C, h / 2, w / 2)."""
        out: Tensor = self.conv(F.pad(x, (0, 1, 0, 1))) if self.with_conv else F.avg_pool2d(x, 2)
        return out


class Upsample(nn.Module):
    """Twice the resolution, by repeating."""

    def __init__(self, channels: int, *, with_conv: bool) -> None:
        super().__init__()
        self.conv: Conv3 | nn.Identity = Conv3(channels, channels) if with_conv else nn.Identity()
        self._packs = Packs()
        self._phases: Tensor | None
        self.register_buffer("_phases", None, persistent=False)

    def settle_(self) -> None:
        """Take the weights for settled: see `Decoder.settle_`."""
        if isinstance(self.conv, Conv3):
            self._phases = frozen.fold_doubling(self.conv.weight.detach())

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C, 2 h, 2 w)."""
        if (
            isinstance(self.conv, Conv3)
            and self._phases is not None
            and frozen.is_frozen(x, self._phases)
        ):
            return frozen.double_and_convolve(x, self._phases, self.conv.bias, self._packs)
        out: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return out


class Level(nn.Module):
    """Blocks of one resolution, then perhaps a change of resolution named as taming does."""

    def __init__(
        self, inputs: int, outputs: int, blocks: int, groups: int, dropout: float, *, attend: bool,
        change: tuple[str, nn.Module] | None,
    ) -> None:  # fmt: skip
        super().__init__()
        widths = [inputs] + [outputs] * blocks
        self.block = nn.ModuleList(
            ResnetBlock(a, b, groups, dropout) for a, b in itertools.pairwise(widths)
        )
        self.attn = nn.ModuleList(
            AttnBlock(outputs, groups) for _ in range(blocks if attend else 0)
        )
        self.change = change[0] if change else ""
        if change:
            self.add_module(*change)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, h, w) to (B, outputs, h', w')."""
        for i, block in enumerate(self.block):
            x = block(x)
            if len(self.attn):
                x = self.attn[i](x)
        return getattr(self, self.change)(x) if self.change else x


class Middle(nn.Module):
    """Block, attention, block at the latents' resolution."""

    def __init__(self, channels: int, groups: int, dropout: float) -> None:
        super().__init__()
        self.block_1 = ResnetBlock(channels, channels, groups, dropout)
        self.attn_1 = AttnBlock(channels, groups)
        self.block_2 = ResnetBlock(channels, channels, groups, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        out: Tensor = self.block_2(self.attn_1(self.block_1(x)))
        return out


class Encoder(nn.Module):
    """From a picture to the map before `quant_conv`."""

    def __init__(self, c: VqganConfig) -> None:
        super().__init__()
        widths = [c.ch * m for m in (1, *c.ch_mult)]
        self.conv_in = Conv3(c.in_channels, c.ch)
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
            Conv3(widths[-1], c.z_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 3, H, W) in [-1, 1] to (B, z_channels, H / factor, W / factor)."""
        h = self.conv_in(x)
        for level in self.down:
            h = level(h)
        out: Tensor = self.conv_out(swished(self.norm_out, self.mid(h)))
        return out


class Decoder(nn.Module):
    """From the map after `post_quant_conv` to a picture."""

    def __init__(self, c: VqganConfig) -> None:
        super().__init__()
        widths = [c.ch * m for m in c.ch_mult]
        self.conv_in = Conv3(c.z_channels, widths[-1])
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
            Conv3(widths[0], c.out_ch),
        )

    def settle_(self) -> None:
        """Lay weights out for quick drawing on a CPU, and derive some: they must stay from now on.

        Measured on a CPU of two cores alone, so on other devices nothing changes.
        """
        if self.conv_in.weight.device.type != "cpu":
            return
        for module in self.modules():
            if isinstance(module, Upsample):
                module.settle_()
        self.to(memory_format=torch.channels_last)

    def forward(self, z: Tensor) -> Tensor:
        """Map (B, z_channels, h, w) to (B, 3, factor h, factor w), about in [-1, 1]."""
        h = self.mid(self.conv_in(z))
        for level in reversed(self.up):
            h = level(h)
        out: Tensor = self.conv_out(swished(self.norm_out, h))
        return out
