"""The containers that tensors come in: zip archives of torch.save and TorchScript, older files."""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import torch
from torch import Tensor

from text2art.errors import WeightsCorrupt
from text2art.weights.unpickle import MOST_BYTES, Layout, Storage, Unpickler, lay, pickle_end

_MAGIC = 0x1950A86A20F9469CFC6C  # of files from before torch 1.6, which are no archives
_PROTOCOL = 1001
_COUNT = struct.Struct("<q")
_MAX_DEPTH = 64
_SHARED = 16  # times the file's length that tensors may have together, by sharing storages


class Storages(Protocol):
    """Hands out the numbers of storages."""

    def read(self, storage: Storage) -> bytes:
        """Return them as they lie in the file."""
        ...


class Tensors:
    """Makes tensors of layouts; those that share a storage in the file share it here.

    Args:
        storages: where the numbers are.
        size: bytes of the file.
    """

    def __init__(self, storages: Storages, size: int) -> None:
        self._storages = storages
        self._flat: dict[str, Tensor] = {}
        self._left = _SHARED * size

    def make(self, layout: Layout) -> Tensor:
        """Read the storage unless that was done, and lay a tensor over it.

        Raises:
            WeightsCorrupt: they do not fit.
        """
        storage = layout.storage
        if not isinstance(storage, Storage):
            raise WeightsCorrupt("it holds a tensor without a storage")
        if storage.key not in self._flat:
            data = bytearray(self._storages.read(storage))
            self._flat[storage.key] = (
                torch.frombuffer(data, dtype=storage.dtype)
                if data
                else torch.empty(0, dtype=storage.dtype)
            )
        flat = self._flat[storage.key]
        if flat.numel() != storage.numel or flat.dtype != storage.dtype:
            raise WeightsCorrupt(
                f"storage {storage.key[:40]} holds {flat.numel()} numbers instead of "
                f"{storage.numel}"
            )
        tensor = lay(layout, flat)
        self._left -= tensor.numel() * tensor.element_size()
        if self._left < 0:
            raise WeightsCorrupt("its tensors are far larger than the file")
        return tensor


class Records:
    """The records of a zip archive, each read whole with its checksum verified.

    Args:
        archive: opened for reading.
        top: what all their names begin with.
        size: bytes of the archive.
    """

    def __init__(self, archive: zipfile.ZipFile, top: str, size: int) -> None:
        self._archive = archive
        self._top = top
        self._left = size  # honest records do not overlap, so together they are no longer than this
        names = archive.namelist()
        if f"{top}byteorder" in names and self.record("byteorder", 16) != b"little":
            raise WeightsCorrupt("it was written on a big-endian machine: save it again on another")

    def record(self, name: str, limit: float = math.inf) -> bytes:
        """Return a record.

        Raises:
            WeightsCorrupt: it is compressed, longer than it may be, or overlaps with others.
            KeyError: there is none of this name.
        """
        info = self._archive.getinfo(self._top + name)
        # Such archives are stored as they are; a compressed record could swell without bound.
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > limit:
            raise WeightsCorrupt(f"record {name} is compressed or too long for a weight file")
        self._left -= info.file_size
        if self._left < 0:
            raise WeightsCorrupt("the records of the archive overlap")
        return self._archive.read(info)

    def pickled(self) -> bytes:
        """Return the pickle, checked to be one that may be read."""
        data = self.record("data.pkl", MOST_BYTES)
        return data[: pickle_end(data)]

    def read(self, storage: Storage) -> bytes:
        """Return the numbers of a storage."""
        return self.record(f"data/{storage.key}")


# ---- readers -----------------------------------------------------------------------------------


def is_archive(path: Path) -> bool:
    """Whether it is a zip archive, as torch has written since its version 1.6."""
    return zipfile.is_zipfile(path)


def read_archive(path: Path) -> dict[str, Tensor]:
    """Read the named tensors of a checkpoint of `torch.save` or of a TorchScript archive.

    Of a checkpoint those of its state dict alone are read from the disk, and not the states of
    optimizers. TorchScript archives hold programs as well, which are not looked at.

    Raises:
        WeightsCorrupt: it holds what does not belong into weights.
    """
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        top = next((n for n in names if n.endswith("data.pkl")), "").removesuffix("data.pkl")
        if f"{top}data.pkl" not in names:
            raise WeightsCorrupt("it is a zip archive, but none that torch has written")
        records = Records(archive, top, size)
        if f"{top}constants.pkl" in names:
            layouts = dict(_attributes(_ScriptUnpickler(records.pickled()).load()))
        else:
            layouts = named(Unpickler(records.pickled()).load())
        tensors = Tensors(records, size)
        return {name: tensors.make(layout) for name, layout in layouts.items()}


def read_legacy(path: Path) -> dict[str, Tensor]:
    """Read the named tensors of a checkpoint of `torch.save` from before torch 1.6.

    Raises:
        WeightsCorrupt: it is none, damaged, or holds what does not belong into weights.
    """
    with path.open("rb") as file:
        head = file.read(2 * MOST_BYTES)
        start = 0
        pickled: list[bytes] = []
        while len(pickled) < 5:  # magic number, version, machine, content, names of storages
            end = pickle_end(head, start)
            pickled.append(head[start:end])
            start = end
            if len(pickled) == 1 and Unpickler(pickled[0]).load() != _MAGIC:
                raise WeightsCorrupt("it is no file of torch.save")
        version, machine, keys = (Unpickler(pickled[i]).load() for i in (1, 2, 4))
        reader = Unpickler(pickled[3])
        content = reader.load()
        if version != _PROTOCOL or not machine.get("little_endian", True):
            raise WeightsCorrupt("it is of a torch that is not supported: save it with another")
        storages = _Tail(file, start, path.stat().st_size, keys, reader.storages)
        tensors = Tensors(storages, path.stat().st_size)
        return {name: tensors.make(layout) for name, layout in named(content).items()}


_NESTED = ("state_dict", "model_state_dict", "model")


def named(content: object) -> dict[str, Layout]:
    """Return the tensors of a checkpoint by name; a nested `state_dict` is taken out."""
    for name in _NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping):
        return {}
    return {k: v for k, v in content.items() if isinstance(k, str) and isinstance(v, Layout)}


# ---- before torch 1.6 --------------------------------------------------------------------------


class _Tail:
    """The storages after the pickles of an older file: each its count, then its numbers."""

    def __init__(
        self, file: BinaryIO, start: int, size: int, keys: Any, known: Mapping[str, Storage]
    ) -> None:
        self._file = file
        self._places: dict[str, int] = {}
        for key in keys:
            storage = known[key]
            file.seek(start)
            (count,) = _COUNT.unpack(file.read(_COUNT.size))
            self._places[key] = start + _COUNT.size
            start += _COUNT.size + count * storage.dtype.itemsize
            if count != storage.numel or start > size:
                raise WeightsCorrupt(f"storage {key[:40]} is not whole")

    def read(self, storage: Storage) -> bytes:
        self._file.seek(self._places[storage.key])
        return self._file.read(storage.numel * storage.dtype.itemsize)


# ---- TorchScript -------------------------------------------------------------------------------


class _Module:
    """Stands for any module of a TorchScript archive: nothing but its attributes."""


class _ScriptUnpickler(Unpickler):
    def __init__(self, pickled: bytes) -> None:
        super().__init__(pickled)
        kinds = ("int", "double", "bool", "tensor")
        self._known |= {
            ("torch.jit._pickle", f"build_{k}list"): lambda values: values for k in kinds
        }
        self._known["torch.jit._pickle", "restore_type_tag"] = lambda value, _: value

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return type("Module", (_Module,), {})
        return super().find_class(module, name)


def _attributes(root: object) -> Iterator[tuple[str, Layout]]:
    if not isinstance(root, _Module):
        raise WeightsCorrupt("it is a TorchScript archive without a module")
    yield from _walk(root, "", ())


def _walk(module: _Module, prefix: str, above: tuple[_Module, ...]) -> Iterator[tuple[str, Layout]]:
    if any(module is m for m in above) or len(above) > _MAX_DEPTH:
        raise WeightsCorrupt("a module of the TorchScript archive contains itself")
    for name, value in vars(module).items():
        if isinstance(value, Layout):
            yield prefix + name, value
        elif isinstance(value, _Module):
            yield from _walk(value, f"{prefix}{name}.", (*above, module))
