"""A text tower as open_clip's `TextTransformer`: the same weights by the same names, the same bits.

It is written out here because importing open_clip takes seconds: see `byte_pairs`.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """Attention and a perceptron, each behind a layer norm (arXiv:2103.00020 section 2.4)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width)
        first, second = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.mlp = nn.Sequential(OrderedDict(c_fc=first, gelu=nn.GELU(), c_proj=second))

    def forward(self, x: Tensor, attn_mask: Tensor) -> Tensor:
        """Map (T, L, width) to the same shape."""
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False, attn_mask=attn_mask)[0]
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class Blocks(nn.Module):
    """Blocks, one after the other."""

    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList([Block(width, heads) for _ in range(layers)])

    def forward(self, x: Tensor, attn_mask: Tensor) -> Tensor:
        """Map (T, L, width) to the same shape."""
        for block in self.resblocks:
            x = block(x, attn_mask)
        return x


class TextTower(nn.Module):
    """A text tower.

    Drawn from the random stream in open_clip's order, so that training starts where it did.
    """

    attn_mask: Tensor

    def __init__(
        self, *, context_length: int, vocab_size: int, width: int, heads: int, layers: int,
        output_dim: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.token_embedding = nn.Embedding(vocab_size, width)
        self.positional_embedding = nn.Parameter(torch.empty(context_length, width))
        self.transformer = Blocks(width, heads, layers)
        self.ln_final = nn.LayerNorm(width)
        mask = torch.full((context_length, context_length), float("-inf")).triu_(1)
        self.register_buffer("attn_mask", mask, persistent=False)  # no token sees later ones
        self.text_projection = nn.Parameter(torch.empty(width, output_dim))
        self._draw_(width, layers)

    def _draw_(self, width: int, layers: int) -> None:
        """Draw the weights that are not drawn as torch does."""
        inner = width**-0.5
        outer = inner * (2 * layers) ** -0.5
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.positional_embedding, std=0.01)
        for block in self.transformer.resblocks:
            assert isinstance(block, Block)
            nn.init.normal_(block.attn.in_proj_weight, std=inner)
            nn.init.normal_(block.attn.out_proj.weight, std=outer)
            first, _, second = block.mlp
            assert isinstance(first, nn.Linear)
            assert isinstance(second, nn.Linear)
            nn.init.normal_(first.weight, std=(2 * width) ** -0.5)
            nn.init.normal_(second.weight, std=outer)
        nn.init.normal_(self.text_projection, std=inner)

    def forward(self, rows: Tensor) -> Tensor:
        """Map rows of the token table (T, context_length) to embeddings (T, output_dim).

        The end of a text, where it is read, has the highest row.
        """
        x = self.token_embedding(rows) + self.positional_embedding
        x = self.ln_final(self.transformer(x, self.attn_mask))
        out: Tensor = x[torch.arange(len(x), device=x.device), rows.argmax(1)]
        return out @ self.text_projection
