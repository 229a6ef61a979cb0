"""One side of a comparison in a process of its own, which works when it is told to.

Two of them take turns, so that what the machine does besides hits both alike, and each has a peak
of memory of its own. Requests and answers are lines of JSON: `{"do": "step", "count": 1}`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest import mock

from typing_extensions import Self

from text2art.errors import Text2ArtError

OURS, THEIRS, PEAKS = "ours", "ancestor", "peaks"
OUR_LOOKS, THEIR_LOOKS = "our-looks", "their-looks"
Answer = dict[str, Any]


class Worker:
    """A process that is one side.

    Args:
        side: what it is: OURS, THEIRS, PEAKS, OUR_LOOKS or THEIR_LOOKS.
        name: of the configuration, or the recipe of looks.
        device: as `runtime.pick` reads it.
        tiny: whether networks are tiny, for tests.

    Raises:
        Text2ArtError: from `ask`, with what the process says it cannot do.
    """

    def __init__(self, side: str, name: str, device: str, *, tiny: bool = False) -> None:
        given = [side, name, device, "tiny" if tiny else "full"]
        self._what = f"{side} {name}".strip()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.loop.worker", *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def ask(self, do: str, **given: Any) -> Answer:
        """Let it do something; return its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it ended; why, it has said itself
            self._process.stdin.write(json.dumps({"do": do, **given}) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise Text2ArtError(f"{self._what} ended with {self._process.wait()}: see above")
        answer: Answer = json.loads(line)
        if "error" in answer:
            raise Text2ArtError(answer["error"])
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()  # so that it ends by itself
        if error is not None:
            self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


# ---- within the process ------------------------------------------------------------------------


class Timer:
    """Times calls of one device, without waiting for it in between."""

    def __init__(self, device: Any) -> None:
        import torch

        self._cuda = device.type == "cuda"
        self._torch = torch

    def wait(self) -> None:
        """Wait for the device."""
        if self._cuda:
            self._torch.cuda.synchronize()

    def each(self, call: Callable[[], object], count: int) -> list[float]:
        """Return the seconds of each of so many calls; the device is waited for at the end."""
        if not self._cuda:
            marks = [time.perf_counter()]
            for _ in range(count):
                call()
                marks.append(time.perf_counter())
            return [b - a for a, b in itertools.pairwise(marks)]
        self.wait()
        event_of: Any = self._torch.cuda.Event
        events = [event_of(enable_timing=True) for _ in range(count + 1)]
        events[0].record()
        for event in events[1:]:
            call()
            event.record()
        self.wait()
        return [a.elapsed_time(b) / 1e3 for a, b in itertools.pairwise(events)]

    def memory(self) -> float:
        """Return the peak so far in MiB: allocated by torch on CUDA, else of the whole process."""
        if self._cuda:
            return float(self._torch.cuda.max_memory_allocated()) / 2**20
        try:
            text = Path("/proc/self/status").read_text(encoding="utf-8")
        except OSError:
            import resource

            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return peak / (2**20 if sys.platform == "darwin" else 2**10)
        (line,) = (line for line in text.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 2**10


class Side:
    """What is common to all sides: answers by name."""

    def __init__(self, device: str) -> None:
        from text2art.runtime import pick

        self.runtime = pick(device)
        self.timer = Timer(self.runtime.device)

    def answer(self, do: str, **given: Any) -> Answer:
        """Do what is asked for."""
        answer: Answer = getattr(self, f"do_{do}")(**given)
        return answer

    def do_about(self) -> Answer:
        """Say what computes."""
        import torch

        from text2art import __version__

        kind = self.runtime.device.type
        name = _processor() if kind == "cpu" else self.runtime.description
        threads = torch.get_num_threads()
        return {
            "device": kind, "machine": name, "threads": threads,
            "torch": torch.__version__, "text2art": __version__,
        }  # fmt: skip

    def do_memory(self) -> Answer:
        """Tell the peak of memory so far."""
        return {"mib": self.timer.memory()}


class Ours(Side):
    """Our own loop. Its first step is counted as it runs."""

    def __init__(self, name: str, device: str, *, tiny: bool) -> None:
        super().__init__(device)
        from benchmarks.loop.configs import CONFIGS
        from benchmarks.loop.floors import Tally
        from benchmarks.loop.networks import RandomModels, tiny_changes
        from benchmarks.loop.split import Split
        from text2art import loop
        from text2art.hostmemory import keep_freed
        from text2art.session import Session

        keep_freed()  # as the command line and the servers do
        config = CONFIGS[name]
        settings = config.made(**(tiny_changes(config.settings) if tiny else {}))
        self.session = Session(settings, models=RandomModels(self.runtime, tiny=tiny))
        self.split = Split()
        self.tally: Tally | None = None
        self._frames = loop.run(self.session.scene, 10**6)

    def do_step(self, count: int) -> Answer:
        """Take steps; on the CPU with clocks around the parts, which cost nothing there."""
        if self.tally is None:
            return self._first(count)
        if self.runtime.device.type == "cuda":
            return {"seconds": self.timer.each(self._one, count)}
        return self._clocked(count)

    def do_split(self, count: int) -> Answer:
        """Take steps with clocks that wait for the device."""
        from benchmarks.loop.split import Split

        self.split = Split(self.timer.wait)
        return self._clocked(count)

    def _one(self) -> None:
        self.frame = next(self._frames)

    def _clocked(self, count: int) -> Answer:
        from benchmarks.loop.split import installed

        parts: list[dict[str, float]] = []

        def one() -> None:
            self._one()
            parts.append(self.split.taken())

        with installed(self.split, self.session):
            return {"seconds": self.timer.each(one, count), "parts": parts}

    def _first(self, count: int) -> Answer:
        from benchmarks.loop.floors import Tally
        from text2art import graphs
        from text2art.nets import packed

        self.tally = Tally(lambda: self.split.part)
        # Bringing kernels into the library's order, once, is no step's work.
        with mock.patch.object(packed, "MOST_PIXELS", 0), self.tally:
            first = self._clocked(1)
        if self.runtime.device.type == "cuda":  # networks become graphs, which is no step's work
            for _ in range(graphs.AFTER + 2):
                self._one()
        if count == 1:
            return first
        rest = self.do_step(count - 1)
        both = [*first.get("parts", []), *rest.get("parts", [])]
        return {"seconds": first["seconds"] + rest["seconds"], "parts": both}

    def do_floor(self, peaks: Answer) -> Answer:
        """Tell the floor of a step, by part, and what was not counted."""
        from benchmarks.loop.floors import floors_of, traffic_between
        from benchmarks.loop.peaks import Peaks

        assert self.tally is not None
        scene, seers = self.session.scene, [p.size for p, _ in self.session.ensemble]
        owned = [p for group in scene.optimizer.param_groups for p in group["params"]]
        cuts = self.session.settings.cuts_for(max(seers))
        between = traffic_between(
            float(self.frame.image.nbytes),
            float(sum(p.nbytes for p in owned)),
            dict.fromkeys(seers, cuts),
            seers,
        )
        works = self.tally.works
        return {
            "floors": floors_of(works, between, Peaks(**peaks)),
            "flops": sum(work.flops for work in works if not work.extra),
            "chunk": scene.chunks.size,
            "strange": sorted(self.tally.strange),
        }


class Theirs(Side):
    """The ancestor's step."""

    def __init__(self, name: str, device: str, *, tiny: bool) -> None:
        super().__init__(device)
        from benchmarks.loop.ancestor import Ancestor
        from benchmarks.loop.configs import CONFIGS
        from benchmarks.loop.split import Split

        self.split = Split()
        self.ancestor = Ancestor(CONFIGS[name], self.runtime.device, tiny=tiny, split=self.split)

    def do_step(self, count: int) -> Answer:
        """Take steps, with clocks around the parts."""
        parts: list[dict[str, float]] = []

        def one() -> None:
            self.ancestor.step()
            parts.append(self.split.taken())

        seconds = self.timer.each(one, count)
        cuda = self.runtime.device.type == "cuda"  # there these clocks told only of launches
        return {"seconds": seconds} if cuda else {"seconds": seconds, "parts": parts}

    def do_split(self, count: int) -> Answer:
        """Take steps with clocks that wait for the device."""
        from benchmarks.loop.split import Split

        parts: list[dict[str, float]] = []
        swift, self.split = self.split, Split(self.timer.wait)
        self.ancestor.clocked_(self.split)
        for _ in range(count):
            self.ancestor.step()
            parts.append(self.split.taken())
        self.ancestor.clocked_(swift)
        self.split = swift
        return {"parts": parts}


class PeaksSide(Side):
    """The machine's rates."""

    def __init__(self, name: str, device: str, *, tiny: bool) -> None:
        super().__init__(device)
        self._quick = tiny

    def do_peaks(self) -> Answer:
        """Measure them."""
        from benchmarks.loop.peaks import measure

        options: dict[str, Any] = {"seconds": 0.0, "scale": 16} if self._quick else {}
        return asdict(measure(self.runtime, **options))


class OurLooks(Side):
    """Our looks alone, forward and backward."""

    def __init__(self, name: str, device: str, *, tiny: bool) -> None:
        super().__init__(device)
        from benchmarks.loop.views import ours
        from text2art.hostmemory import keep_freed

        keep_freed()
        self._once = ours(name, self.runtime.device, tiny=tiny)

    def do_step(self, count: int) -> Answer:
        """Take looks so many times."""
        return {"seconds": self.timer.each(self._once, count)}


class TheirLooks(Side):
    """An ancestor's looks alone, forward and backward."""

    def __init__(self, name: str, device: str, *, tiny: bool) -> None:
        super().__init__(device)
        from benchmarks.loop.views import theirs

        self._once = theirs(name, self.runtime.device, tiny=tiny)

    def do_step(self, count: int) -> Answer:
        """Take looks so many times."""
        return {"seconds": self.timer.each(self._once, count)}


SIDES: dict[str, Callable[..., Side]] = {
    OURS: Ours, THEIRS: Theirs, PEAKS: PeaksSide, OUR_LOOKS: OurLooks, THEIR_LOOKS: TheirLooks,
}  # fmt: skip


def _processor() -> str:
    """Return the processor's name, as the machine gives it."""
    import platform

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(names, platform.machine())}, {_vectors()}"


def _vectors() -> str:
    import torch

    return str(torch.backends.cpu.get_cpu_capability())


@contextlib.contextmanager
def _only_answers() -> Iterator[Any]:
    """Give what answers are written to; whatever else is printed goes to the error output."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        yield answers


def main(arguments: list[str]) -> None:
    side, name, device, size = arguments
    made: Side | None = None
    with _only_answers() as answers:
        for line in sys.stdin:
            try:
                made = made or SIDES[side](name, device, tiny=size == "tiny")
                answer = made.answer(**json.loads(line))
            except Text2ArtError as error:
                answer = {"error": str(error)}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(0)  # every answer is written; torch would take a second or two to put itself away
