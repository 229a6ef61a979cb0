"""Read weight files without running anything that is in them.

safetensors files hold nothing but tensors. Checkpoints of `torch.save` are pickles and TorchScript
archives, as OpenAI's CLIP files are, hold programs as well: `torch.load` and `torch.jit.load` could
run what is in them. Here only their tensors are read, by a reader that knows a handful of names and
refuses all others (see `unpickle.py`). It stands in for torch's own restricted reader because that
refuses what Lightning leaves in its checkpoints, and does not compare checksums.
"""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from text2art.errors import WeightsCorrupt, WeightsMissing
from text2art.weights.archive import is_archive, read_archive, read_legacy

_DISTRIBUTED = "module."


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a weight file by name, on the CPU, in the file's number types.

    A nested `state_dict` is taken out, the `module.` prefix of distributed training taken off, and
    whatever is no tensor left out.

    Raises:
        WeightsMissing: there is no such file.
        WeightsCorrupt: it is damaged, holds no tensors, or holds what would run code.
    """
    if not path.is_file():
        raise WeightsMissing(f"weight file {path} is not there")
    try:
        if path.suffix == ".safetensors":
            tensors: dict[str, Tensor] = load_file(path)
        elif is_archive(path):
            tensors = read_archive(path)
        else:
            tensors = read_legacy(path)
    except WeightsCorrupt as error:
        raise WeightsCorrupt(f"{path} cannot be used: {error}") from error
    except SafetensorError as error:
        raise WeightsCorrupt(f"{path} is not a safetensors file: {_reason(error)}") from error
    except Exception as error:  # the readers raise anything on damaged files
        raise WeightsCorrupt(f"{path} is damaged or no weight file: {_reason(error)}") from error
    if not tensors:
        raise WeightsCorrupt(f"{path} holds no named tensors")
    if all(name.startswith(_DISTRIBUTED) for name in tensors):
        tensors = {name.removeprefix(_DISTRIBUTED): tensor for name, tensor in tensors.items()}
    return tensors


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
