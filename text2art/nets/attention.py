"""Self-attention whose backward pass on a CPU is made of matrix products.

torch's fused attention is quick forward there. Backward it is written in loops of its own, which in
bfloat16 take ten times as long as the products that they stand for.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

_HELD = 2 * 2**20  # bytes of attention weights at a time: about what a core's own cache holds


def attend(qkv: Tensor, heads: int) -> Tensor:
    """Let all tokens attend to all (arXiv:1706.03762 section 3.2.2), without the last projection.

    Args:
        qkv: queries, keys and values side by side, (N, L, 3 C).
        heads: that the C numbers of a token are shared out to.

    Returns:
        (N, L, C); its gradient is that of torch's own attention but for rounding.
    """
    if qkv.device.type == "cpu" and qkv.requires_grad and torch.is_grad_enabled():
        out: Tensor = _Attend.apply(qkv, heads)
        return out
    return _seen(qkv, heads)


def _seen(qkv: Tensor, heads: int) -> Tensor:
    q, k, v = _parts(qkv, heads)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def _parts(qkv: Tensor, heads: int) -> Tensor:
    """View `(N, L, 3 C)` as queries, keys and values by head, `(3, N, heads, L, C / heads)`."""
    batch, length, _ = qkv.shape
    return qkv.view(batch, length, 3, heads, -1).permute(2, 0, 3, 1, 4)


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, qkv: Tensor, heads: int) -> Tensor:
        ctx.save_for_backward(qkv)
        ctx.heads = heads
        return _seen(qkv, heads)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (qkv,) = ctx.saved_tensors
        found = torch.empty_like(qkv, memory_format=torch.contiguous_format)
        weights = ctx.heads * qkv.shape[1] ** 2 * qkv.element_size()  # bytes of a row of the batch
        count = max(1, _HELD // weights)
        for rows, pull, out in zip(
            *(torch.split(whole, count) for whole in (qkv, gradients[0], found)), strict=True
        ):
            _pull(rows, pull, _parts(out, ctx.heads))
        return found, None


def _pull(qkv: Tensor, pull: Tensor, out: Tensor) -> None:
    """Write the gradient of some rows `(n, L, 3 C)` into `(3, n, heads, L, C / heads)`."""
    _, batch, heads, length, width = out.shape
    flat = (batch * heads, length, width)
    q, k, v = _parts(qkv, heads).reshape(3, *flat)
    pulled = pull.view(batch, length, heads, width).transpose(1, 2).reshape(flat)
    rate = width**-0.5
    q = q * rate
    weights = torch.softmax(torch.bmm(q, k.transpose(1, 2)), -1)
    scores = torch.ops.aten._softmax_backward_data(  # noqa: SLF001 - an operator of its own name
        torch.bmm(pulled, v.transpose(1, 2)), weights, -1, weights.dtype
    )
    out[0] = torch.bmm(scores, k).mul_(rate).view(out.shape[1:])
    out[1] = torch.bmm(scores.transpose(1, 2), q).view(out.shape[1:])
    out[2] = torch.bmm(weights.transpose(1, 2), pulled).view(out.shape[1:])
