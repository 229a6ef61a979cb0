"""Quality presets: rows of settings, from quick to patient.

The CLIP models, iterations, scales and view counts are pixray's (`pixray.py` 1824-1878) so that a
preset means what its users expect. The starter perceptor makes do with fewer views. Several starts
are ours: they are part of the iterations and cost no more time. The older rows of clipit
(`clipit.py` 1231-1256) go by its name, and have its sizes and its one start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SMALL = 96  # perceptors whose input has at most this side are small


@dataclass(frozen=True)
class Preset:
    """What one quality word stands for.

    Attributes:
        iterations: optimizer steps.
        scale: multiple of the base size.
        cuts: views per step (pixray's cuts times batches).
        small_cuts: the same where only small perceptors look, as the starter: fewer do as well.
        starts: random starts that are tried, of which the best is drawn to the end.
        clip: OpenAI CLIP models, used when their weights are at hand.
        base: whose sizes at scale 1, as `sizes.BASE_SIZES` names them.
    """

    iterations: int
    scale: float
    cuts: int
    small_cuts: int
    starts: int
    clip: tuple[str, ...]
    base: str = "pixray"


def _clipit(iterations: int, scale: float, *clip: str) -> Preset:
    return Preset(iterations, scale, 40, 20, 1, clip, "clipit")


PRESETS: Mapping[str, Preset] = {
    "draft": Preset(200, 1, 24, 8, 14, ("ViT-B/16",)),
    "normal": Preset(250, 2, 30, 10, 8, ("ViT-B/32", "ViT-B/16")),
    "better": Preset(300, 3, 36, 12, 8, ("RN50", "ViT-B/32", "ViT-B/16")),
    "best": Preset(350, 4, 24, 16, 8, ("RN50x4", "ViT-B/32", "ViT-B/16")),
    "supreme": Preset(400, 5, 32, 20, 8, ("RN50x4", "RN101", "ViT-B/32", "ViT-B/16")),
    "clipit-draft": _clipit(200, 1, "ViT-B/32"),
    "clipit-normal": _clipit(350, 2, "ViT-B/32", "ViT-B/16"),
    "clipit-better": _clipit(500, 3, "RN50", "ViT-B/32", "ViT-B/16"),
    "clipit-best": _clipit(500, 4, "RN50x4", "ViT-B/32", "ViT-B/16"),
}
