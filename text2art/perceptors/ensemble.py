"""Several perceptors with weights, as one thing to hand around."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from text2art.abilities import Composing
from text2art.core import Perceptor


@dataclass(frozen=True)
class Ensemble:
    """Perceptors that look together; those of one input size share their crops (see `View`).

    Attributes:
        members: perceptors and their weights.
        choice: how they came to be chosen, in words ("the starter: no CLIP weights in ...").
    """

    members: Sequence[tuple[Perceptor, float]]
    choice: str

    def __iter__(self) -> Iterator[tuple[Perceptor, float]]:
        return iter(self.members)

    @property
    def names(self) -> list[str]:
        """Names of the members."""
        return [perceptor.name for perceptor, _ in self.members]

    @property
    def subjects(self) -> Mapping[str, str]:
        """What every member knows how to lay out, and its name; nothing where one cannot."""
        known = [p.subjects if isinstance(p, Composing) else {} for p, _ in self.members]
        return {said: name for said, name in known[0].items() if all(said in k for k in known)}

    def notices(self, text: str) -> list[str]:
        """What the members say about a text, each once."""
        return list(dict.fromkeys(n for p, _ in self.members for n in p.notices(text)))
