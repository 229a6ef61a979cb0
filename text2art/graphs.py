"""Frozen networks as CUDA graphs: what takes hundreds of launches from Python is replayed by one.

A small network is over before Python has launched it, so the device waits. A graph holds what a
network launches for inputs of one shape, forward and backward, and the memory it works in. Replayed
on other inputs it gives what the network itself gives: that is checked once for each graph, and
where it is not so, or where no graph can be made, the network is called as if nothing had been.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from text2art import runtime

Function = Callable[..., Tensor]
Key = tuple[Any, ...]

AFTER = 4  # calls of one shape before it is worth a graph: it costs a few more
_MOST = 12  # graphs of a function: shapes by those that are between forward and backward at a time
_SHAPES = 256  # of which is known how often they came
_LIKE = 0.05  # how far what a graph gives may be from what the network gives, by their norms
_log = logging.getLogger(__name__)


class Recorder(Protocol):
    """Makes graphs of works: `runtime.CudaGraphs`, or what tests put in its place."""

    def has_room(self) -> bool:
        """Whether there is memory to spare for another graph."""
        ...

    def record(self, *works: Callable[[], None]) -> list[Callable[[], None]]:
        """Do works in turn, then record each of them; return what repeats them.

        A work that is repeated reads and writes the very memory that it did when recorded, and
        runs no Python. Works recorded together share their memory: they are repeated in turn.
        """
        ...


def graphed(function: Function, recorder: Recorder | None) -> Function:
    """Return a function of tensors that gives the same from graphs, where something makes them.

    Args:
        function: of tensors alone, all on one device, to one tensor; it has no random numbers,
            keeps nothing, and gradients of what it holds itself are not asked for.
        recorder: `runtime.recorder` of the device; None returns the function.
    """
    return function if recorder is None else Graphed(function, recorder)


class Graphed:
    """A function, and its graphs by the shapes of what it is given. Safe to share by threads."""

    def __init__(self, function: Function, recorder: Recorder) -> None:
        self._function, self._recorder = function, recorder
        self._lock = threading.Lock()
        self._calls: OrderedDict[Key, int] = OrderedDict()
        self._graphs: OrderedDict[int, Graph] = OrderedDict()  # the one used longest ago first
        self._off = False

    def __call__(self, *given: Tensor) -> Tensor:
        """Return what the function returns; gradients reach what it was given, once."""
        learns = torch.is_grad_enabled() and any(t.requires_grad for t in given)
        with self._lock:
            graph = None if self._off else self._idle(_key(given, learns), given, learns)
            if graph is not None:
                graph.busy = True
        if graph is None:
            return self._function(*given)
        lease = _Lease(graph)
        if learns:
            seen: Tensor = _Replay.apply(lease, *given)
        else:
            seen = graph.forward(given)
            lease.end()
        return seen

    def _idle(self, key: Key, given: tuple[Tensor, ...], learns: bool) -> Graph | None:
        """Return a graph for such inputs that waits for no gradient, made now if it is time."""
        for number, graph in self._graphs.items():
            if graph.key == key and not graph.busy:
                self._graphs.move_to_end(number)
                return graph
        self._calls[key] = calls = self._calls.pop(key, 0) + 1
        if len(self._calls) > _SHAPES:
            self._calls.popitem(last=False)
        if calls <= AFTER or not self._makes_room():
            return None
        return self._made(key, given, learns)

    def _makes_room(self) -> bool:
        """Give up the graph used longest ago if there are many; false where none can be."""
        if len(self._graphs) >= _MOST:
            idle = next((n for n, graph in self._graphs.items() if not graph.busy), None)
            if idle is None:
                return False
            del self._graphs[idle]
        return self._recorder.has_room()

    def _made(self, key: Key, given: tuple[Tensor, ...], learns: bool) -> Graph | None:
        try:
            graph = Graph(self._function, self._recorder, key, given, learns)
            reason = "" if graph.is_faithful() else "it gives something else"
        except Exception as error:  # whatever it is: the network itself is there
            # In words: the error's own frames would keep the memory that may have run out.
            reason = " ".join(str(error).split())[:200] or type(error).__name__
        if reason:
            _log.warning("no CUDA graph of a network (%s): it is called itself", reason)
            self._off = True
            self._graphs.clear()
            runtime.release_memory()
            return None
        self._graphs[id(graph)] = graph
        self._calls[key] = 0  # another one, for several at a time, when that is as common
        return graph


class Graph:
    """One function at one shape of its inputs, recorded.

    Attributes:
        key: what kind of inputs it is for.
        busy: whether somebody may still ask for the gradient of what it gave last.
    """

    def __init__(
        self,
        function: Function,
        recorder: Recorder,
        key: Key,
        given: tuple[Tensor, ...],
        learns: bool,
    ) -> None:
        self.key, self.busy = key, False
        self._function, self._learns = function, learns
        self._inputs = _leaves(given, learns)
        self._out: Tensor
        self._pull: Tensor | None = None
        self._found: tuple[Tensor, ...] = ()
        works = [self._work_forward, *([self._work_backward] if learns else [])]
        self._again = recorder.record(*works)

    def _work_forward(self) -> None:
        with torch.set_grad_enabled(self._learns):
            self._out = self._function(*self._inputs)

    def _work_backward(self) -> None:
        if self._pull is None:  # made the first time, when nothing is recorded yet
            self._pull = torch.ones_like(self._out)
        leaves = [t for t in self._inputs if t.requires_grad]
        self._found = torch.autograd.grad(self._out, leaves, self._pull)

    def forward(self, given: Sequence[Tensor]) -> Tensor:
        """Return what the function gives, a tensor of its own."""
        with torch.no_grad():
            for place, tensor in zip(self._inputs, given, strict=True):
                place.copy_(tensor)
            self._again[0]()
            return self._out.detach().clone()

    def backward(self, pull: Tensor) -> list[Tensor | None]:
        """Return the gradients of what `forward` was given last, None where none is asked for."""
        assert self._pull is not None
        with torch.no_grad():
            self._pull.copy_(pull)
            self._again[1]()
            found = iter(self._found)
            return [next(found).clone() if t.requires_grad else None for t in self._inputs]

    def is_faithful(self) -> bool:
        """Whether it gives what the function itself gives of the present inputs."""
        given = _leaves(self._inputs, self._learns)
        with torch.set_grad_enabled(self._learns):
            expected = self._function(*given)
        pull = torch.linspace(-1, 1, expected.numel()).reshape(expected.shape).to(expected)
        pairs = [(self.forward(given), expected.detach())]
        if self._learns:
            leaves = [t for t in given if t.requires_grad]
            wanted = torch.autograd.grad(expected, leaves, pull)
            found = [t for t in self.backward(pull) if t is not None]
            pairs += zip(found, wanted, strict=True)
        return all(_alike(now, before) for now, before in pairs)


class _Replay(torch.autograd.Function):
    """Replays a graph, which is busy until its gradient was asked for or nobody can any more."""

    @staticmethod
    def forward(ctx: Any, lease: _Lease, *given: Tensor) -> Tensor:
        assert lease.graph is not None
        ctx.lease = lease
        return lease.graph.forward(given)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *pulls: Tensor) -> tuple[Tensor | None, ...]:
        graph = ctx.lease.graph
        if graph is None:
            raise RuntimeError("a network replayed as a CUDA graph is gone through backward once")
        found = graph.backward(pulls[0])
        ctx.lease.end()
        return None, *found


class _Lease:
    """Keeps a graph busy until it ends, or until nothing refers to this any more."""

    def __init__(self, graph: Graph) -> None:
        self.graph: Graph | None = graph

    def end(self) -> None:
        """Let others have the graph."""
        if self.graph is not None:
            self.graph.busy = False
            self.graph = None

    def __del__(self) -> None:
        self.end()


def _key(given: tuple[Tensor, ...], learns: bool) -> Key:
    kinds = ((t.shape, t.stride(), t.dtype, t.requires_grad and learns) for t in given)
    return (learns, *kinds)


def _leaves(given: Sequence[Tensor], learns: bool) -> list[Tensor]:
    """Return copies whose gradients can be asked for where those of what is given can."""
    return [t.detach().clone().requires_grad_(learns and t.requires_grad) for t in given]


def _alike(now: Tensor, before: Tensor) -> bool:
    away = (now - before).float().norm()
    return bool(away <= _LIKE * before.float().norm() + 1e-12)
