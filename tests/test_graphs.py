"""Networks replayed as CUDA graphs, recorded on the CPU by `tape`: see there what that proves."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import open_clip
import pytest
import torch
from torch import Tensor

from tests.tape import RefusedError, Tape
from text2art import graphs
from text2art.chunks import see_in_chunks
from text2art.graphs import graphed
from text2art.models import Models
from text2art.nets import packed
from text2art.perceptors import open_clip as ours
from text2art.perceptors import starter
from text2art.runtime import Runtime, pick, recorder, stream
from text2art.serving.preload import rehearse
from text2art.session import Session
from text2art.settings import Settings

CALLS = graphs.AFTER + 1  # the last of them is the first from a graph


@pytest.fixture
def tape(monkeypatch: pytest.MonkeyPatch) -> Tape:
    """Have everything that would be a graph on CUDA be one here."""
    made = Tape()
    for module in ("perceptors.starter", "perceptors.open_clip", "nets.vqgan"):
        monkeypatch.setattr(f"text2art.{module}.recorder", lambda _: made)
    monkeypatch.setattr(packed, "MOST_PIXELS", 0)  # CUDA has no kernels in the CPU's own order
    return made


def numbers(*shape: int, name: str = "x") -> Tensor:
    return torch.rand(*shape, generator=stream(1, name))


def seen(function: Callable[..., Tensor], *given: Tensor, like: Tensor | None = None) -> Any:
    """Return what a function gives, and the gradient of its first input."""
    leaf = given[0].clone().requires_grad_()
    out = function(leaf, *given[1:])
    pull = torch.linspace(-1, 2, out.numel()).reshape(out.shape) if like is None else like
    return out.detach(), torch.autograd.grad(out, leaf, pull)[0]


def same(found: Any, wanted: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def done(_: object) -> None:
    """Return nothing."""


def wave(x: Tensor, *more: Tensor) -> Tensor:
    y = (x.sin() * 3 + x.square()).sum(1)
    for other in more:
        y = y * other.sum(1)
    return y


# ---- a function --------------------------------------------------------------------------------


def test_it_gives_what_the_function_gives_for_every_input() -> None:
    tape = Tape()
    function = graphed(wave, tape)
    for number in range(3 * CALLS):
        x, weight = numbers(5, 4, name=f"x{number}"), numbers(5, 2, name=f"w{number}")
        assert same(seen(function, x, weight), seen(wave, x, weight))
        with torch.no_grad():
            assert torch.equal(function(x), wave(x))
    assert tape.count == 3  # forward and backward with a gradient, forward without one
    # Each is repeated once to be checked, then once for each call.
    assert tape.replays == 3 * (1 + 2 * CALLS + 1)


def test_it_has_a_graph_for_each_shape_and_forgets_the_one_used_longest_ago(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(graphs, "_MOST", 2)
    tape = Tape()
    function = graphed(wave, tape)

    def ask(rows: int) -> None:
        x = numbers(rows, 4)
        assert same(seen(function, x), seen(wave, x))

    for rows in (3, 5, 3, 6):
        for _ in range(CALLS):
            ask(rows)
    assert tape.count == 2 * 3
    ask(3)
    assert tape.count == 2 * 3  # 5 had to go
    for _ in range(CALLS):
        ask(5)
    assert tape.count == 2 * 4


def test_layouts_and_number_types_have_graphs_of_their_own() -> None:
    tape = Tape()
    function = graphed(lambda x: x.sum((2, 3)).float(), tape)
    plain = numbers(2, 3, 4, 4)
    for x in (plain, plain.contiguous(memory_format=torch.channels_last), plain.double()):
        for _ in range(CALLS):
            assert torch.equal(function(x), x.sum((2, 3)).float())
    assert tape.count == 3


def test_what_it_returned_stays_as_it_is() -> None:
    function = graphed(wave, Tape())
    kept = [seen(function, numbers(5, 4, name=str(number))) for number in range(2 * CALLS)]
    for number, found in enumerate(kept):
        assert same(found, seen(wave, numbers(5, 4, name=str(number))))


def test_a_graph_that_waits_for_its_gradient_serves_nobody_else() -> None:
    tape = Tape()
    function = graphed(wave, tape)
    for _ in range(CALLS):
        seen(function, numbers(5, 4))
    leaves = [numbers(5, 4, name=str(n)).requires_grad_() for n in range(4)]
    outs = [function(leaf) for leaf in leaves]  # of those, the first is from the graph
    outs.reverse()
    for out, leaf in zip(outs, reversed(leaves), strict=True):
        (found,) = torch.autograd.grad(out.sum(), leaf)
        assert torch.equal(found, torch.autograd.grad(wave(leaf).sum(), leaf)[0])
    before = tape.count
    for _ in range(2 * CALLS):  # asked for often enough, several at a time get a graph each
        pair = [function(leaf) for leaf in leaves]
        for out, leaf in zip(pair, leaves, strict=True):
            (found,) = torch.autograd.grad(out.sum(), leaf)
            assert torch.equal(found, torch.autograd.grad(wave(leaf).sum(), leaf)[0])
    assert tape.count == before + 2 * 3


def test_a_graph_whose_gradient_nobody_can_ask_for_serves_others() -> None:
    tape = Tape()
    function = graphed(wave, tape)
    for _ in range(3 * CALLS):
        function(numbers(5, 4).requires_grad_())
        gc.collect()
    assert tape.count == 2


def test_gradients_are_asked_for_once() -> None:
    function = graphed(wave, Tape())
    for _ in range(CALLS):
        seen(function, numbers(5, 4))
    leaf = numbers(5, 4).requires_grad_()
    total = function(leaf).sum()
    torch.autograd.grad(total, leaf, retain_graph=True)
    with pytest.raises(RuntimeError, match="backward once"):
        torch.autograd.grad(total, leaf)


def test_chunks_of_looks_pull_the_same() -> None:
    tape = Tape()
    function = graphed(wave, tape)
    for number in range(2 * CALLS):
        x = numbers(7, 4, name=str(number))
        found = seen(lambda t: see_in_chunks(function, t, 3), x)
        assert same(found, seen(lambda t: see_in_chunks(wave, t, 3), x))
    assert tape.replays > 0


# ---- where there can be no graph ----------------------------------------------------------------


def drawn_at_random(x: Tensor) -> Tensor:
    return wave(x) + torch.rand(len(x)) * 0


def waiting(x: Tensor) -> Tensor:
    return wave(x) * float(x[0, 0] >= 0)


def of_some(x: Tensor) -> Tensor:
    return wave(x[x[:, 0] >= 0])


def from_python(x: Tensor) -> Tensor:
    return wave(x) * torch.tensor([1.0])


@pytest.mark.parametrize("function", [drawn_at_random, waiting, of_some, from_python])
def test_what_cannot_be_recorded_is_called_itself(
    function: Callable[[Tensor], Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RefusedError):
        Tape().record(lambda: done(function(numbers(5, 4))))
    tape = Tape()
    wrapped = graphed(function, tape)
    for number in range(3 * CALLS):
        x = numbers(5, 4, name=str(number))
        assert same(seen(wrapped, x), seen(function, x))
    assert not tape.replays
    assert len(caplog.messages) == 1
    assert "cannot be part of a graph" in caplog.text


def test_a_graph_that_gives_something_else_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    held = torch.ones(5)
    function = graphed(lambda x: wave(x) * held, Tape(spoil=lambda: done(held.mul_(2))))
    for _ in range(CALLS):
        function(numbers(5, 4))
    assert "it gives something else" in caplog.text
    x = numbers(5, 4)
    assert torch.equal(function(x), wave(x) * held)


def test_without_memory_to_spare_there_are_no_graphs() -> None:
    tape = Tape(room=False)
    function = graphed(wave, tape)
    for _ in range(3 * CALLS):
        assert same(seen(function, numbers(5, 4)), seen(wave, numbers(5, 4)))
    assert not tape.count


def test_only_cuda_has_them_and_they_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert recorder(torch.device("cpu")) is None
    assert recorder(torch.device("cuda")) is not None
    monkeypatch.setenv("TEXT2ART_GRAPHS", "0")
    assert recorder(torch.device("cuda")) is None
    assert graphed(wave, None) is wave


# ---- the networks ------------------------------------------------------------------------------


def test_the_starter_is_the_same_as_graphs(tape: Tape) -> None:
    graphed_one = starter.build("", Runtime(pick("cpu").device))
    tape.room = False
    plain = starter.build("", Runtime(pick("cpu").device))
    for number in range(CALLS + 2):
        tape.room = True
        crops = numbers(3, 3, 64, 64, name=str(number))
        found = seen(graphed_one.see, crops)
        assert same(found, seen(plain._looked, crops))  # type: ignore[attr-defined]
    assert tape.replays == 2 * (1 + 3)


TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 64, "width": 64, "heads": 1, "layers": 1},
}
RESNET = {**TINY, "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 16}}


@pytest.mark.parametrize("config", [TINY, RESNET], ids=["transformer", "resnet"])
def test_clips_are_the_same_as_graphs(tape: Tape, config: dict[str, Any]) -> None:
    made = ours.OpenClipPerceptor(
        "tiny", ours.make_net(config, "a seed"), open_clip.tokenize, Runtime(pick("cpu").device)
    )
    for number in range(CALLS + 2):
        crops = numbers(3, 3, 32, 32, name=str(number))
        assert same(seen(made.see, crops), seen(made._looked, crops))
        if made.patches:
            kept = numbers(3, made.patches, name=f"k{number}").argsort(dim=1)[:, :5]
            found = seen(made.see_patches, crops, kept)
            assert same(found, seen(made._looked, crops, kept))
    assert tape.replays == 2 * (1 + 3) * (2 if made.patches else 1)


@pytest.mark.parametrize("drawer", ["pyramid", "vqgan"])
def test_a_drawing_is_the_same_with_graphs(
    drawer: str, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.of(
        prompts="a cat | a red apple", size="48x48", iterations=24, cuts=2, starts=2, seed=3,
        drawer=drawer, vqgan={"sketch": 0.4},
    )  # fmt: skip

    def draw() -> list[Tensor]:
        with Session(settings, models=Models(Runtime(pick("cpu").device))) as session:
            return [frame.image for frame in session.frames()]

    found = draw()
    assert tape.replays > 20
    for module in ("perceptors.starter", "nets.vqgan"):
        monkeypatch.setattr(f"text2art.{module}.recorder", lambda _: None)
    assert same(found, draw())


def test_a_rehearsal_records_what_a_drawing_needs(
    tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.of(
        prompts="a red apple", perceptor="starter", size="32x32", iterations=80, cuts=3, starts=4,
        seed=1,
    )  # fmt: skip
    models = Models(Runtime(pick("cpu").device))
    rehearse(models, settings)  # nothing to record here
    assert not tape.count
    monkeypatch.setattr("text2art.serving.preload.recorder", lambda _: tape)
    rehearse(models, settings)
    # Looks at four starts, at the two that are left, and at the one: forward and backward.
    assert tape.count == 2 * 3
    with Session(settings, models=models) as session:
        assert list(session.frames())[-1].final
    assert tape.count == 2 * 3
