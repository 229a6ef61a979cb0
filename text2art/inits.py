"""The picture to start from: what it gives a drawer, what stays close to it, what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from text2art.abilities import LatentSource
from text2art.core import Drawer, View
from text2art.errors import SettingsError
from text2art.losses.init import InitLoss
from text2art.media.convert import to_tensor
from text2art.media.load import load_picture
from text2art.settings import Settings

_KEPT = 0.5  # levels of the mask from here on are kept


@dataclass(frozen=True)
class Protect:
    """A filter that puts the kept part of a picture back, to the bit.

    Attributes:
        kept: `(1, 1, H, W)` booleans.
        picture: `(1, 3, H, W)` in [0, 1].
    """

    kept: Tensor
    picture: Tensor

    def __call__(self, image: Tensor) -> Tensor:
        """Return the picture with what is kept; no gradient leaves the kept part."""
        picture = self.picture
        if image.shape[1] == 4:
            picture = torch.cat([picture, torch.ones_like(picture[:, :1])], dim=1)
        return torch.where(self.kept, picture, image)


class Init:
    """The init image of some settings, loaded once.

    Args:
        settings: of the run.

    Raises:
        InputFileError: the init image or the mask cannot be used.
        SettingsError: a setting needs an init image and there is none.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._image = load_picture(settings.init_image) if settings.init_image else None
        needs = {"init_weight": settings.init_weight > 0, "protect": bool(settings.protect)}
        wanting = [name for name, is_set in needs.items() if is_set]
        if self._image is None and wanting:
            raise SettingsError(f"{wanting[0]} needs an init_image to keep to")
        self._mask = load_picture(settings.protect) if settings.protect else None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the init image in pixels, None when there is none."""
        return None if self._image is None else self._image.size

    def start_(self, drawer: Drawer, width: int, height: int, device: torch.device) -> None:  # noqa: TID251 - typed, not chosen
        """Let a drawer start from the init image, if there is one."""
        if self._image is not None:
            drawer.fit_(to_tensor(self._image, width, height).to(device))

    def losses(self, drawer: Drawer) -> list[InitLoss]:
        """Return the loss that holds a drawer to its start, when one is asked for."""
        if not self._settings.init_weight:
            return []

        def now(view: View) -> Tensor:
            return drawer.latents() if isinstance(drawer, LatentSource) else view.image[:, :3]

        with torch.no_grad():
            source = drawer.latents() if isinstance(drawer, LatentSource) else drawer()[:, :3]
        s = self._settings
        return [InitLoss(s.init_weight, now, source.detach().clone(), s.init_fade)]

    def protection(self, width: int, height: int, device: torch.device) -> list[Protect]:  # noqa: TID251 - typed, not chosen
        """Return the filter that keeps the protected part, when there is a mask."""
        if self._image is None or self._mask is None:
            return []
        picture = to_tensor(self._image, width, height)[:, :3].to(device)
        mask = Image.new("RGBA", self._mask.size, "black")  # what is transparent is not kept
        mask.alpha_composite(self._mask.convert("RGBA"))
        kept = to_tensor(mask.convert("RGB"), width, height).mean(1, keepdim=True) >= _KEPT
        return [Protect(kept.to(device), picture)]
