"""A run that was broken off and goes on ends as if it never had been."""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load, save
from torch import Tensor

from tests.cli_tools import Cli
from text2art import registry
from text2art.checkpoint import Checkpoint
from text2art.core import Frame, View
from text2art.errors import CheckpointError
from text2art.models import Models
from text2art.perceptors.toy import ToyPerceptor
from text2art.runtime import pick
from text2art.session import Session
from text2art.settings import Settings
from text2art.streams import Streams

Toy = Callable[..., dict[str, Any]]
CPU = pick("cpu")


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(CPU)


def frames_of(session: Session) -> list[Frame]:
    return list(session.frames())


def broken_off(settings: Settings, models: Models, after: int) -> Checkpoint:
    """Return the checkpoint after so many frames, by way of its file's bytes."""
    with Session(settings, models=models) as session:
        running = session.frames()
        for _ in range(after):
            next(running)
        return Checkpoint.from_bytes(session.checkpoint().to_bytes())


def same(one: Frame, other: Frame) -> bool:
    """Whether two frames are the same to the last bit, in what they show and what they say."""
    facts = [
        (f.step, f.final, f.tryout, f.filmed, {k: float(t) for k, t in f.terms.items()})
        for f in (one, other)
    ]
    return facts[0] == facts[1] and torch.equal(one.image, other.image)


def test_a_fault_without_a_checkpoint_is_not_called_one_of_it(toy: Toy) -> None:
    class Faulty(ToyPerceptor):
        def read(self, texts: Sequence[str]) -> Tensor:
            raise KeyError("a part's own fault")

    models = Models(CPU)
    models._perceptors["toy"] = Faulty(CPU)
    with pytest.raises(KeyError, match="a part's own fault"):
        Session(Settings.of(**toy()), models=models)


def check(values: dict[str, Any], models: Models, breaks: list[int]) -> None:
    """Break a run off after each of so many frames; what follows must be what followed there."""
    settings = Settings.of(**values)
    whole = frames_of(Session(settings, models=models))
    assert whole[-1].final
    for after in breaks:
        checkpoint = broken_off(settings, models, after)
        with Session.resume(checkpoint, models=models) as session:
            rest = frames_of(session)
        expected = whole[after:] or whole[-1:]
        assert [f.step for f in rest] == [f.step for f in expected], after
        assert all(map(same, rest, expected)), f"broken off after {after} frames"


DRAWERS: dict[str, dict[str, Any]] = {
    "vqgan": {"size": "32x32"},
    "clipdraw": {"clipdraw": {"strokes": 12}, "size": "48x40"},
    "line": {"line": {"strokes": 3}, "size": "48x40"},
    "shapes": {"size": "48x40"},
}


@pytest.mark.parametrize("drawer", registry.components("drawers"))
def test_every_drawer_goes_on_with_the_same_bits(drawer: str, toy: Toy, models: Models) -> None:
    """In tryouts, at their end, in the middle, at the last update, after the end."""
    values = toy(drawer=drawer, iterations=20, starts=3, **DRAWERS.get(drawer, {}))
    whole = Session(Settings.of(**values), models=models)
    assert whole.tryouts == 10  # two steps of three side by side, then two of two
    check(values, models, [0, 1, 3, 5, 6, 7, 9, 10, 13, 20, 21])


LOGITS: dict[str, Any] = {"drawer": "vqgan", "vqgan": {"codes": "logits", "average": 0.8}}
HARD: dict[str, Any] = {"pixel": {"palette_mode": "hard"}, "palette": "PICO-8"}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(LOGITS, id="logits"),
        pytest.param(HARD, id="hard palette"),
        pytest.param({"pixel": {"palette_mode": "learned", "colors": 5}}, id="learned palette"),
        pytest.param({"pixel": {"palette_mode": "learned", "shades": 3}}, id="ramps"),
        pytest.param({"filters": "tiler:0.5"}, id="tiler"),
        pytest.param({"transparent": True}, id="transparent"),
        pytest.param({"starts": 2, **HARD}, id="starts"),
    ],
)
def test_what_is_random_or_learned_goes_on(
    changes: dict[str, Any], toy: Toy, models: Models
) -> None:
    check(toy(iterations=12, **changes), models, [1, 5, 9])


@pytest.mark.parametrize(
    "name", ["Adam", "AdamW", "Adagrad", "Adamax", "RAdam", "RMSprop", "DiffGrad", "AdamP"]
)
def test_every_optimizer_goes_on(name: str, toy: Toy, models: Models) -> None:
    check(toy(iterations=9, optimizer=name, schedule="cosine"), models, [1, 6])


def test_drops_and_the_best_picture_go_on(toy: Toy, models: Models) -> None:
    values = toy(
        iterations=80, auto_stop=True, patience=3, keep="best", learning_rate_drops=(50, 80)
    )
    settings = Settings.of(**values)
    session = Session(settings, models=models)
    drops = {}
    for number, _ in enumerate(session.frames()):
        drops[number + 1] = session.scene.schedule.drops  # type: ignore[attr-defined]
    first = next(after for after, count in drops.items() if count == 1)
    last = max(drops)
    assert max(drops.values()) == 2
    assert last < 81, "it was not stopped early: nothing is shown about that"
    check(values, models, [first, first + 3, last - 1, last])


def test_a_score_that_stops_a_run_goes_on(toy: Toy, models: Models) -> None:
    with Session(Settings.of(**toy(iterations=40)), models=models) as session:
        score = [frame.score for frame in session.frames()]
    values = toy(iterations=40, stop_score=sum(score[10:20]) / 10)
    whole = frames_of(Session(Settings.of(**values), models=models))
    assert 12 < len(whole) < 41
    check(values, models, [5, 11, len(whole) - 1])


def test_stories_go_on_in_every_scene(toy: Toy, models: Models, tmp_path: Path) -> None:
    """The second scene is held to what the first one left, which settings do not say."""
    Image.new("RGB", (32, 32), "teal").save(tmp_path / "start.png")
    values = toy(
        prompts=["a red apple ^ a green pear ^ a blue plum"],
        iterations=5,
        init_image=str(tmp_path / "start.png"),
        init_weight=3.0,
    )
    check(values, models, [4, 5, 6, 8, 10, 13])


def test_animations_go_on_in_every_picture(toy: Toy, models: Models) -> None:
    values = toy(
        iterations=6,
        animation_frames=4,
        animation_steps=3,
        animation_zoom="1.1",
        animation_angle="5",
        starts=2,
    )
    check(values, models, [1, 6, 8, 9, 12])


class Weary:
    """A loss of the caller's own that knows how often it was asked."""

    name, weight = "weary", 0.5

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, view: View) -> Tensor:
        self.asked += 1
        return view.image.mean() / self.asked

    def memory(self) -> dict[str, Any]:
        return {"asked": self.asked}

    def recall_(self, memory: Any) -> None:
        self.asked = int(memory["asked"])


def test_losses_that_remember_go_on(toy: Toy, models: Models) -> None:
    settings = Settings.of(**toy(iterations=6))
    whole = list(Session(settings, models=models, extra_losses=[Weary()]).frames())
    session = Session(settings, models=models, extra_losses=[Weary()])
    running = session.frames()
    next(running), next(running)
    checkpoint = Checkpoint.from_bytes(session.checkpoint().to_bytes())
    resumed = Session.resume(checkpoint, models=models, extra_losses=[Weary()])
    assert all(map(same, resumed.frames(), whole[2:]))
    with pytest.raises(CheckpointError, match="weary"):
        Session.resume(checkpoint, models=models)


def test_a_checkpoint_disturbs_nothing(toy: Toy, models: Models) -> None:
    """Taken after every frame, and not changed by what comes after it."""
    settings = Settings.of(**toy(iterations=8, starts=2))
    whole = frames_of(Session(settings, models=models))
    session, texts = Session(settings, models=models), []
    for frame, expected in zip(session.frames(), whole, strict=True):
        assert same(frame, expected)
        texts.append(session.checkpoint())
    assert len({text.to_bytes() for text in texts}) == len(texts)
    middle = Session.resume(texts[4], models=models)
    assert same(frames_of(middle)[-1], whole[-1])


def test_it_goes_on_in_another_process(toy: Toy, models: Models, tmp_path: Path) -> None:
    settings = Settings.of(**toy(drawer="clipdraw", clipdraw={"strokes": 9}, iterations=12))
    whole = frames_of(Session(settings, models=models))
    path = broken_off(settings, models, 7).save(tmp_path / "run.ckpt")
    program = (
        "import sys, torch; from pathlib import Path; from safetensors.torch import save_file\n"
        "from text2art.checkpoint import Checkpoint; from text2art.session import Session\n"
        "*_, last = Session.resume(Checkpoint.load(Path(sys.argv[1]))).frames()\n"
        "save_file({'image': last.image.contiguous()}, sys.argv[2])"
    )
    out = tmp_path / "last.safetensors"
    subprocess.run([sys.executable, "-c", program, str(path), str(out)], check=True)
    assert torch.equal(load(out.read_bytes())["image"], whole[-1].image)


def test_chunks_of_looks_stay(toy: Toy, models: Models) -> None:
    """Memory ran out once: the smaller chunk gives other bits, and is kept."""
    settings = Settings.of(**toy(iterations=6, cuts=6))
    session = Session(settings, models=models)
    running = session.frames()
    next(running)
    session.scene.chunks.halve_()
    checkpoint = Checkpoint.from_bytes(session.checkpoint().to_bytes())
    resumed = Session.resume(checkpoint, models=models)
    assert (resumed.scene.chunks.size, resumed.scene.chunks.tried) == (3, [6])
    assert all(map(same, resumed.frames(), running))


# ---- drawing on with other settings ------------------------------------------------------------


def test_drawing_on_keeps_the_picture_and_counts_on(toy: Toy, models: Models) -> None:
    first = Session(Settings.of(**toy(iterations=10)), models=models)
    last = frames_of(first)[-1]
    checkpoint = Checkpoint.from_bytes(first.checkpoint().to_bytes())
    other = Settings.of(**toy(prompts=["a green pear"], iterations=5, starts=4))
    on = Session(other, models=models, checkpoint=checkpoint)
    frames = frames_of(on)
    assert (on.begin, on.steps, on.tryouts, on.film_length) == (10, 15, 0, 6)
    assert [f.step for f in frames] == [10, 11, 12, 13, 14, 15]
    assert torch.equal(frames[0].image, last.image)
    assert not torch.equal(frames[-1].image, last.image)
    assert on.scene.optimizer.state_dict()["state"][0]["step"] == 15

    again = Session(other, models=models, checkpoint=checkpoint)
    running = again.frames()
    next(running), next(running)
    middle = Checkpoint.from_bytes(again.checkpoint().to_bytes())
    assert all(map(same, Session.resume(middle, models=models).frames(), frames[2:]))


@pytest.mark.parametrize(
    "changes", [{"drawer": "fft"}, {"size": "32x48"}, {"pixel": {"cells": "8x8"}}]
)
def test_drawing_on_needs_a_picture_of_the_same_making(
    changes: dict[str, Any], toy: Toy, models: Models
) -> None:
    checkpoint = broken_off(Settings.of(**toy()), models, 2)
    with pytest.raises(CheckpointError, match="does not fit"):
        Session(Settings.of(**toy(**changes)), models=models, checkpoint=checkpoint)


# ---- streams -----------------------------------------------------------------------------------


def test_streams_go_on_whoever_holds_them() -> None:
    before = Streams(7)
    held, twin = before("a"), before("a")
    before("dropped")
    torch.rand(3, generator=held)
    torch.rand(5, generator=twin)
    states = before.states()
    assert set(states) == {"a#0", "a#1"}
    after = Streams(7)
    mine = after("a")
    after.restore_(states)
    late = after("a")  # asked for later, and yet where it had got to
    for one, other in ((held, mine), (twin, late)):
        assert torch.equal(torch.rand(4, generator=one), torch.rand(4, generator=other))


# ---- distrust ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bytes_of_one(models: Models) -> bytes:
    from tests.conftest import TOY

    return broken_off(Settings.of(**TOY), models, 2).to_bytes()


def tree_of(data: bytes) -> tuple[dict[str, Any], dict[str, Tensor]]:
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    return json.loads(header["__metadata__"]["text2art.checkpoint"]), load(data)


def file_of(tree: Any, tensors: dict[str, Tensor]) -> bytes:
    text = tree if isinstance(tree, str) else json.dumps(tree)
    data: bytes = save(tensors, metadata={"text2art.checkpoint": text})
    return data


def resume(data: bytes, models: Models) -> None:
    Session.resume(Checkpoint.from_bytes(data), models=models)


def test_the_file_is_read_as_it_is_written(bytes_of_one: bytes, models: Models) -> None:
    resume(bytes_of_one, models)
    resume(file_of(*tree_of(bytes_of_one)), models)


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (("format",), 1, "format 1"),
        (("facts", "version"), "0.0.1", "of text2art 0.0.1"),
        (
            ("facts", "perceptors"),
            [{"name": "toy", "weight": 1.0, "sha256": "0" * 64}],
            "made with",
        ),
        (("facts", "perceptors"), [], "made with no toy"),
        (("facts", "settings"), {"prompts": ["a"], "iterations": -1}, "settings cannot be used"),
        (("facts", "settings"), [], "no prompt"),
        (("facts",), None, "format"),
        (("state",), 7, "missing"),
        (("state", "play"), {}, "damaged"),
        (("state", "play", "stage"), 5, "damaged"),
        (("state", "play", "next"), 99, "damaged"),
        (("state", "play", "next"), "1", "damaged"),
        (("state", "play", "made"), True, "damaged"),
        (("state", "play", "chosen"), -1, "damaged"),
        (("state", "play", "chosen"), 3, "damaged"),
        (("state", "play", "scenes"), [], "damaged"),
        (("state", "play", "scenes", 0, "drawer"), {}, "does not fit"),
        (("state", "play", "scenes", 0, "optimizer"), {"77": {}}, "damaged"),
        (("state", "play", "scenes", 0, "optimizer", "0", "exp_avg"), "x", "does not fit"),
        (("state", "play", "watch", "drops_left"), 10**9, "damaged"),
        (("state", "chunks", "size"), -5, "damaged"),
        (("state", "streams"), {"a": {"tensor": "0"}}, "damaged"),
        (("state", "seconds"), [], "damaged"),
    ],
)
def test_wrong_values_are_one_clear_error(
    place: tuple[Any, ...], value: Any, says: str, bytes_of_one: bytes, models: Models
) -> None:
    tree, tensors = tree_of(bytes_of_one)
    at: Any = tree
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    with pytest.raises(CheckpointError, match=says) as caught:
        resume(file_of(tree, tensors), models)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def bytes_of_tryouts(models: Models) -> bytes:
    """Four starts side by side: one step of each is made, and another of the first two."""
    from tests.conftest import TOY

    settings = Settings.of(**{**TOY, "iterations": 40, "starts": 4})
    return broken_off(settings, models, 6).to_bytes()


def test_tryouts_are_read_as_they_are_written(bytes_of_tryouts: bytes, models: Models) -> None:
    tree, _ = tree_of(bytes_of_tryouts)
    trial = tree["state"]["play"]["trial"]
    assert (trial["step"], trial["place"], trial["start"], trial["most"]) == (1, 2, 1, 4)
    assert len(trial["late"]) == 2
    resume(bytes_of_tryouts, models)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("turn", 7), ("left", [0, 1, 2]), ("left", [0, 1, 2, 2]), ("left", [0, 1, 2, 4]),
        ("first", 1), ("first", 4), ("step", 4), ("step", -1), ("place", 4), ("place", "1"),
        ("start", 4), ("start", None), ("most", 0), ("most", 5), ("most", 1), ("late", []),
        ("losses", [{"tensor": "0"}]), ("late", ["x", "y"]),
    ],
)  # fmt: skip
def test_tryouts_that_cannot_be_are_refused(
    key: str, value: Any, bytes_of_tryouts: bytes, models: Models
) -> None:
    tree, tensors = tree_of(bytes_of_tryouts)
    tree["state"]["play"]["trial"][key] = value
    with pytest.raises(CheckpointError, match="damaged"):
        resume(file_of(tree, tensors), models)


def test_wrong_shapes_are_refused(bytes_of_one: bytes, models: Models) -> None:
    tree, tensors = tree_of(bytes_of_one)
    name = max(tensors, key=lambda n: tensors[n].numel())
    with pytest.raises(CheckpointError, match=r"fit|damaged"):
        resume(file_of(tree, {**tensors, name: torch.zeros(3)}), models)
    with pytest.raises(CheckpointError, match="missing"):
        resume(file_of(tree, {k: t for k, t in tensors.items() if k != name}), models)


def test_depth_and_other_files_are_refused(models: Models, tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    for text in (deep, '{"a":' * 5000 + "1" + "}" * 5000, "[]", "nonsense"):
        with pytest.raises(CheckpointError):
            resume(file_of(text, {}), models)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        resume(save({"a": torch.zeros(2)}), models)
    for data in (b"", b"\xff" * 40, struct.pack("<Q", 2**62) + b"{}"):
        with pytest.raises(CheckpointError):
            resume(data, models)
    with pytest.raises(CheckpointError, match="cannot be read"):
        Checkpoint.load(tmp_path / "none.ckpt")
    large = tmp_path / "large.ckpt"
    with large.open("wb") as sparse:
        sparse.truncate(3 * 2**30)
    with pytest.raises(CheckpointError, match="larger"):
        Checkpoint.load(large)


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_anywhere_is_a_clear_error_or_harmless(
    data: st.DataObject, bytes_of_one: bytes, models: Models
) -> None:
    broken = bytearray(bytes_of_one)
    length = struct.unpack("<Q", broken[:8])[0]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 8 + length - 1))
        broken[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(broken))))
    with suppress(CheckpointError):
        resume(bytes(broken[:cut]), models)


# ---- the command line --------------------------------------------------------------------------


def test_the_command_line_goes_on(
    cli: Cli, toy: Toy, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [f"{k}={v}" for k, v in toy(iterations=8).items() if k != "prompts"]
    assert cli("draw", "a red apple", *words, "--out", "whole.png").code == 0

    def shows(session: Session, frame: Frame) -> bool:
        if frame.step == 2:
            signal.raise_signal(signal.SIGINT)  # Ctrl-C
        return frame.final

    with monkeypatch.context() as patch:
        patch.setattr(Session, "shows", shows)
        stopped = cli("draw", "a red apple", *words, "--out", "a.png", "--checkpoint", "run.ckpt")
    assert stopped.code == 130
    assert "text2art resume run.ckpt" in stopped.err
    assert cli("resume", "run.ckpt", "--out", "b.png", "--checkpoint", "run.ckpt").code == 0
    assert not (here / "run.ckpt").exists(), "it is of no use any more"
    assert (here / "b.png").read_bytes() == (here / "whole.png").read_bytes()
    assert (here / "a.png").read_bytes() != (here / "whole.png").read_bytes()
    missing = cli("resume", "run.ckpt")
    assert missing.code == 1
    assert "Error: the checkpoint 'run.ckpt' cannot be read" in missing.err
