"""The random streams of a run, known by name for as long as somebody holds them."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Mapping

import torch
from torch import Tensor

from text2art.runtime import stream

_BETWEEN = "#"


class Streams:
    """Gives random streams by purpose, and knows how far those that are held have got.

    Most are used up where they are asked for, or named after a step; nothing is kept of these.
    """

    def __init__(self, seed: int | str) -> None:
        self._seed = seed
        self._held: weakref.WeakValueDictionary[str, torch.Generator] = (
            weakref.WeakValueDictionary()
        )
        self._ahead: dict[str, Tensor] = {}

    def __call__(self, purpose: str) -> torch.Generator:
        """Return an independent stream: `runtime.stream`, or where a restored one had got to."""
        made = stream(self._seed, purpose)
        names = (f"{purpose}{_BETWEEN}{number}" for number in itertools.count())
        name = next(name for name in names if name not in self._held)
        if name in self._ahead:
            made.set_state(self._ahead.pop(name))
        self._held[name] = made
        return made

    def states(self) -> dict[str, Tensor]:
        """Return the states of all streams that are held, by name."""
        return {name: held.get_state() for name, held in sorted(self._held.items())}

    def restore_(self, states: Mapping[str, Tensor]) -> None:
        """Bring streams to where they had got: those that are held, and those yet to be asked for.

        Raises:
            RuntimeError, TypeError: a state is none.
        """
        for name, state in states.items():
            held = self._held.get(name)
            if held is None:
                torch.Generator().set_state(state)  # what is none is refused now
                self._ahead[name] = state
            else:
                held.set_state(state)
