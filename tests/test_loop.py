"""The loop and the session: frames, determinism, interleaving, cancel, schedules, stopping."""

from __future__ import annotations

import gc
import itertools
import math
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from text2art import loop
from text2art.core import Frame, View
from text2art.errors import PromptError, SettingsError
from text2art.models import Models
from text2art.runtime import pick, stream
from text2art.scene import Scene
from text2art.schedules import RateSchedule, constant, cosine, drops_at
from text2art.session import Session
from text2art.settings import Settings
from text2art.stopping import Plateau, Smoothed


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(pick("cpu"))


def settings(**values: Any) -> Settings:
    tiny: dict[str, Any] = {
        "prompts": "an apple",
        "perceptor": "toy",
        "size": "24x24",
        "iterations": 6,
        "cuts": 4,
    }
    tiny["starts"] = 1
    return Settings.of(**{**tiny, "seed": 7, **values})


def draw(models: Models, **values: Any) -> list[Frame]:
    with Session(settings(**values), models=models) as session:
        return list(session.frames())


def together(
    scenes: Sequence[Scene], steps: int, start: int = 0, place: int = 0
) -> Iterator[Frame]:
    return loop.pulled(loop.course(scenes, steps, start, place))


@dataclass
class CallableLoss:
    name: str
    ask: Callable[[View], torch.Tensor]
    weight: float = 1.0

    def __call__(self, view: View) -> torch.Tensor:
        return self.ask(view)


def same(a: list[Frame], b: list[Frame]) -> bool:
    return len(a) == len(b) and all(
        torch.equal(x.image, y.image) for x, y in zip(a, b, strict=True)
    )


# ---- frames ------------------------------------------------------------------------------------


def test_a_frame_before_each_update_and_the_result_last(models: Models) -> None:
    frames = draw(models)
    assert [f.step for f in frames] == list(range(7))
    assert [f.final for f in frames] == [False] * 6 + [True]
    assert all(f.image.shape == (1, 3, 24, 24) and not f.image.requires_grad for f in frames)
    assert set(frames[0].terms) == {"prompt 1", "smoothness", "framing"}
    assert all(-1 <= f.score <= 1 for f in frames)


def test_terms_belong_to_the_very_picture(models: Models) -> None:
    with Session(settings(), models=models) as session:
        frames = session.frames()
        first = next(frames)
        again = loop.look(Session(settings(), models=models).scene, 0, 6)
    assert again.terms.keys() == first.terms.keys()
    for name, term in first.terms.items():
        torch.testing.assert_close(again.terms[name], term)


@pytest.mark.parametrize("drawer", ["pixel", "pyramid", "fft"])
def test_drawing_lowers_the_loss(models: Models, drawer: str) -> None:
    frames = draw(models, drawer=drawer, iterations=40, cuts=8, losses="")
    early = sum(f.loss for f in frames[:5]) / 5
    late = sum(f.loss for f in frames[-5:]) / 5
    assert late < early - 0.05


# ---- several pictures side by side -----------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"batches": 3},
        {"drawer": "pyramid", "prompts": "a pear | an apple [left]:-0.5"},
        {"perceptor": "toy,toy/2:0.5", "chunk": 3},
        {"transparent": True},
    ],
)
def test_side_by_side_they_are_drawn_as_each_alone(models: Models, changes: dict[str, Any]) -> None:
    def scenes() -> list[Scene]:
        with Session(settings(starts=3, **changes), models=models) as session:
            return session._play.scenes

    side_by_side = list(together(scenes(), 4))
    for number, scene in enumerate(scenes()):
        alone = list(loop.run(scene, 4))
        mine = side_by_side[number::3]
        assert [frame.step for frame in mine] == [0, 1, 2, 3]
        assert torch.equal(mine[0].image, alone[0].image)
        for one, other in zip(mine, alone, strict=True):
            torch.testing.assert_close(one.image, other.image, rtol=0, atol=1e-5)
            assert one.terms.keys() == other.terms.keys()
            for name, term in one.terms.items():
                torch.testing.assert_close(term, other.terms[name])
            for name, score in one.scores.items():
                torch.testing.assert_close(score, other.scores[name])


def test_each_perceptor_looks_once_a_step(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    with Session(settings(starts=3), models=models) as session:
        (perceptor,) = (one for one, _ in session.ensemble)
        taken: list[int] = []
        see = perceptor.see

        def counting(crops: torch.Tensor) -> torch.Tensor:
            taken.append(len(crops))
            return see(crops)

        monkeypatch.setattr(perceptor, "see", counting)
        list(together(session._play.scenes, 2))
        assert taken == [12, 12]


def test_within_a_turn_they_go_on_with_the_same_bits(models: Models) -> None:
    def scenes() -> list[Scene]:
        with Session(settings(starts=3), models=models) as session:
            return session._play.scenes

    whole = list(together(scenes(), 4))
    begun = scenes()
    first = list(itertools.islice(together(begun, 4), 5))
    rest = list(together(begun, 4, 1, 2))
    assert same([*first, *rest], whole)


def test_views_are_gone_when_a_frame_is_there(models: Models) -> None:
    """They know each other while they are looked at: nothing may keep their graphs."""
    gone: list[weakref.ref[View]] = []

    def noting(view: View) -> torch.Tensor:
        gone.append(weakref.ref(view))
        return view.image.mean()

    loss = CallableLoss("noting", noting)
    gc.disable()
    try:
        with Session(settings(starts=3), models=models, extra_losses=[loss]) as session:
            running = together(session._play.scenes, 2)
            next(running)
            assert len(gone) == 3
            assert [view() for view in gone] == [None] * 3
    finally:
        gc.enable()


# ---- determinism -------------------------------------------------------------------------------


@pytest.mark.parametrize("drawer", ["pixel", "pyramid", "fft"])
@pytest.mark.parametrize("cutouts", ["views", "pixray"])
def test_same_seed_same_bits(models: Models, drawer: str, cutouts: str) -> None:
    first = draw(models, drawer=drawer, cutouts=cutouts)
    assert same(first, draw(models, drawer=drawer, cutouts=cutouts))
    assert not same(first, draw(models, drawer=drawer, cutouts=cutouts, seed=8))


def test_interleaved_runs_equal_separate_ones(models: Models) -> None:
    apart = draw(models), draw(models, drawer="fft", seed="words", prompts="a | b:-1")
    one = Session(settings(), models=models)
    two = Session(settings(drawer="fft", seed="words", prompts="a | b:-1"), models=models)
    drawn: tuple[list[Frame], list[Frame]] = ([], [])
    for a, b in zip(one.frames(), two.frames(), strict=True):
        drawn[0].append(a)
        drawn[1].append(b)
    assert same(drawn[0], apart[0])
    assert same(drawn[1], apart[1])


def test_a_run_leaves_the_global_random_state_and_modes_alone(models: Models) -> None:
    before = torch.get_rng_state()
    frames = Session(settings(), models=models).frames()
    next(frames)
    assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), before)
    frames.close()


def test_another_loss_does_not_shift_the_views(models: Models) -> None:
    plain = draw(models, losses="", iterations=1)[0]
    more = draw(models, losses="symmetry:1", iterations=1)[0]
    assert torch.equal(plain.terms["prompt 1"], more.terms["prompt 1"])


def test_a_drawn_seed_is_recorded_and_draws_the_same_again(models: Models) -> None:
    with Session(settings(seed=None), models=models) as session:
        frames = list(session.frames())
        resolved = session.settings
    assert isinstance(resolved.seed, int)
    with Session(resolved, models=models) as again:
        assert same(frames, list(again.frames()))


# ---- cancel ------------------------------------------------------------------------------------


def test_closing_cancels_and_keeps_the_last_picture(models: Models) -> None:
    with Session(settings(iterations=100), models=models) as session:
        for frame in session.frames():
            if frame.step == 3:
                break
        session.close()
        kept = session.snapshot()
    assert kept.final
    assert torch.equal(kept.image, draw(models, iterations=100)[4].image)
    with pytest.raises(RuntimeError, match="draws once"):
        session.frames()


# ---- schedules ---------------------------------------------------------------------------------


def test_factors() -> None:
    drops = drops_at([50, 75])
    assert [drops(p) for p in (0, 0.49, 0.5, 0.75)] == pytest.approx([1, 1, 0.1, 0.01])
    assert cosine(0) == pytest.approx(1)
    assert cosine(1) == pytest.approx(0.02)
    assert constant(0.3) == 1


def test_drops_keep_the_optimizers_moments_and_each_groups_own_rate() -> None:
    a, b = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.Adam([{"params": [a], "lr": 1.0}, {"params": [b], "lr": 0.5}])
    schedule = RateSchedule(drops_at([50]), rate=2.0)
    torch.autograd.backward((a + b).sum())
    schedule.apply_(optimizer, 0.0)
    optimizer.step()
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([2.0, 1.0])
    moments = optimizer.state[a]["exp_avg"].clone()
    schedule.apply_(optimizer, 0.5)
    schedule.drop()
    schedule.apply_(optimizer, 0.6)
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.02, 0.01])
    assert torch.equal(optimizer.state[a]["exp_avg"], moments)


# ---- stopping and keeping ----------------------------------------------------------------------


def test_smoothed_has_no_bias_at_its_start() -> None:
    average = Smoothed(10)
    assert math.isnan(average.value)
    assert average.add(5.0) == pytest.approx(5.0)
    assert average.add(5.0) == pytest.approx(5.0)


def test_plateau_waits_for_its_patience() -> None:
    plateau = Plateau(patience=5)
    assert not any(plateau.reached(1.0 - 0.1 * i) for i in range(10))
    assert [plateau.reached(5.0) for i in range(20)].count(True) >= 2


def test_auto_stop_drops_the_rates_and_then_stops(models: Models) -> None:
    frames = draw(models, iterations=400, auto_stop=True, patience=8, learning_rate=0.001)
    assert frames[-1].final
    assert 16 < frames[-1].step < 400


def test_stop_score_stops_once_reached(models: Models) -> None:
    assert draw(models, iterations=60, stop_score=-0.99)[-1].step == 11
    assert draw(models, iterations=15, stop_score=1.0)[-1].step == 15


def test_keep_best_returns_to_the_best_parameters(models: Models) -> None:
    # A rate this large throws the picture about, so the last is hardly ever the best.
    wild: dict[str, Any] = {"iterations": 40, "learning_rate": 40, "schedule": "constant"}
    last = draw(models, **wild)
    best = draw(models, keep="best", **wild)
    smoothed = Smoothed()
    averages = [smoothed.add(frame.score) for frame in last[:-1]]
    chosen = max(range(10, 40), key=lambda i: averages[i])
    expected = last[chosen + 1].image if chosen + 1 < 40 else last[-1].image
    assert torch.equal(best[-1].image, expected)


# ---- what a session says and refuses -----------------------------------------------------------


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(PromptError, match="no prompt"):
        Session(Settings.of(perceptor="toy"))


def test_the_record_names_models_seed_and_version(models: Models) -> None:
    with Session(settings(), models=models) as session:
        record = session.record()
    assert record["seed"] == 7
    assert record["perceptors"][0]["name"] == "toy"
    assert Settings.of(**record["settings"]) == session.settings
    assert any("toy" in notice for notice in session.notices)


def test_streams_are_independent_and_repeatable() -> None:
    def numbers(seed: int | str, purpose: str) -> torch.Tensor:
        return torch.rand(4, generator=stream(seed, purpose))

    assert torch.equal(numbers(1, "a"), numbers(1, "a"))
    assert not torch.equal(numbers(1, "a"), numbers(1, "b"))
    assert not torch.equal(numbers(1, "a"), numbers(2, "a"))


@pytest.mark.parametrize("name", ["tpu", "cuda:99", "xpu"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"device"):
        pick(name)
