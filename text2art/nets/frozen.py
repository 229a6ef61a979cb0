"""Layers of networks whose weights are frozen: what a gradient of the input alone needs, no more.

Autograd keeps the input of every convolution, of every norm and of every activation, as if it had
to learn weights. Here a convolution keeps nothing, a norm with its activation one tensor, and an
upsampling with its convolution nothing. So the decoder of a VQGAN keeps a quarter of the memory.
The gradients are the same but for rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from text2art.nets.packed import Packs


def is_frozen(x: Tensor, *weights: Tensor | None) -> bool:
    """Whether an input meets weights that learn nothing and are of its number type."""
    fixed = all(w is None or (not w.requires_grad and w.dtype == x.dtype) for w in weights)
    return fixed and (x.is_meta or not torch.is_autocast_enabled(x.device.type))


class Convolution(nn.Module):
    """A frozen convolution of stride 1, with its kernels in the processor's order.

    Args:
        conv: whose weights it has.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self._padding = int(conv.padding[0])
        self._packs = Packs()

    @staticmethod
    def can_stand_for(conv: nn.Conv2d) -> bool:
        """Whether a convolution is a plain one, of stride 1."""
        return (
            conv.stride == (1, 1)
            and conv.dilation == (1, 1)
            and conv.groups == 1
            and conv.padding_mode == "zeros"
            and not isinstance(conv.padding, str)
            and conv.padding[0] == conv.padding[1]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, O, h', w')."""
        if is_frozen(x, self.weight, self.bias):
            return convolve(x, self.weight, self.bias, self._padding, self._packs)
        return F.conv2d(x, self.weight, self.bias, padding=self._padding)


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, padding: int, packs: Packs | None = None
) -> Tensor:
    """Convolve `(B, C, h, w)` with frozen weights `(O, C, k, k)`, stride 1.

    `packs` keeps the weights in the processor's order from one call to the next.
    """
    out: Tensor = _Convolve.apply(x, weight, bias, padding, packs)
    return out


def norm_swish(x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
    """Apply a frozen group norm to `(B, C, h, w)`, then x sigmoid(x)."""
    out: Tensor = _NormSwish.apply(x, weight, bias, groups, eps)
    return out


def double_and_convolve(
    x: Tensor, phases: Tensor, bias: Tensor | None, packs: Packs | None = None
) -> Tensor:
    """Repeat each pixel of `(B, C, h, w)` 2x2 times and convolve 3x3, in one: see `fold_doubling`.

    Returns:
        `(B, O, 2 h, 2 w)`.
    """
    out: Tensor = _DoubleAndConvolve.apply(x, phases, bias, packs)
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
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        padding: int,
        packs: Packs | None,
    ) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.shape, ctx.padding = x.shape, padding
        ctx.kernels = kernels = None if packs is None else packs.of(x, weight, padding)
        if kernels is not None:
            return kernels.convolve(x, bias)
        return F.conv2d(x, weight, bias, padding=padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        if ctx.kernels is not None:
            return ctx.kernels.pull(gradients[0]), None, None, None, None
        (weight,) = ctx.saved_tensors
        found = _input_gradient(gradients[0], weight, ctx.shape, ctx.padding)
        return found, None, None, None, None


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
        if _by_channel(x, pull):
            return _norm_gradient(pull, x, mean, rate, slope), None, None, None, None
        found = torch.ops.aten.native_group_norm_backward(
            _dense(pull, like=x), x, mean, rate, weight, batch, channels, height * width,
            ctx.groups, [True, False, False],
        )  # fmt: skip
        return found[0], None, None, None, None


class _DoubleAndConvolve(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, phases: Tensor, bias: Tensor | None, packs: Packs | None
    ) -> Tensor:
        ctx.save_for_backward(phases)
        ctx.shape = x.shape
        bias = None if bias is None else bias.repeat(4)
        ctx.kernels = kernels = None if packs is None else packs.of(x, phases, 1)
        if kernels is None:
            parts = F.conv2d(x, phases, bias, padding=1)  # (B, 4 O, h + 1, w + 1)
        else:
            parts = kernels.convolve(x, bias)
        batch, _, height, width = x.shape
        channels = len(phases) // 4
        out = _empty(parts, (batch, channels, 2 * height, 2 * width))
        for part, (y, x_) in zip(torch.split(parts, channels, 1), _CORNERS, strict=True):
            out[:, :, y::2, x_::2] = part[:, :, y : y + height, x_ : x_ + width]
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (phases,) = ctx.saved_tensors
        batch, _, height, width = ctx.shape
        channels = len(phases) // 4
        pulls = _empty(gradients[0], (batch, 4 * channels, height + 1, width + 1)).zero_()
        for pull, (y, x) in zip(torch.split(pulls, channels, 1), _CORNERS, strict=True):
            pull[:, :, y : y + height, x : x + width] = gradients[0][:, :, y::2, x::2]
        if ctx.kernels is not None:
            return ctx.kernels.pull(pulls), None, None, None
        return _input_gradient(pulls, phases, ctx.shape, 1), None, None, None


_CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))


def _input_gradient(pull: Tensor, weight: Tensor, shape: torch.Size, padding: int) -> Tensor:
    """Return the gradient of a convolution's input `shape`, given its output's."""
    if pull.device.type == "cpu" and pull.dtype == torch.float32:
        # As a convolution with the kernel turned around: measured up to a quarter quicker there.
        # In bfloat16, products are so quick that turning the kernel around takes longer.
        turned = weight.flip(2, 3).transpose(0, 1).contiguous(memory_format=_layout(weight))
        return F.conv2d(pull, turned, padding=weight.shape[2] - 1 - padding)
    # Of the input only its shape and layout are used.
    like = _empty(pull, shape)
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


def _by_channel(x: Tensor, pull: Tensor) -> bool:
    """Whether torch's own gradient of a group norm is slow: half width, channels last, on a CPU."""
    return (
        x.device.type == "cpu"
        and x.element_size() == 2
        and all(t.is_contiguous(memory_format=torch.channels_last) for t in (x, pull))
    )


def _norm_gradient(pull: Tensor, x: Tensor, mean: Tensor, rate: Tensor, slope: Tensor) -> Tensor:
    """Return the gradient of a group norm's input, all `(B, C, h, w)` with channels last.

    Of x it is an affine function per channel, whose numbers are sums over all pixels; those are
    products with a row of ones, which add up in float32.

    Args:
        pull: gradient of the norm's output.
        x: its input.
        mean: of each group, (B, groups).
        rate: one by the standard deviation of each group, (B, groups).
        slope: what the norm multiplies each channel by, (B, C).
    """
    batch, channels, height, width = x.shape
    each = channels // mean.shape[1]
    ones = x.new_ones(batch, 1, height * width)

    def summed(t: Tensor) -> Tensor:
        rows = t.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        return torch.bmm(ones, rows)[:, 0].float()

    def by_group(t: Tensor) -> Tensor:
        whole = (slope.float() * t).view(batch, -1, each).mean(2) / (height * width)
        return whole.repeat_interleave(each, 1)

    mean, rate = (t.float().repeat_interleave(each, 1) for t in (mean, rate))
    sums = summed(pull)
    level = by_group(sums)
    lean = by_group((summed(pull * x) - mean * sums) * rate) * rate
    offset, tilt, gain = (
        t.to(x.dtype)[:, :, None, None] for t in (mean * lean - level, -lean, slope)
    )
    return torch.addcmul(offset, x, tilt).addcmul_(pull, gain)


def _empty(like: Tensor, shape: Sequence[int]) -> Tensor:
    """Return a new tensor of that shape, laid out as another one is."""
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=_layout(like))


def _layout(x: Tensor) -> torch.memory_format:
    if x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last):
        return torch.contiguous_format
    return torch.channels_last


def _dense(x: Tensor, like: Tensor | None = None) -> Tensor:
    """Return `x` in a layout that torch's group norm works on: any of the two, on CUDA but one."""
    layout = _layout(x if like is None else like)
    return x.contiguous(memory_format=layout if x.device.type == "cpu" else torch.contiguous_format)
