"""Color: decorrelated channels, a perceptual space, snapping to a palette, clamping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from text2art.palettes.colors import TO_LAB, TO_LMS
from text2art.runtime import placed

# Square root of the covariance of natural images' RGB, as in lucid (Olah et al., "Feature
# Visualization", Distill 2017): its columns are lightness, red-cyan and green-violet axes.
_NATURAL = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))

# Oklab's cube roots and then linear sRGB again, as published where `TO_LMS` is from.
_FROM_LAB = (
    (1.0, 0.3963377774, 0.2158037573),
    (1.0, -0.1055613458, -0.0638541728),
    (1.0, -0.0894841775, -1.2914855480),
)
_FROM_LMS = (
    (4.0767416621, -3.3077115913, 0.2309699292),
    (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
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
    cones = (linear @ placed(TO_LMS, rgb).T).clamp(min=1e-6)
    return cones ** (1 / 3) @ placed(TO_LAB, rgb).T


def from_oklab(lab: Tensor) -> Tensor:
    """Take Oklab to sRGB in [0, 1], along the last dimension; what sRGB lacks is clamped."""
    cones = (lab @ placed(_FROM_LAB, lab).T) ** 3
    linear = cones @ placed(_FROM_LMS, lab).T
    curve = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return clamp_with_gradient(torch.where(linear <= 0.0031308, 12.92 * linear, curve))


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

    @property
    def palette(self) -> Tensor:
        """The palette, `(K, 3)`."""
        return self._palette

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


def over(top: Tensor, bottom: Tensor) -> Tensor:
    """Lay pictures over each other, both `(1, 3 or 4, H, W)` with straight alpha, in sRGB.

    The operator "over" of Porter and Duff, "Compositing digital images" (SIGGRAPH 1984). The result
    has alpha if the lower one has.
    """
    if top.shape[1] == 3:
        return top if bottom.shape[1] == 3 else with_alpha(top)
    color, alpha = top[:, :3], top[:, 3:]
    if bottom.shape[1] == 3:
        return alpha * color + (1 - alpha) * bottom
    beneath = (1 - alpha) * bottom[:, 3:]
    whole = alpha + beneath
    mixed = (alpha * color + beneath * bottom[:, :3]) / whole.clamp(min=1e-6)
    return torch.cat([torch.where(whole > 1e-6, mixed, color), whole], dim=1)


def with_alpha(picture: Tensor, alpha: float = 1.0) -> Tensor:
    """Return `(1, 4, H, W)`: a picture whose alpha, 1 if it has none, is multiplied by `alpha`."""
    if picture.shape[1] == 4:
        return torch.cat([picture[:, :3], picture[:, 3:] * alpha], dim=1)
    return torch.cat([picture, torch.full_like(picture[:, :1], alpha)], dim=1)


def premultiplied(picture: Tensor) -> Tensor:
    """Return `(1, 4, H, W)` of color times alpha, and alpha, from straight alpha."""
    return torch.cat([picture[:, :3] * picture[:, 3:], picture[:, 3:]], dim=1)


def blend(one: Tensor, other: Tensor, share: float) -> Tensor:
    """Fade from `other` (share 0) to `one` (share 1), with alpha if `other` has it."""
    channels = other.shape[1]
    both = torch.cat([taken(one, channels), taken(other, channels)])
    return mixed(lambda colors: share * colors[:1] + (1 - share) * colors[1:], both)


def taken(picture: Tensor, channels: int) -> Tensor:
    """Return what a drawer of 3 or 4 channels takes of a picture: its colors, or with alpha."""
    return picture[:, :3] if channels == 3 else with_alpha(picture)


def snapped(snap: Snap, picture: Tensor) -> Tensor:
    """Snap the colors of `(1, 3 or 4, H, W)`; alpha stays."""
    if picture.shape[1] == 3:
        return snap(picture)  # type: ignore[no-any-return]
    return torch.cat([snap(picture[:, :3]), picture[:, 3:]], dim=1)


def mixed(mix_colors: Callable[[Tensor], Tensor], picture: Tensor) -> Tensor:
    """Average or resize a picture so that colors count by their alpha, if it has any."""
    if picture.shape[1] == 3:
        return mix_colors(picture)
    whole = mix_colors(premultiplied(picture))
    # Less alpha than this shows nothing, and would give its color huge gradients.
    return torch.cat([(whole[:, :3] / whole[:, 3:].clamp(min=1e-3)).clamp(0, 1), whole[:, 3:]], 1)


_BEYOND = 0.1  # how far the sigmoid reaches beyond 0 and 1


def opacity(logits: Tensor) -> Tensor:
    """Take any numbers to alpha in [0, 1], both ends of which can be reached."""
    return clamp_with_gradient((1 + 2 * _BEYOND) * torch.sigmoid(logits) - _BEYOND)


def opacity_logits(alpha: Tensor) -> Tensor:
    """Return the numbers that `opacity` takes to alpha."""
    return torch.logit((alpha.clamp(0, 1) + _BEYOND) / (1 + 2 * _BEYOND))


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
