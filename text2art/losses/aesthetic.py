"""Aesthetic: what a head on a perceptor's embeddings rates highly."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from text2art.core import Context, Perceptor, View
from text2art.errors import SettingsError, WeightsCorrupt
from text2art.options.losses import AestheticOptions
from text2art.view import Ask
from text2art.weights import catalog
from text2art.weights.safe import read_state_dict

_SCALE = 0.02  # pixray's
_MOST_LAYERS = 16
_LAYER = re.compile(r"(?:.*\.)?(\d{1,3})\.weight\Z|(?:.*\.)?weight\Z")


class AestheticLoss:
    """0.02 times the mean squared difference between the rating of each look and a target.

    The rating is that of LAION's predictors: linear layers one after the other, on embeddings of
    unit length. Their later ones (sac+logos+ava1) have no nonlinearities between the layers either,
    and their dropout does nothing after training.
    """

    name = "aesthetic"

    def __init__(self, weight: float = 1.0, options: AestheticOptions | None = None) -> None:
        self.weight = weight
        self._options = options or AestheticOptions()
        self._head: Head | None = None
        self._looking: list[tuple[Perceptor, float]] = []

    def prepare_(self, context: Context) -> None:
        """See `core.Prepared`: load the head, find who it fits."""
        o, canvas = self._options, context.canvas
        if not o.weights:
            raise SettingsError(
                "the loss aesthetic needs a head: aesthetic.weights=FILE, for example LAION's "
                "sa_0_4_vit_b_32_linear.pth, which rates the embeddings of ViT-B-32"
            )
        path = Path(o.weights).expanduser()
        head = canvas.network(f"aesthetic {path.resolve()}", lambda: load_head(path))
        self._head = head.to(canvas.device)
        sizes = {p.name: p.read(["a picture"]).shape[-1] for p, _ in context.perceptors}
        self._looking = [
            (perceptor, share)
            for perceptor, share in context.perceptors
            if sizes[perceptor.name] == head.size and o.perceptor in ("", perceptor.name)
        ]
        if not self._looking:
            there = ", ".join(f"{name} gives {count}" for name, count in sizes.items())
            of = f" by {o.perceptor!r}" if o.perceptor else ""
            raise SettingsError(
                f"aesthetic.weights {o.weights!r} rates embeddings of {head.size} numbers{of}: "
                f"{there or 'nobody looks'}. Choose the perceptor that it was trained for"
            )

    def asks(self, view: View) -> list[Ask]:
        """Return who looks at what: see `core.Asking`."""
        return [(perceptor, None) for perceptor, _ in self._looking]

    def __call__(self, view: View) -> Tensor:
        """Return the mean of looks, and of perceptors by their weights."""
        assert self._head is not None, "prepare_ comes first"
        total = sum(share for _, share in self._looking)
        losses = []
        for perceptor, share in self._looking:
            away = self._head(view.seen(perceptor)) - self._options.target
            losses.append(share / total * away.square().mean())
        return _SCALE * torch.stack(losses).sum()


class Head(nn.Module):
    """Linear layers, the last of which gives one number.

    Attributes:
        name: what records call it.
        digest: sha256 of its file.
        size: length of the embeddings it rates.
    """

    def __init__(self, tensors: Mapping[str, Tensor], name: str, digest: str) -> None:
        super().__init__()
        self.name, self.digest = name, digest
        numbered = {}
        for key, tensor in tensors.items():
            found = _LAYER.match(key)
            if found and tensor.dim() == 2:
                numbered[int(found.group(1) or 0)] = (key, tensor.float())
        layers = [(key, weight) for _, (key, weight) in sorted(numbered.items())]
        weights = [weight for _, weight in layers]
        biases = [
            tensors.get(f"{key.removesuffix('weight')}bias", weight.new_zeros(len(weight))).float()
            for key, weight in layers
        ]
        fits = all(len(a) == b.shape[1] for a, b in itertools.pairwise(weights)) and all(
            bias.shape == (len(weight),) for weight, bias in zip(weights, biases, strict=True)
        )
        if not fits or not 0 < len(weights) <= _MOST_LAYERS or len(weights[-1]) != 1:
            shapes = ", ".join(f"{key} {tuple(t.shape)}" for key, t in list(tensors.items())[:4])
            raise WeightsCorrupt(
                f"{name} is no aesthetic head: it should be linear layers that end in one number, "
                f"and holds {shapes}"
            )
        self.size = int(weights[0].shape[1])
        self._weights = nn.ParameterList(nn.Parameter(w, requires_grad=False) for w in weights)
        self._biases = nn.ParameterList(nn.Parameter(b, requires_grad=False) for b in biases)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return the rating of embeddings `(N, D)`, as `(N,)`."""
        for weight, bias in zip(self._weights, self._biases, strict=True):
            embeddings = F.linear(embeddings, weight, bias)
        return embeddings[:, 0]


def load_head(path: Path) -> Head:
    """Load a head from a file of tensors.

    Raises:
        WeightsMissing, WeightsCorrupt: there is none, or it is something else.
    """
    return Head(read_state_dict(path), path.name, catalog.sha256_of(path))
