"""The features of a VGG network, from weights as torchvision writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from text2art.errors import WeightsCorrupt
from text2art.runtime import placed
from text2art.weights import catalog
from text2art.weights.safe import read_state_dict

_WEIGHT = re.compile(r"features\.(\d{1,2})\.weight\Z")
_MOST_CHANNELS = 4096
# Of ImageNet, by which torchvision's pictures are normalized.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Vgg(nn.Module):
    """3x3 convolutions and rectifiers in blocks with pooling between (arXiv:1409.1556 section 2).

    The numbers in the names tell where it pools: a convolution and its rectifier take two, a
    pooling one more. Average pooling stands in for maximum pooling, as in arXiv:1508.06576.

    Attributes:
        name: what records call it.
        digest: sha256 of its file.
    """

    def __init__(self, tensors: Mapping[str, Tensor], name: str, digest: str) -> None:
        super().__init__()
        self.name, self.digest = name, digest
        places = sorted(int(m.group(1)) for key in tensors if (m := _WEIGHT.match(key)))
        self._begins = [i for i, place in enumerate(places) if i == 0 or place - places[i - 1] > 2]
        channels = 3
        self._weights = nn.ParameterList()
        self._biases = nn.ParameterList()
        for place in places:
            weight = tensors[f"features.{place}.weight"]
            bias = tensors.get(f"features.{place}.bias")
            if (
                weight.dim() != 4
                or weight.shape[1:] != (channels, 3, 3)
                or bias is None
                or bias.shape != weight.shape[:1]
                or len(weight) > _MOST_CHANNELS
            ):
                raise WeightsCorrupt(
                    f"{name} is no VGG without batch normalization: features.{place} has shape "
                    f"{tuple(weight.shape)} behind {channels} channels"
                )
            channels = len(weight)
            self._weights.append(nn.Parameter(weight.float(), requires_grad=False))
            self._biases.append(nn.Parameter(bias.float(), requires_grad=False))
        if not places:
            raise WeightsCorrupt(f"{name} is no VGG as torchvision writes it: no features.0.weight")

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the rectified first convolution of each block, for `(1, 3, H, W)` in [0, 1]."""
        mean, std = (placed(v, image).view(1, 3, 1, 1) for v in (_MEAN, _STD))
        x = (image - mean) / std
        features = []
        for i, (weight, bias) in enumerate(zip(self._weights, self._biases, strict=True)):
            if i in self._begins and i > 0:
                if min(x.shape[-2:]) < 2:
                    break
                x = F.avg_pool2d(x, 2)
            x = F.relu(F.conv2d(x, weight.to(x), bias.to(x), padding=1))
            if i in self._begins:
                features.append(x)
        return features


def load_vgg(path: Path) -> Vgg:
    """Load the convolutions of a VGG.

    Raises:
        WeightsMissing, WeightsCorrupt: there is none, or it is something else.
    """
    with torch.no_grad():
        return Vgg(read_state_dict(path), path.name, catalog.sha256_of(path))
