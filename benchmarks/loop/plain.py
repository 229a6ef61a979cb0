"""The ancestors' networks in plain eager PyTorch: what our own are measured against.

Written anew from the published architectures, with the arithmetic of the ancestors' packages
(taming-transformers, OpenAI's CLIP): nothing of text2art is called, so that no change to it moves
the yardstick. ModifiedResNet is open_clip's, which is OpenAI's line by line.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from text2art.nets.vqgan_config import VqganConfig

State = Mapping[str, Tensor]


class PlainVqgan:
    """Codebook and decoder of a VQGAN (arXiv:2012.09841), by taming's tensor names.

    Args:
        state: tensors by taming's names.
        config: what they are the tensors of.
    """

    def __init__(self, state: State, config: VqganConfig) -> None:
        self._state, self._config = state, config
        self.codebook = state["quantize.embedding.weight"]

    def quantize(self, z: Tensor) -> Tensor:
        """Replace latents (1, D, h, w) by the nearest entries; the gradient passes straight.

        The whole matrix of distances, and a product with one-hot rows, as VQGAN-CLIP has it.
        """
        rows, book = z.movedim(1, 3), self.codebook
        distances = (
            rows.pow(2).sum(-1, keepdim=True) + book.pow(2).sum(1) - 2 * rows @ book.T
        )  # (1, h, w, n)
        chosen = F.one_hot(distances.argmin(-1), book.shape[0]).to(book.dtype) @ book
        return rows.sub(rows.detach()).add(chosen.detach()).movedim(3, 1)

    def decode(self, z: Tensor) -> Tensor:
        """Map entries (1, D, h, w) to a picture (1, 3, f h, f w), about in [-1, 1]."""
        c = self._config
        h = self._conv("post_quant_conv", z, 0)
        h = self._conv("decoder.conv_in", h)
        h = self._block("decoder.mid.block_1", h)
        h = self._attention("decoder.mid.attn_1", h)
        h = self._block("decoder.mid.block_2", h)
        for level in reversed(range(len(c.ch_mult))):
            for number in range(c.num_res_blocks + 1):
                h = self._block(f"decoder.up.{level}.block.{number}", h)
                if c.resolution // 2**level in c.attn_resolutions:
                    h = self._attention(f"decoder.up.{level}.attn.{number}", h)
            if level:
                h = F.interpolate(h, scale_factor=2.0, mode="nearest")
                h = self._conv(f"decoder.up.{level}.upsample.conv", h)
        return self._conv("decoder.conv_out", self._activated("decoder.norm_out", h))

    def _conv(self, name: str, x: Tensor, padding: int = 1) -> Tensor:
        weight, bias = self._state[f"{name}.weight"], self._state[f"{name}.bias"]
        return F.conv2d(x, weight, bias, padding=padding)

    def _norm(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self._state[f"{name}.weight"], self._state[f"{name}.bias"]
        return F.group_norm(x, self._config.norm_groups, weight, bias, eps=1e-6)

    def _activated(self, name: str, x: Tensor) -> Tensor:
        x = self._norm(name, x)
        return x * torch.sigmoid(x)

    def _block(self, name: str, x: Tensor) -> Tensor:
        h = self._conv(f"{name}.conv1", self._activated(f"{name}.norm1", x))
        h = self._conv(f"{name}.conv2", self._activated(f"{name}.norm2", h))
        widens = f"{name}.nin_shortcut.weight" in self._state
        return (self._conv(f"{name}.nin_shortcut", x, 0) if widens else x) + h

    def _attention(self, name: str, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        h = self._norm(f"{name}.norm", x)
        q, k, v = (self._conv(f"{name}.{part}", h, 0).flatten(2) for part in "qkv")
        scores = torch.bmm(q.transpose(1, 2), k) * channels**-0.5
        seen = torch.bmm(v, scores.softmax(2).transpose(1, 2))
        return x + self._conv(f"{name}.proj_out", seen.view(n, channels, height, width), 0)


class _LayerNorm(nn.LayerNorm):
    """In float32 whatever comes in, as OpenAI's."""

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight.float(), self.bias.float()
        return F.layer_norm(x.float(), self.normalized_shape, weight, bias, self.eps).to(x.dtype)


class _QuickGelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = _LayerNorm(width), _LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, 4 * width))
        self.mlp.add_module("gelu", _QuickGelu())
        self.mlp.add_module("c_proj", nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Map (tokens, N, width) to the same shape."""
        h = self.ln_1(x)
        x = x + self.attn(h, h, h, need_weights=False)[0]
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class PlainVit(nn.Module):
    """CLIP's vision transformer (arXiv:2103.00020) as OpenAI wrote it: tokens first."""

    def __init__(
        self, size: int, patch: int, width: int, layers: int, heads: int, embed: int
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty((size // patch) ** 2 + 1, width))
        self.ln_pre, self.ln_post = _LayerNorm(width), _LayerNorm(width)
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.Sequential(*(_Block(width, heads) for _ in range(layers)))
        self.proj = nn.Parameter(torch.empty(width, embed))

    def forward(self, x: Tensor) -> Tensor:
        """Map normalized crops (N, 3, S, S) to (N, embed)."""
        x = self.conv1(x).flatten(2).permute(0, 2, 1)
        first = self.class_embedding + x.new_zeros(x.shape[0], 1, x.shape[-1])
        x = self.ln_pre(torch.cat([first, x], dim=1) + self.positional_embedding)
        blocks: Any = self.transformer.resblocks
        x = blocks(x.permute(1, 0, 2)).permute(1, 0, 2)
        out: Tensor = self.ln_post(x[:, 0]) @ self.proj
        return out


def plain_tower(visual: Any) -> nn.Module:
    """Return the plain image tower with the weights of one of open_clip's.

    Args:
        visual: a `VisionTransformer` or `ModifiedResNet` with float32 weights on the CPU.
    """
    if not hasattr(visual, "transformer"):
        tower: nn.Module = copy.deepcopy(visual)
    else:
        state = visual.state_dict()
        width, embed = state["proj"].shape
        block = visual.transformer.resblocks[0]
        tower = PlainVit(
            size=round((state["positional_embedding"].shape[0] - 1) ** 0.5)
            * state["conv1.weight"].shape[-1],
            patch=state["conv1.weight"].shape[-1],
            width=width,
            layers=len(visual.transformer.resblocks),
            heads=block.attn.num_heads,
            embed=embed,
        )
        tower.load_state_dict(state)
    return tower.eval().requires_grad_(False)
