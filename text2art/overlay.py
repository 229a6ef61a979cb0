"""The overlay: a picture that is pasted over the drawing again and again while it forms."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Optimizer

from text2art.color import over, with_alpha
from text2art.core import Drawer
from text2art.media.convert import to_tensor
from text2art.media.load import load_picture
from text2art.moments import Moment, parse_moment
from text2art.optimizers import forget_direction_
from text2art.settings import Settings


class Overlay:
    """Pastes a picture over what a drawer shows, at the steps that settings name.

    The drawer takes over the pasted picture, and the optimizer forgets its direction but not the
    size of its steps (`optimizers.forget_direction_`).
    """

    def __init__(self, picture: Tensor, settings: Settings) -> None:
        """Prepare the pasting.

        Args:
            picture: `(1, 3 or 4, H, W)`, of the canvas's size.
            settings: when and how.
        """
        self._picture = with_alpha(picture, settings.overlay_alpha)
        self._every = parse_moment(settings.overlay_every, "overlay_every")
        self._offset = parse_moment(settings.overlay_offset, "overlay_offset")
        until = settings.overlay_until
        self._until = parse_moment(until, "overlay_until") if until else Moment(100, percent=True)

    def due(self, step: int, steps: int) -> bool:
        """Whether it is pasted before a step of a run of so many."""
        since = step - self._offset.step(steps)
        every = max(1, self._every.step(steps))
        return since >= 0 and since % every == 0 and step < self._until.step(steps)

    @torch.no_grad()
    def paste_(self, drawer: Drawer, optimizer: Optimizer) -> None:
        """Paste it now."""
        drawer.adjust_(over(self._picture, drawer.shown()))
        forget_direction_(optimizer)

    def edit(self, drawer: Drawer, optimizer: Optimizer, step: int, steps: int) -> None:
        """Paste it if it is due: `scene.Scene.edits`."""
        if self.due(step, steps):
            self.paste_(drawer, optimizer)


def overlay_of(
    settings: Settings,
    width: int,
    height: int,
    device: torch.device,  # noqa: TID251 - typed, not chosen
) -> Overlay | None:
    """Load the overlay of some settings, None when there is none.

    Raises:
        InputFileError: it cannot be used.
    """
    if not settings.overlay_image:
        return None
    image = load_picture(settings.overlay_image)
    return Overlay(to_tensor(image, width, height, settings.image_fit).to(device), settings)
