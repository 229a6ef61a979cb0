"""The one place that names devices, number types, random streams and frozen networks."""

from __future__ import annotations

import gc
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from text2art import hostmemory
from text2art.errors import OutOfMemory, SettingsError

LARGE = 10_000_000  # parameters: a CLIP's image tower and a VQGAN of ImageNet have more, no starter
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Runtime:
    """Where and in which number type a run computes.

    Attributes:
        device: device of every tensor of the run.
        perceptor_dtype: number type of frozen perceptors; geometry, drawers and losses are float32.
        large_dtype: that of frozen networks of `LARGE` size; None: the same.
    """

    device: torch.device
    perceptor_dtype: torch.dtype = torch.float32
    large_dtype: torch.dtype | None = None

    def dtype_for(self, net: nn.Module) -> torch.dtype:
        """Return the number type that a frozen perceptor computes in, by its size."""
        if self.large_dtype is not None and is_large(net):
            return self.large_dtype
        return self.perceptor_dtype

    @property
    def description(self) -> str:
        """The device in words, for logs, and that it computes in bfloat16 where it does."""
        whose = ""
        if self.perceptor_dtype == torch.bfloat16:
            whose = ", networks in bfloat16"
        elif self.large_dtype == torch.bfloat16:
            whose = ", large networks in bfloat16"
        if self.device.type == "cuda":
            return f"{self.device} ({torch.cuda.get_device_name(self.device)}{whose})"
        return f"{self.device.type} ({torch.get_num_threads()} threads{whose})"


def pick(name: str | None = None) -> Runtime:
    """Choose the runtime: `name`, else TEXT2ART_DEVICE, else CUDA, MPS or CPU, whichever there is.

    Number types are those of `network_dtype`; small networks keep float32 on a CPU without AMX.

    Raises:
        SettingsError: the named device is unknown or not on this machine, or TEXT2ART_DTYPE names
            no number type.
    """
    wanted = name or os.environ.get("TEXT2ART_DEVICE") or "auto"
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise SettingsError(
            f"unknown device {wanted!r}: use auto, cpu, cuda, cuda:1 or mps"
        ) from None
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise SettingsError(
                f"device {wanted!r} is not there: this machine has {count} CUDA devices. "
                "Use TEXT2ART_DEVICE=cpu or auto"
            )
    elif device.type == "mps" and not torch.backends.mps.is_available():
        raise SettingsError("device 'mps' is not there: use TEXT2ART_DEVICE=cpu or auto")
    elif device.type not in ("cpu", "mps"):
        raise SettingsError(f"device {wanted!r} is not supported: use auto, cpu, cuda or mps")
    return Runtime(device, network_dtype(device, small=True), network_dtype(device))


def network_dtype(device: torch.device, *, small: bool = False) -> torch.dtype:
    """Return the number type of frozen networks on a device.

    That is what TEXT2ART_DTYPE names, else bfloat16 where the hardware multiplies matrices in it,
    else float32. Small networks keep float32 on a CPU without AMX, whatever is named.

    Raises:
        SettingsError: TEXT2ART_DTYPE is neither float32 nor bfloat16.
    """
    named = _named_dtype()
    if small and device.type == "cpu" and not _cpu_multiplies_tiles():
        return torch.float32
    return named or _fastest(device)


def _named_dtype() -> torch.dtype | None:
    """Return the number type that TEXT2ART_DTYPE names; None: the hardware decides."""
    named = os.environ.get("TEXT2ART_DTYPE", "").strip().lower()
    if named and named not in _DTYPES:
        raise SettingsError(
            f"unknown number type TEXT2ART_DTYPE={named!r}: use {' or '.join(_DTYPES)}, or leave "
            "it away to let the hardware decide"
        )
    return _DTYPES[named] if named else None


def _fastest(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    half = device.type == "cpu" and _cpu_multiplies_bfloat16()
    return torch.bfloat16 if half else torch.float32


def _cpu_multiplies_bfloat16() -> bool:
    """Whether the processor has instructions for it: AVX512-BF16 or AMX. Others emulate, slowly."""
    return _cpu_multiplies_tiles() or _cpu_has("_is_avx512_bf16_supported")


def _cpu_multiplies_tiles() -> bool:
    """Whether the processor has AMX, by which small convolutions are twice as fast in bfloat16.

    With AVX512-BF16 alone they are a quarter slower than in float32.
    """
    return _cpu_has("_is_amx_tile_supported")


def _cpu_has(query: str) -> bool:
    """Ask torch, and whether its convolutions would make use of it; old ones cannot say."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    asked = getattr(torch.cpu, query, None)
    return asked is not None and bool(asked())


def is_large(net: nn.Module) -> bool:
    """Whether a network has so many parameters that its number type decides how long a step is."""
    return sum(parameter.numel() for parameter in net.parameters()) >= LARGE


def stream(seed: int | str, purpose: str) -> torch.Generator:
    """Return an independent CPU random stream for one purpose of one run.

    Streams are drawn on the CPU and moved, so CPU and GPU see the same numbers, and a stream is
    named rather than shared, so adding a part never shifts the numbers of another.
    """
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    generator = torch.Generator(device="cpu")
    generator.manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return generator


def freeze(module: nn.Module) -> nn.Module:
    """Put a network into inference mode without gradients of its own weights."""
    module.eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module


def move(tensor: Tensor, like: Tensor) -> Tensor:
    """Return `tensor` on the device of `like`, without waiting for the copy."""
    if like.is_cuda and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()  # else the copy waits for what the device has still to do
    return tensor.to(like.device, non_blocking=True)


def fetch(tensor: Tensor) -> Callable[[], Tensor]:
    """Begin to copy a tensor to the CPU; return what waits for the copy and gives it.

    The copy is the device's next work, so nothing that comes later changes what it sees.
    """
    if not tensor.is_cuda:
        here = tensor.cpu()
        return lambda: here
    copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    copy.copy_(tensor, non_blocking=True)
    done = torch.cuda.Event()  # type: ignore[no-untyped-call]
    done.record(torch.cuda.current_stream(tensor.device))

    def arrived() -> Tensor:
        done.synchronize()
        return copy

    return arrived


def placed(numbers: Sequence[Any], like: Tensor) -> Tensor:
    """Return numbers as a tensor of the type and on the device of `like`, without waiting.

    `like.new_tensor` waits until the device has done all it was given.
    """
    return move(torch.tensor(numbers, dtype=like.dtype), like)


def on_device_of(tensor: Tensor) -> AbstractContextManager[object]:
    """Return a context in which kernels are started on the device of `tensor`, if it is CUDA."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()


class CudaGraphs:
    """Records works on a CUDA device as CUDA graphs: a `graphs.Recorder`."""

    _SPARE = 0.4  # of the device's memory: graphs keep theirs, whatever else needs some

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def has_room(self) -> bool:
        """Whether so much memory is free that a graph may keep some."""
        _, total = torch.cuda.mem_get_info(self._device)
        return (free_memory(self._device) or 0) >= self._SPARE * total

    def record(self, *works: Callable[[], None]) -> list[Callable[[], None]]:
        """Do works in turn, then record each of them; return what repeats them."""
        with torch.cuda.device(self._device):
            room = torch.cuda.graph_pool_handle()
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):  # kernels are loaded and chosen at their first call
                for work in works:
                    work()
            torch.cuda.current_stream().wait_stream(side)
            graphs = [torch.cuda.CUDAGraph() for _ in works]
            for graph, work in zip(graphs, works, strict=True):
                # Other threads may allocate meanwhile; one stream, for gradients follow it.
                with torch.cuda.graph(
                    graph, pool=room, stream=side, capture_error_mode="thread_local"
                ):
                    work()
        return [graph.replay for graph in graphs]


def recorder(device: torch.device) -> CudaGraphs | None:
    """Return what records graphs on a device; None where nothing does, or TEXT2ART_GRAPHS is 0."""
    wanted = os.environ.get("TEXT2ART_GRAPHS", "").strip().lower() not in ("0", "off", "false")
    return CudaGraphs(device) if wanted and device.type == "cuda" else None


# What other allocators say in a plain RuntimeError: those of the CPU, of C++, of oneDNN (it gives
# no reason), of MPS, and of CUDA's libraries, which allocate for themselves.
_NO_MEMORY = (
    "DefaultCPUAllocator",
    "bad_alloc",
    "could not create a primitive",
    "MPS backend out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _NO_MEMORY)


def out_of_memory(what: str) -> OutOfMemory:
    """Return the error that says what memory was too little for, and what to do."""
    return OutOfMemory(
        f"out of memory while {what}: use a smaller size, fewer cuts, or a lower quality"
    )


@contextmanager
def memory_errors(what: str) -> Iterator[None]:
    """Turn an out-of-memory report of torch into advice."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        release_memory()
        raise out_of_memory(what) from error


def release_memory() -> None:
    """Give back what nothing refers to any more."""
    gc.collect()
    hostmemory.give_back_freed()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def free_memory(device: torch.device) -> int | None:
    """Return how many bytes a device has left, None where nobody knows (MPS, no Linux).

    On CUDA that includes what torch holds ready for reuse.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + idle
    return hostmemory.available() if device.type == "cpu" else None
