"""open_clip's image towers at less cost: the same embeddings and gradients but for rounding.

Guidance asks for one embedding of each picture and for its gradient by the picture; the weights are
frozen. So what only training or other uses need is left out:

- Of a vision transformer's last block, only the class token is read: other tokens need neither
  queries nor the block's MLP. The same holds for the attention that ends CLIP's ResNets.
- Patches are embedded by a matrix product, whose gradient costs a third of a convolution's.
- QuickGELU, x sigmoid(1.702 x), is SiLU between two layers of other scales. SiLU keeps one tensor
  for the backward pass in place of two, and takes one pass over memory in place of three.
- Batch norms of known statistics are part of the convolutions before them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from open_clip.modified_resnet import AttentionPool2d, Bottleneck, ModifiedResNet
from open_clip.transformer import (
    LayerNorm,
    QuickGELU,
    ResidualAttentionBlock,
    VisionTransformer,
)
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from text2art.nets import frozen
from text2art.nets.attention import attend

_QUICK = 1.702  # the slope in OpenAI's QuickGELU

Tower = Callable[[Tensor], Tensor]


def lean_(visual: nn.Module) -> Tower | None:
    """Return what embeds normalized pictures `(N, 3, S, S)` as `(N, D)`: the tower, for less.

    The tower is changed: layers are merged where that is exact, so it computes the same as before.

    Args:
        visual: frozen, in evaluation mode and float32; it may be moved and change its type later.

    Returns:
        None for towers that are not known here (those of timm, and vision transformers that pool
        otherwise than by the class token): then nothing was changed.
    """
    if type(visual) is VisionTransformer and _reads_class_token(visual):
        return ClassTokenTransformer(visual)
    if type(visual) is ModifiedResNet:
        return FoldedResNet(visual)
    return None


# ---- vision transformers -----------------------------------------------------------------------


class ClassTokenTransformer:
    """A vision transformer of which only the class token is read (arXiv:2010.11929).

    Attributes:
        patches: that a picture is taken apart into.
    """

    def __init__(self, visual: VisionTransformer) -> None:
        for block in visual.transformer.resblocks:
            _merge_quick_gelu_(block.mlp)
        self._net: Any = visual
        rows, columns = self._net.grid_size
        self.patches = int(rows * columns)

    def __call__(self, pictures: Tensor, kept: Tensor | None = None) -> Tensor:
        """Embed normalized pictures `(N, 3, S, S)` as `(N, D)`.

        Args:
            pictures: of the tower's input size.
            kept: indices `(N, K)` of the patches that are looked at, row by row; None for all.
        """
        net = self._net
        x: Tensor = net.ln_pre(self._tokens(pictures, kept))  # (N, 1 + K, C)
        *blocks, last = net.transformer.resblocks
        for block in blocks:
            x = _pass(block, x)
        seen: Tensor = net.ln_post(_pass(last, x, queries=1)[:, 0]) @ net.proj
        return seen

    def _tokens(self, pictures: Tensor, kept: Tensor | None) -> Tensor:
        net = self._net
        (rows, columns), (high, wide) = net.grid_size, net.patch_size
        patches = pictures.reshape(-1, 3, rows, high, columns, wide)
        patches = patches.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)  # (N, patches, 3 h w)
        places = net.positional_embedding.to(patches.dtype)
        there = places[1:]
        if kept is not None:
            patches = patches.gather(1, kept[:, :, None].expand(-1, -1, patches.shape[2]))
            there = there[kept]
        tokens = F.linear(patches, net.conv1.weight.flatten(1)) + there
        first = (net.class_embedding.to(patches.dtype) + places[0]).expand(len(tokens), 1, -1)
        return torch.cat([first, tokens], dim=1)


def _reads_class_token(visual: Any) -> bool:
    blocks = list(visual.transformer.resblocks)
    return (
        visual.pool_type == "tok"
        and visual.attn_pool is None
        and visual.proj is not None
        and not visual.output_tokens
        and bool(blocks)
        and all(_is_plain(block) for block in blocks)
    )


def _is_plain(block: Any) -> bool:
    return (
        type(block) is ResidualAttentionBlock
        and type(block.ln_1) is LayerNorm
        and type(block.attn) is nn.MultiheadAttention
        and block.attn.in_proj_bias is not None
        and block.attn.bias_k is None
        and not block.attn.add_zero_attn
        and not hasattr(block, "ln_1_kv")
    )


def _pass(block: Any, x: Tensor, queries: int | None = None) -> Tensor:
    """Return what a block makes of the first tokens of `(N, L, C)`; None for all of them."""
    normed = block.ln_1(x)
    x = x[:, :queries] + block.ls_1(_attend(block.attn, normed, queries))
    out: Tensor = x + block.ls_2(block.mlp(block.ln_2(x)))
    return out


def _attend(attention: nn.MultiheadAttention, x: Tensor, queries: int | None) -> Tensor:
    """Let the first tokens of `(N, L, C)` attend to all; None for all of them."""
    weight, bias, width = attention.in_proj_weight, attention.in_proj_bias, x.shape[-1]
    if queries is None:
        seen = attend(F.linear(x, weight, bias), attention.num_heads)
    else:
        asked = F.linear(x[:, :queries], weight[:width], bias[:width])
        (q,) = _heads(asked, attention.num_heads, 1)
        k, v = _heads(F.linear(x, weight[width:], bias[width:]), attention.num_heads, 2)
        seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    out: Tensor = attention.out_proj(seen)
    return out


def _heads(x: Tensor, heads: int, parts: int) -> tuple[Tensor, ...]:
    """Split `(N, L, parts C)` into parts `(N, heads, L, C / heads)`."""
    batch, length, _ = x.shape
    return x.view(batch, length, parts, heads, -1).permute(2, 0, 3, 1, 4).unbind()


@torch.no_grad()
def _merge_quick_gelu_(mlp: Any) -> None:
    """Scale the layers around a QuickGELU so that a SiLU does: s x sigmoid(s x) / s."""
    if isinstance(mlp.gelu, QuickGELU):
        mlp.c_fc.weight.mul_(_QUICK)
        mlp.c_fc.bias.mul_(_QUICK)
        mlp.c_proj.weight.div_(_QUICK)
        mlp.gelu = nn.SiLU()


# ---- CLIP's ResNets ----------------------------------------------------------------------------


class FoldedResNet:
    """CLIP's ResNet (arXiv:2103.00020 section 2.4) without batch norms, read at its mean."""

    def __init__(self, visual: ModifiedResNet) -> None:
        for module in visual.modules():
            if isinstance(module, ModifiedResNet | Bottleneck):
                for number in (1, 2, 3):
                    _fold_(module, f"conv{number}", f"bn{number}")
            if isinstance(module, Bottleneck) and module.downsample is not None:
                _fold_(module.downsample, "0", "1")
        # On a CPU convolutions are quicker over rows of channels: twice as quick in bfloat16.
        self._layout = torch.preserve_format
        if visual.conv1.weight.device.type == "cpu":
            self._layout = torch.channels_last
        visual.to(memory_format=self._layout)
        self._net: Any = visual

    def __call__(self, pictures: Tensor) -> Tensor:
        """Embed normalized pictures `(N, 3, S, S)` as `(N, D)`."""
        net = self._net
        x = net.stem(pictures.contiguous(memory_format=self._layout))
        for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = layer(x)
        return _pool(net.attnpool, x)


def _pool(pool: AttentionPool2d, x: Tensor) -> Tensor:
    """Attend from the mean of `(N, C, h, w)` to all places; return `(N, D)`."""
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([x.mean(dim=1, keepdim=True), x], dim=1)
    x = x + pool.positional_embedding.to(x.dtype)
    asked, keys, values = pool.q_proj(x[:, :1]), pool.k_proj(x), pool.v_proj(x)
    q, k, v = (_heads(part, pool.num_heads, 1)[0] for part in (asked, keys, values))
    seen = F.scaled_dot_product_attention(q, k, v)  # (N, heads, 1, C / heads)
    out: Tensor = pool.c_proj(seen.transpose(1, 2).flatten(1))
    return out


def _fold_(module: nn.Module, conv: str, norm: str) -> None:
    """Make a batch norm part of the convolution before it."""
    first, second = getattr(module, conv), getattr(module, norm)
    if isinstance(second, nn.BatchNorm2d):
        fused = fuse_conv_bn_eval(first, second)
        fused.requires_grad_(False)
        plain = frozen.Convolution.can_stand_for(fused)
        setattr(module, conv, frozen.Convolution(fused) if plain else fused)
        setattr(module, norm, nn.Identity())
