"""Count what Python gives to the device in a step, with and without graphs.

`python -m benchmarks.launches [--config NAMES]` prints a table in Markdown. It is counted on the
CPU, as torch's operations: views, which cost the device nothing, and the choice of looks, which is
made on the CPU everywhere, are left out; a graph that is replayed counts one, and so does the
optimizer's update, which is one kernel on CUDA. Each is at least one kernel there, and some
microseconds of Python before it: where kernels are over sooner than that, the device waits.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.loop.configs import CONFIGS, chosen
from benchmarks.loop.networks import RandomModels, tiny_changes
from text2art import graphs, loop
from text2art.nets import packed
from text2art.runtime import pick
from text2art.session import Session

STEPS = graphs.AFTER + 2  # the last of which has its networks as graphs
_MAKERS = ("perceptors.starter", "perceptors.open_clip", "nets.vqgan")  # who asks for a recorder
NAMES = ("starter-draft-pyramid", "vqgan-256-b32-32", "better", "pixel", "clipdraw-256")


Made = TypeVar("Made")


class Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts operations that are not mere views; it also records graphs, whose works it skips.

    Attributes:
        count: operations so far.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0
        self._skipping = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        changes = func._schema.is_mutable  # noqa: SLF001 - no other name for it
        if not self._skipping and (changes or not _is_view(made, args)):
            self.count += 1
        return made

    def has_room(self) -> bool:
        """See `graphs.Recorder`."""
        return True

    def record(self, *works: Callable[[], None]) -> list[Callable[[], None]]:
        """See `graphs.Recorder`: works are done again, and count as one operation each."""
        for work in works:
            work()
        return [lambda work=work: self._once(work) for work in works]  # type: ignore[misc]

    def _once(self, work: Callable[[], None]) -> None:
        self.count += 1
        self.skip(work)

    def skip(self, work: Callable[[], Made]) -> Made:
        """Do something that does not count."""
        before, self._skipping = self._skipping, True
        try:
            return work()
        finally:
            self._skipping = before


def _is_view(made: Any, given: Any) -> bool:
    places = {t.untyped_storage().data_ptr() for t in _tensors(given)}
    return all(t.untyped_storage().data_ptr() in places for t in _tensors(made))


def _tensors(tree: Any) -> Iterator[torch.Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor))


@contextmanager
def recording(counter: Counter | None) -> Iterator[None]:
    """Have networks that are loaded meanwhile recorded by a counter; None: by nothing."""
    with ExitStack() as patches:
        for name in _MAKERS:
            patches.enter_context(mock.patch(f"text2art.{name}.recorder", return_value=counter))
        yield


def operations(name: str, *, with_graphs: bool, tiny: bool = False) -> int:
    """Return how many operations a later step of a configuration takes.

    Args:
        name: of the configuration.
        with_graphs: whether its networks are graphs by then.
        tiny: whether networks are tiny, for tests.
    """
    counter, config = Counter(), CONFIGS[name]
    settings = config.made(**(tiny_changes(config.settings) if tiny else {}))
    torch.set_num_threads(1)  # else small networks go to threads of their own, as on no GPU
    # Kernels in the CPU's own order are nothing that CUDA has.
    on_cuda = mock.patch.object(packed, "MOST_PIXELS", 0)
    with recording(counter if with_graphs else None), on_cuda:
        session = Session(settings, models=RandomModels(pick("cpu"), tiny=tiny))
        frames = loop.run(session.scene, 10**6)
        for _ in range(STEPS - 1):
            next(frames)
        choose, update = session.scene.cutouts.choose, session.scene.optimizer.step
        skipped = {
            "cutouts": lambda *given: counter.skip(lambda: choose(*given)),
            "optimizer": lambda: counter.skip(update),
        }
        with (
            mock.patch.object(session.scene.cutouts, "choose", skipped["cutouts"]),
            mock.patch.object(session.scene.optimizer, "step", skipped["optimizer"]),
            counter,
        ):
            before = counter.count
            next(frames)
    return counter.count - before + 1


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.launches", description=__doc__)
    parser.add_argument("--config", nargs="+", default=list(NAMES), metavar="NAME")
    given = parser.parse_args(arguments)
    print("| configuration | operations of a step | with graphs |")
    print("|---|---|---|")
    for name in chosen(given.config):
        if name in CONFIGS:
            plain, graphed = (operations(name, with_graphs=graphs) for graphs in (False, True))
            print(f"| `{name}` | {plain} | {graphed} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
