"""Layers of networks whose weights are frozen: what a gradient of the input alone needs, no more.

Autograd keeps the input of every convolution, of every norm and of every activation, as if it had
to learn weights. Here a convolution keeps nothing, a norm with its activation one tensor, and an
upsampling with its convolution nothing. So the decoder of a VQGAN keeps a quarter of the memory.
The gradients are the same but for rounding.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def is_frozen(x: Tensor, *weights: Tensor | None) -> bool:
    """Whether an input meets weights that learn nothing and are of its number type."""
    fixed = all(w is None or (not w.requires_grad and w.dtype == x.dtype) for w in weights)
    return fixed and not torch.is_autocast_enabled(x.device.type)


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, padding: int) -> Tensor:
    """Convolve `(B, C, h, w)` with frozen weights `(O, C, k, k)`, stride 1."""
    out: Tensor = _Convolve.apply(x, weight, bias, padding)
    return out


def norm_swish(x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
    """Apply a frozen group norm to `(B, C, h, w)`, then x sigmoid(x)."""
    out: Tensor = _NormSwish.apply(x, weight, bias, groups, eps)
    return out


def double_and_convolve(x: Tensor, phases: Tensor, bias: Tensor | None) -> Tensor:
    """Repeat each pixel of `(B, C, h, w)` 2x2 times and convolve 3x3, in one: see `fold_doubling`.

    Returns:
        `(B, O, 2 h, 2 w)`.
    """
    out: Tensor = _DoubleAndConvolve.apply(x, phases, bias)
    return out


def fold_doubling(weight: Tensor) -> Tensor:
    """Return 2x2 kernels `(4 O, C, 2, 2)` for the four pixels that one becomes.

    Of the nine pixels under a 3x3 kernel `(O, C, 3, 3)` at most four differ after doubling, so the
    kernel's entries that meet the same pixel are added up: 16 products in place of 36.
    """
    near, mid, far = weight.unbind(2)
    rows = (torch.stack([near, mid + far], 2), torch.stack([near + mid, far], 2))
    phases = []
    for row in rows:
        near, mid, far = row.unbind(3)
        phases += [torch.stack([near, mid + far], 3), torch.stack([near + mid, far], 3)]
    return torch.cat(phases)


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.shape, ctx.padding = x.shape, padding
        return F.conv2d(x, weight, bias, padding=padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (weight,) = ctx.saved_tensors
        return _input_gradient(gradients[0], weight, ctx.shape, ctx.padding), None, None, None


class _NormSwish(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float
    ) -> Tensor:
        x = _dense(x)
        normed, mean, rate = _norm(x, weight, bias, groups, eps)
        ctx.save_for_backward(x, mean, rate, weight, bias)
        ctx.groups = groups
        return F.silu(normed, inplace=True)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        x, mean, rate, weight, bias = ctx.saved_tensors
        batch, channels, height, width = x.shape
        # The normed input once more, from what is known of each channel.
        slope = rate.repeat_interleave(channels // ctx.groups, 1) * weight
        shift = bias - mean.repeat_interleave(channels // ctx.groups, 1) * slope
        normed = torch.addcmul(
            shift.to(x.dtype)[:, :, None, None], x, slope.to(x.dtype)[:, :, None, None]
        )
        pull = torch.ops.aten.silu_backward(gradients[0], normed)
        del normed
        found = torch.ops.aten.native_group_norm_backward(
            _dense(pull, like=x), x, mean, rate, weight, batch, channels, height * width,
            ctx.groups, [True, False, False],
        )  # fmt: skip
        return found[0], None, None, None, None


class _DoubleAndConvolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, phases: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(phases)
        ctx.shape = x.shape
        bias = None if bias is None else bias.repeat(4)
        parts = F.conv2d(x, phases, bias, padding=1)  # (B, 4 O, h + 1, w + 1)
        batch, _, height, width = x.shape
        channels = len(phases) // 4
        out = parts.new_empty(batch, channels, 2 * height, 2 * width).contiguous(
            memory_format=_layout(parts)
        )
        for part, (y, x_) in zip(torch.split(parts, channels, 1), _CORNERS, strict=True):
            out[:, :, y::2, x_::2] = part[:, :, y : y + height, x_ : x_ + width]
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (phases,) = ctx.saved_tensors
        batch, _, height, width = ctx.shape
        channels = len(phases) // 4
        pulls = (
            gradients[0]
            .new_zeros(batch, 4 * channels, height + 1, width + 1)
            .contiguous(memory_format=_layout(gradients[0]))
        )
        for pull, (y, x) in zip(torch.split(pulls, channels, 1), _CORNERS, strict=True):
            pull[:, :, y : y + height, x : x + width] = gradients[0][:, :, y::2, x::2]
        return _input_gradient(pulls, phases, ctx.shape, 1), None, None


_CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))


def _input_gradient(pull: Tensor, weight: Tensor, shape: torch.Size, padding: int) -> Tensor:
    """Return the gradient of a convolution's input `shape`, given its output's."""
    if pull.device.type == "cpu":
        # As a convolution with the kernel turned around: measured up to a quarter quicker there.
        turned = weight.flip(2, 3).transpose(0, 1).contiguous(memory_format=_layout(weight))
        return F.conv2d(pull, turned, padding=weight.shape[2] - 1 - padding)
    # Of the input only its shape and layout are used.
    like = pull.new_empty(shape).contiguous(memory_format=_layout(pull))
    found: Tensor = torch.ops.aten.convolution_backward(
        pull, like, weight, None, [1, 1], [padding, padding], [1, 1], False, [0, 0], 1,
        [True, False, False],
    )[0]  # fmt: skip
    return found


def _norm(
    x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    batch, channels, height, width = x.shape
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.native_group_norm(
        x, weight, bias, batch, channels, height * width, groups, eps
    )
    return found


def _layout(x: Tensor) -> torch.memory_format:
    if x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last):
        return torch.contiguous_format
    return torch.channels_last


def _dense(x: Tensor, like: Tensor | None = None) -> Tensor:
    """Return `x` in a layout that torch's group norm works on: any of the two, on CUDA but one."""
    layout = _layout(x if like is None else like)
    return x.contiguous(memory_format=layout if x.device.type == "cpu" else torch.contiguous_format)
