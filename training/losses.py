"""The training objective: a masked contrastive loss and auxiliary attribute heads."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.batches import HEADS
from training.captions import NOISE
from training.world import BACKGROUND_NAMES, COLOR_NAMES, MAX_COUNT, STYLE_NAMES

# One linear layer per attribute; dropped at export. Sizes in the order of HEADS.
_SIZES = (NOISE + 1, len(COLOR_NAMES), MAX_COUNT + 1, len(BACKGROUND_NAMES) + 1, len(STYLE_NAMES))


class Heads(nn.Module):
    """Linear attribute classifiers on the image embedding."""

    def __init__(self, embed: int) -> None:
        super().__init__()
        self.heads = nn.ModuleDict(
            {name: nn.Linear(embed, size) for name, size in zip(HEADS, _SIZES, strict=True)}
        )
        self.register_buffer("weights", torch.tensor([1.0, 0.5, 0.5, 0.5, 0.25]), persistent=False)
        self.weights: Tensor

    def forward(self, embedding: Tensor, truth: Tensor) -> Tensor:
        """Return the summed cross entropies of (B, D) against (B, 5 or more); -1 is skipped."""
        losses = []
        for k, name in enumerate(HEADS):
            target = truth[:, k]
            raw = F.cross_entropy(
                self.heads[name](embedding), target, ignore_index=-1, reduction="sum"
            )
            losses.append(raw / (target >= 0).sum().clamp(min=1))
        return (torch.stack(losses) * self.weights).sum()


def contrastive(image: Tensor, text: Tensor, masked: Tensor, scale: Tensor) -> Tensor:
    """Return CLIP's loss of B pictures against 2B captions.

    Args:
        image: (B, D), any length.
        text: (2B, D), any length; caption i < B belongs to picture i, the rest to none.
        masked: (B, 2B) pairs that count neither as true nor as false.
        scale: the inverse temperature.
    """
    logits = scale * F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T
    logits = logits.masked_fill(masked, -1e4)
    target = torch.arange(len(image), device=image.device)
    to_text = F.cross_entropy(logits, target)
    to_image = F.cross_entropy(logits[:, : len(image)].T, target)
    return 0.5 * (to_text + to_image)


def tell_fakes(fake: Tensor, text: Tensor, scale: Tensor) -> Tensor:
    """Return the loss of taking guided pictures for what they are guided to, not for noise.

    Args:
        fake: (F, D) guided pictures.
        text: (F + 1, D) the captions they are guided to, then that of noise.
        scale: the inverse temperature.
    """
    fake, text = F.normalize(fake, dim=-1), F.normalize(text, dim=-1)
    own = (fake * text[:-1]).sum(-1)
    return F.softplus(scale * (own - fake @ text[-1])).mean()


def near_caption(fake: Tensor, text: Tensor) -> Tensor:
    """Return what guided pictures climb: the cosine to the caption, as guidance by words does.

    Args:
        fake: (F, D) guided pictures.
        text: (F or more, D) the captions they are guided to.
    """
    own: Tensor = (F.normalize(fake, dim=-1) * F.normalize(text[: len(fake)], dim=-1)).sum(-1)
    return own.mean()
