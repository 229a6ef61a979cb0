"""Composing, batches and the training step: how the starter models are made."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from text2art.nets.starter import StarterCLIP, StarterConfig, describe, load_starter
from training import make, scenes
from training.batches import Batch, Compatibility, Stream
from training.captions import CONTEXT, NOTHING, WordTokenizer, known_tokens
from training.card import write_card
from training.compose import Composer
from training.export import blended, build, read_checkpoint
from training.fakes import Fakes
from training.losses import contrastive, tell_fakes
from training.norm import SettlingNorm, settle
from training.plan import Planner
from training.planning import Here, Workers, Writer, Written
from training.recipe import Recipe, continued, learning_rate, recipe_for
from training.sprites import FONT, FONT_PACKAGE, Sprites, render_sprites
from training.subjects import SUBJECT_INDEX
from training.train import Trainer, climb
from training.world import ATTRIBUTES, COLOR_NAMES, RELATION_NAMES

needs_font = pytest.mark.skipif(
    not FONT.is_file(), reason=f"the emoji font is missing (apt-get install {FONT_PACKAGE})"
)
CPU = torch.device("cpu")
RED, BLUE = COLOR_NAMES.index("red"), COLOR_NAMES.index("blue")
LEFT, RIGHT = RELATION_NAMES.index("left"), RELATION_NAMES.index("right")


@pytest.fixture(scope="module")
def sprites() -> Sprites:
    if not FONT.is_file():
        pytest.skip(f"the emoji font is missing (apt-get install {FONT_PACKAGE})")
    return render_sprites()


@pytest.fixture(scope="module")
def bank() -> torch.Tensor:
    return scenes.draw_scenes(0, variants=2)


@pytest.fixture(scope="module")
def token_ids() -> torch.Tensor:
    ids = torch.from_numpy(known_tokens(WordTokenizer()))
    return ids[ids > 0]


@pytest.fixture(scope="module")
def composer(sprites: Sprites, bank: torch.Tensor) -> Composer:
    return Composer(sprites, bank, CPU)


@pytest.fixture
def writer(sprites: Sprites, token_ids: torch.Tensor) -> Writer:
    return Writer(Planner(sprites), token_ids.tolist(), seed=5, size=32)


def row(**values: int) -> list[int]:
    """An attribute row: what is named, and -1 elsewhere."""
    names = {name.replace(" ", "_"): i for i, name in enumerate(ATTRIBUTES)}
    out = [-1] * len(ATTRIBUTES)
    for name, value in values.items():
        out[names[name]] = value
    return out


def test_compatibility_spares_captions_that_may_be_true() -> None:
    may = Compatibility(CPU)
    owl, bird, cat = (SUBJECT_INDEX[n] for n in ("owl", "bird", "cat"))
    truth = [
        row(subject=owl, color=2, count=1, background=3, style=0, second=NOTHING),
        row(subject=cat, count=2, background=3, style=0, second=NOTHING),
    ]
    claims = [
        row(subject=bird, count=1), row(subject=owl, color=3, count=1),
        row(subject=cat, color=5, count=2), row(subject=cat, count=3), row(background=3),
    ]  # fmt: skip
    expected = [[True, False, False, False, True], [False, False, True, False, True]]
    assert may(torch.tensor(truth), torch.tensor(claims)).tolist() == expected


def test_compatibility_of_two_things_in_either_order() -> None:
    may = Compatibility(CPU)
    cat, dog, owl = (SUBJECT_INDEX[n] for n in ("cat", "dog", "owl"))
    truth = row(subject=cat, color=RED, count=1, second=dog, relation=LEFT, second_color=BLUE)
    said = {
        "a cat": row(subject=cat),
        "a dog": row(subject=dog),
        "a dog and a cat": row(subject=dog, second=cat),
        "a dog right of a cat": row(subject=dog, second=cat, relation=RIGHT),
        "a blue dog and a red cat": row(subject=dog, color=BLUE, second=cat, second_color=RED),
        "not: a dog left of a cat": row(subject=dog, second=cat, relation=LEFT),
        "not: a red dog": row(subject=dog, color=RED),
        "not: a red dog and a blue cat": row(subject=dog, color=RED, second=cat, second_color=BLUE),
        "not: an owl": row(subject=owl),
        "not: a cat and an owl": row(subject=cat, second=owl),
    }
    held = may(torch.tensor([truth]), torch.tensor(list(said.values())))[0].tolist()
    assert dict(zip(said, held, strict=True)) == {k: not k.startswith("not") for k in said}
    alone = row(subject=cat, color=RED, count=1, second=NOTHING)
    held = may(torch.tensor([alone]), torch.tensor(list(said.values())))[0].tolist()
    assert [k for k, true in zip(said, held, strict=True) if true] == ["a cat"]


def test_a_seed_gives_the_same_batches(writer: Writer, composer: Composer) -> None:
    def first(seed: int) -> Batch:
        return Stream(Here(writer), composer, seed, 16).next(1.0)

    a, b, other = first(5), first(5), first(6)
    assert torch.equal(a.images, b.images)
    assert torch.equal(a.rows, b.rows)
    assert torch.equal(a.masked, b.masked)
    assert not torch.equal(a.images, other.images)
    assert a.images.shape == (16, 3, 64, 64)
    assert a.images.min() >= 0
    assert a.images.max() <= 1
    assert a.rows.shape[0] == 32
    assert a.rows.shape[1] % 8 == 0
    assert a.masked.shape == (16, 32)
    assert not a.masked.diagonal().any()


def test_workers_write_what_this_process_would(writer: Writer) -> None:
    def key(written: Written) -> bytes:
        return written.plan.truth.tobytes() + written.rows.tobytes()

    with Workers(writer, 2) as workers:
        got = {key(workers.next(0.0)) for _ in range(4)}
        assert len(got) == 4
    assert got <= {key(writer.write(chunk, 0.0)) for chunk in range(12)}


def test_a_dead_worker_is_reported(writer: Writer) -> None:
    with Workers(writer, 1) as workers:
        workers.next(0.0)
        process = workers._processes[0]
        process.kill()
        process.join()
        with pytest.raises(RuntimeError, match="planning worker died"):
            workers.next(0.0)


def test_plans_go_on_where_they_had_got(writer: Writer) -> None:
    with Workers(writer, 1, first=1) as workers:  # first: what has written cannot be sent away
        sent = workers.next(0.0)
    assert np.array_equal(sent.rows, writer.write(1, 0.0).rows)
    begun = Here(writer)
    first, second = begun.next(0.5), begun.next(0.5)
    again = Here(writer, first=1).next(0.5)
    assert np.array_equal(again.rows, second.rows)
    assert not np.array_equal(again.plan.truth, first.plan.truth)


@pytest.mark.parametrize(("updates", "chunks"), [(0, 0), (1, 1), (3, 1), (4, 2)])
def test_a_resumed_training_begins_at_the_next_chunk_of_plans(
    tmp_path: Path, trained: tuple[Trainer, Stream], updates: int, chunks: int
) -> None:
    trained[0].updates = updates
    trained[0].save(tmp_path / "perceptor-2.pt")
    words = ["--resume", "--checkpoints", str(tmp_path), "--tower", "2", "--device", "cpu"]
    with ExitStack() as stack:
        making = make.Making(make._parser().parse_args(words), stack)
        assert making.begun("perceptor", replace(tiny(), chunk=3)) == chunks
        making.args.resume = False
        assert making.begun("perceptor", tiny()) == 0


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_what_is_exported_may_lie_between_parent_and_child(
    trained: tuple[Trainer, Stream], share: float
) -> None:
    trainer, _ = trained
    parent = StarterCLIP(
        StarterConfig("8s2 p 16 p 16", tokens=len(trainer.token_ids) + 2),
        trainer.token_ids,
        folded=True,
    )
    child = Trainer(tiny(folded=True), trainer.token_ids, trainer.noise_row, CPU)
    child.adopt(parent)
    weights = {k: v + 1 if v.is_floating_point() else v for k, v in child.average.items()}
    between = blended(child.parent, weights, share)
    assert between.keys() == weights.keys()
    for name, value in child.parent.items():
        moved = between[name] - value
        expected = share if value.is_floating_point() else 0
        torch.testing.assert_close(moved, torch.full_like(moved, expected))


def test_tokens_new_to_the_parent_are_as_they_were_learnt(trained: tuple[Trainer, Stream]) -> None:
    trainer, _ = trained
    known = trainer.token_ids[:-5]
    parent = StarterCLIP(StarterConfig("8s2 p 16 p 16", tokens=len(known) + 2), known, folded=True)
    child = Trainer(tiny(folded=True), trainer.token_ids, trainer.noise_row, CPU)
    child.adopt(parent)
    table = "text.token_embedding.weight"
    assert child.parent[table].isnan().any(1).nonzero().flatten().tolist() == [
        len(trainer.token_ids) + 2 - n for n in range(5, 0, -1)
    ]
    between = blended(child.parent, child.average, 0.25)
    assert torch.equal(between[table][-5:], child.average[table][-5:])
    assert all(value.isfinite().all() for value in between.values())


@pytest.mark.parametrize("share", ["-0.1", "1.5", "nan"])
def test_a_blend_that_is_no_share_is_refused(
    share: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--checkpoints", str(tmp_path), "--set", f"blend={share}"]
    assert make.main(words) == 1
    assert "is no share: give a number from 0 to 1" in capsys.readouterr().out


def test_what_was_made_anew_has_no_parent_to_lie_near(trained: tuple[Trainer, Stream]) -> None:
    weights = trained[0].average
    assert blended(trained[0].parent, weights, 0.5) is weights


@pytest.mark.parametrize(
    ("text", "times"),
    [("", {}), ("mushroom=8, palm tree=2.5", {"mushroom": 8.0, "palm tree": 2.5})],
)
def test_emphasis_is_read(text: str, times: dict[str, float]) -> None:
    assert tiny(emphasis=text).emphasized() == times


@pytest.mark.parametrize("text", ["mushroom", "mushroom=", "mushroom=-1", "a=nan", "a=inf", "a=x"])
def test_emphasis_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write it like mushroom=8"):
        tiny(emphasis=text).emphasized()


@pytest.mark.parametrize(
    ("tower", "title", "stem"),
    [(1, "# text2art starter perceptor\n", "`perceptor.json`"),
     (2, "# text2art starter perceptor, number 2\n", "`perceptor-2.json`")],
)  # fmt: skip
def test_a_card_names_its_own_files(
    tmp_path: Path, sprites: Sprites, tower: int, title: str, stem: str
) -> None:
    write_card(
        tmp_path, part="perceptor", sprites=sprites, model=describe(StarterConfig("8s2 p 16")),
        parameters=3_000_000, recipe={"seed": 1}, seen=64, seconds=60.0, device="one thread",
        results={"easy": {"subject top-1": 0.5}}, hashes={"x": "0" * 64}, tower=tower,
    )  # fmt: skip
    card = (tmp_path / f"{'MODEL_CARD' if tower == 1 else 'MODEL_CARD-2'}.md").read_text()
    assert card.startswith(title)
    assert f"{stem} lists every word" in card


def plan_one(
    sprites: Sprites, name: str, slots: Sequence[tuple[float, ...]], paint: int
) -> Written:
    """A plan of one picture: a drawing of our own, painted, in some slots, on blue."""
    plan = Planner(sprites).draw(np.zeros(1, dtype=np.float32), np.random.default_rng(0))
    plan.truth[0] = row(subject=SUBJECT_INDEX[name], color=paint, count=len(slots), background=BLUE,
                        style=0, second=NOTHING)  # fmt: skip
    plan.sprite[0], plan.recolor[0], plan.ground[0] = -1, -1, BLUE
    for k, slot in enumerate(slots):
        plan.sprite[0, k] = sprites.names.index(f"our own {name}")
        plan.recolor[0, k] = paint
        plan.slots[0, k] = slot
    nothing: NDArray[np.int16] = np.zeros((1, 8), dtype=np.int16)
    return Written(plan, nothing, nothing)


@pytest.mark.parametrize("half", [0.5, 0.3, 0.14])
def test_a_red_circle_on_blue_is_red_on_blue(
    sprites: Sprites, composer: Composer, half: float
) -> None:
    written = plan_one(sprites, "circle", [(0, 0, half, 0, 1)], RED)
    picture = composer.draw(written.plan, torch.Generator().manual_seed(0))[0]
    assert picture[0, 30:34, 30:34].mean() > 2 * picture[2, 30:34, 30:34].mean()
    assert picture[2, :6, :6].mean() > 2 * picture[0, :6, :6].mean()
    # Its area is that of a circle of this size, whichever resolution it was read from.
    red = (picture[0] > picture[2]).float().mean()
    assert red == pytest.approx(0.785 * half**2, rel=0.3)


def test_every_slot_is_drawn(sprites: Sprites, composer: Composer) -> None:
    corners = [(x, y, 0.3, 0, 1) for x in (-0.5, 0.5) for y in (-0.5, 0.5)]
    for count in (1, 2, 3, 4):
        written = plan_one(sprites, "circle", corners[:count], RED)
        picture = composer.draw(written.plan, torch.Generator().manual_seed(0))[0]
        red = (picture[0] > picture[2]).float()
        quarters = red.unfold(0, 32, 32).unfold(1, 32, 32).mean((2, 3))
        assert (quarters > 0.1).sum() == count


def test_pictures_of_another_side_show_the_same(sprites: Sprites, bank: torch.Tensor) -> None:
    written = plan_one(sprites, "circle", [(0.2, 0, 0.5, 0, 1)], RED)
    small, large = (
        Composer(sprites, bank, CPU, side, worn=False).draw(
            written.plan, torch.Generator().manual_seed(0)
        )
        for side in (64, 128)
    )
    assert large.shape == (1, 3, 128, 128)
    halved = torch.nn.functional.avg_pool2d(large, 2)
    assert (halved - small).abs().mean() < 0.02


def test_the_perturbation_stays_in_its_ball() -> None:
    gen = torch.Generator().manual_seed(0)
    bound = torch.tensor([3.0, 0.0, 1.5]).view(3, 1, 1, 1)
    delta = torch.zeros(3, 3, 8, 8)
    for _ in range(4):
        delta = climb(delta, torch.randn(3, 3, 8, 8, generator=gen), bound, 0.75)
    size = delta.flatten(1).norm(dim=1)
    assert (size <= bound.flatten() + 1e-5).all()
    assert size[1] == 0


def test_learning_rate_warms_up_and_anneals() -> None:
    assert learning_rate(0.0) < 0.1
    assert learning_rate(0.05) > 0.9
    assert learning_rate(1.0) == pytest.approx(0.01)


def test_settling_norm_is_batch_norm_until_it_settles() -> None:
    gen = torch.Generator().manual_seed(0)
    settled = torch.zeros(())
    ours, theirs = SettlingNorm(5, settled), torch.nn.BatchNorm2d(5, momentum=0.02)
    x = torch.randn(16, 5, 6, 6, generator=gen) * 2 + 1
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)
    assert torch.allclose(ours.running_mean, theirs.running_mean, atol=1e-6)  # type: ignore[arg-type]
    settled.fill_(1.0)
    before = ours.running_mean.clone()  # type: ignore[union-attr]
    in_training = ours(x)
    assert torch.equal(ours.running_mean, before)  # type: ignore[arg-type]
    assert torch.allclose(in_training, ours.eval()(x), atol=1e-5)
    assert not torch.allclose(in_training, theirs(x), atol=1e-2)


def test_settling_keeps_the_names_of_the_weights(token_ids: torch.Tensor) -> None:
    config = StarterConfig(image_plan="8s2 p 16 p 16", tokens=len(token_ids) + 2)
    model = StarterCLIP(config, token_ids, folded=False)
    names = set(model.state_dict())
    settle(model.visual, CPU)
    assert set(model.state_dict()) == names


def tiny(**changes: object) -> Recipe:
    small = recipe_for("perceptor", CPU)
    plain = replace(
        small, image_plan="8s2 p 16 p 16", batch=8, fakes=4, ramp=(0.0, 0.01),
        attack_ramp=(0.0, 0.01), fakes_ramp=(0.0, 0.01),
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.fixture
def trained(writer: Writer, composer: Composer, token_ids: torch.Tensor) -> tuple[Trainer, Stream]:
    noise = torch.from_numpy(writer.rows(["random noise"])[0]).long()
    trainer = Trainer(tiny(), token_ids, noise, CPU)
    trainer.model.train()
    return trainer, Stream(Here(writer), composer, 0, 8)


@pytest.mark.parametrize("free", [True, False])
def test_a_step_moves_both_towers_and_the_fakes(
    trained: tuple[Trainer, Stream], free: bool
) -> None:
    trainer, stream = trained
    trainer.recipe = replace(trainer.recipe, free=free)
    fakes = trainer.fakes
    assert fakes is not None
    before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    for _ in range(2):
        loss = trainer.step(stream.next(1.0), 0.5)
    assert torch.isfinite(loss)
    after = trainer.model.state_dict()
    for name in (
        "visual.head.weight",
        "text.token_embedding.weight",
        "visual.layers.0.conv.weight",
    ):
        assert not torch.equal(before[name], after[name]), name
    assert fakes.steps.max() >= trainer.recipe.attacks
    assert all(p.grad is None for p in trainer.model.visual.parameters())


def test_training_learns(trained: tuple[Trainer, Stream]) -> None:
    trainer, stream = trained
    trainer.recipe = replace(trainer.recipe, fakes_weight=0.0, radius=0.5, lr_image=4e-3)
    batch = stream.next(0.0)
    first = float(trainer.step(batch, 0.2))
    for _ in range(15):
        last = float(trainer.step(batch, 0.2))
    assert last < 0.7 * first


def test_checkpoints_continue(trained: tuple[Trainer, Stream], tmp_path: Path) -> None:
    trainer, stream = trained
    trainer.step(stream.next(0.5), 0.5)
    trainer.elapsed = 12.0
    trainer.save(tmp_path / "c.pt")
    again = Trainer(trainer.recipe, trainer.token_ids, trainer.noise_row, CPU)
    again.load(tmp_path / "c.pt")
    assert again.elapsed == 12.0
    assert again.updates == 1
    for a, b in zip(trainer.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_going_on_from_an_export(
    trained: tuple[Trainer, Stream], token_ids: torch.Tensor, tmp_path: Path
) -> None:
    trainer, stream = trained
    trainer.step(stream.next(0.5), 0.5)
    trainer.save(tmp_path / "c.pt")
    config, ids, weights = read_checkpoint(tmp_path / "c.pt")
    # The parent knew fewer words: what it knew is the same afterwards, the others are new.
    kept = torch.cat([ids[:300], ids[-2:]])
    rows = torch.cat([torch.arange(302), torch.arange(len(ids), len(ids) + 2)])
    table = weights["text.token_embedding.weight"]
    fewer = {**weights, "text.token_embedding.weight": table[rows]}
    parent = build(replace_tokens(config, len(kept)), kept, fewer)
    recipe = continued(trainer.recipe, config.image_plan)
    child = Trainer(recipe, token_ids, trainer.noise_row, CPU)
    child.adopt(parent)
    child.model.eval()
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(child.model.encode_image(images), parent.encode_image(images), atol=1e-5)
    known = torch.zeros(1, 77, dtype=torch.long)
    known[0, :4] = torch.tensor([ids[-2], ids[5], ids[7], ids[-1]])
    known = known[:, :CONTEXT]
    assert torch.allclose(child.model.encode_text(known), parent.encode_text(known), atol=1e-5)
    child.step(stream.next(0.5), 0.5)
    child.save(tmp_path / "child.pt")
    assert not torch.equal(child.model.encode_image(images), parent.encode_image(images))
    again = build(*read_checkpoint(tmp_path / "child.pt"))  # no norm to fold: as it is
    assert again.config.image_plan == parent.config.image_plan


def replace_tokens(config: StarterConfig, known: int) -> StarterConfig:
    return replace(config, tokens=known + 2)


@pytest.mark.parametrize(("text", "value"), [("20s", 20), ("90m", 5400), ("1.5h", 5400)])
def test_durations(text: str, value: float) -> None:
    assert make.seconds(text) == value


def test_changes_to_the_recipe() -> None:
    recipe = make.change(Recipe(), ["radius=2.5", "batch=8", "free=true", "image_plan=8s2 p 16"])
    assert (recipe.radius, recipe.batch, recipe.free) == (2.5, 8, True)
    assert recipe.image_plan == "8s2 p 16"
    for wrong in ("radios=2", "radius", "radius=x", "ramp=1", "free=2"):
        with pytest.raises(ValueError):
            make.change(Recipe(), [wrong])


@pytest.mark.parametrize(
    ("parts", "meant"),
    [("judge", "judge"), ("perceptor", "perceptor"), ("judge,perceptor", "perceptor")],
)
def test_changes_are_of_the_judge_where_it_is_made_alone(parts: str, meant: str) -> None:
    assert make.meant_part(make.part_names(parts)) == meant


def test_missing_font_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEXT2ART_EMOJI_FONT", str(tmp_path / "no.ttf"))
    assert make.main(["--budget", "1s", "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().out
    assert FONT_PACKAGE in said
    assert "Traceback" not in said


@needs_font
def test_a_judge_without_icons_is_a_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make.main(["--parts", "judge", "--budget", "1s", "--judge-out", str(tmp_path)]) == 1
    assert "@iconify-json" in capsys.readouterr().out


def test_nothing_to_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make.main(["--resume", "--checkpoints", str(tmp_path)]) == 1
    assert "nothing to resume" in capsys.readouterr().out


@needs_font
@pytest.mark.slow
def test_make_runs_from_end_to_end_and_resumes(tmp_path: Path) -> None:
    common = ["--parts", "perceptor", "--out", str(tmp_path / "out"), "--device", "cpu",
              "--checkpoints", str(tmp_path / "c"), "--pictures", "128",
              "--set", "image_plan=16s2 p 32 p 64 p 64"]  # fmt: skip
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


def test_guided_pictures_follow_their_gradient_and_start_anew(
    writer: Writer, composer: Composer
) -> None:
    batch = Stream(Here(writer), composer, 0, 8).next(1.0)
    noise_row = torch.zeros(CONTEXT, dtype=torch.long)
    gen = torch.Generator().manual_seed(0)
    fakes = Fakes(5, noise_row, gen, held=9, renewed=0.0)
    guided = fakes.take(batch)
    assert (fakes.rows[guided.places][:, 0] > 0).all(), "each has a caption"
    size = 64
    goal = torch.zeros(5, 3, size, size)
    goal[:, 0] = 1.0  # a loss that climbs toward red
    first = float((guided.shown(size, torch.zeros(())) - goal).detach().square().mean())
    for _ in range(40):
        shown = guided.shown(size, fakes.noise(size) * 0)
        loss = -(shown - goal).square().mean()
        torch.autograd.backward(loss)
        guided = fakes.move(guided)
    assert (guided.shown(size, torch.zeros(())) - goal).square().mean() < 0.2 * first
    assert (fakes.steps[guided.places] == 40).all()
    assert fakes.pictures(9).shape == (9, 3, 64, 64)
    renewing = Fakes(5, noise_row, gen, held=5, renewed=1.0)
    renewing.steps += 7
    again = renewing.take(batch)
    assert (renewing.steps[again.places] == 0).all()


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
