"""Several starts: the most promising one is drawn to the end."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.cli_tools import Cli
from tests.conftest import TOY
from text2art import loop, starts
from text2art.api import draw
from text2art.core import Frame
from text2art.models import Models
from text2art.runtime import pick
from text2art.session import Session
from text2art.settings import Settings


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(pick("cpu"))


def session(models: Models, **changes: Any) -> Session:
    return Session(Settings.of(**{**TOY, "iterations": 40, **changes}), models=models)


def frames(models: Models, **changes: Any) -> list[Frame]:
    with session(models, **changes) as running:
        return list(running.frames())


@pytest.mark.parametrize(
    ("count", "steps", "rounds"),
    [
        (1, 100, []),
        (2, 100, [(2, 10)]),
        (3, 100, [(3, 10), (2, 10)]),
        (4, 40, [(4, 3), (2, 3)]),
        (5, 100, [(5, 4), (3, 4), (2, 8)]),
        (8, 200, [(8, 6), (4, 6), (2, 12)]),
        (16, 10, []),
    ],
)
def test_rounds_take_at_most_half_of_the_steps(
    count: int, steps: int, rounds: list[tuple[int, int]]
) -> None:
    planned = starts.rounds_of(count, steps)
    assert [(one.starts, one.steps) for one in planned] == rounds
    assert [one.before for one in planned] == [
        sum(n for _, n in rounds[:k]) for k in range(len(rounds))
    ]
    assert starts.steps_of(planned) == sum(k * n for k, n in rounds) <= steps / 2


def test_one_frame_per_step_and_the_result(models: Models) -> None:
    drawn = frames(models, starts=4)
    assert [frame.step for frame in drawn] == [*range(40), 40]
    assert [frame.tryout for frame in drawn] == [True] * 18 + [False] * 23
    assert [frame.final for frame in drawn] == [False] * 40 + [True]
    with session(models, starts=4) as running:
        assert running.tryouts == 18


def test_the_start_with_the_least_loss_goes_on(models: Models) -> None:
    drawn = frames(models, starts=4)  # by turns: three steps of four, then three of two
    first = torch.tensor([[drawn[4 * i + k].loss for i in (1, 2)] for k in range(4)]).mean(1)
    better = sorted(first.argsort(stable=True).tolist()[:2])
    second = torch.tensor([[drawn[12 + 2 * i + k].loss for i in (1, 2)] for k in range(2)]).mean(1)
    chosen = better[int(second.argmin())]
    with session(models, starts=4) as running:
        scenes = list(running._play.scenes)
        list(running.frames())
        assert running.scene is scenes[chosen]
    # It goes on where its tryout stopped: as if it had been drawn alone, over the steps it got.
    again = session(models, starts=4)
    alone, length = again._play.scenes[chosen], 40 - 18 + 6
    tried = replace(alone, cutouts=again._workshop.glances)
    images = [frame.image for frame in itertools.islice(loop.run(tried, length), 6)]
    images += [frame.image for frame in loop.run(alone, length, 6)]
    place = better.index(chosen)
    assert torch.equal(drawn[chosen].image, images[0])
    for number, step in ((12 + place, 3), (18, 6), (39, -1)):  # but for the last bits
        torch.testing.assert_close(drawn[number].image, images[step], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("cuts", "tryouts"),
    [
        (1, [4] * 3 + [2] * 3),  # two rounds, of four starts and of two
        (2, [4] * 3 + [2] * 3),
        (7, [16] * 3 + [8] * 3),
        (16, [32] * 3 + [16] * 3),
        (24, [24] * 9),  # two by two
        (40, [40] * 9),
    ],
)
def test_tryouts_take_half_the_looks_and_all_in_one_pass(
    models: Models, cuts: int, tryouts: list[int]
) -> None:
    with session(models, starts=4, cuts=cuts) as running:
        taken: list[int] = []
        for perceptor, _ in running.ensemble:
            see = perceptor.see

            def counting(crops: Any, see: Any = see) -> Any:
                taken.append(len(crops))
                return see(crops)

            perceptor.see = counting  # type: ignore[method-assign]
        try:
            list(running.frames())
        finally:
            for perceptor, _ in running.ensemble:
                del perceptor.see
    assert taken == [*tryouts, *[cuts] * 23]


@pytest.mark.parametrize(
    ("count", "cuts", "size", "beside"),
    [
        (8, 8, 1, 8),
        (8, 10, 1, 6),
        (8, 24, 1, 2),
        (8, 36, 1, 2),
        (3, 8, 1, 3),
        (8, 8, 2**27, 4),
        (8, 8, 2**40, 1),
        (8, 8, 0, 8),
    ],
)
def test_as_many_are_drawn_side_by_side_as_are_worth_it_and_fit(
    count: int, cuts: int, size: int, beside: int
) -> None:
    assert starts.together(count, cuts, size) == beside


def test_starts_differ_and_the_first_is_that_of_a_single_start(models: Models) -> None:
    drawn = frames(models, starts=4)
    firsts = [drawn[k].image for k in range(4)]
    assert len({image.numpy().tobytes() for image in firsts}) == 4
    assert torch.equal(firsts[0], frames(models, starts=1)[0].image)


def test_the_same_seed_gives_the_same_picture(models: Models) -> None:
    first, again = (frames(models, starts=3)[-1] for _ in range(2))
    assert torch.equal(first.image, again.image)
    assert not torch.equal(first.image, frames(models, starts=3, seed=8)[-1].image)


def test_two_interleaved_equal_two_apart(models: Models) -> None:
    apart = [frames(models, starts=3, seed=seed)[-1].image for seed in (1, 2)]
    with session(models, starts=3, seed=1) as a, session(models, starts=3, seed=2) as b:
        *_, (last_a, last_b) = zip(a.frames(), b.frames(), strict=True)
    assert torch.equal(last_a.image, apart[0])
    assert torch.equal(last_b.image, apart[1])


def test_a_cancelled_tryout_keeps_its_picture(models: Models) -> None:
    with session(models, starts=4) as running:
        going = running.frames()
        shown = [next(going) for _ in range(7)]
        going.close()
        last = running.snapshot()
    assert shown[-1].tryout
    assert last.final
    assert (last.image - shown[-1].image).abs().max() < 0.2
    assert not torch.equal(last.image, shown[0].image)


def test_an_init_image_is_one_start(models: Models, tmp_path: Any) -> None:
    from PIL import Image

    path = tmp_path / "init.png"
    Image.new("RGB", (32, 32), "teal").save(path)
    drawn = frames(models, starts=4, init_image=str(path))
    assert not any(frame.tryout for frame in drawn)
    assert len(drawn) == 41


def test_no_film_shows_the_starts_given_up(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    films: list[Any] = []

    class Film:
        def __init__(self, path: Any, expected: int, **_: Any) -> None:
            self.expected, self.added = expected, 0
            films.append(self)

        def __enter__(self) -> Film:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def add(self, picture: Any) -> None:
            self.added += 1

    monkeypatch.setattr("text2art.cli.work.VideoWriter", Film)
    answer = cli(
        "draw", "a red apple", "--perceptor=toy", "--size=32x32", "--iterations=20", "--cuts=4",
        "--starts=4", "--seed=7", "--out=a.png", "--video=a.gif",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert [(film.expected, film.added) for film in films] == [(15, 15)]


def test_a_result_keeps_no_picture_of_a_start_given_up(models: Models) -> None:
    tiny = {key: value for key, value in TOY.items() if key not in ("prompts", "starts")}
    made = {**tiny, "iterations": 20, "display_every": 1, "starts": 4}
    assert len(draw("a red apple", models=models, **made).frames) == 20 - (4 + 2) + 1


@pytest.mark.parametrize("every", [1, 3, 10])
def test_of_starts_side_by_side_one_is_shown(models: Models, every: int) -> None:
    """Else a preview would flicker between them."""
    with session(models, starts=4, display_every=every) as running:
        first = running._play.scenes[0].drawer()
        shown = [frame for frame in running.frames() if running.shows(frame)]
    tried = [frame for frame in shown if frame.tryout]
    assert torch.equal(tried[0].image, first)
    # Turns of four begin at 0, 4 and 8, turns of two at 12, 14 and 16.
    turns = {1: [0, 4, 8, 12, 14, 16], 3: [0, 4, 8, 12, 14], 10: [0, 8]}
    assert [frame.step for frame in tried] == turns[every]
    assert [frame.step for frame in shown if not frame.tryout] == [
        *(step for step in range(18, 40) if step % every == 0), 40
    ]  # fmt: skip
