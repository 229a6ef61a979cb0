"""The picture world, the captions and the command that makes the starter perceptor."""

from pathlib import Path

import numpy as np
import pytest
import torch

from training import batches, make, scenes
from training.batches import Compatibility, Stream
from training.captions import WordTokenizer, known_tokens
from training.compose import Composer
from training.fakes import Fakes
from training.losses import contrastive, tell_fakes
from training.plan import Planner
from training.sprites import FONT, FONT_PACKAGE, Sprites, render_sprites
from training.subjects import SUBJECT_INDEX
from training.train import Recipe, _climb, learning_rate
from training.world import COLOR_NAMES

needs_font = pytest.mark.skipif(
    not FONT.is_file(), reason=f"the emoji font is missing (apt-get install {FONT_PACKAGE})"
)


@pytest.fixture(scope="module")
def sprites() -> Sprites:
    if not FONT.is_file():
        pytest.skip(f"the emoji font is missing (apt-get install {FONT_PACKAGE})")
    return render_sprites()


@pytest.fixture(scope="module")
def bank() -> torch.Tensor:
    return scenes.draw_scenes(0, variants=2)


def test_compatibility_spares_captions_that_may_be_true() -> None:
    may = Compatibility()
    owl, bird, cat = (SUBJECT_INDEX[n] for n in ("owl", "bird", "cat"))
    truth = np.array([[owl, 2, 1, 3, 0], [cat, -1, 2, 3, 0]])
    claims = np.array(
        [[bird, -1, 1, -1, -1], [owl, 3, 1, -1, -1], [cat, 5, 2, -1, -1], [cat, -1, 3, -1, -1],
         [-1, -1, -1, 3, -1]]
    )  # fmt: skip
    expected = [[True, False, False, False, True], [False, False, True, False, True]]
    assert may(truth, claims).tolist() == expected


def test_a_seed_gives_the_same_batches(sprites: Sprites, bank: torch.Tensor) -> None:
    def first(seed: int) -> batches.Batch:
        composer = Composer(sprites, bank, torch.device("cpu"))
        ids = torch.from_numpy(known_tokens(WordTokenizer())[1:])
        return Stream(Planner(sprites), composer, ids, seed, 16).next(1.0)

    a, b, other = first(5), first(5), first(6)
    assert torch.equal(a.images, b.images)
    assert torch.equal(a.rows, b.rows)
    assert torch.equal(a.masked, b.masked)
    assert not torch.equal(a.images, other.images)
    assert a.images.shape == (16, 3, 64, 64)
    assert a.images.min() >= 0
    assert a.images.max() <= 1
    assert a.rows.shape == (32, 32)
    assert a.masked.shape == (16, 32)
    assert not a.masked.diagonal().any()


def test_a_red_apple_on_blue_is_red_on_blue(sprites: Sprites, bank: torch.Tensor) -> None:
    plan = Planner(sprites).draw(np.zeros(1, dtype=np.float32), np.random.default_rng(0))
    red, blue = COLOR_NAMES.index("red"), COLOR_NAMES.index("blue")
    plan.truth[0] = (SUBJECT_INDEX["circle"], red, 1, blue, 0)
    plan.sprite[0] = sprites.names.index("our own circle")
    plan.recolor[0], plan.ground[0] = red, blue
    plan.slots[0, 0] = (0, 0, 0.5, 0, 1)
    gen = torch.Generator().manual_seed(0)
    picture = Composer(sprites, bank, torch.device("cpu")).draw(plan, gen)[0]
    assert picture[0, 28:36, 28:36].mean() > 2 * picture[2, 28:36, 28:36].mean()
    assert picture[2, :6, :6].mean() > 2 * picture[0, :6, :6].mean()


def test_the_perturbation_stays_in_its_ball() -> None:
    gen = torch.Generator().manual_seed(0)
    bound = torch.tensor([3.0, 0.0, 1.5]).view(3, 1, 1, 1)
    delta = torch.zeros(3, 3, 8, 8)
    for _ in range(4):
        delta = _climb(delta, torch.randn(3, 3, 8, 8, generator=gen), bound, 0.75)
    size = delta.flatten(1).norm(dim=1)
    assert (size <= bound.flatten() + 1e-5).all()
    assert size[1] == 0


def test_learning_rate_warms_up_and_anneals() -> None:
    assert learning_rate(0.0) < 0.1
    assert learning_rate(0.05) > 0.9
    assert learning_rate(1.0) == pytest.approx(0.01)


@pytest.mark.parametrize(("text", "value"), [("20s", 20), ("90m", 5400), ("1.5h", 5400)])
def test_durations(text: str, value: float) -> None:
    assert make.seconds(text) == value


def test_missing_font_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("training.sprites.FONT", tmp_path / "no.ttf")
    assert make.main(["--budget", "1s", "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().out
    assert FONT_PACKAGE in said
    assert "Traceback" not in said


def test_nothing_to_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make.main(["--resume", "--checkpoint", str(tmp_path / "none.pt")]) == 1
    assert "nothing to resume" in capsys.readouterr().out


@needs_font
@pytest.mark.slow
def test_make_runs_from_end_to_end_and_resumes(tmp_path: Path) -> None:
    from text2art.nets.starter import load_starter

    common = ["--out", str(tmp_path / "out"), "--checkpoint", str(tmp_path / "c.pt"),
              "--device", "cpu", "--pictures", "128"]  # fmt: skip
    assert make.main([*common, "--budget", "10s"]) == 0
    model = load_starter(tmp_path / "out")
    # Twice the budget: on a busy machine the first run may end seconds past its own.
    assert make.main([*common, "--budget", "20s", "--resume"]) == 0
    again = load_starter(tmp_path / "out")
    weights = zip(model.parameters(), again.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in weights)
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "subject top-1" in card
    assert "Noto Color Emoji" in (tmp_path / "out" / "NOTICE").read_text()
    assert Recipe().radius > 0


def test_guided_pictures_move_and_stay_pictures(sprites: Sprites, bank: torch.Tensor) -> None:
    composer = Composer(sprites, bank, torch.device("cpu"))
    ids = torch.from_numpy(known_tokens(WordTokenizer())[1:])
    stream = Stream(Planner(sprites), composer, ids, 0, 8)
    gen = torch.Generator().manual_seed(0)
    fakes = Fakes(5, stream.rows(["random noise"])[0], gen, held=9, stride=2.0)
    guided = fakes.take(stream.next(1.0))
    assert guided.pictures.shape == (5, 3, 64, 64)
    assert (guided.rows[:, 0] > 0).all(), "each has a caption"
    moved = fakes.moved(guided, torch.randn(5, 3, 64, 64, generator=gen))
    assert moved.pictures.min() >= 0
    assert moved.pictures.max() <= 1
    step = (moved.pictures - guided.pictures).flatten(1).norm(dim=1)
    assert (step > 0).all()
    assert (step <= 2.0 + 1e-4).all()
    fakes.keep(moved)
    assert torch.equal(fakes.pictures[moved.places], moved.pictures)


def test_a_fake_costs_more_the_nearer_it_is_to_its_caption() -> None:
    caption, noise = torch.eye(2)
    text, scale = torch.stack([caption, noise]), torch.tensor(10.0)
    near, far = tell_fakes(caption[None], text, scale), tell_fakes(noise[None], text, scale)
    assert near > 5
    assert far < 0.1


def test_contrastive_ignores_masked_pairs() -> None:
    gen = torch.Generator().manual_seed(0)
    image, text = torch.randn(4, 8, generator=gen), torch.randn(8, 8, generator=gen)
    mask = torch.zeros(4, 8, dtype=torch.bool)
    mask[0, 5] = True
    scale = torch.tensor(5.0)
    before = contrastive(image, text, mask, scale)
    text[5] = image[0]  # a perfect match of picture 0, but masked for it
    gap = contrastive(image[:1], text[[0, 5]], mask[:1, [0, 5]], scale)
    assert gap == pytest.approx(0.0, abs=1e-5)
    assert torch.isfinite(before)
