"""The starter perceptor: the small model that ships with text2art."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from text2art.core import Perceptor
from text2art.nets.starter import StarterCLIP, load_starter
from text2art.perceptors.cut import byte_pairs, cut_notice
from text2art.runtime import Runtime, freeze
from text2art.weights import catalog

_WORD = re.compile(r"[^\W\d_]+|\d+")
_POSSESSIVE = re.compile(r"['\u2019]s\b")
_NEAR = 0.7  # below it, what is spelled alike is rarely what was meant


class StarterPerceptor:
    """Sees with a `StarterCLIP` and says which words it does not know."""

    def __init__(
        self, net: StarterCLIP, runtime: Runtime, *, weights: Path | None = None, name: str = ""
    ) -> None:
        self.name = name or "starter"
        self.size = net.image_size
        self.digest = catalog.sha256_of(weights) if weights else ""
        self._vocabulary = net.vocabulary
        self._context_length = net.context_length
        self._dtype = runtime.perceptor_dtype
        self._device = runtime.device
        self._net = net
        freeze(net).to(runtime.device)
        net.visual.to(self._dtype)
        self._mean = torch.tensor(net.mean).view(1, 3, 1, 1).to(runtime.device)
        self._std = torch.tensor(net.std).view(1, 3, 1, 1).to(runtime.device)

    def see(self, crops: Tensor) -> Tensor:
        """See `core.Perceptor.see`."""
        if crops.shape[1:] != (3, self.size, self.size):
            raise ValueError(f"{self.name} sees (N, 3, {self.size}, {self.size}): {crops.shape}")
        normalized = ((crops - self._mean) / self._std).to(self._dtype)
        return F.normalize(self._net.encode_image(normalized).float(), dim=-1)

    @torch.no_grad()
    def read(self, texts: Sequence[str]) -> Tensor:
        """See `core.Perceptor.read`."""
        # One at a time: in a batch the same text could differ in its last bits.
        rows = [self._net.tokenize([text]).to(self._device) for text in texts]
        embedded = torch.cat([self._net.encode_text(row) for row in rows])
        return F.normalize(embedded.float(), dim=-1)

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


def build(model: str, runtime: Runtime) -> Perceptor:
    """Load the starter.

    Args:
        model: "" for the one that ships, or a folder that holds another export.
        runtime: where it computes.

    Raises:
        WeightsMissing: its files are not there.
        WeightsCorrupt: they are damaged.
    """
    folder = Path(model).expanduser() if model else catalog.starter_folder()
    return StarterPerceptor(
        load_starter(folder),
        runtime,
        weights=folder / "perceptor.safetensors",
        name=f"starter/{model}" if model else "starter",
    )
