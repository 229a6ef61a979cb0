"""Read weight files without running anything that is in them.

safetensors files hold nothing but tensors. Checkpoints of `torch.save` are read by torch's
restricted reader. TorchScript archives, as OpenAI's CLIP files are, hold programs: `torch.jit.load`
would compile and run them, so only their tensors are read here, by a reader that knows a handful of
names and refuses all others.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from text2art.errors import WeightsCorrupt, WeightsMissing

_MAX_PICKLE = 32_000_000  # bytes; OpenAI's are some 100 kB
_MAX_DEPTH = 64
_DTYPES: Mapping[str, torch.dtype] = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_FORBIDDEN = re.compile(r"GLOBAL (\S+)")  # in torch's refusals
_NESTED = ("state_dict", "model_state_dict", "model")


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
            content: object = load_file(path)
        elif _is_torchscript(path):
            content = dict(_read_torchscript(path))
        else:
            content = _read_checkpoint(path)
    except WeightsCorrupt:
        raise
    except SafetensorError as error:
        raise WeightsCorrupt(f"{path} is not a safetensors file: {_reason(error)}") from error
    except Exception as error:  # the readers raise anything on damaged files
        raise WeightsCorrupt(f"{path} is damaged or no weight file: {_reason(error)}") from error
    tensors = _tensors(content)
    if not tensors:
        raise WeightsCorrupt(f"{path} holds no named tensors")
    return tensors


def _tensors(content: object) -> dict[str, Tensor]:
    for name in _NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping):
        return {}
    found = {str(k): v.detach() for k, v in content.items() if isinstance(v, Tensor)}
    if found and all(name.startswith("module.") for name in found):
        found = {name.removeprefix("module."): tensor for name, tensor in found.items()}
    return found


# ---- checkpoints of torch.save -----------------------------------------------------------------


def _read_checkpoint(path: Path) -> object:
    is_zip = zipfile.is_zipfile(path)
    try:
        return torch.load(  # noqa: TID251 - the restricted reader, in the place made for it
            path, map_location="cpu", weights_only=True, mmap=True if is_zip else None
        )
    except pickle.UnpicklingError as error:
        named = _FORBIDDEN.search(str(error))
        if named is None:
            raise
        raise WeightsCorrupt(
            f"{path} was refused: besides tensors it names {named[1]}, which could run code. "
            "Where you trust it, convert it to safetensors"
        ) from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


# ---- TorchScript archives ----------------------------------------------------------------------


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _read_torchscript(path: Path) -> Iterator[tuple[str, Tensor]]:
    with zipfile.ZipFile(path) as archive:
        top = next(n for n in archive.namelist() if n.endswith("/constants.pkl"))
        records = _Records(archive, top.removesuffix("constants.pkl"), path.stat().st_size)
        root = _Reader(records).load()
    if not isinstance(root, _Module):
        raise WeightsCorrupt(f"{path} is a TorchScript archive without a module")
    yield from _walk(root, "", ())


def _walk(module: _Module, prefix: str, above: tuple[_Module, ...]) -> Iterator[tuple[str, Tensor]]:
    if any(module is m for m in above) or len(above) > _MAX_DEPTH:
        raise WeightsCorrupt("a module of the TorchScript archive contains itself")
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            yield prefix + name, value
        elif isinstance(value, _Module):
            yield from _walk(value, f"{prefix}{name}.", (*above, module))


class _Module:
    """Stands for any module of a TorchScript archive: nothing but its attributes."""


class _Records:
    """The records of an archive, each read whole with its checksum verified."""

    def __init__(self, archive: zipfile.ZipFile, top: str, size: int) -> None:
        self._archive = archive
        self._top = top
        self._left = size  # honest records do not overlap, so together they are no longer than this

    def read(self, name: str, limit: float = math.inf) -> bytes:
        info = self._archive.getinfo(self._top + name)
        # Such archives are stored as they are; a compressed record could swell without bound.
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > limit:
            raise WeightsCorrupt(f"record {name} is compressed or too long for a weight file")
        self._left -= info.file_size
        if self._left < 0:
            raise WeightsCorrupt("the records of the archive overlap")
        return self._archive.read(info)


class _Reader(pickle.Unpickler):
    """Unpickles a TorchScript archive's modules and tensors, and knows no other names.

    What it hands out is made anew for each reader, so that a hostile file could at worst change
    what is thrown away with it.
    """

    def __init__(self, records: _Records) -> None:
        super().__init__(io.BytesIO(records.read("data.pkl", _MAX_PICKLE)))
        self._records = records
        self._storages: dict[str, Tensor] = {}
        self._known: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): lambda *given: _rebuild(*given),
            ("torch.jit._pickle", "restore_type_tag"): lambda value, _: value,
            **{
                ("torch.jit._pickle", f"build_{kind}list"): lambda values: list(values)
                for kind in ("int", "double", "bool", "tensor")
            },
        }

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return type(name, (_Module,), {})
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if (module, name) in self._known:
            return self._known[module, name]
        raise WeightsCorrupt(
            f"the archive was refused: besides tensors it names {module}.{name}, "
            "which could run code"
        )

    def persistent_load(self, pid: Any) -> Tensor:
        kind, dtype, key, _device, count = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not isinstance(key, str):
            raise WeightsCorrupt(f"unknown storage {pid!r}"[:200])
        if key not in self._storages:
            data = bytearray(self._records.read(f"data/{key}"))
            self._storages[key] = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0)
        flat = self._storages[key]
        if flat.numel() != count or (count and flat.dtype != dtype):
            raise WeightsCorrupt(f"storage {key} holds {flat.numel()} numbers instead of {count}")
        return flat


def _rebuild(storage: Tensor, offset: int, size: Any, stride: Any, *_: object) -> Tensor:
    """Lay a tensor over a storage, within its bounds."""
    if math.prod(size) > storage.numel():
        raise WeightsCorrupt(f"a tensor of size {tuple(size)} does not fit its storage")
    return storage.as_strided(tuple(size), tuple(stride), offset)
