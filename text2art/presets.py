"""Quality presets: rows of settings, from quick to patient.

The CLIP models, iterations, scales and view counts are pixray's (`pixray.py` 1824-1878) so that a
preset means what its users expect. The starter perceptor takes the counts and leaves the models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """What one quality word stands for.

    Attributes:
        iterations: optimizer steps.
        scale: multiple of the base size.
        cuts: views per step (pixray's cuts times batches).
        starts: random starts that are tried, of which the best is drawn to the end.
        clip: OpenAI CLIP models, used when their weights are at hand.
    """

    iterations: int
    scale: float
    cuts: int
    starts: int
    clip: tuple[str, ...]


PRESETS: Mapping[str, Preset] = {
    "draft": Preset(200, 1, 24, 1, ("ViT-B/16",)),
    "normal": Preset(250, 2, 30, 1, ("ViT-B/32", "ViT-B/16")),
    "better": Preset(300, 3, 36, 1, ("RN50", "ViT-B/32", "ViT-B/16")),
    "best": Preset(350, 4, 24, 1, ("RN50x4", "ViT-B/32", "ViT-B/16")),
    "supreme": Preset(400, 5, 32, 1, ("RN50x4", "RN101", "ViT-B/32", "ViT-B/16")),
}
