"""Style: the colors and textures of another picture, by statistics of filters at several scales."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from text2art.core import Context, View
from text2art.errors import SettingsError
from text2art.losses.vgg import load_vgg
from text2art.media.convert import to_tensor
from text2art.media.load import load_picture
from text2art.options.losses import StyleOptions
from text2art.runtime import stream

_FILTERS = 64
_SIDE = 7  # pixels
_FAINT = 0.1  # of the strongest level: fainter ones count less, by how faint they are
_FLAT = 1e-3  # squared length of a Gram matrix below which a style has nothing at a level
_SMALLEST, _LARGEST = 8, 2048  # side of the style picture, pixels

# Gives the features of `(1, 3, H, W)`, each `(1, C, h, w)`.
Features = Callable[[Tensor], Sequence[Tensor]]


class StyleLoss:
    """Relative squared difference of Gram matrices between the picture and a style, mean of levels.

    Gram matrices of one layer of random filters tell textures about as well as those of a trained
    VGG (Ustyuzhaninov et al., arXiv:1606.00021). There the filters have eight sizes up to 55; here
    they have one, on a pyramid of halvings, which is as wide and costs less. The mean and
    covariance of the colors are one level more. With the weights of a VGG its features are
    compared as in arXiv:1508.06576, after the first convolution of each of its blocks.
    """

    name = "style"

    def __init__(self, weight: float = 1.0, options: StyleOptions | None = None) -> None:
        self.weight = weight
        self._options = options or StyleOptions()
        self._features: Features | None = None
        self._wanted: list[Tensor] = []
        self._strengths: list[float] = []

    def prepare_(self, context: Context) -> None:
        """See `core.Prepared`: measure the style."""
        o, canvas = self._options, context.canvas
        if not o.file:
            raise SettingsError("the loss style needs a picture: style.file=FILE")
        if o.vgg:
            path = Path(o.vgg).expanduser()
            vgg = canvas.network(f"vgg {path.resolve()}", lambda: load_vgg(path)).to(canvas.device)
            self._features = vgg
        else:
            self._features = RandomFilters(o.levels, canvas.device)
        picture = _opaque(load_picture(o.file))
        area = canvas.width * canvas.height * o.size**2
        scale = math.sqrt(area / (picture.width * picture.height))
        width, height = (
            min(max(round(side * scale), _SMALLEST), _LARGEST) for side in picture.size
        )
        with torch.no_grad():
            style = to_tensor(picture, width, height).to(canvas.device)
            self._wanted = self._statistics(style)
        strengths = [float(wanted.square().sum()) for wanted in self._wanted]
        least = max(_FLAT, _FAINT * max(strengths[1:], default=0.0))
        self._strengths = [max(strength, least) for strength in strengths]

    def __call__(self, view: View) -> Tensor:
        """Return the mean over levels; a picture too small for a level is not asked for it."""
        assert self._wanted, "prepare_ comes first"
        found = self._statistics(view.image[:, :3])
        losses = [
            (a - b.to(a)).square().sum() / strength
            for a, b, strength in zip(found, self._wanted, self._strengths, strict=False)
        ]
        return torch.stack(losses).mean()

    def _statistics(self, image: Tensor) -> list[Tensor]:
        assert self._features is not None
        ones = torch.ones_like(image[:, :1])
        return [gram(torch.cat([image, ones], dim=1)), *map(gram, self._features(image))]


class RandomFilters:
    """Rectified responses to random filters, always the same, at each level of a pyramid."""

    def __init__(self, levels: int, device: torch.device) -> None:  # noqa: TID251 - typed, not chosen
        draw = torch.randn(_FILTERS, 3, _SIDE, _SIDE, generator=stream("style", "filters"))
        # Without their means they see no plain color, which has a level of its own.
        draw = draw - draw.mean(dim=(2, 3), keepdim=True)
        self._filters = (draw / draw.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).to(device)
        self._levels = levels

    def __call__(self, image: Tensor) -> list[Tensor]:
        """Return the responses, finest first, as long as the filters fit into the picture."""
        responses = []
        filters = self._filters.to(image)
        for _ in range(self._levels):
            if min(image.shape[-2:]) < _SIDE:
                break
            responses.append(F.relu(F.conv2d(image, filters)))
            half = (image.shape[-2] // 2, image.shape[-1] // 2)
            image = F.interpolate(image, size=half, mode="bilinear", antialias=True)
        return responses


def gram(features: Tensor) -> Tensor:
    """Return the mean products of channels of `(1, C, H, W)`, as `(C, C)`."""
    flat = features[0].flatten(1)
    return flat @ flat.T / flat.shape[1]


def _opaque(picture: Image.Image) -> Image.Image:
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture.convert("RGBA"))
    return white.convert("RGB")
