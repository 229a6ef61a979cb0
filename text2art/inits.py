"""The picture to start from: what it gives a drawer, what stays close to it, what is kept of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from text2art.abilities import LatentSource
from text2art.color import blend, over, with_alpha
from text2art.core import Canvas, Drawer, View
from text2art.drawers.noise import KINDS
from text2art.errors import SettingsError
from text2art.losses.init import MEASURES, InitLoss
from text2art.media.convert import to_tensor
from text2art.media.folder import MOST_LISTED, pictures_in
from text2art.media.load import load_picture
from text2art.options.moving import MAX_FRAMES
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
        self._pictures: list[Path] = []
        self._refuse_both()
        if settings.animation_dir:
            most = settings.animation_frames or MAX_FRAMES
            limit = MOST_LISTED if settings.animation_frames else MAX_FRAMES
            self._pictures = pictures_in(settings.animation_dir, limit)[:most]
        first = str(self._pictures[0]) if self._pictures else settings.init_image
        self._image = load_picture(first) if first else None
        wanting = [name for name in (*MEASURES, "protect") if getattr(settings, name)]
        if self._image is None and wanting:
            raise SettingsError(f"{wanting[0]} needs an init_image to keep to")
        self._mask = load_picture(settings.protect) if settings.protect else None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the init image in pixels, None when there is none."""
        return None if self._image is None else self._image.size

    @property
    def pictures(self) -> int:
        """How many pictures an animation has: those of its folder, or as many as were asked for."""
        return len(self._pictures) or self._settings.animation_frames

    def start_(self, drawer: Drawer, canvas: Canvas) -> None:
        """Let a drawer start from the init noise and, over it, the init image, where asked for."""
        s = self._settings
        beneath = None
        if s.init_noise != "none":
            make = KINDS["perlin" if s.init_noise == "pixels" else s.init_noise]
            noise = make(canvas.height, canvas.width, canvas.stream("init/noise"))
            beneath = noise.to(canvas.device)
        if self._image is None:
            if beneath is not None:
                drawer.fit_(beneath)
            return
        with torch.no_grad():
            drawer.fit_(self._laid_over(self._image, canvas, drawer, beneath))

    def _laid_over(
        self, image: Image.Image, canvas: Canvas, drawer: Drawer, beneath: Tensor | None
    ) -> Tensor:
        """Return a picture over what is beneath it: noise, else what the drawer shows."""
        picture = self._fitted(image, canvas.width, canvas.height).to(canvas.device)
        alpha = self._settings.init_alpha
        if picture.shape[1] == 3 and alpha == 1:
            return picture
        picture = with_alpha(picture, alpha)
        if beneath is None:
            if canvas.transparent:  # nothing is beneath it
                return picture
            beneath = drawer.shown()
        return over(picture, beneath)

    def _fitted(self, image: Image.Image, width: int, height: int) -> Tensor:
        return to_tensor(image, width, height, self._settings.image_fit)

    def go_on_(self, drawer: Drawer, number: int, canvas: Canvas) -> None:
        """Let a drawer go from one picture of the folder to the next.

        Args:
            drawer: shows the result of the one before.
            number: of the next, 1 or more.
            canvas: of the drawer.
        """
        self._image = load_picture(str(self._pictures[number]))
        with torch.no_grad():
            before = drawer.shown()
            start = self._laid_over(self._image, canvas, drawer, before)
            drawer.adjust_(blend(before, start, self._settings.animation_alpha))

    def _refuse_both(self) -> None:
        s = self._settings
        if s.animation_dir and s.init_image:
            raise SettingsError(
                "animation_dir and init_image cannot be used together: the folder's first picture "
                "is what the run starts from"
            )
        if s.animated and s.protect:
            raise SettingsError("protect keeps a part in place: leave it out of animations")

    def losses(self, drawer: Drawer) -> list[InitLoss]:
        """Return the losses that hold a drawer to its start, those that are asked for."""
        losses = []
        for setting, (name, measure) in MEASURES.items():
            weight = getattr(self._settings, setting)
            if weight:
                now, start = _held(drawer, latent=setting != "init_weight_pix")
                fade = self._settings.init_fade
                losses.append(InitLoss(weight, now, start, fade, measure=measure, name=name))
        return losses

    def protection(self, width: int, height: int, device: torch.device) -> list[Protect]:  # noqa: TID251 - typed, not chosen
        """Return the filter that keeps the protected part, when there is a mask."""
        if self._image is None or self._mask is None:
            return []
        fitted = self._fitted(self._image, width, height)
        picture = fitted[:, :3].to(device)
        mask = Image.new("RGBA", self._mask.size, "black")  # what is transparent is not kept
        mask.alpha_composite(self._mask.convert("RGBA"))
        kept = self._fitted(mask, width, height)[:, :3].mean(1, keepdim=True) >= _KEPT
        if fitted.shape[1] == 4:  # nothing is kept where there is nothing
            kept &= fitted[:, 3:] >= _KEPT
        return [Protect(kept.to(device), picture)]


@torch.no_grad()
def _held(drawer: Drawer, *, latent: bool) -> tuple[Callable[[View], Tensor], Tensor]:
    """Return what of a drawer is held to its start, and that start: latents or colors."""
    if latent and isinstance(drawer, LatentSource):
        source = drawer
        return lambda view: source.latents(), source.latents().detach().clone()
    return lambda view: view.image[:, :3], drawer()[:, :3].detach().clone()
