"""Smoothness: total variation of the picture."""

from __future__ import annotations

from torch import Tensor

from text2art.core import View


class SmoothnessLoss:
    """Mean absolute difference of neighboring pixels, scaled so that it does not depend on size.

    Anisotropic total variation (Rudin, Osher and Fatemi 1992) without its square root, whose
    gradient is not finite on flat pictures. The differences are multiplied by the short side in
    units of 64 pixels: the same picture at another size has about the same value.
    """

    name = "smoothness"

    def __init__(self, weight: float = 1.0, options: None = None) -> None:
        self.weight = weight

    def __call__(self, view: View) -> Tensor:
        """Return the mean total variation of all channels."""
        image = view.image
        scale = min(image.shape[-2:]) / 64
        across = (image[..., :, 1:] - image[..., :, :-1]).abs().mean()
        down = (image[..., 1:, :] - image[..., :-1, :]).abs().mean()
        return (across + down) * scale
