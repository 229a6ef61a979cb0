"""Memory: the same picture whatever the chunk, plans that are measured, and recovery on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.cli_tools import Cli
from tests.tools.clip_files import TINY, TINY_RESNET, tiny_clip
from text2art import hostmemory, memory, workshop
from text2art.chunks import Chunks, see_in_chunks
from text2art.core import Frame, Perceptor
from text2art.errors import OutOfMemory
from text2art.models import Models
from text2art.perceptors import toy
from text2art.perceptors.open_clip import OpenClipPerceptor
from text2art.perceptors.toy import ToyPerceptor
from text2art.runtime import free_memory, freeze, is_out_of_memory, memory_errors, pick, stream
from text2art.serving.worker import Worker
from text2art.session import Session
from text2art.settings import Settings

CPU = pick("cpu")
PLENTY = 1 << 50
CPU_MESSAGE = (
    "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 4398046511104 bytes. Error code 12 (Cannot allocate memory)"
)


@pytest.fixture(autouse=True)
def _plenty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan nothing by what this machine happens to have free; tests of plans say how much."""
    has(PLENTY, monkeypatch)


def has(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "free_memory", lambda _: free)


def tiny(config: dict[str, Any]) -> OpenClipPerceptor:
    tokenizer: Any = open_clip.SimpleTokenizer(context_length=12)
    return OpenClipPerceptor("tiny", tiny_clip(config), tokenizer, CPU)


PERCEPTORS: dict[str, Callable[[], Perceptor]] = {
    "toy": lambda: ToyPerceptor(CPU),
    "starter": lambda: Models(CPU).perceptor("starter"),
    "ViT": lambda: tiny(TINY),
    "ResNet": lambda: tiny(TINY_RESNET),
}


def crops(n: int, size: int) -> Tensor:
    return torch.rand(n, 3, size, size, generator=stream("memory", "crops"))


def with_perceptor(perceptor: Perceptor) -> Models:
    models = Models(CPU)
    models._perceptors["toy"] = perceptor
    return models


def settings(**values: Any) -> Settings:
    tiny = {"prompts": "an apple", "perceptor": "toy", "drawer": "pixel", "size": "24x24"}
    return Settings.of(**{**tiny, "iterations": 6, "cuts": 8, "starts": 1, "seed": 7, **values})


def draw(models: Models, **values: Any) -> tuple[list[Frame], Session]:
    with Session(settings(**values), models=models) as drawing:
        return list(drawing.frames()), drawing


def assert_alike(some: Sequence[Frame], others: Sequence[Frame]) -> None:
    assert [frame.step for frame in some] == [frame.step for frame in others]
    for one, other in zip(some, others, strict=True):
        torch.testing.assert_close(one.image, other.image, atol=1e-4, rtol=0)
        assert one.loss == pytest.approx(other.loss, abs=1e-4)


# ---- the same gradient -------------------------------------------------------------------------


@pytest.mark.parametrize("name", PERCEPTORS)
@pytest.mark.parametrize("size", [1, 3, 4])
def test_chunks_see_the_same_and_pull_the_same(name: str, size: int) -> None:
    perceptor = PERCEPTORS[name]()
    seen, gradient = pulled(perceptor.see, perceptor.size)
    in_chunks = pulled(lambda x: see_in_chunks(perceptor.see, x, size), perceptor.size)
    torch.testing.assert_close(in_chunks[0], seen, atol=1e-5, rtol=0)
    scale = float(gradient.abs().max())
    assert scale > 0
    torch.testing.assert_close(in_chunks[1], gradient, atol=1e-3 * scale, rtol=0)


def pulled(see: Callable[[Tensor], Tensor], size: int) -> tuple[Tensor, Tensor]:
    """The embeddings of seven crops, and the crops' gradient of a loss that mixes them all."""
    leaf = crops(7, size).requires_grad_()
    seen = see(leaf * 0.9)
    weights = torch.randn(seen.shape, generator=stream("memory", "weights"))
    mixed = (seen @ seen.T).square().sum() + (seen * weights).sum().exp()
    return seen.detach(), torch.autograd.grad(mixed, leaf)[0]


def test_gradients_are_exact_to_second_differences() -> None:
    net = freeze(nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Tanh()).double())
    leaf = crops(5, 2).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: see_in_chunks(net, x, 2), leaf)


def test_one_chunk_is_plain_seeing() -> None:
    perceptor = tiny(TINY)
    one, two = pulled(perceptor.see, 32), pulled(lambda x: see_in_chunks(perceptor.see, x, 7), 32)
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])


def test_chunks_are_even_and_one_graph_lives_at_a_time() -> None:
    log: list[str] = []

    class Logged(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, *gradients: Tensor) -> Tensor:
            log.append(f"back {len(gradients[0])}")
            return gradients[0]

    def see(x: Tensor) -> Tensor:
        log.append(f"{'graph' if torch.is_grad_enabled() else 'plain'} {len(x)}")
        seen: Tensor = Logged.apply(x)
        return seen.flatten(1)

    torch.autograd.backward(see_in_chunks(see, crops(11, 2).requires_grad_(), 4).sum())
    forward = ["plain 4", "plain 4", "graph 3"]
    assert log == [*forward, "back 3", "graph 4", "back 4", "graph 4", "back 4"]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_only_the_last_chunk_is_kept(size: int) -> None:
    perceptor = tiny(TINY)
    each = memory.crop_bytes(perceptor, CPU)
    leaf = crops(10, 32).requires_grad_()
    weights = memory.kept_bytes(lambda: perceptor.see(leaf[:1])) - each
    kept = memory.kept_bytes(lambda: see_in_chunks(perceptor.see, leaf, size))
    assert kept == weights + size * each + leaf.nbytes  # the crops themselves, to be seen again


# ---- the same pictures -------------------------------------------------------------------------


@pytest.mark.parametrize("name", PERCEPTORS)
@pytest.mark.parametrize("chunk", [1, 3])
def test_pictures_do_not_depend_on_the_chunk(name: str, chunk: int) -> None:
    models = with_perceptor(PERCEPTORS[name]())
    losses = "smoothness:0.5,framing:0.1"  # beside the looks, whatever the defaults are
    at_once, _ = draw(models, iterations=4, losses=losses)
    in_chunks, drawing = draw(models, iterations=4, chunk=chunk, losses=losses)
    assert_alike(in_chunks, at_once)
    assert drawing.scene.chunks.size == chunk
    assert float((at_once[0].image - at_once[-1].image).abs().max()) > 0.01  # or it says nothing


@pytest.mark.parametrize("name", ["starter", "ViT"])
def test_same_chunk_same_bits(name: str) -> None:
    models = with_perceptor(PERCEPTORS[name]())
    once, again = (draw(models, chunk=3, iterations=3)[0] for _ in range(2))
    assert all(torch.equal(a.image, b.image) for a, b in zip(once, again, strict=True))


def test_several_starts_share_the_chunk() -> None:
    values = {"starts": 3, "iterations": 30}
    at_once, _ = draw(Models(CPU), **values)
    in_chunks, _ = draw(Models(CPU), chunk=3, **values)
    assert_alike(in_chunks, at_once)


# ---- running out -------------------------------------------------------------------------------


class _Heavy(torch.autograd.Function):
    """Runs out of memory backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, run_out: Callable[[], None]) -> Tensor:
        ctx.run_out = run_out
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        ctx.run_out()
        return gradients[0], None


class Limited(ToyPerceptor):
    """A toy with too little memory.

    Args:
        limit: most crops it can see with their gradient.
        backward: whether memory lasts until the backward pass.
        after: looks with gradient before which there is no limit.
        error: what it raises.
    """

    def __init__(
        self, limit: int, *, backward: bool = False, after: int = 0, error: Exception | None = None
    ) -> None:
        super().__init__(CPU)
        self.limit, self.backward, self.after = limit, backward, after
        self.error = error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        self.seen: list[int] = []
        self.failures = 0

    def see(self, crops: Tensor) -> Tensor:
        if not crops.requires_grad:
            return super().see(crops)
        self.seen.append(len(crops))
        if len(crops) > self.limit and len(self.seen) > self.after:
            if not self.backward:
                self._run_out()
            crops = _Heavy.apply(crops, self._run_out)
        return super().see(crops)

    def _run_out(self) -> None:
        self.failures += 1
        raise type(self.error)(*self.error.args)  # anew: a kept one would keep its frames


ERRORS = [None, RuntimeError(CPU_MESSAGE), MemoryError()]


@pytest.mark.parametrize("error", ERRORS, ids=["CUDA", "CPU", "Python"])
@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize(
    ("limit", "after", "halvings"), [(4, 0, [4]), (2, 3, [4, 2]), (1, 2, [4, 2, 1])]
)
def test_the_step_is_repeated_with_half_the_chunk(
    limit: int, after: int, halvings: list[int], backward: bool, error: Exception | None
) -> None:
    plain, _ = draw(Models(CPU))
    perceptor = Limited(limit, backward=backward, after=after, error=error)
    updates = 0
    with Session(settings(), models=with_perceptor(perceptor)) as drawing:
        step = drawing.scene.optimizer.step

        def counted(*arguments: Any, **named: Any) -> Any:
            nonlocal updates
            updates += 1
            return step(*arguments, **named)

        drawing.scene.optimizer.step = counted  # type: ignore[method-assign]
        told = len(drawing.notices)
        frames = list(drawing.frames())
    assert_alike(frames, plain)  # and so are their steps
    assert updates == 6
    assert perceptor.failures == len(halvings)
    assert torch.equal(frames[0].image, plain[0].image)
    late = drawing.notices[told:]
    assert len(late) == len(halvings)
    for notice, size, before in zip(late, halvings, [8, *halvings], strict=False):
        assert f"looks {before} at a time" in notice
        assert f"repeated with {size} at a time" in notice


def test_memory_may_run_out_in_one_of_many_chunks() -> None:
    plain, _ = draw(Models(CPU))
    # After two whole steps of three chunks: the last was seen, the next is in the backward pass.
    perceptor = Limited(2, backward=True, after=7)
    frames, drawing = draw(with_perceptor(perceptor), chunk=3)
    assert_alike(frames, plain)
    assert perceptor.failures == 1
    assert drawing.scene.chunks.tried == [3]
    assert drawing.scene.chunks.size == 1


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
def test_one_at_a_time_that_fails_is_an_error_with_advice(backward: bool) -> None:
    with Session(settings(), models=with_perceptor(Limited(0, backward=backward))) as drawing:
        frames = drawing.frames()
        with pytest.raises(OutOfMemory, match="8, 4, 2, 1 at a time: use a smaller size"):
            next(frames)


def test_what_was_drawn_is_there_after_memory_ran_out() -> None:
    with Session(settings(), models=with_perceptor(Limited(0, after=3))) as drawing:
        frames = drawing.frames()
        shown = [next(frames) for _ in range(3)]
        with pytest.raises(OutOfMemory):
            next(frames)
        kept = drawing.snapshot()
    assert kept.step == 3
    assert not torch.equal(kept.image, shown[-1].image)


def test_other_errors_are_not_taken_for_it() -> None:
    bug = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    perceptor = Limited(4, error=bug)
    drawing = Session(settings(), models=with_perceptor(perceptor))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        next(drawing.frames())
    assert perceptor.failures == 1


def test_every_face_tells_what_happened_on_the_way(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy, "build", lambda model, runtime: Limited(4, after=1))
    line = "it ran out with looks 8 at a time; the step is repeated with 4 at a time"
    answer = cli(
        "draw", "an apple", "perceptor=toy", "cuts=8", "iterations=2", "starts=1", "--json"
    )
    assert answer.code == 0
    assert any(line in notice for notice in json.loads(answer.out.splitlines()[-1])["notices"])
    assert line in answer.err
    said: list[str] = []
    worker = Worker(said.append)
    given = "{perceptor: toy, cuts: 8, starts: 1, size: 24x24}"
    inputs = {"prompts": "an apple", "settings": given, "iterations": 2, "seed": 1}
    assert list(worker.draw(inputs, lambda *_: None))
    assert any(line in notice for notice in said)


def test_sessions_do_not_share_their_chunks() -> None:
    models = with_perceptor(Limited(4))
    apart = draw(models, cuts=8)[0], draw(models, cuts=4, prompts="a pear")[0]
    one = Session(settings(cuts=8), models=models)
    two = Session(settings(cuts=4, prompts="a pear"), models=models)
    together = list(zip(one.frames(), two.frames(), strict=True))
    for frames, alone in zip(zip(*together, strict=True), apart, strict=True):
        assert all(torch.equal(a.image, b.image) for a, b in zip(frames, alone, strict=True))
    assert one.scene.chunks.size == 4
    assert two.scene.chunks.size is None
    assert not any("memory" in notice for notice in two.notices)


def test_a_failed_attempt_leaves_no_tensors_behind() -> None:
    """What the failed attempt had made must be gone before the next one, or that fails too."""
    alive: list[Any] = []
    found: list[int] = []

    class Watching(Limited):
        def see(self, crops: Tensor) -> Tensor:
            if crops.requires_grad and len(crops) <= 4 and not found:
                found.append(sum(ref() is not None for ref in alive))
            elif crops.requires_grad and len(crops) > 4:
                alive.append(weakref.ref(crops))
            return super().see(crops)

    draw(with_perceptor(Watching(4)))
    assert len(alive) == 1
    assert found == [0]


def test_errors_of_every_allocator_are_recognized() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 62, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"))
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling x"))
    assert not is_out_of_memory(RuntimeError("CUDA error: an illegal memory access"))
    assert not is_out_of_memory(ValueError("DefaultCPUAllocator"))
    with pytest.raises(OutOfMemory, match="while testing"), memory_errors("testing"):
        torch.empty(1 << 62, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="a bug"), memory_errors("testing"):
        raise RuntimeError("a bug")


SHORT = """
import resource
from pathlib import Path

import torch
from torch.nn import functional as F

from text2art.models import Models
from text2art.perceptors.toy import ToyPerceptor
from text2art.runtime import pick
from text2art.session import Session
from text2art.settings import Settings


class Balloon(ToyPerceptor):
    def see(self, crops):
        large = F.interpolate(crops, scale_factor=8)  # 200 kB a crop, six times
        for _ in range(5):
            large = torch.tanh(large)
        return super().see(large)


models = Models(pick("cpu"))
models._perceptors["toy"] = Balloon(models.runtime)
given = dict(prompts="an apple", perceptor="toy", drawer="pixel", size="24x24", seed=1)
given.update(iterations=2, starts=1, chunk=512)
for frame in Session(Settings.of(**given, cuts=2), models=models).frames():
    pass  # all that is made at first use is there
session = Session(Settings.of(**given, cuts=256), models=models)
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
_, most = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (taken + 150 * 2**20, most))  # at once it takes 300 MB
frames = list(session.frames())
print(len(frames), bool(frames[-1].image.isfinite().all()), session.scene.chunks.size)
print([notice for notice in session.notices if "ran out" in notice])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_a_machine_that_is_really_too_small_draws_through() -> None:
    # One thread, and no freed block kept by the C library: what is free can be taken again.
    alone = {"OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    run = subprocess.run(
        [sys.executable, "-c", SHORT],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **alone},
    )
    assert run.returncode == 0, run.stderr
    count, finite, size = run.stdout.splitlines()[0].split()
    assert (count, finite) == ("3", "True")
    assert int(size) < 256
    assert "looks 256 at a time" in run.stdout


# ---- measuring ---------------------------------------------------------------------------------


class Small:
    """A network whose every saved tensor is known."""

    name, size, digest = "small", 8, ""

    def __init__(self) -> None:
        parts = nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten()
        self.net = freeze(nn.Sequential(*parts, nn.Linear(64, 1000)))

    def see(self, crops: Tensor) -> Tensor:
        return F.normalize(self.net(crops), dim=-1)

    def read(self, texts: Sequence[str]) -> Tensor:
        raise NotImplementedError

    def notices(self, text: str) -> list[str]:
        return []


def test_the_measure_equals_a_count_by_hand() -> None:
    crop = 3 * 8 * 8 * 4  # input of the convolution
    tanh = 4 * 8 * 8 * 4  # its output, 4 channels of 8x8 float32; the pooling keeps it too
    pool = 4 * 4 * 4 * 8  # where the maxima were, int64
    linear = 1000 * 4  # kept by the division that normalizes it, and by the norm
    norm = 4 + 4  # before and after it is bounded
    # The weights, 256 kB of the linear layer's alone, cost no crop anything.
    assert memory.crop_bytes(Small(), CPU) == crop + tanh + pool + linear + norm


def test_the_measure_is_per_crop() -> None:
    perceptor = tiny(TINY_RESNET)

    def kept(n: int) -> int:
        leaf = crops(n, 32).requires_grad_()
        return memory.kept_bytes(lambda: perceptor.see(leaf))

    assert kept(9) - kept(4) == 5 * memory.crop_bytes(perceptor, CPU)


def test_measuring_leaves_no_mode_and_no_gradient_behind() -> None:
    with torch.no_grad():
        memory.crop_bytes(Small(), CPU)
        assert not torch.is_grad_enabled()
    drawing = Session(settings(), models=Models(CPU))
    assert memory.picture_bytes(drawing.scene, [16]) > 2 * 8 * 3 * 16 * 16 * 4
    assert all(p.grad is None for p in drawing.drawer.parameters())


def test_each_perceptor_is_measured_once() -> None:
    models = Models(CPU)
    perceptor = Limited(99)
    assert models.crop_bytes(perceptor) == models.crop_bytes(perceptor) > 0
    assert perceptor.seen == [2, 1]


# ---- planning ----------------------------------------------------------------------------------


def choose(count: int, costs: Sequence[int], standing: int, free: int | None) -> int | None:
    perceptors = [ToyPerceptor(CPU, size=224) for _ in costs]
    by_id = {id(p): cost for p, cost in zip(perceptors, costs, strict=True)}
    return memory.choose_chunk(count, perceptors, lambda p: by_id[id(p)], lambda: standing, free)


@pytest.mark.parametrize(
    ("count", "costs", "standing", "free", "expected"),
    [
        (32, [10], 0, None, None),  # nobody knows
        (32, [10], 0, 3200, None),  # easy
        (32, [10], 10**6, 3200, None),  # easy, whatever the rest
        (32, [10], 0, 460, None),  # just so: 320 of 322
        (32, [10], 3, 460, 31),
        (32, [10], 160, 460, 16),
        (32, [10, 30], 0, 460, 8),  # they share
        (32, [10], 313, 460, 0),
        (32, [10], 9999, 460, 0),
        (1, [10], 9999, 40, 0),
    ],
)
def test_choices(
    count: int, costs: list[int], standing: int, free: int | None, expected: int | None
) -> None:
    chosen = choose(count, costs, standing, free)
    assert chosen == expected
    if chosen and free is not None:
        assert chosen * sum(costs) + standing <= memory.SHARE * free


def test_where_there_is_plenty_nothing_is_measured() -> None:
    def never(*_: Any) -> int:
        raise AssertionError("measured")

    perceptor = ToyPerceptor(CPU, size=224)
    assert memory.choose_chunk(32, [perceptor], never, never, 1 << 40) is None
    assert memory.choose_chunk(32, [perceptor], lambda _: 1, never, 1 << 30) is None


def test_a_session_plans_says_so_and_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    models = Models(CPU)
    values: dict[str, Any] = {"perceptor": "starter", "iterations": 2, "cuts": 16}
    at_once, free_drawing = draw(models, **values)
    assert free_drawing.settings.chunk is None
    assert not any("memory" in notice for notice in free_drawing.notices)
    each = models.crop_bytes(models.perceptor("starter"))
    rest = memory.picture_bytes(free_drawing.scene, [64])
    has(int((5.5 * each + rest) / memory.SHARE), monkeypatch)
    planned, drawing = draw(models, **values)
    assert drawing.settings.chunk == 5
    said = [notice for notice in drawing.notices if notice.startswith("memory:")]
    assert len(said) == 1
    assert "looks go through starter 5 at a time (0.0 GB free)" in said[0]
    assert_alike(planned, at_once)
    has(PLENTY, monkeypatch)  # the record of it draws the same bits on any machine
    again = Session(Settings.of(**drawing.record()["settings"]), models=models)
    assert all(torch.equal(a.image, b.image) for a, b in zip(again.frames(), planned, strict=True))


def test_too_little_for_one_look_is_told_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    has(1, monkeypatch)
    drawing = Session(settings(), models=Models(CPU))
    assert drawing.scene.chunks.size == drawing.settings.chunk == 1
    assert any("1 at a time" in n and "may be too many" in n for n in drawing.notices)


def test_a_chunk_that_is_set_is_not_planned_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    has(1, monkeypatch)
    drawing = Session(settings(chunk=5), models=Models(CPU))
    assert drawing.scene.chunks.size == 5
    assert not any("memory" in notice for notice in drawing.notices)


def test_chunks_report_and_remember() -> None:
    told: list[str] = []
    chunks = Chunks(None, told.append)
    chunks.see(ToyPerceptor(CPU).see, crops(6, 16))
    assert [chunks.halve_() for _ in range(3)] == [True, True, False]
    assert chunks.size == 1
    assert chunks.history == "with looks 6, 3, 1 at a time"
    assert len(told) == 2


# ---- what the machine has left -----------------------------------------------------------------


def machine(folder: Path, membership: str, **files: str) -> int | None:
    """What is available on a machine with 8,000,000 kB and these files of control groups."""
    proc, groups = folder / "proc", folder / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(
        "MemTotal: 9000000 kB\nMemFree: 10 kB\nMemAvailable: 8000000 kB\n"
    )
    (proc / "self/cgroup").write_text(membership)
    for name, text in files.items():
        path = groups / name.replace("__", "/").replace("_of_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return hostmemory.available(proc, groups)


def test_without_a_limit_it_is_what_the_machine_has(tmp_path: Path) -> None:
    files = {"a__memory_of_max": "max\n", "a__memory_of_current": "123\n"}
    assert machine(tmp_path, "0::/a\n", **files) == 8_000_000 * 1024


def test_the_tightest_group_counts(tmp_path: Path) -> None:
    files = {
        "a__memory_of_max": "5000\n", "a__memory_of_current": "4000\n",
        "a__memory_of_stat": "anon 10\ninactive_file 700\n",
        "a__b__memory_of_max": "6000\n", "a__b__memory_of_current": "1000\n",
    }  # fmt: skip
    assert machine(tmp_path, "0::/a/b\n", **files) == 1700


def test_the_first_version_of_groups(tmp_path: Path) -> None:
    files = {
        "memory__x__memory_of_limit_in_bytes": "5000\n",
        "memory__x__memory_of_usage_in_bytes": "4000\n",
        "memory__x__memory_of_stat": "inactive_file 1\ntotal_inactive_file 50\n",
        "memory__memory_of_limit_in_bytes": "9223372036854771712\n",
        "memory__memory_of_usage_in_bytes": "9000\n",
    }
    assert machine(tmp_path, "9:cpu,cpuacct:/y\n4:memory:/x\n0::/\n", **files) == 1050


def test_in_a_container_the_own_group_is_the_root(tmp_path: Path) -> None:
    files = {"memory_of_max": "5000\n", "memory_of_current": "6000\n"}
    assert machine(tmp_path, "0::/docker/0123\n", **files) == 0


def test_where_nobody_says_it_is_unknown(tmp_path: Path) -> None:
    assert hostmemory.available(tmp_path, tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_this_machine_says_something_likely() -> None:
    free = free_memory(CPU.device)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert free is not None
    assert 1 << 20 < free <= total


# ---- freed memory ------------------------------------------------------------------------------

_TWICE = """
import resource, sys
from text2art import hostmemory

print(hostmemory.keep_freed() if sys.argv[1] == "keep" else False)
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    piece = bytearray(b"x") * (64 << 20)
    del piece
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(hostmemory.give_back_freed())
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
piece = bytearray(b"x") * (64 << 20)
del piece
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode: str) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-c", _TWICE, mode], capture_output=True, text=True, check=True
    )
    return result.stdout.split()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts the kernel's pages")
def test_freed_memory_stays_with_the_process_until_it_is_given_back() -> None:
    kept, first, second, gave, third = faults("keep")
    if kept == "False":
        pytest.skip("the C library is not glibc")
    assert int(second) < int(first) / 10
    assert gave == "True"
    assert int(third) > int(first) / 2
    _, first, second, *_ = faults("leave")
    assert int(second) > int(first) / 2
