"""Write weight files in every format CLIP weights come in, small and random, and hostile ones."""

from __future__ import annotations

import copy
import os
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.model import convert_weights_to_fp16
from torch import Tensor, nn

from text2art.runtime import stream

TINY: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2},
}
TINY_RESNET: dict[str, Any] = {
    **TINY,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None},
}


def tiny_clip(
    config: dict[str, Any] = TINY, *, quick_gelu: bool = False, seed: int = 0
) -> nn.Module:
    """Build open_clip's network of a config with random weights, wide enough that GELUs matter."""
    model: nn.Module = open_clip.CLIP(**config, quick_gelu=quick_gelu)
    draw = stream(seed, "tiny clip")
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(torch.rand(tensor.shape, generator=draw) + 0.5)
            elif tensor.is_floating_point() and tensor.dim():
                scale = 0.5 if tensor.dim() == 1 else 2.0 / max(1, tensor[0].numel()) ** 0.5
                tensor.copy_(torch.randn(tensor.shape, generator=draw) * scale)
    return model.eval()


class _Holder(nn.Module):
    """A module whose attributes are another's tensors: what TorchScript archives are made of."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def _hold(state: dict[str, Tensor]) -> nn.Module:
    root = _Holder()
    for name, tensor in state.items():
        *path, last = name.split(".")
        module: nn.Module = root
        for part in path:
            if part not in module._modules:
                module.add_module(part, _Holder())
            module = module._modules[part]  # type: ignore[assignment]
        if tensor.is_floating_point():
            module.register_parameter(last, nn.Parameter(tensor.clone(), requires_grad=False))
        else:
            module.register_buffer(last, tensor.clone())
    return root


def openai_state(model: nn.Module, image_size: int = 32, context: int = 12) -> dict[str, Tensor]:
    """The state dict of a model in OpenAI's archives: partly in half precision, three extras."""
    halved = copy.deepcopy(model)
    convert_weights_to_fp16(halved)
    state: dict[str, Tensor] = dict(halved.state_dict())
    for name, value in (
        ("input_resolution", image_size),
        ("context_length", context),
        ("vocab_size", 49408),
    ):
        state[name] = torch.tensor(value)
    return state


def write_openai_archive(path: Path, state: dict[str, Tensor]) -> None:
    """Write a TorchScript archive with these tensors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TorchScript is deprecated; the files stay
        torch.jit.script(_hold(state)).save(str(path))  # type: ignore[no-untyped-call]


# ---- hostile files -----------------------------------------------------------------------------


class _Evil:
    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._marker}",)


class _EvilEval(_Evil):
    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (f"open({str(self._marker)!r}, 'w')",)


def evil(marker: Path) -> list[object]:
    """Contents that would create `marker` when unpickled by an unguarded reader."""
    return [
        _Evil(marker),
        {"state_dict": {"weight": _Evil(marker)}},
        {"hook": _EvilEval(marker)},
        {"weight": torch.zeros(2), "hook": _EvilEval(marker)},
    ]


def write_plain_pickle(path: Path, content: object) -> None:
    path.write_bytes(pickle.dumps(content))


def write_zip_checkpoint(path: Path, content: object) -> None:
    torch.save(content, path)


def write_legacy_checkpoint(path: Path, content: object) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def write_evil_archive(path: Path, content: object) -> None:
    """A TorchScript archive whose module pickle was exchanged."""
    clean = path.with_suffix(".clean")
    write_openai_archive(clean, {"a.weight": torch.zeros(2, 2)})
    replace_record(clean, path, "data.pkl", pickle.dumps(content, protocol=2))
    clean.unlink()


def replace_record(
    source: Path,
    path: Path,
    ending: str,
    data: bytes,
    compression: int = zipfile.ZIP_STORED,
) -> None:
    """Copy a zip archive with one record exchanged."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", compression) as new:
        for info in old.infolist():
            new.writestr(info.filename, data if info.filename.endswith(ending) else old.read(info))
