"""What becomes of a picture on nothing: a color put behind it, or its own color without alpha.

Written with their gradients, since a dozen small steps over all pixels would take as long as the
drawing.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Less alpha than this is not seen in 8 bits, and gives no larger gradients to its color.
FAINT = 1e-3


def over(picture: Tensor, behind: Tensor) -> Tensor:
    """Put colors `(N or 1, 3, 1, 1)` behind pictures `(N, 4, H, W)` of color times alpha."""
    result = _Over.apply(picture, behind)
    assert isinstance(result, Tensor)
    return result


def straight(picture: Tensor) -> Tensor:
    """Divide the color of pictures `(N, 4, H, W)` by alpha, so that edges are not darkened."""
    result = _Straight.apply(picture)
    assert isinstance(result, Tensor)
    return result


class _Over(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, picture: Tensor, behind: Tensor) -> Tensor:
        result = torch.empty_like(picture)
        result[:, 3] = 1
        color = torch.mul(1 - picture[:, 3:], behind, out=result[:, :3])
        # Only rounding takes it out of range, so gradients pass.
        color.add_(picture[:, :3]).clamp_(0, 1)
        ctx.save_for_backward(picture, behind)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None]:
        picture, behind = ctx.saved_tensors
        back = torch.empty_like(picture)
        back[:, :3] = grad[:, :3]
        torch.sum(grad[:, :3] * -behind, dim=1, keepdim=True, out=back[:, 3:])
        if not ctx.needs_input_grad[1]:
            return back, None
        return back, (grad[:, :3] * (1 - picture[:, 3:])).sum_to_size(behind.shape)


class _Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, picture: Tensor) -> Tensor:
        result = picture.clone()
        result[:, :3] /= picture[:, 3:].clamp(min=torch.finfo(picture.dtype).tiny)
        result.clamp_(0, 1)
        ctx.save_for_backward(result)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (result,) = ctx.saved_tensors
        back = grad.clone()
        # The gradient of a color that nobody sees would outweigh all others.
        back[:, :3] /= result[:, 3:].clamp(min=FAINT)
        back[:, 3:] -= (back[:, :3] * result[:, :3]).sum(dim=1, keepdim=True)
        return back
