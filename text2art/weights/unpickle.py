"""Unpickle tensors and plain values, and nothing else: no code of a file is ever run.

A pickle is a program whose instructions may name any function of any module and call it. This
reader knows a handful of names. Those that make tensors give a `Layout`, a plain note of where its
numbers lie; those that trainers leave in their checkpoints (Lightning's callbacks, OmegaConf's
nodes, optimizers) give an inert stand-in, and their modules are never imported; any other is
refused. The length of the program and the memory it may ask for are checked before it is read.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from text2art.errors import WeightsCorrupt

MOST_BYTES = 8_000_000  # of one pickle; with the states of optimizers they have some 500 kB
_MOST_STEPS = 1_000_000
_NUMBERED = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_NEVER_NEEDED = frozenset({"EXT1", "EXT2", "EXT4", "BYTEARRAY8", "NEXT_BUFFER", "READONLY_BUFFER"})
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
    "UntypedStorage": torch.uint8,
}
_DTYPES_BY_NAME: Mapping[str, torch.dtype] = {
    name: value for name, value in vars(torch).items() if isinstance(value, torch.dtype)
}
# What is found in checkpoints besides tensors, by module or its package. Nothing of it is imported.
_BYSTANDERS = frozenset(
    {
        "_codecs", "argparse", "collections", "copyreg", "datetime", "decimal", "easydict", "enum",
        "fractions", "ldm", "lightning", "lightning_fabric", "lightning_utilities",
        "ml_collections", "numpy", "omegaconf", "pathlib", "pytorch_lightning", "taming",
        "torch.optim", "torch.torch_version", "torchmetrics", "typing", "uuid", "yacs",
    }
)  # fmt: skip
_PLAIN_BUILTINS = frozenset(
    {
        "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list",
        "object", "range", "set", "slice", "str", "tuple",
    }
)  # fmt: skip
_OF_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # as protocol 2 writes them
_OF_TORCH = frozenset({"Size", "Tensor", "device"})


class Storage(NamedTuple):
    """Numbers of a checkpoint, by name; not read yet."""

    key: str
    dtype: torch.dtype
    numel: int


class Layout(NamedTuple):
    """A tensor as a view of a storage; nothing in it has been checked yet."""

    storage: Storage
    offset: Any
    size: Any
    stride: Any
    dtype: torch.dtype | None  # where it is not that of the storage


class Unpickler(pickle.Unpickler):
    """Unpickles plain values, layouts and stand-ins.

    What can be called or changed from within a pickle is made anew for each reader or ignores what
    it is told, so that a hostile file could at worst change what is thrown away with it.

    Attributes:
        storages: all that the pickle has referred to so far, by name.
    """

    def __init__(self, pickled: bytes) -> None:
        super().__init__(io.BytesIO(pickled), encoding="utf-8", errors="replace")
        self.storages: dict[str, Storage] = {}
        self._room = _MOST_STEPS  # values that tables may be filled with at once
        self._stand_in = type("StandIn", (_StandIn,), {})
        self._known: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): lambda items=(): self._table(items),
            ("torch._utils", "_rebuild_tensor"): lambda *given: _layout(*given),
            ("torch._utils", "_rebuild_tensor_v2"): lambda *given: _layout(*given),
            ("torch._utils", "_rebuild_tensor_v3"): lambda *given: _layout(*given),
            ("torch._tensor", "_rebuild_from_type_v2"): lambda make, _, given, __: make(*given),
            ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
            ("torch._utils", "_rebuild_parameter_with_state"): lambda tensor, *_: tensor,
        }

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name; Python's reader calls this for every one.

        Raises:
            WeightsCorrupt: it is none of the names that belong into a checkpoint.
        """
        module = _OF_PYTHON_2.get(module, module)
        if module in ("torch", "torch.storage") and name in _DTYPES:
            return _DTYPES[name]
        if module == "torch" and name in _DTYPES_BY_NAME:
            return _DTYPES_BY_NAME[name]
        if (module, name) in self._known:
            return self._known[module, name]
        if _is_bystander(module, name):
            return self._stand_in
        raise WeightsCorrupt(
            f"it was refused: besides tensors it names {f'{module}.{name}'[:100]}, which could run "
            "code. Where you trust it, save its tensors as safetensors with the program it is from"
        )

    def persistent_load(self, pid: Any) -> Storage:
        """Return the storage that a pickle refers to by ("storage", kind, name, device, count)."""
        kind, dtype, key, _device, count, *view = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not isinstance(key, str):
            raise WeightsCorrupt("it refers to a storage in an unknown way")
        if any(part is not None for part in view):
            raise WeightsCorrupt("it holds views of storages as torch 0.3 wrote them")
        if type(count) is not int or count < 0:
            raise WeightsCorrupt("it holds a storage of no length")
        return self.storages.setdefault(key, Storage(key, dtype, count))

    def _table(self, items: Any) -> _Table:
        table = _Table(items)
        self._room -= len(table)
        if self._room < 0:
            raise WeightsCorrupt("it fills too many tables")
        return table


def _layout(
    storage: Storage, offset: Any, size: Any, stride: Any, _grad: Any = False, _hooks: Any = None,
    dtype: Any = None, *_: Any,
) -> Layout:  # fmt: skip
    """Take what torch's own functions take; in version 2 metadata stand where 3 has a dtype."""
    return Layout(storage, offset, size, stride, dtype if isinstance(dtype, torch.dtype) else None)


class _Table(dict[Any, Any]):
    """Stands for OrderedDict; the attributes that torch hangs on it are dropped."""

    def __setstate__(self, state: object) -> None:
        """Ignore it."""


class _StandIn:
    """Stands for an object that is not needed: whatever is done to it does nothing."""

    def __new__(cls, *_: object, **__: object) -> _StandIn:
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        """Ignore it."""

    def __setitem__(self, key: object, value: object) -> None:
        """Ignore it."""

    def _ignore(*_: object) -> None:
        """Ignore it."""

    __setstate__ = append = extend = add = update = _ignore


def _is_bystander(module: str, name: str) -> bool:
    if module == "builtins":
        return name in _PLAIN_BUILTINS
    if module == "torch":
        return name in _OF_TORCH
    if module == "torch.nn.parameter":
        return name == "Parameter"
    parts = module.split(".")
    return parts[0] in _BYSTANDERS or ".".join(parts[:2]) in _BYSTANDERS


# ---- before it is read -------------------------------------------------------------------------


def pickle_end(data: bytes, start: int = 0) -> int:
    """Return where the pickle that begins at `start` ends, without running it.

    Raises:
        WeightsCorrupt: it is longer than any honest one, or made to take memory without bound.
        ValueError: it is no pickle.
    """
    stream = io.BytesIO(data)
    stream.seek(start)
    for steps, (opcode, argument, _) in enumerate(pickletools.genops(stream), 1):
        # Numbers of the memo are handed out in order; a large one would reserve room for all below.
        if opcode.name in _NUMBERED and int(argument or 0) > steps:
            raise WeightsCorrupt("it was refused: it asks for memory without bound")
        if opcode.name in _NEVER_NEEDED:
            raise WeightsCorrupt(f"it was refused: {opcode.name} does not belong into a checkpoint")
        if steps > _MOST_STEPS or stream.tell() - start > MOST_BYTES:
            raise WeightsCorrupt("it was refused: its list of contents is too long")
    return stream.tell()


# ---- afterwards --------------------------------------------------------------------------------


def lay(layout: Layout, flat: Tensor) -> Tensor:
    """Lay a tensor over the numbers of its storage, within its bounds.

    Args:
        layout: as it was unpickled.
        flat: the numbers, one-dimensional, of the storage's type and count.

    Raises:
        WeightsCorrupt: it does not fit.
    """
    if layout.dtype is not None:
        flat = flat.view(layout.dtype)
    size, stride = layout.size, layout.stride
    numbers = (layout.offset, *size, *stride)
    if any(type(n) is not int or n < 0 for n in numbers) or len(size) != len(stride):
        raise WeightsCorrupt("it holds a tensor whose size is no size")
    if math.prod(size) > flat.numel():
        raise WeightsCorrupt(f"a tensor of size {tuple(size)} does not fit its storage")
    return flat.as_strided(tuple(size), tuple(stride), layout.offset)
