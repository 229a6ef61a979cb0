"""Every kind of prompt, from the setting to the picture."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor, nn

from tests.cli_tools import Cli
from text2art import loop, vectors
from text2art.core import Asking, Drawer, Loss, ParamGroup, Perceptor, View
from text2art.cutouts.recipes import ViewSampler
from text2art.errors import InputFileError, PromptError, SettingsError
from text2art.guidance import Guidance, sights_of
from text2art.looks import Sight
from text2art.losses.prompt import LatentLoss, PictureTarget, PromptLoss, Target, unit
from text2art.models import Models
from text2art.options.cutouts import ViewOptions
from text2art.perceptors.ensemble import Ensemble
from text2art.perceptors.toy import ToyPerceptor
from text2art.prompts import Prompt, parse_prompts
from text2art.prompts.wordings import LABEL_TEMPLATES, PLAIN, WRITING
from text2art.runtime import pick, stream
from text2art.scene import Scene
from text2art.schedules import RateSchedule, constant
from text2art.serving.request import InputError, settings_of
from text2art.session import Session
from text2art.settings import Settings
from text2art.sights import Place
from text2art.testing import check_loss
from text2art.view import see_together

CPU = pick("cpu")
SIZE = 32


@pytest.fixture
def files(here: Path) -> Path:
    """A folder with a picture, a wide one, a mask of the left half, and a vector."""
    Image.new("RGB", (40, 40), (220, 30, 20)).save("red.png")
    wide = Image.new("RGB", (64, 24), (20, 30, 200))
    wide.paste((250, 240, 30), (0, 0, 32, 24))
    wide.save("wide.png")
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (0, 0, 32, 64))
    mask.save("left.png")
    Path("toy.json").write_text(json.dumps({"toy": [[1.0] + [0.0] * 23]}), encoding="utf-8")
    return here


def perceptor(size: int = 16, name: str = "toy") -> ToyPerceptor:
    made = ToyPerceptor(CPU, size)
    made.name = name
    return made


def cutouts(seed: int | str = 1) -> ViewSampler:
    return ViewSampler(ViewOptions(), 4, seed)


def guidance(
    settings: Settings, members: Sequence[Perceptor] | None = None, notes: list[str] | None = None
) -> Guidance:
    ensemble = Ensemble([(p, 1.0) for p in members or [perceptor()]], "for the test")
    say = (notes if notes is not None else []).append
    return Guidance(settings, ensemble, Place(SIZE, SIZE, CPU.device), cutouts, say)


def picture(seed: int = 0) -> Tensor:
    return torch.rand(1, 3, SIZE, SIZE, generator=stream(seed, "picture"))


def view(image: Tensor, step: int = 0, progress: float = 0.0) -> View:
    return View(image, step, progress, cutouts())


def gradient(loss: Any, image: Tensor, progress: float = 0.0) -> Tensor:
    leaf = image.clone().requires_grad_()
    loss(view(leaf, progress=progress)).backward()
    assert leaf.grad is not None
    return leaf.grad


# ---- the contract: each kind lowers its loss -----------------------------------------------------

KINDS: dict[str, dict[str, Any]] = {
    "words": {"prompts": "a red apple"},
    "region": {"prompts": "a red apple [right]"},
    "mask": {"prompts": "a red apple [@left.png]"},
    "curve": {"prompts": "a red apple:{1+t/100}"},
    "picture": {"prompts": "@red.png"},
    "image_prompts": {"image_prompts": "wide.png"},
    "shuffle": {"image_prompts": "wide.png", "image_prompt_shuffle": True},
    "target_images": {"target_images": "wide.png"},
    "spot_prompts": {"spot_prompts": "a red apple"},
    "spot_prompts_off": {"spot_prompts_off": "a red apple", "spot_mask": "left.png"},
    "labels": {"labels": "red apple"},
    "textoff": {"vector_prompts": "textoff:10"},
    "vector_prompts": {"vector_prompts": "toy.json:10"},
    "noise_prompts": {"noise_prompts": "5"},
    "negative": {"prompts": "a red apple:-1"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_lowers_its_loss(
    kind: str, files: Path, toy: Callable[..., dict[str, Any]]
) -> None:
    asked = {"prompts": [], **KINDS[kind]}
    settings = Settings.of(**toy(losses={}, iterations=25, learning_rate=3, **asked))
    with Session(settings, models=Models(CPU)) as session:
        terms = [frame.terms for frame in session.frames()]
    assert all(len(term) == 1 for term in terms)
    course = [float(next(iter(term.values()))) for term in terms]
    assert sum(course[-4:]) < sum(course[:4]) - 0.02


def test_image_labels_lead_a_drawer_with_latents_to_their_latents(
    files: Path, toy: Callable[..., dict[str, Any]]
) -> None:
    asked = toy(
        prompts=[], image_labels="*.png", drawer="vqgan", losses={}, iterations=6, perceptor="toy"
    )
    with Session(Settings.of(**asked), models=Models(CPU)) as session:
        course = [float(frame.terms["image labels"]) for frame in session.frames()]
    assert course[-1] < course[0]


def test_image_labels_leave_the_start_as_it_was(
    files: Path, toy: Callable[..., dict[str, Any]]
) -> None:
    plain = toy(drawer="vqgan", iterations=1)
    models = Models(CPU)
    with (
        Session(Settings.of(**plain), models=models) as without,
        Session(Settings.of(**plain, image_labels="red.png"), models=models) as with_labels,
    ):
        assert torch.equal(without.drawer(), with_labels.drawer())


def test_image_labels_need_latents(files: Path, toy: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(SettingsError, match="latents"):
        Session(Settings.of(**toy(image_labels="red.png")), models=Models(CPU))


OF_ANY_SIZE = [kind for kind in KINDS if not {"region", "mask", "spot"} & set(kind.split("_"))]


@pytest.mark.parametrize("kind", OF_ANY_SIZE)
def test_each_kind_keeps_the_contract_of_losses(kind: str, files: Path) -> None:
    """But for regions: they belong to one picture size, the contract's pictures have several."""
    settings = Settings.of(**KINDS[kind])

    def build(weight: float, options: None) -> PromptLoss:
        guide = guidance(settings)
        (loss,) = [*guide.of_prompts(settings.story[0]), *guide.of_other_kinds()]
        assert isinstance(loss, PromptLoss)
        loss.weight *= weight / loss.weight
        return loss

    check_loss(build)


# ---- pictures ------------------------------------------------------------------------------------


def reference_distance(x: Tensor, y: Tensor) -> np.ndarray[Any, Any]:
    """Half the squared angle by arccos, in double precision."""
    cosines = x.double().numpy() @ y.double().numpy().T
    return np.asarray(np.arccos(np.clip(cosines, -1, 1)) ** 2 / 2)


def test_a_picture_is_compared_look_by_look_in_the_same_looks() -> None:
    looker, image, wanted = perceptor(), picture(0), picture(1)
    target = PictureTarget(looker, 1.0, Sight(lambda _: wanted, whole=True))
    value = PromptLoss("p", [target])(view(image))
    seen, aim = (view(i).seen(looker) for i in (image, wanted))
    expected = np.diag(reference_distance(seen, aim)).mean()
    assert float(value) == pytest.approx(expected, rel=1e-5)
    assert float(PromptLoss("p", [target])(view(wanted))) < 1e-9


def test_a_shuffled_picture_is_compared_in_all_pairs_of_other_looks() -> None:
    looker, image, wanted = perceptor(), picture(0), picture(1)
    target = PictureTarget(looker, 1.0, Sight(lambda _: wanted, cutouts("other"), whole=True))
    value = PromptLoss("p", [target])(view(image))
    aim = View(wanted, 0, 0.0, cutouts("other")).seen(looker)
    assert not torch.equal(aim, view(wanted).seen(looker))
    expected = reference_distance(view(image).seen(looker), aim).mean()
    assert float(value) == pytest.approx(expected, rel=1e-5)


def test_an_image_prompt_keeps_its_aspect_and_the_area_of_the_drawing(files: Path) -> None:
    (loss,) = guidance(Settings.of(image_prompts="wide.png:0.5")).of_other_kinds()
    assert loss.weight == 0.5
    (target,) = loss._targets  # type: ignore[attr-defined]
    height, width = target.sight.show(picture()).shape[-2:]
    assert width / height == pytest.approx(64 / 24, rel=0.1)
    assert width * height == pytest.approx(SIZE * SIZE, rel=0.1)


def test_d5_each_target_image_has_its_own_weight_and_stop_and_is_normalized_once(
    files: Path,
) -> None:
    looker = perceptor()
    settings = Settings.of(target_images="red.png:2:0.3 | wide.png:-0.5")
    red, wide = guidance(settings, [looker]).of_other_kinds()
    assert (red.weight, red._stop, red._sign) == (2.0, 0.3, 1.0)  # type: ignore[attr-defined]
    assert (wide.weight, wide._stop, wide._sign) == (  # type: ignore[attr-defined]
        0.5,
        -math.inf,
        -1.0,
    )
    flat = torch.tensor([220, 30, 20]).view(1, 3, 1, 1).expand(1, 3, 16, 16) / 255
    embedded = red._targets[0].embeddings  # type: ignore[attr-defined]
    torch.testing.assert_close(embedded, looker.see(flat), atol=1e-5, rtol=0)


def test_d12_image_prompts_alone_are_enough(
    files: Path, toy: Callable[..., dict[str, Any]]
) -> None:
    settings = Settings.of(**toy(prompts=[], image_prompts="*.png"))
    with Session(settings, models=Models(CPU)) as session:
        last = list(session.frames())[-1]
    names = [f"image prompt {Path(name).name}" for name in ("left.png", "red.png", "wide.png")]
    assert [name for name in last.terms if name.startswith("image")] == names


def test_patterns_that_match_nothing_or_too_much_are_refused(files: Path) -> None:
    with pytest.raises(InputFileError, match="no file matches"):
        guidance(Settings.of(image_prompts="*.gif")).of_other_kinds()
    for number in range(33):
        Path(f"n{number}.txt").write_text("", encoding="utf-8")
    with pytest.raises(SettingsError, match="33 pictures"):
        guidance(Settings.of(target_images="n*.txt")).of_other_kinds()


# ---- regions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "inside"),
    [
        ({"prompts": "a [left]"}, (slice(None), slice(0, 16))),
        ({"prompts": "a [0,50,100,100]"}, (slice(16, 32), slice(None))),
        ({"prompts": "a [@left.png]"}, (slice(None), slice(0, 16))),
        ({"prompts": "a [!@left.png]"}, (slice(None), slice(16, 32))),
        ({"spot_prompts": "a", "spot_mask": "left.png"}, (slice(None), slice(0, 16))),
        ({"spot_prompts": "a", "spot_mask": "!left.png"}, (slice(None), slice(16, 32))),
        ({"spot_prompts_off": "a", "spot_mask": "left.png"}, (slice(None), slice(16, 32))),
        ({"spot_prompts_off": "a", "spot_mask": "!left.png"}, (slice(None), slice(0, 16))),
    ],
)
def test_only_the_inside_is_pulled(
    asked: dict[str, Any], inside: tuple[slice, slice], files: Path
) -> None:
    settings = Settings.of(**asked)
    guide = guidance(settings)
    (loss,) = [*guide.of_prompts(settings.story[0]), *guide.of_other_kinds()]
    pulled = gradient(loss, picture())[0].abs().sum(0)
    outside = pulled.clone()
    outside[inside] = 0
    assert float(pulled[inside].max()) > 0
    assert float(outside.max()) == 0


class Pixels(Drawer):
    """Every pixel by itself; the drawers that ship share coarse layers across the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.logit(picture().clamp(0.05, 0.95)))

    def forward(self) -> Tensor:
        return torch.sigmoid(self.logits)

    def groups(self) -> list[ParamGroup]:
        return [ParamGroup(name="logits", params=[self.logits], lr=0.1)]

    def fit_(self, picture: Tensor) -> None:
        raise NotImplementedError


def test_the_inside_changes_and_the_outside_does_not(files: Path) -> None:
    settings = Settings.of(spot_prompts="a red apple", spot_mask="left.png")
    losses = guidance(settings).of_other_kinds()
    drawer = Pixels()
    optimizer = torch.optim.Adam(drawer.groups())  # type: ignore[arg-type]
    scene = Scene(drawer, cutouts(), losses, optimizer, RateSchedule(constant))
    frames = list(loop.run(scene, 10))
    change = (frames[-1].image - frames[0].image).abs()[0].sum(0)
    assert float(change[:, :16].mean()) > 0.02
    assert float(change[:, 16:].max()) == 0
    assert float(frames[-1].terms["spot a red apple"]) < float(frames[0].terms["spot a red apple"])


def test_without_a_mask_the_spot_is_an_ellipse_in_the_middle() -> None:
    (loss,) = guidance(Settings.of(spot_prompts="a")).of_other_kinds()
    pulled = gradient(loss, picture())[0].abs().sum(0) > 0
    assert pulled[16, 16]
    assert not pulled[9, 9]  # a corner of the ellipse's box
    assert not pulled[:, :7].any()


def test_a_look_at_a_mask_shows_the_filling_where_it_is_black(files: Path) -> None:
    settings = Settings.of(prompts="a [@left.png]")
    (loss,) = guidance(settings).of_prompts(settings.story[0])
    shown = loss.sight.show(picture())  # type: ignore[attr-defined]
    assert shown.shape[1] == 4
    assert shown.shape[3] == SIZE // 2
    assert bool((shown[:, 3] == 1).all())
    both = torch.cat([picture(), torch.full((1, 1, SIZE, SIZE), 0.5)], 1)
    assert float(loss.sight.show(both)[:, 3].max()) == 0.5  # type: ignore[attr-defined]


def test_prompts_of_one_region_share_their_looks(files: Path) -> None:
    settings = Settings.of(prompts="a [left] | b [0,0,50,100] | c | d:2 | e [@left.png]")
    losses = guidance(settings).of_prompts(settings.story[0])
    assert sights_of(losses) == 3
    assert losses[0].sight is losses[1].sight  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"prompts": "a [0,0,10,10]"}, "4x4 pixels here"),
        ({"prompts": "a [@black.png]"}, "black everywhere"),
        ({"spot_prompts": "a [left]"}, "region of its own"),
        ({"prompts": "a [@missing.png]"}, "not there"),
    ],
)
def test_regions_of_nothing_are_refused(asked: dict[str, Any], message: str, files: Path) -> None:
    Image.new("L", (8, 8), 0).save("black.png")
    settings = Settings.of(**asked)
    guide = guidance(settings)
    with pytest.raises(SettingsError, match=message):
        [*guide.of_prompts(settings.story[0]), *guide.of_other_kinds()]


def test_d3_spots_are_cut_for_every_perceptor_at_its_own_size() -> None:
    small, large = perceptor(16, "small"), perceptor(24, "large")
    settings = Settings.of(spot_prompts="a red apple")
    (both,) = guidance(settings, [small, large]).of_other_kinds()
    image = picture()
    alone = [guidance(settings, [one]).of_other_kinds()[0] for one in (small, large)]
    values = [float(loss(view(image))) for loss in (both, *alone)]
    assert values[1] != values[2]
    assert values[0] == pytest.approx((values[1] + values[2]) / 2, rel=1e-5)


# ---- when ----------------------------------------------------------------------------------------


class Counting(ToyPerceptor):
    """Counts how often it looks."""

    def __init__(self) -> None:
        super().__init__(CPU)
        self.looks = 0

    def see(self, crops: Tensor) -> Tensor:
        self.looks += 1
        return super().see(crops)


class Laying(ToyPerceptor):
    """Aims at the opposite of what it reads, as far as it is told to."""

    subjects: Mapping[str, str] = {"cat": "cat", "dog": "dog"}

    def aim(self, text: str, strength: float) -> Tensor:
        return -strength * self.read([text])


@pytest.mark.parametrize(
    ("prompt", "given", "sign"),
    [("a cat", {}, -1), ("a cat", {"compose": 0}, 1), ("a cat", {"compose": 2}, -2),
     ("a cat:-1", {}, 1)],
)  # fmt: skip
def test_prompts_are_laid_out_by_who_can_but_not_what_is_pushed_away(
    prompt: str, given: dict[str, float], sign: int
) -> None:
    member = Laying(CPU)
    settings = Settings.of(prompts=prompt, **given)
    (loss,) = guidance(settings, [member]).of_prompts(settings.story[0])
    assert isinstance(loss, PromptLoss)
    (target,) = loss._targets
    assert isinstance(target, Target)
    assert torch.equal(target.embeddings, sign * member.read(["a cat"]))


def regions_of(losses: Sequence[Any]) -> list[tuple[int, ...]]:
    """The shapes of what losses look at, height by width."""
    image = picture()
    assert all(loss.sight is not None for loss in losses)
    return [tuple(loss.sight.show(image).shape[2:]) for loss in losses]


@pytest.mark.parametrize("prompts", ["a cat and a dog", "a cat | a dog"])
def test_several_subjects_get_a_place_each_of_who_can(prompts: str) -> None:
    notes: list[str] = []
    looker = Laying(CPU)
    settings = Settings.of(prompts=prompts)
    losses = guidance(settings, [looker], notes).of_prompts(settings.story[0])
    assert [loss.weight for loss in losses] == [0.5, 1.0, 1.0]
    # 54 % of 32 pixels, and 12 % more where there is a neighbor.
    assert regions_of(losses) == [(SIZE, SIZE), (SIZE, 22), (SIZE, 22)]
    laid = "a cat and a dog:0.5 | a cat [0%,4%,54%,96%] | a dog [46%,4%,100%,96%]"
    assert notes == [f"each thing in a place of its own (compose=0: as asked): {laid}"]
    now = view(picture())
    sum(loss(now) for loss in losses)
    assert list(now.scores) == ["prompt 1", "prompt 2", "prompt 3"]
    for loss in losses:
        assert isinstance(loss, PromptLoss)
        assert len(now.seen(looker, loss.sight)) == 2, "of four looks"


def asking(loss: Loss) -> Asking:
    assert isinstance(loss, Asking)
    return loss


def test_places_are_looked_at_in_one_pass_and_pull_as_if_each_were_by_itself() -> None:
    batches: list[int] = []

    class Counted(Laying):
        def see(self, crops: Tensor) -> Tensor:
            batches.append(len(crops))
            return super().see(crops)

    looker = Counted(CPU)
    settings = Settings.of(prompts="a cat, a dog | watercolor")
    losses = guidance(settings, [looker]).of_prompts(settings.story[0])

    def pull(together: bool) -> Tensor:
        leaf = picture().requires_grad_()
        now = view(leaf)
        if together:
            see_together([(now, [ask for loss in losses for ask in asking(loss).asks(now)])])
        torch.stack([loss.weight * loss(now) for loss in losses]).sum().backward()  # type: ignore[no-untyped-call]
        assert leaf.grad is not None
        return leaf.grad

    first = pull(together=True)
    assert batches == [6], "two looks at the whole and at each part, the whole once"
    torch.testing.assert_close(first, pull(together=False), rtol=1e-4, atol=1e-7)
    assert batches[1:] == [2, 2, 2]


def test_a_place_beside_others_pulls_little_at_its_neighbor() -> None:
    settings = Settings.of(prompts="a cat | a dog")
    _, cat, _ = guidance(settings, [Laying(CPU)]).of_prompts(settings.story[0])
    pull = gradient(cat, picture()).abs().sum(dim=(0, 1, 2))
    assert float(pull[22:].max()) == 0
    assert float(pull[:16].min()) > 0


@pytest.mark.parametrize(
    ("given", "members"),
    [({"compose": 0}, [Laying(CPU)]), ({}, [perceptor()]), ({}, [Laying(CPU), perceptor()]),
     ({"init_image": "red.png"}, [Laying(CPU)]), ({"animation_dir": "."}, [Laying(CPU)])],
)  # fmt: skip
def test_otherwise_several_subjects_stay_together(
    given: dict[str, Any], members: list[Perceptor], files: Path
) -> None:
    notes: list[str] = []
    settings = Settings.of(prompts="a cat | a dog", **given)
    losses = guidance(settings, members, notes).of_prompts(settings.story[0])
    assert [(loss.weight, loss.sight) for loss in losses if isinstance(loss, PromptLoss)] == [
        (1.0, None), (1.0, None)
    ]  # fmt: skip
    assert not notes


def test_an_ensemble_knows_what_all_its_members_know() -> None:
    one, other = Laying(CPU), Laying(CPU)
    other.subjects = {"dog": "dog", "house": "house"}
    assert Ensemble([(one, 1.0), (other, 1.0)], "").subjects == {"dog": "dog"}
    assert Ensemble([(one, 1.0), (perceptor(), 1.0)], "").subjects == {}


def test_outside_its_window_a_prompt_neither_pulls_nor_looks() -> None:
    looker = Counting()
    (prompt,) = parse_prompts("a@20%-50%:2")
    (loss,) = guidance(Settings.of(prompts="x"), [looker]).of_prompts([prompt])
    assert float(gradient(loss, picture(), 0.1).abs().max()) == 0
    assert looker.looks == 0
    now = view(picture(), progress=0.3)
    (constant,) = guidance(Settings.of(prompts="x"), [looker]).of_prompts([Prompt("a", 2.0)])
    assert float(loss(now)) * loss.weight == pytest.approx(
        float(constant(now)) * constant.weight, rel=1e-6
    )


def test_a_curve_weighs_and_turns_its_prompt_around() -> None:
    (prompt,) = parse_prompts("a:{1-2*t}")
    (loss,) = guidance(Settings.of(prompts="x")).of_prompts([prompt])
    start, late = gradient(loss, picture(), 0.0), gradient(loss, picture(), 1.0)
    torch.testing.assert_close(
        gradient(loss, picture(), 0.25), gradient(loss, picture(), 0.25), rtol=0, atol=0
    )
    first, last = view(picture(), progress=0.0), view(picture(), progress=1.0)
    assert float(loss(first)) > 0 > float(loss(last))
    assert list(first.scores) == ["prompt 1"]
    assert last.scores == {}
    # Looks depend on the progress, so only the signs of the two pulls are compared.
    assert float((start * late).sum()) < 0


def test_a_curve_without_a_value_late_in_the_run_is_refused_before_it_starts() -> None:
    settings = Settings.of(prompts="a:{1/(150-step)}", iterations=400)
    with pytest.raises(PromptError, match="no finite value"):
        guidance(settings).of_prompts(settings.story[0])


# ---- labels, noise, vectors ----------------------------------------------------------------------


def test_a_label_is_the_mean_of_its_readings() -> None:
    looker = perceptor()
    (loss,) = guidance(Settings.of(labels="red apple"), [looker]).of_other_kinds()
    read = np.stack([looker.read([t.replace("{}", "red apple")])[0] for t in LABEL_TEMPLATES])
    mean = read.mean(0)
    embedded = loss._targets[0].embeddings[0]  # type: ignore[attr-defined]
    np.testing.assert_allclose(embedded, mean / np.linalg.norm(mean), atol=1e-6)


def test_d4_noise_reaches_every_perceptor_and_follows_its_seed() -> None:
    members = [perceptor(16, "one"), perceptor(24, "two")]
    losses = guidance(Settings.of(noise_prompts="1:0.5 | 2"), members).of_other_kinds()
    assert [loss.weight for loss in losses] == [0.5, 1.0]
    aims = [[t.embeddings for t in loss._targets] for loss in losses]  # type: ignore[attr-defined]
    assert [len(aim) for aim in aims] == [2, 2]
    flat = torch.cat([embedding for aim in aims for embedding in aim])
    torch.testing.assert_close(flat.norm(dim=-1), torch.ones(4))
    assert len({tuple(row.tolist()) for row in flat}) == 4
    (again,) = guidance(Settings.of(noise_prompts="2"), members).of_other_kinds()
    assert torch.equal(again._targets[0].embeddings, aims[1][0])  # type: ignore[attr-defined]


def test_what_is_no_wish_is_no_score(files: Path) -> None:
    guide = guidance(Settings.of(noise_prompts="1", vector_prompts="textoff | toy.json"))
    now = view(picture())
    for loss in guide.of_other_kinds():
        loss(now)
    assert now.scores == {}


def test_textoff_leads_from_writing_to_none() -> None:
    looker = perceptor()
    plain = looker.read(PLAIN).numpy().mean(0)
    written = np.mean([looker.read([f"{p} {w}"])[0].numpy() for p in PLAIN for w in WRITING], 0)
    found = vectors.textoff(looker)[0].numpy()
    np.testing.assert_allclose(
        found, (plain - written) / np.linalg.norm(plain - written), atol=1e-5
    )
    assert found @ plain > found @ written


def test_a_vector_counts_a_tenth_of_its_weight_as_in_pixray(files: Path) -> None:
    one, other = guidance(Settings.of(vector_prompts="toy.json:2 | textoff")).of_other_kinds()
    assert one.weight == pytest.approx(0.2)
    assert other.weight == pytest.approx(0.1)
    assert Settings.of(vector_prompts="none").vector_prompts == ()


@pytest.mark.parametrize("ending", [".json", ".npz", ".safetensors"])
def test_vector_files_of_every_format_say_the_same(ending: str, here: Path) -> None:
    rows = np.arange(48, dtype=np.float32).reshape(2, 24) + 1
    path = here / f"v{ending}"
    if ending == ".json":
        path.write_text(json.dumps({"toy": rows.tolist()}), encoding="utf-8")
    elif ending == ".npz":
        np.savez(path, toy=rows)
    else:
        path.write_bytes(safetensors.torch.save({"toy": torch.from_numpy(rows)}))
    found = vectors.Vectors(str(path)).of(perceptor())
    assert found is not None
    np.testing.assert_allclose(found, rows / np.linalg.norm(rows, axis=1, keepdims=True), atol=1e-6)


def test_clip_models_are_found_under_all_their_names(here: Path) -> None:
    (here / "v.json").write_text(json.dumps({"ViT-B/32": [[3.0] + [0.0] * 23]}), encoding="utf-8")
    assert vectors.Vectors("v.json").of(perceptor(16, "ViT-B-32")) is not None


def test_a_vector_for_others_is_left_out_and_that_is_said(files: Path) -> None:
    notes: list[str] = []
    guide = guidance(Settings.of(vector_prompts="toy.json"), [perceptor(16, "another")], notes)
    assert guide.of_other_kinds() == []
    assert "not for another" in notes[0]
    assert "toy" in notes[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "broken"),
        (b"[1]", "holds names"),
        (b'{"toy": [[1, 2]]}', "of 24 numbers"),
        (b'{"toy": [[0' + b", 0" * 23 + b"]]}", "zero or not finite"),
        (b'{"toy": [[NaN' + b", 0" * 23 + b"]]}", "zero or not finite"),
        (b'{"toy": "x"}', "broken"),
        (b'{"toy": [[[1]]]}', "shape"),
        (b'{"toy": ' + b"[" * 100_000, "broken"),
    ],
)
def test_broken_vectors_are_refused(content: bytes, message: str, here: Path) -> None:
    (here / "v.json").write_bytes(content)
    with pytest.raises(InputFileError, match=message):
        vectors.Vectors("v.json").of(perceptor())


@pytest.mark.parametrize("name", ["v.npz", "v.safetensors"])
def test_random_bytes_are_refused(name: str, here: Path) -> None:
    for data in (b"", b"\xff" * 40, b"PK\x03\x04" + b"\0" * 60):
        (here / name).write_bytes(data)
        with pytest.raises(InputFileError, match="broken"):
            vectors.Vectors(name)


def test_vector_files_that_run_code_or_are_missing_are_refused(here: Path) -> None:
    np.savez(here / "v.npz", toy=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputFileError, match="broken"):
        vectors.Vectors("v.npz")
    with pytest.raises(InputFileError, match="cannot be read"):
        vectors.Vectors("missing.json")
    with pytest.raises(InputFileError, match="textoff, or a file"):
        vectors.Vectors("texton")


def test_the_latent_loss_is_half_the_squared_angle() -> None:
    x = torch.randn(1, 3, 4, 5, generator=stream(1, "x"))
    y = unit(torch.randn(60, generator=stream(2, "y")))
    loss = LatentLoss("image labels", 1.0, lambda: x, y.view(1, 3, 4, 5))
    expected = reference_distance(unit(x.flatten())[None], y[None]).item()
    assert float(loss(view(picture()))) == pytest.approx(expected, rel=1e-5)


def test_two_targets_weigh_as_their_perceptors_do() -> None:
    small, large = perceptor(16, "small"), perceptor(24, "large")
    aims = [Target(p, w, p.read(["a"])) for p, w in ((small, 3.0), (large, 1.0))]
    image = picture()
    value = float(PromptLoss("p", aims)(view(image)))
    parts = [reference_distance(view(image).seen(t.perceptor), t.embeddings).mean() for t in aims]
    assert value == pytest.approx((3 * parts[0] + parts[1]) / 4, rel=1e-5)


# ---- the record, the commands, strangers ---------------------------------------------------------


def test_the_record_holds_what_was_chosen_and_draws_the_same(
    here: Path, toy: Callable[..., dict[str, Any]]
) -> None:
    (here / "wildcards").mkdir()
    (here / "wildcards" / "thing.txt").write_text("hat\nshoe\nkey\n", encoding="utf-8")
    asked = toy(prompts=["a {red|blue} __thing__"], spot_prompts="{a|b|c}", seed="words")
    with Session(Settings.of(**asked), models=Models(CPU)) as session:
        first = list(session.frames())[-1]
        record = session.record()
    assert record["settings"]["prompts"][0].split()[1] in ("red", "blue")
    (here / "wildcards" / "thing.txt").unlink()
    with Session(Settings.of(**record["settings"]), models=Models(CPU)) as session:
        again = list(session.frames())[-1]
    assert torch.equal(first.image, again.image)


def test_all_words_are_judged_by_the_perceptor(toy: Callable[..., dict[str, Any]]) -> None:
    asked = toy(prompts="an apple", spot_prompts="a zeppelin", labels="xylophone")
    settings = Settings.of(**{**asked, "perceptor": "starter"})
    with Session(settings, models=Models(CPU)) as session:
        notices = "\n".join(session.notices)
    assert "zeppelin" in notices
    assert "xylophone" in notices


@pytest.mark.parametrize(
    "settings",
    [
        "image_prompts: secret.png",
        "image_prompts: '*'",
        "target_images: https://example.org/a.png | /etc/secret.png",
        "image_labels: secret.png",
        "prompts: a\nspot_mask: '!secret.png'",
        "vector_prompts: secret.json",
        "prompts: 'a [@secret.png]'",
        "prompts: 'a ^ @secret.png'",
        "prompts: '{@|@}secret.png'",
        "labels: 'a [!@secret.png]'",
    ],
)
def test_strangers_name_no_files(settings: str) -> None:
    with pytest.raises(InputFileError, match="only http"):
        settings_of({"settings": settings})


def test_strangers_may_use_the_other_kinds() -> None:
    told = "prompts: 'a {red|blue} hat ^ b'\nvector_prompts: textoff\nlabels: cat\nspot_prompts: c"
    settings = settings_of({"settings": told})
    assert settings.prompts[0] in ("a red hat ^ b", "a blue hat ^ b")
    assert issubclass(InputError, Exception)


def test_the_command_makes_a_vector_that_draws(cli: Cli, here: Path) -> None:
    made = cli("vector", "make", "a photo | a drawing:-1", "--out", "v.safetensors",
               "--perceptor", "toy")  # fmt: skip
    assert (made.code, made.out.strip()) == (0, "v.safetensors")
    toy_reads = perceptor().read(["a photo", "a drawing"])
    found = vectors.Vectors("v.safetensors").of(perceptor())
    torch.testing.assert_close(found, unit(toy_reads[0] - toy_reads[1])[None])
    assert cli("vector", "show", "v.safetensors").out == "toy: 1 of 24 numbers\n"
    again = cli("vector", "make", "a", "--out", "v.safetensors", "--perceptor", "toy")
    assert (again.code, "--force" in again.err) == (1, True)
    zero = cli("vector", "make", "a | a:-1", "--out", "z.safetensors", "--perceptor", "toy")
    assert "cancel each other" in zero.err
    off = cli("vector", "make", "textoff", "--out", "t.safetensors", "--perceptor", "toy")
    assert off.code == 0
    found = vectors.Vectors("t.safetensors").of(perceptor())
    torch.testing.assert_close(found, vectors.textoff(perceptor()))


def test_a_vector_made_with_other_weights_is_told(here: Path) -> None:
    looker = perceptor()
    looker.digest = "a" * 64
    packed = vectors.pack({"toy": vectors.textoff(looker)}, [looker], "textoff")
    (here / "v.safetensors").write_bytes(packed)
    notes: list[str] = []
    guidance(Settings.of(vector_prompts="v.safetensors"), [looker], notes).of_other_kinds()
    assert notes == []
    looker.digest = "b" * 64
    guidance(Settings.of(vector_prompts="v.safetensors"), [looker], notes).of_other_kinds()
    assert "other weights" in notes[0]


def test_the_prompt_command_explains(cli: Cli) -> None:
    told = cli("prompt", "a {red|green} hat [left]:2 | b@20%-:{1-t}:0.5", "--seed", "1",
               "--perceptor", "toy")  # fmt: skip
    assert told.code == 0
    lines = told.out.splitlines()
    assert lines[0] == "2 combinations"
    assert "seed 1: a " in lines[1]
    assert "weight 2; in the left (0-50 % across, 0-100 % down)" in lines[2]
    assert "3 tokens" in lines[3]
    assert "0.5 halfway" in lines[4]
    assert "from 20 % to 100 % of the run" in lines[4]


def test_the_prompt_command_tells_how_things_are_laid_out(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(name: str, runtime: object) -> Perceptor:
        return Laying(CPU)

    monkeypatch.setattr("text2art.perceptors.toy.build", build)
    told = cli("prompt", "a cat above a dog ^ a cat", "--perceptor", "toy").out.splitlines()
    parts = "a cat above a dog:0.5 | a cat [4%,0%,96%,54%] | a dog [4%,46%,96%,100%]"
    drawn = [line for line in told if line.startswith("drawn")]
    assert drawn == [f"drawn, in a square and unless compose is 0, as: {parts}"]
    answer = cli("prompt", "a cat above a dog ^ a cat", "--perceptor", "toy", "--json")
    assert json.loads(answer.out)["arranged"] == [parts.split(" | "), []]


def test_the_prompt_command_previews_choices(cli: Cli) -> None:
    some = cli("prompt", "{a|b|c} {d|e}", "--count", "3", "--no-tokens").out.splitlines()
    assert [line.partition(":")[0] for line in some[1:]] == ["seed 0", "seed 1", "seed 2"]
    every = cli("prompt", "{a|b|c} {d|e}", "--all").out.splitlines()
    assert sorted(every[1:]) == ["a d", "a e", "b d", "b e", "c d", "c e"]
    values = json.loads(cli("prompt", "{a|b}", "--all", "--json").out)
    assert values["combinations"] == 2
    many = cli("prompt", "{a|b|c|d|e|f|g|h|i|j}" * 4, "--all")
    assert (many.code, "at most 1000" in many.err) == (1, True)


def test_the_prompt_command_points_at_faults(cli: Cli) -> None:
    told = cli("prompt", "a cat:{1-q}", "--no-tokens")
    assert told.code == 1
    assert told.err.splitlines()[-2:] == ["a cat:{1-q}", "         ^"]
