"""What some drawers and perceptors can do beyond `core`'s; found by `isinstance`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from PIL import Image
from torch import Tensor


@runtime_checkable
class CellSource(Protocol):
    """A drawer made of cells, whose result has a native resolution."""

    def cells(self) -> Image.Image:
        """Return the picture with one pixel per cell."""
        ...


@runtime_checkable
class LatentSource(Protocol):
    """A drawer that draws from the latents of a network."""

    def latents(self) -> Tensor:
        """Return the latents, of any shape, with their graph."""
        ...


@dataclass(frozen=True)
class SvgStyle:
    """How a picture is written as SVG.

    Attributes:
        record: what `Session.record` gives, for the document's metadata; None leaves that out.
        millimeters: width of the page; None leaves it to the reader, one pixel to a unit.
        layers: one layer per color, so that a plotter can change pens. What overlaps may look
            different then: layers lie on each other in the order of their first shape.
        travel: order the shapes, up to some ten thousand in a layer, so that a pen travels little
            between them. What overlaps may look different then, too.
    """

    record: Mapping[str, Any] | None = None
    millimeters: float | None = None
    layers: bool = False
    travel: bool = False


PLAIN_SVG = SvgStyle()


@runtime_checkable
class SvgSource(Protocol):
    """A drawer made of shapes."""

    def svg(self, style: SvgStyle = PLAIN_SVG) -> str:
        """Return the picture as an SVG document."""
        ...


@runtime_checkable
class Movable(Protocol):
    """A drawer whose picture can be moved, turned and enlarged without drawing it anew."""

    def move_(self, matrix: Tensor) -> None:
        """Move every point p, in pixels from the upper left corner, to `matrix @ (p, 1)`.

        Args:
            matrix: `(2, 3)`.
        """
        ...


@runtime_checkable
class Annealed(Protocol):
    """A drawer that changes its ways as the run goes on: soft edges first, more strokes later."""

    def at_(self, progress: float) -> None:
        """Learn what share of the run is over, in [0, 1], before each picture but the result."""
        ...


@runtime_checkable
class SeesPatches(Protocol):
    """A perceptor that takes a look apart into patches, and may leave some of them out.

    Attributes:
        patches: how many a look has; 0 where all or nothing of it is seen.
    """

    patches: int

    def see_patches(self, crops: Tensor, kept: Tensor) -> Tensor:
        """Embed crops by some of their patches.

        Args:
            crops: `(N, 3, S, S)` in [0, 1].
            kept: indices `(N, K)` of each look's patches, in rising order.

        Returns:
            `(N, D)` of unit length, differentiable.
        """
        ...


@runtime_checkable
class Composing(Protocol):
    """A perceptor that knows how a picture of a text is best laid out.

    Attributes:
        subjects: what things are called that it knows well enough to be drawn each in a part of the
            picture of its own, in lower case, and the one name for that.
    """

    subjects: Mapping[str, str]

    def aim(self, text: str, strength: float) -> Tensor:
        """Embed what a picture of a text should be like, as `(1, D)` of unit length.

        Args:
            text: what is asked for.
            strength: how much layout counts, from 0, which gives what `Perceptor.read` does.
        """
        ...


@runtime_checkable
class Remembering(Protocol):
    """A loss or filter that knows more than it was built with, which checkpoints have to keep.

    What a drawer knows is in its `state_dict`.
    """

    def memory(self) -> Mapping[str, Any]:
        """Return it: tensors and plain values by name."""
        ...

    def recall_(self, memory: Mapping[str, Any]) -> None:
        """Take over what `memory` gave."""
        ...
