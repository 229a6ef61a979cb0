"""Plans with their captions' token rows, from this process or from workers ahead of the training.

Planning is plain Python: a GPU that composes and trains in microseconds a picture would wait for
one process, so worker processes plan ahead.
"""

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from training.captions import CONTEXT, UNKNOWN, WordTokenizer
from training.plan import Plan, Planner

UNKNOWN_SHARE = 0.06  # captions with an unknown word put in: the model learns to pass over it
_AHEAD = 3  # chunks that wait, per worker


@dataclass
class Written:
    """A plan and its captions as rows of the token table.

    Attributes:
        plan: n pictures.
        rows: (n, L) int16, of the true captions.
        false_rows: (n, L), of the false ones. L is a multiple of 8 that holds the longest.
    """

    plan: Plan
    rows: NDArray[np.int16]
    false_rows: NDArray[np.int16]


class PlanSource(Protocol):
    """Gives written plans without end."""

    def next(self, difficulty: float) -> Written:
        """Return the next plan, about as hard as asked for."""
        ...


class Writer:
    """Plans and writes chunks; chunk k of a seed is the same whoever writes it.

    Args:
        planner: decides what is shown.
        token_ids: known token ids by rising id, one per row after padding and unknown.
        seed: of the plans.
        size: pictures per chunk.
    """

    def __init__(self, planner: Planner, token_ids: Sequence[int], seed: int, size: int) -> None:
        self._planner, self._seed, self._size = planner, seed, size
        self._tokenizer: WordTokenizer | None = None  # made where it is used: it is not picklable
        self._row_of = {token: i + 2 for i, token in enumerate(token_ids)}
        self._row_of[0] = 0

    def write(self, chunk: int, difficulty: float) -> Written:
        """Return chunk number `chunk`; half of its pictures at most as hard, half exactly."""
        rng = np.random.default_rng([self._seed, chunk])
        dif = np.full(self._size, difficulty, dtype=np.float32)
        dif[::2] *= rng.random(len(dif[::2])).astype(np.float32)
        plan = self._planner.draw(dif, rng)
        captions = plan.captions + plan.false_captions
        rows = self.rows(captions, rng.random((len(captions), 2)))
        n = len(plan.captions)
        return Written(plan, rows[:n], rows[n:])

    def rows(self, captions: Sequence[str], u: NDArray[np.float64] | None = None) -> Any:
        """Return rows of the token table, (T, L) int16.

        Args:
            captions: T texts.
            u: (T, 2) numbers in [0, 1) that put an unknown word into some; None for none.
        """
        table = np.zeros((len(captions), CONTEXT), dtype=np.int16)
        self._tokenizer = self._tokenizer or WordTokenizer()
        known, longest = self._row_of, 1
        for i, caption in enumerate(captions):
            ids = self._tokenizer.ids(caption)
            if u is not None and u[i, 0] < UNKNOWN_SHARE and len(ids) < CONTEXT:
                ids.insert(1 + int(u[i, 1] * (len(ids) - 1)), UNKNOWN)
            longest = max(longest, len(ids))
            table[i, : len(ids)] = [known.get(t, 1) for t in ids]
        return table[:, : -(-longest // 8) * 8]


class Here:
    """Writes in this process: for tests, and where one core must do for all.

    Args:
        writer: of the chunks.
        first: number of the first chunk.
    """

    def __init__(self, writer: Writer, first: int = 0) -> None:
        self._writer, self._chunk = writer, first

    def next(self, difficulty: float) -> Written:
        """See `PlanSource.next`."""
        written = self._writer.write(self._chunk, difficulty)
        self._chunk += 1
        return written


class Workers:
    """Writes in worker processes, a few chunks ahead; use as a context manager.

    The difficulty is that of the moment of writing, a few chunks before it is used.

    Args:
        writer: of the chunks.
        count: of processes.
        first: number of the first chunk.
    """

    def __init__(self, writer: Writer, count: int, first: int = 0) -> None:
        context = multiprocessing.get_context("spawn")
        self._difficulty = context.Value("d", 0.0)
        self._queue: Any = context.Queue(maxsize=_AHEAD * count)
        self._processes = [
            context.Process(
                target=_work,
                args=(writer, self._queue, self._difficulty, first + k, count),
                daemon=True,
            )
            for k in range(count)
        ]
        for process in self._processes:
            process.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()

    def next(self, difficulty: float) -> Written:
        """See `PlanSource.next`.

        Raises:
            RuntimeError: a worker died.
        """
        self._difficulty.value = difficulty
        while True:
            if any(not process.is_alive() for process in self._processes):
                raise RuntimeError("a planning worker died: see its traceback above")
            try:
                written: Written = self._queue.get(timeout=30.0)
            except Empty:
                continue
            return written


def _work(writer: Writer, queue: Any, difficulty: Any, first: int, step: int) -> None:
    chunk = first
    while True:
        written = writer.write(chunk, difficulty.value)
        written.plan.captions, written.plan.false_captions = [], []  # the rows say it, in less
        queue.put(written)
        chunk += step
