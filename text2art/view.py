"""The picture of one step as it is seen: what losses ask of it, and perceptors answer."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from text2art.abilities import SeesPatches
from text2art.chunks import Chunks, smallest
from text2art.looks import WHOLE, Cutouts, Looks, Sight
from text2art.runtime import move


@runtime_checkable
class Perceptor(Protocol):
    """Says how near pictures are to words. Owns its own normalization.

    Attributes:
        name: what settings and reports call it.
        size: side S of the crops it sees, in pixels.
        digest: sha256 of its weights (hex), "" when it has none.
    """

    name: str
    size: int
    digest: str

    def see(self, crops: Tensor) -> Tensor:
        """Embed crops `(N, 3, S, S)` in [0, 1] as `(N, D)` of unit length, differentiably."""
        ...

    def read(self, texts: Sequence[str]) -> Tensor:
        """Embed texts as `(T, D)` of unit length."""
        ...

    def notices(self, text: str) -> list[str]:
        """Say what of a text will not be understood (cut off, unknown words)."""
        ...


Ask = tuple[Perceptor, Sight | None]  # who looks at what; None is the whole picture


class View:
    """The picture of one step and what losses may ask about it, each computed at most once.

    Attributes:
        image: the picture, `(1, 3 or 4, H, W)`, with its graph.
        step: number of updates made before it.
        progress: step over the length of the run, in [0, 1].
        scores: what losses report about their success, larger is better, detached scalars.
        chunks: how many looks go through a perceptor at a time.
    """

    def __init__(
        self,
        image: Tensor,
        step: int,
        progress: float,
        cutouts: Cutouts,
        chunks: Chunks | None = None,
        look: Callable[[Tensor], Tensor] = lambda image: image,
        turn: int | None = None,
        token_drop: float = 0.0,
    ) -> None:
        """Make the view of a step.

        `look` changes the picture where it is looked at only; `turn` is what the looks are random
        by in place of the step; `token_drop` is the share of each look's patches that perceptors
        made for it do not see.
        """
        self.image = image
        self.step = step
        self.progress = progress
        self.scores: dict[str, Tensor] = {}
        self.chunks = Chunks() if chunks is None else chunks
        self._cutouts = cutouts
        self._look = look
        self._turn = step if turn is None else turn
        self._token_drop = token_drop
        self._shown: dict[Sight | None, tuple[Tensor, Looks]] = {}
        self._crops: dict[tuple[Sight | None, int], Tensor] = {}
        self._seen: dict[tuple[Sight | None, int], tuple[Perceptor, Tensor]] = {}

    def crops(self, size: int, of: Sight | None = None) -> Tensor:
        """Return this step's crops at a size, of the picture or a sight.

        Every size shows the same looks.
        """
        if (of, size) not in self._crops:
            image, looks = self._looked_at(of)
            self._crops[of, size] = self._cutouts_of(of).cut(image, looks, size)
        return self._crops[of, size]

    def seen(self, perceptor: Perceptor, of: Sight | None = None) -> Tensor:
        """Return the perceptor's embeddings of the crops of the picture or a sight, `(N, D)`."""
        if not self.has_seen(perceptor, of):
            see_together([(self, [(perceptor, of)])])
        return self._seen[of, id(perceptor)][1]

    def has_seen(self, perceptor: Perceptor, of: Sight | None = None) -> bool:
        """Whether that is known already."""
        return (of, id(perceptor)) in self._seen

    def take(self, perceptor: Perceptor, of: Sight | None, seen: Tensor) -> None:
        """Take what a perceptor has seen of the crops of the picture or a sight, `(N, D)`."""
        self._seen[of, id(perceptor)] = (perceptor, seen)  # kept, so that its id stays its own

    def patches(self, perceptor: Perceptor, of: Sight | None = None) -> Tensor | None:
        """Choose the patches of each look that are seen, `(N, K)`; None for all.

        Others in each step, as by random token dropping in training (arXiv:2212.00794 section 3.1):
        attention costs less, and what is left out of one look is in others.
        """
        if not self._token_drop or not isinstance(perceptor, SeesPatches) or not perceptor.patches:
            return None
        count = max(1, round((1 - self._token_drop) * perceptor.patches))
        _, looks = self._looked_at(of)
        draw = looks.stream("patches", perceptor.name)
        crops = self.crops(perceptor.size, of)
        order = torch.rand(len(crops), perceptor.patches, generator=draw).argsort(dim=1)
        return move(order[:, :count].sort(dim=1).values, crops)

    def _cutouts_of(self, sight: Sight | None) -> Cutouts:
        return self._cutouts if sight is None or sight.cutouts is None else sight.cutouts

    def _looked_at(self, sight: Sight | None) -> tuple[Tensor, Looks]:
        if sight not in self._shown:
            image = self.image if sight is None else sight.show(self.image)
            if sight is None or sight.whole:
                image = self._look(image)
            height, width = image.shape[-2:]
            window, every = (WHOLE, 1) if sight is None else (sight.window, sight.every)
            left, top, right, bottom = window
            size = (round(width * (right - left)), round(height * (bottom - top)))
            looks = self._cutouts_of(sight).choose(self._turn, self.progress, *size)
            looks = looks.thinned(every).within(window)
            self._shown[sight] = (image, looks)
        return self._shown[sight]


class _Pass:
    """The looks that one perceptor sees at once."""

    def __init__(self, perceptor: Perceptor) -> None:
        self._perceptor = perceptor
        self._looked: dict[tuple[int, Sight | None], tuple[View, Tensor, Tensor | None]] = {}

    def add(self, view: View, sight: Sight | None, kept: Tensor | None) -> None:
        self._looked[id(view), sight] = view, view.crops(self._perceptor.size, sight), kept

    def see(self) -> None:
        """See all of them; each view learns what is its own."""
        views, crops, kept = zip(*self._looked.values(), strict=True)
        chunks, patches = (
            smallest(view.chunks for view in views),
            [k for k in kept if k is not None],
        )
        if patches and isinstance(self._perceptor, SeesPatches):
            seen = chunks.see(self._perceptor.see_patches, _joined(crops), _joined(patches))
        else:
            seen = chunks.see(self._perceptor.see, _joined(crops))
        parts = torch.split(seen, list(map(len, crops)))
        for (_, sight), view, rows in zip(self._looked, views, parts, strict=True):
            view.take(self._perceptor, sight, rows)


def see_together(asked: Iterable[tuple[View, Iterable[Ask]]]) -> None:
    """Let each perceptor see in one pass all that is asked of it, of one picture or of several.

    A pass over many looks takes less time than as many passes over few. What is seen of each
    picture, and its gradient, are what they would be alone, but for the last bits. What shows the
    same whatever is drawn has a pass of its own, which no gradient goes through.

    Args:
        asked: views, each with who is to look at what.
    """
    passes: dict[Hashable, _Pass] = {}
    for view, asks in asked:
        for perceptor, sight in asks:
            if view.has_seen(perceptor, sight):
                continue
            kept = view.patches(perceptor, sight)
            shape = None if kept is None else kept.shape[1]
            still = sight is not None and sight.still
            one = passes.setdefault((id(perceptor), shape, still), _Pass(perceptor))
            one.add(view, sight, kept)
    for one in passes.values():
        one.see()


def _joined(rows: Sequence[Tensor]) -> Tensor:
    return rows[0] if len(rows) == 1 else torch.cat(list(rows))
