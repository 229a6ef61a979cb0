"""Optimizers by name: torch's, and two that pixray's users know and torch does not have."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from text2art.core import ParamGroup

# Memory of where an optimizer was going, as torch and those below name it.
_DIRECTIONS = ("exp_avg", "momentum_buffer")


class _AdamLike(Optimizer):
    """Adam (arXiv:1412.6980 algorithm 1) whose step is changed by subclasses."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Make an update from the gradients that are there; closures are not supported."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)

    def _update(self, parameter: Tensor, gradient: Tensor, group: Mapping[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        first, second = group["betas"]
        state["exp_avg"].lerp_(gradient, 1 - first)
        state["exp_avg_sq"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
        unbiased = 1 - second ** state["step"]
        scale = state["exp_avg_sq"].sqrt() / math.sqrt(unbiased) + group["eps"]
        change = state["exp_avg"] / scale
        change = self._changed(change, parameter, gradient, state)
        parameter.sub_(change, alpha=group["lr"] / (1 - first ** state["step"]))

    def _changed(
        self, change: Tensor, parameter: Tensor, gradient: Tensor, state: dict[str, Any]
    ) -> Tensor:
        raise NotImplementedError


class DiffGrad(_AdamLike):
    """Adam that slows down where the gradient hardly changes (arXiv:1909.11015 section III)."""

    def _changed(
        self, change: Tensor, parameter: Tensor, gradient: Tensor, state: dict[str, Any]
    ) -> Tensor:
        before = state.get("previous", torch.zeros_like(gradient))
        state["previous"] = gradient.clone()
        return change * torch.sigmoid((before - gradient).abs())


class AdamP(_AdamLike):
    """Adam without what only makes weights grow, where scale does not matter.

    arXiv:2006.08217 algorithm 2, with delta 0.1 and no weight decay: where a gradient is about at
    right angles to its weights (channel by channel, else all together), the step loses its part
    along them.
    """

    _DELTA = 0.1

    def _changed(
        self, change: Tensor, parameter: Tensor, gradient: Tensor, state: dict[str, Any]
    ) -> Tensor:
        if parameter.dim() < 2:
            return change
        whole = self._projected(change, parameter, gradient, 1, change)
        return self._projected(change, parameter, gradient, len(parameter), whole)

    def _projected(
        self, change: Tensor, parameter: Tensor, gradient: Tensor, rows: int, otherwise: Tensor
    ) -> Tensor:
        """Return the change without its part along each row, if all are free of scale."""
        weights, pull, step = (t.reshape(rows, -1) for t in (parameter, gradient, change))
        cosine = F.cosine_similarity(pull, weights, dim=1, eps=1e-8).abs()
        free = cosine.max() < self._DELTA / math.sqrt(weights.shape[1])
        direction = weights / (weights.norm(dim=1, keepdim=True) + 1e-8)
        along = direction * (direction * step).sum(dim=1, keepdim=True)
        return torch.where(free, (step - along).reshape_as(change), otherwise)


def _uncompiled(kind: type[Optimizer]) -> type[Optimizer]:
    """Return a class of the same updates that leaves torch's compiler alone.

    torch wraps these methods so that its compiler, should it come across them, does not look into
    them; for that it imports the compiler at their first call, which takes seconds. Nothing here
    compiles an optimizer, so they are called without their wrappers. Those of `step` also turn
    gradients off, and count its hooks in, which `Optimizer` does anew for each class.
    """
    names = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), {**methods, "step": step, "__doc__": kind.__doc__})


_CLASSES: Mapping[str, Callable[..., Optimizer]] = {
    kind.__name__: _uncompiled(kind)
    for kind in (
        torch.optim.Adam,
        torch.optim.AdamW,
        torch.optim.Adagrad,
        torch.optim.Adamax,
        torch.optim.RAdam,
        torch.optim.RMSprop,
        DiffGrad,
        AdamP,
    )
}


# Those whose update of all parameters torch has as one kernel.
_FUSED = frozenset(("Adam", "AdamW"))


def make(name: str, groups: list[ParamGroup]) -> Optimizer:
    """Return the optimizer of a name for a drawer's groups, each at its own rate."""
    if name in _FUSED and all(p.is_cuda for group in groups for p in group["params"]):
        return _CLASSES[name](groups, fused=True)
    return _CLASSES[name](groups)


def forget_direction_(optimizer: Optimizer) -> None:
    """Forget where an optimizer was going, and keep how large its steps are.

    For when the picture or the aim was changed from outside: the first moments belong to what was
    there before and would pull it back. The second moments stay. An optimizer made anew would take
    its first steps at full size whatever the gradient, and spoil what was just put there.
    """
    for state in optimizer.state.values():
        for name in _DIRECTIONS:
            if isinstance(state.get(name), Tensor):
                state[name].zero_()
