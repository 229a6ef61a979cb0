"""The conventions every part keeps: Drawer, Perceptor, Loss, Cutouts, View, Frame.

Pictures are `(1, 3, H, W)`, or 4 channels with straight alpha; crops `(N, 3, S, S)`; both float32
sRGB in [0, 1]. Embeddings are `(N, D)` of unit length.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypedDict, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from text2art.abilities import Annealed
from text2art.chunks import Chunks


class ParamGroup(TypedDict):
    """Parameters that share a learning rate."""

    name: str
    params: list[nn.Parameter]
    lr: float


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
        network: gives the frozen network of a key on `device`, loading it if it is not there yet.
    """

    width: int
    height: int
    device: torch.device
    stream: Callable[[str], torch.Generator]
    palette: Tensor | None = None
    network: Networks = loaded_anew


class Drawer(nn.Module, abc.ABC):
    """A picture as a differentiable function of its own parameters.

    Built as `Drawer(canvas, options)`; `options` is the drawer's options table.
    """

    @abc.abstractmethod
    def forward(self) -> Tensor:
        """Return the picture, `(1, 3 or 4, H, W)` in [0, 1]."""

    @abc.abstractmethod
    def groups(self) -> list[ParamGroup]:
        """Return the optimizer groups, each with its own learning rate."""

    @abc.abstractmethod
    def fit_(self, picture: Tensor) -> None:
        """Change the parameters so that the picture resembles `(1, 3, H, W)` in [0, 1]."""

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


class Border(enum.IntEnum):
    """What a look sees beyond the picture's border."""

    FILL = 0  # the fill color
    SMEAR = 1  # the nearest color of the picture
    MIRROR = 2  # the picture's mirror image


@dataclass(frozen=True)
class Looks:
    """The random choices by which a picture is looked at in one step, on the CPU.

    Attributes:
        matrices: `(N, 3, 3)`, homographies from output to picture coordinates, both in [-1, 1].
        border: `(N,)` of `Border`, what is seen beyond the picture's border.
        color: `(N, 3, 4)`, affine color changes.
        noise: `(N,)`, standard deviation of added noise.
        fill: `(3,)`, color of `Border.FILL` and behind transparency.
        noise_stream: gives the random stream of the noise for a crop size.
    """

    matrices: Tensor
    border: Tensor
    color: Tensor
    noise: Tensor
    fill: Tensor
    noise_stream: Callable[[int], torch.Generator]


class Cutouts(Protocol):
    """Chooses looks and cuts them from the picture."""

    def choose(self, step: int, progress: float, width: int, height: int) -> Looks:
        """Choose the looks of a step; depends on nothing but the seed and these arguments."""
        ...

    def cut(self, image: Tensor, looks: Looks, size: int) -> Tensor:
        """Cut `(N, 3, size, size)` from `(1, 3 or 4, H, W)`, differentiably."""
        ...


class View:
    """The picture of one step and what losses may ask about it, each computed at most once.

    Attributes:
        image: the picture, `(1, 3 or 4, H, W)`, with its graph.
        step: number of updates made before it.
        progress: step over the length of the run, in [0, 1].
        scores: what losses report about their success, larger is better, detached scalars.
    """

    def __init__(
        self,
        image: Tensor,
        step: int,
        progress: float,
        cutouts: Cutouts,
        chunks: Chunks | None = None,
    ) -> None:
        self.image = image
        self.step = step
        self.progress = progress
        self.scores: dict[str, Tensor] = {}
        self._cutouts = cutouts
        self._chunks = Chunks() if chunks is None else chunks
        self._looks: Looks | None = None
        self._crops: dict[int, Tensor] = {}
        self._seen: dict[int, tuple[Perceptor, Tensor]] = {}

    def crops(self, size: int) -> Tensor:
        """Return this step's crops at a size; every size shows the same looks."""
        if self._looks is None:
            height, width = self.image.shape[-2:]
            self._looks = self._cutouts.choose(self.step, self.progress, width, height)
        if size not in self._crops:
            self._crops[size] = self._cutouts.cut(self.image, self._looks, size)
        return self._crops[size]

    def seen(self, perceptor: Perceptor) -> Tensor:
        """Return the perceptor's embeddings of this step's crops, `(N, D)`."""
        key = id(perceptor)
        if key not in self._seen:  # the perceptor is kept with it, so that its id stays its own
            seen = self._chunks.see(perceptor, self.crops(perceptor.size))
            self._seen[key] = (perceptor, seen)
        return self._seen[key][1]


@runtime_checkable
class Loss(Protocol):
    """Turns what was seen into one number; smaller is better.

    Built as `Loss(weight, options)` by registry name.
    """

    name: str
    weight: float

    def __call__(self, view: View) -> Tensor:
        """Return a scalar."""
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
    """

    step: int
    image: Tensor
    terms: Mapping[str, Tensor]
    scores: Mapping[str, Tensor] = field(default_factory=dict)
    final: bool = False
    tryout: bool = False

    @property
    def loss(self) -> float:
        """Sum of the terms. Waits for the device."""
        return float(sum(float(term) for term in self.terms.values()))

    @property
    def score(self) -> float:
        """Mean of the scores; NaN when nothing reports one. Waits for the device."""
        values = [float(score) for score in self.scores.values()]
        return sum(values) / len(values) if values else float("nan")


class Schedule(Protocol):
    """Sets the learning rates before each update."""

    def apply_(self, optimizer: torch.optim.Optimizer, progress: float) -> None:
        """Set the rate of each group; never touches the optimizer's moments."""
        ...

    def drop(self) -> None:
        """Lower all rates from now on: a plateau was reached."""
        ...


@dataclass
class Scene:
    """Everything the loop needs, and nothing it knows by name.

    Attributes:
        filters: change the drawer's picture, in turn, before it is looked at or shown.
        chunks: how many looks go through a perceptor at a time.
    """

    drawer: Drawer
    cutouts: Cutouts
    losses: Sequence[Loss]
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    filters: Sequence[Callable[[Tensor], Tensor]] = ()
    chunks: Chunks = field(default_factory=Chunks)

    def view(self, step: int, steps: int, *, final: bool = False) -> View:
        """Return the picture of a step, ready to be asked about.

        The result is drawn in evaluation mode: some drawers show an average there, or crisp edges.
        """
        self.drawer.train(not final)
        progress = step / max(steps, 1)
        if not final and isinstance(self.drawer, Annealed):
            self.drawer.at_(progress)
        image = self.drawer()
        for change in self.filters:
            image = change(image)
        return View(image, step, progress, self.cutouts, self.chunks)

    def terms(self, view: View) -> dict[str, Tensor]:
        """Return every weighted loss of a view, by name."""
        return {loss.name: loss.weight * loss(view) for loss in self.losses}
