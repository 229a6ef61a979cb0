"""Starts, overlays, transparency, stories, animations, optimizers and passes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from timm.optim.adamp import AdamP
from torch import Tensor

import text2art
from tests.cli_tools import Cli
from text2art import loop, optimizers, registry
from text2art.abilities import Movable
from text2art.color import blend, mixed, opacity, opacity_logits, over
from text2art.core import Canvas, Drawer, Frame, View
from text2art.cutouts.backdrops import Backdrops
from text2art.cutouts.recipes import ViewSampler
from text2art.errors import InputFileError, PointedError, SettingsError
from text2art.losses.opacity import OpacityLoss
from text2art.media.convert import to_pil, to_tensor
from text2art.media.folder import pictures_in
from text2art.media.video import VideoWriter
from text2art.models import Models
from text2art.moments import Moment, course_at, parse_course, parse_moment
from text2art.motion import Motion, moved
from text2art.options.cutouts import ViewOptions
from text2art.overlay import Overlay
from text2art.runtime import pick, stream
from text2art.session import Session
from text2art.settings import Settings

DRAWERS = tuple(c.name for c in registry.BUILTIN["drawers"])
CLEAR = tuple(n for n in DRAWERS if registry.find("drawers", n).load().has_alpha)
SIZE = (40, 32)


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(pick("cpu"))


def settings(**values: Any) -> Settings:
    tiny: dict[str, Any] = {
        "prompts": "an apple", "perceptor": "toy", "size": "40x32", "iterations": 4, "cuts": 2,
        "starts": 1, "seed": 3, "shapes": {"shapes": 8}, "clipdraw": {"strokes": 8},
        "line": {"strokes": 6},
    }  # fmt: skip
    return Settings.of(**{**tiny, **values})


def draw(models: Models, **values: Any) -> list[Frame]:
    with Session(settings(**values), models=models) as session:
        return list(session.frames())


def save(path: Path, *, alpha: bool = False, color: str = "orange") -> str:
    image = Image.new("RGBA" if alpha else "RGB", SIZE, (0, 0, 0, 0) if alpha else color)
    if alpha:
        image.paste(color, (10, 8, 30, 24))
    image.save(path)
    return str(path)


def apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().mean())


# ---- moments and courses -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "steps", "expected"),
    [
        ("20", 100, 20), ("20 iterations", 100, 20), ("20iter", 100, 20), ("20 i", 100, 20),
        ("50%", 250, 125), ("50 percent", 251, 125), ("50p", 251, 125), (" 7 ", 9, 7), (7, 9, 7),
        ("1 iteration", 9, 1), ("2.9", 9, 2), ("0%", 9, 0), ("100 %", 9, 9),
    ],
)  # fmt: skip
def test_moments_are_pixrays(text: Any, steps: int, expected: int) -> None:
    assert parse_moment(text, "overlay_until").step(steps) == expected


@pytest.mark.parametrize("text", ["", "x", "-1", "101%", "1e5", "10 feet", "5%%", True, "9" * 50])
def test_what_is_no_moment_says_so(text: Any) -> None:
    with pytest.raises(SettingsError, match="overlay_until"):
        parse_moment(text, "overlay_until")


@given(st.text(max_size=40))
def test_any_text_is_a_moment_and_a_course_or_an_error(text: str) -> None:
    for parse in (
        lambda: parse_moment(text, "x").step(100),
        lambda: course_at(parse_course(text, "x", -5, 5), 3, 10),
    ):
        try:
            number = float(parse())
        except SettingsError:
            continue
        assert math.isfinite(number)


@given(
    st.dictionaries(st.integers(0, 50), st.integers(-5, 5), min_size=1, max_size=6),
    st.integers(0, 60),
)
def test_courses_are_straight_between_their_keys(keys: dict[int, int], frame: int) -> None:
    text = ", ".join(f"{at}: {number}" for at, number in keys.items())
    expected = np.interp(frame, sorted(keys), [keys[at] for at in sorted(keys)])
    assert course_at(parse_course(text, "x", -5, 5), frame, 100) == pytest.approx(expected)


def test_courses_count_shares_of_the_film() -> None:
    course = parse_course("0: 1, 50%: 2, 100%: 1", "x", 0, 9)
    assert [course_at(course, i, 5) for i in range(5)] == pytest.approx([1, 1.5, 2, 1.5, 1])
    assert course[1][0] == Moment(50, percent=True)
    assert course_at(parse_course("1.5", "x", 0, 9), 77, 5) == 1.5


@pytest.mark.parametrize(
    ("text", "message"),
    [("1, 2", "at '1'"), ("0:1, 2:t*2", "at '2:t"), ("12", "0 to 9"), ("0:1," * 200, "parts")],
)
def test_broken_courses_are_named(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_course(text, "animation_zoom", 0, 9)


@pytest.mark.parametrize(
    ("text", "message", "marked"),
    [
        ("0: 1, 30: x", "at '30: x'", "30: x"),
        ("0: 1, 30 frames: 2", "is no moment", "30 frames"),
        ("0: 1,  120%: 2", "0% to 100%", "120%"),
        ("0: 1, 5: 99", "0 to 9", "5: 99"),
        ("0: 1, 0: 2", "two numbers for 0", "0: 2"),
    ],
)
def test_a_caret_shows_the_fault_of_a_course(text: str, message: str, marked: str) -> None:
    with pytest.raises(PointedError, match=message) as caught:
        parse_course(text, "animation_zoom", 0, 9)
    shown, caret = caught.value.pointer.splitlines()
    assert shown[caret.index("^") :].startswith(marked)


# ---- what a run starts from --------------------------------------------------------------------


@pytest.mark.parametrize("drawer", DRAWERS)
def test_init_noise_of_every_kind_starts_every_drawer(models: Models, drawer: str) -> None:
    def first(**values: Any) -> Tensor:
        return draw(models, drawer=drawer, iterations=1, **values)[0].image

    kinds = {kind: first(init_noise=kind) for kind in ("none", "pixels", "gradient", "snow")}
    for kind, image in kinds.items():
        assert torch.equal(image, first(init_noise=kind))
        assert all(other is image or not torch.equal(other, image) for other in kinds.values())
    assert torch.equal(kinds["none"], first())
    assert not torch.equal(first(init_noise="pixels", seed=4), kinds["pixels"])


@pytest.mark.parametrize("drawer", DRAWERS)
def test_d1_init_alpha_and_noise_reach_the_drawer(
    models: Models, drawer: str, tmp_path: Path
) -> None:
    path = save(tmp_path / "init.png")
    wanted = to_tensor(Image.open(path), *SIZE)

    def first(**values: Any) -> Tensor:
        given = {"drawer": drawer, "iterations": 1, "init_noise": "gradient", **values}
        return draw(models, **given)[0].image[:, :3]

    noise = first()
    away = [apart(first(init_image=path, init_alpha=a), wanted) for a in (0.0, 0.5, 1.0)]
    assert away[0] > away[1] > away[2]
    assert torch.equal(first(init_image=path, init_alpha=0), noise)


def test_d1_the_alpha_of_an_init_image_shows_what_is_beneath(
    models: Models, tmp_path: Path
) -> None:
    path = save(tmp_path / "init.png", alpha=True)
    plain, noise, over_noise = (
        draw(models, drawer="fft", iterations=1, **values)[0].image
        for values in ({}, {"init_noise": "snow"}, {"init_noise": "snow", "init_image": path})
    )
    over_start = draw(models, drawer="fft", iterations=1, init_image=path)[0].image
    for image, beneath in ((over_start, plain), (over_noise, noise)):
        assert apart(image[..., :6, :], beneath[..., :6, :]) < 2e-3
        inside = image[0, :, 10:22, 12:28].mean((1, 2))
        torch.testing.assert_close(inside, torch.tensor([1, 165 / 255, 0]), atol=0.02, rtol=0)


def test_pictures_fill_the_size_in_three_ways() -> None:
    wide = Image.new("RGB", (40, 10), "red")
    wide.paste("blue", (0, 0, 10, 10))
    cover, contain, stretch = (
        to_tensor(wide, 20, 20, fit) for fit in ("cover", "contain", "stretch")
    )
    assert cover.shape == stretch.shape == (1, 3, 20, 20)
    assert (cover[0, 0] > 0.9).all()  # the blue quarter is cut off
    assert (stretch[0, 2, :, :4] > 0.9).all()
    assert (stretch[0, 0, :, 7:] > 0.9).all()
    assert contain.shape == (1, 4, 20, 20)
    assert contain[0, 3].mean(1).tolist() == [0.0] * 7 + [1.0] * 5 + [0.0] * 8
    assert to_tensor(wide, 80, 20, "contain").shape == (1, 3, 20, 80)


def test_what_contain_leaves_free_is_neither_drawn_over_nor_kept(
    models: Models, tmp_path: Path
) -> None:
    Image.new("RGB", (40, 8), "orange").save(tmp_path / "init.png")
    Image.new("L", (40, 8), 255).save(tmp_path / "mask.png")
    given: dict[str, Any] = {
        "init_image": str(tmp_path / "init.png"), "image_fit": "contain", "drawer": "fft",
        "protect": str(tmp_path / "mask.png"), "iterations": 3, "learning_rate": 20,
    }  # fmt: skip
    first, *_, last = draw(models, **given)
    plain = draw(models, drawer="fft", iterations=1)[0].image
    assert apart(first.image[..., :10, :], plain[..., :10, :]) < 2e-3
    assert torch.equal(last.image[..., 14:18, :], first.image[..., 14:18, :])
    assert not torch.equal(last.image[..., :10, :], first.image[..., :10, :])


# ---- overlay -----------------------------------------------------------------------------------


@pytest.mark.parametrize("drawer", DRAWERS)
def test_an_overlay_changes_every_drawer_at_its_steps(
    models: Models, drawer: str, tmp_path: Path
) -> None:
    path = save(tmp_path / "over.png", alpha=True, color="blue")
    wanted = to_tensor(Image.open(path), *SIZE)
    covered = wanted[:, 3:]
    given: dict[str, Any] = {"drawer": drawer, "iterations": 6, "learning_rate": 4}
    plain = draw(models, **given)
    pasted = draw(models, **given, overlay_image=path, overlay_every=2, overlay_offset=3)
    for step in range(3):
        assert torch.equal(pasted[step].image, plain[step].image)
    away = [float(((f.image - wanted[:, :3]) * covered).abs().mean()) for f in pasted]
    assert away[3] < 0.9 * away[2]
    assert away[5] <= away[4] + 1e-4


def test_overlays_are_due_from_the_offset_until_the_end_asked_for() -> None:
    def due(**values: str) -> list[int]:
        overlay = Overlay(torch.zeros(1, 3, 4, 4), settings(**values))
        return [step for step in range(20) if overlay.due(step, 20)]

    assert due() == [0, 10]
    assert due(overlay_every="5 i", overlay_offset="2") == [2, 7, 12, 17]
    assert due(overlay_every="25%", overlay_until="50%") == [0, 5]
    assert due(overlay_every="1%", overlay_until="3") == [0, 1, 2]


def test_d7_d8_an_overlay_leaves_the_optimizer_its_parameters_and_scale(models: Models) -> None:
    for name in DRAWERS:
        with Session(settings(drawer=name, iterations=4), models=models) as session:
            scene = session.scene
            frames = loop.run(scene, 4)
            next(frames), next(frames)
            before = {id(p) for g in scene.optimizer.param_groups for p in g["params"]}
            seconds = [s["exp_avg_sq"].clone() for s in scene.optimizer.state.values()]
            overlay = Overlay(torch.full((1, 3, 32, 40), 0.9), settings(overlay_alpha=0.7))
            overlay.paste_(scene.drawer, scene.optimizer)
            states = list(scene.optimizer.state.values())
            assert all(not s["exp_avg"].any() for s in states)
            assert all(
                torch.equal(s["exp_avg_sq"], v) for s, v in zip(states, seconds, strict=True)
            )
            assert {id(p) for p in scene.drawer.parameters()} == before
            pasted = scene.drawer.shown()
            next(frames)
            assert not torch.equal(scene.drawer.shown(), pasted), name


def test_pixrays_levels_of_alpha_are_read() -> None:
    assert settings(overlay_alpha=255).overlay_alpha == 1
    assert settings(overlay_alpha="128").overlay_alpha == pytest.approx(128 / 255)
    assert settings(animation_alpha=0.25).animation_alpha == 0.25
    with pytest.raises(SettingsError, match="overlay_alpha"):
        settings(overlay_alpha=300)


# ---- transparency ------------------------------------------------------------------------------


@pytest.mark.parametrize("drawer", CLEAR)
def test_transparent_pictures_have_alpha_and_redraw_to_the_byte(
    models: Models, drawer: str, tmp_path: Path
) -> None:
    result, again = (
        session_result(models, drawer=drawer, transparent=True, batches=2) for _ in range(2)
    )
    assert result.image.mode == "RGBA"
    assert result.image.tobytes() == again.image.tobytes()
    for ending in (".png", ".webp"):
        with Image.open(result.save(tmp_path / f"a{ending}")) as file:
            assert file.mode == "RGBA"


def session_result(models: Models, **values: Any) -> text2art.Result:
    given = settings(**values).given()
    return text2art.draw(given.pop("prompts"), models=models, **given)


@pytest.mark.parametrize("drawer", CLEAR)
@pytest.mark.parametrize("colors", [None, torch.tensor([[0.1, 0.1, 0.2], [0.9, 0.3, 0.2]])])
def test_drawers_take_the_alpha_of_a_picture(drawer: str, colors: Tensor | None) -> None:
    component = registry.find("drawers", drawer)
    table: Any = component.load_options()
    canvas = Canvas(
        *SIZE, pick("cpu").device, lambda purpose: stream(1, purpose), colors, transparent=True
    )
    made: Drawer = component.load()(canvas, table())
    target = torch.zeros(1, 4, 32, 40)
    target[:, 0], target[:, 3, :, 10:30] = 0.8, 1.0
    before = apart(made.shown()[:, 3:], target[:, 3:])
    made.fit_(target)
    assert made().shape == (1, 4, 32, 40)
    assert apart(made.shown()[:, 3:], target[:, 3:]) < before
    made()[:, 3].sum().backward()
    assert any(p.grad is not None and bool(p.grad.any()) for p in made.parameters())
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in made.parameters())


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_films_have_alpha_too(tmp_path: Path, ending: str) -> None:
    with VideoWriter(tmp_path / f"a{ending}", 3) as film:
        for left in (0, 8, 16):
            image = Image.new("RGBA", (32, 24))
            image.paste((200, 40, 20, 255), (left, 4, left + 10, 20))
            image.paste((0, 90, 200, 120), (left, 0, left + 10, 4))  # less than half opaque
            film.add(image)
    with Image.open(tmp_path / f"a{ending}") as file:
        for number, left in enumerate((0, 8, 16)):
            file.seek(number)
            alpha = np.asarray(file.convert("RGBA"))[..., 3] >= 128
            expected = np.zeros((24, 32), bool)
            expected[4:20, left : left + 10] = True
            assert (alpha != expected).mean() < (0.001 if ending == ".gif" else 0.02)
    with VideoWriter(tmp_path / f"plain{ending}", 1) as film:
        film.add(Image.new("RGB", (32, 24), "red"))
    with Image.open(tmp_path / f"plain{ending}") as file:
        assert np.asarray(file.convert("RGBA"))[..., 3].min() == 255


def test_drawers_that_cannot_be_transparent_say_so(models: Models) -> None:
    with pytest.raises(SettingsError, match=r"'vqgan' cannot draw transparent.*pyramid"):
        Session(settings(drawer="vqgan", transparent=True), models=models)


def test_an_init_image_keeps_its_alpha_on_nothing(models: Models, tmp_path: Path) -> None:
    path = save(tmp_path / "init.png", alpha=True)
    image = draw(models, drawer="pixel", transparent=True, init_image=path, iterations=1)[0].image
    assert apart(image[:, 3:], to_tensor(Image.open(path), *SIZE)[:, 3:]) < 0.05


def test_the_looks_of_each_step_stand_on_another_backdrop() -> None:
    cutouts = Backdrops(ViewSampler(ViewOptions(noise=0, jitter=0), 3, "a"), "a")
    clear, opaque = torch.zeros(1, 4, 32, 40), torch.ones(1, 4, 32, 40)

    def seen(image: Tensor, step: int) -> Tensor:
        return cutouts.cut(image, cutouts.choose(step, 0.5, 40, 32), 16)

    assert torch.equal(seen(clear, 3), seen(clear, 3))
    assert len({round(float(seen(clear, step).mean()), 4) for step in range(8)}) > 6
    whole = Backdrops(ViewSampler(ViewOptions(noise=0, jitter=0, whole_max=1, perspective=0,
                                              rotation=0, zoom_start=0), 3, "a"), "a")  # fmt: skip
    looks = whole.choose(0, 0, 32, 32)
    assert (whole.cut(torch.ones(1, 4, 32, 32), looks, 16) > 0.99).all()
    assert opaque.shape[1] == 4


def test_the_cost_of_opacity_is_bent_and_grows() -> None:
    def cost(alpha: float, progress: float) -> float:
        image = torch.full((1, 4, 4, 4), alpha)
        return float(OpacityLoss()(View(image, 0, progress, cutouts=None)))  # type: ignore[arg-type]

    assert [cost(a, 1.0) for a in (0.0, 0.5, 1.0)] == pytest.approx([0, 1.25, 1])
    assert cost(0.5, 0.4) == pytest.approx(0.5)
    assert cost(0.6, 1) < cost(2 / 3, 1) > cost(0.8, 1)


@pytest.mark.parametrize("seed", [1, 2])
def test_of_several_starts_none_is_chosen_for_being_opaque(models: Models, seed: int) -> None:
    changes = {"perceptor": "starter", "size": "64x64", "iterations": 100, "cuts": 4, "starts": 8}
    frames = draw(
        models, prompts="a red apple", transparent=True, drawer="pyramid", seed=seed, **changes
    )
    alpha = frames[-1].image[:, 3]
    assert 0.3 < float((alpha < 0.1).float().mean()) < 0.95
    assert float((alpha > 0.9).float().mean()) > 0.1


def test_transparent_weight_makes_pictures_clearer(models: Models) -> None:
    clear = [
        float(draw(models, drawer="pyramid", transparent=True, iterations=40, schedule="constant",
                   transparent_weight=weight, learning_rate=3,
                   losses="smoothness:0.5,framing:0.1")[-1].image[:, 3].mean())
        for weight in (0.0, 20.0)
    ]  # fmt: skip
    assert clear[1] < 0.7 * clear[0]


# ---- alpha -------------------------------------------------------------------------------------


def test_over_is_what_pillow_composes() -> None:
    draw_from = stream(0, "over")
    top, bottom = (torch.randint(0, 256, (1, 4, 9, 7), generator=draw_from) / 255 for _ in range(2))
    pillow = Image.alpha_composite(to_pil(bottom), to_pil(top))
    expected = torch.from_numpy(np.asarray(pillow).copy()).permute(2, 0, 1) / 255
    got = over(top, bottom)[0]
    seen = expected[3] > 0.05
    assert float((got - expected).abs()[:, seen].max()) < 0.03  # Pillow rounds on the way
    assert torch.equal(over(top[:, :3], bottom[:, :3]), top[:, :3])
    assert torch.equal(blend(top, bottom, 0.0)[:, 3], bottom[:, 3])


def test_colors_count_by_their_alpha() -> None:
    picture = torch.zeros(1, 4, 1, 2)
    picture[0, :, 0, 0] = torch.tensor([1.0, 0.5, 0.0, 1.0])
    average = mixed(lambda colors: colors.mean(-1, keepdim=True), picture)
    torch.testing.assert_close(average[0, :, 0, 0], torch.tensor([1.0, 0.5, 0.0, 0.5]))


def test_opacity_reaches_both_ends_and_back() -> None:
    alpha = torch.linspace(0, 1, 11)
    torch.testing.assert_close(opacity(opacity_logits(alpha)), alpha, atol=1e-6, rtol=0)
    assert opacity(torch.tensor([-9.0, 9.0])).tolist() == [0.0, 1.0]


# ---- stories -----------------------------------------------------------------------------------


def test_a_story_goes_on_from_its_last_picture(models: Models) -> None:
    story = draw(models, prompts="an apple ^ a pear", iterations=5)
    alone = draw(models, prompts="an apple", iterations=5)
    assert [f.step for f in story] == list(range(11))
    assert [f.final for f in story] == [False] * 10 + [True]
    for told, plain in zip(story[:5], alone, strict=False):
        assert torch.equal(told.image, plain.image)
    assert apart(story[5].image, alone[5].image) < 1e-6
    assert not torch.equal(story[6].image, story[5].image)
    assert all(f.filmed for f in story)


def test_the_second_scene_follows_its_own_prompts(models: Models) -> None:
    pear, plum = (
        draw(models, prompts=f"an apple ^ {fruit}", iterations=5) for fruit in ("a pear", "a plum")
    )
    assert torch.equal(pear[5].image, plum[5].image)
    assert not torch.equal(pear[-1].image, plum[-1].image)


def test_stories_are_deterministic_interleaved_and_cancelled_anywhere(models: Models) -> None:
    given = {"prompts": "a ^ b ^ c", "iterations": 4}
    first, other = draw(models, **given), draw(models, **{**given, "seed": 9})
    with (
        Session(settings(**given), models=models) as one,
        Session(settings(**{**given, "seed": 9}), models=models) as two,
    ):
        for a, b, x, y in zip(one.frames(), two.frames(), first, other, strict=True):
            assert torch.equal(a.image, x.image)
            assert torch.equal(b.image, y.image)
    with Session(settings(**given), models=models) as session:
        assert (session.steps, session.film_length) == (12, 13)
        for frame in session.frames():
            if frame.step == 6:
                break
        session.close()
        last = session.snapshot()
    assert (last.step, last.final) == (7, True)
    assert torch.equal(last.image, first[7].image)


def test_a_story_with_several_starts_tries_them_in_its_first_scene(models: Models) -> None:
    frames = draw(models, prompts="a ^ b", iterations=20, starts=3)
    assert [f.step for f in frames] == list(range(41))
    assert [f.tryout for f in frames] == [True] * 10 + [False] * 31
    assert [f.filmed for f in frames] == [not f.tryout for f in frames]


# ---- animations --------------------------------------------------------------------------------


@pytest.mark.parametrize("drawer", DRAWERS)
def test_a_zoom_video_has_a_frame_per_picture(models: Models, drawer: str) -> None:
    given: dict[str, Any] = {
        "drawer": drawer, "animation_frames": 3, "animation_steps": 2, "animation_zoom": "1.2",
        "animation_angle": "0:0, 2:10",
    }  # fmt: skip
    frames = draw(models, **given)
    assert [f.step for f in frames] == list(range(4 + 2 * 2 + 1))
    assert [f.step for f in frames if f.filmed] == [3, 5, 8]
    assert torch.equal(frames[-1].image, draw(models, **given)[-1].image)
    assert all(f.image.isfinite().all() for f in frames)


def test_pictures_move_as_asked_for() -> None:
    image = torch.zeros(1, 3, 32, 40)
    image[..., 10:14, 20:26] = 1.0
    motion = Motion(settings(animation_zoom=1, animation_shift_x=10, animation_shift_y=25), 9)
    shifted = moved(image, motion.matrix(1, 40, 32))
    torch.testing.assert_close(shifted[..., 18:22, 24:30], torch.ones(1, 3, 4, 6))
    assert float(shifted.sum()) == pytest.approx(3 * 24, rel=1e-3)
    larger = moved(image, Motion(settings(animation_zoom=2), 9).matrix(1, 40, 32))
    assert float(larger.sum()) == pytest.approx(4 * 3 * 24, rel=0.02)
    turned = Motion(settings(animation_zoom=1, animation_angle=90), 9).matrix(1, 40, 40)
    torch.testing.assert_close(  # clockwise: what is right of the center comes below it
        turned @ torch.tensor([30.0, 20.0, 1.0]), torch.tensor([20.0, 30.0]), atol=1e-4, rtol=0
    )
    clear = moved(torch.ones(1, 4, 32, 40), motion.matrix(1, 40, 32))
    assert float(clear[..., :8, :].abs().max()) == 0.0


@pytest.mark.parametrize("drawer", ["clipdraw", "line", "shapes"])
def test_paths_move_exactly(drawer: str, models: Models) -> None:
    with Session(settings(drawer=drawer), models=models) as session:
        assert isinstance(session.drawer, Movable)
        made: Any = session.drawer
        points, widths = made.points.detach().clone(), made.widths.detach().clone()
        matrix = Motion(settings(animation_zoom=0.8), 9).matrix(1, *SIZE)
        made.move_(matrix)
        expected = (points - torch.tensor([20.0, 16.0])) * 0.8 + torch.tensor([20.0, 16.0])
        torch.testing.assert_close(made.points.detach(), expected)
        assert (made.widths <= widths).all()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "film"
    place.mkdir()
    for number, color in ((1, "red"), (2, "lime"), (10, "blue")):
        Image.new("RGB", SIZE, color).save(place / f"{number}.png")
    (place / "notes.txt").write_text("no picture")
    return place


@pytest.mark.parametrize("drawer", DRAWERS)
def test_d12_every_picture_of_a_folder_is_drawn_over_in_turn(
    models: Models, folder: Path, drawer: str
) -> None:
    frames = draw(models, drawer=drawer, animation_dir=str(folder), animation_steps=2,
                  iterations=2, learning_rate=0.01, animation_alpha=0.25)  # fmt: skip
    film = [f.image.mean((0, 2, 3)) for f in frames if f.filmed]
    assert len(film) == 3
    if drawer == "line":  # whose paper and ink stay as they are
        assert len({tuple(mean.tolist()) for mean in film}) == 3
    else:
        assert [int(mean.argmax()) for mean in film] == [0, 1, 2]
        assert float(film[1][0]) > 0.1  # a quarter of the red one is left


def test_folders_are_read_in_order_and_bounded(folder: Path, tmp_path: Path) -> None:
    assert [path.name for path in pictures_in(str(folder), 9)] == ["1.png", "2.png", "10.png"]
    with pytest.raises(InputFileError, match="holds 3 pictures, at most 2"):
        pictures_in(str(folder), 2)
    (tmp_path / "none").mkdir()
    for place, message in (
        ("none", "no pictures"),
        ("nowhere", "no folder"),
        ("a\0b", "folder|read"),
    ):
        with pytest.raises(InputFileError, match=message):
            pictures_in(str(tmp_path / place), 9)


def test_fewer_pictures_of_a_folder_by_animation_frames(models: Models, folder: Path) -> None:
    frames = draw(models, animation_dir=str(folder), animation_frames=2, animation_steps=1)
    assert sum(f.filmed for f in frames) == 2


def test_scenes_share_the_pictures_of_an_animation(models: Models) -> None:
    given: dict[str, Any] = {"animation_frames": 4, "animation_steps": 2}
    one, other = (draw(models, prompts=f"a ^ {text}", **given) for text in ("b", "c"))
    assert len(one) == 4 + 3 * 2 + 1
    same = [torch.equal(a.image, b.image) for a, b in zip(one, other, strict=True)]
    assert same == [True] * 7 + [False] * 4  # from the third picture on: its first step is alike


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"animation_dir": "x", "init_image": "y.png"}, "animation_dir and init_image"),
        ({"animation_frames": 3, "protect": "y.png"}, "leave it out of animations"),
        ({"animation_dir": "nowhere"}, "no folder"),
        ({"animation_frames": 2000, "animation_steps": 1000}, "use fewer iterations"),
        ({"prompts": "a ^ b ^ c", "animation_frames": 2}, "3 scenes and the animation 2 pictures"),
        ({"animation_zoom": "3"}, "out of range: 0.5 to 2"),
        ({"optimizer": "Adamm"}, r"Did you mean 'Adam'\?|Did you mean 'Adam"),
        ({"overlay_every": "0"}, "overlay_every"),
        ({"overlay_image": "no.png"}, "no.png"),
    ],
)
def test_what_cannot_be_is_said(models: Models, values: dict[str, Any], message: str) -> None:
    with pytest.raises((SettingsError, InputFileError), match=message):
        Session(settings(**values), models=models)


def test_results_and_films_of_an_animation(models: Models, tmp_path: Path) -> None:
    result = session_result(models, animation_frames=3, animation_steps=2, display_every=1)
    assert len(result.frames) == 3
    with Image.open(result.save_video(tmp_path / "zoom.gif")) as film:
        assert film.n_frames >= 3


def test_d18_learning_rate_drops_keep_the_moments_from_scene_to_scene(models: Models) -> None:
    with Session(settings(prompts="a ^ b", iterations=8), models=models) as session:
        frames = session.frames()
        for _ in range(8):
            next(frames)
        optimizer = session.scene.optimizer
        before = [state["exp_avg_sq"].clone() for state in optimizer.state.values()]
        next(frames)
        assert session.scene.optimizer is optimizer
        after = [state["exp_avg_sq"] for state in optimizer.state.values()]
        for late, early in zip(after, before, strict=True):
            assert (late >= 0.99 * early).all()


def test_the_command_line_counts_a_story_through_and_draws_it_again(cli: Cli) -> None:
    words = ("draw", "a ^ b", "--perceptor=toy", "--size=32x32", "--iterations=3", "--cuts=2",
             "--starts=1", "--seed=5", "--batches=2", "--optimizer=adamw", "--display-every=2",
             "--json", "--out=a.png")  # fmt: skip
    answer = cli(*words)
    assert answer.code == 0, answer.err
    events = [json.loads(line) for line in answer.out.splitlines()]
    assert [e["step"] for e in events if e["event"] == "frame"] == [0, 2, 4, 6]
    assert {e["steps"] for e in events if e["event"] == "frame"} == {6}
    again = cli("again", "a.png", "--out=b.png")
    assert again.code == 0, again.err
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


# ---- optimizers and passes ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Adam", "AdamW", "Adagrad", "Adamax", "RAdam", "RMSprop",
                                  "DiffGrad", "AdamP"])  # fmt: skip
def test_every_optimizer_draws_the_same_twice_and_otherwise_than_others(
    models: Models, name: str
) -> None:
    one, again = (draw(models, optimizer=name.lower(), iterations=3)[-1].image for _ in range(2))
    assert torch.equal(one, again)
    first = draw(models, iterations=3)[0].image
    assert not torch.equal(one, first)


def test_adamp_is_timms() -> None:
    ours, theirs = (
        torch.nn.Parameter(torch.randn(4, 6, generator=stream(0, "adamp"))) for _ in range(2)
    )
    target = torch.randn(4, 6, generator=stream(1, "adamp"))
    mine = optimizers.AdamP([ours], lr=0.01)
    reference = AdamP([theirs], lr=0.01, weight_decay=0)  # type: ignore[no-untyped-call]
    for step in range(30):
        for parameter, optimizer in ((ours, mine), (theirs, reference)):
            optimizer.zero_grad()
            unit = parameter / parameter.norm() if step % 2 else parameter  # free of scale, or not
            torch.autograd.backward(((unit - target) ** 2).sum())
            optimizer.step()
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


def test_diffgrad_is_the_papers() -> None:
    gradients = [0.5, 0.3, -0.2, -0.2, 0.9]
    parameter = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = optimizers.DiffGrad([parameter], lr=0.1)
    value, m, v, before = 1.0, 0.0, 0.0, 0.0
    for t, g in enumerate(gradients, start=1):
        parameter.grad = torch.tensor([g])
        optimizer.step()
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        friction = 1 / (1 + math.exp(-abs(before - g)))
        value -= 0.1 * friction * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)
        before = g
        assert float(parameter.detach()) == pytest.approx(value, rel=1e-5)


def test_passes_add_their_gradients_up(models: Models) -> None:
    with Session(settings(batches=3, drawer="fft"), models=models) as session:
        scene = session.scene
        loop.pull([loop.Pull([scene], 0, 4)])
        (parameter,) = scene.drawer.parameters()
        assert parameter.grad is not None
        together = parameter.grad.clone()
        alone = []
        for number in range(3):
            parameter.grad = None
            terms = scene.terms(scene.view(0, 4, number=number))
            torch.autograd.backward(torch.stack(list(terms.values())).sum())
            alone.append(torch.as_tensor(parameter.grad).clone())
    torch.testing.assert_close(together, torch.stack(alone).sum(0))
    assert not torch.allclose(alone[0], alone[1])
    assert torch.equal(draw(models)[0].image, draw(models, batches=3)[0].image)


def test_strangers_may_name_no_folder_and_no_overlay_file() -> None:
    from text2art.serving.request import refuse_files

    refuse_files(settings(overlay_image="https://example.org/a.png"))
    for values in ({"overlay_image": "/etc/a.png"}, {"animation_dir": "/etc"}):
        with pytest.raises(InputFileError, match="over HTTP"):
            refuse_files(settings(**values))
