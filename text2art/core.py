"""The conventions every part keeps: Drawer, Loss, Filter, Frame; see also `view` and `looks`.

Pictures are `(1, 3, H, W)`, or 4 channels with straight alpha; crops `(N, 3, S, S)`; both float32
sRGB in [0, 1]. Embeddings are `(N, D)` of unit length.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypedDict, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn
from typing_extensions import NotRequired

from text2art.looks import Cutouts as Cutouts  # they are conventions, too, and found here with them
from text2art.view import Ask
from text2art.view import Perceptor as Perceptor
from text2art.view import View as View


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
class Loss(Protocol):
    """Turns what was seen into one number; smaller is better.

    Built as `Loss(weight, options)` by registry name; `Prepared` losses learn of the run then.
    """

    name: str
    weight: float

    def __call__(self, view: View) -> Tensor:
        """Return a scalar."""
        ...


@runtime_checkable
class Asking(Protocol):
    """A loss that says beforehand who is to look at what; found by `isinstance`.

    All that a step's losses ask for is then seen in one pass of each perceptor.
    """

    def asks(self, view: View) -> Iterable[Ask]:
        """Return what it will ask of the view; changes nothing."""
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
