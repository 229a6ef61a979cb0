"""Color: decorrelated channels, a perceptual space, and snapping to a palette."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Square root of the covariance of natural images' RGB, as in lucid (Olah et al., "Feature
# Visualization", Distill 2017): its columns are lightness, red-cyan and green-violet axes.
_NATURAL = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))

# Linear sRGB to cone responses and their cube roots to Oklab (B. Ottosson, "A perceptual color
# space for image processing", 2020).
_TO_LMS = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def decorrelation(colors: float = 1.0) -> Tensor:
    """Return the `(3, 3)` matrix from independent channels to RGB logits.

    Args:
        colors: how much the lightness axis is divided by; larger gives more colorful pictures.
    """
    matrix = torch.tensor(_NATURAL)
    largest = matrix.square().sum(dim=0).sqrt().max()
    return matrix / largest / torch.tensor([colors, 1.0, 1.0])


def mix(matrix: Tensor, image: Tensor) -> Tensor:
    """Apply a `(3, 3)` matrix to the channels of `(N, 3, H, W)`."""
    return torch.einsum("ij,njhw->nihw", matrix, image)


def oklab(rgb: Tensor) -> Tensor:
    """Take sRGB in [0, 1] to Oklab, along the last dimension, differentiably.

    Near black the curve is bounded away from zero, where a cube root has no finite gradient.
    """
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp(min=0) + 0.055) / 1.055) ** 2.4)
    cones = (linear @ rgb.new_tensor(_TO_LMS).T).clamp(min=1e-6)
    return cones ** (1 / 3) @ rgb.new_tensor(_TO_LAB).T


class Snap(nn.Module):
    """Takes every color to the nearest one of a palette and lets the gradient through.

    Forward: the color nearest in Oklab, exactly. Backward: the gradient of a mixture of the
    palette's colors, weighted by nearness (a softmax over squared distances), so that a color is
    pulled toward whichever palette colors would help.
    """

    def __init__(self, palette: Tensor, softness: float = 0.5) -> None:
        """Prepare a palette.

        Args:
            palette: `(K, 3)` sRGB in [0, 1], K >= 2.
            softness: width of the mixture, in units of the palette's median nearest distance.
        """
        super().__init__()
        self._palette: Tensor
        self._lab: Tensor
        lab = oklab(palette)
        apart = torch.cdist(lab, lab) + torch.eye(len(lab), device=lab.device) * 1e3
        self._spread = float((softness * apart.amin(dim=1).median()).clamp(min=1e-3)) ** 2
        # The palette comes from the settings, so it is no part of the state.
        self.register_buffer("_palette", palette, persistent=False)
        self.register_buffer("_lab", lab, persistent=False)

    def nearest(self, image: Tensor) -> Tensor:
        """Return the index of the nearest color for `(1, 3, H, W)`, as `(H, W)` integers."""
        return self._distances(image.detach()).argmin(dim=-1).reshape(image.shape[-2:])

    def levels(self) -> bytes:
        """Return the palette as Pillow takes it: 8-bit R, G, B of each color in turn."""
        levels = (self._palette.flatten() * 255).round().to(torch.uint8)
        return bytes(levels.tolist())

    def forward(self, image: Tensor) -> Tensor:
        """Return `(1, 3, H, W)` exactly on the palette."""
        distances = self._distances(image)
        soft = torch.softmax(-distances / self._spread, dim=-1) @ self._palette
        hard = self._palette[distances.detach().argmin(dim=-1)]
        snapped = hard + (soft - soft.detach())  # the difference is exactly zero
        return snapped.T.reshape(1, 3, *image.shape[-2:])

    def _distances(self, image: Tensor) -> Tensor:
        """Squared Oklab distances from every pixel to every palette color, `(H * W, K)`."""
        lab = oklab(image[0].flatten(1).T)
        cross = lab @ self._lab.T
        return lab.square().sum(-1, keepdim=True) - 2 * cross + self._lab.square().sum(-1)
