"""Losses that users wrote for pixray, as losses here."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from text2art.core import Context, View
from text2art.errors import SettingsError

_METHODS = ("get_loss",)


class OwnLoss:
    """A pixray loss class behind our interface.

    pixray built `Class(device=...)` and called `add_settings(parser)`, `parse_settings(args)`,
    `instance_settings(args)`, `add_globals(args)` (once, what it returns is passed on as
    `lossGlobals`) and `get_loss(cutouts, out, args, globals=, lossGlobals=)` at each step, whose
    numbers are summed. `cutouts` holds crops `(N, 3, S, S)` by S, `out` is the picture, both in
    [0, 1]; `globals` has `cur_iteration` and `embeds`, the last perceptor's embeddings of the
    crops. All but `get_loss` may be missing.
    """

    def __init__(self, name: str, kind: type, weight: float, args: Mapping[str, Any]) -> None:
        """Check and hold the class; it is built when the run is.

        Args:
            name: of the loss.
            kind: pixray's class.
            weight: multiplies what it gives.
            args: all old settings, which it sees as attributes.

        Raises:
            SettingsError: it has no `get_loss`.
        """
        for method in _METHODS:
            if not callable(getattr(kind, method, None)):
                raise SettingsError(
                    f"custom loss {name!r}: {kind!r} has no method {method}(cutouts, out, args)"
                )
        self.name = name
        self.weight = weight
        self._kind = kind
        self._given = dict(args)

    def prepare_(self, context: Context) -> None:
        """Build the class and let it read its settings."""
        device = context.canvas.device
        try:
            self._loss = self._kind(device=device)
        except TypeError:  # a class that does not ask where
            self._loss = self._kind()
        self._perceptors = [perceptor for perceptor, _ in context.perceptors]
        self._args: Any = SimpleNamespace(**{**own_settings(self._loss), **self._given})
        for hook in ("parse_settings", "instance_settings"):
            args = self._call(hook, self._args)
            self._args = self._args if args is None else args
        self._globals = self._call("add_globals", self._args) or {}

    def __call__(self, view: View) -> Tensor:
        """Return what the class gives, summed."""
        crops = {p.size: view.crops(p.size) for p in self._perceptors}
        embeds = view.seen(self._perceptors[-1]) if self._perceptors else None
        run = {"cur_iteration": view.step, "embeds": embeds}
        given = self._loss.get_loss(
            crops, view.image, self._args, globals=run, lossGlobals=self._globals
        )
        parts = list(given) if isinstance(given, list | tuple) else [given]
        zero = view.image.new_zeros(())
        return torch.stack([zero, *(torch.as_tensor(part).mean() for part in parts)]).sum()

    def _call(self, name: str, argument: Any) -> Any:
        hook = getattr(self._loss, name, None)
        return hook(argument) if callable(hook) else None


def own_settings(loss: Any) -> dict[str, Any]:
    """Return the settings that a loss adds itself, with their defaults.

    Args:
        loss: pixray's class, whose `add_settings(parser)` is static, or an object of it.

    Raises:
        SettingsError: `add_settings` cannot be called.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    adds = getattr(loss, "add_settings", None)
    if callable(adds):
        try:
            adds(parser)
        except TypeError as error:
            raise SettingsError(
                f"custom loss {loss!r}: add_settings(parser) cannot be called ({error}): make it a "
                "static method, as pixray's are"
            ) from error
    return dict(vars(parser.parse_args([])))
