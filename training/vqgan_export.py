"""What becomes of a trained starter VQGAN: figures, a sheet, and two files for `load_vqgan`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from text2art.nets.vqgan import FORMAT, Vqgan
from training.export import sha256, write_text
from training.vqgan_losses import FeatureDistance, perplexity, psnr


def spread(book: Tensor) -> Tensor:
    """Return the standard deviation of entries (n, D) about their mean, over all channels."""
    return (book - book.mean(0)).square().mean().sqrt()


@torch.no_grad()
def normalized(state: dict[str, Tensor], mean: Tensor, std: Tensor) -> dict[str, Tensor]:
    """Fold a norm of latents, (z - mean) / std per channel, into `quant_conv` before it.

    Args:
        state: the tensors of a `Vqgan` with a plain codebook.
        mean: (D,).
        std: (D,), above 0.
    """
    out = dict(state)
    out["quant_conv.weight"] = state["quant_conv.weight"] / std[:, None, None, None]
    out["quant_conv.bias"] = (state["quant_conv.bias"] - mean) / std
    return out


@torch.no_grad()
def unit_latents(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Shift and scale latents so that the entries have mean 0 per channel and variance 1 overall.

    What is encoded, chosen and decoded stays the same, as all distances change by one factor. Then
    a learning rate in latent space means the same for every training.

    Args:
        state: the tensors of a `Vqgan` with a plain codebook.
    """
    book = state["quantize.embedding.weight"]
    middle = book.mean(0)
    scale = spread(book).clamp(min=1e-8)
    out = normalized(state, middle, scale.expand_as(middle))
    out["quantize.embedding.weight"] = (book - middle) / scale
    after = state["post_quant_conv.weight"]
    out["post_quant_conv.weight"] = after * scale
    out["post_quant_conv.bias"] = state["post_quant_conv.bias"] + after[:, :, 0, 0] @ middle
    return out


@torch.no_grad()
def rebuilt(model: Vqgan, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Return pictures (B, 3, H, W) in [0, 1] through the codebook and back, and their codes."""
    codes: Tensor
    z, codes = model.quantize(model.encode(pictures * 2.0 - 1.0))
    return (model.decode(z) * 0.5 + 0.5).clamp(0, 1), codes


@torch.no_grad()
def vqgan_figures(
    model: Vqgan, pictures: Tensor, features: nn.Module | None = None, batch: int = 32
) -> dict[str, float]:
    """Return how well pictures that were held back come through.

    Args:
        model: frozen, on the device of the pictures.
        pictures: (N, 3, H, W) in [0, 1].
        features: as in training, for the distance.
        batch: pictures at a time.

    Returns:
        `psnr` in dB, `l1` in [0, 1], `distance`, `codes_used` (a count) and `perplexity`.
    """
    distance = FeatureDistance(features).to(pictures.device)
    totals = torch.zeros(3, device=pictures.device)
    counts = torch.zeros(model.config.n_embed, device=pictures.device)
    for start in range(0, len(pictures), batch):
        part = pictures[start : start + batch]
        made, codes = rebuilt(model, part)
        far = distance(made * 2 - 1, part * 2 - 1)
        totals += len(part) * torch.stack([psnr(made, part, 1.0), F.l1_loss(made, part), far])
        counts += torch.bincount(codes.flatten(), minlength=len(counts))
    values = [*(totals / len(pictures)).tolist(), float((counts > 0).sum())]
    names = ("psnr", "l1", "distance", "codes_used", "perplexity")
    return dict(zip(names, [*values, float(perplexity(counts))], strict=True))


def write_sheet(path: Path, model: Vqgan, pictures: Tensor) -> None:
    """Write a PNG: originals (N, 3, H, W) in [0, 1] above what came through."""
    rows = torch.stack([pictures, rebuilt(model, pictures)[0]])  # (2, N, 3, H, W)
    sheet = rows.permute(0, 3, 1, 4, 2).flatten(0, 1).flatten(1, 2)  # (2 H, N W, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((sheet.cpu() * 255).round().byte().numpy()).save(path)


def write_vqgan(
    folder: Path, model: Vqgan, *, name: str, version: str, recipe: Mapping[str, Any] | None = None,
    figures: dict[str, float] | None = None,
) -> dict[str, str]:  # fmt: skip
    """Write `vqgan.safetensors` (float16) and `vqgan.json`; return the SHA-256 of both.

    Each file is written aside and renamed, so that no reader meets half of one.

    Args:
        folder: where to; made if need be.
        model: frozen, of float32.
        name: for messages and records.
        version: likewise.
        recipe: plain values to keep with it (`dataclasses.asdict` of the recipe).
        figures: of `vqgan_figures`, to keep with it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.detach().cpu().half().contiguous() for k, v in model.state_dict().items()}
    if not all(bool(v.isfinite().all()) for v in tensors.values()):
        raise ValueError("this VQGAN holds numbers that are not finite in float16")
    path = folder / "vqgan.safetensors"
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, metadata={"format": "pt"})
    part.chmod(0o644)  # safetensors writes files that only their owner can read
    part.replace(path)
    card = {
        "format": FORMAT,
        "name": name,
        "version": version,
        "model": model.config.to_taming(),
        "sha256": sha256(path),
        "figures": {k: round(v, 4) for k, v in (figures or {}).items()},
        "recipe": dict(recipe or {}),
    }
    write_text(folder / "vqgan.json", json.dumps(card, indent=1) + "\n")
    return {name: sha256(folder / name) for name in ("vqgan.json", "vqgan.safetensors")}
