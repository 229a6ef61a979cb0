"""The starter perceptor: a small CLIP made by `training/`, whose gradients look like the thing.

The image tower is a plain convolutional network with smooth activations: trained adversarially, its
input gradients draw far better than a larger ModifiedResNet's (see the model card beside the
weights). The text tower is as open_clip's. The table of token embeddings holds only the tokens of
the captions it was trained on; every other token shares one learnt row for "some unknown word".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from text2art.errors import WeightsCorrupt, WeightsMissing
from text2art.nets import frozen
from text2art.nets.byte_pairs import byte_pairs
from text2art.nets.packed import Packs
from text2art.nets.text_tower import TextTower

VOCAB = 49408  # CLIP's byte-pair vocabulary
FORMAT = 1
UNKNOWN_ROW = 1  # row 0 is padding, then the unknown word, then the known tokens by rising id


@dataclass(frozen=True)
class StarterConfig:
    """What it takes to build a `StarterCLIP`.

    Attributes:
        image_plan: the image tower, e.g. "24s2 48 p 96": 3x3 convolutions by width, "s2" for
            stride 2, "p" for 2x2 average pooling.
        image_size: side of the square input in pixels.
        embed: width of the shared embedding.
        tokens: rows of the token table.
    """

    image_plan: str
    image_size: int = 64
    embed: int = 256
    context_length: int = 32
    text_width: int = 128
    text_layers: int = 2
    text_heads: int = 4
    tokens: int = VOCAB


class ConvBlock(nn.Module):
    """A 3x3 convolution, batch norm (unless folded into the convolution) and SiLU."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, folded: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=folded)
        self.norm: nn.Module = nn.Identity() if folded else nn.BatchNorm2d(outputs)
        self._packs = Packs() if folded and stride == 1 else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        weight, bias = self.conv.weight, self.conv.bias
        if self._packs is not None and frozen.is_frozen(x, weight, bias):
            return F.silu(frozen.convolve(x, weight, bias, 1, self._packs))
        return F.silu(self.norm(self.conv(x)))


class ConvTower(nn.Module):
    """A plain VGG-like image tower: blocks and pools by a plan, flattened into one linear layer."""

    def __init__(self, plan: str, image_size: int, embed: int, *, folded: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, side = 3, image_size
        for word in plan.split():
            if word == "p":
                layers.append(nn.AvgPool2d(2))
                side //= 2
                continue
            width, _, stride = word.partition("s")
            layers.append(ConvBlock(channels, int(width), int(stride or 1), folded=folded))
            channels, side = int(width), side // int(stride or 1)
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(channels * side * side, embed)

    def forward(self, images: Tensor) -> Tensor:
        """Map normalized pictures (N, 3, S, S) to embeddings (N, embed)."""
        out: Tensor = self.head(self.layers(images).flatten(1))
        return out


class StarterCLIP(nn.Module):
    """A small CLIP: `ConvTower` for pictures, `TextTower` for words.

    Args:
        config: what to build.
        token_ids: the known token ids by rising id, one per row after padding and unknown.
        folded: without batch norm, as exported; training builds it with.
    """

    rows: Tensor
    image_size: int
    context_length: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    vocabulary: frozenset[str]
    subjects: tuple[str, ...]
    synonyms: Mapping[str, str]
    name: str
    version: str

    def __init__(self, config: StarterConfig, token_ids: Tensor, *, folded: bool = True) -> None:
        super().__init__()
        if config.tokens != len(token_ids) + 2:
            raise ValueError(f"{config.tokens} token rows for {len(token_ids)} known tokens")
        self.config = config
        self.image_size = config.image_size
        self.context_length = config.context_length
        self.mean, self.std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
        self.vocabulary, self.subjects, self.synonyms = frozenset(), (), {}
        self.name, self.version = "starter", "0"
        self.visual = ConvTower(config.image_plan, config.image_size, config.embed, folded=folded)
        self.text = TextTower(
            context_length=config.context_length,
            vocab_size=config.tokens,
            width=config.text_width,
            heads=config.text_heads,
            layers=config.text_layers,
            output_dim=config.embed,
        )
        rows = torch.full((VOCAB,), UNKNOWN_ROW, dtype=torch.long)
        rows[token_ids.long()] = torch.arange(2, config.tokens)
        rows[0] = 0  # "!" and padding are the same token in CLIP
        self.register_buffer("rows", rows, persistent=False)

    def tokenize(self, texts: list[str]) -> Tensor:
        """Return CLIP's token ids, (T, context_length); longer texts are cut."""
        return byte_pairs().rows(texts, self.context_length)

    def encode_image(self, images: Tensor) -> Tensor:
        """Map pictures, already normalized by mean and std, (N, 3, S, S) to (N, embed)."""
        out: Tensor = self.visual(images)
        return out

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Map token ids (T, context_length) to embeddings (T, embed), not of unit length."""
        return self.encode_rows(self.rows[tokens])

    def encode_rows(self, rows: Tensor, *, whole: bool = False) -> Tensor:
        """Map rows of the token table (T, L) to embeddings (T, embed).

        Attention is causal, so what follows the end token cannot matter: it is cut off
        (open_clip's own forward insists on the full context). The end token has the highest row.

        Args:
            rows: L is at most the context length.
            whole: skip the cut, for which the CPU must wait for the device.
        """
        end = rows.argmax(1)
        length = rows.shape[1] if whole else int(end.max()) + 1
        text = self.text
        x = text.token_embedding(rows[:, :length]) + text.positional_embedding[:length]
        x = text.transformer(x, attn_mask=text.attn_mask[:length, :length])
        x = text.ln_final(x[torch.arange(len(x), device=x.device), end])
        out: Tensor = x @ text.text_projection
        return out


def describe(config: StarterConfig) -> dict[str, Any]:
    """Return the configuration as plain JSON values."""
    return asdict(config)


def _read_card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise WeightsCorrupt(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        found = card.get("format") if isinstance(card, dict) else type(card).__name__
        raise WeightsCorrupt(f"{path} is of format {found!r}; this text2art reads {FORMAT}.")
    return card


def tower_stems(folder: Path) -> list[str]:
    """Return the stems of the perceptors in a folder: "perceptor", "perceptor-2" and so on."""
    others = [path.stem for path in folder.glob("perceptor-*.json")]
    return ["perceptor", *sorted(others)]


def load_starter(folder: Path, stem: str = "perceptor") -> StarterCLIP:
    """Load one perceptor of the starter, frozen and in evaluation mode, float32 on the CPU.

    Args:
        folder: holds `perceptor.json` and `perceptor.safetensors`.
        stem: of the two files, for a further one.

    Raises:
        WeightsMissing: Where one of the two files is not there.
        WeightsCorrupt: Where one is damaged or they do not fit together.
    """
    card_path, tensor_path = folder / f"{stem}.json", folder / f"{stem}.safetensors"
    for path in (card_path, tensor_path):
        if not path.is_file():
            raise WeightsMissing(
                f"The starter perceptor's file {path} is missing. It ships with text2art; "
                "`python -m training.make` makes it anew."
            )
    card = _read_card(card_path)
    try:
        state = load_file(tensor_path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsCorrupt(
            f"{tensor_path} is not a readable safetensors file: {error}"
        ) from error
    try:
        token_ids = state.pop("token_ids")
        model = StarterCLIP(StarterConfig(**card["model"]), token_ids)
        model.load_state_dict({key: value.float() for key, value in state.items()})
        model.mean = (card["mean"][0], card["mean"][1], card["mean"][2])
        model.std = (card["std"][0], card["std"][1], card["std"][2])
        model.vocabulary = frozenset(card["vocabulary"])
        model.subjects = tuple(map(str, card["subjects"]))
        model.synonyms = {str(said): str(name) for said, name in card.get("synonyms", {}).items()}
        model.name, model.version = str(card["name"]), str(card["version"])
    except (
        KeyError, IndexError, TypeError, ValueError, RuntimeError, AttributeError
    ) as error:  # fmt: skip
        raise WeightsCorrupt(f"{tensor_path} and {card_path.name} do not fit: {error}") from error
    return model.eval().requires_grad_(False)
