"""Pictures between Pillow and tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_tensor(image: Image.Image, width: int, height: int, fit: str = "cover") -> Tensor:
    """Return a picture as `(1, 3 or 4, height, width)` in [0, 1].

    Args:
        image: the picture.
        width: to be.
        height: to be.
        fit: "cover" keeps the aspect and cuts off the overhang evenly; "contain" keeps it, too, and
            leaves the rest of the size transparent; "stretch" does not keep it.
    """
    mode = "RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB"
    fitted = _FITS[fit](image.convert(mode), width, height)
    array = np.asarray(fitted, dtype=np.float32) / 255
    return torch.from_numpy(array.copy()).permute(2, 0, 1)[None]


def _covering(image: Image.Image, width: int, height: int) -> Image.Image:
    scale = max(width / image.width, height / image.height)
    box_w, box_h = width / scale, height / scale
    left, top = (image.width - box_w) / 2, (image.height - box_h) / 2
    return image.resize(
        (width, height), Image.Resampling.LANCZOS, box=(left, top, left + box_w, top + box_h)
    )


def _contained(image: Image.Image, width: int, height: int) -> Image.Image:
    scale = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if size == (width, height):
        return _stretched(image, width, height)
    whole = Image.new("RGBA", (width, height))
    small = image.convert("RGBA").resize(size, Image.Resampling.LANCZOS)
    whole.paste(small, ((width - size[0]) // 2, (height - size[1]) // 2))
    return whole


def _stretched(image: Image.Image, width: int, height: int) -> Image.Image:
    return image.resize((width, height), Image.Resampling.LANCZOS)


_FITS: Mapping[str, Callable[[Image.Image, int, int], Image.Image]] = {
    "cover": _covering,
    "contain": _contained,
    "stretch": _stretched,
}


def to_pil(image: Tensor) -> Image.Image:
    """Return `(1, 3 or 4, H, W)` (or without the 1) in [0, 1] as an 8-bit picture."""
    return picture_of(levels_of(image).cpu())


def levels_of(image: Tensor) -> Tensor:
    """Return `(1, 3 or 4, H, W)` (or without the 1) in [0, 1] as levels `(H, W, 3 or 4)`."""
    single = image[0] if image.dim() == 4 else image
    levels = (single.detach().clamp(0, 1) * 255).round().to(torch.uint8)
    return levels.permute(1, 2, 0).contiguous()


def picture_of(levels: Tensor) -> Image.Image:
    """Return levels `(H, W, 3 or 4)`, which are on the CPU, as a picture."""
    return Image.fromarray(levels.numpy())


def to_indexed(index: Tensor, palette: Tensor, clear: Tensor | None = None) -> Image.Image:
    """Return an indexed picture whose palette has the order given.

    Args:
        index: `(H, W)` integers.
        palette: `(K, 3)` in [0, 1], K <= 256.
        clear: `(H, W)`, where it is transparent: there it has one more entry, after the palette's;
            a palette of 256 has no room for it, so the picture is then RGBA.
    """
    levels = (palette.detach() * 255).round().to(torch.uint8).flatten().tolist()
    cells = index.to(torch.uint8).cpu().numpy()
    if clear is None:
        image = Image.fromarray(cells, mode="P")
        image.putpalette(levels)
        return image
    holes = clear.cpu().numpy()
    if len(palette) == 256:
        image = Image.fromarray(cells, mode="P")
        image.putpalette(levels)
        opaque = image.convert("RGBA")
        opaque.putalpha(Image.fromarray(np.where(holes, 0, 255).astype(np.uint8)))
        return opaque
    image = Image.fromarray(np.where(holes, len(palette), cells).astype(np.uint8), mode="P")
    image.putpalette([*levels, 0, 0, 0])
    image.info["transparency"] = len(palette)
    return image
