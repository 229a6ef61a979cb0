"""The conventions every part keeps: Drawer, Perceptor, Loss, View, Frame; see also `looks`.

Pictures are `(1, 3, H, W)`, or 4 channels with straight alpha; crops `(N, 3, S, S)`; both float32
sRGB in [0, 1]. Embeddings are `(N, D)` of unit length.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypedDict, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn
from typing_extensions import NotRequired

from text2art.abilities import SeesPatches
from text2art.chunks import Chunks
from text2art.looks import WHOLE, Looks, Sight
from text2art.looks import Cutouts as Cutouts  # one of the conventions, found here, too
from text2art.runtime import move


class ParamGroup(TypedDict):
    """Parameters that share a learning rate."""

    name: str
    params: list[nn.Parameter]
    lr: float
    weight_decay: NotRequired[float]  # 0 where a parameter's zero means something, as a place


Net = TypeVar("Net", bound=nn.Module)


class Networks(Protocol):
    """Gives frozen networks by key, so that all drawers of a process share them."""

    def __call__(self, key: str, load: Callable[[], Net], /) -> Net:
        """Return the network of `key`, from `load` if it is not there yet."""
        ...


def loaded_anew(key: str, load: Callable[[], Net], /) -> Net:
    """Load a network without keeping it: `Canvas.network` where nothing is shared."""
    return load()


@dataclass(frozen=True)
class Canvas:
    """What a drawer is told about the picture it is to make.

    Attributes:
        width, height: size of the picture in pixels.
        device: where its parameters live.
        stream: gives an independent CPU random stream for a purpose ("pyramid/start").
        palette: `(K, 3)` colors in [0, 1] to be used, or None for any.
        transparent: whether the picture has alpha; only for drawers that say they can.
        network: gives the frozen network of a key on `device`, loading it if it is not there yet.
    """

    width: int
    height: int
    device: torch.device
    stream: Callable[[str], torch.Generator]
    palette: Tensor | None = None
    network: Networks = loaded_anew
    transparent: bool = False


class Drawer(nn.Module, abc.ABC):
    """A picture as a differentiable function of its own parameters.

    Built as `Drawer(canvas, options)`; `options` is the drawer's options table.

    Attributes:
        has_alpha: whether it can draw on nothing: then it gives 4 channels on a transparent canvas,
            and takes the alpha of pictures that it is to resemble.
    """

    has_alpha: ClassVar[bool] = False

    @abc.abstractmethod
    def forward(self) -> Tensor:
        """Return the picture, `(1, 3 or 4, H, W)` in [0, 1]."""

    @abc.abstractmethod
    def groups(self) -> list[ParamGroup]:
        """Return the optimizer groups, each with its own learning rate."""

    @abc.abstractmethod
    def fit_(self, picture: Tensor) -> None:
        """Change the parameters so that the picture resembles `(1, 3 or 4, H, W)` in [0, 1]."""

    @torch.no_grad()
    def shown(self) -> Tensor:
        """Return the picture as it would be if it were the result now, without a graph."""
        training = self.training
        self.train(False)
        picture: Tensor = self()
        self.train(training)
        return picture

    def adjust_(self, picture: Tensor) -> None:
        """Take over a change of the present picture, as an overlay; by default `fit_`."""
        self.fit_(picture)

    def project_(self) -> None:
        """Move the parameters back to what is valid, after an update."""


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


class View:
    """The picture of one step and what losses may ask about it, each computed at most once.

    Attributes:
        image: the picture, `(1, 3 or 4, H, W)`, with its graph.
        step: number of updates made before it.
        progress: step over the length of the run, in [0, 1].
        scores: what losses report about their success, larger is better, detached scalars.
        beside: the views that perceptors see in one pass, this one among them: `seen_together`.
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
        self._cutouts = cutouts
        self._chunks = Chunks() if chunks is None else chunks
        self._look = look
        self._turn = step if turn is None else turn
        self._token_drop = token_drop
        self._shown: dict[Sight | None, tuple[Tensor, Looks]] = {}
        self._crops: dict[tuple[Sight | None, int], Tensor] = {}
        self._seen: dict[tuple[Sight | None, int], tuple[Perceptor, Tensor]] = {}
        self.beside: Sequence[View] = ()

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
        if (of, id(perceptor)) not in self._seen:
            views = self.beside or [self]
            sights = [of] if of is None or not of.along else of.along
            asked = [(view, sight) for view in views for sight in sights]
            crops = [view.crops(perceptor.size, sight) for view, sight in asked]
            kept = [view.patches(perceptor, sight) for view, sight in asked]
            seen = self._see(perceptor, _joined(crops), [k for k in kept if k is not None])
            parts = torch.split(seen, list(map(len, crops)))
            for (view, sight), rows in zip(asked, parts, strict=True):
                # The perceptor is kept with it, so that its id stays its own.
                view._seen[sight, id(perceptor)] = (perceptor, rows)  # noqa: SLF001 - its own kind
        return self._seen[of, id(perceptor)][1]

    def _see(self, perceptor: Perceptor, crops: Tensor, kept: Sequence[Tensor]) -> Tensor:
        if kept and isinstance(perceptor, SeesPatches):
            return self._chunks.see(perceptor.see_patches, crops, _joined(kept))
        return self._chunks.see(perceptor.see, crops)

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


@contextmanager
def seen_together(views: Sequence[View]) -> Iterator[None]:
    """Let each perceptor see the looks at several pictures in one pass, once one is asked about.

    A pass over many looks takes less time than as many passes over few. What is seen of each
    picture, and its gradient, are what they would be alone, but for the last bits.

    Args:
        views: of one step, whose losses look at the same sights.
    """
    for view in views:
        view.beside = views
    try:
        yield
    finally:
        for view in views:  # else they would keep each other, and all their graphs
            view.beside = ()


def _joined(rows: Sequence[Tensor]) -> Tensor:
    return rows[0] if len(rows) == 1 else torch.cat(list(rows))


@runtime_checkable
class Loss(Protocol):
    """Turns what was seen into one number; smaller is better.

    Built as `Loss(weight, options)` by registry name; `Prepared` losses learn of the run then.
    """

    name: str
    weight: float

    def __call__(self, view: View) -> Tensor:
        """Return a scalar."""
        ...


@dataclass(frozen=True)
class Context:
    """What a loss may know of the run it is part of, before the first step.

    Attributes:
        canvas: size, device, random streams, palette and shared networks of the picture.
        perceptors: who looks, and how much each counts.
    """

    canvas: Canvas
    perceptors: Sequence[tuple[Perceptor, float]] = ()


@runtime_checkable
class Prepared(Protocol):
    """A loss that needs more than its weight and options; found by `isinstance`."""

    def prepare_(self, context: Context) -> None:
        """Take what is needed from the run: called once, before the first view.

        Raises:
            SettingsError: something is missing, such as a palette.
        """
        ...


@runtime_checkable
class Filter(Protocol):
    """Changes the drawer's picture before it is looked at, shown and saved.

    Built as `Filter(weight, options, canvas)` by registry name. A filter that changes only how the
    picture is looked at is a `LookFilter` instead; one may be both.

    Attributes:
        name: what settings and reports call it.
        weight: how much of it there is, in [0, 1]; 1 is all.
    """

    name: str
    weight: float

    def __call__(self, image: Tensor) -> Tensor:
        """Return another picture of the same shape in [0, 1], differentiably."""
        ...


@runtime_checkable
class LookFilter(Protocol):
    """Changes what the looks of a step see; the picture that is shown and saved stays."""

    name: str
    weight: float

    def look(self, image: Tensor, step: int) -> Tensor:
        """Return `(N, C, H, W)` as it is looked at; the same step moves every picture alike."""
        ...


@runtime_checkable
class LossSource(Protocol):
    """A filter that brings losses of its own; found by `isinstance`."""

    def losses(self) -> Sequence[Loss]:
        """Return them; they see the picture as filters have left it."""
        ...


@dataclass(frozen=True)
class Frame:
    """What one step shows.

    Attributes:
        step: number of updates made before this picture.
        image: the picture, detached, `(1, 3 or 4, H, W)`.
        terms: the weighted losses of this very picture, detached scalars.
        scores: how well each prompt is met, mean cosine in [-1, 1], detached scalars.
        final: whether this is the result.
        tryout: whether this start may still be given up for a better one.
        beside: how many starts drawn side by side it stands for where one is shown: the first; 0
            for the others, else 1.
        filmed: whether films show it.
    """

    step: int
    image: Tensor
    terms: Mapping[str, Tensor]
    scores: Mapping[str, Tensor] = field(default_factory=dict)
    final: bool = False
    tryout: bool = False
    beside: int = 1
    filmed: bool = True

    def is_due(self, every: int) -> bool:
        """Whether it is shown when a picture of every so many steps is.

        Of starts drawn side by side it is the first one's: pictures by turns would flicker.
        """
        return -self.step % every < self.beside

    @property
    def loss(self) -> float:
        """Sum of the terms. Waits for the device."""
        return float(sum(float(term) for term in self.terms.values()))

    @property
    def score(self) -> float:
        """Mean of the scores; NaN when nothing reports one. Waits for the device."""
        values = [float(score) for score in self.scores.values()]
        return sum(values) / len(values) if values else float("nan")
