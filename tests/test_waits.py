"""No step waits for the device, found out on the CPU.

What a step computes from the drawer's parameters, or what was moved to where they are, is what lies
on the device. Python waits for it where it reads such a value, where the shape of a result depends
on one, and where numbers of the host's are put beside it otherwise than by `runtime.move`, which
copies pinned memory.
"""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.test_contracts import loss_options
from text2art import optimizers, registry, runtime
from text2art.core import View
from text2art.models import Models
from text2art.nets import packed
from text2art.raster import Scene
from text2art.runtime import pick
from text2art.session import Session
from text2art.settings import Settings

OURS = str(Path(runtime.__file__).parent)
_LIFT, _INDEX = torch.ops.aten.lift_fresh.default, torch.ops.aten.index.Tensor
_VALUE, _SHAPE = torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape
_SEEDED = torch.Tag.nondeterministic_seeded
BEFORE = 7  # steps of 60: the next two do not revive strokes, which waits, at every tenth of a run
SMALL: dict[str, Any] = {
    "prompts": "a red apple",
    "size": "32x32",
    "iterations": 60,
    "cuts": 2,
    "starts": 1,
    "seed": 3,
    "perceptor": "toy",
    "losses": "",
}


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows what lies on the device through all operations.

    Attributes:
        found: what waits, and where.
        operations: how many were given to the device.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[str] = []
        self.operations = 0
        self._kept: list[Tensor] = []  # so that no other tensor gets the place of one
        self._device: set[int] = set()
        self._host: set[int] = set()

    def place(self, tensor: Tensor) -> None:
        """Note that a tensor lies on the device."""
        self._kept.append(tensor)
        self._device.add(_address(tensor))

    def lies_there(self, tensor: Tensor) -> bool:
        return tensor.numel() > 0 and _address(tensor) in self._device

    def note(self, what: str) -> None:
        ours = [f for f in traceback.extract_stack() if f.filename.startswith(OURS)]
        where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno} {ours[-1].line}" if ours else ""
        self.found.append(f"{what} at {where}")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        there = [t for t in given if self.lies_there(t)]
        beside = [t for t in given if t.numel() and _address(t) in self._host - self._device]
        made = func(*args, **kwargs)
        new = [t for t in tree_leaves(made) if isinstance(t, Tensor)]
        if there:
            self.operations += 1
            masked = func == _INDEX and any(
                t is not None and t.dtype == torch.bool and self.lies_there(t) for t in args[1]
            )
            if _VALUE in func.tags or masked or (_SHAPE in func.tags and func != _INDEX):
                self.note(str(func))
            if any(t.dim() for t in beside):  # a number goes along with the call
                self.note(f"the host's numbers in {func}")
            for tensor in new:
                self.place(tensor)
        elif beside or func == _LIFT or _SEEDED in func.tags:
            self._kept.extend(new)
            self._host.update(map(_address, new))
        return made


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


@contextmanager
def watched(there: list[Tensor]) -> Iterator[Watch]:
    """Watch what is done with tensors that lie on the device, and with what is moved there."""
    watch, plain = Watch(), runtime.move
    for tensor in there:
        watch.place(tensor)

    def moved(tensor: Tensor, like: Tensor) -> Tensor:
        copy = plain(tensor, like).clone()
        watch.place(copy)
        return copy

    def read(method: Callable[..., Any], tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
        if watch.lies_there(tensor):
            watch.note(method.__name__)
        return method(tensor, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("tolist", "numpy"):
            method = getattr(Tensor, name)
            patch.setattr(Tensor, name, functools.partialmethod(_called, read, method))
        for module in _modules_with(plain):
            patch.setattr(module, "move", moved)
        with watch:
            yield watch


def _called(tensor: Tensor, read: Any, method: Any, *args: Any, **kwargs: Any) -> Any:
    return read(method, tensor, *args, **kwargs)


def _modules_with(move: object) -> list[Any]:
    ours = [module for name, module in sys.modules.items() if name.startswith("text2art")]
    return [module for module in ours if getattr(module, "move", None) is move]


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(pick("cpu"))


def waits_of(models: Models, extra: Sequence[Any] = (), **changes: Any) -> Watch:
    """Return what two steps of a drawing with these settings gave to watch."""
    settings = Settings.of(**{**SMALL, **changes})
    with Session(settings, models=models, extra_losses=extra) as session:
        frames = session.frames()
        for _ in range(BEFORE):
            next(frames)
        drawer = session.scene.drawer
        with watched([*drawer.parameters(), *drawer.buffers()]) as watch:
            for _ in range(2):
                next(frames)
    assert watch.operations > 50
    return watch


@pytest.fixture(autouse=True)
def _as_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what CUDA does otherwise: its rasterizer, which can be in a graph, and packs."""

    def blot(scene: Scene, *, background: Tensor | None = None, **_: Any) -> Tensor:
        nothing = 0 * (scene.points.sum() + scene.stroke_width.sum())
        ink = (scene.color.mean(0) + nothing)[None, :, None, None]
        picture = ink.expand(1, 4, scene.height, scene.width)
        return picture if background is None else picture + 0 * background.sum()

    monkeypatch.setattr("text2art.drawers.vector.render", blot)
    monkeypatch.setattr(packed, "MOST_PIXELS", 0)  # nor has CUDA kernels in the CPU's own order


@pytest.mark.parametrize("drawer", registry.components("drawers"))
def test_no_drawer_waits(models: Models, drawer: str) -> None:
    assert waits_of(models, drawer=drawer).found == []


@pytest.mark.parametrize(
    "changes",
    [
        {"drawer": "vqgan", "vqgan": {"sketch": 0}},
        {"drawer": "vqgan", "vqgan": {"sketch": 0, "codes": "logits"}},
        {"drawer": "pixel", "pixel": {"cell": "hex"}},
        {"drawer": "pixel", "palette": "pico-8"},
        {"drawer": "pyramid", "palette": "pico-8", "prompts": "a cat | a dog"},
        {"drawer": "shapes", "transparent": True},
        {"drawer": "pixel", "cutouts": "pixray"},
        {"drawer": "pixel", "size": "64x32", "batches": 2},
        {"perceptor": "starter", "drawer": "pyramid", "losses": "smoothness:0.5,framing:0.3"},
    ],
    ids=str,
)
def test_no_way_of_drawing_waits(models: Models, changes: dict[str, Any]) -> None:
    assert waits_of(models, **changes).found == []


@pytest.mark.parametrize("name", registry.components("losses"))
def test_no_loss_waits(models: Models, name: str, tmp_path: Path) -> None:
    options = loss_options(registry.find("losses", name), tmp_path)
    table = {name: options.model_dump(exclude_unset=True)} if options else {}
    found = waits_of(models, losses=f"{name}:1", palette="pico-8", drawer="pixel", **table).found
    assert found == []


@pytest.mark.parametrize("name", registry.components("filters"))
def test_no_filter_waits(models: Models, name: str) -> None:
    changes: dict[str, Any] = {"lookup": {"palette": "pico-8"}} if name == "lookup" else {}
    assert waits_of(models, filters=name, drawer="pixel", **changes).found == []


@pytest.mark.parametrize("name", optimizers._CLASSES)
def test_no_optimizer_waits(models: Models, name: str) -> None:
    assert waits_of(models, optimizer=name, drawer="pixel").found == []


class Waiting:
    name, weight = "waiting", 1.0

    def __init__(self, how: Callable[[Tensor], Tensor]) -> None:
        self._how = how

    def __call__(self, view: View) -> Tensor:
        return self._how(view.image)


@pytest.mark.parametrize(
    ("how", "what"),
    [
        (lambda x: x.sum() * float(x.detach()[0, 0, 0, 0]), "_local_scalar_dense"),
        (lambda x: x[x > 0.5].sum(), "index"),
        (lambda x: x.sum() + len((x > 0.5).nonzero()), "nonzero"),
        (lambda x: (x - x.new_tensor([0.1, 0.2, 0.3])[:, None, None]).sum(), "host's numbers"),
        (lambda x: (x - torch.rand(32, 32)).square().sum(), "host's numbers"),
        (lambda x: x.sum() * x.detach()[0, 0, 0].tolist()[0], "tolist"),
        (lambda x: x.sum() * float(x.detach().numpy()[0, 0, 0, 0]), "numpy"),
    ],
)
def test_what_waits_is_found(models: Models, how: Callable[[Tensor], Tensor], what: str) -> None:
    found = waits_of(models, [Waiting(how)], drawer="pixel").found
    assert found
    assert all(what in one for one in found)
