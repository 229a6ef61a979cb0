"""Pictures between Pillow and tensors."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_tensor(image: Image.Image, width: int, height: int) -> Tensor:
    """Return a picture as `(1, 3 or 4, height, width)` in [0, 1], filling the size.

    The aspect is kept: the picture is scaled to cover the size and its overhang cut off evenly.
    """
    mode = "RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB"
    covering = image.convert(mode)
    scale = max(width / covering.width, height / covering.height)
    box_w, box_h = width / scale, height / scale
    left, top = (covering.width - box_w) / 2, (covering.height - box_h) / 2
    fitted = covering.resize(
        (width, height), Image.Resampling.LANCZOS, box=(left, top, left + box_w, top + box_h)
    )
    array = np.asarray(fitted, dtype=np.float32) / 255
    return torch.from_numpy(array.copy()).permute(2, 0, 1)[None]


def to_pil(image: Tensor) -> Image.Image:
    """Return `(1, 3 or 4, H, W)` (or without the 1) in [0, 1] as an 8-bit picture."""
    single = image[0] if image.dim() == 4 else image
    levels = (single.detach().clamp(0, 1) * 255).round().to(torch.uint8)
    array = levels.permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(array)
