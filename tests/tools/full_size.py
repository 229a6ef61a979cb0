"""Write full-size weights with random contents: `python -m tests.tools.full_size --out DIR`.

The ImageNet VQGAN (f16, 16384 codes) as taming-transformers publishes it, with its YAML beside it,
and CLIP's ViT-B/32 as OpenAI does. Formats, names, shapes and number types are those of the real
files; of the optimizers only the discriminator's state is there, or the file would be three times
as large. The numbers are random, scaled so that activations neither vanish nor explode.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import open_clip
import torch
import yaml
from open_clip.model import convert_weights_to_fp16
from torch import Tensor

from tests.tools.clip_files import write_openai_archive
from text2art.nets.vqgan import Vqgan, VqganConfig
from text2art.runtime import stream

VQGAN = "vqgan_imagenet_f16_16384"
CLIP = "ViT-B-32"
LIGHTNING = "pytorch_lightning.callbacks.model_checkpoint"
TAMING: dict[str, Any] = {
    "model": {
        "base_learning_rate": 4.5e-06,
        "target": "taming.models.vqgan.VQModel",
        "params": {
            "embed_dim": 256,
            "n_embed": 16384,
            "monitor": "val/rec_loss",
            "ddconfig": {
                "double_z": False,
                "z_channels": 256,
                "resolution": 256,
                "in_channels": 3,
                "out_ch": 3,
                "ch": 128,
                "ch_mult": [1, 1, 2, 2, 4],
                "num_res_blocks": 2,
                "attn_resolutions": [16],
                "dropout": 0.0,
            },
            "lossconfig": {
                "target": "taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator",
                "params": {
                    "disc_conditional": False,
                    "disc_in_channels": 3,
                    "disc_start": 0,
                    "disc_weight": 0.75,
                    "disc_num_layers": 2,
                    "codebook_weight": 1.0,
                },
            },
        },
    }
}
# Of taming's patch discriminator with two layers: convolutions, and batch norms after the second
# and third. The perceptual loss is a VGG-16 with one weight per channel of five of its layers.
_DISCRIMINATOR = {0: (64, 3), 2: (128, 64), 5: (256, 128), 8: (1, 256)}
_NORMS = {3: 128, 6: 256}
_VGG = {
    1: {0: (64, 3), 2: (64, 64)},
    2: {5: (128, 64), 7: (128, 128)},
    3: {10: (256, 128), 12: (256, 256), 14: (256, 256)},
    4: {17: (512, 256), 19: (512, 512), 21: (512, 512)},
    5: {24: (512, 512), 26: (512, 512), 28: (512, 512)},
}


def write_vqgan(folder: Path, seed: int = 0) -> Path:
    """Write the VQGAN's checkpoint and its YAML; return the checkpoint."""
    draw = stream(seed, "full-size vqgan")
    with torch.device("meta"):
        shapes = {name: t.shape for name, t in Vqgan(config()).state_dict().items()}
    state = {name: filled(name, shape, draw) for name, shape in shapes.items()}
    trained = dict(_discriminator(draw))
    state |= {f"loss.{name}": tensor for name, tensor in _perceptual(draw)}
    state |= {f"loss.discriminator.{name}": tensor for name, tensor in trained.items()}
    path = folder / f"{VQGAN}.ckpt"
    with _lightning() as callback:
        torch.save(_checkpoint(state, trained, callback), path)
    text = yaml.safe_dump(TAMING, sort_keys=False, default_flow_style=False)
    path.with_suffix(".yaml").write_text(text, encoding="utf-8")
    return path


def write_clip(folder: Path, seed: int = 0) -> Path:
    """Write OpenAI's archive of ViT-B/32; return it."""
    draw = stream(seed, "full-size clip")
    with torch.device("meta"):
        net = open_clip.CLIP(**open_clip.get_model_config(CLIP), quick_gelu=True)
        convert_weights_to_fp16(net)  # the same parts as OpenAI did
        layout = {name: (t.shape, t.dtype) for name, t in net.state_dict().items()}
    state = {name: filled(name, shape, draw).to(dtype) for name, (shape, dtype) in layout.items()}
    state["logit_scale"] = torch.tensor(math.log(100.0))
    marks = {"input_resolution": 224, "context_length": 77, "vocab_size": 49408}
    path = folder / f"{CLIP}.pt"
    write_openai_archive(path, {**state, **{n: torch.tensor(v) for n, v in marks.items()}})
    return path


def config() -> VqganConfig:
    """Return the configuration of the VQGAN."""
    return VqganConfig.from_taming(TAMING)


def filled(name: str, shape: torch.Size | tuple[int, ...], draw: torch.Generator) -> Tensor:
    """Return random weights of a layer by its name and shape."""
    noise = torch.randn(tuple(shape), generator=draw)
    if len(shape) < 2:  # biases near 0, gains of norms near 1
        gain = "norm" in name or "ln_" in name
        return noise.mul_(0.02).add_(1.0 if gain and name.endswith("weight") else 0.0)
    if name == "quantize.embedding.weight":
        return noise
    return noise.div_(math.sqrt(math.prod(shape[1:])))


def _discriminator(draw: torch.Generator) -> Iterator[tuple[str, Tensor]]:
    for layer, (outputs, inputs) in _DISCRIMINATOR.items():
        yield f"main.{layer}.weight", filled("conv", (outputs, inputs, 4, 4), draw)
        if layer in (0, 8):
            yield f"main.{layer}.bias", filled("conv", (outputs,), draw)
    for layer, width in _NORMS.items():
        yield f"main.{layer}.weight", filled("norm.weight", (width,), draw)
        yield f"main.{layer}.bias", filled("norm.bias", (width,), draw)
        yield f"main.{layer}.running_mean", torch.zeros(width)
        yield f"main.{layer}.running_var", torch.ones(width)
        yield f"main.{layer}.num_batches_tracked", torch.tensor(1)


def _perceptual(draw: torch.Generator) -> Iterator[tuple[str, Tensor]]:
    yield "perceptual_loss.scaling_layer.shift", torch.zeros(1, 3, 1, 1)
    yield "perceptual_loss.scaling_layer.scale", torch.ones(1, 3, 1, 1)
    for part, layers in _VGG.items():
        for layer, shape in layers.items():
            name = f"perceptual_loss.net.slice{part}.{layer}"
            yield f"{name}.weight", filled("conv", (*shape, 3, 3), draw)
            yield f"{name}.bias", filled("conv", (shape[0],), draw)
        width = shape[0]
        yield f"perceptual_loss.lin{part - 1}.model.1.weight", torch.ones(1, width, 1, 1)


def _checkpoint(
    state: Mapping[str, Tensor], trained: Mapping[str, Tensor], callback: type
) -> dict[str, Any]:
    """Return what Lightning 1.0 saves. The callback's class itself is a key of `callbacks`."""
    parameters = [t for name, t in trained.items() if name.endswith((".weight", ".bias"))]
    moments = {
        i: {"step": 1, "exp_avg": torch.zeros_like(t), "exp_avg_sq": torch.zeros_like(t)}
        for i, t in enumerate(parameters)
    }
    group = {"lr": 4.5e-06, "betas": (0.5, 0.9), "eps": 1e-08, "weight_decay": 0, "amsgrad": False}
    told = {
        "monitor": "val/rec_loss",
        "best_model_score": torch.tensor(0.5),
        "best_model_path": "logs/vqgan/checkpoints/epoch=000011.ckpt",
        "current_score": torch.tensor(0.5),
        "dirpath": "logs/vqgan/checkpoints",
    }
    return {
        "epoch": 12,
        "global_step": 1_000_000,
        "pytorch-lightning_version": "1.0.8",
        "callbacks": {callback: told},
        "optimizer_states": [
            {"state": {}, "param_groups": [{**group, "params": []}]},
            {"state": moments, "param_groups": [{**group, "params": list(moments)}]},
        ],
        "lr_schedulers": [],
        "state_dict": dict(state),
    }


@contextmanager
def _lightning() -> Iterator[type]:
    """Lend pickle the class `ModelCheckpoint` under Lightning's name while it writes."""
    parts = LIGHTNING.split(".")
    names = [".".join(parts[: i + 1]) for i in range(len(parts))]
    before = {name: sys.modules.get(name) for name in names}
    callback = type("ModelCheckpoint", (), {"__module__": LIGHTNING})
    for name in names:
        sys.modules[name] = ModuleType(name)
    sys.modules[LIGHTNING].ModelCheckpoint = callback  # type: ignore[attr-defined]
    try:
        yield callback
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def main() -> None:
    """Write both and say where they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder; made when it is not there")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for path in (write_vqgan(given.out, given.seed), write_clip(given.out, given.seed)):
        print(f"{path}  ({path.stat().st_size / 1e6:.0f} MB)")


if __name__ == "__main__":
    main()
