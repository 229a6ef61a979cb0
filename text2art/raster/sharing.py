"""Share loops over paths or rows among threads, by how much there is to do for each."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

# Less than this (pixels, or lines) is not worth waking other threads for.
SMALL = 20_000


def starts(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where parts of these sizes begin when laid one after another, and the end."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])


def share(work: Callable[[int, int], None], load: NDArray[np.int64]) -> None:
    """Do `work(start, stop)` on all items, shared among as many threads as torch uses.

    Args:
        work: does the items from `start` to `stop`, each by itself.
        load: `(n + 1,)`, how much is to be done before each item, and in all.
    """
    count, threads = len(load) - 1, torch.get_num_threads()
    if threads == 1 or count < 2 or load[-1] < SMALL:
        work(0, count)
        return
    cuts = np.searchsorted(load, np.linspace(0, load[-1], threads + 1)[1:-1])
    parts = [(a, b) for a, b in itertools.pairwise([0, *cuts.tolist(), count]) if a < b]
    pool = _pool(threads, os.getpid())
    for done in [pool.submit(work, *part) for part in parts]:
        done.result()


@functools.cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Return threads to share work with; a forked process has none of its parent's."""
    return ThreadPoolExecutor(threads, thread_name_prefix=f"raster-{process}")
