"""Several pictures drawn together: each as alone, all seen in one pass, none held up by another."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.cli_tools import TINY, Cli
from text2art import Settings, draw_each, loop
from text2art.api import draw
from text2art.core import Asking, Frame, Perceptor, View
from text2art.errors import OutOfMemory, SettingsError
from text2art.media.png import read_record
from text2art.models import Models
from text2art.perceptors.toy import ToyPerceptor
from text2art.runtime import pick
from text2art.session import Session
from text2art.together import draw_together, sessions_of

CPU = pick("cpu")


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(CPU)


def order(**values: Any) -> Settings:
    tiny = {"prompts": "an apple", "perceptor": "toy", "size": "24x24", "iterations": 6, "cuts": 4}
    return Settings.of(**{**tiny, "starts": 1, "seed": 7, **values})


def alone(settings: Settings, models: Models) -> list[Frame]:
    with Session(settings, models=models) as session:
        return list(session.frames())


def all_of(orders: Sequence[Settings], models: Models) -> list[list[Frame]]:
    with sessions_of(orders, models) as sessions:
        return frames_of(sessions)


def frames_of(sessions: Sequence[Session]) -> list[list[Frame]]:
    drawn: list[list[Frame]] = [[] for _ in sessions]
    for number, frame in draw_together(sessions):
        drawn[number].append(frame)
    return drawn


def assert_alike(one: Sequence[Frame], other: Sequence[Frame]) -> None:
    """Make sure that they are the same but for the last bits."""
    assert [frame.step for frame in one] == [frame.step for frame in other]
    assert [frame.final for frame in one] == [frame.final for frame in other]
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a.image, b.image, rtol=0, atol=1e-4)
        assert a.terms.keys() == b.terms.keys()
        assert a.scores.keys() == b.scores.keys()
        for name, score in a.scores.items():
            torch.testing.assert_close(score, b.scores[name], rtol=0, atol=1e-4)


def same(one: Sequence[Frame], other: Sequence[Frame]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(a.image, b.image) for a, b in zip(one, other, strict=True)
    )


def toy_of(models: Models) -> Perceptor:
    """Return the perceptor that `order` asks for, which all sessions of the models share."""
    return next(perceptor for perceptor, _ in models.ensemble("toy", order().preset))


@contextmanager
def counted(models: Models) -> Iterator[list[int]]:
    """Note how many looks the toy sees in each pass."""
    looker = toy_of(models)
    taken: list[int] = []
    see = looker.see

    def counting(crops: Tensor) -> Tensor:
        taken.append(len(crops))
        return see(crops)

    looker.see = counting  # type: ignore[method-assign]
    try:
        yield taken
    finally:
        del looker.see


DIFFERENT = {
    "seeds": [{"seed": 1}, {"seed": 2}, {"seed": "three"}],
    "prompts": [{"prompts": "a pear | an apple [left]:-0.5"}, {"prompts": "night"}, {}],
    "sizes and drawers": [{"drawer": "pyramid", "size": "40x24"}, {"drawer": "fft"}, {"cuts": 7}],
    "lengths": [{"iterations": 3}, {"iterations": 9}, {"prompts": "a ^ b", "iterations": 4}],
    "starts": [{"starts": 4, "iterations": 30}, {"starts": 2, "iterations": 20}, {}],
    "perceptors": [{"perceptor": "toy,toy/2:0.5"}, {}, {"perceptor": "toy/2"}],
    "batches": [{"batches": 3}, {}, {"batches": 2}],
    "chunks": [{"chunk": 3}, {}, {"chunk": 5}],
    "alpha": [{"transparent": True}, {"keep": "best"}, {"losses": "smoothness"}],
}


@pytest.mark.parametrize("changes", DIFFERENT.values(), ids=DIFFERENT)
def test_each_is_drawn_as_alone(models: Models, changes: list[dict[str, Any]]) -> None:
    orders = [order(**change) for change in changes]
    for mine, settings in zip(all_of(orders, models), orders, strict=True):
        assert_alike(mine, alone(settings, models))


def test_all_looks_of_a_step_are_seen_in_one_pass(models: Models) -> None:
    orders = [order(seed=1), order(seed=2, iterations=4), order(cuts=7, prompts="a pear | night")]
    with counted(models) as taken:
        all_of(orders, models)
    # Four steps of all; the shortest's result by itself; two steps of the others, their results.
    assert taken == [15] * 4 + [4] + [11] * 2 + [4, 7]


def test_regions_and_spots_of_one_picture_are_seen_in_one_pass_too(models: Models) -> None:
    settings = order(prompts="a pear [left] | a plum [right] | night", spot_prompts="sun")
    with counted(models) as taken:
        alone(settings, models)
    assert taken == [16] * 7


def test_what_never_changes_is_seen_without_a_gradient(models: Models, tmp_path: Path) -> None:
    file = tmp_path / "red.png"
    draw("a", perceptor="toy", size="16x16", iterations=1, cuts=1, starts=1, models=models).save(
        file
    )
    pulled: list[bool] = []
    looker = toy_of(models)
    see = looker.see

    def noting(crops: Tensor) -> Tensor:
        pulled.append(crops.requires_grad)
        return see(crops)

    looker.see = noting  # type: ignore[method-assign]
    try:
        with Session(order(image_prompts=str(file), iterations=2), models=models) as session:
            frames = session.frames()
            next(frames)
    finally:
        del looker.see
    assert pulled == [True, False]


def test_the_same_company_gives_the_same_bits(models: Models) -> None:
    orders = [order(seed=n, drawer="pyramid") for n in range(3)]
    first, again = all_of(orders, models), all_of(orders, models)
    assert all(same(one, other) for one, other in zip(first, again, strict=True))


def test_one_alone_has_the_bits_it_always_has(models: Models) -> None:
    settings = order(starts=4, iterations=30)
    (mine,) = all_of([settings], models)
    assert same(mine, alone(settings, models))


def test_others_drawn_meanwhile_change_nothing(models: Models) -> None:
    orders = [order(seed=n) for n in range(2)]
    apart, other = all_of(orders, models), alone(order(drawer="fft"), models)
    drawn: list[list[Frame]] = [[], []]
    with (
        sessions_of(orders, models) as sessions,
        Session(order(drawer="fft"), models=models) as third,
    ):
        meanwhile, frames = [], third.frames()
        for number, frame in draw_together(sessions):
            drawn[number].append(frame)
            meanwhile += [one for one in [next(frames, None)] if one is not None]
    assert all(same(one, two) for one, two in zip(drawn, apart, strict=True))
    assert same(meanwhile, other)


@pytest.mark.parametrize("closed", [0, 1])
def test_one_that_is_closed_leaves_the_other_to_go_on(models: Models, closed: int) -> None:
    orders = [order(seed=n) for n in range(2)]
    drawn: list[list[Frame]] = [[], []]
    with sessions_of(orders, models) as sessions:
        for number, frame in draw_together(sessions):
            drawn[number].append(frame)
            if frame.step == 2 and number == 1:  # the first one may wait for its gradient by now
                sessions[closed].close()
        kept = sessions[closed].snapshot()
    assert len(drawn[closed]) == 3
    assert_alike(drawn[1 - closed], alone(orders[1 - closed], models))
    assert kept.step == 3


def test_a_checkpoint_of_the_one_at_hand_goes_on(models: Models) -> None:
    orders = [order(seed=n) for n in range(2)]
    with sessions_of(orders, models) as sessions:
        for number, frame in draw_together(sessions):
            if (number, frame.step) == (1, 3):
                checkpoint = sessions[1].checkpoint()
                break
    with Session.resume(checkpoint, models=models) as session:
        rest = list(session.frames())
    assert_alike(rest, alone(orders[1], models)[4:])


def test_a_session_draws_once(models: Models) -> None:
    with sessions_of([order()], models) as sessions:
        frames_of(sessions)
        with pytest.raises(RuntimeError, match="draws once"):
            sessions[0].frames()


# ---- memory --------------------------------------------------------------------------------------


class Limited(ToyPerceptor):
    """Runs out of memory when it sees more looks than this with their gradient."""

    def __init__(self, limit: int) -> None:
        super().__init__(CPU)
        self.limit, self.seen = limit, []  # type: ignore[var-annotated]

    def see(self, crops: Tensor) -> Tensor:
        if crops.requires_grad:
            self.seen.append(len(crops))
            if len(crops) > self.limit:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return super().see(crops)


def with_limit(monkeypatch: pytest.MonkeyPatch, limit: int) -> tuple[Models, Limited]:
    looker = Limited(limit)
    monkeypatch.setattr("text2art.perceptors.toy.build", lambda model, runtime: looker)
    return Models(CPU), looker


def test_where_memory_runs_out_all_go_on_with_less(monkeypatch: pytest.MonkeyPatch) -> None:
    models, looker = with_limit(monkeypatch, 3)
    orders = [order(seed=n, iterations=2) for n in range(2)]
    with sessions_of(orders, models) as sessions:
        drawn = frames_of(sessions)
        notices = [notice for session in sessions for notice in session.notices]
    assert looker.seen[:3] == [8, 4, 2], "the step is repeated"
    assert max(looker.seen[3:]) == 2
    assert sum("repeated with" in notice for notice in notices) == 2
    for mine, settings in zip(drawn, orders, strict=True):
        assert_alike(mine, alone(settings, Models(CPU)))


def test_where_even_one_look_is_too_much_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    models, _ = with_limit(monkeypatch, 0)
    with sessions_of([order(seed=n) for n in range(2)], models) as sessions:
        with pytest.raises(OutOfMemory, match="8, 4, 2, 1 at a time"):
            next(draw_together(sessions))
        assert sessions[1].snapshot().step == 0


def test_memory_is_planned_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    free = 40_000_000
    monkeypatch.setattr("text2art.workshop.free_memory", lambda device: free)
    monkeypatch.setattr(Models, "crop_bytes", lambda self, perceptor: 1_000_000)
    settings = order(cuts=20, size="16x16")
    with Session(settings, models=Models(CPU)) as session:
        assert session.settings.chunk is None, "one picture's looks fit"
    with sessions_of([settings] * 3, Models(CPU)) as sessions:
        for session in sessions:
            assert session.settings.chunk is not None
            assert session.settings.chunk < 60


# ---- losses that ask beforehand ------------------------------------------------------------------


class Secret:
    """A loss that does not say what it looks at."""

    name, weight = "secret", 1.0

    def __init__(self, looker: ToyPerceptor) -> None:
        self.looker = looker

    def __call__(self, view: View) -> Tensor:
        return view.seen(self.looker).mean()


def test_losses_that_do_not_ask_are_seen_by_themselves(models: Models) -> None:
    looker = ToyPerceptor(CPU)
    loss = Secret(looker)
    assert not isinstance(loss, Asking)
    with Session(order(iterations=2), models=models, extra_losses=[loss]) as session:
        (frame, *_) = session.frames()
    assert "secret" in frame.terms


def test_a_pull_with_nothing_to_gain_is_each_ones_own(models: Models) -> None:
    """Frames of one pull belong to the runs that asked, whoever else was there."""
    with Session(order(), models=models) as one, Session(order(seed=8), models=models) as other:
        pulls = [loop.Pull([session.scene], 0, 6) for session in (one, other)]
        loop.pull(pulls)
    assert [len(pull.frames) for pull in pulls] == [1, 1]
    assert torch.equal(pulls[0].frames[0].image, alone(order(), models)[0].image)
    assert torch.equal(pulls[1].frames[0].image, alone(order(seed=8), models)[0].image)


# ---- faces ---------------------------------------------------------------------------------------


def test_draw_each_gives_results_in_order(models: Models) -> None:
    orders = [order(seed=n, iterations=5 - n, display_every=2) for n in range(5)]
    results = list(draw_each(orders, together=2, models=models))
    assert [result.settings.seed for result in results] == [0, 1, 2, 3, 4]
    assert [len(result.frames) for result in results] == [4, 3, 3, 2, 2]
    assert [result.record.get("together") for result in results] == [2, 2, 2, 2, None]
    for result, settings in zip(results, orders, strict=True):
        assert result.frames[-1].tobytes() == result.image.tobytes()
        assert abs(result.score - alone(settings, models)[-1].score) < 1e-4
    assert list(draw_each([], models=models)) == []


@pytest.mark.parametrize("together", [0, 17])
def test_draw_each_takes_a_number_within_reason(together: int) -> None:
    with pytest.raises(SettingsError, match=f"{together} at a time.*1 to 16"):
        next(draw_each([order()], together=together))


def test_the_first_that_cannot_be_drawn_is_an_error(models: Models) -> None:
    with pytest.raises(SettingsError, match="cannot draw transparent"):
        list(draw_each([order(), order(drawer="vqgan", transparent=True)], models=models))


def test_a_grid_drawn_together_is_the_grid(cli: Cli) -> None:
    words = ["grid", "a cat", *TINY, "--x", "seed=1,2,3", "--json", "--cells"]
    assert cli(*words, "one").code == 0
    answer = cli(*words, "four", "--together", "2")
    assert answer.code == 0, answer.err
    assert [event["label"] for event in answer.events[:-1]] == ["seed=1", "seed=2", "seed=3"]
    company = [read_record(path).get("together") for path in sorted(Path("four").iterdir())]
    assert company == [2, 2, None]
    again = cli(*words, "four", "--together", "3")
    assert [event["reused"] for event in again.events[:-1]] == [True] * 3
    (first, *_) = sorted(Path("four").iterdir())
    told = cli("again", str(first), "-o", "again.png", "--json")
    notices = json.loads(told.out.splitlines()[-1])["notices"]
    assert "drawn then together with 1 more: details may differ" in notices


def test_variations_drawn_together(cli: Cli) -> None:
    assert cli("draw", "a cat", *TINY, "--seed=3", "-o", "cat.png").code == 0
    answer = cli("vary", "cat.png", "-n", "3", "--together", "3", "-o", "{seed}.png", "-q")
    assert answer.out.split() == ["4.png", "5.png", "6.png"]
    assert [read_record(Path(f"{n}.png"))["together"] for n in (4, 5, 6)] == [3, 3, 3]
    assert cli("vary", "cat.png", "--together", "17").code == 2
