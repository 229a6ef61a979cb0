"""Color: decorrelated channels, a perceptual space, snapping to a palette, clamping."""

from __future__ import annotations

from typing import Any

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

    Forward: the color nearest in Oklab, exactly. Backward: the gradient as if nothing had been
    snapped (straight through), and a pull toward the color that was taken, as VQ-VAE's commitment
    (arXiv:1711.00937 section 3.2). Without the pull, colors linger between two of the palette and
    the picture is speckled; a softmax over the palette instead leaves far colors out of reach.
    """

    def __init__(self, palette: Tensor, commitment: float = 1.5) -> None:
        """Prepare a palette.

        Args:
            palette: `(K, 3)` sRGB in [0, 1], K >= 2.
            commitment: strength of the pull, at the mean nearest distance of the palette's colors,
                in units of the gradient's mean magnitude.
        """
        super().__init__()
        self._palette: Tensor
        self._lab: Tensor
        apart = torch.cdist(palette, palette).fill_diagonal_(torch.inf).amin(dim=1).mean()
        self._pull = commitment / max(float(apart), 1e-3)
        # The palette comes from the settings, so it is no part of the state.
        self.register_buffer("_palette", palette, persistent=False)
        self.register_buffer("_lab", oklab(palette), persistent=False)

    @torch.no_grad()
    def nearest(self, image: Tensor) -> Tensor:
        """Return the index of the nearest color for `(1, 3, H, W)`, as `(H, W)` integers."""
        lab = oklab(image[0].flatten(1).T)
        # Squared distances but for a term that is the same for the whole palette.
        distances = self._lab.square().sum(-1) - 2 * lab @ self._lab.T
        return distances.argmin(dim=-1).reshape(image.shape[-2:])

    def forward(self, image: Tensor) -> Tensor:
        """Return `(1, 3, H, W)` exactly on the palette."""
        snapped = self._palette[self.nearest(image)].permute(2, 0, 1)[None]
        return _Committed.apply(image, snapped, self._pull)  # type: ignore[no-any-return]

    def levels(self) -> bytes:
        """Return the palette as Pillow takes it: 8-bit R, G, B of each color in turn."""
        return bytes((self._palette.flatten() * 255).round().to(torch.uint8).tolist())


class _Committed(torch.autograd.Function):
    """Forward: the snapped picture. Backward: its gradient, plus the pull toward it."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, snapped: Tensor, pull: float) -> Tensor:
        ctx.save_for_backward(image - snapped)
        ctx.pull = pull
        return snapped.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (off,) = ctx.saved_tensors
        gradient = gradients[0]
        return gradient + ctx.pull * gradient.abs().mean() * off, None, None


def clamp_with_gradient(image: Tensor) -> Tensor:
    """Clamp to [0, 1]; beyond it the gradient passes where descending it leads back inside.

    Zeroed where a value lies outside and the step would take it further out, as in VQGAN-CLIP
    (arXiv:2204.08583, its implementation); a plain clamp would never bring such values back.
    """
    return _Clamped.apply(image)  # type: ignore[no-any-return]


class _Clamped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor) -> Tensor:
        clamped = image.clamp(0, 1)
        ctx.save_for_backward(image - clamped)
        return clamped

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (beyond,) = ctx.saved_tensors
        # Descent moves against the gradient: of the same sign as the excess, it leads back.
        return gradients[0] * (gradients[0] * beyond >= 0)
