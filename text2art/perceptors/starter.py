"""The starter perceptor: the small model that ships with text2art."""

from __future__ import annotations

import difflib
import hashlib
import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from text2art.core import Perceptor
from text2art.errors import WeightsCorrupt
from text2art.graphs import graphed
from text2art.nets.byte_pairs import byte_pairs
from text2art.nets.crew import Crew
from text2art.nets.starter import StarterCLIP, load_starter, tower_stems
from text2art.perceptors.cut import cut_notice
from text2art.runtime import Runtime, freeze, recorder
from text2art.weights import catalog

_WORD = re.compile(r"[^\W\d_]+|\d+")
_POSSESSIVE = re.compile(r"['\u2019]s\b")
_PIECES = 8  # into which a net's looks may be cut, where there are cores for so many
# How much of the way from "a cat" to "a big cat", and to "a cat in the middle", a subject goes.
# Viewers named no fewer pictures at twice as much, but scenes and shapes suffered by eye.
_LARGE, _CENTRAL = 1.0, 0.75
# The ways are means over these, whatever the subject.
_THINGS = (
    "apple", "cat", "house", "car", "tree", "ball", "fish", "flower", "dog", "cup", "bell", "ship",
)  # fmt: skip
# What says where things lie, how large they are, or that there are several.
_LAID_OUT = frozenset((
    "small", "tiny", "little", "big", "large", "huge", "giant", "left", "right", "top", "bottom",
    "upper", "lower", "center", "centre", "middle", "side", "corner", "above", "below", "over",
    "under", "beneath", "underneath", "next", "beside", "near", "behind", "between", "around",
    "and", "with", "two", "three", "four", "five", "six", "several", "many", "some", "pair",
    "row", "far", "distant", "close",
))  # fmt: skip
_NEAR = 0.7  # below it, what is spelled alike is rarely what was meant


class StarterPerceptor:
    """Sees with one or more `StarterCLIP`s and says which words it does not know.

    Several are one perceptor whose embeddings are theirs side by side, scaled to unit length: its
    cosine is the mean of theirs. What only one of them takes for the subject does not carry far,
    so pictures become clearer than by any of them alone.

    Args:
        nets: of one input size.
        runtime: where they compute.
        weights: their files, to tell which they are.
        name: as others refer to it.
    """

    def __init__(
        self, nets: Sequence[StarterCLIP], runtime: Runtime, *, weights: Sequence[Path] = (),
        name: str = "",
    ) -> None:  # fmt: skip
        sizes = {net.image_size for net in nets}
        if len(sizes) != 1:
            raise WeightsCorrupt(f"the starter's perceptors see different sizes: {sorted(sizes)}")
        self.name = name or "starter"
        self.size = sizes.pop()
        self.parts = [catalog.sha256_of(path) for path in weights]
        self.digest = _digest(self.parts)
        self._vocabulary = frozenset[str]().union(*(net.vocabulary for net in nets))
        self.subjects = {
            _spaced(said): name
            for net in nets
            for said, name in [*((name, name) for name in net.subjects), *net.synonyms.items()]
            if _spaced(said)  # what has no words would be found everywhere
        }
        self._context_length = min(net.context_length for net in nets)
        self._dtype = runtime.perceptor_dtype
        self._device = runtime.device
        self._nets = list(nets)
        for net in nets:
            freeze(net).to(runtime.device)
            net.visual.to(self._dtype).to(memory_format=torch.channels_last)
        self._eyes = [self._eye(net) for net in nets]
        cores = torch.get_num_threads() if runtime.device.type == "cpu" else 1
        self._crew = Crew(min(cores, _PIECES * len(nets)))
        self._look = graphed(self._looked, recorder(runtime.device))

    def see(self, crops: Tensor) -> Tensor:
        """See `core.Perceptor.see`."""
        if crops.shape[1:] != (3, self.size, self.size):
            raise ValueError(f"{self.name} sees (N, 3, {self.size}, {self.size}): {crops.shape}")
        return self._look(crops)

    def _looked(self, crops: Tensor) -> Tensor:
        # Channels last: convolutions are a fifth quicker on a CPU, pools ten times.
        crops = crops.contiguous(memory_format=torch.channels_last)
        return _beside(self._crew.see(self._eyes, crops))

    def _eye(self, net: StarterCLIP) -> Callable[[Tensor], Tensor]:
        mean, std = (torch.tensor(v).view(1, 3, 1, 1).to(self._device) for v in (net.mean, net.std))
        return lambda crops: net.encode_image(((crops - mean) / std).to(self._dtype))

    @torch.no_grad()
    def read(self, texts: Sequence[str]) -> Tensor:
        """See `core.Perceptor.read`."""
        return _beside(self._read(net, texts) for net in self._nets)

    def _read(self, net: StarterCLIP, texts: Sequence[str]) -> Tensor:
        # One at a time: in a batch the same text could differ in its last bits.
        rows = [net.tokenize([text]).to(self._device) for text in texts]
        return torch.cat([net.encode_text(row) for row in rows])

    @torch.no_grad()
    def aim(self, text: str, strength: float) -> Tensor:
        """See `abilities.Composing.aim`.

        Left alone, a subject ends up small or cut off by an edge as often as not: it is as much
        itself there. A text about one known subject that says neither where it is nor how large
        goes part of the way that "big" and "in the middle" lead. All other texts stay as they are.
        """
        read = self.read([text])
        if not self._is_of_one(text):
            return read
        return F.normalize(read + strength * self._way, dim=-1)

    @cached_property
    def _way(self) -> Tensor:
        """Where "big" and "in the middle" lead, `(1, D)`: the same for all texts, read once."""
        plain, large, central = (
            self.read([form.format(thing) for thing in _THINGS])
            for form in ("a {}", "a big {}", "a {} in the middle")
        )
        way = _LARGE * (large - plain) + _CENTRAL * (central - plain)
        return way.mean(0, keepdim=True)

    def _is_of_one(self, text: str) -> bool:
        """Return whether a text names one known subject and leaves its layout open."""
        line = f" {_spaced(text)} "
        named = any(f" {subject} " in line for subject in self.subjects)
        return named and _LAID_OUT.isdisjoint(line.split())

    def notices(self, text: str) -> list[str]:
        """Name the words it does not know, with the nearest known ones, and what is cut off."""
        words = dict.fromkeys(_WORD.findall(_POSSESSIVE.sub("", text.lower())))
        unknown = [self._describe(word) for word in words if word not in self._vocabulary]
        notices = [f"{self.name} does not know {', '.join(unknown)}"] if unknown else []
        return notices + cut_notice(byte_pairs(), text, self._context_length, self.name)

    def _describe(self, word: str) -> str:
        longer = sorted(known for known in self._vocabulary if len(known) > 2)
        near = difflib.get_close_matches(word, longer, n=3, cutoff=_NEAR)
        return f"{word!r} (nearest: {', '.join(near)})" if near else repr(word)


def _spaced(text: str) -> str:
    """Return the words of a text alone, with one space between."""
    return " ".join(_WORD.findall(text.lower()))


def _beside(embeddings: Iterable[Tensor]) -> Tensor:
    """Lay embeddings of N things, each (N, D) of any length, side by side, (N, sum of D)."""
    units = [F.normalize(embedding.float(), dim=-1) for embedding in embeddings]
    return torch.cat(units, dim=-1) / math.sqrt(len(units))


def _digest(parts: Sequence[str]) -> str:
    """Return the checksum of one file, or one of several checksums together."""
    return "".join(parts) if len(parts) < 2 else hashlib.sha256("".join(parts).encode()).hexdigest()


def build(model: str, runtime: Runtime) -> Perceptor:
    """Load the starter.

    Args:
        model: "" for what ships, or a folder that holds other exports.
        runtime: where it computes.

    Raises:
        WeightsMissing: its files are not there.
        WeightsCorrupt: they are damaged.
    """
    folder = Path(model).expanduser() if model else catalog.starter_folder()
    stems = tower_stems(folder)
    return StarterPerceptor(
        [load_starter(folder, stem) for stem in stems],
        runtime,
        weights=[folder / f"{stem}.safetensors" for stem in stems],
        name=f"starter/{model}" if model else "starter",
    )
