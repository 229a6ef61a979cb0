"""Write what a training made as the two files that `text2art.nets.starter` loads."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from text2art.nets.starter import FORMAT, StarterCLIP, StarterConfig, describe
from training.captions import vocabulary
from training.subjects import SUBJECTS

VERSION = "2"
# Words that say little: the model takes them for "some unknown word", which it learnt to pass over.
HARMLESS = (
    "and", "are", "as", "be", "been", "being", "but", "for", "from", "has", "have", "her", "his",
    "is", "it", "its", "my", "near", "one", "or", "our", "over", "s", "some", "that", "their",
    "there", "these", "this", "to", "very", "was", "were", "which", "your", "please", "draw",
    "make", "paint", "show", "me",
)  # fmt: skip


def fold(state: dict[str, Tensor], epsilon: float = 1e-5) -> dict[str, Tensor]:
    """Fold each batch norm into the convolution before it: exact in evaluation, and faster.

    A convolution without a norm, its norm folded before, stays as it is.
    """
    folded = {k: v for k, v in state.items() if ".norm." not in k}
    for key in [k for k in state if k.endswith(".conv.weight")]:
        stem = key.removesuffix("conv.weight")
        if f"{stem}norm.weight" not in state:
            continue
        norm = {part: state[f"{stem}norm.{part}"].float() for part in
                ("weight", "bias", "running_mean", "running_var")}  # fmt: skip
        gain = norm["weight"] / (norm["running_var"] + epsilon).sqrt()
        folded[key] = state[key].float() * gain.view(-1, 1, 1, 1)
        folded[f"{stem}conv.bias"] = norm["bias"] - norm["running_mean"] * gain
    return folded


def read_checkpoint(path: Path) -> tuple[StarterConfig, Tensor, dict[str, Tensor]]:
    """Return configuration, known token ids and the averaged weights, folded, of a checkpoint."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    ids = state["token_ids"]
    config = StarterConfig(image_plan=state["recipe"]["image_plan"], tokens=len(ids) + 2)
    return config, ids, fold(state["average"])


def blended(
    parent: dict[str, Tensor], trained: dict[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Return weights between those that a training went on from and what became of them.

    Args:
        parent: by name, folded; NaN where it knows nothing: there the trained ones are taken.
            Empty where it did not go on from any.
        trained: of the same shapes.
        share: of the trained ones, in [0, 1].
    """
    if not parent or share == 1.0:
        return trained

    def between(start: Tensor, end: Tensor) -> Tensor:
        if not end.is_floating_point():
            return end
        start, end = start.to(end.device).float(), end.float()
        return torch.where(start.isnan(), end, torch.lerp(start, end, share))

    return {name: between(parent[name], value) for name, value in trained.items()}


def updates_in(path: Path) -> int:
    """Return how many updates a checkpoint's training had made."""
    updates: int = torch.load(path, map_location="cpu", weights_only=True, mmap=True)["updates"]
    return updates


def build(config: StarterConfig, token_ids: Tensor, weights: dict[str, Tensor]) -> StarterCLIP:
    """Return the model of folded weights, frozen."""
    model = StarterCLIP(config, token_ids)
    model.load_state_dict(weights)
    return model.eval().requires_grad_(False)


def known_words() -> list[str]:
    """Return the words of the captions and those that do no harm, lower case, sorted."""
    return sorted({*vocabulary(), *HARMLESS})


def write(
    folder: Path, config: StarterConfig, token_ids: Tensor, weights: dict[str, Tensor],
    name: str = "starter", stem: str = "perceptor",
) -> dict[str, str]:  # fmt: skip
    """Write `perceptor.safetensors` and `perceptor.json`; return the SHA-256 of both.

    Each file is written aside and renamed, so that no reader meets half of one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.detach().half().contiguous() for k, v in weights.items()}
    tensors["token_ids"] = token_ids.to(torch.int32)
    card = {
        "format": FORMAT,
        "name": name,
        "version": VERSION,
        "model": describe(config),
        "image_size": config.image_size,
        "context_length": config.context_length,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "subjects": [s.name for s in SUBJECTS],
        "synonyms": {said: s.name for s in SUBJECTS for said in s.synonyms},
        "vocabulary": known_words(),
    }
    part = folder / f"{stem}.safetensors.part"
    save_file(tensors, part, metadata={"format": "pt"})
    part.chmod(0o644)  # safetensors writes files that only their owner can read
    part.replace(folder / f"{stem}.safetensors")
    write_text(folder / f"{stem}.json", json.dumps(card, indent=1, ensure_ascii=False) + "\n")
    return {name: sha256(folder / name) for name in (f"{stem}.json", f"{stem}.safetensors")}


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
